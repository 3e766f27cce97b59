/// The disruption controller: how many pods of each PodDisruptionBudget are healthy, and how many may be evicted now.
///
/// Source:     pkg/controller/disruption/disruption.go (reference 2.10).
/// Leaves out: scale subresources of custom kinds (a budget with maxUnavailable or a percentage over such pods fails its sync, as it
///             does for Jobs and DaemonSets); of several budgets of one pod the original syncs only the first on the pod's events, here all.
/// Checked by: tests/models/kubernetes/controllers/disruption_test.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <string>

#include "sim/models/kubernetes/controllers/node_controllers.hpp"
#include "sim/models/kubernetes/controllers/selected_pods.hpp"

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

constexpr SimDuration kDeletionTimeout = 2min;         // DeletionTimeout
constexpr SimDuration kStaleConditionTimeout = 2min;   // stalePodDisruptionTimeout

class DisruptionController final : public Controller, public Watcher {
 public:
  explicit DisruptionController(const ControllerContext& context)
      : engine_(context.engine), api_(context.api), client_(context.client()), budget_(context), queue_(context.engine, budget_, [this](ObjectRef key) { sync(key); }) {
    client_.on_availability([this] {
      if (!running_ || !client_.writable()) return;
      const std::set<ObjectRef> blocked = std::exchange(blocked_, {});
      for (const ObjectRef key : blocked) queue_.add(key);
    });
  }
  ~DisruptionController() override { stop(); }

  std::string_view name() const override { return "disruption-controller"; }

