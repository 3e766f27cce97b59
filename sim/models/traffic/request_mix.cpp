#include "sim/models/traffic/request_mix.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace sim::traffic {

namespace {

constexpr int kIterationsMax = 2000;
constexpr double kSettled = 1e-10;

/// 1 + x + ... + x^n.
double geometric(double x, std::int64_t n) {
  double sum = 1.0;
  double power = 1.0;
  for (std::int64_t i = 0; i < n; ++i) {
    power *= x;
    sum += power;
  }
  return sum;
}

struct Attempts {
  double answered = 0.0;
  double overload = 0.0;
};

}  // namespace

RequestMix::RequestMix(const Demand& demand, std::vector<ClientGroup> groups, const std::vector<double>& slowdowns, const RequestMix* before) : demand_(demand) {
  const auto endpoints_of = [](const ClientGroup& group) { return static_cast<double>(group.refusing + group.silent) + static_cast<double>(group.backends.size()); };
  // Where the state before ended: on the whole, if there are other groups now.
  failing_.assign(groups.size(), 0.0);
  if (before != nullptr && before->failing_.size() == groups.size()) {
    failing_ = before->failing_;
  } else if (before != nullptr && !before->failing_.empty()) {
    double mean = 0.0;
    for (const double one : before->failing_) mean += one / static_cast<double>(before->failing_.size());
    failing_.assign(groups.size(), mean);
  }

  // Backends that are asked equally often and are equally fast are one queue.
  std::vector<std::size_t> queue_of(slowdowns.size());
  std::vector<Attempts> met(groups.size());
  const auto solve = [&] {
    std::vector<double> arrivals(slowdowns.size(), 0.0);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const ClientGroup& group = groups[g];
      if (group.unserved || group.backends.empty()) continue;
      const double each = demand.rate * group.share * geometric(failing_[g], demand.retries) / endpoints_of(group);
      for (const std::size_t backend : group.backends) arrivals[backend] += each;
    }
    queues_.clear();
    std::map<std::pair<double, double>, std::size_t> known;
    for (std::size_t b = 0; b < slowdowns.size(); ++b) {
      const auto [place, is_new] = known.try_emplace({arrivals[b], slowdowns[b]}, queues_.size());
      if (is_new) queues_.emplace_back(arrivals[b], 1.0 / (demand.service_time * slowdowns[b]), demand.workers, demand.timeout);
      queue_of[b] = place->second;
    }
    std::vector<double> answered(queues_.size());
    for (std::size_t q = 0; q < queues_.size(); ++q) answered[q] = queues_[q].answered_within(demand.timeout);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      met[g] = {};
      if (groups[g].unserved) continue;
      const double all = endpoints_of(groups[g]);
      for (const std::size_t backend : groups[g].backends) {
        met[g].answered += answered[queue_of[backend]] / all;
        met[g].overload += (1.0 - answered[queue_of[backend]]) / all;
      }
    }
  };
  for (int i = 0; i < kIterationsMax; ++i) {
    solve();
    double moved = 0.0;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const double failing = 1.0 - met[g].answered;
      moved = std::max(moved, std::abs(failing - failing_[g]));
      failing_[g] = failing;
    }
    if (moved < kSettled || demand.retries == 0) break;
  }

  for (std::size_t g = 0; g < groups.size(); ++g) {
    const ClientGroup& group = groups[g];
    const double all = endpoints_of(group);
    const bool nobody = all == 0.0 && !group.unserved;
    const double fast = nobody ? 1.0 : group.unserved ? 0.0 : static_cast<double>(group.refusing) / all;
    const double silent = group.unserved ? 1.0 : nobody ? 0.0 : static_cast<double>(group.silent) / all;
    const double slow = silent + met[g].overload;
    const double failing = fast + slow;
    double none = group.share;  // every attempt failed: as its last one did
    for (std::int64_t i = 0; i <= demand.retries; ++i) none *= failing;
    success_ += group.share - none;
    attempts_ += group.share * geometric(failing, demand.retries);
    if (failing > 0.0) {
      failed_[static_cast<std::size_t>(nobody ? Failure::kNoEndpoints : Failure::kRefused)] += none * fast / failing;
      failed_[static_cast<std::size_t>(Failure::kSilent)] += none * silent / failing;
      failed_[static_cast<std::size_t>(Failure::kOverload)] += none * met[g].overload / failing;
    }
    if (group.unserved || group.backends.empty()) continue;
    // Answered at attempt k + 1 after j time-outs and k - j refusals, in any order.
    std::map<std::size_t, double> share_of_queue;
    for (const std::size_t backend : group.backends) share_of_queue[queue_of[backend]] += group.share / all;
    std::vector<double> after(static_cast<std::size_t>(demand.retries) + 1, 0.0);
    std::vector<double> row{1.0};  // probabilities of j time-outs among k failures
    for (std::size_t k = 0; k <= static_cast<std::size_t>(demand.retries); ++k) {
      for (std::size_t j = 0; j < row.size(); ++j) after[j] += row[j];
      std::vector<double> next(row.size() + 1, 0.0);
      for (std::size_t j = 0; j < row.size(); ++j) {
        next[j] += row[j] * fast;
        next[j + 1] += row[j] * slow;
      }
      row = std::move(next);
    }
    for (const auto& [queue, share] : share_of_queue) {
      for (std::size_t j = 0; j < after.size(); ++j) {
        if (share * after[j] > 0.0) parts_.push_back({share * after[j], queue, static_cast<double>(j) * demand.timeout});
      }
    }
  }
  for (const Part& part : parts_) utilisation_ = std::max(utilisation_, queues_[part.queue].utilisation());
}

double RequestMix::answered_within(double t) const {
  double sum = 0.0;
  for (const Part& part : parts_) sum += part.weight * queues_[part.queue].answered_within(t - part.after);
  return sum;
}

double RequestMix::quantile(double q) const {
  if (success_ <= 0.0) return 0.0;
  double low = 0.0;
  double high = longest();
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2.0;
    (answered_within(middle) < q * success_ ? low : high) = middle;
  }
  return high;
}

}  // namespace sim::traffic
