/// Tasks that do not need each other, over threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

namespace analysis {

/// Calls `task(i)` for each i below `count`, on at most `jobs` threads (the caller's among them), the lower ones first. Returns when all are through.
/// Once `stop` is set no further one begins (null: nobody stops it). `task` must not throw.
void for_each_task(std::size_t count, std::size_t jobs, const std::function<void(std::size_t)>& task, const std::atomic<bool>* stop = nullptr);

}  // namespace analysis
