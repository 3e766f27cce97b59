#include "sim/cli/validate_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/run_options.hpp"

namespace cli {

void add_validate_command(CLI::App& app, int& exit_code) {
  struct Arguments {
    std::vector<std::string> files;
    std::vector<std::string> overrides;
    bool strict = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("validate", "Checks scenario files without running them: every error with its place");
  command->add_option("scenario", arguments->files, "Scenario files; - reads standard input")->required()->option_text(" ");
  add_overrides(*command, arguments->overrides);
  command->add_flag("--strict", arguments->strict, "A warning (a circular dependency, a field that is not simulated) counts as an error");
  command->footer("Exit codes: 0 all are valid, 2 one is not.\n\nExample: squall validate scenarios/*.yaml");
  command->callback([arguments, &exit_code] {
    for (const std::string& file : arguments->files) {
      const LoadedScenario loaded = load_scenario(file, arguments->overrides, false);
      if (loaded.spec == nullptr) {
        exit_code = kWrongInput;
      } else if (arguments->strict && loaded.warnings > 0) {
        exit_code = kWrongInput;
        std::fputs(fmt::format("{}: {} warnings, and --strict takes them for errors\n", file, loaded.warnings).c_str(), stdout);
      } else {
        std::fputs(fmt::format("{}: valid\n", file).c_str(), stdout);
      }
    }
  });
}

}  // namespace cli
