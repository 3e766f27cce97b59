#include "sim/cli/compare_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "analysis/atomic_file.hpp"
#include "analysis/comparison.hpp"
#include "analysis/run_report.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/progress.hpp"
#include "sim/cli/run_options.hpp"

namespace cli {

namespace {

struct Arguments {
  std::vector<std::string> scenarios;
  RunFlags flags;
};

std::string write_outputs(const Arguments& arguments, const std::vector<LoadedScenario>& loaded, const std::vector<std::vector<analysis::Replication>>& runs,
                          const analysis::Comparison& comparison) {
  const std::string& folder = arguments.flags.output;
  if (std::string error = analysis::remove_file(folder + "/summary.json"); !error.empty()) return error;
  for (std::size_t s = 0; s < loaded.size(); ++s) {
    const analysis::Replication& first = runs[s].front();
    if (!first.done) continue;
    const analysis::RunReport report{loaded[s].name, loaded[s].description, loaded[s].file, first.seed, &first.outcome, 0.0};
    const std::string side = folder + "/" + static_cast<char>('a' + static_cast<int>(s));
    if (std::string error = analysis::write_run_folder(report, side); !error.empty()) return error;
  }
  if (std::string error = analysis::write_whole_file(folder + "/report.html", analysis::comparison_html(comparison)); !error.empty()) return error;
  return analysis::write_whole_file(folder + "/summary.json", analysis::comparison_json(comparison));
}

int compare_scenarios(const Arguments& arguments) {
  std::vector<LoadedScenario> loaded;
  bool is_wrong = false;
  for (const std::string& file : arguments.scenarios) {
    loaded.push_back(load_scenario(file, arguments.flags.overrides, arguments.flags.quiet));
    is_wrong = is_wrong || loaded.back().spec == nullptr;
  }
  if (is_wrong) return kWrongInput;
  const std::atomic<bool>& stop = stop_on_interrupt();  // until here there is nothing to tell, and a signal just ends the program
  if (!arguments.flags.output.empty()) {
    if (const std::string error = analysis::make_folder(arguments.flags.output); !error.empty()) {
      std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
      return kCannotWrite;
    }
  }
  Progress progress(arguments.flags.quiet);
  analysis::ReplicationOptions options;
  options.first_seed = arguments.flags.seed.value_or(loaded.front().seed);
  options.count = arguments.flags.replications;
  options.jobs = arguments.flags.threads();
  options.run.stop = &stop;
  options.run.until = arguments.flags.until();
  options.run.keep_world = !arguments.flags.output.empty();
  options.progress = [&](std::size_t done, std::size_t total) {
    progress.update(static_cast<double>(done) / static_cast<double>(total), fmt::format("{} of {} runs", done, total));
  };
  std::vector<const sim::scenario::ScenarioSpec*> specs;
  std::vector<std::string> names;
  std::vector<std::string> files;
  for (const LoadedScenario& scenario : loaded) {
    specs.push_back(scenario.spec.get());
    names.push_back(scenario.name);
    files.push_back(scenario.file);
  }
  const auto runs = analysis::run_replications(specs, options);
  progress.finish();
  const analysis::Comparison comparison = analysis::compare(names, files, runs);
  if (comparison.pairs == 0) {
    std::fputs("squall: stopped before one pair of runs was complete\n", stderr);
    return kInterrupted;
  }
  std::fputs((arguments.flags.format == "json" ? analysis::comparison_json(comparison) : analysis::comparison_text(comparison, use_colour(), terminal_width())).c_str(), stdout);
  if (!arguments.flags.output.empty()) {
    if (const std::string error = write_outputs(arguments, loaded, runs, comparison); !error.empty()) {
      std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
      return kCannotWrite;
    }
    if (arguments.flags.format != "json") std::fputs(fmt::format("  Report: {0}/report.html   figures: {0}/summary.json   one run of each: {0}/a/report.html, {0}/b/report.html\n\n", arguments.flags.output).c_str(), stdout);
  }
  return comparison.complete ? kOk : kInterrupted;
}

}  // namespace

void add_compare_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  arguments->flags.replications = 10;
  CLI::App* command = app.add_subcommand("compare", "Runs two or more scenarios under the same luck and tells the difference, with confidence intervals");
  command->add_option("scenario", arguments->scenarios, "Two or more scenario files; differences are to the first")->required()->expected(2, 26)->option_text(" ");
  command->add_option("--replications", arguments->flags.replications, "Paired runs of each scenario, 1 to 1000000 (default: 10)")->check(CLI::Range(1, 1'000'000))->option_text("N");
  add_run_flags(*command, arguments->flags);
  command->footer("Example: squall compare scenarios/incident-5-few-large.yaml scenarios/incident-5-many-small.yaml --replications 30 -o out");
  command->callback([arguments, &exit_code] { exit_code = compare_scenarios(*arguments); });
}

}  // namespace cli
