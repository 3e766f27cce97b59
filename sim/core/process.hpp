/// A process: one actor's story as a C++20 coroutine, with waits in it.
///
///   Process boot(Host& host) {
///     co_await Delay(host.engine(), 8min);
///     host.powered_on();
///   }
///
/// The Process owns the story: destroying it (or end()) ends the story wherever it waits, runs its destructors and takes
/// its timer off the queue. So a crash is: destroy the processes. A story that comes to its end frees its frame at once;
/// what stays is an empty Process. Both are allowed only from outside the story itself.
///
/// interrupt() wakes the story from whatever it waits for; the wait then returns Wake::kInterrupted, and the story decides.
///
/// Frames come from a pool of the thread. Forms that g++ 12 miscompiles are kept out by a lint test: a co_await stands
/// alone in its statement, and its arguments are names or plain values.
///
/// Checked by: tests/core/process_test.cpp.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include "sim/core/engine.hpp"

namespace sim {

/// How a wait ended.
enum class Wake : std::uint8_t {
  kElapsed,      ///< the span was over, or what was waited for came
  kTimeout,      ///< what was waited for did not come in time
  kInterrupted,  ///< Process::interrupt()
};

namespace detail {

/// Memory for a coroutine frame: kept in lists by size, a thread its own, so that stories that come and go cost no malloc.
/// A frame may be freed on another thread than it was made on.
void* allocate_frame(std::size_t size);
void free_frame(void* frame, std::size_t size) noexcept;

}  // namespace detail

class Process;
class Wait;

namespace detail {
/// What a process's coroutine frame begins with.
struct ProcessState {
  Process* owner = nullptr;
  Wait* wait = nullptr;  // what it waits for
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }
};
}  // namespace detail

class Process {
 public:
  struct promise_type : detail::ProcessState {
    promise_type() = default;
    ~promise_type() {
      if (owner != nullptr) owner->handle_ = {};
    }
    promise_type(const promise_type&) = delete;
    promise_type& operator=(const promise_type&) = delete;

    Process get_return_object() { return Process(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_never initial_suspend() noexcept { return {}; }  // runs to its first wait at once
    std::suspend_never final_suspend() noexcept { return {}; }    // frees its frame
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
  using Handle = std::coroutine_handle<promise_type>;

  Process() = default;
  Process(Process&& other) noexcept : handle_(std::exchange(other.handle_, {})) { own(); }
  Process& operator=(Process&& other) noexcept {
    if (this != &other) {
      end();
      handle_ = std::exchange(other.handle_, {});
      own();
    }
    return *this;
  }
  ~Process() { end(); }

  /// Ends it where it waits. Must not be called from inside the process itself.
  void end() {
    if (handle_) {
      const Handle handle = std::exchange(handle_, {});
      handle.promise().owner = nullptr;
      handle.destroy();
    }
  }
  bool is_running() const { return static_cast<bool>(handle_); }

  /// Wakes it from its wait, at this instant and under the current cause; the wait returns Wake::kInterrupted. False when
  /// it does not wait, or is already on its way (what it waited for came at this same instant).
  bool interrupt();

  /// Lets the story run on its own: nobody can end or interrupt it any more. It ends with itself; a story that never
  /// does leaks with its engine.
  void detach() {
    if (handle_) std::exchange(handle_, {}).promise().owner = nullptr;
  }

 private:
  explicit Process(Handle handle) : handle_(handle) { own(); }
  void own() {
    if (handle_) handle_.promise().owner = this;
  }
  Handle handle_;
};

/// What every wait of a Process has: how to wake it. Lives in the coroutine's frame.
class Wait {
 public:
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

 protected:
  explicit Wait(Engine& engine) : engine_(engine) {}
  ~Wait() { engine_.cancel(timer_); }
  /// The process waits from here on.
  void begin(Process::Handle process) {
    process_ = &process.promise();
    process_->wait = this;
  }
  /// The process goes on.
  Wake end() noexcept {
    timer_ = TimerId{};
    process_->wait = nullptr;
    return wake_;
  }
  Process::Handle process() const { return Process::Handle::from_promise(*process_); }
  /// Resumes the process after `span`, with `wake`.
  void resume_after(SimDuration span, Wake wake);
  /// The process goes on in an event of its own at this instant, under the cause that is current now.
  void resume_soon(Wake wake) {
    engine_.cancel(timer_);
    resume_after(SimDuration::zero(), wake);
  }

  friend class Process;
  Engine& engine_;
  Process::promise_type* process_ = nullptr;
  TimerId timer_{};
  Wake wake_ = Wake::kElapsed;
  bool resuming_ = false;  // an event that resumes it at this instant is on its way
  bool queued_ = false;    // it is a QueuedWait
};

/// A wait that stands in somebody's list.
class QueuedWait : public Wait {
 protected:
  /// `leave` takes it out of the list, if it is (still) there.
  QueuedWait(Engine& engine, void (*leave)(QueuedWait& self)) : Wait(engine), leave_(leave) { queued_ = true; }

 private:
  friend class Wait;
  friend class Process;
  void (*leave_)(QueuedWait& self);
};

/// co_await Delay(engine, span): goes on after `span`, under the cause that was current when it began to wait.
class Delay : public Wait {
 public:
  Delay(Engine& engine, SimDuration span) : Wait(engine), span_(span) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(Process::Handle waiting) {
    begin(waiting);
    // Not resume_after(): what the event holds first is the frame, so that the queue can fetch it in time.
    timer_ = engine_.after(span_, Resume{waiting});
  }
  Wake await_resume() noexcept { return end(); }

 private:
  struct Resume {
    std::coroutine_handle<> waiting;
    void operator()() const { waiting.resume(); }
  };
  SimDuration span_;
};

}  // namespace sim
