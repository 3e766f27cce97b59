#include "sim/core/divergence.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sim {

RunEnd OrderTrail::run_until(Engine& engine, SimTime end) {
  constexpr std::size_t kPointsMax = 4096;
  for (;;) {
    if (engine.next_event_time() > end || !engine.step()) return engine.run_until(end);  // only moves the clock
    const std::uint64_t events = engine.stats().executed;
    if (events % every_ == 0) {
      points_.push_back({events, engine.order_hash(), engine.now()});
      if (points_.size() == kPointsMax) {
        every_ *= 2;
        std::erase_if(points_, [this](const Point& point) { return point.events % every_ != 0; });
      }
    }
    if (engine.stop_requested()) return RunEnd::kRequested;
  }
}

std::optional<TrailDifference> first_difference(const OrderTrail& a, const OrderTrail& b) {
  // Distances are the first one times a power of two, so the wider one's points are all in the other.
  TrailDifference difference;
  auto p = a.points().begin();
  auto q = b.points().begin();
  for (;;) {
    if (p == a.points().end() && q == b.points().end()) return std::nullopt;
    if (p == a.points().end() || q == b.points().end()) break;
    if (p->events < q->events) {
      ++p;
      continue;
    }
    if (q->events < p->events) {
      ++q;
      continue;
    }
    if (*p != *q) {
      difference.different_events = p->events;
      return difference;
    }
    difference.equal_events = p->events;
    difference.equal_time = p->time;
    ++p;
    ++q;
  }
  // One of them has more: a difference when the other must have had that point, too.
  const std::uint64_t every = std::max(a.every(), b.every());
  const auto& rest = p == a.points().end() ? q : p;
  const auto& rest_end = p == a.points().end() ? b.points().end() : a.points().end();
  const auto missing = std::find_if(rest, rest_end, [&](const OrderTrail::Point& point) { return point.events % every == 0; });
  if (missing == rest_end) return std::nullopt;
  difference.different_events = missing->events;
  return difference;
}

std::optional<Divergence> first_difference(Engine& a, Engine& b, SimTime end) {
  Divergence divergence;
  for (;;) {
    const bool a_ran = a.next_event_time() <= end && a.step();
    const bool b_ran = b.next_event_time() <= end && b.step();
    if (!a_ran && !b_ran) return std::nullopt;
    if (a_ran) divergence.a = a.last_executed();
    if (b_ran) divergence.b = b.last_executed();
    if (!a_ran) divergence.a.reset();
    if (!b_ran) divergence.b.reset();
    if (divergence.a != divergence.b) return divergence;
    ++divergence.events;
  }
}

namespace {

std::string describe_event(const std::optional<Engine::Executed>& event, const EventLog& log) {
  if (!event) return "no event";
  std::string text = fmt::format("event at {} ns, the {}th scheduled", event->time.time_since_epoch().count(), event->sequence);
  if (!event->cause) return text + ", without a cause";
  if (event->cause.value > log.size()) return text + fmt::format(", caused by record {}, which is not in the log", event->cause.value);
  const EventLog::Record& record = log.at(event->cause);
  return text + fmt::format(", because of {} {} ({}) at {} ns", log.kind(record), log.subject(record), log.message(record),
                            record.time.time_since_epoch().count());
}

}  // namespace

std::string describe(const Divergence& divergence, const EventLog& a, const EventLog& b) {
  return fmt::format("the runs are equal for {} events, then differ:\n  a: {}\n  b: {}\n", divergence.events,
                     describe_event(divergence.a, a), describe_event(divergence.b, b));
}

}  // namespace sim
