#include "sim/loop/virtual_time/supervisor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>

#include "sim/core/random.hpp"
#include "sim/loop/virtual_time/process_image.hpp"
#include "sim/loop/virtual_time/quiescence.hpp"
#include "sim/loop/virtual_time/tracee.hpp"
#include "sim/loop/virtual_time/waits.hpp"

namespace sim::loop {

namespace {

constexpr auto kTraceOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
constexpr int kSyscallStop = SIGTRAP | 0x80;

void* as_pointer(std::uint64_t value) { return reinterpret_cast<void*>(value); }

std::optional<pid_t> process_of(pid_t thread) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(fmt::format("/proc/{}/status", thread).c_str(), "re"), &std::fclose);
  std::array<char, 256> line{};
  int process = 0;
  while (file && std::fgets(line.data(), static_cast<int>(line.size()), file.get()) != nullptr) {
    if (std::sscanf(line.data(), "Tgid: %d", &process) == 1) return process;
  }
  return std::nullopt;
}

std::string name_of(pid_t process) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(fmt::format("/proc/{}/comm", process).c_str(), "re"), &std::fclose);
  std::array<char, 64> line{};
  if (!file || std::fgets(line.data(), static_cast<int>(line.size()), file.get()) == nullptr) return fmt::format("process {}", process);
  std::string name = line.data();
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

/// What the child does between fork and its program: nothing that needs the heap's locks.
[[noreturn]] void become_command(char** arguments, char** environment, int may_start, int failed, bool one_cpu, int cpu, const sock_fprog& filter) {
  const auto give_up = [&](int step) {
    const int words[] = {step, errno};
    [[maybe_unused]] const ssize_t written = ::write(failed, words, sizeof words);
    ::_exit(127);
  };
  ::setpgid(0, 0);
  ::personality(ADDR_NO_RANDOMIZE);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (one_cpu) take_cpu(cpu, kSupervisedPriority);
  char byte = 0;
  if (::read(may_start, &byte, 1) != 1) ::_exit(127);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up(0);
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) give_up(1);
  ::execvpe(arguments[0], arguments, environment);
  give_up(2);
  ::_exit(127);
}

}  // namespace

struct Supervisor::Impl {
  enum class State : std::uint8_t {
    kRunning,   // let go; whether it runs only the kernel knows
    kSleeping,  // held, with a deadline
    kWaiting,   // in the kernel, with a deadline
    kExpiring,  // told to leave the kernel
  };
  struct Process {
    std::uint64_t number = 0;  // in order of appearance
    std::uint64_t programs = 0;
    std::unique_ptr<RandomStream> random;
    std::size_t threads = 0;
  };
  struct Thread {
    pid_t process = 0;
    State state = State::kRunning;
    bool begins_program = false;  // between the stop that tells of an exec and the return of execve
    Registers asked{};            // as they were when the wait began
    std::int64_t deadline = 0;
    std::uint64_t order = 0;
    bool is_short = false;
    ThreadState seen;
  };
  using Timer = std::tuple<std::int64_t, std::uint64_t, pid_t>;  // deadline, order of arming, thread

  explicit Impl(SupervisorOptions o) : options(o), clock(o.start), cpu(chosen_cpu()) {}

  SupervisorOptions options;
  VirtualClock clock;
  int cpu;
  ClockPage page;
  std::unique_ptr<CpuHold> hold;
  std::unique_ptr<IdleCpu> idle;
  int child_signals = -1;
  sigset_t signals_before{};
  std::vector<int> descriptors;
  std::map<pid_t, Thread> threads;
  std::map<pid_t, Process> processes;
  std::set<Timer> timers;
  std::set<Timer> short_timers;
  std::uint64_t arming = 0;
  std::uint64_t process_count = 0;
  std::uint64_t time_stamp_reads = 0;
  pid_t command = 0;
  bool command_runs = false;
  int code = 0;
  bool was_idle = false;
  std::set<std::pair<dev_t, ino_t>> kept_files;
  std::vector<std::pair<void*, std::size_t>> kept_in_memory;
  SupervisorStatistics statistics;
  std::set<std::string> warned;
  std::vector<std::string> warnings;
  std::string failure;

