/// The system calls of supervised processes that have to do with time, and what becomes of each.
///
/// A wait with a time-out goes into the kernel without it, and the supervisor ends it when the virtual clock is there; a sleep does not go into the kernel
/// at all; a look at a clock is answered. Waits without a time-out, and everything else, run at their own speed and are not seen.
///
/// Source:     nanosleep(2), futex(2), epoll_wait(2), poll(2), select(2), clock_gettime(2), getrandom(2), seccomp(2), signal(7) (what restarts).
/// Leaves out: what refused_name() tells (timers that signal, timerfd, io_uring, message queues, socket time-outs): they answer ENOSYS, and a warning names them.
///             CPU-time clocks, /proc/uptime, sysinfo(2), times of files and TCP's own timers stay real. A relative futex wait that a signal interrupts
///             begins anew; a poll that one interrupts returns EINTR.
/// Checked by: tests/loop/virtual_time_test.cpp.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "sim/loop/virtual_time/clock_page.hpp"
#include "sim/loop/virtual_time/tracee.hpp"

struct sock_filter;

namespace sim::loop {

/// The seccomp program that stops at these system calls; getrandom too where random numbers are the run's.
std::vector<sock_filter> time_filter(bool seeded);

struct TimedCall {
  enum class Kind : std::uint8_t {
    kNative,    // goes on as it is
    kSleep,     // held until `deadline`, then answered with 0
    kWait,      // goes on with `registers`, is interrupted at `deadline`
    kAnswered,  // answered: `registers` say with what
    kRandom,    // getrandom(): the supervisor fills `address`, `length`
    kRefused,   // not virtual, answered with ENOSYS: refused_name()
  };
  Kind kind = Kind::kNative;
  std::int64_t deadline = 0;  // of the monotonic clock, nanoseconds
  bool is_short = false;      // a sleep so short that it makes nobody wait: it ends with the next other timer
  std::uint64_t address = 0;
  std::uint64_t length = 0;
};

/// What to do with the call that `thread` is about to make. `registers` are changed where the call goes on changed, or is answered.
TimedCall plan_call(pid_t thread, Registers& registers, const VirtualClock& clock);
/// The call is not made: `result` is its answer.
void skip_call(Registers& registers, std::int64_t result);
/// At the end of a wait: undoes the change of its arguments; when it was interrupted because its time was over (`expired`), makes it look timed out.
void finish_wait(pid_t thread, Registers& registers, const Registers& asked, bool expired);
const char* refused_name(std::uint64_t number);

}  // namespace sim::loop
