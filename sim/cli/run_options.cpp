#include "sim/cli/run_options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

namespace cli {

std::optional<sim::SimTime> RunFlags::until() const {
  if (until_text.empty()) return std::nullopt;
  return sim::SimTime(*sim::parse_duration(until_text));
}

std::size_t RunFlags::threads() const { return jobs != 0 ? jobs : std::max(1u, std::thread::hardware_concurrency()); }

void add_run_flags(CLI::App& command, RunFlags& flags) {
  const auto is_duration = [](const std::string& text) {
    const auto span = sim::parse_duration(text);
    return span && *span > sim::SimDuration::zero() ? std::string() : "'" + text + "' is no duration above zero (like 90s, 2h30m, 30d)";
  };
  command.add_option("--seed", flags.seed, "Seed of the first run (default: run.seed of the scenario)");
  command.add_option("--until", flags.until_text, "How much virtual time to simulate, like 30d (default: run.until of the scenario)")->check(is_duration);
  command.add_option("--set", flags.overrides, "Overrides a value: path=value, like pools.worker.count=96 (may be repeated)")->take_all()->expected(1)->allow_extra_args(false);
  command.add_option("-j,--jobs", flags.jobs, "Threads for replications (default: one a processor); results do not depend on it")->check(CLI::Range(1, 1024));
  command.add_option("-o,--output", flags.output, "Folder for summary.json, report.html, events.jsonl, metrics.h5, trace.perfetto");
  command.add_option("--format", flags.format, "text for people, json for programs")->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  command.add_flag("-q,--quiet", flags.quiet, "No progress and no warnings");
}

}  // namespace cli
