/// One simulated cluster that real clients talk to: world, documents, API, network, and how their clock and ours go together.
///
/// Paced: the simulated clock follows the wall clock times `speed`; timers of real controllers are right at speed 1 only. Quiescent: the simulated clock
/// stands still while requests are on their way or watches are not drained, and jumps to the next event after `settle` of silence; real controllers'
/// own timers run on the wall clock and are wrong then. Virtual: the clients are processes under a Supervisor, which shows them the simulated clock; it
/// moves on when none of them can run. The simulation runs on the thread that calls run(); the network has its own, but in virtual time.
///
/// Source:     reference controllers-in-loop, sections 3 and 4.
/// Checked by: tests/loop/kubectl.py, tests/loop/virtual_time.py.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "sim/core/engine.hpp"
#include "sim/core/time.hpp"
#include "sim/loop/virtual_time/clock_page.hpp"

namespace sim {
class World;
}

namespace sim::loop {

class Supervisor;

enum class Coupling : std::uint8_t { kPaced, kQuiescent, kVirtual };
const char* to_string(Coupling coupling);

struct SessionOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any; in virtual time the first free one from 16443, as programs keep it in tables whose order it changes
  Coupling coupling = Coupling::kPaced;
  double speed = 1.0;
  std::chrono::milliseconds settle{200};
  std::int64_t epoch_seconds = 0;  // since 1970, of virtual time 0
  bool external_controllers = false;
  std::uint64_t seed = 1;  // in virtual time: of the server's certificates
};

struct SessionStatistics {
  std::uint64_t requests = 0;
  std::uint64_t writes = 0;
  std::uint64_t watches = 0;
  std::uint64_t refused = 0;  // answers of 400 and more
  double behind_seconds_max = 0;  // of the wall clock, in paced coupling
  std::uint64_t request_hash = 0;  // over all requests in order, with their simulated time
  // In virtual time.
  std::uint64_t steps = 0;         // of the clock
  std::uint64_t pushed_steps = 0;  // made because somebody never came to rest: what follows is not reproducible
};

/// What run() asks and tells between two steps.
struct RunHooks {
  const std::atomic<bool>* stop = nullptr;
  std::function<bool()> enough;
  std::function<void(SimTime)> progress;
  Supervisor* supervisor = nullptr;  // in virtual time
  /// A line for each request, in order: moment, client, method, URI, size of the body.
  std::function<void(std::string)> request;
  /// A line for each change of an object, in order: see ObjectLog.
  std::function<void(std::string)> object;
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
  std::uint16_t port() const;
  /// A kubeconfig with the server's certificate authority and an administrator's token.
  std::string kubeconfig() const;
  std::string ca_certificate() const;
  /// Serves until `until`, or until hooks.stop is raised, or hooks.enough says so.
  RunEnd run(SimTime until, const RunHooks& hooks);
  /// Why a run in virtual time broke off; empty otherwise.
  const std::string& failure() const;
  const SessionStatistics& statistics() const;

  /// What the clocks of supervised processes show at a moment of the simulation.
  VirtualClock clock_at(SimTime when) const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace sim::loop
