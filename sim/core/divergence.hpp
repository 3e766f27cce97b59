/// Where two runs that should be the same part: for hunting what breaks reproducibility.
///
/// Two ways, both without any cost for runs that are not looked at:
/// - In one process: set up both worlds and step them side by side (first_difference of two engines).
/// - In two processes, builds or machines: keep a trail of each run (the order hash every so many events), compare the
///   trails, and run again with steps up to the block in which they part.
///
/// Checked by: tests/core/divergence_test.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"

namespace sim {

/// The order hash of a run at regular numbers of events. At most 4,096 points: when they are full every other one goes, and
/// the distance doubles.
class OrderTrail {
 public:
  struct Point {
    std::uint64_t events = 0;  // executed so far
    std::uint64_t hash = 0;
    SimTime time{};
    friend bool operator==(const Point&, const Point&) = default;
  };
  explicit OrderTrail(std::uint64_t every = 1024) : every_(every) {}

  /// As Engine::run_until, keeping points on the way.
  RunEnd run_until(Engine& engine, SimTime end);
  std::uint64_t every() const { return every_; }
  const std::vector<Point>& points() const { return points_; }

 private:
  std::uint64_t every_;
  std::vector<Point> points_;
};

/// The stretch of events in which two trails part: equal after `equal_events`, different after `different_events`.
struct TrailDifference {
  std::uint64_t equal_events = 0;
  std::uint64_t different_events = 0;
  SimTime equal_time{};
};
/// Empty when every point at a number of events that both have is equal, and they end alike.
std::optional<TrailDifference> first_difference(const OrderTrail& a, const OrderTrail& b);

/// The first event in which two runs differ. An engine that has no event left shows none.
struct Divergence {
  std::uint64_t events = 0;  // that were equal
  std::optional<Engine::Executed> a;
  std::optional<Engine::Executed> b;
};
/// Steps both engines side by side until an event differs in time, order or cause, or both have reached `end` or have no
/// events left (then empty). The engines stand right behind the differing event, to be looked at.
std::optional<Divergence> first_difference(Engine& a, Engine& b, SimTime end = kEndOfTime);

/// For people: both events, with what the logs say of their causes.
std::string describe(const Divergence& divergence, const EventLog& a, const EventLog& b);

}  // namespace sim
