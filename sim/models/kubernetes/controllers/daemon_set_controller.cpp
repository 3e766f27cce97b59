/// DaemonSet controller: one pod on each node that should have one.
///
/// Source: pkg/controller/daemon/{daemon_controller,update}.go (reference chapter 2.4).
/// Leaves out: ControllerRevision objects and their history; status.numberMisscheduled.
/// Differs: nodes are updated in a random order of the set's own, where Kubernetes takes the order of a Go map.
/// Checked by: tests/models/kubernetes/controllers/daemon_set_test.cpp.
///
/// Only nodes about which something changed are looked at; the counters of the status are sums of what each node gave last.

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "sim/models/kubernetes/controllers/daemon_set_placement.hpp"
#include "sim/models/kubernetes/controllers/pod_factory.hpp"
#include "sim/models/kubernetes/controllers/workload_controller.hpp"
#include "sim/models/kubernetes/controllers/workload_controllers.hpp"

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBurstReplicas = 250;  // creations, and deletions, in one sync
constexpr SimDuration kFailedPodBackoffBase = 1s;
constexpr SimDuration kFailedPodBackoffCap = 15min;

class DaemonSetController final : public WorkloadController<DaemonSet> {
 public:
  explicit DaemonSetController(const ControllerContext& context) : WorkloadController(context), factory_(context) {}

  std::string_view name() const override { return "daemonset-controller"; }

 private:
  /// What one node gives to the status.
  struct Share {
    std::int64_t desired = 0;
    std::int64_t current = 0;
    std::int64_t ready = 0;
    std::int64_t available = 0;
    std::int64_t updated = 0;
    std::int64_t unavailable = 0;  // counts against maxUnavailable
    std::int64_t surged = 0;       // counts against maxSurge

    Share& operator+=(const Share& other) {
      desired += other.desired;
      current += other.current;
      ready += other.ready;
      available += other.available;
      updated += other.updated;
      unavailable += other.unavailable;
      surged += other.surged;
      return *this;
    }
    Share& operator-=(const Share& other) {
      desired -= other.desired;
      current -= other.current;
      ready -= other.ready;
      available -= other.available;
      updated -= other.updated;
      unavailable -= other.unavailable;
      surged -= other.surged;
      return *this;
    }
  };
  /// What a rolling update may do on a node.
  enum class Step : std::uint8_t {
    kNone,
    kWhenAllowed,  // an available pod of an earlier template: replaced as the limits allow
    kAtOnce,       // an unavailable one: it is no use, so no limit holds it
    kDropOld,      // surge: the new pod is available beside the old one
  };
  struct NodeRecord {
    bool should_run = false;
    bool should_continue = false;
    std::vector<Ref<Pod>> pods;  // oldest first
    Share share;
    Step step = Step::kNone;
    CauseId why;                 // of the newest change
    SimDuration backoff{};       // after failed pods
    SimTime backoff_since{};
    std::uint64_t order = 0;     // in rolling updates
  };
  struct State {
    std::uint64_t generation = 0;          // of the DaemonSet that the records are for
    PodTemplate from;                      // with the daemon tolerations
    Symbol revision;                       // value of the label controller-revision-hash
    std::map<Symbol, NodeRecord> nodes;    // by node name: nodes that exist, or have pods
    std::set<Symbol> dirty;
    Share total;
    std::set<std::pair<std::uint64_t, Symbol>> candidates;  // nodes with Step::kWhenAllowed, in the order of the update
    std::set<Symbol> at_once;                               // nodes with another step
  };

  void open_watches() override { client_.watch({Kind::kDaemonSet, Kind::kPod, Kind::kNode}, *this); }
  void on_stop() override { states_.clear(); }
  void sync_gone(ObjectRef key) override {
    factory_.forget(key);
    states_.erase(key);
  }

  void on_own_event(const WatchEvent& event) override {
    // Its own status write tells the controller nothing new.
    if (event.type == WatchEvent::Type::kModified && event.changes == Change::kStatus) return;
    queue_.add(event.object);
  }

  void mark(ObjectRef key, State& state, Symbol node) {
    state.dirty.insert(node);
    if (engine_.cause()) state.nodes[node].why = engine_.cause();
    queue_.add(key);
  }