  Process& process(pid_t id) {
    const auto [found, is_new] = processes.try_emplace(id);
    if (is_new) found->second.number = ++process_count;
    return found->second;
  }
  RandomStream& random(Process& process) {
    if (!process.random) process.random = std::make_unique<RandomStream>(options.seed, "virtual-time", fmt::format("process-{}-{}", process.number, process.programs));
    return *process.random;
  }
  Thread& adopt(pid_t id) {
    const auto [found, is_new] = threads.try_emplace(id);
    if (is_new) {
      found->second.process = process_of(id).value_or(id);
      found->second.seen = ThreadState(id);
      ++process(found->second.process).threads;
      statistics.threads_max = std::max<std::uint64_t>(statistics.threads_max, threads.size());
    }
    return found->second;
  }
  void forget(pid_t id) {
    const auto found = threads.find(id);
    if (found == threads.end()) return;
    disarm(id, found->second);
    const auto owner = processes.find(found->second.process);
    if (owner != processes.end() && --owner->second.threads == 0) processes.erase(owner);
    threads.erase(found);
  }
  void arm(pid_t id, Thread& thread, const TimedCall& call, State state) {
    thread.state = state;
    thread.deadline = call.deadline;
    thread.is_short = call.is_short;
    thread.order = ++arming;
    (call.is_short ? short_timers : timers).emplace(thread.deadline, thread.order, id);
  }
  void disarm(pid_t id, Thread& thread) {
    if (thread.state == State::kSleeping || thread.state == State::kWaiting) (thread.is_short ? short_timers : timers).erase(Timer(thread.deadline, thread.order, id));
    thread.state = State::kRunning;
  }
  void warn(std::string text) {
    if (warned.insert(text).second) warnings.push_back(std::move(text));
  }

  void go_on(pid_t id, const Thread& thread, int signal = 0) const {
    const bool to_its_end = thread.begins_program || thread.state == State::kWaiting || thread.state == State::kExpiring;
    ::ptrace(to_its_end ? PTRACE_SYSCALL : PTRACE_CONT, id, nullptr, as_pointer(static_cast<std::uint64_t>(signal)));
  }

  void on_call(pid_t id, Thread& thread) {
    Registers registers{};
    if (!read_registers(id, registers)) return;
    thread.asked = registers;
    const TimedCall call = plan_call(id, registers, clock);
    switch (call.kind) {
      case TimedCall::Kind::kNative: break;
      case TimedCall::Kind::kSleep: arm(id, thread, call, State::kSleeping); return;  // it stays where it is
      case TimedCall::Kind::kWait:
        write_registers(id, registers);
        arm(id, thread, call, State::kWaiting);
        break;
      case TimedCall::Kind::kAnswered: write_registers(id, registers); break;
      case TimedCall::Kind::kRandom: {
        const bool filled = fill_random(id, thread, call);
        skip_call(registers, filled ? static_cast<std::int64_t>(call.length) : -EFAULT);
        write_registers(id, registers);
        break;
      }
      case TimedCall::Kind::kRefused:
        warn(fmt::format("{} asked for {}, which virtual time does not have: it was told ENOSYS", name_of(thread.process), refused_name(registers.orig_rax)));
        skip_call(registers, -ENOSYS);
        write_registers(id, registers);
        break;
    }
    go_on(id, thread);
  }