  void start() override {
    if (running_) return;
    running_ = true;
    client_.watch({Kind::kPod, Kind::kPodDisruptionBudget}, *this);
    api_.all<PodDisruptionBudget>().for_each([&](Ref<PodDisruptionBudget> ref, const PodDisruptionBudget& budget) {
      if (budget.selector) selected_.set_owner(api_, ref, budget.meta.ns, *budget.selector, false);
      queue_.add(ApiServer::untyped(ref));
    });
    selected_.list_pods(api_);
    api_.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) { watch_stale_condition(ref, pod); });
  }

  void stop() override {
    if (!running_) return;
    running_ = false;
    api_.unwatch(*this);
    queue_.clear();
    for (const auto& [pod, timer] : stale_) engine_.cancel(timer);
    stale_.clear();
    blocked_.clear();
    selected_.clear();
    warned_.clear();
  }

  void on_event(const WatchEvent& event) override {
    if (event.is<PodDisruptionBudget>()) {
      const Ref<PodDisruptionBudget> ref = event.ref<PodDisruptionBudget>();
      const PodDisruptionBudget* budget = api_.get(ref);
      if (budget == nullptr) {
        selected_.remove_owner(ref);
        warned_.erase(ref);
        return;
      }
      if (budget->selector) {
        selected_.set_owner(api_, ref, budget->meta.ns, *budget->selector, true);
      } else {
        selected_.remove_owner(ref);
      }
      queue_.add(ApiServer::untyped(ref));
      return;
    }
    const Ref<Pod> ref = event.ref<Pod>();
    const Pod* pod = api_.get(ref);
    if (pod != nullptr) {
      watch_stale_condition(ref, *pod);
    } else {
      forget_stale_condition(ref);
    }
    constexpr Change kCounts = Change::kReady | Change::kDeletion | Change::kPhase | Change::kLabels | Change::kOwners;
    if (event.type == WatchEvent::Type::kModified && !has(event.changes, kCounts)) return;
    selected_.on_event(api_, event, [&](Ref<PodDisruptionBudget> owner) { queue_.add(ApiServer::untyped(owner)); });
  }

 private:
  struct Expected {
    std::int64_t pods = 0;
    std::int64_t healthy = 0;
    std::string error;  // the sync failed
    bool has_unmanaged = false;
  };

  /// The scale of what controls a pod; nothing when it cannot be found out. `uid` becomes the one that is counted once.
  std::optional<std::int64_t> scale_of(const OwnerReference& owner, std::uint64_t& uid, std::string& error) const {
    uid = owner.uid;
    if (owner.owner.kind == Kind::kReplicaSet) {
      const ReplicaSet* set = api_.get(Ref<ReplicaSet>{owner.owner.slot, owner.owner.generation});
      if (set == nullptr || set->meta.uid != owner.uid) return std::nullopt;
      const OwnerReference* above = set->meta.controller();
      if (above == nullptr || above->owner.kind != Kind::kDeployment) return set->replicas;
      const Deployment* deployment = api_.get(Ref<Deployment>{above->owner.slot, above->owner.generation});
      if (deployment == nullptr || deployment->meta.uid != above->uid) return std::nullopt;
      uid = above->uid;
      return deployment->replicas;
    }
    if (owner.owner.kind == Kind::kStatefulSet) {
      const StatefulSet* set = api_.get(Ref<StatefulSet>{owner.owner.slot, owner.owner.generation});
      if (set == nullptr || set->meta.uid != owner.uid) return std::nullopt;
      return set->replicas;
    }
    if (owner.owner.kind == Kind::kDaemonSet) error = "daemonsets.apps does not implement the scale subresource";
    if (owner.owner.kind == Kind::kJob) error = "jobs.batch does not implement the scale subresource";
    return std::nullopt;
  }

  /// getExpectedScale: the sum over the distinct controllers of the pods.
  void expected_scale(const std::vector<Ref<Pod>>& pods, Expected& expected) const {
    std::map<std::uint64_t, std::int64_t> scales;
    for (const Ref<Pod> ref : pods) {
      const Pod& pod = *api_.get(ref);
      const OwnerReference* owner = pod.meta.controller();
      if (owner == nullptr) {
        expected.has_unmanaged = true;
        continue;
      }
      std::uint64_t uid = 0;
      const std::optional<std::int64_t> scale = scale_of(*owner, uid, expected.error);
      if (!scale) {
        if (expected.error.empty()) expected.error = fmt::format("found no controllers for pod \"{}\"", api_.names().text(pod.meta.name));
        return;
      }
      scales[uid] = *scale;
    }
    for (const auto& [uid, scale] : scales) expected.pods += scale;
  }

  Expected expect(const PodDisruptionBudget& budget, const std::vector<Ref<Pod>>& pods) const {
    Expected expected;
    if (budget.max_unavailable) {
      expected_scale(pods, expected);
      expected.healthy = std::max<std::int64_t>(0, expected.pods - budget.max_unavailable->of(expected.pods, true));
    } else if (budget.min_available && budget.min_available->percent) {
      expected_scale(pods, expected);
      expected.healthy = budget.min_available->of(expected.pods, true);
    } else if (budget.min_available) {
      expected.pods = static_cast<std::int64_t>(pods.size());
      expected.healthy = budget.min_available->value;
    }
    return expected;
  }

  void sync(ObjectRef key) {
    const Ref<PodDisruptionBudget> ref{key.slot, key.generation};
    const PodDisruptionBudget* budget = api_.get(ref);
    if (budget == nullptr) return;
    if (!client_.writable()) {
      blocked_.insert(key);
      return;
    }
    std::vector<Ref<Pod>> pods;
    for (const Ref<Pod> pod : selected_.pods(ref)) {
      if (api_.get(pod) != nullptr) pods.push_back(pod);
    }
    const Expected expected = expect(*budget, pods);
    warn(ref, *budget, expected);
    if (!expected.error.empty()) {
      // failSafe: no eviction while it is not known how many are allowed. The generation stays unobserved.
      if (budget->disruptions_allowed == 0 && budget->sync_failed == expected.error) return;
      spend();
      api_.update(ref, Change::kStatus, [&](PodDisruptionBudget& b) {
        b.disruptions_allowed = 0;
        b.sync_failed = expected.error;
      });
      return;
    }

    const SimTime now = engine_.now();
    std::vector<PodDisruptionBudget::Disrupted> disrupted;
    std::optional<SimTime> recheck;
    std::int64_t healthy = 0;
    for (const Ref<Pod> pod_ref : pods) {
      const Pod& pod = *api_.get(pod_ref);
      if (pod.meta.is_deleting()) continue;
      const auto entry = std::find_if(budget->disrupted_pods.begin(), budget->disrupted_pods.end(),
                                      [&](const PodDisruptionBudget::Disrupted& d) { return d.pod_uid == pod.meta.uid; });
      if (entry != budget->disrupted_pods.end()) {
        const SimTime deadline = entry->at + kDeletionTimeout;
        if (deadline > now) {
          disrupted.push_back(*entry);
          if (!recheck || deadline < *recheck) recheck = deadline;
          continue;
        }
        api_.record(pod_ref, "NotDeleted", fmt::format("Pod was expected by PDB {}/{} to be deleted but it wasn't",
                                                       api_.names().text(budget->meta.ns), api_.names().text(budget->meta.name)));
      }
      if (pod.ready) ++healthy;
    }
    const std::int64_t allowed = expected.pods <= 0 ? 0 : std::max<std::int64_t>(0, healthy - expected.healthy);
    if (recheck) queue_.add_after(key, *recheck - now);

    const bool is_same = budget->current_healthy == healthy && budget->desired_healthy == expected.healthy && budget->expected_pods == expected.pods &&
                         budget->disruptions_allowed == allowed && budget->observed_generation == budget->meta.generation &&
                         budget->disrupted_pods.size() == disrupted.size() && budget->sync_failed.empty();
    if (is_same) return;
    spend();
    api_.update(ref, Change::kStatus, [&](PodDisruptionBudget& b) {
      b.current_healthy = healthy;
      b.desired_healthy = expected.healthy;
      b.expected_pods = expected.pods;
      b.disruptions_allowed = allowed;
      b.observed_generation = b.meta.generation;
      b.disrupted_pods = disrupted;
      b.sync_failed.clear();
    });
  }

  /// Once for each budget and change of mind, where the original repeats its events at every sync.
  void warn(Ref<PodDisruptionBudget> ref, const PodDisruptionBudget& budget, const Expected& expected) {
    std::string warning = expected.error;
    if (warning.empty() && expected.has_unmanaged) warning = "unmanaged pods";
    std::string& last = warned_[ref];
    if (warning == last) return;
    last = warning;
    if (!expected.error.empty()) {
      api_.record(ref, "CalculateExpectedPodCountFailed", fmt::format("Failed to calculate the number of expected pods: {}", expected.error));
    } else if (expected.has_unmanaged) {
      api_.record(ref, "UnmanagedPods",
                  fmt::format("Pods selected by {} have no controller: its status cannot be calculated; set minAvailable to an integer",
                              api_.names().text(budget.meta.name)));
    }
  }

  /// A pod that was to be disrupted and is not being deleted 2 min later loses the condition.
  void watch_stale_condition(Ref<Pod> ref, const Pod& pod) {
    const bool is_candidate = pod.disruption_target && !pod.meta.is_deleting() && !pod.is_terminal() &&
                              pod.disruption_reason != api_.well_known().termination_by_kubelet;
    if (!is_candidate) {
      if (!stale_.empty()) forget_stale_condition(ref);
      return;
    }
    const auto [entry, is_new] = stale_.try_emplace(ref);
    if (is_new) entry->second = engine_.after(kStaleConditionTimeout, [this, ref] { reset_stale_condition(ref); });
  }
  void forget_stale_condition(Ref<Pod> ref) {
    const auto entry = stale_.find(ref);
    if (entry == stale_.end()) return;
    engine_.cancel(entry->second);
    stale_.erase(entry);
  }
  void reset_stale_condition(Ref<Pod> ref) {
    stale_.erase(ref);
    const Pod* pod = api_.get(ref);
    if (pod == nullptr) return;
    if (!client_.writable()) {
      watch_stale_condition(ref, *pod);
      return;
    }
    api_.update(ref, Change::kStatus, [](Pod& p) {
      p.disruption_target = false;
      p.disruption_reason = Symbol{};
    });
  }

  /// One write. What a world begins with is free: it stands for what was written long before.
  void spend() {
    if (engine_.now() > SimTime{}) budget_.take();
  }

  Engine& engine_;
  ApiServer& api_;
  ApiClient& client_;
  ClientBudget budget_;
  WorkQueue queue_;
  SelectedPods<PodDisruptionBudget> selected_;
  bool running_ = false;
  std::set<ObjectRef> blocked_;
  std::map<Ref<PodDisruptionBudget>, std::string> warned_;
  std::map<Ref<Pod>, TimerId> stale_;
};

}  // namespace

std::unique_ptr<Controller> make_disruption_controller(const ControllerContext& context) {
  return std::make_unique<DisruptionController>(context);
}

}  // namespace sim::k8s
