#include "sim/cli/interrupt.hpp"

#include <csignal>

namespace cli {

namespace {

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch lock-free atomics only");

void handle(int signal_number) {
  stop_requested.store(true);
  std::signal(signal_number, SIG_DFL);  // the next one is not argued with
}

}  // namespace

const std::atomic<bool>& stop_on_interrupt() {
  std::signal(SIGINT, handle);
  std::signal(SIGTERM, handle);
  return stop_requested;
}

}  // namespace cli
