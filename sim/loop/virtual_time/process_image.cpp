#include "sim/loop/virtual_time/process_image.hpp"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "sim/loop/virtual_time/tracee.hpp"

namespace sim::loop {

namespace {

struct Auxiliary {
  std::uint64_t vdso = 0;
  std::uint64_t random = 0;
};

Auxiliary read_auxiliary(pid_t process) {
  Auxiliary result;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(fmt::format("/proc/{}/auxv", process).c_str(), "rb"), &std::fclose);
  Elf64_auxv_t entry{};
  while (file && std::fread(&entry, sizeof entry, 1, file.get()) == 1) {
    if (entry.a_type == AT_SYSINFO_EHDR) result.vdso = entry.a_un.a_val;
    if (entry.a_type == AT_RANDOM) result.random = entry.a_un.a_val;
  }
  return result;
}

/// Offsets of the functions of the vDSO; 0: not there.
struct VdsoFunctions {
  std::uint64_t clock = 0;
  std::uint64_t time_of_day = 0;
  std::uint64_t time = 0;
  std::uint64_t getrandom = 0;
};

template <typename T>
std::optional<T> part(std::span<const std::byte> image, std::uint64_t at) {
  if (at > image.size() || image.size() - at < sizeof(T)) return std::nullopt;
  T value{};
  std::memcpy(&value, image.data() + at, sizeof value);
  return value;
}

VdsoFunctions find_functions(std::span<const std::byte> image) {
  VdsoFunctions result;
  const std::optional<Elf64_Ehdr> header = part<Elf64_Ehdr>(image, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return result;
  for (unsigned i = 0; i < header->e_shnum; ++i) {
    const auto section = part<Elf64_Shdr>(image, header->e_shoff + i * sizeof(Elf64_Shdr));
    if (!section || section->sh_type != SHT_DYNSYM) continue;
    const auto names = part<Elf64_Shdr>(image, header->e_shoff + section->sh_link * sizeof(Elf64_Shdr));
    if (!names) continue;
    for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= section->sh_size; at += sizeof(Elf64_Sym)) {
      const auto symbol = part<Elf64_Sym>(image, section->sh_offset + at);
      if (!symbol || symbol->st_value == 0 || names->sh_offset + symbol->st_name >= image.size()) continue;
      const char* const text = reinterpret_cast<const char*>(image.data()) + names->sh_offset + symbol->st_name;
      const std::string_view name(text, ::strnlen(text, image.size() - names->sh_offset - symbol->st_name));
      if (name == "__vdso_clock_gettime") result.clock = symbol->st_value;
      if (name == "__vdso_gettimeofday") result.time_of_day = symbol->st_value;
      if (name == "__vdso_time") result.time = symbol->st_value;
      if (name == "__vdso_getrandom") result.getrandom = symbol->st_value;
    }
  }
  return result;
}

/// movabs $to, %rax; jmp *%rax
bool write_jump(pid_t process, std::uint64_t at, std::uint64_t to) {
  std::array<std::byte, 12> code{std::byte{0x48}, std::byte{0xb8}};
  std::memcpy(code.data() + 2, &to, sizeof to);
  code[10] = std::byte{0xff};
  code[11] = std::byte{0xe0};
  return write_memory(process, at, code);
}

}  // namespace

std::string prepare_image(pid_t process, const ClockPage& page, const ImageOptions& options) {
  Registers registers{};
  if (!read_registers(process, registers)) return {};
  constexpr std::uint64_t kCode64 = 0x33;
  if (registers.cs != kCode64) return "is a 32-bit program, which virtual time does not know";
  const Auxiliary auxiliary = read_auxiliary(process);
  if (auxiliary.vdso == 0) return "has no vDSO whose clocks could be replaced";
  {
    Injection injection(process);
    if (!injection.is_ready()) return {};
    const std::string path = fmt::format("/proc/{}/fd/{}", ::getpid(), page.descriptor());
    if (!write_memory(process, injection.scratch_address(), std::as_bytes(std::span(path.c_str(), path.size() + 1)))) return {};
    const auto opened = injection.call(SYS_openat, {static_cast<std::uint64_t>(AT_FDCWD), injection.scratch_address(), O_RDONLY | O_CLOEXEC, 0, 0, 0});
    if (!opened) return {};
    if (*opened < 0) return fmt::format("cannot open the clock page: {}", std::strerror(static_cast<int>(-*opened)));
    const auto mapped = injection.call(SYS_mmap, {ClockPage::kAddress, ClockPage::kSize, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE, static_cast<std::uint64_t>(*opened), 0});
    if (!mapped) return {};
    if (*mapped != static_cast<std::int64_t>(ClockPage::kAddress)) return "cannot map the clock page";
    if (!injection.call(SYS_close, {static_cast<std::uint64_t>(*opened), 0, 0, 0, 0, 0})) return {};
    if (options.trap_tsc && !injection.call(SYS_prctl, {PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0, 0})) return {};
  }
  std::vector<std::byte> image(4 * 4096);
  while (!read_memory(process, auxiliary.vdso, image)) {
    if (image.size() <= 4096) return "its vDSO cannot be read";
    image.resize(image.size() - 4096);
  }
  const VdsoFunctions functions = find_functions(image);
  if (functions.clock == 0) return "has a vDSO without a clock";
  bool written = write_jump(process, auxiliary.vdso + functions.clock, ClockPage::clock_gettime_address());
  if (functions.time_of_day != 0) written = written && write_jump(process, auxiliary.vdso + functions.time_of_day, ClockPage::gettimeofday_address());
  if (functions.time != 0) written = written && write_jump(process, auxiliary.vdso + functions.time, ClockPage::time_address());
  if (functions.getrandom != 0) written = written && write_jump(process, auxiliary.vdso + functions.getrandom, ClockPage::getrandom_address());
  if (auxiliary.random != 0) written = written && write_memory(process, auxiliary.random, options.random);
  return written ? std::string() : std::string("its memory cannot be written");
}

}  // namespace sim::loop
