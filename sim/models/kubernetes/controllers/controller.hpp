/// What every control loop of kube-controller-manager shares: a work queue with back-off, a client with a QPS limit, start and stop
/// with the leader lease.
///
/// Source: client-go util/workqueue (default rate limiter 5 ms * 2^n up to 1000 s per item), controller defaults QPS 20, burst 30 per controller
///         (reference chapter 2).
/// Leaves out: stale informer caches (a sync reads fresh state one watch latency late); parallel workers (a queue has one, whose syncs take
///         no time beyond what the client's budget imposes).
/// Checked by: tests/models/kubernetes/controllers/controller_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"

namespace sim::k8s {

struct ControllerContext {
  Engine& engine;
  EventLog& log;
  const Randomness& random;
  ApiServer& api;
  ApiClient* way = nullptr;  ///< of the controller-manager to the API; none: nothing cuts it off
  double client_qps = 20;    ///< --kube-api-qps: requests a second of each controller's own client
  double client_burst = 30;  ///< --kube-api-burst

  ApiClient& client() const { return way != nullptr ? *way : api.direct_client(); }
};

/// The token bucket of a client: `qps` per second, up to `burst` at once. A write beyond it waits.
class ClientBudget {
 public:
  ClientBudget(Engine& engine, double qps = 20, double burst = 30) : engine_(engine), qps_(qps), burst_(burst), tokens_(burst) {}
  /// The budget of one controller; `factor`: of its requests a second (the garbage collector has twice the others').
  explicit ClientBudget(const ControllerContext& context, double factor = 1) : ClientBudget(context.engine, factor * context.client_qps, context.client_burst) {}
  /// Takes one token, even one that is not there yet. Returns how long the call waits for it.
  SimDuration take();
  /// How long until a token is there.
  SimDuration wait() const;

 private:
  void refill();
  Engine& engine_;
  double qps_;
  double burst_;
  double tokens_;
  SimTime refilled_{};
};

/// Keys that wait for a sync, each at most once; handled one by one in the order of arrival, slowed down by the client's budget.
class WorkQueue {
 public:
  using Sync = std::function<void(ObjectRef)>;
  WorkQueue(Engine& engine, ClientBudget& budget, Sync sync);
  ~WorkQueue() { clear(); }
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  /// The key's next sync runs under the current cause (the latest add that has one wins).
  void add(ObjectRef key);
  void add_after(ObjectRef key, SimDuration delay);  ///< the earlier of two pending delays wins
  void add_rate_limited(ObjectRef key);
  void forget(ObjectRef key);  ///< resets the key's back-off
  bool empty() const { return queued_.empty(); }
  void clear();                ///< stops everything (leadership lost)

 private:
  void pump();
  struct Item {
    ObjectRef key;
    CauseId cause;
  };
  Engine& engine_;
  ClientBudget& budget_;
  Sync sync_;
  std::vector<Item> queue_;
  std::size_t head_ = 0;
  std::map<ObjectRef, CauseId> queued_;
  std::map<ObjectRef, TimerId> delayed_;
  std::map<ObjectRef, SimTime> delayed_until_;
  std::map<ObjectRef, std::uint32_t> failures_;
  TimerId pump_timer_{};
};

class Controller {
 public:
  virtual ~Controller() = default;
  virtual std::string_view name() const = 0;
  /// The leader lease was gained: look at everything anew. Watches are opened here.
  virtual void start() = 0;
  /// The lease was lost: no action until start().
  virtual void stop() = 0;
  /// The clock of its process is wrong by this much from now on. Most controllers measure spans only.
  virtual void set_clock_skew(SimDuration) {}
};

}  // namespace sim::k8s
