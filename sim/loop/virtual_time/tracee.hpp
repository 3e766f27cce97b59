/// A stopped thread of a supervised process: its registers, its memory, and system calls made in its name.
///
/// All of these are for the thread that traces, and only while the other one is stopped. Those that can fail because the process was killed in
/// between say so by false.
///
/// Source:     ptrace(2), syscall(2) (x86-64: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9), process_vm_readv(2).
/// Checked by: tests/loop/virtual_time_test.cpp.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace sim::loop {

using Registers = user_regs_struct;

bool read_registers(pid_t thread, Registers& registers);
bool write_registers(pid_t thread, const Registers& registers);
/// By the memory's own permissions.
bool read_memory(pid_t thread, std::uint64_t address, std::span<std::byte> to);
/// Also where the process itself may not write, like the vDSO.
bool write_memory(pid_t thread, std::uint64_t address, std::span<const std::byte> bytes);

template <typename T>
std::optional<T> read_value(pid_t thread, std::uint64_t address) {
  T value{};
  if (!read_memory(thread, address, std::as_writable_bytes(std::span(&value, 1)))) return std::nullopt;
  return value;
}
template <typename T>
bool write_value(pid_t thread, std::uint64_t address, const T& value) {
  return write_memory(thread, address, std::as_bytes(std::span(&value, 1)));
}

/// System calls in the name of a process that has just begun a new program. While an object lives, its code at the entry is overwritten.
class Injection {
 public:
  /// Called at the stop in which execve returns.
  explicit Injection(pid_t thread);
  /// Puts code and registers back.
  ~Injection();
  Injection(const Injection&) = delete;
  Injection& operator=(const Injection&) = delete;

  bool is_ready() const { return ready_; }
  /// What the kernel answered, -errno included; nothing when the process is gone.
  std::optional<std::int64_t> call(std::uint64_t number, std::array<std::uint64_t, 6> arguments);
  /// Below the stack pointer, where a path may be put for a call.
  std::uint64_t scratch_address() const;

 private:
  pid_t thread_;
  bool ready_ = false;
  Registers registers_{};
  std::uint64_t code_ = 0;
};

}  // namespace sim::loop
