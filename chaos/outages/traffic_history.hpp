/// What can be said of the requests of a window, from the steps that sim/models/traffic keeps.
///
/// Checked by: tests/chaos/traffic_test.cpp.
#pragma once

#include <array>
#include <vector>

#include "chaos/outages/signal.hpp"
#include "sim/models/traffic/traffic.hpp"

namespace chaos {

using TrafficSteps = std::vector<sim::traffic::Traffic::Step>;

struct RequestTotals {
  double requests = 0.0;
  double answered = 0.0;
  std::array<double, sim::traffic::kFailures> failed{};  // by sim::traffic::Failure
  double lowest = 1.0;  // share that was answered in the worst step that lasted
  CauseId lowest_cause{};
  double success() const { return requests > 0.0 ? answered / requests : 1.0; }
};
RequestTotals totals_of(const TrafficSteps& steps, SimTime from, SimTime to);
/// Seconds within which a share `q` of the answered requests of the window has its answer; 0 when none has.
double quantile_of(const TrafficSteps& steps, SimTime from, SimTime to, double q);
/// 1 where at least `acceptable` is answered, else 0.
Signal acceptable_of(const TrafficSteps& steps, double acceptable);
/// Calls `visit(step, begin, end)` for each step that lasts in the window.
template <class Visit>
void for_each_step(const TrafficSteps& steps, SimTime from, SimTime to, Visit&& visit) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const SimTime begin = std::max(from, steps[i].at);
    const SimTime end = std::min(to, i + 1 < steps.size() ? steps[i + 1].at : to);
    if (begin < end) visit(steps[i], begin, end);
  }
}

}  // namespace chaos
