#include "sim/models/kubernetes/flow_control/concurrency_allocation.hpp"

#include <algorithm>
#include <limits>

namespace sim::k8s::flow_control {

namespace {
constexpr double kMinTarget = 0.001;
constexpr double kEpsilon = 0.0000001;

struct Bound {
  double proportion = 0;
  double target_change = 0;  // what passing it does to the sum of the targets that still matter
  int class_change = 0;
};
}  // namespace

std::optional<ConcurrencyAllocation> allocate_concurrency(int sum, const std::vector<ConcurrencyClass>& classes) {
  if (sum < 0) return std::nullopt;
  const double required = sum;
  double low_sum = 0;
  double high_sum = 0;
  double target_sum = 0;
  // The real one starts its minima at the largest float and its maxima at 0.
  constexpr double kLargest = std::numeric_limits<float>::max();
  double upper_min = kLargest, upper_max = 0, lower_min = kLargest, lower_max = 0;
  std::vector<double> targets;
  std::vector<Bound> bounds;
  for (const ConcurrencyClass& c : classes) {
    if (c.lower_bound < 0 || c.target < c.lower_bound || c.upper_bound < c.lower_bound) return std::nullopt;
    const double target = std::max(c.target, kMinTarget);
    low_sum += c.lower_bound;
    high_sum += c.upper_bound;
    target_sum += target;
    const double lower = c.lower_bound / target;
    const double upper = c.upper_bound / target;
    upper_min = std::min(upper_min, upper);
    upper_max = std::max(upper_max, upper);
    lower_min = std::min(lower_min, lower);
    lower_max = std::max(lower_max, lower);
    targets.push_back(target);
    bounds.push_back({lower, target, 1});
    bounds.push_back({upper, -target, -1});
  }
  if (lower_max > 1 || low_sum - required > kEpsilon || required - high_sum > kEpsilon) return std::nullopt;
  ConcurrencyAllocation result;
  result.seats.resize(classes.size());
  if (sum == 0) return result;
  if (low_sum - required > -kEpsilon) {
    for (std::size_t i = 0; i < classes.size(); ++i) result.seats[i] = classes[i].lower_bound;
    result.fair_proportion = lower_min;
    return result;
  }
  if (required - high_sum > -kEpsilon) {
    for (std::size_t i = 0; i < classes.size(); ++i) result.seats[i] = classes[i].upper_bound;
    result.fair_proportion = upper_max;
    return result;
  }
  double fair = required / target_sum;
  if (lower_max <= fair && fair <= upper_min) {
    for (std::size_t i = 0; i < classes.size(); ++i) result.seats[i] = targets[i] * fair;
    result.fair_proportion = fair;
    return result;
  }
  // Some bounds matter: from the lowest proportion upward, bound by bound, until the sum is reached.
  std::stable_sort(bounds.begin(), bounds.end(), [](const Bound& a, const Bound& b) { return a.proportion < b.proportion; });
  double so_far = low_sum;
  fair = lower_min;
  double sensitive = 0;
  int sensitive_classes = 0;
  Bound delta;
  std::size_t next = 0;
  while (so_far < required) {
    double next_bound = 0;
    do {
      sensitive += delta.target_change;
      sensitive_classes += delta.class_change;
      if (next >= bounds.size()) return std::nullopt;
      delta = bounds[next++];
      next_bound = delta.proportion;
    } while (next_bound <= fair);
    if (sensitive_classes == 0) {
      fair = next_bound;
      continue;
    }
    const double reached = fair + (required - so_far) / sensitive;
    if (reached <= next_bound) {
      fair = reached;
      break;
    }
    so_far += (next_bound - fair) * sensitive;
    fair = next_bound;
  }
  for (std::size_t i = 0; i < classes.size(); ++i) {
    result.seats[i] = std::max(classes[i].lower_bound, std::min(classes[i].upper_bound, fair * targets[i]));
  }
  result.fair_proportion = fair;
  return result;
}

}  // namespace sim::k8s::flow_control
