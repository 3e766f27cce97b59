/// Many runs of one or more scenarios under different seeds, on several threads and, where there are ranks, in several processes.
///
/// Replication i of every scenario has the seed `first_seed + i`: with keyed random streams the architectures that are compared meet the
/// same luck (common random numbers). Records come in the order of the seeds, whatever the number of threads and ranks.
///
/// Checked by: tests/cli/many_runs.py, tests/cli/mpi.py.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "analysis/ranks.hpp"
#include "analysis/record.hpp"
#include "chaos/harness.hpp"

namespace analysis {

/// Of `count` parts of a job the one with this index, from 0: it has the replications i with i % count == index.
struct Shard {
  std::size_t index = 0;
  std::size_t count = 1;
};

struct SweepOptions {
  std::uint64_t first_seed = 1;
  std::size_t jobs = 1;
  chaos::RunOptions run;
  /// Keep the first replication of each scenario with its world.
  bool keep_first = true;
  std::optional<Shard> shard;  // absent: all of it
  Ranks* ranks = nullptr;  // not with a shard
  /// Called after each run, from one thread at a time.
  std::function<void(std::size_t done, std::size_t total)> progress;
};

class Sweep {
 public:
  Sweep(std::vector<const sim::scenario::ScenarioSpec*> scenarios, SweepOptions options);

  /// Runs what is missing of the first `count` replications of every scenario. False: stopped before that, and only complete replications of all
  /// scenarios count. With ranks: called on rank 0, while the others are in serve().
  bool extend_to(std::size_t count);
  /// Ranks above 0: computes until rank 0 calls finish(). Rank 0 finishes in its destructor at the latest.
  void serve();
  void finish();
  ~Sweep();
  Sweep(const Sweep&) = delete;
  Sweep& operator=(const Sweep&) = delete;

  /// By scenario. Empty ones with a shard.
  const std::vector<ScenarioResults>& results() const { return results_; }
  /// Replications that all scenarios have; with a shard those that were looked at.
  std::size_t replications() const { return done_; }
  bool complete() const { return complete_; }
  /// The first replication of a scenario, with its world; null when it is not here.
  const chaos::RunOutcome* first(std::size_t scenario) const { return firsts_[scenario].event_log_hash.empty() ? nullptr : &firsts_[scenario]; }
  /// Of a shard: its records, as lines.
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  /// Runs the replications of [done_, count) that are i % of == own; `take` gets their records in order. False: stopped.
  bool run_own(std::size_t count, std::size_t own, std::size_t of, const std::function<void(Record)>& take);
  bool compute_for_rank_0(std::size_t count);

  std::vector<const sim::scenario::ScenarioSpec*> scenarios_;
  SweepOptions options_;
  std::vector<ScenarioResults> results_;
  std::vector<chaos::RunOutcome> firsts_;
  OutageFilter filter_;
  RecordWriter writer_;
  std::vector<RecordReader> readers_;  // of each rank
  std::vector<std::string> lines_;
  std::size_t done_ = 0;
  bool complete_ = true;
  bool finished_ = false;
};

}  // namespace analysis
