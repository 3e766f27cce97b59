// Tasks shared by threads, processes and shards: always the same lines.
#include "analysis/shared_tasks.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace analysis {
namespace {

std::string square(std::size_t i) { return i % 5 == 4 ? std::string() : std::to_string(i * i); }

std::vector<std::string> alone(std::size_t count) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < count; ++i) lines.push_back(square(i));
  return lines;
}

/// As many threads as MPI would have processes.
struct Meeting {
  explicit Meeting(std::size_t many) : all(many) {}
  std::vector<std::string> all;
  std::mutex mutex;
  std::condition_variable come;
  std::size_t here = 0;
};
class ThreadRanks : public Ranks {
 public:
  ThreadRanks(Meeting& meeting, std::size_t rank) : meeting_(meeting), rank_(rank) {}
  std::size_t rank() const override { return rank_; }
  std::size_t size() const override { return meeting_.all.size(); }
  std::vector<std::string> gather(const std::string& mine) override {
    std::unique_lock<std::mutex> lock(meeting_.mutex);
    meeting_.all[rank_] = mine;
    ++meeting_.here;
    meeting_.come.notify_all();
    if (rank_ != 0) return {};
    meeting_.come.wait(lock, [&] { return meeting_.here == meeting_.all.size(); });
    return meeting_.all;
  }
  std::string broadcast(const std::string& of_rank_0) override { return of_rank_0; }

 private:
  Meeting& meeting_;
  std::size_t rank_;
};

TEST(SharedTasks, TheSameLinesForThreadsRanksAndShards) {
  for (const std::size_t count : {0u, 1u, 3u, 17u}) {
    SCOPED_TRACE(count);
    TaskSharing sharing;
    for (const std::size_t jobs : {1u, 4u}) {
      sharing.jobs = jobs;
      EXPECT_EQ(share_tasks(count, sharing, square), alone(count));
    }
    for (const std::size_t parts : {1u, 2u, 3u, 5u}) {
      SCOPED_TRACE(parts);
      std::vector<std::vector<std::string>> shards;
      for (std::size_t i = 0; i < parts; ++i) {
        TaskSharing part;
        part.shard = Shard{i, parts};
        std::size_t made = 0;
        part.progress = [&](std::size_t, std::size_t total) {
          ++made;
          EXPECT_EQ(total, (count - i + parts - 1) / parts);
        };
        shards.push_back(own_lines(share_tasks(count, part, square), *part.shard));
        EXPECT_EQ(made, shards.back().size());
      }
      EXPECT_EQ(lines_of_all(shards, count), alone(count));
      EXPECT_TRUE(count == 0 || lines_of_all(shards, count + 1).empty());

      Meeting meeting(parts);
      std::vector<std::string> found;
      std::vector<std::thread> others;
      for (std::size_t rank = 0; rank < parts; ++rank) {
        others.emplace_back([&, rank] {
          ThreadRanks ranks(meeting, rank);
          TaskSharing part;
          part.ranks = &ranks;
          std::vector<std::string> lines = share_tasks(count, part, square);
          if (rank == 0) found = std::move(lines);
        });
      }
      for (std::thread& thread : others) thread.join();
      EXPECT_EQ(found, alone(count));
    }
  }
  // Shards of which one has a line too few, and another one too many.
  EXPECT_TRUE(lines_of_all({{"a"}, {"b", "c", "d"}}, 4).empty());
}

TEST(SharedTasks, NoneBeginsAfterAStop) {
  const std::atomic<bool> stop = true;
  TaskSharing sharing;
  sharing.stop = &stop;
  EXPECT_EQ(share_tasks(3, sharing, square), std::vector<std::string>(3));
}

}  // namespace
}  // namespace analysis
