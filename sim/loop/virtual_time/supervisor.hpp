/// Real processes, unmodified, in virtual time: they see the simulated clock, and their sleeps and time-outs end by it.
///
/// Every thread of every supervised process is traced. Waits with a time-out are taken from the kernel (waits.hpp), clocks are read from a shared page
/// (clock_page.hpp), and when nobody can run any more (quiescence.hpp) the caller moves the clock to the next moment at which something happens: here,
/// next_deadline(), or in the simulation.
///
/// Reproducible where one CPU can be had under SCHED_FIFO: no address randomisation, the run's random numbers, one order of running.
///
/// Source:     ptrace(2), seccomp(2), personality(2); reference controllers-in-loop, sections 4 to 6.
/// Leaves out: architectures other than x86-64; processes that trace others; what waits.hpp leaves out. Random numbers from /dev/urandom are not the run's.
/// Checked by: tests/loop/virtual_time_test.cpp, tests/loop/virtual_time.py (real kube-scheduler and kube-controller-manager).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/loop/virtual_time/clock_page.hpp"

namespace sim::loop {

struct SupervisorOptions {
  std::uint64_t seed = 1;
  VirtualClock start;
  bool one_cpu = true;   // SCHED_FIFO on one CPU, where it is allowed
  bool trap_tsc = true;  // rdtsc shows the virtual clock too
};

struct SupervisorStatistics {
  std::uint64_t stops = 0;      // of ptrace
  std::uint64_t wakes = 0;      // waits and sleeps that the virtual clock ended
  std::uint64_t processes = 0;  // programs begun
  std::uint64_t threads_max = 0;
};

class Supervisor {
 public:
  /// Throws std::system_error.
  explicit Supervisor(SupervisorOptions options);
  /// Ends what still runs.
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Starts `command`, with `environment` ("NAME=value") over this process's. The reason when it cannot.
  std::string start(const std::vector<std::string>& command, const std::vector<std::string>& environment);

  /// Takes what has stopped, and lets it go on. False: there was nothing.
  bool serve();
  /// Whether nobody can run; to be asked when serve() had nothing. With `idle` the CPU was seen idle since (IdleCpu), which leaves less to look at.
  bool is_quiescent();
  /// For how long the threads that are there have run in all, in nanoseconds of real time.
  std::uint64_t ran() const;
  /// Readable when serve() or is_quiescent() may have news.
  const std::vector<int>& descriptors() const;
  /// Before blocking on the descriptors.
  void before_wait();
  /// When the first wait or sleep is over, by the monotonic clock. Sleeps of a few milliseconds count only when there is nothing else (`alone`).
  std::optional<std::int64_t> next_deadline(bool alone) const;
  /// The clock is there: those whose time it is go on, in order of their deadlines.
  void advance(VirtualClock now);

  bool is_running() const;   // the command itself
  bool has_threads() const;  // it, or what it started
  int exit_code() const;     // of the command; 128 + signal
  /// Sends a signal to all processes.
  void signal(int number);
  bool is_reproducible() const;
  const SupervisorStatistics& statistics() const;
  /// What could not be made virtual, once each, since the last call.
  std::vector<std::string> take_warnings();
  /// Why the supervision broke down; empty while all is well.
  const std::string& failure() const;
  /// What the threads wait for, for a person who asks why nothing goes on.
  std::string describe() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sim::loop
