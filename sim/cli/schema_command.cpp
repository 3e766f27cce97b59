#include "sim/cli/schema_command.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "chaos/expectation.hpp"
#include "chaos/fault.hpp"
#include "chaos/mesh/reference.hpp"
#include "chaos/reference.hpp"
#include "sim/scenario/schema.hpp"

namespace cli {

void add_schema_command(CLI::App& app, int& exit_code) {
  auto what = std::make_shared<std::string>("json");
  CLI::App* command = app.add_subcommand("schema", "Prints the JSON Schema of a scenario for editors, or its reference as Markdown");
  command->add_option("--format", *what, "json (the default): JSON Schema; scenario, faults, expectations, chaos-mesh: a chapter of the reference")
      ->check(CLI::IsMember({"json", "scenario", "faults", "expectations", "chaos-mesh"}))
      ->option_text("json|scenario|faults|expectations|chaos-mesh");
  command->footer("In an editor with the YAML language server, put this on the first line of a scenario:\n"
                  "  # yaml-language-server: $schema=squall.schema.json\n\nExample: squall schema > squall.schema.json");
  command->callback([what, &exit_code] {
    std::string text;
    if (*what == "scenario") {
      text = sim::scenario::scenario_reference();
    } else if (*what == "faults") {
      text = chaos::faults_reference();
    } else if (*what == "chaos-mesh") {
      text = chaos::mesh::reference();
    } else if (*what == "expectations") {
      text = chaos::expectations_reference();
    } else {
      text = sim::scenario::json_schema({{"faults", chaos::all_faults().infos()}, {"expect", chaos::all_checks().infos()}});
    }
    std::fputs(text.c_str(), stdout);
    exit_code = 0;
  });
}

}  // namespace cli
