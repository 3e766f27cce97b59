#include "sim/cli/run_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <limits>
#include <thread>

namespace cli {

std::optional<sim::SimTime> RunFlags::until() const {
  if (until_text.empty()) return std::nullopt;
  return sim::SimTime(*sim::parse_duration(until_text));
}

std::size_t RunFlags::threads() const { return jobs != 0 ? jobs : std::max(1u, std::thread::hardware_concurrency()); }

std::string is_seed(const std::string& text) {
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error == std::errc{} && end == text.data() + text.size() && !text.empty()) return {};
  return fmt::format("'{}' is no seed: an integer from 0 to {}", text, std::numeric_limits<std::uint64_t>::max());
}

void add_overrides(CLI::App& command, std::vector<std::string>& overrides) {
  command.add_option("--set", overrides, "Overrides a value, like pools.worker.count=96, or adds one, like 'pools.gpu={cpu: 8}' (may be repeated)")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false)
      ->option_text("PATH=VALUE");
}

void add_run_flags(CLI::App& command, RunFlags& flags) {
  const auto is_duration = [](const std::string& text) {
    const auto span = sim::parse_duration(text);
    return span && *span > sim::SimDuration::zero() ? std::string() : "'" + text + "' is no duration above zero (like 90s, 2h30m, 30d)";
  };
  command.add_option("--seed", flags.seed, "Seed of the (first) run (default: run.seed of the scenario)")->check(is_seed)->option_text("N");
  command.add_option("--until", flags.until_text, "How much virtual time to simulate, like 30d (default: run.until of the scenario)")->check(is_duration)->option_text("TIME");
  add_overrides(command, flags.overrides);
  command.add_option("-j,--jobs", flags.jobs, "Threads, 1 to 1024 (default: one a processor); results do not depend on it")->check(CLI::Range(1, 1024))->option_text("N");
  command.add_option("-o,--output", flags.output, "Folder for summary.json, report.html, events.jsonl, metrics.h5, trace.perfetto")->option_text("DIR");
  command.add_option("--format", flags.format, "text for people (the default), json for programs")->check(CLI::IsMember({"text", "json"}))->option_text("text|json");
  command.add_flag("-q,--quiet", flags.quiet, "No progress and no warnings");
}

}  // namespace cli
