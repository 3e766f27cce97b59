/// What the process of a pod does on its machine, whatever its probes, its needs or the API say of it.
///
/// Checked by: tests/chaos/services_test.cpp.
#pragma once

#include <cstdint>

#include "sim/models/host/hosts.hpp"

namespace sim::k8s {

enum class ProcessState : std::uint8_t {
  kGone,      ///< not started, ended, or its machine does not run
  kStarting,  ///< its containers run, and one of them is not past its start-up
  kFrozen,    ///< its machine makes no progress (memory): it neither works nor answers
  kHung,      ///< it waits for a volume that does not answer; threads that touch no disk go on
  kUp,
};

struct PodProcess {
  ProcessState state = ProcessState::kGone;
  bool ended_cleanly = false;  ///< kGone because it obeyed SIGTERM or ended with exit code 0
  host::HostId host;
};

}  // namespace sim::k8s
