/// Tasks that do not need each other and each leave a line of text: on threads, and shared by the processes of MPI or by shards.
///
/// Task i belongs to part i % parts. The lines are the same however many share them.
///
/// Leaves out: tasks that move to whoever is idle. A process that dies ends the job (MPI), or its shard is missing.
/// Checked by: tests/analysis/shared_tasks_test.cpp, tests/cli/many_runs.py, tests/cli/mpi.py.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "analysis/ranks.hpp"
#include "analysis/replications.hpp"

namespace analysis {

struct TaskSharing {
  std::size_t jobs = 1;               // threads of this process
  Ranks* ranks = nullptr;             // with them it is called by all
  std::optional<Shard> shard;         // not with ranks
  const std::atomic<bool>* stop = nullptr;
  /// After each task of this process, from one thread at a time.
  std::function<void(std::size_t done, std::size_t total)> progress;
};

/// `task(i)` for each i below `count`, from several threads; its line has no end of line in it. Lines in the order of the tasks, empty where one was not done: stopped,
/// of another shard, or, on ranks above 0, all of them.
std::vector<std::string> share_tasks(std::size_t count, const TaskSharing& sharing, const std::function<std::string(std::size_t)>& task);

/// Of a shard: its own lines, for its file. And back: the lines of all of them, in the order of the tasks; empty when the files do not hold `count`.
std::vector<std::string> own_lines(std::vector<std::string> lines, Shard shard);
std::vector<std::string> lines_of_all(const std::vector<std::vector<std::string>>& shards, std::size_t count);

}  // namespace analysis
