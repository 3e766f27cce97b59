#include "sim/loop/virtual_time/waits.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <linux/time_types.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>

namespace sim::loop {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMillisecond = 1'000'000;
/// Go's sysmon sleeps 20 us to 10 ms for as long as it thinks that somebody works, by nanosleep(), which C libraries do not use.
constexpr std::int64_t kShortSleep = 10 * kMillisecond;
constexpr std::int64_t kForever = std::int64_t{1} << 62;

struct Refused {
  std::uint64_t number;
  const char* name;
};
constexpr Refused kRefused[] = {
    {SYS_timerfd_create, "timerfd_create"}, {SYS_timer_create, "timer_create"},     {SYS_setitimer, "setitimer"},         {SYS_alarm, "alarm"},
    {SYS_futex_waitv, "futex_waitv"},       {SYS_io_uring_setup, "io_uring_setup"}, {SYS_semtimedop, "semtimedop"},       {SYS_mq_timedsend, "mq_timedsend"},
    {SYS_mq_timedreceive, "mq_timedreceive"}, {SYS_adjtimex, "adjtimex"},           {SYS_clock_adjtime, "clock_adjtime"}, {SYS_clock_settime, "clock_settime"},
    {SYS_settimeofday, "settimeofday"},
};
// Refused for some of their arguments only.
constexpr const char* kSigtimedwait = "rt_sigtimedwait with a time-out";
constexpr const char* kSocketTimeout = "setsockopt(SO_RCVTIMEO or SO_SNDTIMEO)";
constexpr const char* kRecvmmsg = "recvmmsg with a time-out";

/// Numbers of the 64-bit and the 32-bit form of the options.
bool is_socket_timeout(std::uint64_t option) { return option == 20 || option == 21 || option == 66 || option == 67; }

std::optional<std::int64_t> nanoseconds_at(pid_t thread, std::uint64_t address) {
  const auto span = read_value<__kernel_timespec>(thread, address);
  if (!span || span->tv_sec < 0 || span->tv_nsec < 0 || span->tv_nsec >= kSecond) return std::nullopt;  // the kernel will say EINVAL
  return std::min<std::int64_t>(span->tv_sec, kForever / kSecond) * kSecond + span->tv_nsec;
}

std::optional<std::int64_t> nanoseconds_of_timeval(pid_t thread, std::uint64_t address) {
  const auto span = read_value<timeval>(thread, address);
  if (!span || span->tv_sec < 0 || span->tv_usec < 0) return std::nullopt;
  return std::min<std::int64_t>(span->tv_sec, kForever / kSecond) * kSecond + span->tv_usec * 1000;
}

bool is_realtime(std::uint64_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI; }
bool is_monotonic(std::uint64_t clock) {
  return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME || clock == CLOCK_BOOTTIME_ALARM;
}

std::int64_t sum(std::int64_t a, std::int64_t b) { return std::min(kForever, a + std::min(b, kForever - a)); }

TimedCall answer(Registers& registers, std::int64_t result) {
  skip_call(registers, result);
  return {TimedCall::Kind::kAnswered, 0, false, 0, 0};
}

/// Nothing to wait for, or nothing sensible: the kernel's own answer is right.
TimedCall wait_for(std::optional<std::int64_t> span, const VirtualClock& clock, unsigned long long& argument, std::uint64_t forever) {
  if (!span || *span == 0) return {};
  argument = forever;
  return {TimedCall::Kind::kWait, sum(clock.monotonic, *span), false, 0, 0};
}

TimedCall plan_sleep(pid_t thread, Registers& registers, const VirtualClock& clock) {
  const bool plain = registers.orig_rax == SYS_nanosleep;
  const std::uint64_t kind = plain ? CLOCK_MONOTONIC : registers.rdi;
  if (!is_realtime(kind) && !is_monotonic(kind)) return {};
  const bool absolute = !plain && (registers.rsi & TIMER_ABSTIME) != 0;
  const std::optional<std::int64_t> span = nanoseconds_at(thread, plain ? registers.rdi : registers.rdx);
  if (!span) return {};
  const std::int64_t now = is_realtime(kind) ? clock.realtime : clock.monotonic;
  const std::int64_t left = absolute ? *span - now : *span;
  if (left <= 0) return answer(registers, 0);
  return {TimedCall::Kind::kSleep, sum(clock.monotonic, left), plain && left <= kShortSleep, 0, 0};
}

TimedCall plan_futex(pid_t thread, Registers& registers, const VirtualClock& clock) {
  const std::uint64_t operation = registers.rsi & static_cast<std::uint64_t>(FUTEX_CMD_MASK);
  const std::optional<std::int64_t> span = nanoseconds_at(thread, registers.r10);
  if (!span) return {};
  std::int64_t left = *span;
  if (operation != FUTEX_WAIT) {
    const bool real = operation == FUTEX_LOCK_PI || (registers.rsi & FUTEX_CLOCK_REALTIME) != 0;
    left -= real ? clock.realtime : clock.monotonic;
  }
  if (left <= 0) {
    // The kernel looks at the value first, and so shall it: a time-out that is over now, not one that the kernel's own clock would call far away.
    left = 0;
  }
  registers.r10 = 0;
  return {TimedCall::Kind::kWait, sum(clock.monotonic, left), false, 0, 0};
}

TimedCall plan_clock(pid_t thread, Registers& registers, const VirtualClock& clock) {
  if (registers.orig_rax == SYS_time) {
    const std::int64_t seconds = clock.realtime / kSecond;
    if (registers.rdi != 0 && !write_value(thread, registers.rdi, seconds)) return answer(registers, -EFAULT);
    return answer(registers, seconds);
  }
  if (registers.orig_rax == SYS_gettimeofday) {
    const timeval value{clock.realtime / kSecond, clock.realtime % kSecond / 1000};
    if (registers.rdi != 0 && !write_value(thread, registers.rdi, value)) return answer(registers, -EFAULT);
    return answer(registers, 0);
  }
  if (!is_realtime(registers.rdi) && !is_monotonic(registers.rdi)) return {};  // CPU time is real
  const std::int64_t now = is_realtime(registers.rdi) ? clock.realtime : clock.monotonic;
  const __kernel_timespec value{now / kSecond, now % kSecond};
  return answer(registers, write_value(thread, registers.rsi, value) ? 0 : -EFAULT);
}

bool is_restart(std::int64_t result) { return result <= -512 && result >= -516; }  // ERESTARTSYS ... ERESTART_RESTARTBLOCK: the kernel's own
constexpr std::int64_t kRestartBlock = -516;

}  // namespace

