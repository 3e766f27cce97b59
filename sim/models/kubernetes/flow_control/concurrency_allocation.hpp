/// Divides seats among priority levels: each gets the same multiple of what it asks for, but no less than its lower and no more than its upper bound.
///
/// Source:     k8s.io/apiserver v0.36.3 pkg/util/flowcontrol/conc_alloc.go (computeConcurrencyAllocation).
/// Checked by: tests/models/kubernetes/flow_control_test.cpp, tests/differential/apf.
#pragma once

#include <optional>
#include <vector>

namespace sim::k8s::flow_control {

struct ConcurrencyClass {
  double lower_bound = 0;
  double upper_bound = 0;
  double target = 0;  ///< at least lower_bound; less than 0.001 counts as 0.001
};
struct ConcurrencyAllocation {
  std::vector<double> seats;  ///< of each class; they sum to what was to be divided
  double fair_proportion = 0;
};
/// Empty when the bounds leave no solution.
std::optional<ConcurrencyAllocation> allocate_concurrency(int sum, const std::vector<ConcurrencyClass>& classes);

}  // namespace sim::k8s::flow_control
