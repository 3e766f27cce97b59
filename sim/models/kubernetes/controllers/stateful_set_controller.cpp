/// StatefulSet controller: pods with names that stay, one after the other or in parallel, and rolling updates from the highest ordinal down.
///
/// Source: pkg/controller/statefulset/stateful_set_control.go, stateful_set_utils.go (reference chapter 2.3), gate MaxUnavailableStatefulSet off.
/// Leaves out: a retention policy that changes after the claims were made; ControllerRevision objects and their history (the set
///             itself keeps the current revision's template); repair of labels that somebody changed.
/// Checked by: tests/models/kubernetes/controllers/stateful_set_test.cpp.

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "sim/models/kubernetes/controllers/pod_factory.hpp"
#include "sim/models/kubernetes/controllers/workload_controller.hpp"
#include "sim/models/kubernetes/controllers/workload_controllers.hpp"
#include "sim/models/kubernetes/volumes/claims.hpp"

namespace sim::k8s {

namespace {

constexpr std::int64_t kBurstReplicas = 500;

class StatefulSetController final : public WorkloadController<StatefulSet> {
 public:
  explicit StatefulSetController(const ControllerContext& context) : WorkloadController(context), factory_(context) {}

  std::string_view name() const override { return "statefulset-controller"; }

 private:
  /// One look at a set and its pods.
  struct View {
    Ref<StatefulSet> ref;
    const StatefulSet* set = nullptr;
    std::vector<Ref<Pod>> replicas;   // by ordinal - start; Ref{} where there is none
    std::vector<Ref<Pod>> condemned;  // beyond the range, highest ordinal first
    Ref<Pod> first_unhealthy;
    Symbol current_label;             // controller-revision-hash of the two revisions
    Symbol update_label;
  };

  void open_watches() override { client_.watch({Kind::kStatefulSet, Kind::kPod}, *this); }
  void sync_gone(ObjectRef key) override {
    factory_.forget(key);
    emptied_.erase(key);
  }
  void on_stop() override { emptied_.clear(); }

  void on_pod_event(const WatchEvent& event, const OwnedPods::Concerned& concerned) override {
    if (concerned.owner && engine_.cause() && has(event.changes, Change::kDeletion | Change::kPhase)) {
      const Pod* pod = event.type == WatchEvent::Type::kDeleted ? &event.last_state<Pod>() : api_.get(event.ref<Pod>());
      const StatefulSet* set = api_.get(ref_of(concerned.owner));
      if (pod != nullptr && set != nullptr && !pod->is_active()) {
        // A slot that is given up by scaling down is filled again only by scaling up.
        const std::int64_t index = ordinal_of(*set, *pod).value_or(-1) - set->start_ordinal;
        if (index >= 0 && index < set->replicas) {
          emptied_[concerned.owner][pod->meta.name] = engine_.cause();
        } else {
          take_emptied(concerned.owner, pod->meta.name);
        }
      }
    }
    WorkloadController::on_pod_event(event, concerned);
  }

  /// What emptied the slot of this name since it was last filled.
  CauseId take_emptied(ObjectRef key, Symbol pod_name) {
    const auto slots = emptied_.find(key);
    if (slots == emptied_.end()) return CauseId{};
    const auto slot = slots->second.find(pod_name);
    if (slot == slots->second.end()) return CauseId{};
    const CauseId cause = slot->second;
    slots->second.erase(slot);
    if (slots->second.empty()) emptied_.erase(slots);
    return cause;
  }

  bool may_adopt(const StatefulSet& set, const Pod& pod) const override { return ordinal_of(set, pod).has_value(); }

  std::optional<std::int64_t> ordinal_of(const StatefulSet& set, const Pod& pod) const {
    const std::string_view pod_name = api_.names().text(pod.meta.name);
    const std::string_view set_name = api_.names().text(set.meta.name);
    if (pod_name.size() < set_name.size() + 2 || !pod_name.starts_with(set_name) || pod_name[set_name.size()] != '-') return std::nullopt;
    const std::string_view digits = pod_name.substr(set_name.size() + 1);
    std::int64_t ordinal = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), ordinal);
    if (error != std::errc{} || end != digits.data() + digits.size() || ordinal < 0) return std::nullopt;
    return ordinal;
  }

