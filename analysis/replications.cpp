#include "analysis/replications.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>

#include "analysis/parallel.hpp"
#include "sim/core/check.hpp"

namespace analysis {

namespace {

/// Replications between two gatherings: messages stay small however long the job is.
constexpr std::size_t kPerRound = 1024;

}  // namespace

Sweep::Sweep(std::vector<const sim::scenario::ScenarioSpec*> scenarios, SweepOptions options)
    : scenarios_(std::move(scenarios)), options_(std::move(options)), results_(scenarios_.size()), firsts_(scenarios_.size()) {
  if (options_.ranks != nullptr) readers_.resize(options_.ranks->size());
}

Sweep::~Sweep() { finish(); }

void Sweep::finish() {
  if (finished_ || options_.ranks == nullptr || options_.ranks->rank() != 0) return;
  finished_ = true;
  options_.ranks->broadcast("end");
}

bool Sweep::run_own(std::size_t count, std::size_t own, std::size_t of, const std::function<void(Record)>& take) {
  const std::size_t begin = done_ + (own + of - done_ % of) % of;
  if (begin >= count) return true;
  const std::size_t sides = scenarios_.size();
  const std::size_t total = (count - begin + of - 1) / of * sides;
  std::mutex order;
  std::map<std::size_t, Record> ahead;  // those that are ready before their turn
  std::size_t turn = 0;
  std::size_t ready = 0;
  const auto run_task = [&](std::size_t task) {
    const std::size_t scenario = task % sides;  // sides in turn, so that a stop leaves pairs rather than one side only
    const std::size_t replication = begin + task / sides * of;
    chaos::RunOptions run = options_.run;
    run.keep_world = replication == 0 && options_.keep_first;
    if (total > 1) run.progress = nullptr;  // one virtual clock cannot stand for many runs
    const std::uint64_t seed = options_.first_seed + replication;
    chaos::RunOutcome outcome = chaos::run_scenario(*scenarios_[scenario], seed, run);
    if (!outcome.verdict.complete) {
      if (replication == 0 && options_.keep_first) firsts_[scenario] = std::move(outcome);
      return;  // nothing after it has its turn
    }
    Record record = make_record(scenario, replication, seed, outcome);
    if (run.keep_world) firsts_[scenario] = std::move(outcome);
    const std::lock_guard<std::mutex> lock(order);
    ahead.emplace(task, std::move(record));
    ++ready;
    for (auto next = ahead.find(turn); next != ahead.end(); next = ahead.find(turn)) {
      take(std::move(next->second));
      ahead.erase(next);
      ++turn;
    }
    if (options_.progress) options_.progress(ready, total);
  };
  for_each_task(total, options_.jobs, run_task, options_.run.stop);
  return turn == total;
}

bool Sweep::extend_to(std::size_t count) {
  if (!complete_) return false;
  Ranks* ranks = options_.ranks;
  if (ranks == nullptr && !options_.shard) {
    complete_ = run_own(count, 0, 1, [this](Record record) { results_[record.scenario].add(std::move(record)); });
    done_ = count;
    for (const ScenarioResults& side : results_) done_ = std::min(done_, side.size());
    return complete_;
  }
  if (ranks == nullptr) {
    complete_ = run_own(count, options_.shard->index, options_.shard->count, [this](Record record) {
      filter_.keep_longer(record);
      lines_.push_back(writer_.line(record));
    });
    done_ = count;
    return complete_;
  }
  while (complete_ && done_ < count) {
    const std::size_t until = std::min(count, done_ + kPerRound * ranks->size());
    ranks->broadcast(std::to_string(until));
    complete_ = compute_for_rank_0(until);
  }
  return complete_;
}

/// All ranks: their share of the round, sent to rank 0, which puts them in order.
bool Sweep::compute_for_rank_0(std::size_t count) {
  Ranks& ranks = *options_.ranks;
  std::string mine;
  run_own(count, ranks.rank(), ranks.size(), [&](Record record) {
    filter_.keep_longer(record);
    mine += writer_.line(record);
    mine += '\n';
  });
  const std::vector<std::string> all = ranks.gather(mine);
  if (ranks.rank() != 0) {
    done_ = count;
    return true;
  }
  std::vector<std::size_t> at(all.size());
  bool complete = true;
  for (std::size_t replication = done_; complete && replication < count; ++replication) {
    const std::size_t rank = replication % ranks.size();
    std::vector<Record> records;  // of all sides or of none
    while (records.size() < scenarios_.size() && at[rank] < all[rank].size()) {
      const std::size_t end = all[rank].find('\n', at[rank]);
      const bool is_record = readers_[rank].read(all[rank].substr(at[rank], end - at[rank]), records.emplace_back());
      SIM_CHECK(is_record, "ranks of one program speak one language");
      at[rank] = end + 1;
    }
    complete = records.size() == scenarios_.size();
    if (!complete) break;
    for (Record& record : records) results_[record.scenario].add(std::move(record));
    done_ = replication + 1;
  }
  return complete;
}

void Sweep::serve() {
  for (;;) {
    const std::string order = options_.ranks->broadcast({});
    if (order == "end") return;
    std::size_t count = 0;
    std::from_chars(order.data(), order.data() + order.size(), count);
    compute_for_rank_0(count);
  }
}

}  // namespace analysis
