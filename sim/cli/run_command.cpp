#include "sim/cli/run_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>

#include "analysis/atomic_file.hpp"
#include "analysis/run_report.hpp"
#include "analysis/scrape_recorder.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/many_runs.hpp"
#include "sim/cli/mpi_ranks.hpp"
#include "sim/cli/progress.hpp"
#include "sim/cli/rare_events_flags.hpp"
#include "sim/cli/replay_note.hpp"
#include "sim/cli/run_options.hpp"
#include "sim/scenario/scenario.hpp"

namespace cli {

namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::string scenario;
  std::vector<std::string> chaos;
  RunFlags flags;
  ManyFlags many;
  RareEventFlags rare;
  std::string scrape;  // an interval; empty: nobody scrapes
};

double seconds_since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

/// "chaos.yaml@10m": a fault that creates the file's resources then. The words are an override like any other.
std::string chaos_override(const std::string& text, std::size_t number) {
  const std::size_t at = text.rfind('@');
  const bool has_time = at != std::string::npos && sim::parse_duration(text.substr(at + 1)).has_value();
  std::string quoted;
  for (const char c : has_time ? text.substr(0, at) : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return fmt::format("faults.chaos-{}={{kind: chaos-mesh, at: {}, file: '{}'}}", number, has_time ? text.substr(at + 1) : std::string("0s"), quoted);
}

int run_scenario(const Arguments& given) {
  Arguments arguments = given;
  for (std::size_t i = 0; i < given.chaos.size(); ++i) arguments.flags.overrides.push_back(chaos_override(given.chaos[i], i + 1));
  std::string what = contradiction(arguments.many, arguments.flags);
  if (what.empty()) what = contradiction(arguments.rare, arguments.flags, arguments.many);
  if (!what.empty()) {
    std::fputs(fmt::format("squall: {}\n", what).c_str(), stderr);
    return kWrongInput;
  }
  const bool is_rare = !arguments.rare.subject.empty();
  if (!arguments.scrape.empty() && (arguments.flags.output.empty() || is_rare || arguments.flags.replications > 1 || !arguments.many.until_ci.empty())) {
    std::fputs("squall: --scrape writes the metrics of one run: it needs -o DIR, and goes neither with --replications, --until-ci nor --rare-event\n", stderr);
    return kWrongInput;
  }
  if (!is_rare && (arguments.flags.replications > 1 || !arguments.many.until_ci.empty())) return run_many("run", {arguments.scenario}, arguments.flags, arguments.many);
  std::string problem;
  const std::unique_ptr<analysis::Ranks> ranks = join_ranks(problem);
  if (ranks != nullptr) problem = is_rare ? "--rare-event forks processes of its own, and is not shared by several; leave mpirun out" : "one run has no parts for several processes; give --replications or --until-ci";
  if (!problem.empty()) {
    if (ranks == nullptr || ranks->rank() == 0) std::fputs(fmt::format("squall: {}\n", problem).c_str(), stderr);
    return kWrongInput;
  }
  const LoadedScenario loaded = load_scenario(arguments.scenario, arguments.flags.overrides, arguments.flags.quiet);
  if (loaded.spec == nullptr) return kWrongInput;
  const std::atomic<bool>& stop = stop_on_interrupt();  // until here there is nothing to tell, and a signal just ends the program
  if (!arguments.flags.output.empty()) {
    // Before the work, not after it.
    if (const std::string error = analysis::make_folder(arguments.flags.output); !error.empty()) {
      std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
      return kCannotWrite;
    }
  }
  if (is_rare) return run_rare_events(loaded, arguments.rare, arguments.flags, arguments.many.has_replications, stop);
  Progress progress(arguments.flags.quiet);
  chaos::RunOptions options;
  options.stop = &stop;
  options.until = arguments.flags.until();
  const sim::SimTime until = options.until.value_or(loaded.until);
  options.progress_every = std::max<sim::SimDuration>(until.time_since_epoch() / 500, std::chrono::seconds(1));
  options.progress = [&](sim::SimTime now) {
    progress.update(sim::seconds(now) / std::max(sim::seconds(until), 1e-9),
                    fmt::format("{} of {}", sim::humanize(now.time_since_epoch()), sim::humanize(until.time_since_epoch())));
  };
  std::optional<analysis::ScrapeRecorder> recorder;
  if (!arguments.scrape.empty()) {
    recorder.emplace(*sim::parse_duration(arguments.scrape), loaded.spec->run.start_unix_seconds);
    recorder->attach(options);
  }
  const auto began = Clock::now();
  const chaos::RunOutcome outcome = chaos::run_scenario(*loaded.spec, arguments.flags.seed.value_or(loaded.seed), options);
  progress.finish();
  const analysis::RunReport report{loaded.name, loaded.description, loaded.file, outcome.verdict.seed, &outcome, seconds_since(began)};
  std::fputs((arguments.flags.format == "json" ? analysis::summary_json(report) : analysis::terminal_summary(report, use_colour(), terminal_width())).c_str(), stdout);
  if (!arguments.flags.output.empty()) {
    std::string error;
    if (recorder) error = analysis::write_whole_file(arguments.flags.output + "/metrics.prom", recorder->last());
    if (recorder && error.empty()) error = analysis::write_whole_file(arguments.flags.output + "/metrics.openmetrics", recorder->openmetrics());
    if (error.empty()) error = analysis::write_run_folder(report, arguments.flags.output);
    if (error.empty()) error = write_replay_note({arguments.scenario, outcome.verdict.seed, arguments.flags.until_text, arguments.flags.overrides,
                                                outcome.verdict.complete ? outcome.event_log_hash : std::string()},
                                               arguments.flags.output);
    if (!error.empty()) {
      std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
      return kCannotWrite;
    }
    if (arguments.flags.format != "json") std::fputs(fmt::format("  {0}/report.html, {0}/summary.json, {0}/events.jsonl\n\n", arguments.flags.output).c_str(), stdout);
  }
  return outcome.verdict.complete ? kOk : kInterrupted;
}

}  // namespace

