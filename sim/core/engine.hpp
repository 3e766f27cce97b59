/// The engine: virtual time and the order in which things happen.
///
/// Order of events (total, and the only one): by time; at one instant in the order in which they were
/// scheduled. Nothing else (address, hash, thread) reaches it.
///
/// Every event carries the cause that was current when it was scheduled; while it runs that cause is
/// current again, so whatever it records or schedules inherits it (see EventLog, ScopedCause).
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "sim/core/cause.hpp"
#include "sim/core/event_queue.hpp"
#include "sim/core/time.hpp"

namespace sim {

/// Why a run ended.
enum class RunEnd : std::uint8_t {
  kTimeLimit,  ///< the time asked for was reached
  kNoEvents,   ///< nothing more can happen
  kStopped,    ///< the stop flag was raised (Ctrl-C)
  kRequested,  ///< a model called Engine::stop()
};

struct EngineStats {
  std::uint64_t scheduled = 0;
  std::uint64_t executed = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t peak_pending = 0;  ///< the most that were pending when an event was taken, it included
};

class Engine {
 public:
  /// An event that has run. The sequence counts what was scheduled.
  struct Executed {
    SimTime time{};
    std::uint64_t sequence = 0;
    CauseId cause{};
    friend bool operator==(const Executed&, const Executed&) = default;
  };

  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  SimTime now() const noexcept { return now_; }

  /// Runs `action()` at `when` (not before now()). The handle cancels it; it may be ignored.
  template <class Action>
  TimerId at(SimTime when, Action&& action) {
    return queue_.push(when < now_ ? now_ : when, cause_, std::forward<Action>(action));
  }
  /// Runs `action()` after `delay` (negative counts as zero).
  template <class Action>
  TimerId after(SimDuration delay, Action&& action) {
    // Past the end of time counts as the end of time: a wait of SimDuration::max() means "never".
    const bool fits = delay <= kEndOfTime - now_;
    return at(fits ? now_ + (delay < SimDuration::zero() ? SimDuration::zero() : delay) : kEndOfTime, std::forward<Action>(action));
  }
  /// Takes a pending event off the queue. Nothing happens when it has run, was cancelled, or was never set.
  void cancel(TimerId timer) noexcept { queue_.withdraw(timer); }
  bool is_pending(TimerId timer) const noexcept { return queue_.is_pending(timer); }

  /// The cause of the event that is running (or what ScopedCause put in its place).
  CauseId cause() const noexcept { return cause_; }
  void set_cause(CauseId cause) noexcept { cause_ = cause; }

  /// Runs events up to and including `end`, then sets now() to `end` (unless stopped earlier).
  /// `stop`, when given, is looked at every few hundred events.
  RunEnd run_until(SimTime end, const std::atomic<bool>* stop = nullptr);
  /// Runs the next event. False when there is none.
  bool step();
  /// Goes on as if the event `sequence`, due at `when`, were running: what the caller does from here to leave() counts as its doing. For a run that
  /// was forked before its future was known (chaos::FaultSchedule::inject_reserved). Nothing may be pending before it.
  void enter(SimTime when, std::uint64_t sequence) noexcept;
  void leave() noexcept { cause_ = CauseId{}; }
  /// Ends run_until() after the event that is running.
  void stop() noexcept { stop_requested_ = true; }
  bool stop_requested() const noexcept { return stop_requested_; }
  /// The event that ran last; to be looked at before now() is moved on without one.
  Executed last_executed() const noexcept { return {now_, last_sequence_, last_cause_}; }

  /// Hash chain over (time, sequence number) of every event executed: two runs that agree on it did the
  /// same things in the same order.
  std::uint64_t order_hash() const noexcept { return order_hash_; }
  EngineStats stats() noexcept;
  /// Time of the next event; kEndOfTime when there is none.
  SimTime next_event_time() noexcept { return queue_.next_time(); }

 private:
  bool run_next(SimTime limit);

  EventQueue queue_;
  SimTime now_{};
  CauseId cause_{};
  bool stop_requested_ = false;
  std::uint64_t last_sequence_ = 0;
  CauseId last_cause_{};
  std::uint64_t order_hash_ = 0x243f6a8885a308d3ull;
};

/// Makes `cause` current for a scope: what is recorded or scheduled inside happens because of it.
class ScopedCause {
 public:
  ScopedCause(Engine& engine, CauseId cause) : engine_(engine), before_(engine.cause()) {
    if (cause) engine.set_cause(cause);
  }
  ~ScopedCause() { engine_.set_cause(before_); }
  ScopedCause(const ScopedCause&) = delete;
  ScopedCause& operator=(const ScopedCause&) = delete;

 private:
  Engine& engine_;
  CauseId before_;
};

/// A timer that is cancelled when its owner goes away or sets it anew.
class Timer {
 public:
  Timer() = default;
  explicit Timer(Engine& engine) : engine_(&engine) {}
  Timer(Timer&& other) noexcept : engine_(other.engine_), id_(std::exchange(other.id_, TimerId{})) {}
  Timer& operator=(Timer&& other) noexcept {
    if (this != &other) {
      cancel();
      engine_ = other.engine_;
      id_ = std::exchange(other.id_, TimerId{});
    }
    return *this;
  }
  ~Timer() { cancel(); }

  template <class Action>
  void set_at(SimTime when, Action&& action) {
    cancel();
    id_ = engine_->at(when, std::forward<Action>(action));
  }
  template <class Action>
  void set_after(SimDuration delay, Action&& action) {
    cancel();
    id_ = engine_->after(delay, std::forward<Action>(action));
  }
  void cancel() noexcept {
    if (engine_ != nullptr) engine_->cancel(std::exchange(id_, TimerId{}));
  }
  bool is_pending() const noexcept { return engine_ != nullptr && engine_->is_pending(id_); }

 private:
  Engine* engine_ = nullptr;
  TimerId id_{};
};

}  // namespace sim
