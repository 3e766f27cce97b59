#include "sim/core/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace sim {

void check_failed(const char* condition, const char* why, const char* file, int line) {
  constexpr int kSoftwareError = 70;  // EX_SOFTWARE of sysexits.h
  std::fprintf(stderr, "squall: internal error at %s:%d: %s (%s)\nThis is a bug in Squall: please report it with the scenario and the seed.\n",
               file, line, condition, why);
  std::fflush(stderr);
  std::_Exit(kSoftwareError);
}

}  // namespace sim
