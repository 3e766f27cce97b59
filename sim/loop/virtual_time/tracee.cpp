#include "sim/loop/virtual_time/tracee.hpp"

#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>

namespace sim::loop {

bool read_registers(pid_t thread, Registers& registers) { return ::ptrace(PTRACE_GETREGS, thread, nullptr, &registers) == 0; }

bool write_registers(pid_t thread, const Registers& registers) { return ::ptrace(PTRACE_SETREGS, thread, nullptr, &registers) == 0; }

bool read_memory(pid_t thread, std::uint64_t address, std::span<std::byte> to) {
  const iovec local{to.data(), to.size()};
  const iovec remote{reinterpret_cast<void*>(address), to.size()};
  return ::process_vm_readv(thread, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(to.size());
}

bool write_memory(pid_t thread, std::uint64_t address, std::span<const std::byte> bytes) {
  const iovec local{const_cast<std::byte*>(bytes.data()), bytes.size()};
  const iovec remote{reinterpret_cast<void*>(address), bytes.size()};
  if (::process_vm_writev(thread, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(bytes.size())) return true;
  // Word by word the tracer may write where the process may not.
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(long)) {
    const std::uint64_t where = address + at;
    long word = 0;
    const std::size_t length = std::min(sizeof word, bytes.size() - at);
    if (length < sizeof word) {
      errno = 0;
      word = ::ptrace(PTRACE_PEEKDATA, thread, reinterpret_cast<void*>(where), nullptr);
      if (errno != 0) return false;
    }
    std::memcpy(&word, bytes.data() + at, length);
    if (::ptrace(PTRACE_POKEDATA, thread, reinterpret_cast<void*>(where), reinterpret_cast<void*>(word)) != 0) return false;
  }
  return true;
}

namespace {

constexpr std::uint64_t kSyscallThenTrap = 0xcc050f;  // syscall; int3

}  // namespace

Injection::Injection(pid_t thread) : thread_(thread) {
  if (!read_registers(thread_, registers_)) return;
  const std::optional<std::uint64_t> code = read_value<std::uint64_t>(thread_, registers_.rip);
  if (!code) return;
  code_ = *code;
  ready_ = write_value(thread_, registers_.rip, kSyscallThenTrap);
}

Injection::~Injection() {
  if (!ready_) return;
  write_value(thread_, registers_.rip, code_);
  write_registers(thread_, registers_);
}

std::uint64_t Injection::scratch_address() const {
  constexpr std::uint64_t kBelowRedZone = 1024;
  return registers_.rsp - kBelowRedZone;
}

std::optional<std::int64_t> Injection::call(std::uint64_t number, std::array<std::uint64_t, 6> arguments) {
  Registers registers = registers_;
  registers.rax = number;
  registers.orig_rax = ~0ull;  // no system call is being left: nothing to restart
  registers.rdi = arguments[0];
  registers.rsi = arguments[1];
  registers.rdx = arguments[2];
  registers.r10 = arguments[3];
  registers.r8 = arguments[4];
  registers.r9 = arguments[5];
  if (!write_registers(thread_, registers)) return std::nullopt;
  if (::ptrace(PTRACE_CONT, thread_, nullptr, nullptr) != 0) return std::nullopt;
  int status = 0;
  if (::waitpid(thread_, &status, __WALL) != thread_ || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) {
    ready_ = false;
    return std::nullopt;
  }
  if (!read_registers(thread_, registers)) return std::nullopt;
  return static_cast<std::int64_t>(registers.rax);
}

}  // namespace sim::loop
