#include "sim/cli/run_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "analysis/aggregate.hpp"
#include "analysis/atomic_file.hpp"
#include "analysis/replications.hpp"
#include "analysis/run_report.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/progress.hpp"
#include "sim/cli/replay_note.hpp"
#include "sim/cli/run_options.hpp"

namespace cli {

namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::string scenario;
  std::vector<std::string> chaos;
  RunFlags flags;
};

double seconds_since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

ReplayNote note_of(const Arguments& arguments, const analysis::Replication& run) {
  return {arguments.scenario, run.seed, arguments.flags.until_text, arguments.flags.overrides, run.outcome.verdict.complete ? run.outcome.event_log_hash : std::string()};
}

int run_many(const LoadedScenario& loaded, const Arguments& arguments, const analysis::ReplicationOptions& options, Progress& progress) {
  const auto began = Clock::now();
  const auto results = analysis::run_replications({loaded.spec.get()}, options);
  progress.finish();
  const std::vector<analysis::Replication>& runs = results.front();
  const analysis::Aggregate aggregate = analysis::aggregate(loaded.name, loaded.description, runs);
  const std::string json = analysis::aggregate_json(aggregate);
  if (arguments.flags.format == "json") {
    std::fputs(json.c_str(), stdout);
  } else {
    std::fputs(analysis::aggregate_text(aggregate, use_colour(), seconds_since(began)).c_str(), stdout);
  }
  if (!arguments.flags.output.empty() && runs.front().done) {
    const analysis::RunReport report{loaded.name, loaded.description, loaded.file, runs.front().seed, &runs.front().outcome, 0.0};
    std::string error = analysis::write_run_folder(report, arguments.flags.output, json);
    if (error.empty()) error = write_replay_note(note_of(arguments, runs.front()), arguments.flags.output);
    if (!error.empty()) {
      std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
      return kCannotWrite;
    }
    if (arguments.flags.format != "json") std::fputs(fmt::format("  {}/summary.json, and report.html of seed {}\n\n", arguments.flags.output, runs.front().seed).c_str(), stdout);
  }
  return aggregate.complete ? kOk : kInterrupted;
}

/// "chaos.yaml@10m": a fault that creates the file's resources then. The words are an override like any other.
std::string chaos_override(const std::string& text, std::size_t number) {
  const std::size_t at = text.rfind('@');
  const bool has_time = at != std::string::npos && sim::parse_duration(text.substr(at + 1)).has_value();
  std::string quoted;
  for (const char c : has_time ? text.substr(0, at) : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return fmt::format("faults.chaos-{}={{kind: chaos-mesh, at: {}, file: '{}'}}", number, has_time ? text.substr(at + 1) : std::string("0s"), quoted);
}

int run_scenario(const Arguments& arguments) {
  std::vector<std::string> overrides = arguments.flags.overrides;
  for (const std::string& text : arguments.chaos) overrides.push_back(chaos_override(text, overrides.size() - arguments.flags.overrides.size() + 1));
  const LoadedScenario loaded = load_scenario(arguments.scenario, overrides, arguments.flags.quiet);
  if (loaded.spec == nullptr) return kWrongInput;
  const std::atomic<bool>& stop = stop_on_interrupt();  // until here there is nothing to tell, and a signal just ends the program
  if (!arguments.flags.output.empty()) {
    // Before the work, not after it.
    if (const std::string error = analysis::make_folder(arguments.flags.output); !error.empty()) {
      std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
      return kCannotWrite;
    }
  }
  Progress progress(arguments.flags.quiet);
  analysis::ReplicationOptions options;
  options.first_seed = arguments.flags.seed.value_or(loaded.seed);
  options.count = arguments.flags.replications;
  options.jobs = arguments.flags.threads();
  options.run.stop = &stop;
  options.run.until = arguments.flags.until();
  const sim::SimTime until = options.run.until.value_or(loaded.until);
  if (options.count > 1) {
    options.progress = [&](std::size_t done, std::size_t total) {
      progress.update(static_cast<double>(done) / static_cast<double>(total), fmt::format("{} of {} replications", done, total));
    };
    return run_many(loaded, arguments, options, progress);
  }
  options.run.progress_every = std::max<sim::SimDuration>(until.time_since_epoch() / 500, std::chrono::seconds(1));
  options.run.progress = [&](sim::SimTime now) {
    progress.update(sim::seconds(now) / std::max(sim::seconds(until), 1e-9),
                    fmt::format("{} of {}", sim::humanize(now.time_since_epoch()), sim::humanize(until.time_since_epoch())));
  };
  const auto began = Clock::now();
  const auto results = analysis::run_replications({loaded.spec.get()}, options);
  progress.finish();
  const analysis::Replication& run = results.front().front();
  if (!run.done) return kInterrupted;
  const analysis::RunReport report{loaded.name, loaded.description, loaded.file, run.seed, &run.outcome, seconds_since(began)};
  std::fputs((arguments.flags.format == "json" ? analysis::summary_json(report) : analysis::terminal_summary(report, use_colour(), terminal_width())).c_str(), stdout);
  if (!arguments.flags.output.empty()) {
    std::string error = analysis::write_run_folder(report, arguments.flags.output);
    if (error.empty()) error = write_replay_note(note_of(arguments, run), arguments.flags.output);
    if (!error.empty()) {
      std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
      return kCannotWrite;
    }
    if (arguments.flags.format != "json") std::fputs(fmt::format("  {0}/report.html, {0}/summary.json, {0}/events.jsonl\n\n", arguments.flags.output).c_str(), stdout);
  }
  return run.outcome.verdict.complete ? kOk : kInterrupted;
}

}  // namespace

void add_run_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("run", "Runs a scenario and tells what happened, and why");
  command->add_option("scenario", arguments->scenario, "The scenario file; - reads standard input")->required()->option_text(" ");
  command->add_option("--replications", arguments->flags.replications, "How many runs, 1 to 1000000, with seeds from --seed on (default: 1)")->check(CLI::Range(1, 1'000'000))->option_text("N");
  add_run_flags(*command, arguments->flags);
  command->add_option("--chaos", arguments->chaos, "Creates the resources of a file of Chaos Mesh or LitmusChaos, at a time since the start (default: 0s; may be repeated)")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false)
      ->option_text("FILE[@TIME]");
  command->footer("The exit code is 0 whatever the expectations say: `squall test` judges.\n\nExamples: squall run scenarios/incident-1-shared.yaml --seed 7 -o out\n          squall run scenarios/incident-1-shared.yaml --replications 100 --set faults.prometheus-leak.rate=50Mi/s");
  command->callback([arguments, &exit_code] { exit_code = run_scenario(*arguments); });
}

}  // namespace cli