  bool fill_random(pid_t id, Thread& thread, const TimedCall& call) {
    constexpr std::uint64_t kLongest = 1u << 20;
    if (call.length > kLongest) return false;
    std::vector<std::byte> bytes(call.length);
    RandomStream& stream = random(process(thread.process));
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
      const std::uint64_t word = stream.next();
      std::memcpy(bytes.data() + at, &word, std::min(sizeof word, bytes.size() - at));
    }
    return bytes.empty() || write_memory(id, call.address, bytes);
  }

  void on_return(pid_t id, Thread& thread) {
    if (thread.begins_program) {
      thread.begins_program = false;
      begin_program(id, thread);
    } else if (thread.state == State::kWaiting || thread.state == State::kExpiring) {
      Registers registers{};
      const bool expired = thread.state == State::kExpiring;
      disarm(id, thread);
      if (read_registers(id, registers)) {
        finish_wait(id, registers, thread.asked, expired);
        write_registers(id, registers);
      }
    }
    go_on(id, thread);
  }

  /// Keeps a program's file in memory: who has to wait for a disk lets another run before him, in one run and not in the next.
  void keep_in_memory(pid_t id) {
    const int file = ::open(fmt::format("/proc/{}/exe", id).c_str(), O_RDONLY | O_CLOEXEC);
    struct stat about {};
    if (file < 0) return;
    if (::fstat(file, &about) == 0 && kept_files.emplace(about.st_dev, about.st_ino).second) {
      const auto size = static_cast<std::size_t>(about.st_size);
      void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
      if (mapped != MAP_FAILED) {
        ::mlock(mapped, size);  // where that is not allowed it was read at least
        kept_in_memory.emplace_back(mapped, size);
      }
    }
    ::close(file);
  }

  void begin_program(pid_t id, Thread& thread) {
    keep_in_memory(id);
    Process& owner = process(thread.process);
    ++owner.programs;
    ++statistics.processes;
    owner.random.reset();
    ImageOptions image;
    image.trap_tsc = options.trap_tsc;
    RandomStream& stream = random(owner);
    for (std::size_t half = 0; half < 2; ++half) {
      const std::uint64_t word = stream.next();
      std::memcpy(image.random.data() + half * sizeof word, &word, sizeof word);
    }
    const std::string error = prepare_image(id, page, image);
    if (!error.empty() && failure.empty()) failure = fmt::format("{} {}", name_of(thread.process), error);
  }

  /// rdtsc and rdtscp, which trap: they count nanoseconds of the virtual clock, and one more each time.
  bool emulate_time_stamp(pid_t id) {
    Registers registers{};
    if (!options.trap_tsc || !read_registers(id, registers)) return false;
    const std::optional<std::uint32_t> instruction = read_value<std::uint32_t>(id, registers.rip);
    if (!instruction) return false;
    const bool plain = (*instruction & 0xffff) == 0x310f;
    const bool with_cpu = (*instruction & 0xffffff) == 0xf9010f;
    if (!plain && !with_cpu) return false;
    const std::uint64_t count = static_cast<std::uint64_t>(clock.monotonic) + ++time_stamp_reads;
    registers.rax = count & 0xffffffffu;
    registers.rdx = count >> 32;
    if (with_cpu) registers.rcx = 0;
    registers.rip += plain ? 2 : 3;
    return write_registers(id, registers);
  }

  void on_stop(pid_t id, int status) {
    ++statistics.stops;
    Thread& thread = adopt(id);
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    if (signal == kSyscallStop) return on_return(id, thread);
    switch (event) {
      case PTRACE_EVENT_SECCOMP: return on_call(id, thread);
      case PTRACE_EVENT_CLONE:
      case PTRACE_EVENT_FORK:
      case PTRACE_EVENT_VFORK: {
        // Known from now on, although its own first stop may come later: until then it is not asleep.
        unsigned long created = 0;
        if (::ptrace(PTRACE_GETEVENTMSG, id, nullptr, &created) == 0) adopt(static_cast<pid_t>(created));
        return go_on(id, thread);
      }
      case PTRACE_EVENT_EXEC: {
        // All other threads of the process are gone; one of them may have been the one that called.
        unsigned long former = 0;
        ::ptrace(PTRACE_GETEVENTMSG, id, nullptr, &former);
        if (static_cast<pid_t>(former) != id) forget(static_cast<pid_t>(former));
        Thread& leader = adopt(id);
        disarm(id, leader);
        leader.begins_program = true;
        return go_on(id, leader);
      }
      case PTRACE_EVENT_STOP:
        if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) {
          ::ptrace(PTRACE_LISTEN, id, nullptr, nullptr);
          return;
        }
        return go_on(id, thread);
      default: break;
    }
    if (signal == SIGSEGV && emulate_time_stamp(id)) return go_on(id, thread);
    go_on(id, thread, signal);
  }

  void wake(pid_t id, Thread& thread) {
    ++statistics.wakes;
    if (thread.state == State::kSleeping) {
      Registers registers = thread.asked;
      disarm(id, thread);
      skip_call(registers, 0);
      write_registers(id, registers);
      go_on(id, thread);
      return;
    }
    disarm(id, thread);
    thread.state = State::kExpiring;
    ::ptrace(PTRACE_INTERRUPT, id, nullptr, nullptr);
  }
};

