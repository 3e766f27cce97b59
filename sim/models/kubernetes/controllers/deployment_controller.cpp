/// Deployment controller: rolling updates, Recreate, proportional scaling, pause, conditions, revision history.
///
/// Source: pkg/controller/deployment (reference chapter 2.1); events' words as `kubectl describe` shows them.
/// Leaves out: adoption of ReplicaSets without an owner; the retry limit of 15; rollback by annotation (removed from the API).
/// Checked by: tests/models/kubernetes/controllers/deployment_test.cpp.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "sim/models/kubernetes/controllers/deployment_arithmetic.hpp"
#include "sim/models/kubernetes/controllers/pod_factory.hpp"
#include "sim/models/kubernetes/controllers/workload_controller.hpp"
#include "sim/models/kubernetes/controllers/workload_controllers.hpp"

namespace sim::k8s {

namespace {

constexpr int kNameTries = 8;  // template hashes that collide with the name of another ReplicaSet

class DeploymentController final : public WorkloadController<Deployment> {
 public:
  explicit DeploymentController(const ControllerContext& context)
      : WorkloadController(context), replica_set_pods_(context.api, Kind::kReplicaSet) {
    Interner& names = context.api.names();
    reason_.created = names.intern("NewReplicaSetCreated");
    reason_.updated = names.intern("ReplicaSetUpdated");
    reason_.available = names.intern("NewReplicaSetAvailable");
    reason_.timed_out = names.intern("ProgressDeadlineExceeded");
    reason_.paused = names.intern("DeploymentPaused");
    reason_.resumed = names.intern("DeploymentResumed");
  }

  std::string_view name() const override { return "deployment-controller"; }

 private:
  using Sets = std::vector<Ref<ReplicaSet>>;

  void open_watches() override { client_.watch({Kind::kDeployment, Kind::kReplicaSet, Kind::kPod}, *this); }

  void on_start() override {
    replica_set_pods_.rebuild();
    api_.all<ReplicaSet>().for_each([&](Ref<ReplicaSet> ref, const ReplicaSet& rs) { note(ref, rs); });
  }
  void on_stop() override {
    sets_.clear();
    losses_.clear();
    replica_set_pods_.clear();
  }

  void note(Ref<ReplicaSet> ref, const ReplicaSet& rs) {
    const OwnerReference* controller = rs.meta.controller();
    if (controller == nullptr || controller->owner.kind != Kind::kDeployment) return;
    Sets& sets = sets_[controller->owner];
    if (std::find(sets.begin(), sets.end(), ref) == sets.end()) sets.push_back(ref);
  }

  void on_other_event(const WatchEvent& event) override {
    const ReplicaSet* rs = event.type == WatchEvent::Type::kDeleted ? &event.last_state<ReplicaSet>() : api_.get(event.ref<ReplicaSet>());
    if (rs == nullptr) return;
    const OwnerReference* controller = rs->meta.controller();
    if (controller == nullptr || controller->owner.kind != Kind::kDeployment) return;
    if (event.type == WatchEvent::Type::kDeleted) {
      const auto found = sets_.find(controller->owner);
      if (found != sets_.end()) std::erase(found->second, event.ref<ReplicaSet>());
      replica_set_pods_.forget(event.object);
    } else {
      note(event.ref<ReplicaSet>(), *rs);
    }
    queue_.add(controller->owner);
  }

  /// Pods tell two things: that the last old one is gone (for Recreate), and why a Deployment ceases to be available.
  void on_pod_event(const WatchEvent& event, const OwnedPods::Concerned&) override {
    const ObjectRef owner = replica_set_pods_.owner_of(event);
    const std::int64_t ready_before = replica_set_pods_.counts(owner).ready;
    replica_set_pods_.take(event);
    if (!owner) return;
    const bool lost = replica_set_pods_.counts(owner).ready < ready_before;
    const bool ended = event.type == WatchEvent::Type::kDeleted || has(event.changes, Change::kPhase);
    if (!lost && !ended) return;
    const ReplicaSet* rs = api_.get(Ref<ReplicaSet>{owner.slot, owner.generation});
    const OwnerReference* controller = rs == nullptr ? nullptr : rs->meta.controller();
    if (controller == nullptr || controller->owner.kind != Kind::kDeployment) return;
    const Deployment* deployment = api_.get(ref_of(controller->owner));
    if (deployment == nullptr) return;
    if (lost && event.cause) note_loss(controller->owner, event.cause);
    if (ended && deployment->recreate) queue_.add(controller->owner);
  }

