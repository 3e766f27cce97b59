/// A part of a job in a file: `squall compare A B --replications 1000 --shard 3/16 -o DIR` writes one, `squall merge` makes of all of them what
/// one process would have written, byte for byte. The lines of run and compare are records, those of test and survive lines of tasks (shared_tasks.hpp).
///
/// The file is text, one JSON value a line: the job (with the version of the format), the files of the first replication, the records, and at the end
/// how many lines there are and their hash. docs/outputs.md describes it.
///
/// Checked by: tests/cli/many_runs.py.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "analysis/replications.hpp"

namespace analysis {

inline constexpr int kShardVersion = 2;

/// All that decides what comes out. Equal jobs, equal results.
struct JobDescription {
  std::string command;  // "run", "compare", "test", "survive"
  std::string program;  // its version: another one may simulate otherwise
  struct Scenario {
    std::string name;
    std::string description;
    std::string file;
    std::uint64_t inputs = 0;  // of all files that it was read from
    friend bool operator==(const Scenario&, const Scenario&) = default;
  };
  std::vector<Scenario> scenarios;
  std::vector<std::string> overrides;
  std::vector<std::string> options;  // of test and survive, as on the command line: "--faults=2"
  std::string until;
  std::uint64_t first_seed = 1;
  std::uint64_t replications = 1;
  double confidence = 0.95;
  friend bool operator==(const JobDescription&, const JobDescription&) = default;
};

struct ShardFile {
  std::string path;
  JobDescription job;
  Shard shard;
  std::vector<std::pair<std::string, std::string>> files;  // name below the output folder, content
  std::vector<std::string> lines;
};

/// "DIR/shard-3-of-16.jsonl"
std::string shard_path(const std::string& folder, Shard shard);
/// Whole or not at all. Empty, or why not.
std::string write_shard(const ShardFile& shard);
/// Empty, or what is wrong with it.
std::string read_shard(const std::string& path, ShardFile& shard);
/// Whether they are all the parts of one job, each once; sorts them by index. Empty, or every file that is foreign, twice there, or missing, a line each.
std::string put_together(std::vector<ShardFile>& shards);
/// Puts the records of run and compare in order. Empty, or what is wrong.
std::string collect(const std::vector<ShardFile>& shards, std::vector<ScenarioResults>& results);

/// Regular files below a folder, by name, with their contents. Empty, or why not.
std::string read_folder(const std::string& folder, std::vector<std::pair<std::string, std::string>>& files);

}  // namespace analysis
