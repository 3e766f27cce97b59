/// What the hunter may do to a scenario's world: one kind of fault to one element of it, without a time.
///
/// Each kind of fault that the hunter knows has a rule of its own in action.cpp: to which elements it is done, and with which values. Kinds without a
/// rule are not searched, and the search says so.
///
/// Checked by: tests/chaos/hunt_test.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chaos/fault.hpp"

namespace sim {
class World;
}
namespace sim::scenario {
struct ScenarioSpec;
}

namespace chaos::hunt {

struct Action {
  std::string kind;     // of the fault: "node-crash"
  std::string element;  // "w1", "rack-a", "shop/web", "osd.3"
  std::string fields;   // the other keys of the fault, as YAML: "target: {nodes: [w1]}"
  /// How long it lasts at first, and the key that says so ("duration", or "offFor" of a maintenance). Absent: it has no length.
  std::optional<SimDuration> length;
  std::string length_key = "duration";
  std::string node;  // the node that it is done to; empty: none, or several
  /// It must be known from the start of a run: it is not injected into a run that was forked later.
  bool foresees = false;

  std::string text() const { return kind + " " + element; }
};

struct ActionChoice {
  std::vector<std::string> kinds;     // empty: all
  std::vector<std::string> elements;  // patterns with * and ?; empty: all
};

/// All that can be done to this world, by kind in the order of known_kinds(), then by element in the order of the world.
std::vector<Action> list_actions(sim::World& world, const sim::scenario::ScenarioSpec& scenario, const ActionChoice& choice);
/// Kinds that have a rule.
std::vector<std::string> known_kinds();
/// Kinds of faults that are not searched.
std::vector<std::string> kinds_left_out();

/// `*` stands for any characters, `?` for one.
bool matches(std::string_view pattern, std::string_view text);

/// One fault of a trial.
struct PlannedFault {
  std::uint32_t action = 0;  // index into the space's actions
  SimDuration at{};
  std::optional<SimDuration> length;
  friend bool operator==(const PlannedFault&, const PlannedFault&) = default;
  friend auto operator<=>(const PlannedFault&, const PlannedFault&) = default;
};
/// In the order of their times (of one instant: of their actions).
using Trial = std::vector<PlannedFault>;
void sort(Trial& trial);

/// Names of a trial's faults: "node-crash-w1"; none of `taken`.
std::vector<std::string> fault_names(const std::vector<Action>& actions, const Trial& trial, const std::vector<std::string>& taken);
/// "kind: node-crash, at: 10m, duration: 15m, target: {nodes: [w1]}": what stands in a scenario between braces.
std::string fault_text(const Action& action, const PlannedFault& fault);
/// The trial as the scenario's reader reads it. Empty with a message in `error` when it cannot be read: a rule of action.cpp is wrong then.
std::vector<std::shared_ptr<const FaultSpec>> read_trial(const std::vector<Action>& actions, const Trial& trial, const std::vector<std::string>& taken, std::string& error);

/// "node-crash w1 at 1h for 15m".
std::string in_words(const Action& action, const PlannedFault& fault);

}  // namespace chaos::hunt
