/// How long a priority level tells those that it refuses to wait: 1 s, doubled while many are refused, up to 32 s, and down again by a second at a time.
///
/// Source:     k8s.io/apiserver v0.36.3 pkg/util/flowcontrol/dropped_requests_tracker.go.
/// Checked by: tests/models/kubernetes/flow_control_test.cpp, tests/differential/apf (every answer).
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

namespace sim::k8s::flow_control {

class RetryAfter {
 public:
  /// A request was refused in this second (of any clock). Returns the answer's Retry-After in seconds.
  std::int64_t refuse(std::int64_t second);
  std::int64_t seconds() const { return retry_after_; }

 private:
  void update(std::int64_t second);
  std::int64_t retry_after_ = 1;
  std::int64_t updated_ = 0;
  std::int64_t current_second_ = 0;
  std::int64_t current_count_ = 0;
  std::deque<std::pair<std::int64_t, std::int64_t>> history_;  // second, refused in it
};

}  // namespace sim::k8s::flow_control
