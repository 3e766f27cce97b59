/// From a record to its root, in words.
#pragma once

#include <span>

#include "chaos/verdict.hpp"
#include "sim/core/event_log.hpp"

namespace chaos {

/// The chain of `cause`, at most `steps_max` steps of it (the root is always among them), and the contributing records: those
/// given and those that the log has for the steps of the chain.
Why explain(const sim::EventLog& log, CauseId cause, std::span<const CauseId> contributing, std::size_t steps_max);
/// Name of the fault whose injection is the root of `cause`; empty when another root, or none, is.
std::string fault_at_root(const sim::EventLog& log, CauseId cause);

/// Kind of the root record of everything that a fault does (but for its own reason: FailureProcess, CommonCause ...), and prefix of its subject.
inline constexpr std::string_view kFaultInjected = "FaultInjected";
inline constexpr std::string_view kFaultSubject = "Fault/";

}  // namespace chaos
