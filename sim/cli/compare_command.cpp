#include "sim/cli/compare_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "sim/cli/interrupt.hpp"
#include "sim/cli/many_runs.hpp"
#include "sim/cli/run_options.hpp"

namespace cli {

namespace {

struct Arguments {
  std::vector<std::string> scenarios;
  RunFlags flags;
  ManyFlags many;
};

int compare_scenarios(const Arguments& arguments) {
  if (const std::string what = contradiction(arguments.many, arguments.flags); !what.empty()) {
    std::fputs(fmt::format("squall: {}\n", what).c_str(), stderr);
    return kWrongInput;
  }
  return run_many("compare", arguments.scenarios, arguments.flags, arguments.many);
}

}  // namespace

void add_compare_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  arguments->flags.replications = 10;
  CLI::App* command = app.add_subcommand("compare", "Runs two or more scenarios under the same luck and tells the difference, with confidence intervals");
  command->add_option("scenario", arguments->scenarios, "Two or more scenario files; differences are to the first")->required()->expected(2, 26)->option_text(" ");
  command->add_option("--replications", arguments->flags.replications, "Paired runs of each scenario, 1 to 1000000 (default: 10)")->check(CLI::Range(1, 1'000'000))->option_text("N");
  add_precision_flags(*command, arguments->many);
  add_shard_flag(*command, arguments->many);
  add_run_flags(*command, arguments->flags);
  command->footer("Examples: squall compare scenarios/incident-5-few-large.yaml scenarios/incident-5-many-small.yaml --replications 30 -o out\n"
                  "          squall compare A.yaml B.yaml --until-ci 5% --ci-of 'service outages'\n"
                  "          squall compare A.yaml B.yaml --replications 10000 --shard 0/4 -o parts   (1/4, 2/4 and 3/4 elsewhere; then squall merge parts -o out)\n"
                  "          mpirun -n 64 squall compare A.yaml B.yaml --replications 10000 -o out");
  command->callback([arguments, command, &exit_code] {
    arguments->many.has_replications = command->count("--replications") > 0;
    exit_code = compare_scenarios(*arguments);
  });
}

}  // namespace cli
