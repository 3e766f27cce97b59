#include "sim/models/kubernetes/flow_control/retry_after.hpp"

#include <algorithm>

namespace sim::k8s::flow_control {

namespace {
constexpr std::int64_t kMax = 32;
}

std::int64_t RetryAfter::refuse(std::int64_t second) {
  if (second == current_second_) {
    ++current_count_;
    return retry_after_;
  }
  history_.emplace_back(current_second_, current_count_);
  const std::int64_t keep = std::min(2 * retry_after_, kMax);
  while (!history_.empty() && second - history_.front().first > keep) history_.pop_front();
  current_second_ = second;
  current_count_ = 1;
  update(second);
  return retry_after_;
}

void RetryAfter::update(std::int64_t second) {
  std::int64_t refused = 0;
  for (auto entry = history_.rbegin(); entry != history_.rend() && second - entry->first <= retry_after_; ++entry) {
    if (entry->first < second) refused += entry->second;
  }
  if (second - updated_ >= retry_after_ && refused >= 3 * retry_after_) {
    retry_after_ = std::min(2 * retry_after_, kMax);
    updated_ = second;
  } else if (refused < retry_after_ && retry_after_ > 1) {
    --retry_after_;
  }
}

}  // namespace sim::k8s::flow_control
