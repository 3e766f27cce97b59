/// One simulated cluster that real clients talk to: world, documents, API, network, and how their clock and ours go together.
///
/// Paced: the simulated clock follows the wall clock times `speed`; timers of real controllers are right at speed 1 only. Quiescent: the simulated clock
/// stands still while requests are on their way or watches are not drained, and jumps to the next event after `settle` of silence; real controllers'
/// own timers run on the wall clock and are wrong then. The simulation runs on the thread that calls run(); the network has its own.
///
/// Source:     reference controllers-in-loop, section 3.
/// Leaves out: virtual time for unmodified binaries (ptrace).
/// Checked by: tests/loop/kubectl.py.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "sim/core/engine.hpp"
#include "sim/core/time.hpp"

namespace sim {
class World;
}

namespace sim::loop {

enum class Coupling : std::uint8_t { kPaced, kQuiescent };
const char* to_string(Coupling coupling);

struct SessionOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  Coupling coupling = Coupling::kPaced;
  double speed = 1.0;
  std::chrono::milliseconds settle{200};
  std::int64_t epoch_seconds = 0;  // since 1970, of virtual time 0
  bool external_controllers = false;
};

struct SessionStatistics {
  std::uint64_t requests = 0;
  std::uint64_t writes = 0;
  std::uint64_t watches = 0;
  std::uint64_t refused = 0;  // answers of 400 and more
  double behind_seconds_max = 0;  // of the wall clock, in paced coupling
};

class Session {
 public:
  Session(World& world, SessionOptions options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Listens; the reason when it cannot.
  std::string start();
  std::string url() const;
  /// A kubeconfig with the server's certificate authority and an administrator's token.
  std::string kubeconfig() const;
  std::string ca_certificate() const;
  /// Serves until `until`, or until `stop` is raised, or (asked between two steps) `enough` says so.
  RunEnd run(SimTime until, const std::atomic<bool>* stop, const std::function<bool()>& enough = {}, const std::function<void(SimTime)>& progress = {});
  const SessionStatistics& statistics() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sim::loop