Supervisor::Supervisor(SupervisorOptions options) : impl_(std::make_unique<Impl>(options)) {
  Impl& in = *impl_;
  in.page.publish(in.clock);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  ::pthread_sigmask(SIG_BLOCK, &child, &in.signals_before);
  in.child_signals = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (in.child_signals < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
  in.descriptors.push_back(in.child_signals);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;  // two for each thread
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  if (options.one_cpu) {
    in.hold = std::make_unique<CpuHold>(in.cpu, kSupervisorPriority);
    if (in.hold->is_held()) in.idle = std::make_unique<IdleCpu>(in.cpu);
  }
}

Supervisor::~Supervisor() {
  Impl& in = *impl_;
  signal(SIGKILL);
  while (!in.threads.empty()) {
    int status = 0;
    const pid_t id = ::waitpid(-1, &status, __WALL);
    if (id <= 0) break;
    if (WIFSTOPPED(status)) {
      ::ptrace(PTRACE_CONT, id, nullptr, as_pointer(SIGKILL));
    } else {
      in.forget(id);
    }
  }
  for (const auto& [address, size] : in.kept_in_memory) ::munmap(address, size);
  if (in.child_signals >= 0) ::close(in.child_signals);
  in.idle.reset();
  in.hold.reset();
  ::pthread_sigmask(SIG_SETMASK, &in.signals_before, nullptr);
}

std::string Supervisor::start(const std::vector<std::string>& command, const std::vector<std::string>& environment) {
  Impl& in = *impl_;
  std::vector<std::string> words = command;
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<std::string> settings = environment;
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('=') + 1);
    const bool replaced = std::any_of(environment.begin(), environment.end(), [&](const std::string& own) { return own.starts_with(name); });
    if (!replaced) settings.emplace_back(text);
  }
  std::vector<char*> variables;
  for (std::string& setting : settings) variables.push_back(setting.data());
  variables.push_back(nullptr);
  std::vector<sock_filter> program = time_filter(true);
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  int may_start[2] = {-1, -1};
  int failed[2] = {-1, -1};
  if (::pipe2(may_start, O_CLOEXEC) != 0 || ::pipe2(failed, O_CLOEXEC) != 0) return fmt::format("cannot make a pipe: {}", std::strerror(errno));
  const bool one_cpu = in.hold != nullptr && in.hold->is_held();
  const pid_t child = ::fork();
  if (child == 0) become_command(arguments.data(), variables.data(), may_start[0], failed[1], one_cpu, in.cpu, filter);
  ::close(may_start[0]);
  ::close(failed[1]);
  std::string error;
  if (child < 0) {
    error = fmt::format("cannot start a process: {}", std::strerror(errno));
  } else if (::ptrace(PTRACE_SEIZE, child, nullptr, as_pointer(kTraceOptions)) != 0) {
    error = fmt::format("cannot trace a process ({}): virtual time needs ptrace (Docker: --cap-add SYS_PTRACE; kernel.yama.ptrace_scope at most 1)", std::strerror(errno));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, __WALL);
  } else {
    in.command = child;
    in.command_runs = true;
    in.adopt(child);
    [[maybe_unused]] const ssize_t written = ::write(may_start[1], "x", 1);
    // Until the program has begun, or could not.
    while (in.command_runs && in.statistics.processes == 0) {
      int status = 0;
      const pid_t id = ::waitpid(-1, &status, __WALL);
      if (id <= 0) break;
      if (WIFSTOPPED(status)) {
        in.on_stop(id, status);
      } else {
        in.forget(id);
        in.command_runs = false;
      }
    }
    int words_back[2] = {0, 0};
    if (!in.command_runs && ::read(failed[0], words_back, sizeof words_back) == static_cast<ssize_t>(sizeof words_back)) {
      constexpr const char* kSteps[] = {"cannot give up privileges", "cannot install a seccomp filter", "cannot start it"};
      error = fmt::format("{}: {}: {}", command[0], kSteps[words_back[0]], std::strerror(words_back[1]));
    } else if (!in.command_runs) {
      error = fmt::format("{}: ended before it began", command[0]);
    }
  }
  ::close(may_start[1]);
  ::close(failed[0]);
  return error;
}

