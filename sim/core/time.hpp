/// Virtual time: integer nanoseconds since the start of the run.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sim {

/// The clock of a simulation. It has no now(): only Engine::now() tells the time, so that a model
/// cannot read a clock that its own engine does not drive.
struct SimClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::duration<rep, period>;
  using time_point = std::chrono::time_point<SimClock, duration>;
  static constexpr bool is_steady = true;
};

/// A span of virtual time: 30s, 5ms.
using SimDuration = SimClock::duration;
/// An instant, counted from the start of the run. Instant minus instant is a span.
using SimTime = SimClock::time_point;

/// Later than everything that can happen (292 years).
inline constexpr SimTime kEndOfTime = SimTime::max();

/// Seconds as a double, for statistics and reports only: never feeds a decision.
constexpr double seconds(SimDuration span) { return static_cast<double>(span.count()) * 1e-9; }
constexpr double seconds(SimTime instant) { return seconds(instant.time_since_epoch()); }

/// A double of seconds as a span, rounded to the nearest nanosecond and clamped to what fits.
SimDuration from_seconds(double value);

/// Reads a duration as Kubernetes and Go write it ("300ms", "1h30m", "1.5h"), plus days and weeks ("7d", "2w").
/// A number without a unit is refused, except "0". Empty on any error (bad unit, overflow, empty text).
std::optional<SimDuration> parse_duration(std::string_view text);

/// The shortest exact form that parse_duration reads back: "1h30m0s" is written "1h30m", zero is "0s".
std::string format_duration(SimDuration span);

/// For people: two leading units at most, rounded ("3d 4h", "5m 12s", "1.20s", "350ms").
std::string humanize(SimDuration span);

}  // namespace sim
