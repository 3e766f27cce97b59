/// A broken invariant of Squall itself (not of the user's input): prints what and where, ends with exit code 70.
#pragma once

namespace sim {
[[noreturn]] void check_failed(const char* condition, const char* why, const char* file, int line);
}

/// On in every build. `why` says why the condition must hold.
#define SIM_CHECK(condition, why) \
  (static_cast<bool>(condition) ? void(0) : ::sim::check_failed(#condition, why, __FILE__, __LINE__))
