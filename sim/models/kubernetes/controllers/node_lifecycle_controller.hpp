/// The node lifecycle controller: says which nodes are alive, taints those that are not, and decides how fast their pods may be evicted.
///
/// It looks at all nodes every node_monitor_period, from the moment it starts. Here a look is an event only when something is due in
/// it: a node's grace period ends, a condition, label or taint changed, a node came or went. All other looks are arithmetic (LookGrid).
///
/// Source:     pkg/controller/nodelifecycle/node_lifecycle_controller.go, scheduler/rate_limited_queue.go,
///             pkg/controller/util/node/controller_utils.go (reference 2.7, 7.1, 7.8).
/// Leaves out: condition NetworkUnavailable and its taint; label reconciliation; pods that become Ready on a node that is not (no kubelet
///             would report that); the order in the zone's queue, which is arbitrary in the original, is the order in which nodes were
///             found dead. A pod of a node whose kubelet itself posts Ready=False stays as it is: only this controller's own change of
///             the condition marks pods.
/// Checked by: tests/models/kubernetes/controllers/node_lifecycle_test.cpp.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "sim/models/kubernetes/controllers/controller.hpp"
#include "sim/models/kubernetes/controllers/controller_manager.hpp"
#include "sim/models/kubernetes/controllers/pods_by_node.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"

namespace sim::k8s {

/// Where heartbeats come from: the kubelets, or a test.
class HeartbeatSource {
 public:
  virtual ~HeartbeatSource() = default;
  virtual Heartbeat heartbeat(Ref<Node> node) const = 0;
  virtual void on_heartbeat(std::function<void(Ref<Node>)> listener) = 0;
};

/// What is not a flag of kube-controller-manager.
struct NodeLifecycleTiming {
  SimDuration startup_grace{std::chrono::seconds(60)};      // node-startup-grace-period
  SimDuration taint_pass{std::chrono::milliseconds(100)};   // NodeEvictionPeriod
  SimDuration request_time{std::chrono::milliseconds(10)};  // one write, as seen in the measured trace of reference 7.8
  std::size_t workers = 8;
};

enum class ZoneState : std::uint8_t { kInitial, kNormal, kFullDisruption, kPartialDisruption };
const char* to_string(ZoneState state);
/// ComputeZoneState: all nodes not ready: Full; more than 2 and at least `unhealthy_threshold` of them: Partial.
ZoneState compute_zone_state(std::size_t ready, std::size_t not_ready, double unhealthy_threshold);

/// The instants of the looks: `period` apart, counted from the end of one to the begin of the next.
class LookGrid {
 public:
  LookGrid() = default;
  LookGrid(SimTime first, SimDuration period) : period_(period), segments_{Segment{first, kEndOfTime}} {}
  SimTime first_at_or_after(SimTime t) const;
  /// The look that began at `began` lasted until `ended`: the next one is a period after that.
  void look_lasted(SimTime began, SimTime ended);

 private:
  struct Segment {
    SimTime first;      // looks at first + k * period ...
    SimTime last_look;  // ... up to this one, which was a long one
  };
  SimDuration period_{std::chrono::seconds(5)};
  std::vector<Segment> segments_;  // the last few minutes; never empty once started
};

class NodeLifecycleController final : public Controller, public Watcher {
 public:
  /// `heartbeats` outlives it.
  NodeLifecycleController(const ControllerContext& context, HeartbeatSource& heartbeats, const ControllerManagerConfig& config,
                          NodeLifecycleTiming timing = {});
  ~NodeLifecycleController() override;

  std::string_view name() const override { return "node-lifecycle-controller"; }
  void start() override;
  void stop() override;
  void on_event(const WatchEvent& event) override;

