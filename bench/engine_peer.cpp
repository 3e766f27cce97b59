/// One measurement in one process, for comparisons with other engines that are interleaved and pinned to a processor.
///
///   engine_peer hold|cancel|proc N      engine_peer phold MESSAGES      engine_peer hold N MIX
///
/// prints RESULT,squall,<work>,<N>,<events>,<cpu s>,<wall s>,<bytes of resident memory per pending event or process>.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include "bench/engine_work.hpp"

namespace {

double read_clock(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

double resident_bytes() {
  long size = 0;
  long resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld %ld", &size, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

template <class Work, class... Arguments>
void measure(const char* name, double n, std::uint64_t warm_up, std::uint64_t steps, Arguments... arguments) {
  const double before = resident_bytes();
  auto work = std::make_unique<Work>(arguments...);
  work->run(warm_up);
  const double bytes = (resident_bytes() - before) / n;
  const double cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  const double wall = read_clock(CLOCK_MONOTONIC);
  work->run(steps);
  std::printf("RESULT,squall,%s,%.0f,%llu,%.6f,%.6f,%.1f\n", name, n, static_cast<unsigned long long>(steps),
              read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu, read_clock(CLOCK_MONOTONIC) - wall, bytes);
  std::fflush(stdout);
  std::_Exit(0);  // freeing ten million events would be waited for
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: engine_peer hold|cancel|phold|proc N [MIX 0-6]\n");
    return 2;
  }
  const std::string_view work = argv[1];
  const double size = std::atof(argv[2]);
  const auto n = static_cast<std::size_t>(size);
  if (work == "hold") {
    const int mix = argc > 3 ? std::atoi(argv[3]) : 0;
    measure<bench::Hold>("hold", size, std::max<std::uint64_t>(200'000, 2 * n), size >= 1e6 ? 3'000'000 : 5'000'000, n,
                         static_cast<bench::Mix>(mix));
  } else if (work == "cancel") {
    measure<bench::Cancel>("cancel", size, std::max<std::uint64_t>(200'000, 20 * n), 3'000'000, n);
  } else if (work == "phold") {
    measure<bench::Phold>(n == 1 ? "phold1" : "phold16", size * bench::Phold::kProcesses, 300'000, 5'000'000, static_cast<unsigned>(n));
  } else if (work == "proc") {
    measure<bench::Sleepers>("proc", size, n > 400'000 ? 2 * n : 500'000, 5'000'000, n);
  }
  return 2;
}
