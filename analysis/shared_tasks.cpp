#include "analysis/shared_tasks.hpp"

#include <mutex>

#include "analysis/parallel.hpp"
#include "sim/core/check.hpp"

namespace analysis {

std::vector<std::string> share_tasks(std::size_t count, const TaskSharing& sharing, const std::function<std::string(std::size_t)>& task) {
  std::size_t own = 0;
  std::size_t of = 1;
  if (sharing.ranks != nullptr) {
    own = sharing.ranks->rank();
    of = sharing.ranks->size();
  } else if (sharing.shard) {
    own = sharing.shard->index;
    of = sharing.shard->count;
  }
  std::vector<std::string> lines(count);
  const std::size_t mine = count > own ? (count - own + of - 1) / of : 0;
  std::mutex report;
  std::size_t done = 0;
  const auto run = [&](std::size_t k) {
    lines[own + k * of] = task(own + k * of);
    if (!sharing.progress) return;
    const std::lock_guard<std::mutex> lock(report);
    sharing.progress(++done, mine);
  };
  for_each_task(mine, sharing.jobs, run, sharing.stop);
  if (sharing.ranks == nullptr) return lines;

  std::string text;
  for (std::size_t i = own; i < count; i += of) text += lines[i] + '\n';
  const std::vector<std::string> all = sharing.ranks->gather(text);
  if (own != 0) return std::vector<std::string>(count);
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    std::size_t begin = 0;
    for (std::size_t i = rank; i < count; i += of) {
      const std::size_t end = all[rank].find('\n', begin);
      SIM_CHECK(end != std::string::npos, "every process tells a line, or an empty one, of each of its tasks");
      lines[i] = all[rank].substr(begin, end - begin);
      begin = end + 1;
    }
  }
  return lines;
}

std::vector<std::string> own_lines(std::vector<std::string> lines, Shard shard) {
  std::vector<std::string> own;
  for (std::size_t i = shard.index; i < lines.size(); i += shard.count) own.push_back(std::move(lines[i]));
  return own;
}

std::vector<std::string> lines_of_all(const std::vector<std::vector<std::string>>& shards, std::size_t count) {
  std::size_t there = 0;
  for (const std::vector<std::string>& shard : shards) there += shard.size();
  if (there != count) return {};
  std::vector<std::string> lines(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::vector<std::string>& shard = shards[i % shards.size()];
    if (i / shards.size() >= shard.size()) return {};
    lines[i] = shard[i / shards.size()];
  }
  return lines;
}

}  // namespace analysis