  void note_loss(ObjectRef key, CauseId cause) {
    constexpr std::size_t kMost = 16;
    std::vector<CauseId>& losses = losses_[key];
    std::erase(losses, cause);
    if (losses.size() == kMost) losses.erase(losses.begin());
    losses.push_back(cause);
  }

  void sync_gone(ObjectRef key) override {
    sets_.erase(key);
    losses_.erase(key);
  }

  // ---- the objects of one sync ----

  struct View {
    Ref<Deployment> ref;
    const Deployment* deployment = nullptr;
    Ref<ReplicaSet> new_set;  // may be none
    Sets old_sets;            // oldest first
  };
  const ReplicaSet& at(Ref<ReplicaSet> ref) const { return *api_.get(ref); }
  Sets all_sets(const View& view) const {
    Sets all = view.old_sets;
    if (view.new_set) all.push_back(view.new_set);
    return all;
  }
  std::int64_t total_spec(const View& view) const {
    std::int64_t total = 0;
    for (const Ref<ReplicaSet> ref : all_sets(view)) total += at(ref).replicas;
    return total;
  }
  std::int64_t total_available(const View& view) const {
    std::int64_t total = 0;
    for (const Ref<ReplicaSet> ref : all_sets(view)) total += at(ref).available_replicas;
    return total;
  }

  View look(Ref<Deployment> ref) {
    View view;
    view.ref = ref;
    view.deployment = api_.get(ref);
    Sets& sets = sets_[key_of(ref)];
    std::erase_if(sets, [&](Ref<ReplicaSet> set) { return api_.get(set) == nullptr; });
    view.old_sets = sets;
    std::sort(view.old_sets.begin(), view.old_sets.end(), [&](Ref<ReplicaSet> a, Ref<ReplicaSet> b) { return at(a).meta.uid < at(b).meta.uid; });
    for (const Ref<ReplicaSet> set : view.old_sets) {
      if (at(set).pod_template.hash == view.deployment->pod_template.hash) {
        view.new_set = set;
        break;
      }
    }
    std::erase(view.old_sets, view.new_set);
    return view;
  }

  // ---- sync ----

  void sync(Ref<Deployment> ref) override {
    View view = look(ref);
    const Deployment& d = *view.deployment;
    if (d.meta.is_deleting()) {
      sync_status(view);
      return;
    }
    check_paused_condition(ref, d);
    if (d.paused) {
      scale(view);
      sync_status(view);
      return;
    }
    if (is_scaling_event(view)) {
      scale(view);
      sync_status(view);
      return;
    }
    if (d.recreate) {
      roll_recreate(view);
    } else {
      roll_rolling(view);
    }
  }

  void check_paused_condition(Ref<Deployment> ref, const Deployment& d) {
    if (d.progress_deadline_seconds >= kWithoutLimit) return;
    if (d.progressing_reason == reason_.timed_out) return;  // a timeout is not hidden by a pause
    if (d.paused && d.progressing_reason != reason_.paused) {
      set_progress(ref, reason_.paused);
    } else if (!d.paused && d.progressing_reason == reason_.paused) {
      set_progress(ref, reason_.resumed);
    }
  }
  void set_progress(Ref<Deployment> ref, Symbol reason) {
    write(ref, Change::kStatus, [&](Deployment& o) {
      o.progressing_reason = reason;
      o.last_progress = engine_.now();
    });
  }