void add_run_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("run", "Runs a scenario and tells what happened, and why");
  command->add_option("scenario", arguments->scenario, "The scenario file; - reads standard input")->required()->option_text(" ");
  command->add_option("--replications", arguments->flags.replications, "How many runs, 1 to 1000000, with seeds from --seed on (default: 1)")->check(CLI::Range(1, 1'000'000))->option_text("N");
  add_precision_flags(*command, arguments->many);
  add_shard_flag(*command, arguments->many);
  add_rare_event_flags(*command, arguments->rare);
  add_run_flags(*command, arguments->flags);
  command->add_option("--chaos", arguments->chaos, "Creates the resources of a file of Chaos Mesh or LitmusChaos, at a time since the start (default: 0s; may be repeated)")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false)
      ->option_text("FILE[@TIME]");
  command->add_option("--scrape", arguments->scrape, "With -o: also metrics.openmetrics, what a Prometheus with this interval would have scraped (30s), and metrics.prom, its last scrape")
      ->option_text("INTERVAL")
      ->check([](const std::string& text) {
        const auto span = sim::parse_duration(text);
        return span && *span >= std::chrono::seconds(1) ? std::string() : "'" + text + "' is no scrape interval (30s, 1m; at least 1s)";
      });
  command->footer("The exit code is 0 whatever the expectations say: `squall test` judges.\n\nExamples: squall run scenarios/incident-1-shared.yaml --seed 7 -o out\n          squall run scenarios/incident-1-shared.yaml --replications 100 --set faults.prometheus-leak.rate=50Mi/s\n          squall run scenarios/incident-1-shared.yaml --until-ci 5% --ci-of 'longest outage of a component'\n          mpirun -n 8 squall run scenarios/incident-1-shared.yaml --replications 10000 -o out\n          squall run scenarios/machine-repair.yaml --rare-event etcd --replications 40\n          squall run scenarios/incident-4-monitoring-outside.yaml -o out --scrape 30s && promtool tsdb create-blocks-from openmetrics out/metrics.openmetrics data");
  command->callback([arguments, command, &exit_code] {
    arguments->many.has_replications = command->count("--replications") > 0;
    exit_code = run_scenario(*arguments);
  });
}

}  // namespace cli
