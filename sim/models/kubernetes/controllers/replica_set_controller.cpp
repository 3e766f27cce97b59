/// ReplicaSet controller: as many active pods as spec.replicas says.
///
/// Source: pkg/controller/replicaset/replica_set.go (reference chapter 2.2).
/// Leaves out: status.terminatingReplicas; the client tokens that event records take.
/// Checked by: tests/models/kubernetes/controllers/replica_set_test.cpp.

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "sim/models/kubernetes/controllers/pod_factory.hpp"
#include "sim/models/kubernetes/controllers/replica_set_ranking.hpp"
#include "sim/models/kubernetes/controllers/workload_controller.hpp"
#include "sim/models/kubernetes/controllers/workload_controllers.hpp"

namespace sim::k8s {

namespace {

constexpr std::int64_t kBurstReplicas = 500;  // pods created or deleted in one sync

class ReplicaSetController final : public WorkloadController<ReplicaSet> {
 public:
  explicit ReplicaSetController(const ControllerContext& context)
      : WorkloadController(context),
        factory_(context),
        deletion_cost_(context.api.names().intern("controller.kubernetes.io/pod-deletion-cost")) {}

  std::string_view name() const override { return "replicaset-controller"; }

 private:
  void open_watches() override { client_.watch({Kind::kReplicaSet, Kind::kPod}, *this); }

  void on_start() override {
    api_.all<ReplicaSet>().for_each([&](Ref<ReplicaSet> ref, const ReplicaSet& rs) { note_sibling(ref, rs); });
  }
  void on_stop() override { siblings_.clear(); }

  void on_own_event(const WatchEvent& event) override {
    if (event.type == WatchEvent::Type::kAdded) {
      if (const ReplicaSet* rs = api_.get(event.ref<ReplicaSet>())) note_sibling(event.ref<ReplicaSet>(), *rs);
    }
    if (event.type == WatchEvent::Type::kDeleted) {
      const ReplicaSet& last = event.last_state<ReplicaSet>();
      if (const OwnerReference* controller = last.meta.controller()) {
        const auto family = siblings_.find(controller->owner);
        if (family != siblings_.end()) {
          std::erase(family->second, event.ref<ReplicaSet>());
          if (family->second.empty()) siblings_.erase(family);
        }
      }
    }
    // Its own status write tells the controller nothing new.
    if (event.type == WatchEvent::Type::kModified && event.changes == Change::kStatus) return;
    queue_.add(event.object);
  }

  void on_pod_event(const WatchEvent& event, const OwnedPods::Concerned& concerned) override {
    if (concerned.owner && has(event.changes, Change::kLabels)) release_if_unmatched(event.ref<Pod>(), concerned.owner);
    WorkloadController::on_pod_event(event, concerned);
  }

  void note_sibling(Ref<ReplicaSet> ref, const ReplicaSet& rs) {
    const OwnerReference* controller = rs.meta.controller();
    if (controller == nullptr) return;
    std::vector<Ref<ReplicaSet>>& family = siblings_[controller->owner];
    if (std::find(family.begin(), family.end(), ref) == family.end()) family.push_back(ref);
  }

  void sync_gone(ObjectRef key) override { factory_.forget(key); }

  void sync(Ref<ReplicaSet> ref) override {
    adopt(ref);
    const ReplicaSet& rs = *api_.get(ref);
    const ObjectRef key = key_of(ref);
    if (!is_bursting(key) && !rs.meta.is_deleting()) manage(ref, rs);
    update_status(ref, rs);
  }

  void manage(Ref<ReplicaSet> ref, const ReplicaSet& rs) {
    const ObjectRef key = key_of(ref);
    const std::int64_t difference = pods_.counts(key).active - rs.replicas;
    // A pod that left while there were too many is not replaced: its reason is used up all the same.
    std::vector<CauseId> vacancies = pods_.take_vacancies(key);
    if (difference == 0) {
      succeeded(key);
      return;
    }
    if (difference < 0) {
      const std::int64_t count = std::min(-difference, kBurstReplicas);
      // The newest vacancies are the open ones: earlier ones may have been filled by a scale-up.
      if (vacancies.size() > static_cast<std::size_t>(count)) vacancies.erase(vacancies.begin(), vacancies.end() - count);
      create_pods(key, count, [this, ref, vacancies = std::move(vacancies)](std::int64_t i, const CreateReview& review) {
        const auto index = static_cast<std::size_t>(i);
        return create_pod(ref, index < vacancies.size() ? vacancies[index] : CauseId{}, review);
      });
      return;
    }
    std::vector<Ref<Pod>> victims = choose_victims(key, rs, std::min(difference, kBurstReplicas));
    const auto count = static_cast<std::int64_t>(victims.size());
    at_once(key, count, [this, ref, victims = std::move(victims)](std::int64_t i) { return delete_pod(ref, victims[static_cast<std::size_t>(i)]); });
  }

