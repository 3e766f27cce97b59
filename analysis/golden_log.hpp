/// Golden event logs: what a scenario did when somebody accepted it, held against what it does now.
///
/// The file is text that a review can read and `git diff` can show: one record a line, with its time, kind, subject, cause and message.
/// Checked by: tests/analysis/golden_log_test.cpp, tests/cli/command_line.py.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sim {
class EventLog;
}

namespace analysis {

/// The log as a golden file. Equal for equal (scenario, seed), byte for byte.
///
///   # squall golden event log, version 1: number, seconds, kind, subject, causes, message
///   # scenario incident-1-shared, seed 1
///   #1  1800.000000000  FaultInjected  Fault/maintenance-of-cp-5  -  planned-maintenance: Node/cp-5
///
/// Tab separated; backslash, tab and line ends in a field are written as \\, \t, \n, \r.
std::string golden_log(const sim::EventLog& log, std::string_view scenario, std::uint64_t seed);

/// In words: at which record and when the two part, what was accepted there and what happens now, with its chain of causes, and which kinds of
/// records are more or fewer. Empty when they are equal. What is no golden log, or one of another scenario or seed, is a difference too.
std::string first_golden_difference(std::string_view accepted, std::string_view now);

}  // namespace analysis
