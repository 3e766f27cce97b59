/// Runs trials: the scenario with a few faults more, each in a process of its own.
///
/// The clean run is advanced once, to one instant after the other; at each it is forked (copy on write), and the child goes on with the trial's faults.
/// What the trials have in common, building the world and everything before their first fault, is simulated once. A trial's result is that of the run
/// from the start, event by event (same event-log hash), and does not depend on how many children run at a time. A child that dies (a signal, an error
/// inside of Squall, no memory, no end) takes nothing with it: its end is the trial's result.
///
/// The calling process has no other threads: they would not be in the children.
///
/// Leaves out: forking a child again at its second fault.
/// Checked by: tests/chaos/hunt_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "chaos/hunt/action.hpp"
#include "chaos/plan.hpp"
#include "chaos/verdict.hpp"

namespace chaos::hunt {

/// A bound that did not hold.
struct Broken {
  std::size_t expectation = 0;  // index into the scenario's
  std::string measure;          // "availability"
  std::string signature;        // kinds along its chain of causes: "ServiceHasNoEndpoints Service < NodeNotReady Node < FaultInjected Fault"
  std::string in_words;         // "availability 83.1 %, >= 99.9 % expected, first at 1h 32m"
};

/// Something that the faults brought about and that the clean run does not do, at the moment when it came first.
struct Reaction {
  std::string what;  // kind and kind of subject
  SimDuration at{};
};

struct TrialResult {
  bool ran = false;     // false: stopped before it began or ended
  std::string crash;    // it did not come to its end: "signal 11 (Segmentation fault)", with what it said last
  std::string hash;     // event-log hash
  std::uint64_t events = 0;
  std::vector<Broken> broken;
  std::vector<std::string> not_injected;  // faults that matched nothing, or failed at their work
  /// Of each expectation: how near it came to its bound, 1 is on it, above 1 beyond.
  std::vector<double> strain;
  /// What states it passed through, as hashes, sorted.
  std::vector<std::uint64_t> features;
  std::vector<Reaction> reactions;  // of classes that `known_classes` does not have
  /// With TrialRequest::explain: chains of causes in full, beside `broken`.
  std::vector<Why> whys;
};

/// One run to be made.
struct TrialRequest {
  Trial trial;
  std::uint64_t seed = 0;
  bool from_start = false;  // not forked from the clean run
  bool explain = false;
};

struct RunnerOptions {
  std::size_t jobs = 1;               // children at a time
  std::uint64_t memory_bytes = 0;     // that one child may take beyond what it has when it begins; 0: no bound
  std::uint32_t seconds_max = 120;    // of processor time; a child that needs more is taken for one that hangs
  std::size_t reactions_max = 48;
};

class TrialRunner {
 public:
  /// All outlive it. `plan`: the scenario's own faults, and its expectations.
  TrialRunner(const sim::scenario::ScenarioSpec& scenario, const Plan& plan, const std::vector<Action>& actions, RunnerOptions options);

  /// Runs them; results in the order of the requests. `stop` is asked now and then: when it says so, children under way are ended, and what has no
  /// result has `ran` false. `done(index)` is called when a result has come, in no order.
  std::vector<TrialResult> run(const std::vector<TrialRequest>& requests, const std::function<bool()>& stop,
                               const std::function<void(std::size_t, const TrialResult&)>& done = {});

  /// Classes of records ("NodeNotReady Node") that are no reaction: those of the clean run. Sorted.
  void set_known_classes(std::vector<std::string> classes) { known_classes_ = std::move(classes); }

  std::uint64_t forked() const { return forked_; }
  std::uint64_t from_start() const { return from_start_; }

 private:
  struct Child;
  void run_group(const std::vector<TrialRequest>& requests, std::vector<std::size_t> order, std::vector<TrialResult>& results,
                 const std::function<bool()>& stop, const std::function<void(std::size_t, const TrialResult&)>& done);

  const sim::scenario::ScenarioSpec& scenario_;
  const Plan& plan_;
  const std::vector<Action>& actions_;
  RunnerOptions options_;
  std::vector<std::string> taken_names_;
  std::vector<std::string> known_classes_;
  std::uint64_t forked_ = 0;
  std::uint64_t from_start_ = 0;
};

/// Kinds along a chain, without what has a name: equal for failures of one make.
std::string chain_signature(const Why& why);

}  // namespace chaos::hunt
