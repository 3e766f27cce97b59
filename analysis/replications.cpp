#include "analysis/replications.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <thread>

namespace analysis {

std::vector<std::vector<Replication>> run_replications(const std::vector<const sim::scenario::ScenarioSpec*>& scenarios, const ReplicationOptions& options) {
  std::vector<std::vector<Replication>> results(scenarios.size());
  for (auto& list : results) list.resize(options.count);
  const std::size_t total = scenarios.size() * options.count;
  std::atomic<std::size_t> next{0};
  std::mutex report;
  std::size_t done = 0;

  const auto work = [&] {
    for (;;) {
      const std::size_t task = next.fetch_add(1);
      if (task >= total || (options.run.stop != nullptr && options.run.stop->load())) return;
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
    }
  };
  const std::size_t threads = std::clamp<std::size_t>(options.jobs, 1, std::max<std::size_t>(total, 1));
  std::vector<std::thread> pool;
  for (std::size_t i = 1; i < threads; ++i) pool.emplace_back(work);
  work();
  for (std::thread& thread : pool) thread.join();
  return results;
}

std::string combined_hash(const std::vector<Replication>& replications) {
  if (replications.size() == 1) return replications.front().outcome.event_log_hash;
  std::uint64_t hash = 0xcbf29ce484222325ull;  // FNV-1a
  for (const Replication& replication : replications) {
    for (const char c : replication.outcome.event_log_hash) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace analysis
