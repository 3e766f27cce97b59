/// Ctrl-C: the first one asks the work to end and tell what it has, the second one ends the program.
#pragma once

#include <atomic>

namespace cli {

/// Installs the handlers of SIGINT and SIGTERM. The flag is raised by the first signal.
const std::atomic<bool>& stop_on_interrupt();

/// Exit codes of the program.
inline constexpr int kOk = 0;
inline constexpr int kExpectationFailed = 1;
inline constexpr int kWrongInput = 2;
inline constexpr int kCannotWrite = 3;
inline constexpr int kInterrupted = 130;

}  // namespace cli