  void on_pod_event(const WatchEvent& event, const OwnedPods::Concerned& concerned) override {
    if (!concerned.owner) return;
    if (event.type == WatchEvent::Type::kModified && !has(event.changes, pod_changes_)) return;
    const auto state = states_.find(concerned.owner);
    if (state == states_.end()) {
      queue_.add(concerned.owner);
      return;
    }
    const Pod* pod = event.type == WatchEvent::Type::kDeleted ? &event.last_state<Pod>() : api_.get(event.ref<Pod>());
    if (pod == nullptr) return;
    const Symbol node = target_node(*pod, api_.well_known());
    if (event.type != WatchEvent::Type::kDeleted) note_pod(state->second, node, event.ref<Pod>());
    mark(concerned.owner, state->second, node);
  }

  void on_other_event(const WatchEvent& event) override {
    if (event.type == WatchEvent::Type::kModified && !has(event.changes, Change::kLabels | Change::kTaints)) return;
    const Node* node = event.type == WatchEvent::Type::kDeleted ? nullptr : api_.get(event.ref<Node>());
    if (node == nullptr && event.type != WatchEvent::Type::kDeleted) return;
    const Symbol node_name = node == nullptr ? event.last_state<Node>().meta.name : node->meta.name;
    for (auto& [key, state] : states_) {
      if (event.type == WatchEvent::Type::kModified) {
        const DaemonPlacement now = place_daemon_pod(*node, *state.from.spec, api_.well_known(), api_.names());
        const auto record = state.nodes.find(node_name);
        if (record != state.nodes.end() && record->second.should_run == now.should_run &&
            record->second.should_continue == now.should_continue_running) {
          continue;
        }
      }
      mark(key, state, node_name);
    }
  }

  static void note_pod(State& state, Symbol node, Ref<Pod> pod) {
    std::vector<Ref<Pod>>& pods = state.nodes[node].pods;
    if (std::find(pods.begin(), pods.end(), pod) == pods.end()) pods.push_back(pod);
  }

  /// The state for the DaemonSet as it is now; after a change of its spec every node is looked at anew.
  State& state_of(Ref<DaemonSet> ref) {
    const DaemonSet& set = *api_.get(ref);
    const auto [place, is_new] = states_.try_emplace(key_of(ref));
    State& state = place->second;
    if (!is_new && state.generation == set.meta.generation) return state;
    state.generation = set.meta.generation;
    state.from = set.pod_template;
    auto spec = std::make_shared<PodSpec>(*set.pod_template.spec);
    add_daemon_tolerations(*spec, api_.well_known());
    state.from.spec = std::move(spec);
    state.revision = api_.names().intern(encoded_hash(set.pod_template.hash));
    pods_.for_each(key_of(ref), [&](Ref<Pod> pod_ref, const Pod& pod) { note_pod(state, target_node(pod, api_.well_known()), pod_ref); });
    api_.all<Node>().for_each([&](Ref<Node>, const Node& node) { state.dirty.insert(node.meta.name); });
    for (const auto& [node, record] : state.nodes) state.dirty.insert(node);
    return state;
  }

  bool is_available(const DaemonSet& set, const Pod& pod) const {
    return pod.ready && pod.ready_since + std::chrono::seconds(set.min_ready_seconds) <= engine_.now();
  }
  bool is_updated(const State& state, const Pod& pod) const {
    return pod.meta.labels.find(api_.well_known().controller_revision_hash) == state.revision;
  }
  struct Limits {
    std::int64_t surge = 0;
    std::int64_t unavailable = 0;
  };
  static Limits limits_of(const DaemonSet& set, std::int64_t desired) {
    Limits limits{set.max_surge.of(desired, true), set.max_unavailable.of(desired, true)};
    if (limits.surge == 0 && limits.unavailable == 0) limits.unavailable = 1;
    return limits;
  }
  static bool allows_surge(const DaemonSet& set) { return !set.on_delete && set.max_surge.value > 0; }