  Symbol revision_label(const StatefulSet& set, std::uint64_t hash) {
    return api_.names().intern(fmt::format("{}-{}", api_.names().text(set.meta.name), encoded_hash(hash)));
  }

  static bool is_running_and_ready(const Pod& pod) { return pod.phase == PodPhase::kRunning && pod.ready; }
  bool is_available(const StatefulSet& set, const Pod& pod) const {
    return is_running_and_ready(pod) && pod.ready_since + std::chrono::seconds(set.min_ready_seconds) <= engine_.now();
  }

  View look(Ref<StatefulSet> ref) {
    View view;
    view.ref = ref;
    view.set = api_.get(ref);
    const StatefulSet& set = *view.set;
    view.replicas.resize(static_cast<std::size_t>(std::max<std::int64_t>(0, set.replicas)));
    std::vector<std::pair<std::int64_t, Ref<Pod>>> condemned;
    pods_.for_each(key_of(ref), [&](Ref<Pod> pod_ref, const Pod& pod) {
      const std::optional<std::int64_t> ordinal = ordinal_of(set, pod);
      if (!ordinal) return;
      const std::int64_t index = *ordinal - set.start_ordinal;
      if (index >= 0 && index < set.replicas) {
        view.replicas[static_cast<std::size_t>(index)] = pod_ref;
      } else {
        condemned.emplace_back(*ordinal, pod_ref);
      }
    });
    std::sort(condemned.begin(), condemned.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    for (const auto& [ordinal, pod_ref] : condemned) view.condemned.push_back(pod_ref);
    const auto is_healthy = [&](Ref<Pod> pod_ref) {
      const Pod* pod = api_.get(pod_ref);
      return pod != nullptr && is_running_and_ready(*pod) && !pod->meta.is_deleting();
    };
    for (std::size_t i = 0; i < view.replicas.size() && !view.first_unhealthy; ++i) {
      // A slot without a pod is unhealthy too, but no condemned pod is it.
      if (!is_healthy(view.replicas[i])) {
        view.first_unhealthy = view.replicas[i];
        if (!view.first_unhealthy) return view;
      }
    }
    for (auto i = view.condemned.rbegin(); i != view.condemned.rend() && !view.first_unhealthy; ++i) {
      if (!is_healthy(*i)) view.first_unhealthy = *i;
    }
    return view;
  }

  void sync(Ref<StatefulSet> ref) override {
    adopt(ref);
    note_revisions(ref);
    View view = look(ref);
    view.current_label = revision_label(*view.set, view.set->current_revision);
    view.update_label = revision_label(*view.set, view.set->update_revision);
    if (!view.set->meta.is_deleting() && !is_bursting(key_of(ref))) act(view);
    update_status(ref);
  }

  /// The revision of the template is the one to update to; the first one is the current one as well.
  void note_revisions(Ref<StatefulSet> ref) {
    const StatefulSet& set = *api_.get(ref);
    if (set.current_revision != 0 && set.current_template && set.update_revision == set.pod_template.hash) return;
    write(ref, Change::kStatus, [&](StatefulSet& s) {
      s.update_revision = s.pod_template.hash;
      if (s.current_revision == 0 || !s.current_template) {
        s.current_revision = s.update_revision;
        s.current_template = std::make_shared<PodTemplate>(s.pod_template);
      }
    });
  }

  void act(const View& view) {
    if (view.set->parallel) {
      if (!act_parallel(view)) return;
    } else if (!act_ordered(view)) {
      return;
    }
    if (view.set->on_delete) return;
    roll(view);
  }

  /// Each pod must be there and available before the next one is looked at. True when all are.
  bool act_ordered(const View& view) {
    for (std::size_t i = 0; i < view.replicas.size(); ++i) {
      const Pod* pod = api_.get(view.replicas[i]);
      if (pod == nullptr) {
        create_pods(key_of(view.ref), 1, [this, ref = view.ref, i](std::int64_t, const CreateReview& review) { return create_pod(ref, i, review); });
        return false;
      }
      if (pod->is_terminal()) {
        if (!pod->meta.is_deleting()) remove_pod(view.ref, view.replicas[i]);
        return false;
      }
      if (pod->meta.is_deleting() || !is_running_and_ready(*pod) || !wait_until_available(view, *pod)) return false;
    }
    for (const Ref<Pod> pod_ref : view.condemned) {
      const Pod& pod = *api_.get(pod_ref);
      if (pod.meta.is_deleting()) return false;
      if ((!is_running_and_ready(pod) || !wait_until_available(view, pod)) && pod_ref != view.first_unhealthy) return false;
      if (view.set->deletes_claims_when_scaled) condemn_claims(view.ref, pod_ref);
      remove_pod(view.ref, pod_ref);
      return false;
    }
    return true;
  }

  bool act_parallel(const View& view) {
    std::vector<std::size_t> missing;
    bool waits = false;
    for (std::size_t i = 0; i < view.replicas.size(); ++i) {
      const Pod* pod = api_.get(view.replicas[i]);
      if (pod == nullptr) {
        if (static_cast<std::int64_t>(missing.size()) < kBurstReplicas) missing.push_back(i);
      } else if (pod->is_terminal()) {
        if (!pod->meta.is_deleting()) remove_pod(view.ref, view.replicas[i]);
        waits = true;
      }
    }
    const auto count = static_cast<std::int64_t>(missing.size());
    create_pods(key_of(view.ref), count, [this, ref = view.ref, missing = std::move(missing)](std::int64_t i, const CreateReview& review) {
      return create_pod(ref, missing[static_cast<std::size_t>(i)], review);
    });
    if (waits || count > 0) return false;
    for (const Ref<Pod> pod_ref : view.condemned) {
      if (api_.get(pod_ref)->meta.is_deleting()) continue;
      if (view.set->deletes_claims_when_scaled) condemn_claims(view.ref, pod_ref);
      remove_pod(view.ref, pod_ref);
    }
    return true;
  }

  /// Deletes the highest pod that is not of the update revision, if all above it are available.
  void roll(const View& view) {
    const Symbol revision_key = api_.well_known().controller_revision_hash;
    for (std::int64_t i = static_cast<std::int64_t>(view.replicas.size()) - 1; i >= view.set->partition; --i) {
      const Ref<Pod> pod_ref = view.replicas[static_cast<std::size_t>(i)];
      const Pod* pod = api_.get(pod_ref);
      if (pod == nullptr) return;
      if (pod->meta.labels.find(revision_key) != view.update_label && !pod->meta.is_deleting()) {
        remove_pod(view.ref, pod_ref);
        return;
      }
      if (pod->meta.is_deleting() || !wait_until_available(view, *pod)) return;
    }
  }

  /// Whether the pod is available; if only time is missing, the set is looked at again then.
  bool wait_until_available(const View& view, const Pod& pod) {
    if (is_available(*view.set, pod)) return true;
    if (is_running_and_ready(pod)) {
      queue_.add_after(key_of(view.ref), pod.ready_since + std::chrono::seconds(view.set->min_ready_seconds) - engine_.now());
    }
    return false;
  }

  bool create_pod(Ref<StatefulSet> ref, std::size_t index, const CreateReview& review) {
    const StatefulSet* set = api_.get(ref);
    if (set == nullptr || set->meta.is_deleting() || static_cast<std::int64_t>(index) >= set->replicas) return true;
    Interner& names = api_.names();
    const std::int64_t ordinal = set->start_ordinal + static_cast<std::int64_t>(index);
    const Symbol pod_name = names.intern(fmt::format("{}-{}", names.text(set->meta.name), ordinal));
    const bool of_current = !set->on_delete && static_cast<std::int64_t>(index) < set->partition;
    const PodTemplate& from = of_current ? *set->current_template : set->pod_template;

    std::string error;
    std::shared_ptr<const PodSpec> spec = factory_.admit(from, error);
    if (spec && api_.find<Pod>(set->meta.ns, pod_name)) {
      error = fmt::format("pods \"{}\" already exists", names.text(pod_name));
      spec = nullptr;
    }
    const ScopedCause because(engine_, take_emptied(key_of(ref), pod_name));
    if (!review.allowed) {
      return refuse(ref, review, "FailedCreate",
                    fmt::format("create Pod {} in StatefulSet {} failed error: {}", names.text(pod_name), names.text(set->meta.name), review.message));
    }
    if (!spec) {
      if (is_first_failure(key_of(ref))) {
        api_.record(ref, "FailedCreate",
                    fmt::format("create Pod {} in StatefulSet {} failed error: {}", names.text(pod_name), names.text(set->meta.name), error));
      }
      return false;
    }
    succeeded(key_of(ref));
    if (!set->claim_templates.empty()) {
      auto own = std::make_shared<PodSpec>(*spec);
      for (const ClaimTemplate& claim : set->claim_templates) {
        const Symbol claim_name = names.intern(fmt::format("{}-{}-{}", names.text(claim.name), names.text(set->meta.name), ordinal));
        // A volume of the same name in the template gives way.
        std::erase_if(own->volumes, [&](const PodVolume& volume) { return volume.name == claim.name; });
        own->volumes.push_back(PodVolume{claim.name, claim_name, nullptr});
      }
      spec = std::move(own);
      if (api_.has_storage() && !create_claims(ref, *spec)) return false;
    }
    Pod pod = factory_.make(set->meta, key_of(ref), from, std::move(spec), pod_name);
    const WellKnown& wk = api_.well_known();
    pod.meta.labels.set(wk.statefulset_pod_name, pod_name);
    pod.meta.labels.set(wk.pod_index, names.intern(fmt::format("{}", ordinal)));
    pod.meta.labels.set(wk.controller_revision_hash, revision_label(*set, of_current ? set->current_revision : set->pod_template.hash));
    const CauseId created = api_.record(
        ref, "SuccessfulCreate", fmt::format("create Pod {} in StatefulSet {} successful", names.text(pod_name), names.text(set->meta.name)));
    const ScopedCause because_created(engine_, created);
    pods_.refresh(api_.create(std::move(pod)));
    return true;
  }

  /// The claims of a slot, before its pod. False when one cannot be had.
  bool create_claims(Ref<StatefulSet> ref, const PodSpec& spec) {
    const StatefulSet& set = *api_.get(ref);
    const Symbol ns = set.meta.ns;
    for (const ClaimTemplate& from : set.claim_templates) {
      const auto volume = std::find_if(spec.volumes.begin(), spec.volumes.end(), [&](const PodVolume& one) { return one.name == from.name; });
      if (const PersistentVolumeClaim* known = api_.get(api_.find<PersistentVolumeClaim>(ns, volume->claim))) {
        if (!known->meta.is_deleting()) continue;
        if (is_first_failure(key_of(ref))) {
          api_.record(ref, "FailedCreate", fmt::format("pvc {} is being deleted", api_.names().text(volume->claim)));
        }
        return false;
      }
      budget_.take();
      PersistentVolumeClaim claim = make_claim(api_, ns, volume->claim, from);
      for (const Requirement& requirement : set.selector.requirements) {
        if (requirement.op == SelectorOperator::kIn && requirement.values.size() == 1) claim.meta.labels.set(requirement.key, requirement.values.front());
      }
      if (set.deletes_claims_when_deleted) claim.meta.owners.push_back(OwnerReference{key_of(ref), set.meta.uid, true});
      api_.create(std::move(claim));
    }
    return true;
  }

  /// persistentVolumeClaimRetentionPolicy.whenScaled Delete: the claims of a condemned pod belong to it from now on, and go with it.
  void condemn_claims(Ref<StatefulSet> ref, Ref<Pod> victim) {
    const Pod& pod = *api_.get(victim);
    const OwnerReference owner{ApiServer::untyped(victim), pod.meta.uid, false};
    for (const PodVolume& volume : pod.spec->volumes) {
      const bool is_ours = std::any_of(api_.get(ref)->claim_templates.begin(), api_.get(ref)->claim_templates.end(),
                                       [&](const ClaimTemplate& from) { return from.name == volume.name; });
      const Ref<PersistentVolumeClaim> claim = api_.find<PersistentVolumeClaim>(pod.meta.ns, volume.claim);
      if (!is_ours || !claim) continue;
      budget_.take();
      api_.update(claim, Change::kOwners, [&](PersistentVolumeClaim& c) {
        std::erase_if(c.meta.owners, [&](const OwnerReference& o) { return o.owner == key_of(ref) || o.owner == owner.owner; });
        c.meta.owners.push_back(owner);
      });
    }
  }

  void remove_pod(Ref<StatefulSet> ref, Ref<Pod> victim) {
    const Pod& pod = *api_.get(victim);
    // A pod that failed goes because of that, whatever made the set look just now.
    const ScopedCause because(engine_, pod.is_terminal() ? pod.meta.cause : CauseId{});
    budget_.take();
    const CauseId deleted =
        api_.record(ref, "SuccessfulDelete",
                    fmt::format("delete Pod {} in StatefulSet {} successful", api_.names().text(pod.meta.name), api_.names().text(api_.get(ref)->meta.name)));
    const ScopedCause because_deleted(engine_, deleted);
    api_.remove(victim);
    pods_.refresh(victim);
  }

  void update_status(Ref<StatefulSet> ref) {
    const StatefulSet& set = *api_.get(ref);
    const Symbol revision_key = api_.well_known().controller_revision_hash;
    const Symbol current_label = revision_label(set, set.current_revision);
    const Symbol update_label = revision_label(set, set.update_revision);
    std::int64_t replicas = 0;
    std::int64_t ready = 0;
    std::int64_t available = 0;
    std::int64_t current = 0;
    std::int64_t updated = 0;
    pods_.for_each(key_of(ref), [&](Ref<Pod>, const Pod& pod) {
      ++replicas;
      ready += is_running_and_ready(pod) ? 1 : 0;
      available += is_available(set, pod) ? 1 : 0;
      if (pod.meta.is_deleting()) return;
      const std::optional<Symbol> revision = pod.meta.labels.find(revision_key);
      current += revision == current_label ? 1 : 0;
      updated += revision == update_label ? 1 : 0;
      if (is_running_and_ready(pod) && !is_available(set, pod)) {
        queue_.add_after(key_of(ref), pod.ready_since + std::chrono::seconds(set.min_ready_seconds) - engine_.now());
      }
    });
    // completeRollingUpdate
    const bool completes = !set.on_delete && set.current_revision != set.update_revision && updated == replicas && ready == replicas &&
                           replicas == set.replicas;
    if (completes) current = updated;
    if (!completes && set.status_replicas == replicas && set.ready_replicas == ready && set.available_replicas == available &&
        set.current_replicas == current && set.updated_replicas == updated && set.observed_generation == set.meta.generation) {
      return;
    }
    write(ref, Change::kStatus, [&](StatefulSet& s) {
      s.observed_generation = s.meta.generation;
      s.status_replicas = replicas;
      s.ready_replicas = ready;
      s.available_replicas = available;
      s.current_replicas = current;
      s.updated_replicas = updated;
      if (completes) {
        s.current_revision = s.update_revision;
        s.current_template = std::make_shared<PodTemplate>(s.pod_template);
      }
    });
  }

  PodFactory factory_;
  std::map<ObjectRef, std::map<Symbol, CauseId>> emptied_;  // by set and name of the pod
};

}  // namespace

std::unique_ptr<Controller> make_stateful_set_controller(const ControllerContext& context) {
  return std::make_unique<StatefulSetController>(context);
}

}  // namespace sim::k8s
