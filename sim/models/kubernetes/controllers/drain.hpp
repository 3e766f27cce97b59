/// kubectl cordon, uncordon and drain, as an operator or a maintenance tool runs them from outside the cluster.
///
/// Source: staging/src/k8s.io/kubectl/pkg/drain (reference 2.10, 7.5).
/// Leaves out: --pod-selector, --skip-wait-for-delete-timeout, --dry-run, chunked lists. DaemonSet pods are always skipped
///             (--ignore-daemonsets; without the flag kubectl refuses every real node). While the API cannot be written the drain waits
///             and asks again 5 s later, where kubectl would give up: the people behind it would start it again.
/// Checked by: tests/models/kubernetes/controllers/drain_test.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"

namespace sim::k8s {

/// Sets or clears spec.unschedulable; the records are NodeCordoned and NodeUncordoned. kOk also when it was so already.
ApiStatus cordon(ApiServer& api, Ref<Node> node, std::string_view why);
ApiStatus uncordon(ApiServer& api, Ref<Node> node, std::string_view why);

struct DrainOptions {
  std::optional<std::int64_t> grace_period_seconds{}; ///< --grace-period; absent: each pod's own
  SimDuration timeout{};                             ///< --timeout; zero: for ever
  bool force = false;                                ///< --force: also pods without a controller
  bool delete_emptydir_data = false;                 ///< --delete-emptydir-data: also pods with local storage
  bool disable_eviction = false;                     ///< --disable-eviction: DELETE instead of eviction, budgets are not asked
  SimDuration retry_after{std::chrono::seconds(5)};  ///< after a 429
};

/// A pod that a drain could not get rid of.
struct PodLeft {
  Ref<Pod> pod{};
  Symbol subject{};  ///< "Pod/default/web-0"
  std::string why;   ///< the refusal in the API's words, "still terminating", or why the drain does not touch it
  Symbol budget{};   ///< "PodDisruptionBudget/default/web" when that refused
};

struct DrainResult {
  enum class Outcome : std::uint8_t {
    kDone,      ///< every pod that was to go is gone
    kTimedOut,  ///< DrainOptions::timeout is over; `left` says which pods and why
    kRefused,   ///< nothing was evicted: pods that need --force or --delete-emptydir-data; the node stays cordoned
    kFailed,    ///< the API refused a pod for good (more than one budget); the others are gone
    kNodeGone,  ///< the Node object disappeared
  } outcome = Outcome::kDone;
  std::size_t pods = 0;       ///< that were to go
  std::size_t refusals = 0;   ///< 429 answers
  std::vector<PodLeft> left;
  CauseId record{};           ///< the record that ended it: DrainFinished, DrainTimedOut, DrainRefused, DrainFailed
};
const char* to_string(DrainResult::Outcome outcome);

/// One `kubectl drain NODE`. Destroying it is Ctrl-C: what was evicted stays evicted, the node stays cordoned.
class Drain : public Watcher {
 public:
  using OnEnd = std::function<void(const DrainResult&)>;
  Drain(ApiServer& api, Ref<Node> node, DrainOptions options);
  ~Drain() override;
  Drain(const Drain&) = delete;
  Drain& operator=(const Drain&) = delete;

  /// Begins under the current cause: DrainStarted, cordon, evictions. `on_end` is called once, from an event of its own (never from
  /// inside start()), so that it may destroy the Drain.
  void start(OnEnd on_end);
  bool is_running() const { return running_; }
  Ref<Node> node() const { return node_; }
  /// The pods that have not gone yet, and what holds them; complete after the end as well.
  std::vector<PodLeft> left() const;
  const DrainResult& result() const { return result_; }

  void on_event(const WatchEvent& event) override;

 private:
  struct Target {
    std::uint64_t uid = 0;
    bool accepted = false;    // evicted or deleted: waits for the object to go
    bool failed = false;      // refused for good
    bool block_recorded = false;
    SimTime accepted_at{};    // its 1 s polls count from here
    std::string why;
    Symbol budget{};
    Symbol subject{};
    Timer retry;
  };

  void begin();
  void evict_pod(Ref<Pod> pod);
  void record_block(Ref<Pod> pod, Target& target, Ref<PodDisruptionBudget> budget);
  void gone(Ref<Pod> pod);
  void finish_if_all_gone();
  void finish(DrainResult::Outcome outcome);

  ApiServer& api_;
  Engine& engine_;
  Ref<Node> node_;
  Symbol node_name_{};
  DrainOptions options_;
  OnEnd on_end_;
  bool running_ = false;
  bool watching_ = false;
  std::map<Ref<Pod>, Target> targets_;  // still there
  SimTime last_seen_gone_{};            // the latest poll that saw a pod gone
  Timer timeout_;
  Timer next_;
  CauseId cause_{};
  std::vector<CauseId> blocks_;         // the EvictionBlocked records
  DrainResult result_;
};

}  // namespace sim::k8s
