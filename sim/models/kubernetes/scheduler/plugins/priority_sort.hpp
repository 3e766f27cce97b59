/// PrioritySort: the order of the active queue.
///
/// Source: framework/plugins/queuesort/priority_sort.go (reference kubernetes 1.2).
/// Checked by: tests/models/kubernetes/scheduler/queue_test.cpp.
#pragma once

#include <cstdint>

#include "sim/core/time.hpp"

namespace sim::k8s::scheduling {

struct QueueOrder {
  std::int32_t priority = 0;
  SimTime timestamp{};         // when the pod was queued, or last failed
  std::uint64_t sequence = 0;  // order of arrival: real clocks do not tie, virtual time does
};

/// Higher priority first, then who waits longer.
inline bool comes_before(const QueueOrder& a, const QueueOrder& b) {
  if (a.priority != b.priority) return a.priority > b.priority;
  if (a.timestamp != b.timestamp) return a.timestamp < b.timestamp;
  return a.sequence < b.sequence;
}

}  // namespace sim::k8s::scheduling
