#include "sim/loop/virtual_time/clock_page.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

// Position-independent but for the address of the page. Layout of the numbers: realtime seconds, nanoseconds, monotonic seconds, nanoseconds.
// Bits of the kinds of clocks: realtime, its coarse form, its alarm, TAI (0, 5, 8, 11); monotonic, raw, coarse, boot time, its alarm (1, 4, 6, 7, 9).
// CPU clocks and clocks of devices go on to the kernel.
asm(R"(
    .pushsection .rodata
    .balign 64
squall_clock_code:
squall_clock_gettime:
    movabs $0x6ff000000000, %rax
    cmp $11, %edi
    ja 2f
    mov $0x921, %ecx
    bt %edi, %ecx
    jc 1f
    mov $0x2d2, %ecx
    bt %edi, %ecx
    jnc 2f
    add $16, %rax
1:  mov (%rax), %rcx
    mov 8(%rax), %rdx
    mov %rcx, (%rsi)
    mov %rdx, 8(%rsi)
    xor %eax, %eax
    ret
2:  mov $228, %eax
    syscall
    ret
    .balign 16
squall_gettimeofday:
    movabs $0x6ff000000000, %r8
    test %rdi, %rdi
    jz 3f
    mov (%r8), %rax
    mov %rax, (%rdi)
    mov 8(%r8), %rax
    xor %edx, %edx
    mov $1000, %ecx
    div %rcx
    mov %rax, 8(%rdi)
3:  test %rsi, %rsi
    jz 4f
    movq $0, (%rsi)
4:  xor %eax, %eax
    ret
    .balign 16
squall_time:
    movabs $0x6ff000000000, %rax
    mov (%rax), %rax
    test %rdi, %rdi
    jz 5f
    mov %rax, (%rdi)
5:  ret
    .balign 16
squall_getrandom:
    mov $-38, %rax
    ret
squall_clock_code_end:
    .popsection
)");

extern "C" {
[[gnu::visibility("hidden")]] extern const char squall_clock_code[];
[[gnu::visibility("hidden")]] extern const char squall_clock_gettime[];
[[gnu::visibility("hidden")]] extern const char squall_gettimeofday[];
[[gnu::visibility("hidden")]] extern const char squall_time[];
[[gnu::visibility("hidden")]] extern const char squall_getrandom[];
[[gnu::visibility("hidden")]] extern const char squall_clock_code_end[];
}

namespace sim::loop {

namespace {

constexpr std::size_t kCodeAt = 4096;
constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

std::uint64_t address_of(const char* symbol) { return ClockPage::kAddress + kCodeAt + static_cast<std::uint64_t>(symbol - squall_clock_code); }

}  // namespace

ClockPage::ClockPage() {
  const auto fail = [](const char* what) { throw std::system_error(errno, std::generic_category(), what); };
  descriptor_ = ::memfd_create("squall-clock", MFD_CLOEXEC);
  if (descriptor_ < 0) fail("memfd_create");
  if (::ftruncate(descriptor_, static_cast<off_t>(kSize)) != 0) fail("ftruncate");
  void* const mapped = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  if (mapped == MAP_FAILED) fail("mmap");
  memory_ = static_cast<std::byte*>(mapped);
  std::memcpy(memory_ + kCodeAt, squall_clock_code, static_cast<std::size_t>(squall_clock_code_end - squall_clock_code));
}

ClockPage::~ClockPage() {
  if (memory_ != nullptr) ::munmap(memory_, kSize);
  if (descriptor_ >= 0) ::close(descriptor_);
}

void ClockPage::publish(VirtualClock clock) {
  const std::int64_t numbers[] = {clock.realtime / kNanosecondsPerSecond, clock.realtime % kNanosecondsPerSecond, clock.monotonic / kNanosecondsPerSecond,
                                  clock.monotonic % kNanosecondsPerSecond};
  std::memcpy(memory_, numbers, sizeof numbers);
}

std::uint64_t ClockPage::clock_gettime_address() { return address_of(squall_clock_gettime); }
std::uint64_t ClockPage::gettimeofday_address() { return address_of(squall_gettimeofday); }
std::uint64_t ClockPage::time_address() { return address_of(squall_time); }
std::uint64_t ClockPage::getrandom_address() { return address_of(squall_getrandom); }

}  // namespace sim::loop
