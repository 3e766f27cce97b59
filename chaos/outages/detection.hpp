/// Who noticed what, when: each outage of a run against the messages that monitoring sent.
///
/// A message tells of an outage when both have one story: their chains of causes meet (a page about an OSD tells of the Service that stands on it), or when
/// it names the same object. It counts when it arrived while the outage lasted, or before it and was not taken back by then: then it was known from its first moment.
/// Checked by: tests/chaos/detection_test.cpp.
#pragma once

#include "chaos/verdict.hpp"
#include "sim/models/world.hpp"

namespace chaos {

/// Fills `detection` of each outage, the notifications and their figures. Does nothing in a world without monitoring.
void summarize_detection(sim::World& world, std::size_t why_steps_max, Verdict& verdict);

/// What of a message matters to an outage.
struct Message {
  SimTime at{};
  std::optional<SimTime> over;
  Severity tells = Severity::kNotice;
  std::string by;
  std::string source;
  CauseId root{};
  std::string object;  // "Node/w1": what it is about; empty: nothing that an outage has as its subject
};
/// `roots` are those of the outage's causes. Messages in any order.
Detection detect(const Outage& outage, const std::vector<CauseId>& roots, const std::vector<Message>& messages);

}  // namespace chaos