bool Supervisor::serve() {
  Impl& in = *impl_;
  // Signals of one number do not queue: there is one for the process at most (the traced threads') and one for this thread (the idle CPU's).
  std::array<signalfd_siginfo, 2> ignored;
  [[maybe_unused]] const ssize_t taken = ::read(in.child_signals, ignored.data(), sizeof ignored);
  bool any = false;
  for (;;) {
    int status = 0;
    const pid_t id = ::waitpid(-1, &status, __WALL | WNOHANG);
    if (id <= 0) break;
    any = true;
    if (WIFSTOPPED(status)) {
      in.on_stop(id, status);
      continue;
    }
    in.forget(id);
    if (id == in.command) {
      in.command_runs = false;
      in.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
  }
  if (in.idle && in.idle->take()) in.was_idle = true;
  if (any) in.was_idle = false;
  return any;
}

bool Supervisor::is_quiescent() {
  Impl& in = *impl_;
  if (in.idle && !in.was_idle) return false;
  const auto all_asleep = [&] {
    return std::all_of(in.threads.begin(), in.threads.end(), [&](const auto& entry) {
      // One that waits with a time-out stops when it leaves the kernel: on an idle CPU that did not tell of it, it is still there. (What /proc tells of a thread is costly.)
      const Impl::State state = entry.second.state;
      return state == Impl::State::kSleeping || (in.idle && state == Impl::State::kWaiting) || entry.second.seen.is_asleep();
    });
  };
  in.was_idle = false;
  if (in.idle) return all_asleep();
  std::vector<std::uint64_t> before;
  for (const auto& [id, thread] : in.threads) before.push_back(thread.seen.slices());
  if (!all_asleep()) return false;
  std::size_t at = 0;
  for (const auto& [id, thread] : in.threads) {
    if (thread.seen.slices() != before[at++]) return false;
  }
  return all_asleep();
}

std::uint64_t Supervisor::ran() const {
  std::uint64_t sum = 0;
  for (const auto& [id, thread] : impl_->threads) sum += thread.seen.ran();
  return sum;
}

const std::vector<int>& Supervisor::descriptors() const { return impl_->descriptors; }

void Supervisor::before_wait() {
  if (impl_->idle) impl_->idle->arm();
}

std::optional<std::int64_t> Supervisor::next_deadline(bool alone) const {
  const Impl& in = *impl_;
  std::optional<std::int64_t> next;
  if (!in.timers.empty()) next = std::get<0>(*in.timers.begin());
  if (!next && alone && !in.short_timers.empty()) next = std::get<0>(*in.short_timers.begin());
  return next;
}

void Supervisor::advance(VirtualClock now) {
  Impl& in = *impl_;
  in.clock = now;
  in.page.publish(now);
  std::vector<Impl::Timer> due;
  for (const std::set<Impl::Timer>* timers : {&in.timers, &in.short_timers}) {
    for (const Impl::Timer& timer : *timers) {
      if (std::get<0>(timer) > now.monotonic) break;
      due.push_back(timer);
    }
  }
  std::sort(due.begin(), due.end());
  for (const Impl::Timer& timer : due) {
    const auto found = in.threads.find(std::get<2>(timer));
    if (found != in.threads.end()) in.wake(found->first, found->second);
  }
  in.was_idle = false;
}

bool Supervisor::is_running() const { return impl_->command_runs; }
bool Supervisor::has_threads() const { return !impl_->threads.empty(); }
int Supervisor::exit_code() const { return impl_->code; }

void Supervisor::signal(int number) {
  for (const auto& [id, process] : impl_->processes) ::kill(id, number);
}

bool Supervisor::is_reproducible() const { return impl_->idle != nullptr; }
const SupervisorStatistics& Supervisor::statistics() const { return impl_->statistics; }
std::vector<std::string> Supervisor::take_warnings() { return std::exchange(impl_->warnings, {}); }
const std::string& Supervisor::failure() const { return impl_->failure; }

std::string Supervisor::describe() const {
  const Impl& in = *impl_;
  std::map<std::string, std::array<std::size_t, 2>> counts;  // by program: held or waiting with a time-out, anything else
  for (const auto& [id, thread] : in.threads) {
    const bool timed = thread.state != Impl::State::kRunning;
    ++counts[name_of(thread.process)][timed ? 0 : 1];
  }
  std::string text;
  for (const auto& [name, count] : counts) text += fmt::format("{}{}: {} threads wait with a time-out, {} without or run", text.empty() ? "" : "; ", name, count[0], count[1]);
  return text;
}

}  // namespace sim::loop
