/// A process: one actor's story as a C++20 coroutine, with waits in it.
///
///   Process boot(Host& host) {
///     co_await host.engine().delay... -> co_await Delay(host.engine(), 8min);
///     host.powered_on();
///   }
///
/// The Process owns the frame: destroying it ends the story wherever it waits, and takes its timer off the queue. So
/// a crash is: destroy the processes. Forms that g++ 12 miscompiles are kept out by a lint test: a co_await stands alone in its
/// statement, and its arguments are names or plain values.
#pragma once

#include <coroutine>
#include <exception>
#include <utility>
#include <vector>

#include "sim/core/engine.hpp"

namespace sim {

class Process {
 public:
  struct promise_type {
    Process get_return_object() { return Process(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_never initial_suspend() noexcept { return {}; }  // runs to its first wait at once
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };

  Process() = default;
  Process(Process&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Process& operator=(Process&& other) noexcept {
    if (this != &other) {
      end();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~Process() { end(); }

  /// Ends it where it waits. Must not be called from inside the process itself.
  void end() {
    if (handle_) std::exchange(handle_, {}).destroy();
  }
  bool is_running() const { return handle_ && !handle_.done(); }

 private:
  explicit Process(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

/// co_await Delay(engine, span): goes on after `span`, under the cause that was current when it began to wait.
class Delay {
 public:
  Delay(Engine& engine, SimDuration span) : engine_(engine), span_(span) {}
  ~Delay() { engine_.cancel(timer_); }
  Delay(const Delay&) = delete;
  Delay& operator=(const Delay&) = delete;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    timer_ = engine_.after(span_, [waiting] { waiting.resume(); });
  }
  void await_resume() noexcept { timer_ = TimerId{}; }

 private:
  Engine& engine_;
  SimDuration span_;
  TimerId timer_{};
};

}  // namespace sim