  /// Brings one node's record up to date. False when nothing is left of the node.
  bool evaluate(Ref<DaemonSet> ref, State& state, Symbol node_name) {
    const DaemonSet& set = *api_.get(ref);
    NodeRecord& record = state.nodes[node_name];
    state.total -= record.share;
    record.share = Share{};
    state.candidates.erase({record.order, node_name});
    state.at_once.erase(node_name);
    record.step = Step::kNone;
    // A pod that has ended and is being deleted is as good as gone.
    std::erase_if(record.pods, [&](Ref<Pod> pod_ref) {
      const Pod* pod = api_.get(pod_ref);
      return pod == nullptr || (pod->meta.is_deleting() && pod->is_terminal());
    });
    const Node* node = api_.get(api_.find<Node>(Symbol{}, node_name));
    const DaemonPlacement placement =
        node == nullptr ? DaemonPlacement{} : place_daemon_pod(*node, *state.from.spec, api_.well_known(), api_.names());
    record.should_run = placement.should_run;
    record.should_continue = placement.should_continue_running;
    if (node == nullptr && record.pods.empty()) {
      state.nodes.erase(node_name);
      return false;
    }
    if (record.should_run) {
      record.share.desired = 1;
      if (!record.pods.empty()) {
        const Pod& oldest = *api_.get(record.pods.front());
        record.share.current = 1;
        record.share.ready = oldest.ready ? 1 : 0;
        record.share.available = is_available(set, oldest) ? 1 : 0;
        record.share.updated = is_updated(state, oldest) ? 1 : 0;
      }
    }
    for (const Ref<Pod> pod_ref : record.pods) {
      const Pod& pod = *api_.get(pod_ref);
      if (!pod.ready || is_available(set, pod)) continue;
      after(pod.ready_since + std::chrono::seconds(set.min_ready_seconds) - engine_.now(), [this, key = key_of(ref), node_name] {
        const auto found = states_.find(key);
        if (found == states_.end()) return;
        found->second.dirty.insert(node_name);
        queue_.add(key);
      });
    }
    plan_step(set, state, node_name, record);
    state.total += record.share;
    return true;
  }

  struct Versions {
    Ref<Pod> new_pod;
    Ref<Pod> old_pod;
    bool twice = false;  // two pods of one version
  };
  Versions versions_of(const State& state, const NodeRecord& record) const {
    Versions versions;
    for (const Ref<Pod> pod_ref : record.pods) {
      const Pod& pod = *api_.get(pod_ref);
      if (pod.meta.is_deleting()) continue;
      Ref<Pod>& slot = is_updated(state, pod) ? versions.new_pod : versions.old_pod;
      versions.twice = versions.twice || slot;
      slot = pod_ref;
    }
    return versions;
  }

  /// What the node means to a rolling update: its part of what is unavailable or surged, and the step that is due there.
  void plan_step(const DaemonSet& set, State& state, Symbol node_name, NodeRecord& record) {
    if (!record.should_run && record.pods.empty()) return;
    const auto [new_pod, old_pod, twice] = versions_of(state, record);
    const bool new_available = new_pod && is_available(set, *api_.get(new_pod));
    const bool old_available = old_pod && is_available(set, *api_.get(old_pod));
    if (allows_surge(set)) {
      if (twice) {
        record.share.surged = 1;
      } else if (old_pod && new_pod) {
        record.step = new_available ? Step::kDropOld : Step::kNone;
        record.share.surged = new_available ? 0 : 1;
      } else if (old_pod) {
        record.step = old_available ? Step::kWhenAllowed : Step::kAtOnce;
      }
    } else if (twice || static_cast<bool>(old_pod) == static_cast<bool>(new_pod)) {
      record.share.unavailable = 1;
    } else if (new_pod) {
      record.share.unavailable = new_available ? 0 : 1;
    } else {
      record.share.unavailable = old_available ? 0 : 1;
      record.step = old_available ? Step::kWhenAllowed : Step::kAtOnce;
    }
    if (record.step == Step::kWhenAllowed) {
      state.candidates.insert({order_of(set, record, node_name), node_name});
    } else if (record.step != Step::kNone) {
      state.at_once.insert(node_name);
    }
  }

  struct Plan {
    std::vector<Symbol> create;    // on these nodes
    std::vector<Ref<Pod>> remove;
  };

  void sync(Ref<DaemonSet> ref) override {
    adopt(ref);
    const ObjectRef key = key_of(ref);
    State& state = state_of(ref);
    const DaemonSet& set = *api_.get(ref);
    const bool acts = !set.meta.is_deleting() && !is_bursting(key);
    Plan plan;
    std::set<Symbol> later;
    for (const Symbol node : std::exchange(state.dirty, {})) {
      if (!evaluate(ref, state, node)) continue;
      if (!acts || plan.create.size() >= kBurstReplicas || plan.remove.size() >= kBurstReplicas) {
        later.insert(node);
        continue;
      }
      manage(ref, state, node, plan);
    }
    state.dirty.merge(later);
    if (acts) {
      if (plan.create.empty() && plan.remove.empty() && !set.on_delete) roll(set, state, plan);
      apply(ref, std::move(plan));
    }
    update_status(ref, state);
  }