  bool is_scaling_event(const View& view) const {
    for (const Ref<ReplicaSet> set : all_sets(view)) {
      const ReplicaSet& rs = at(set);
      if (rs.replicas > 0 && rs.desired_replicas >= 0 && rs.desired_replicas != view.deployment->replicas) return true;
    }
    return false;
  }

  /// One write of a ReplicaSet's size (and of the annotations that remember for which size of the Deployment it was made).
  bool scale_set(const View& view, Ref<ReplicaSet> set, std::int64_t size) {
    const Deployment& d = *view.deployment;
    const ReplicaSet& rs = at(set);
    const std::int64_t most = d.replicas + max_surge_of(d);
    const bool resize = rs.replicas != size;
    if (!resize && rs.desired_replicas == d.replicas && rs.max_replicas == most) return false;
    budget_.take();
    CauseId because = engine_.cause();
    if (resize) {
      because = api_.record(view.ref, "ScalingReplicaSet",
                            fmt::format("Scaled {} replica set {} from {} to {}", size > rs.replicas ? "up" : "down",
                                        api_.names().text(rs.meta.name), rs.replicas, size));
    }
    const ScopedCause scope(engine_, because);
    api_.update(set, resize ? Change::kSpec : Change::kLabels, [&](ReplicaSet& r) {
      r.replicas = size;
      r.desired_replicas = d.replicas;
      r.max_replicas = most;
      r.meta.cause = because;
    });
    return resize;
  }

  /// Sizes follow spec.replicas although no rollout step is due.
  void scale(const View& view) {
    const Deployment& d = *view.deployment;
    Sets active;
    for (const Ref<ReplicaSet> set : all_sets(view)) {
      if (at(set).replicas > 0) active.push_back(set);
    }
    if (active.size() <= 1) {
      Ref<ReplicaSet> only = active.empty() ? view.new_set : active.front();
      if (!only && !view.old_sets.empty()) only = view.old_sets.back();
      if (only && at(only).replicas != d.replicas) scale_set(view, only, d.replicas);
      return;
    }
    if (view.new_set) {
      const ReplicaSet& fresh = at(view.new_set);
      const bool saturated = fresh.desired_replicas == d.replicas && fresh.replicas == d.replicas && fresh.available_replicas == d.replicas;
      if (saturated) {
        for (const Ref<ReplicaSet> set : active) {
          if (set != view.new_set) scale_set(view, set, 0);
        }
        return;
      }
    }
    if (d.recreate) return;
    std::vector<ScaledSet> sets;
    for (const Ref<ReplicaSet> set : active) sets.push_back(ScaledSet{at(set).replicas, at(set).max_replicas, at(set).meta.uid});
    const std::vector<std::int64_t> sizes = proportional_sizes(d, sets);
    for (std::size_t i = 0; i < active.size(); ++i) scale_set(view, active[i], sizes[i]);
  }

