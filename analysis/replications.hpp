/// Many runs of one or more scenarios under different seeds, on several threads.
///
/// Replication i of every scenario has the seed `first_seed + i`: with keyed random streams the architectures that are compared meet the
/// same luck (common random numbers). Results come back in the order of the seeds, whatever the number of threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "chaos/harness.hpp"

namespace analysis {

struct Replication {
  std::size_t scenario = 0;  // index into the list asked for
  std::uint64_t seed = 0;
  bool done = false;         // false: not begun before the stop flag was raised
  chaos::RunOutcome outcome; // without its world, but for the first replication of each scenario
};

struct ReplicationOptions {
  std::uint64_t first_seed = 1;
  std::size_t count = 1;
  std::size_t jobs = 1;
  chaos::RunOptions run;
  /// Called after each run, from one thread at a time.
  std::function<void(std::size_t done, std::size_t total)> progress;
};

/// [scenario][replication]. Scenarios are interleaved, so that a stop leaves pairs rather than one side only.
std::vector<std::vector<Replication>> run_replications(const std::vector<const sim::scenario::ScenarioSpec*>& scenarios, const ReplicationOptions& options);

/// One hash for a list of runs: of their eventLogHash values in the order of the seeds.
std::string combined_hash(const std::vector<Replication>& replications);

}  // namespace analysis
