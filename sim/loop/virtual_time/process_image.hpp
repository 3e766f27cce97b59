/// What is done to a program before its first instruction, so that it sees the virtual clock and draws the run's random numbers.
///
/// The clock page is mapped, the vDSO's functions jump to its code, the 16 random bytes that the kernel hands over are replaced, and rdtsc is made to
/// trap where asked for.
///
/// Source:     vdso(7), getauxval(3), prctl(2) (PR_SET_TSC), ELF (dynamic symbols by .dynsym's section header).
/// Leaves out: 32-bit programs, which are refused.
/// Checked by: tests/loop/virtual_time_test.cpp.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <string>

#include "sim/loop/virtual_time/clock_page.hpp"

namespace sim::loop {

struct ImageOptions {
  std::array<std::byte, 16> random{};
  bool trap_tsc = true;
};

/// Called at the stop in which execve returns. The reason when it cannot be done; empty too when the process was killed meanwhile.
std::string prepare_image(pid_t process, const ClockPage& page, const ImageOptions& options);

}  // namespace sim::loop