 private:
  struct NodeState {
    Ref<Node> node{};  // Ref{}: nobody has this slot
    Symbol zone{};
    bool counted = false;                           // is one of its zone's nodes ...
    bool counted_ready = false;                     // ... and in which of the two counts
    ConditionStatus seen = ConditionStatus::kTrue;  // condition Ready at the last look
    SimTime probe{};                                // probeTimestamp; means something only while the node does not renew
    SimTime due = kEndOfTime;                       // the look that will find the grace period over
    bool needs_mark = false;                        // its Ready pods are still to be marked: nodesToRetry, or a new leader
    bool no_schedule_pending = false;
    bool no_execute_pending = false;
  };
  struct Zone {
    std::size_t ready = 0;
    std::size_t not_ready = 0;
    ZoneState state = ZoneState::kInitial;
    double rate = 0;           // nodes per second; 0: never
    SimTime token_at{};        // when the bucket (of one token) is full again
    std::deque<Ref<Node>> queue;
    Timer pass;
  };
  struct Worker {
    Ref<Node> node{};
    std::vector<Ref<Pod>> pods;
    std::size_t next_pod = 0;
  };

  // looks
  void on_heartbeat(Ref<Node> node);
  void refresh_due(NodeState& state, SimTime probe_not_before);
  void clear_due(NodeState& state);
  void want_look(Ref<Node> node);
  void schedule_look();
  void look();
  void next_node(std::size_t worker);
  bool handle(std::size_t worker, Ref<Node> node);  // false: the worker goes on later by itself
  void mark_unknown(std::size_t worker);
  void settle(NodeState& state, const Node& node);
  bool begin_marking(std::size_t worker, NodeState& state);
  void mark_next_pod(std::size_t worker);
  void finish_look();

  // zones
  Zone& zone(Symbol key);
  void count(NodeState& state, const Node& node);
  void uncount(NodeState& state);
  void handle_disruption();
  void set_zone(Symbol key, Zone& zone, ZoneState state);
  void swap_limiter(Zone& zone, double rate);
  CauseId record_zones(std::string_view kind, Symbol subject, std::string_view message, std::optional<Symbol> only_zone);

  // taints
  void add_node(Ref<Node> node, bool is_listed);
  void no_schedule_pass(Ref<Node> node);
  void write_no_schedule(Ref<Node> node);
  std::vector<Symbol> wanted_no_schedule(const Node& node) const;
  void enqueue(NodeState& state);
  void dequeue(NodeState& state);
  void schedule_pass(Symbol zone_key);
  void taint_pass(Symbol zone_key);
  void write_no_execute(Ref<Node> node);
  void remove_no_execute(Ref<Node> node);
  bool has_no_execute(const Node& node) const;

  NodeState* state_of(Ref<Node> node);
  CauseId why(Ref<Node> node) const;
  template <class Action>
  void request(Action&& action);  // one write of this client: token, then latency

  Engine& engine_;
  EventLog& log_;
  ApiServer& api_;
  ApiClient& client_;
  const WellKnown& known_;
  HeartbeatSource& heartbeats_;
  ControllerManagerConfig config_;
  NodeLifecycleTiming timing_;
  ClientBudget budget_;
  PodsByNode pods_;

  bool running_ = false;
  std::uint32_t term_ = 0;  // counts start() and stop(): what an older term has under way is void
  SimTime started_{};
  LookGrid grid_;
  std::vector<NodeState> nodes_;                      // by slot
  std::vector<CauseId> heartbeat_cause_;              // by slot; why the heartbeat last stopped or came back
  std::vector<CauseId> condition_cause_;              // by slot; why Ready last changed
  std::set<std::pair<SimTime, Ref<Node>>> due_;
  std::set<Ref<Node>> dirty_;                         // to be handled in the next look
  std::set<Ref<Node>> deferred_;                      // heartbeat changed during a look
  std::set<Ref<Node>> no_schedule_retry_;             // could not be written
  std::set<Ref<Node>> tainted_;                       // with a NoExecute taint of ours, as the watch shows it
  bool zones_changed_ = false;
  std::map<Symbol, Zone> zones_;

  bool looking_ = false;
  SimTime look_began_{SimTime::min()};
  std::vector<Ref<Node>> look_nodes_;
  std::size_t look_next_ = 0;
  std::size_t look_active_ = 0;
  std::vector<Ref<Node>> tainted_at_begin_;
  std::vector<Worker> workers_;
  Timer look_timer_;
};

}  // namespace sim::k8s
