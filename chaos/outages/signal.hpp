/// A figure that changes in steps over virtual time, with the cause of each step; and what can be said of it over a window.
///
/// Holds every change of the run, so that a window may be chosen afterwards. No engine: times are arguments.
/// Checked by: tests/chaos/signal_test.cpp.
#pragma once

#include <optional>
#include <vector>

#include "sim/core/cause.hpp"
#include "sim/core/time.hpp"

namespace chaos {

using sim::CauseId;
using sim::SimDuration;
using sim::SimTime;

class Signal {
 public:
  struct Step {
    SimTime at{};
    double value = 0.0;
    CauseId cause{};
  };
  /// The value from `at` on (not before the last step). Several at one instant: the last one counts. An unchanged value is no step.
  void set(SimTime at, double value, CauseId cause);
  bool empty() const { return steps_.empty(); }
  /// The newest value; needs a step.
  double value() const { return steps_.back().value; }
  const std::vector<Step>& steps() const { return steps_; }
  SimTime begin() const { return steps_.front().at; }

 private:
  std::vector<Step> steps_;
};

/// A part of a window in which the signal was low.
struct Span {
  SimTime start{};
  SimTime end{};
  CauseId cause{};         // of the step with which it began (also when that lies before the window)
  double lowest = 0.0;
  CauseId lowest_cause{};  // of the step to the lowest value
  double lost = 0.0;       // integral of (full - value), in seconds
  SimDuration length() const { return end - start; }
};

/// The maximal parts of [from, to) in which the value is below `full`. Before its first step a signal does not exist.
std::vector<Span> spans_below(const Signal& signal, double full, SimTime from, SimTime to);
/// The mean over that part of [from, to) in which the signal exists. Empty when there is none.
std::optional<double> time_average(const Signal& signal, SimTime from, SimTime to);
/// How long the signal exists in [from, to).
SimDuration existing(const Signal& signal, SimTime from, SimTime to);

struct Extreme {
  double value = 0.0;
  SimTime at{};  // first reached
  CauseId cause{};
};
/// The lowest (highest) value that lasted longer than an instant in [from, to). Empty when the signal does not exist there.
std::optional<Extreme> minimum(const Signal& signal, SimTime from, SimTime to);
std::optional<Extreme> maximum(const Signal& signal, SimTime from, SimTime to);

/// 1 where the signal is at least `threshold`, else 0; causes kept.
Signal at_least(const Signal& signal, double threshold);

}  // namespace chaos
