/// What an expectation is: read once from the scenario (Expectation, shared by all runs), looked after in one world (Check).
///
/// A new kind is one file in chaos/checks and one line in chaos/all_checks.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chaos/outages/outages.hpp"
#include "chaos/outages/signal.hpp"
#include "chaos/problems.hpp"
#include "chaos/verdict.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/fields.hpp"

namespace chaos {

/// What a check may look at when the run is over.
struct Judgement {
  sim::World& world;
  const Observers& observers;
  const std::vector<FaultRun>& faults;
  SimTime warm_up_end{};
  SimTime ended{};          // where the run stopped
  bool complete = true;     // it reached the time that the scenario asks for
  std::size_t why_steps_max = 40;
  const Verdict* verdict = nullptr;  // outages with who was told of them; expectations are not in it yet
};

/// One expectation in one world.
class Check {
 public:
  virtual ~Check() = default;
  /// Before the world starts: what it must watch itself.
  virtual void start() {}
  /// Fills measures (and subject, not_judged). The window is set; measures come without Why.
  virtual void judge(const Judgement& run, ExpectationResult& result) = 0;
};

/// What is known before the run, for checking an expectation against its world.
struct Preview {
  sim::World& world;
  std::vector<std::string> fault_names;
  SimTime warm_up_end{};
  SimTime until{};
};

class Expectation {
 public:
  std::string name;
  std::string kind;
  sim::scenario::Place where;
  std::optional<SimDuration> from;  // of the window, from the start of the run; absent: the end of the warm-up
  std::optional<SimDuration> to;    // absent: the end of the run

  virtual ~Expectation() = default;
  /// `window_begin`: of its own window, or the end of the warm-up. The world outlives the check, and so does the expectation.
  virtual std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const = 0;
  /// Says what cannot be right in this world as it is before the start.
  virtual void check(const Preview& preview, Problems& problems) const = 0;

 protected:
  Expectation() = default;
  Expectation(const Expectation&) = default;
  Expectation& operator=(const Expectation&) = default;
};

/// The window that every kind has; each describe() calls it first.
template <class Kind>
void describe_window(sim::scenario::Fields<Kind>& fields) {
  fields.add("from", &Expectation::from, "Looked at from here on, counted from the start of the run. Without it: from the end of the warm-up.")
      .add("to", &Expectation::to, "Looked at until then. Without it: to the end of the run.");
  fields.rule([](const Kind& expectation, sim::scenario::Node node, sim::scenario::Reader& reader) {
    if (expectation.from && expectation.to && *expectation.from >= *expectation.to) {
      reader.diagnostics.error(node.find("to"), "the window is empty: 'to' is not after 'from'");
    }
  });
}

using ExpectationKinds = sim::scenario::Alternatives<Expectation>;
const ExpectationKinds& all_checks();

/// Window, judging, broken bounds explained: what surrounds Check::judge.
ExpectationResult judge(const Expectation& expectation, Check& check, const Judgement& run);

// ---- Measures that several kinds share ----------------------------------------------------------------------------

/// "availability": the mean of a signal from 0 to 1 is at least `bound`. First violation: when the loss that the bound allows was used up.
Measure measure_availability(const Signal& signal, double bound, SimTime from, SimTime to);
/// The longest part below `full` is at most `bound`.
Measure measure_longest(std::string name, const Signal& signal, double full, SimDuration bound, SimTime from, SimTime to);
/// The signal is never below (above) `bound` for longer than an instant.
Measure measure_lowest(std::string name, const Signal& signal, double bound, SimTime from, SimTime to);
Measure measure_highest(std::string name, const Signal& signal, double bound, SimTime from, SimTime to);

}  // namespace chaos
