#include "sim/cli/rare_events_flags.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "analysis/atomic_file.hpp"
#include "analysis/rare_events.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/many_runs.hpp"
#include "sim/cli/progress.hpp"

namespace cli {

void add_rare_event_flags(CLI::App& command, RareEventFlags& flags) {
  const auto is_duration = [](const std::string& text) { return sim::parse_duration(text) ? std::string() : "'" + text + "' is no duration (like 30m)"; };
  CLI::Option* rare = command.add_option("--rare-event", flags.subject, "How available is this, of many nines: importance sampling of the scenario's failures, see docs/rare-events.md; etcd, Service/NAMESPACE/NAME, CephPool/NAME ...")->option_text("SUBJECT");
  command.add_option("--copies", flags.copies, "With --rare-event: copies of each excursion, 1 to 10000 (default: 2)")->needs(rare)->check(CLI::Range(1, 10'000))->option_text("N");
  command.add_option("--bias", flags.bias, "With --rare-event: a failure process to hasten; may be repeated (default: all)")->needs(rare)->allow_extra_args(false)->option_text("PROCESS");
  command.add_option("--settle", flags.settle, "With --rare-event: an excursion ends when all has been well for so long (default: 30m)")->needs(rare)->check(is_duration)->option_text("TIME");
}

std::string contradiction(const RareEventFlags& rare, const RunFlags& flags, const ManyFlags& many) {
  if (rare.subject.empty()) return {};
  if (!many.until_ci.empty()) return "--rare-event and --until-ci exclude each other: --rare-event takes --replications, and says when they were too few";
  if (!many.shard.empty()) return "--rare-event has no shards: it needs one machine, with --jobs processes";
  if (many.has_replications && flags.replications < 2) return "--rare-event needs --replications of 2 or more: its interval is over them";
  if (many.confidence != ManyFlags{}.confidence) return "--rare-event tells intervals of 95 %: --confidence is not for it";
  return {};
}

int run_rare_events(const LoadedScenario& loaded, const RareEventFlags& rare, const RunFlags& flags, bool has_replications, const std::atomic<bool>& stop) {
  constexpr std::size_t kReplications = 30;
  Progress progress(flags.quiet);
  analysis::RareEventOptions options;
  options.subject = rare.subject;
  options.first_seed = flags.seed.value_or(loaded.seed);
  options.replications = has_replications ? flags.replications : kReplications;
  options.jobs = flags.threads();
  options.copies = rare.copies;
  options.settle = *sim::parse_duration(rare.settle);
  options.processes = rare.bias;
  options.until = flags.until();
  options.stop = &stop;
  options.progress = [&](std::size_t done, std::size_t total) {
    progress.update(static_cast<double>(done) / static_cast<double>(total), fmt::format("{} of {} replications", done, total));
  };
  const analysis::RareEvents found = analysis::estimate_rare_events(*loaded.spec, options);
  progress.finish();
  if (!found.error.empty()) {
    std::fputs(fmt::format("squall: {}\n", found.error).c_str(), stderr);
    return found.ran_short ? kCannotWrite : kWrongInput;
  }
  const std::string json = analysis::rare_events_json(found, loaded.name);
  std::fputs((flags.format == "json" ? json : analysis::rare_events_text(found, loaded.name, use_colour())).c_str(), stdout);
  if (!flags.output.empty()) {
    const std::string file = flags.output + "/rare-events.json";
    if (const std::string error = analysis::write_whole_file(file, json); !error.empty()) {
      std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
      return kCannotWrite;
    }
    if (flags.format != "json") std::fputs(fmt::format("  {}\n\n", file).c_str(), stdout);
  }
  return found.complete ? kOk : kInterrupted;
}

}  // namespace cli
