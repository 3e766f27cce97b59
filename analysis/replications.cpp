#include "analysis/replications.hpp"

#include <fmt/format.h>

#include <mutex>

#include "analysis/parallel.hpp"
#include "sim/core/hash.hpp"

namespace analysis {

std::vector<std::vector<Replication>> run_replications(const std::vector<const sim::scenario::ScenarioSpec*>& scenarios, const ReplicationOptions& options) {
  std::vector<std::vector<Replication>> results(scenarios.size());
  for (auto& list : results) list.resize(options.count);
  const std::size_t total = scenarios.size() * options.count;
  std::mutex report;
  std::size_t done = 0;

  const auto run_task = [&](std::size_t task) {
    const std::size_t scenario = task % scenarios.size();
    const std::size_t index = task / scenarios.size();
    Replication& place = results[scenario][index];
    place.scenario = scenario;
    place.seed = options.first_seed + index;
    chaos::RunOptions run = options.run;
    run.keep_world = options.run.keep_world && index == 0;
    run.progress = total == 1 ? options.run.progress : nullptr;  // one virtual clock cannot stand for many runs
    place.outcome = chaos::run_scenario(*scenarios[scenario], place.seed, run);
    place.done = true;
    const std::lock_guard<std::mutex> lock(report);
    ++done;
    if (options.progress) options.progress(done, total);
  };
  for_each_task(total, options.jobs, run_task, options.run.stop);
  return results;
}

std::string combined_hash(const std::vector<Replication>& replications) {
  if (replications.size() == 1) return replications.front().outcome.event_log_hash;
  std::uint64_t hash = sim::kFnvBasis;
  for (const Replication& replication : replications) hash = sim::fnv1a(replication.outcome.event_log_hash, hash);
  return fmt::format("{:016x}", hash);
}

}  // namespace analysis