  /// Finds the ReplicaSet of the current template, creates it if there is none, and gives it the newest revision number.
  /// False when it cannot be created.
  bool ensure_new_set(View& view, bool create) {
    const Deployment& d = *view.deployment;
    std::int64_t revision = 1;
    for (const Ref<ReplicaSet> set : view.old_sets) revision = std::max(revision, at(set).revision + 1);
    if (view.new_set) {
      if (at(view.new_set).revision < revision || at(view.new_set).min_ready_seconds != d.min_ready_seconds) {
        budget_.take();
        api_.update(view.new_set, Change::kSpec, [&](ReplicaSet& r) {
          r.revision = std::max(r.revision, revision);
          r.min_ready_seconds = d.min_ready_seconds;
        });
      }
      return true;
    }
    if (!create) return false;

    Interner& names = api_.names();
    ReplicaSet fresh;
    fresh.meta.ns = d.meta.ns;
    fresh.meta.owners.push_back(OwnerReference{key_of(view.ref), d.meta.uid, true});
    fresh.pod_template = d.pod_template;
    fresh.min_ready_seconds = d.min_ready_seconds;
    fresh.revision = revision;
    fresh.desired_replicas = d.replicas;
    fresh.max_replicas = d.replicas + max_surge_of(d);
    const std::int64_t size = next_new_replicas(d, 0, total_spec(view));

    Symbol hash;
    for (int collisions = 0; collisions < kNameTries; ++collisions) {
      const std::string encoded = encoded_hash(d.pod_template.hash + static_cast<std::uint64_t>(collisions) * 0x9e3779b97f4a7c15ull);
      const Symbol set_name = names.intern(fmt::format("{}-{}", names.text(d.meta.name), encoded));
      if (api_.find<ReplicaSet>(d.meta.ns, set_name)) continue;
      hash = names.intern(encoded);
      fresh.meta.name = set_name;
      break;
    }
    if (!hash) {
      if (is_first_failure(key_of(view.ref))) {
        api_.record(view.ref, "ReplicaSetCreateError", fmt::format("Failed to create new replica set for {}: names are in use", names.text(d.meta.name)));
      }
      queue_.add_rate_limited(key_of(view.ref));
      return false;
    }
    const Symbol hash_label = api_.well_known().pod_template_hash;
    fresh.pod_template.labels.set(hash_label, hash);
    fresh.meta.labels = fresh.pod_template.labels;
    fresh.selector = d.selector;
    fresh.selector.requirements.push_back(Requirement{hash_label, SelectorOperator::kIn, {hash}});
    fresh.replicas = size;

    if (const CreateReview review = api_.review(Kind::kReplicaSet, d.meta.ns, fresh.meta.labels); !review.allowed) {
      refuse(view.ref, review, "ReplicaSetCreateError",
             fmt::format("Failed to create new replica set \"{}\": {}", names.text(fresh.meta.name), review.message));
      after(review.took, [this, key = key_of(view.ref)] { queue_.add_rate_limited(key); });
      return false;
    }
    budget_.take();
    CauseId because = engine_.cause();
    if (size > 0) {
      because = api_.record(view.ref, "ScalingReplicaSet", fmt::format("Scaled up replica set {} from 0 to {}", names.text(fresh.meta.name), size));
    }
    const ScopedCause scope(engine_, because);
    view.new_set = api_.create(std::move(fresh));
    sets_[key_of(view.ref)].push_back(view.new_set);
    succeeded(key_of(view.ref));
    if (d.progress_deadline_seconds < kWithoutLimit) set_progress(view.ref, reason_.created);
    return true;
  }

  void roll_rolling(View& view) {
    if (!ensure_new_set(view, true)) return;
    const Deployment& d = *view.deployment;
    const ReplicaSet& fresh = at(view.new_set);
    const std::int64_t size = fresh.replicas > d.replicas ? d.replicas : next_new_replicas(d, fresh.replicas, total_spec(view));
    const bool grown = fresh.replicas != d.replicas && scale_set(view, view.new_set, size);
    if (!grown && !shrink_old(view) && is_complete(d)) clean_up_history(view);
    sync_status(view);
  }

  /// True when an old ReplicaSet was made smaller.
  bool shrink_old(const View& view) {
    const Deployment& d = *view.deployment;
    std::int64_t old_pods = 0;
    for (const Ref<ReplicaSet> set : view.old_sets) old_pods += at(set).replicas;
    if (old_pods == 0) return false;
    const ReplicaSet& fresh = at(view.new_set);
    const std::int64_t min_available = d.replicas - max_unavailable_of(d);
    const std::int64_t most = total_spec(view) - min_available - (fresh.replicas - fresh.available_replicas);
    if (most <= 0) return false;

    bool changed = false;
    std::int64_t cleaned = 0;  // pods that are not available do no good: they go first
    for (const Ref<ReplicaSet> set : view.old_sets) {
      if (cleaned >= most) break;
      const ReplicaSet& rs = at(set);
      if (rs.replicas == 0 || rs.replicas <= rs.available_replicas) continue;
      const std::int64_t count = std::min(most - cleaned, rs.replicas - rs.available_replicas);
      changed = scale_set(view, set, rs.replicas - count) || changed;
      cleaned += count;
    }
    const std::int64_t surplus = total_available(view) - min_available;
    std::int64_t removed = 0;
    for (const Ref<ReplicaSet> set : view.old_sets) {
      if (removed >= surplus) break;
      const ReplicaSet& rs = at(set);
      if (rs.replicas == 0) continue;
      const std::int64_t count = std::min(rs.replicas, surplus - removed);
      changed = scale_set(view, set, rs.replicas - count) || changed;
      removed += count;
    }
    return changed;
  }

