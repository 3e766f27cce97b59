/// When something happens in a run without the hunter's faults: the moments at which a fault may do more harm than at any other time.
///
/// The records of the clean run's event log fall into classes: (kind, kind of subject), "NodeNotReady of a Node". Of each class the first and the last
/// occurrence in the window count, each with a moment right before it and one right after it (kBeside). Besides there is the quiet moment: the middle
/// of the longest time in which nothing is recorded. The rarest classes come first: what happens once (a leader changes, a drain begins) is more
/// telling than what happens to every pod.
///
/// Checked by: tests/chaos/hunt_test.cpp.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sim/core/event_log.hpp"
#include "sim/core/time.hpp"

namespace chaos::hunt {

/// How far beside a record a fault is placed.
inline constexpr sim::SimDuration kBeside{std::chrono::milliseconds(1)};

struct Instant {
  sim::SimDuration at{};
  std::string what;  // "right before NodeNotReady Node/w1", "nothing happens"
  friend bool operator==(const Instant&, const Instant&) = default;
};

struct Instants {
  std::vector<Instant> chosen;  // the most telling first
  std::size_t classes = 0;      // of records in the window
  std::size_t left_out = 0;     // beyond `max`
};

/// Instants in [from, to). At most `max`.
Instants interesting_instants(const sim::EventLog& log, sim::SimDuration from, sim::SimDuration to, std::size_t max);

/// "Node" of "Node/w1".
std::string_view kind_of_subject(std::string_view subject);

}  // namespace chaos::hunt
