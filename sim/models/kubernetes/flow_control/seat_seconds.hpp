/// Work, counted in seat-seconds, as the API server's fair queuing counts it: fixed point with 1e-8 of a seat-second, unsigned, so that a difference
/// below zero wraps as it does there.
///
/// Source:     k8s.io/apiserver v0.36.3 pkg/util/flowcontrol/request/seat_seconds.go.
/// Checked by: tests/models/kubernetes/flow_control_test.cpp, tests/differential/apf.
#pragma once

#include <cmath>
#include <compare>
#include <cstdint>

#include "sim/core/time.hpp"

namespace sim::k8s::flow_control {

struct SeatSeconds {
  static constexpr double kScale = 1e8;
  std::uint64_t count = 0;

  static SeatSeconds of(double seats, SimDuration duration) {
    return {static_cast<std::uint64_t>(static_cast<std::int64_t>(std::round(seats * static_cast<double>(duration.count()) / (1e9 / kScale))))};
  }
  double value() const { return static_cast<double>(count) / kScale; }
  /// The time in which that many seats do this work.
  SimDuration duration_per_seat(double seats) const {
    return SimDuration(static_cast<std::int64_t>(static_cast<double>(count) / seats * (1e9 / kScale)));
  }

  friend constexpr auto operator<=>(SeatSeconds, SeatSeconds) = default;
  friend constexpr SeatSeconds operator+(SeatSeconds a, SeatSeconds b) { return {a.count + b.count}; }
  friend constexpr SeatSeconds operator-(SeatSeconds a, SeatSeconds b) { return {a.count - b.count}; }
  SeatSeconds& operator+=(SeatSeconds other) { return *this = *this + other; }
  SeatSeconds& operator-=(SeatSeconds other) { return *this = *this - other; }
};
inline constexpr SeatSeconds kMaxSeatSeconds{UINT64_MAX};

}  // namespace sim::k8s::flow_control