  void roll_recreate(View& view) {
    bool shrunk = false;
    for (const Ref<ReplicaSet> set : view.old_sets) {
      if (at(set).replicas > 0) shrunk = scale_set(view, set, 0) || shrunk;
    }
    if (shrunk || has_old_pods(view)) {
      sync_status(view);
      return;
    }
    if (!ensure_new_set(view, true)) return;
    if (at(view.new_set).replicas != view.deployment->replicas) scale_set(view, view.new_set, view.deployment->replicas);
    if (is_complete(*view.deployment)) clean_up_history(view);
    sync_status(view);
  }

  /// Pods that run or may still run: Recreate never lets two versions meet.
  bool has_old_pods(const View& view) const {
    bool found = false;
    for (const Ref<ReplicaSet> set : view.old_sets) {
      if (at(set).status_replicas > 0) return true;
      replica_set_pods_.for_each(ApiServer::untyped(set), [&](Ref<Pod>, const Pod& pod) { found = found || !pod.is_terminal(); });
    }
    return found;
  }

  void clean_up_history(const View& view) {
    const Deployment& d = *view.deployment;
    Sets old = view.old_sets;
    std::erase_if(old, [&](Ref<ReplicaSet> set) { return at(set).meta.is_deleting(); });
    const std::int64_t surplus = static_cast<std::int64_t>(old.size()) - d.revision_history_limit;
    if (d.revision_history_limit >= kWithoutLimit || surplus <= 0) return;
    std::stable_sort(old.begin(), old.end(), [&](Ref<ReplicaSet> a, Ref<ReplicaSet> b) { return at(a).revision < at(b).revision; });
    for (std::int64_t i = 0; i < surplus; ++i) {
      const Ref<ReplicaSet> set = old[static_cast<std::size_t>(i)];
      const ReplicaSet& rs = at(set);
      if (rs.status_replicas != 0 || rs.replicas != 0 || rs.meta.generation > rs.observed_generation) continue;
      budget_.take();
      api_.remove(set);
    }
  }

  // ---- status ----

  struct Status {
    std::int64_t replicas = 0;
    std::int64_t updated = 0;
    std::int64_t ready = 0;
    std::int64_t available = 0;
  };

  bool is_complete(const Deployment& d, const Status& s, std::uint64_t observed) const {
    return s.updated == d.replicas && s.replicas == d.replicas && s.available == d.replicas && observed >= d.meta.generation;
  }
  bool is_complete(const Deployment& d) const {
    return is_complete(d, Status{d.status_replicas, d.updated_replicas, d.ready_replicas, d.available_replicas}, d.observed_generation);
  }

