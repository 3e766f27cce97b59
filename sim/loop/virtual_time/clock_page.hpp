/// The page of memory in which supervised processes read the virtual clock.
///
/// One page of numbers and one of code, shared by all of them (a memfd that each opens when it starts) and mapped read-only at one address. The code stands in for the
/// functions of the vDSO, so that reading the clock costs no trap. While any of them runs the numbers stand still: no lock is needed.
///
/// Source:     Linux vdso(7), clock_gettime(2); the kinds of clocks in include/uapi/linux/time.h.
/// Leaves out: architectures other than x86-64.
/// Checked by: tests/loop/virtual_time_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sim::loop {

/// What the clocks show. Both pairs move together.
struct VirtualClock {
  std::int64_t realtime = 0;   // nanoseconds since 1970
  std::int64_t monotonic = 0;  // nanoseconds since a start-up that never was
};

class ClockPage {
 public:
  /// Where supervised processes see it: neither Go's arenas (0xc000000000) nor what the kernel maps for a program that is not randomised lie there.
  static constexpr std::uint64_t kAddress = 0x6ff000000000;
  static constexpr std::size_t kSize = 2 * 4096;

  /// Throws std::system_error.
  ClockPage();
  ~ClockPage();
  ClockPage(const ClockPage&) = delete;
  ClockPage& operator=(const ClockPage&) = delete;

  /// The memfd; a supervised process opens it by its path in /proc.
  int descriptor() const { return descriptor_; }
  void publish(VirtualClock clock);

  // Addresses, in a supervised process, of what stands in for the vDSO.
  static std::uint64_t clock_gettime_address();
  static std::uint64_t gettimeofday_address();
  static std::uint64_t time_address();
  static std::uint64_t getrandom_address();

 private:
  int descriptor_ = -1;
  std::byte* memory_ = nullptr;
};

}  // namespace sim::loop