  bool create_pod(Ref<ReplicaSet> ref, CauseId vacancy, const CreateReview& review) {
    const ReplicaSet* rs = api_.get(ref);
    if (rs == nullptr || rs->meta.is_deleting()) return true;
    const ScopedCause because(engine_, vacancy);
    if (!review.allowed) return refuse(ref, review, "FailedCreate", "Error creating: " + review.message);
    std::string error;
    std::shared_ptr<const PodSpec> spec = factory_.admit(rs->pod_template, error);
    const Symbol pod_name = spec ? factory_.random_name(key_of(ref), rs->meta, api_.names().text(rs->meta.name)) : Symbol{};
    if (!pod_name) {
      if (is_first_failure(key_of(ref))) {
        api_.record(ref, "FailedCreate", refused_creation(api_.names().text(rs->meta.name), error));
      }
      return false;
    }
    const CauseId created = api_.record(ref, "SuccessfulCreate", fmt::format("Created pod: {}", api_.names().text(pod_name)));
    const ScopedCause because_created(engine_, created);
    pods_.refresh(api_.create(factory_.make(rs->meta, key_of(ref), rs->pod_template, std::move(spec), pod_name)));
    return true;
  }

  bool delete_pod(Ref<ReplicaSet> ref, Ref<Pod> victim) {
    const Pod* pod = api_.get(victim);
    if (pod == nullptr || !pod->is_active()) return true;
    const CauseId deleted = api_.record(ref, "SuccessfulDelete", fmt::format("Deleted pod: {}", api_.names().text(pod->meta.name)));
    const ScopedCause because(engine_, deleted);
    api_.remove(victim);
    pods_.refresh(victim);
    return true;
  }

  std::vector<Ref<Pod>> choose_victims(ObjectRef key, const ReplicaSet& rs, std::int64_t count) {
    std::vector<RankedPod> candidates;
    pods_.for_each(key, [&](Ref<Pod> pod_ref, const Pod& pod) {
      if (pod.is_active()) candidates.push_back(RankedPod{pod_ref, &pod, cost_of(pod), 0, 0});
    });
    if (count < static_cast<std::int64_t>(candidates.size())) {
      std::map<Symbol, std::int64_t> on_node;
      const auto count_pods = [&](ObjectRef owner) {
        pods_.for_each(owner, [&](Ref<Pod>, const Pod& pod) {
          if (pod.is_active()) ++on_node[pod.node_name];
        });
      };
      const OwnerReference* controller = rs.meta.controller();
      if (controller == nullptr) {
        count_pods(key);
      } else {
        for (const Ref<ReplicaSet> sibling : siblings_[controller->owner]) count_pods(key_of(sibling));
      }
      for (RankedPod& candidate : candidates) {
        candidate.rank = on_node[candidate.pod->node_name];
        candidate.tie_break =
            random_.stream("pod-uid", fmt::format("{}/{}", api_.names().text(rs.meta.ns), api_.names().text(candidate.pod->meta.name))).next();
      }
      const SimTime now = engine_.now();
      std::stable_sort(candidates.begin(), candidates.end(), [now](const RankedPod& a, const RankedPod& b) { return dies_before(a, b, now); });
    }
    std::vector<Ref<Pod>> victims;
    for (const RankedPod& candidate : candidates) {
      if (static_cast<std::int64_t>(victims.size()) == count) break;
      victims.push_back(candidate.ref);
    }
    return victims;
  }

  std::int64_t cost_of(const Pod& pod) const {
    const std::optional<Symbol> text = pod.meta.annotations.find(deletion_cost_);
    if (!text) return 0;
    const std::string& digits = api_.names().text(*text);
    std::int64_t cost = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), cost);
    return error == std::errc{} && end == digits.data() + digits.size() ? cost : 0;
  }

  void update_status(Ref<ReplicaSet> ref, const ReplicaSet& rs) {
    const ObjectRef key = key_of(ref);
    const OwnedPods::Counts counts = pods_.counts(key);
    std::int64_t available = counts.ready;
    if (rs.min_ready_seconds > 0) {
      available = 0;
      const SimDuration needed = std::chrono::seconds(rs.min_ready_seconds);
      SimDuration next = SimDuration::max();
      pods_.for_each(key, [&](Ref<Pod>, const Pod& pod) {
        if (!pod.is_active() || !pod.ready) return;
        const SimDuration left = pod.ready_since + needed - engine_.now();
        if (left <= SimDuration{}) {
          ++available;
        } else {
          next = std::min(next, left);
        }
      });
      if (next != SimDuration::max()) queue_.add_after(key, next);
    }
    if (rs.status_replicas == counts.active && rs.ready_replicas == counts.ready && rs.available_replicas == available &&
        rs.observed_generation == rs.meta.generation) {
      return;
    }
    write(ref, Change::kStatus, [&](ReplicaSet& r) {
      r.status_replicas = counts.active;
      r.ready_replicas = counts.ready;
      r.available_replicas = available;
      r.observed_generation = r.meta.generation;
    });
  }

  PodFactory factory_;
  Symbol deletion_cost_;
  std::map<ObjectRef, std::vector<Ref<ReplicaSet>>> siblings_;  // by their controller
};

}  // namespace

std::unique_ptr<Controller> make_replica_set_controller(const ControllerContext& context) {
  return std::make_unique<ReplicaSetController>(context);
}

}  // namespace sim::k8s
