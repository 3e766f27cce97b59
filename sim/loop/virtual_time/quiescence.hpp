/// Whether nobody among the supervised threads can run.
///
/// Two detectors. IdleCpu: all supervised threads and the supervisor share one CPU under SCHED_FIFO; a thread of the lowest priority there gets the
/// CPU only when nobody else wants it. ThreadStates: reads the state of every thread, twice, with its count of time slices; needs no privilege.
///
/// Source:     sched(7), proc(5) (stat, schedstat); reference controllers-in-loop, section 4.
/// Checked by: tests/loop/virtual_time_test.cpp.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sim::loop {

/// Priorities under SCHED_FIFO on the one CPU.
inline constexpr int kIdlePriority = 1;
inline constexpr int kSupervisedPriority = 10;
inline constexpr int kSupervisorPriority = 20;

/// The last CPU that this process may use.
int chosen_cpu();
/// Moves the calling thread to `cpu` under SCHED_FIFO; false where that is not allowed.
bool take_cpu(int cpu, int priority);
/// As take_cpu(), undone when it goes away.
class CpuHold {
 public:
  CpuHold(int cpu, int priority);
  ~CpuHold();
  CpuHold(const CpuHold&) = delete;
  CpuHold& operator=(const CpuHold&) = delete;
  bool is_held() const { return held_; }

 private:
  struct Before;
  std::unique_ptr<Before> before_;
  bool held_ = false;
};

class IdleCpu {
 public:
  /// Throws std::system_error.
  explicit IdleCpu(int cpu);
  ~IdleCpu();
  IdleCpu(const IdleCpu&) = delete;
  IdleCpu& operator=(const IdleCpu&) = delete;

  /// Asks to be told, once, by a SIGCHLD to the thread that made this: its maker waits for those of the traced threads anyway.
  void arm();
  /// Whether the CPU was idle since arm(); forgets it.
  bool take();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The state of one thread as /proc tells it.
class ThreadState {
 public:
  ThreadState() = default;
  explicit ThreadState(pid_t thread);
  ~ThreadState();
  ThreadState(ThreadState&& other) noexcept;
  ThreadState& operator=(ThreadState&& other) noexcept;

  /// It sleeps, and can be woken only by somebody else: neither running, nor on its way to a stop, nor waiting for a disk. True when it is gone.
  bool is_asleep() const;
  /// How many times it was given a CPU.
  std::uint64_t slices() const;
  /// Nanoseconds that it ran.
  std::uint64_t ran() const;

 private:
  int stat_ = -1;
  int schedstat_ = -1;
};

}  // namespace sim::loop
