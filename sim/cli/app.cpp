#include "sim/cli/app.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "analysis/run_report.hpp"
#include "sim/cli/catalog_command.hpp"
#include "sim/cli/compare_command.hpp"
#include "sim/cli/generate_command.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/run_command.hpp"
#include "sim/cli/schedule_command.hpp"
#include "sim/cli/schema_command.hpp"
#include "sim/cli/test_command.hpp"
#include "sim/cli/validate_command.hpp"

namespace cli {

int run(int argc, char** argv) {
  CLI::App app{"Squall simulates Kubernetes platforms and breaks them: what fails, how often, for how long, and why.\n"
               "The same scenario and seed give the same run, bit for bit.",
               "squall"};
  app.set_version_flag("--version", std::string("squall ") + analysis::program_version());
  app.require_subcommand(0, 1);
  app.get_formatter()->column_width(34);
  app.footer("Exit codes: 0 all is well, 1 an expectation does not hold, 2 the input is wrong, 3 an output cannot be written, 130 interrupted.\n\n"
             "Begin with:  squall catalog\n"
             "             squall run scenarios/incident-1-shared.yaml -o out\n"
             "`squall COMMAND --help` tells more about a command.");
  int exit_code = kOk;
  add_run_command(app, exit_code);
  add_test_command(app, exit_code);
  add_compare_command(app, exit_code);
  add_schedule_command(app, exit_code);
  add_validate_command(app, exit_code);
  add_schema_command(app, exit_code);
  add_catalog_command(app, exit_code);
  add_generate_command(app, exit_code);
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) {
      std::fputs(app.help().c_str(), stderr);
      return kWrongInput;
    }
  } catch (const CLI::ParseError& error) {
    // Help and version are no errors; everything else is wrong input.
    return app.exit(error) == 0 ? kOk : kWrongInput;
  } catch (const std::bad_alloc&) {
    std::fputs("squall: out of memory\n", stderr);
    return 70;
  }
  return exit_code;
}

}  // namespace cli
