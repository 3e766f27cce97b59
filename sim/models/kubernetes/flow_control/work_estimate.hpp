/// How many seats a request takes, before it is known what it costs: lists by their size, writes by those who watch.
///
/// Source:     k8s.io/apiserver v0.36.3 pkg/util/flowcontrol/request/{list,mutating}_work_estimator.go, config.go (SizeBasedListCostEstimate on).
/// Leaves out: object counts older than 3 min, which count as infinite; the estimate by number of objects of versions before 1.34.
/// Checked by: tests/models/kubernetes/flow_control_test.cpp, tests/differential/apf.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sim/models/kubernetes/flow_control/queue_set.hpp"

namespace sim::k8s::flow_control {

struct ListRequest {
  std::optional<std::int64_t> objects;  ///< stored of this resource; unknown: one seat
  std::int64_t average_bytes = 0;       ///< of an object; 0: unknown, taken as 1.5 MB
  std::int64_t limit = 0;
  bool from_cache = true;      ///< resourceVersion "" or "0", no continue, no exact one; a watch that begins with all objects
  bool has_selector = false;   ///< a field or a label selector
  bool is_single = false;      ///< metadata.name=X
};
/// `max_seats`: of the level, 0: none said.
WorkEstimate estimate_list(const ListRequest& request, std::int64_t max_seats);
/// `watchers`: those who are told of the write.
WorkEstimate estimate_write(std::int64_t watchers, std::int64_t max_seats);

}  // namespace sim::k8s::flow_control
