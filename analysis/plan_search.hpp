/// The cheapest numbers of nodes that pass a test, by branch and bound: bounds rule out what they can, and only what is left is tested.
///
/// Supports (which shapes take part) come in the order of their bounds; within one, counts of all shapes but the last are enumerated as long as a bound allows a cheaper
/// design, and of the last the least count that passes is searched upwards. A test need not be monotone: schedulers are not (one node more can lead
/// to a worse packing), so no count is skipped that the bounds do not rule out.
///
/// Leaves out: designs of more than `mix` shapes beside those that have to be there.
/// Checked by: tests/analysis/plan_search_test.cpp (against enumeration of all counts, with the scheduler as the test and without).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "analysis/plan_bounds.hpp"

namespace analysis {

using Counts = std::vector<std::int64_t>;  // by shape of the bounds; those without a price stand at their `most`

/// What losses add to a bound: with any k of Z equal domains gone the rest still has to carry everything, so all costs at least Z / (Z - k) as much.
struct LossBound {
  double factor = 1.0;
  std::int64_t nodes = 0;  // so many nodes more than would do otherwise
};

struct PlanSearchOptions {
  std::int64_t mix = 2;
  double tolerance = 0.01;
  std::size_t tests_max = 2000;
  std::size_t tests_single_max = 64;  // of the best design of one shape alone
  std::size_t singles = 8;            // shapes for which that is searched, of the lowest bounds
  LossBound loss;
  /// A condition that every design that passes meets, and that costs little. May be null.
  std::function<bool(const Counts&)> may_pass;
  std::function<bool(const Counts&)> passes;
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::size_t tests, double best, double bound)> progress;
};

struct PlanSearchResult {
  std::optional<Counts> best;
  double cost = 0.0;
  double bound = 0.0;      // no design of the kind that was looked for costs less
  bool is_proven = false;  // the search came to its end: `best` is within the tolerance, or nothing passes
  bool is_stopped = false;
  std::size_t tests = 0;
  /// The best design with this shape alone (beside those that have to be there), where one was found.
  std::map<std::size_t, Counts> single;
};

double cost_of(const PlanBounds& bounds, const Counts& counts);
PlanSearchResult search_plan(PlanBounds& bounds, const PlanSearchOptions& options);

}  // namespace analysis
