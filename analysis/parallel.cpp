#include "analysis/parallel.hpp"

#include <algorithm>
#include <thread>
#include <vector>

namespace analysis {

void for_each_task(std::size_t count, std::size_t jobs, const std::function<void(std::size_t)>& task, const std::atomic<bool>* stop) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (;;) {
      const std::size_t i = next.fetch_add(1);
      if (i >= count || (stop != nullptr && stop->load())) return;
      task(i);
    }
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < std::min(jobs, count); ++i) others.emplace_back(work);
  work();
  for (std::thread& thread : others) thread.join();
}

}  // namespace analysis
