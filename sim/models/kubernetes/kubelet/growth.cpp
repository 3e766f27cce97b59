#include "sim/models/kubernetes/kubelet/growth.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sim::k8s::kubelet {

namespace {

constexpr double kRotationPeriod = 10.0;  // containerLogMonitorInterval
constexpr double kInfinite = std::numeric_limits<double>::infinity();
// Beyond it the clock itself ends (292 years).
constexpr double kLongest = 200.0 * 365 * 86400;

}  // namespace

void Growth::start(SimTime now, double rate, std::int64_t at_most) {
  amount_ = at(now);
  since_ = now;
  is_paused_ = false;
  line_count_ = 0;
  if (rate <= 0.0) return;
  lines_[line_count_++] = {rate, at_most > 0 ? static_cast<double>(at_most) : kInfinite};
}

void Growth::start_log(SimTime now, double rate, std::int64_t max_size, std::int64_t max_files) {
  start(now, rate, 0);
  if (line_count_ == 0 || max_size < 0) return;
  // A file has at least max_size when it is rotated, and what came until the kubelet looked.
  const double looks = std::max(1.0, std::ceil(static_cast<double>(max_size) / (rate * kRotationPeriod)));
  const double file = rate * kRotationPeriod * looks;
  const double compressed = file * kCompressed;
  const double begins = amount_;
  lines_[0].up_to = begins + 2.0 * file;
  lines_[line_count_++] = {rate * kCompressed, begins + 2.0 * file + static_cast<double>(std::max<std::int64_t>(0, max_files - 2)) * compressed};
}

double Growth::at(SimTime now) const {
  double amount = amount_;
  if (is_paused_) return amount;
  double left = seconds(now - since_) * speed_;
  for (std::size_t i = 0; i < line_count_ && left > 0.0; ++i) {
    const Line& line = lines_[i];
    if (amount >= line.up_to) continue;
    const double takes = (line.up_to - amount) / line.rate;
    if (takes > left) return amount + line.rate * left;
    amount = line.up_to;
    left -= takes;
  }
  return amount;
}

double Growth::rate(SimTime now) const {
  if (is_paused_) return 0.0;
  const double amount = at(now);
  for (std::size_t i = 0; i < line_count_; ++i) {
    if (amount < lines_[i].up_to) return lines_[i].rate * speed_;
  }
  return 0.0;
}

SimTime Growth::next_bend(SimTime now) const {
  if (is_paused_) return kEndOfTime;
  const double amount = at(now);
  for (std::size_t i = 0; i < line_count_; ++i) {
    if (amount >= lines_[i].up_to) continue;
    const double takes = (lines_[i].up_to - amount) / lines_[i].rate / speed_;
    return takes > kLongest ? kEndOfTime : now + from_seconds(takes) + SimDuration(1);
  }
  return kEndOfTime;
}

void Growth::pause(SimTime now) {
  if (is_paused_) return;
  amount_ = at(now);
  since_ = now;
  is_paused_ = true;
}

void Growth::resume(SimTime now) {
  if (!is_paused_) return;
  since_ = now;
  is_paused_ = false;
}

void Growth::stop(SimTime now) {
  amount_ = at(now);
  since_ = now;
  line_count_ = 0;
  is_paused_ = false;
}

void Growth::set_speed(SimTime now, double speed) {
  if (speed == speed_) return;
  amount_ = at(now);
  since_ = now;
  speed_ = speed;
}

SimTime sum_exceeds(const std::vector<Weighed>& all, SimTime now, double level) {
  SimTime at = now;
  // Each turn passes one bend; each thing has two at most.
  for (std::size_t turn = 0; turn <= 2 * all.size() + 1; ++turn) {
    double sum = 0.0;
    double rate = 0.0;
    SimTime bend = kEndOfTime;
    for (const Weighed& one : all) {
      sum += one.weight * one.growth->at(at);
      rate += one.weight * one.growth->rate(at);
      bend = std::min(bend, one.growth->next_bend(at));
    }
    if (sum > level) return at;
    if (rate > 0.0) {
      const double takes = (level - sum) / rate;
      if (takes < kLongest) {
        const SimTime crosses = at + from_seconds(takes) + SimDuration(1);
        if (crosses <= bend) return crosses;
      }
    }
    if (bend == kEndOfTime) return kEndOfTime;
    at = bend;
  }
  return kEndOfTime;
}

}  // namespace sim::k8s::kubelet