  void manage(Ref<DaemonSet> ref, State& state, Symbol node_name, Plan& plan) {
    const DaemonSet& set = *api_.get(ref);
    NodeRecord& record = state.nodes[node_name];
    if (record.should_run && record.pods.empty()) {
      plan.create.push_back(node_name);
      return;
    }
    if (!record.should_continue) {
      const bool node_exists = static_cast<bool>(api_.find<Node>(Symbol{}, node_name));
      for (const Ref<Pod> pod_ref : record.pods) {
        const Pod& pod = *api_.get(pod_ref);
        // Bound pods of a node that is gone are the pod garbage collector's.
        if (!pod.meta.is_deleting() && (node_exists || !pod.node_name)) plan.remove.push_back(pod_ref);
      }
      return;
    }
    std::vector<Ref<Pod>> running;
    for (const Ref<Pod> pod_ref : record.pods) {
      const Pod& pod = *api_.get(pod_ref);
      if (pod.meta.is_deleting()) continue;
      if (!pod.is_terminal()) {
        running.push_back(pod_ref);
        continue;
      }
      const bool failed = pod.phase == PodPhase::kFailed;
      if (failed && waits_after_failure(key_of(ref), record)) {
        state.dirty.insert(node_name);
        continue;
      }
      const ScopedCause because(engine_, pod.meta.cause);
      const CauseId found = api_.record(ref, failed ? "FailedDaemonPod" : "SucceededDaemonPod",
                                        fmt::format("Found {} daemon pod {}/{} on node {}, will try to {} it", failed ? "failed" : "succeeded",
                                                    api_.names().text(pod.meta.ns), api_.names().text(pod.meta.name),
                                                    api_.names().text(node_name), failed ? "kill" : "delete"));
      record.why = found;
      plan.remove.push_back(pod_ref);
    }
    if (running.size() <= 1) return;
    if (!allows_surge(set)) {
      plan.remove.insert(plan.remove.end(), running.begin() + 1, running.end());
      return;
    }
    Ref<Pod> newest_kind;
    Ref<Pod> old_kind;
    for (const Ref<Pod> pod_ref : running) {
      Ref<Pod>& slot = is_updated(state, *api_.get(pod_ref)) ? newest_kind : old_kind;
      if (slot) {
        plan.remove.push_back(pod_ref);
      } else {
        slot = pod_ref;
      }
    }
    if (newest_kind && old_kind && (!is_available(set, *api_.get(old_kind)) || is_available(set, *api_.get(newest_kind)))) {
      plan.remove.push_back(old_kind);
    }
  }

  /// Source: client-go util/flowcontrol/backoff.go; 1 s doubled up to 15 min, forgotten after twice that.
  bool waits_after_failure(ObjectRef key, NodeRecord& record) {
    const SimDuration since = engine_.now() - record.backoff_since;
    const bool known = record.backoff > SimDuration{} && since <= 2 * kFailedPodBackoffCap;
    if (known && since < record.backoff) {
      queue_.add_after(key, record.backoff - since);
      return true;
    }
    record.backoff = known ? std::min<SimDuration>(2 * record.backoff, kFailedPodBackoffCap) : kFailedPodBackoffBase;
    record.backoff_since = engine_.now();
    return false;
  }

  std::uint64_t order_of(const DaemonSet& set, NodeRecord& record, Symbol node_name) {
    if (record.order == 0) {
      const Interner& names = api_.names();
      record.order = 1 + (random_.stream("daemonset-update-order", fmt::format("{}/{}@{}", names.text(set.meta.ns), names.text(set.meta.name),
                                                                               names.text(node_name)))
                              .next() >>
                          1);
    }
    return record.order;
  }

  void roll(const DaemonSet& set, State& state, Plan& plan) {
    if (state.candidates.empty() && state.at_once.empty()) return;
    const bool surges = allows_surge(set);
    const Limits limits = limits_of(set, state.total.desired);
    const auto replace = [&](Symbol node_name) {
      NodeRecord& record = state.nodes[node_name];
      if (surges && record.step != Step::kDropOld) {
        record.why = engine_.cause();  // the change of the template, not what happened to the node before
        plan.create.push_back(node_name);
      } else {
        plan.remove.push_back(versions_of(state, record).old_pod);
      }
    };
    for (const Symbol node_name : state.at_once) {
      if (plan.create.size() < kBurstReplicas && plan.remove.size() < kBurstReplicas) replace(node_name);
    }
    std::int64_t left = surges ? limits.surge - state.total.surged : limits.unavailable - state.total.unavailable;
    for (const auto& [order, node_name] : state.candidates) {
      if (left-- <= 0 || plan.create.size() >= kBurstReplicas || plan.remove.size() >= kBurstReplicas) break;
      replace(node_name);
    }
  }