  void sync_status(const View& view) {
    const Deployment* deployment = api_.get(view.ref);
    if (deployment == nullptr) return;
    const Deployment& d = *deployment;
    Status now;
    for (const Ref<ReplicaSet> set : all_sets(view)) {
      const ReplicaSet* rs = api_.get(set);  // the clean-up of history may just have removed it
      if (rs == nullptr) continue;
      now.replicas += rs->status_replicas;
      now.ready += rs->ready_replicas;
      now.available += rs->available_replicas;
      if (set == view.new_set) now.updated = rs->status_replicas;
    }
    const bool available = now.available >= d.replicas - max_unavailable_of(d);

    Symbol reason = d.progressing_reason;
    bool timed_out = d.progress_deadline_exceeded;
    SimTime progressed = d.last_progress;
    const bool was_complete = now.replicas == now.updated && reason == reason_.available;
    const bool judges = d.progress_deadline_seconds < kWithoutLimit && !d.paused && !d.meta.is_deleting();
    if (judges && !was_complete) {
      const SimTime deadline = progressed + std::chrono::seconds(d.progress_deadline_seconds);
      if (is_complete(d, now, d.meta.generation)) {
        reason = reason_.available;
        timed_out = false;
        progressed = engine_.now();
      } else if (now.updated > d.updated_replicas || now.replicas - now.updated < d.status_replicas - d.updated_replicas ||
                 now.ready > d.ready_replicas || now.available > d.available_replicas) {
        reason = reason_.updated;
        timed_out = false;
        progressed = engine_.now();
      } else if (reason && reason != reason_.available && (timed_out || engine_.now() > deadline)) {
        reason = reason_.timed_out;
        timed_out = true;
      }
    }

    if (now.replicas != d.status_replicas || now.updated != d.updated_replicas || now.ready != d.ready_replicas ||
        now.available != d.available_replicas || available != d.available || reason != d.progressing_reason ||
        timed_out != d.progress_deadline_exceeded || progressed != d.last_progress || d.observed_generation != d.meta.generation) {
      const CauseId because = record_transitions(view, now, available, timed_out);
      const ScopedCause scope(engine_, because);
      write(view.ref, Change::kStatus, [&](Deployment& o) {
        o.observed_generation = o.meta.generation;
        o.status_replicas = now.replicas;
        o.updated_replicas = now.updated;
        o.ready_replicas = now.ready;
        o.available_replicas = now.available;
        o.available = available;
        o.progressing_reason = reason;
        o.progress_deadline_exceeded = timed_out;
        o.last_progress = progressed;
      });
    }
    if (judges && !timed_out && reason && reason != reason_.available) {
      queue_.add_after(key_of(view.ref), progressed + std::chrono::seconds(d.progress_deadline_seconds + 1) - engine_.now());
    }
  }

  /// What a person asks about: the Deployment began or ceased to be available, a rollout is stuck.
  CauseId record_transitions(const View& view, const Status& now, bool available, bool timed_out) {
    const Deployment& d = *api_.get(view.ref);
    CauseId because = engine_.cause();
    const bool is_new = d.observed_generation == 0;  // a Deployment does not become unavailable by being created
    const auto losses = losses_.find(key_of(view.ref));
    if (available && now.ready >= d.replicas && losses != losses_.end()) losses_.erase(losses);
    if (available != d.available && !(is_new && !available)) {
      // The pod that was lost last tipped it; those lost before have their part in it.
      const std::vector<CauseId> reasons = available || losses == losses_.end() ? std::vector<CauseId>{} : losses->second;
      const ScopedCause tipped(engine_, reasons.empty() ? CauseId{} : reasons.back());
      because = api_.record(view.ref, available ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                            available ? fmt::format("Deployment has minimum availability: {} of {} replicas are available", now.available, d.replicas)
                                      : fmt::format("Deployment does not have minimum availability: {} of {} replicas are available",
                                                    now.available, d.replicas));
      for (const CauseId reason : reasons) log_.also_caused_by(because, reason);
    }
    if (timed_out && !d.progress_deadline_exceeded) {
      const ReplicaSet* fresh = api_.get(view.new_set);
      because = api_.record(view.ref, "ProgressDeadlineExceeded",
                            fmt::format("ReplicaSet \"{}\" has timed out progressing.", fresh == nullptr ? "" : api_.names().text(fresh->meta.name)));
    }
    return because;
  }

  struct Reasons {
    Symbol created, updated, available, timed_out, paused, resumed;
  } reason_;
  std::map<ObjectRef, Sets> sets_;  // by their Deployment
  std::map<ObjectRef, std::vector<CauseId>> losses_;  // why ready pods went since all were ready, oldest first
  OwnedPods replica_set_pods_;
};

}  // namespace

std::unique_ptr<Controller> make_deployment_controller(const ControllerContext& context) {
  return std::make_unique<DeploymentController>(context);
}

}  // namespace sim::k8s
