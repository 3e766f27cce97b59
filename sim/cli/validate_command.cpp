#include "sim/cli/validate_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"

namespace cli {

void add_validate_command(CLI::App& app, int& exit_code) {
  struct Arguments {
    std::vector<std::string> files;
    std::vector<std::string> overrides;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("validate", "Checks scenario files without running them: every error with its place, exit 2 if there is one");
  command->add_option("scenario", arguments->files, "Scenario files")->required();
  command->add_option("--set", arguments->overrides, "Overrides a value: path=value (may be repeated)")->take_all()->expected(1)->allow_extra_args(false);
  command->callback([arguments, &exit_code] {
    for (const std::string& file : arguments->files) {
      const LoadedScenario loaded = load_scenario(file, arguments->overrides, false);
      if (loaded.spec == nullptr) {
        exit_code = kWrongInput;
      } else {
        std::fputs(fmt::format("{}: valid\n", file).c_str(), stdout);
      }
    }
  });
}

}  // namespace cli
