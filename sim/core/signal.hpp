/// Something that processes wait for: a node is ready, a quorum is back, a queue is no longer empty.
///
///   while (!store.has_quorum()) {
///     co_await store.changed().wait();
///   }
///
/// Who waits is woken in the order in which they began to wait, each in an event of its own at the instant of the
/// notification and under its cause. A signal has no memory: a notification that nobody waits for is lost, so what is
/// waited for is a condition that is looked at again (as with a condition variable).
///
/// Checked by: tests/core/signal_test.cpp.
#pragma once

#include <coroutine>
#include <cstddef>

#include "sim/core/process.hpp"

namespace sim {

class Signal {
 public:
  class Waiter;

  explicit Signal(Engine& engine) : engine_(engine) {}
  /// Who still waits then waits for ever (until its process is ended or interrupted, or its time is over).
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  /// co_await signal.wait(): until the next notification.
  Waiter wait();
  /// const Wake wake = co_await signal.wait_for(span): kElapsed when notified, kTimeout when the span was over first.
  Waiter wait_for(SimDuration span);

  void notify_all();
  /// Wakes the one that has waited longest. False when nobody waits.
  bool notify_one();
  std::size_t waiting() const { return waiting_; }

 private:
  void unlink(Waiter& waiter);
  Engine& engine_;
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
  std::size_t waiting_ = 0;
};

class Signal::Waiter : public QueuedWait {
 public:
  Waiter(Signal& signal, SimDuration span) : QueuedWait(signal.engine_, &Waiter::leave), signal_(&signal), span_(span) {}
  ~Waiter() { leave(*this); }
  bool await_ready() const noexcept { return false; }
  void await_suspend(Process::Handle waiting);
  Wake await_resume() noexcept { return end(); }

 private:
  friend class Signal;
  static void leave(QueuedWait& self);
  Signal* signal_;  // null when it stands in no list
  Waiter* previous_ = nullptr;
  Waiter* next_ = nullptr;
  SimDuration span_;
  bool linked_ = false;
};

inline Signal::Waiter Signal::wait() { return Waiter(*this, SimDuration::max()); }
inline Signal::Waiter Signal::wait_for(SimDuration span) { return Waiter(*this, span); }

}  // namespace sim