  void apply(Ref<DaemonSet> ref, Plan plan) {
    const auto removals = static_cast<std::int64_t>(plan.remove.size());
    const auto creations = static_cast<std::int64_t>(plan.create.size());
    at_once(key_of(ref), removals, [this, ref, victims = std::move(plan.remove)](std::int64_t i) { return remove_pod(ref, victims[static_cast<std::size_t>(i)]); });
    create_pods(key_of(ref), creations, [this, ref, nodes = std::move(plan.create)](std::int64_t i, const CreateReview& review) {
      return create_pod(ref, nodes[static_cast<std::size_t>(i)], review);
    });
  }

  bool create_pod(Ref<DaemonSet> ref, Symbol node_name, const CreateReview& review) {
    const DaemonSet* set = api_.get(ref);
    const auto found = states_.find(key_of(ref));
    if (set == nullptr || set->meta.is_deleting() || found == states_.end()) return true;
    State& state = found->second;
    Interner& names = api_.names();
    const ScopedCause because(engine_, state.nodes[node_name].why);
    if (!review.allowed) {
      state.dirty.insert(node_name);
      return refuse(ref, review, "FailedCreate", "Error creating: " + review.message);
    }
    std::string error;
    const std::shared_ptr<const PodSpec> spec = factory_.admit(state.from, error);
    const Symbol pod_name = spec ? factory_.random_name(key_of(ref), set->meta, names.text(set->meta.name)) : Symbol{};
    if (!pod_name) {
      state.dirty.insert(node_name);
      if (is_first_failure(key_of(ref))) {
        api_.record(ref, "FailedCreate", refused_creation(names.text(set->meta.name), error));
      }
      return false;
    }
    succeeded(key_of(ref));
    Pod pod = factory_.make(set->meta, key_of(ref), state.from, spec_for_node(*spec, node_name, api_.well_known()), pod_name);
    pod.meta.labels.set(api_.well_known().controller_revision_hash, state.revision);
    const CauseId created = api_.record(ref, "SuccessfulCreate", fmt::format("Created pod: {}", names.text(pod_name)));
    const ScopedCause because_created(engine_, created);
    const Ref<Pod> made = api_.create(std::move(pod));
    pods_.refresh(made);
    note_pod(state, node_name, made);
    state.dirty.insert(node_name);
    return true;
  }

  bool remove_pod(Ref<DaemonSet> ref, Ref<Pod> victim) {
    const Pod* pod = api_.get(victim);
    if (pod == nullptr || pod->meta.is_deleting()) return true;
    const Symbol node_name = target_node(*pod, api_.well_known());
    const ScopedCause because(engine_, pod->is_terminal() ? pod->meta.cause : CauseId{});
    const CauseId deleted = api_.record(ref, "SuccessfulDelete", fmt::format("Deleted pod: {}", api_.names().text(pod->meta.name)));
    const ScopedCause because_deleted(engine_, deleted);
    api_.remove(victim);
    pods_.refresh(victim);
    const auto state = states_.find(key_of(ref));
    if (state != states_.end()) state->second.dirty.insert(node_name);
    return true;
  }

  void update_status(Ref<DaemonSet> ref, const State& state) {
    const DaemonSet& set = *api_.get(ref);
    const Share& now = state.total;
    if (set.desired_scheduled == now.desired && set.current_scheduled == now.current && set.ready_count == now.ready &&
        set.available_count == now.available && set.updated_scheduled == now.updated && set.observed_generation == set.meta.generation) {
      return;
    }
    write(ref, Change::kStatus, [&](DaemonSet& d) {
      d.observed_generation = d.meta.generation;
      d.desired_scheduled = now.desired;
      d.current_scheduled = now.current;
      d.ready_count = now.ready;
      d.available_count = now.available;
      d.updated_scheduled = now.updated;
    });
  }

  PodFactory factory_;
  std::map<ObjectRef, State> states_;
};

}  // namespace

std::unique_ptr<Controller> make_daemon_set_controller(const ControllerContext& context) {
  return std::make_unique<DaemonSetController>(context);
}

}  // namespace sim::k8s
