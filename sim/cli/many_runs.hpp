/// What run, compare and merge share where there are many runs: until when, on how many machines, and what is told of them.
///
/// Checked by: tests/cli/many_runs.py, tests/cli/mpi.py.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/precision.hpp"
#include "analysis/shard.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/run_options.hpp"

namespace cli {

struct ManyFlags {
  std::string until_ci;         // "5%"; empty: as many as --replications says
  std::string metric;           // --ci-of
  std::string confidence = "95%";
  std::uint64_t minimum = 30;
  std::uint64_t maximum = 10'000;
  std::string shard;            // "3/16"; empty: all of it
  bool has_replications = false;
  bool has_bounds = false;      // --min-replications or --max-replications was given

  double level() const;         // of --confidence
  std::optional<analysis::Shard> part() const;
};

/// "5%" or "0.05" as 0.05; none when it is neither, or not between 0 and 1.
std::optional<double> parse_share(const std::string& text);
/// "3/16": the part with index 3 of 16, which count from 0.
std::optional<analysis::Shard> parse_shard(const std::string& text);
/// Adds --confidence, --until-ci, --ci-of, --min-replications, --max-replications.
void add_precision_flags(CLI::App& command, ManyFlags& flags);
/// Adds --shard.
void add_shard_flag(CLI::App& command, ManyFlags& flags);
/// What does not go together; empty when all does. `command`: "run" or "compare".
std::string contradiction(const ManyFlags& many, const RunFlags& flags);

/// What is known when all runs are there.
struct ManyResults {
  const analysis::JobDescription* job = nullptr;
  const std::vector<analysis::ScenarioResults>* results = nullptr;
  std::size_t replications = 0;  // that all scenarios have
  bool complete = true;
  const analysis::Precision* precision = nullptr;
  double wall_seconds = -1.0;    // below 0: not told
  /// Writes the files of the first replications below a folder, of `run` all but the summary.json that is given. Empty, or why not.
  std::function<std::string(const std::string& folder, const std::string& summary)> write_firsts;
};
/// Prints and writes it; the exit code.
int tell(const ManyResults& many, const std::string& output, const std::string& format);

/// Loads the scenarios and runs the job: alone, as one of several MPI processes, or one shard of it. The exit code.
int run_many(const std::string& command, const std::vector<std::string>& scenarios, const RunFlags& flags, const ManyFlags& many);

/// Under mpirun: whether all processes read the same. Empty, or what to print on rank 0. Called by all.
std::string disagreement(analysis::Ranks& ranks, const std::string& error, std::uint64_t inputs);

}  // namespace cli