std::vector<sock_filter> time_filter(bool seeded) {
  std::vector<sock_filter> program;
  const auto statement = [&](unsigned code, std::uint32_t k) { program.push_back(BPF_STMT(static_cast<std::uint16_t>(code), k)); };
  const auto jump = [&](unsigned code, std::uint32_t k, std::uint8_t yes, std::uint8_t no) { program.push_back(BPF_JUMP(static_cast<std::uint16_t>(code), k, yes, no)); };
  const auto load = [&](std::size_t offset) { statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); };
  const auto low = [](unsigned argument) { return offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t); };
  const auto allow = [&] { statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW); };
  const auto trace = [&] { statement(BPF_RET | BPF_K, SECCOMP_RET_TRACE); };
  /// `body` for a system call, which ends in allow or trace; its length is patched in.
  const auto on = [&](std::uint64_t number, const auto& body) {
    const std::size_t at = program.size();
    jump(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 0);
    body();
    program[at].jf = static_cast<std::uint8_t>(program.size() - at - 1);
  };
  const auto always = [&](std::uint64_t number) { on(number, trace); };
  const auto if_set = [&](unsigned argument) {  // a pointer that is not null
    load(low(argument));
    jump(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3);
    load(low(argument) + 4);
    jump(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
    allow();
    trace();
  };
  const auto if_positive = [&](unsigned argument) {  // an int above zero
    load(low(argument));
    jump(BPF_JMP | BPF_JSET | BPF_K, 0x80000000u, 1, 0);
    jump(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
    allow();
    trace();
  };
  load(offsetof(seccomp_data, arch));
  jump(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
  allow();
  load(offsetof(seccomp_data, nr));
  on(SYS_futex, [&] {
    load(low(1));
    statement(BPF_ALU | BPF_AND | BPF_K, static_cast<std::uint32_t>(FUTEX_CMD_MASK));
    constexpr std::array<std::uint32_t, 5> kTimed = {FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_LOCK_PI, FUTEX_WAIT_REQUEUE_PI, FUTEX_LOCK_PI2};
    for (std::size_t i = 0; i < kTimed.size(); ++i) jump(BPF_JMP | BPF_JEQ | BPF_K, kTimed[i], static_cast<std::uint8_t>(kTimed.size() - i), 0);
    allow();
    if_set(3);
  });
  on(SYS_epoll_pwait, [&] { if_positive(3); });
  on(SYS_epoll_wait, [&] { if_positive(3); });
  always(SYS_nanosleep);
  always(SYS_clock_nanosleep);
  always(SYS_clock_gettime);
  always(SYS_gettimeofday);
  always(SYS_time);
  if (seeded) always(SYS_getrandom);
  on(SYS_epoll_pwait2, [&] { if_set(3); });
  on(SYS_poll, [&] { if_positive(2); });
  on(SYS_ppoll, [&] { if_set(2); });
  on(SYS_select, [&] { if_set(4); });
  on(SYS_pselect6, [&] { if_set(4); });
  on(SYS_rt_sigtimedwait, [&] { if_set(2); });
  on(SYS_recvmmsg, [&] { if_set(4); });
  on(SYS_setsockopt, [&] {
    load(low(1));
    jump(BPF_JMP | BPF_JEQ | BPF_K, SOL_SOCKET, 1, 0);
    allow();
    load(low(2));
    constexpr std::array<std::uint32_t, 4> kTimeouts = {20, 21, 66, 67};
    for (std::size_t i = 0; i < kTimeouts.size(); ++i) jump(BPF_JMP | BPF_JEQ | BPF_K, kTimeouts[i], static_cast<std::uint8_t>(kTimeouts.size() - i), 0);
    allow();
    trace();
  });
  for (const Refused& refused : kRefused) always(refused.number);
  allow();
  return program;
}

TimedCall plan_call(pid_t thread, Registers& registers, const VirtualClock& clock) {
  switch (registers.orig_rax) {
    case SYS_nanosleep:
    case SYS_clock_nanosleep: return plan_sleep(thread, registers, clock);
    case SYS_futex: return plan_futex(thread, registers, clock);
    case SYS_epoll_wait:
    case SYS_epoll_pwait: return wait_for(static_cast<std::int64_t>(static_cast<std::int32_t>(registers.r10)) * kMillisecond, clock, registers.r10, ~0ull);
    case SYS_epoll_pwait2: return wait_for(nanoseconds_at(thread, registers.r10), clock, registers.r10, 0);
    case SYS_poll: return wait_for(static_cast<std::int64_t>(static_cast<std::int32_t>(registers.rdx)) * kMillisecond, clock, registers.rdx, ~0ull);
    case SYS_ppoll: return wait_for(nanoseconds_at(thread, registers.rdx), clock, registers.rdx, 0);
    case SYS_select: return wait_for(nanoseconds_of_timeval(thread, registers.r8), clock, registers.r8, 0);
    case SYS_pselect6: return wait_for(nanoseconds_at(thread, registers.r8), clock, registers.r8, 0);
    case SYS_clock_gettime:
    case SYS_gettimeofday:
    case SYS_time: return plan_clock(thread, registers, clock);
    case SYS_getrandom: return {TimedCall::Kind::kRandom, 0, false, registers.rdi, registers.rsi};
    case SYS_setsockopt: return is_socket_timeout(registers.rdx) ? TimedCall{TimedCall::Kind::kRefused, 0, false, 0, 0} : TimedCall{};
    default: return {TimedCall::Kind::kRefused, 0, false, 0, 0};
  }
}

void finish_wait(pid_t thread, Registers& registers, const Registers& asked, bool expired) {
  registers.rdx = asked.rdx;
  registers.r10 = asked.r10;
  registers.r8 = asked.r8;
  const auto result = static_cast<std::int64_t>(registers.rax);
  if (!is_restart(result) && result != -EINTR) return;  // an event came first
  if (!expired) {
    // A restart block would remember the wait without its end.
    if (result == kRestartBlock) registers.rax = static_cast<std::uint64_t>(-EINTR);
    return;
  }
  if (asked.orig_rax == SYS_futex) {
    registers.rax = static_cast<std::uint64_t>(-ETIMEDOUT);
    return;
  }
  registers.rax = 0;
  if (asked.orig_rax != SYS_select && asked.orig_rax != SYS_pselect6) return;
  const std::size_t bytes = std::min<std::size_t>((asked.rdi + 63) / 64 * 8, 8192);
  const std::vector<std::byte> zeros(bytes);
  for (const std::uint64_t set : {asked.rsi, asked.rdx, asked.r10}) {
    if (set != 0) write_memory(thread, set, zeros);
  }
}

void skip_call(Registers& registers, std::int64_t result) {
  registers.orig_rax = ~0ull;
  registers.rax = static_cast<std::uint64_t>(result);
}

const char* refused_name(std::uint64_t number) {
  if (number == SYS_rt_sigtimedwait) return kSigtimedwait;
  if (number == SYS_setsockopt) return kSocketTimeout;
  if (number == SYS_recvmmsg) return kRecvmmsg;
  for (const Refused& refused : kRefused) {
    if (refused.number == number) return refused.name;
  }
  return "a system call that virtual time does not know";
}

}  // namespace sim::loop
