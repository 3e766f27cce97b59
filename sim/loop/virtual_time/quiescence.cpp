#include "sim/loop/virtual_time/quiescence.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace sim::loop {

int chosen_cpu() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  for (int cpu = CPU_SETSIZE - 1; cpu > 0; --cpu) {
    if (CPU_ISSET(static_cast<unsigned>(cpu), &allowed)) return cpu;
  }
  return 0;
}

bool take_cpu(int cpu, int priority) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  sched_param parameters{};
  parameters.sched_priority = priority;
  return ::sched_setaffinity(0, sizeof set, &set) == 0 && ::sched_setscheduler(0, SCHED_FIFO, &parameters) == 0;
}

struct CpuHold::Before {
  cpu_set_t affinity{};
  int policy = SCHED_OTHER;
  sched_param parameters{};
};

CpuHold::CpuHold(int cpu, int priority) : before_(std::make_unique<Before>()) {
  ::sched_getaffinity(0, sizeof before_->affinity, &before_->affinity);
  before_->policy = ::sched_getscheduler(0);
  ::sched_getparam(0, &before_->parameters);
  held_ = take_cpu(cpu, priority);
  if (!held_) ::sched_setaffinity(0, sizeof before_->affinity, &before_->affinity);
}

CpuHold::~CpuHold() {
  if (!held_) return;
  ::sched_setscheduler(0, before_->policy, &before_->parameters);
  ::sched_setaffinity(0, sizeof before_->affinity, &before_->affinity);
}

struct IdleCpu::Impl {
  int asked = -1;
  bool armed = false;
  std::atomic<bool> was_idle{false};
  std::atomic<bool> ends{false};
  std::thread thread;
};

namespace {

void signal_event(int descriptor) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(descriptor, &one, sizeof one);
}

bool read_event(int descriptor) {
  std::uint64_t count = 0;
  return ::read(descriptor, &count, sizeof count) == sizeof count;
}

}  // namespace

IdleCpu::IdleCpu(int cpu) : impl_(std::make_unique<Impl>()) {
  impl_->asked = ::eventfd(0, EFD_CLOEXEC);
  if (impl_->asked < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  impl_->thread = std::thread([&in = *impl_, cpu, maker = ::pthread_self()] {
    take_cpu(cpu, kIdlePriority);
    while (read_event(in.asked) && !in.ends) {
      in.was_idle = true;
      ::pthread_kill(maker, SIGCHLD);
    }
  });
}

IdleCpu::~IdleCpu() {
  impl_->ends = true;
  signal_event(impl_->asked);
  impl_->thread.join();
  ::close(impl_->asked);
}

void IdleCpu::arm() {
  if (impl_->armed) return;
  impl_->armed = true;
  signal_event(impl_->asked);
}

bool IdleCpu::take() {
  if (!impl_->was_idle.exchange(false)) return false;
  impl_->armed = false;
  return true;
}

ThreadState::ThreadState(pid_t thread)
    : stat_(::open(fmt::format("/proc/{}/stat", thread).c_str(), O_RDONLY | O_CLOEXEC)), schedstat_(::open(fmt::format("/proc/{}/schedstat", thread).c_str(), O_RDONLY | O_CLOEXEC)) {}

ThreadState::~ThreadState() {
  if (stat_ >= 0) ::close(stat_);
  if (schedstat_ >= 0) ::close(schedstat_);
}

ThreadState::ThreadState(ThreadState&& other) noexcept : stat_(std::exchange(other.stat_, -1)), schedstat_(std::exchange(other.schedstat_, -1)) {}

ThreadState& ThreadState::operator=(ThreadState&& other) noexcept {
  std::swap(stat_, other.stat_);
  std::swap(schedstat_, other.schedstat_);
  return *this;
}

bool ThreadState::is_asleep() const {
  std::array<char, 512> text{};
  const ssize_t length = ::pread(stat_, text.data(), text.size(), 0);
  if (length <= 0) return true;
  const std::string_view line(text.data(), static_cast<std::size_t>(length));
  const std::size_t name_ends = line.rfind(") ");  // a name may hold anything
  if (name_ends == std::string_view::npos || name_ends + 2 >= line.size()) return false;
  const char state = line[name_ends + 2];
  return state == 'S' || state == 'Z' || state == 'X';
}

namespace {

/// A number of schedstat: nanoseconds on a CPU, nanoseconds waiting for one, time slices.
std::uint64_t schedstat_field(int descriptor, int index) {
  std::array<char, 96> text{};
  const ssize_t length = ::pread(descriptor, text.data(), text.size(), 0);
  if (length <= 0) return 0;
  const char* at = text.data();
  const char* const end = text.data() + length;
  std::uint64_t value = 0;
  for (int i = 0; i <= index && at < end; ++i) at = std::from_chars(at, end, value).ptr + 1;
  return value;
}

}  // namespace

std::uint64_t ThreadState::slices() const { return schedstat_field(schedstat_, 2); }

std::uint64_t ThreadState::ran() const { return schedstat_field(schedstat_, 0); }

}  // namespace sim::loop
