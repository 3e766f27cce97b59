#include "sim/models/kubernetes/scheduler/schedule_all.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "sim/models/kubernetes/api/admission.hpp"
#include "sim/models/kubernetes/scheduler/cycle_trace.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_affinity.hpp"
#include "sim/models/kubernetes/scheduler/plugins/scheduling_gates.hpp"
#include "sim/models/kubernetes/scheduler/scheduler_state.hpp"
#include "sim/models/kubernetes/volumes/claims.hpp"
#include "sim/models/kubernetes/volumes/simple_backend.hpp"

namespace sim::k8s {

namespace {

using namespace scheduling;

template <class T>
std::vector<Ref<T>> in_order_of_creation(const ApiServer& api) {
  std::vector<Ref<T>> refs = api.all<T>().refs();
  std::sort(refs.begin(), refs.end(), [&](Ref<T> a, Ref<T> b) { return api.get(a)->meta.uid < api.get(b)->meta.uid; });
  return refs;
}

class Expander {
 public:
  explicit Expander(ApiServer& api) : api_(api) {
    api.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) {
      if (pod.is_active()) pods_[pod.meta.ns].push_back(ref);
    });
  }

  Expansion run() {
    for (const Ref<Deployment> ref : in_order_of_creation<Deployment>(api_)) expand_deployment(ref);
    for (const Ref<ReplicaSet> ref : in_order_of_creation<ReplicaSet>(api_)) {
      const ReplicaSet set = *api_.get(ref);
      make_missing(set.meta, ApiServer::untyped(ref), set.selector, set.pod_template, set.replicas,
                   [&](std::int64_t i) { return fmt::format("{}-{}", text(set.meta.name), i); });
    }
    for (const Ref<StatefulSet> ref : in_order_of_creation<StatefulSet>(api_)) {
      const StatefulSet set = *api_.get(ref);
      make_missing(set.meta, ApiServer::untyped(ref), set.selector, set.pod_template, set.replicas,
                   [&](std::int64_t i) { return fmt::format("{}-{}", text(set.meta.name), set.start_ordinal + i); }, &set);
    }
    for (const Ref<Job> ref : in_order_of_creation<Job>(api_)) {
      const Job job = *api_.get(ref);
      if (job.spec.suspend || job.complete || job.failed_condition) continue;
      const std::int64_t parallelism = job.spec.parallelism.value_or(1);
      const std::int64_t left = job.spec.completions ? *job.spec.completions - job.succeeded : parallelism;
      make_missing(job.meta, ApiServer::untyped(ref), job.selector, job.spec.pod_template, std::min(parallelism, left),
                   [&](std::int64_t i) { return fmt::format("{}-{}", text(job.meta.name), i); });
    }
    for (const Ref<DaemonSet> ref : in_order_of_creation<DaemonSet>(api_)) expand_daemon_set(ref);
    return std::move(result_);
  }

 private:
  const std::string& text(Symbol symbol) const { return api_.names().text(symbol); }

  bool is_of(const Pod& pod, ObjectRef owner, const LabelSelector& selector) const {
    const OwnerReference* controller = pod.meta.controller();
    if (controller != nullptr && controller->owner) return controller->owner == owner;
    return !selector.is_empty() && selector.matches(pod.meta.labels, api_.names());
  }

  std::int64_t count_existing(Symbol ns, ObjectRef owner, const LabelSelector& selector) const {
    const auto found = pods_.find(ns);
    if (found == pods_.end()) return 0;
    return std::count_if(found->second.begin(), found->second.end(), [&](Ref<Pod> ref) { return is_of(*api_.get(ref), owner, selector); });
  }

  /// The template's spec as POST pods would store it; null when admission refuses it, which is noted once.
  std::shared_ptr<const PodSpec> admitted(ObjectRef owner, const ObjectMeta& owner_meta, const std::shared_ptr<const PodSpec>& given) {
    PodSpec spec = *given;
    const std::optional<std::string> refused = admit_pod(spec, priority_classes(api_), api_.names(), api_.well_known());
    if (refused) {
      result_.refused.push_back(fmt::format("{}/{}/{}: {}", to_string(owner.kind), text(owner_meta.ns), text(owner_meta.name), *refused));
      return nullptr;
    }
    finish_pod_spec(spec);
    return std::make_shared<const PodSpec>(std::move(spec));
  }

  Ref<Pod> make_pod(const ObjectMeta& owner_meta, ObjectRef owner, const PodTemplate& from, std::shared_ptr<const PodSpec> spec, const std::string& name) {
    Pod pod;
    pod.meta.ns = owner_meta.ns;
    pod.meta.name = api_.names().intern(name);
    pod.meta.labels = from.labels;
    pod.meta.annotations = from.annotations;
    pod.meta.owners.push_back(OwnerReference{owner, owner_meta.uid, true});
    pod.meta.source = owner_meta.source;
    pod.spec = std::move(spec);
    const Ref<Pod> ref = api_.create(std::move(pod));
    if (ref) ++result_.made;
    return ref;
  }

  template <class Name>
  void make_missing(const ObjectMeta& meta, ObjectRef owner, const LabelSelector& selector, const PodTemplate& from, std::int64_t replicas, Name&& name,
                    const StatefulSet* with_claims = nullptr) {
    std::int64_t missing = replicas - count_existing(meta.ns, owner, selector);
    if (missing <= 0) return;
    const std::shared_ptr<const PodSpec> spec = admitted(owner, meta, from.spec);
    if (spec == nullptr) return;
    // A name that is taken is passed over: the pods that exist have names of their own.
    for (std::int64_t i = 0; missing > 0 && i < replicas * 2 + 16; ++i) {
      const std::string pod_name = name(i);
      const Ref<Pod> ref = make_pod(meta, owner, from, with_claims == nullptr ? spec : add_claims(*with_claims, spec, pod_name), pod_name);
      if (!ref) continue;
      pods_[meta.ns].push_back(ref);
      --missing;
    }
  }

  /// The spec with the volumes of the set's claim templates; the claims are made when they are not there.
  std::shared_ptr<const PodSpec> add_claims(const StatefulSet& set, const std::shared_ptr<const PodSpec>& spec, const std::string& pod_name) {
    if (set.claim_templates.empty()) return spec;
    auto own = std::make_shared<PodSpec>(*spec);
    for (const ClaimTemplate& from : set.claim_templates) {
      const Symbol claim = api_.names().intern(fmt::format("{}-{}", text(from.name), pod_name));
      std::erase_if(own->volumes, [&](const PodVolume& volume) { return volume.name == from.name; });
      own->volumes.push_back(PodVolume{from.name, claim, nullptr});
      if (api_.has_storage() && !api_.find<PersistentVolumeClaim>(set.meta.ns, claim)) api_.create(make_claim(api_, set.meta.ns, claim, from));
    }
    return own;
  }

  void expand_deployment(Ref<Deployment> ref) {
    const Deployment deployment = *api_.get(ref);
    // A live dump has the ReplicaSets too: then they make the pods.
    bool has_sets = false;
    api_.all<ReplicaSet>().for_each([&](Ref<ReplicaSet>, const ReplicaSet& set) {
      if (set.meta.ns != deployment.meta.ns || set.replicas == 0) return;
      const OwnerReference* controller = set.meta.controller();
      const bool owned = controller != nullptr && controller->owner == ApiServer::untyped(ref);
      has_sets = has_sets || owned || (!deployment.selector.is_empty() && deployment.selector.matches(set.pod_template.labels, api_.names()));
    });
    if (has_sets || deployment.replicas == 0) return;
    const std::int64_t existing = count_existing(deployment.meta.ns, ApiServer::untyped(ref), deployment.selector);
    ReplicaSet set;
    set.meta.ns = deployment.meta.ns;
    // Ten hex digits of the template's hash stand where the real controller has its own.
    const std::string hash = fmt::format("{:010x}", deployment.pod_template.hash & 0xffffffffffull);
    set.meta.name = api_.names().intern(fmt::format("{}-{}", text(deployment.meta.name), hash));
    set.meta.owners.push_back(OwnerReference{ApiServer::untyped(ref), deployment.meta.uid, true});
    set.meta.labels = deployment.pod_template.labels;
    set.replicas = std::max<std::int64_t>(deployment.replicas - existing, 0);
    set.selector = deployment.selector;
    set.pod_template = deployment.pod_template;
    const Symbol value = api_.names().intern(hash);
    set.pod_template.labels.set(api_.well_known().pod_template_hash, value);
    set.selector.requirements.push_back(Requirement{api_.well_known().pod_template_hash, SelectorOperator::kIn, {value}});
    api_.create(std::move(set));
  }

  /// As the DaemonSet controller: a pod for each node whose taints and node affinity allow it, pinned to that node.
  void expand_daemon_set(Ref<DaemonSet> ref) {
    const DaemonSet set = *api_.get(ref);
    const WellKnown& known = api_.well_known();
    // Source: pkg/controller/daemon/util/daemonset_util.go (AddOrUpdateDaemonPodTolerations).
    std::vector<Toleration> tolerations = set.pod_template.spec->tolerations;
    const auto tolerate = [&](Symbol key, TaintEffect effect) { tolerations.push_back(Toleration{key, true, Symbol{}, effect, std::nullopt}); };
    tolerate(known.not_ready, TaintEffect::kNoExecute);
    tolerate(known.unreachable, TaintEffect::kNoExecute);
    tolerate(known.disk_pressure, TaintEffect::kNoSchedule);
    tolerate(known.memory_pressure, TaintEffect::kNoSchedule);
    tolerate(known.pid_pressure, TaintEffect::kNoSchedule);
    tolerate(known.unschedulable, TaintEffect::kNoSchedule);
    if (set.pod_template.spec->host_network) tolerate(known.network_unavailable, TaintEffect::kNoSchedule);
    PodSpec tolerant = *set.pod_template.spec;
    tolerant.tolerations = tolerations;
    const std::shared_ptr<const PodSpec> base = admitted(ApiServer::untyped(ref), set.meta, std::make_shared<const PodSpec>(std::move(tolerant)));
    if (base == nullptr) return;
    for (const Ref<Node> node_ref : in_order_of_creation<Node>(api_)) {
      const Node& node = *api_.get(node_ref);
      const bool tolerated = std::all_of(node.taints.begin(), node.taints.end(), [&](const Taint& taint) {
        return taint.effect == TaintEffect::kPreferNoSchedule || tolerates(tolerations, taint);
      });
      if (!tolerated || !matches_node(*base, node)) continue;
      const auto found = pods_.find(set.meta.ns);
      const bool exists = found != pods_.end() && std::any_of(found->second.begin(), found->second.end(), [&](Ref<Pod> pod) {
        const Pod& object = *api_.get(pod);
        return object.node_name == node.meta.name && is_of(object, ApiServer::untyped(ref), set.selector);
      });
      if (exists) continue;
      auto affinity = std::make_shared<Affinity>(base->affinity ? *base->affinity : Affinity{});
      const Requirement pin{known.metadata_name, SelectorOperator::kIn, {node.meta.name}};
      affinity->has_required_node_affinity = true;
      affinity->required_node_terms = {NodeSelectorTerm{{}, {pin}}};  // replaces, as the real controller does
      auto spec = std::make_shared<PodSpec>(*base);
      spec->affinity = std::move(affinity);
      make_pod(set.meta, ApiServer::untyped(ref), set.pod_template, std::move(spec), fmt::format("{}-{}", text(set.meta.name), text(node.meta.name)));
    }
  }

  bool matches_node(const PodSpec& spec, const Node& node) const {
    return node_affinity::matches_required(spec, node.meta.labels, node.meta.name, api_.names());
  }

  ApiServer& api_;
  std::map<Symbol, std::vector<Ref<Pod>>> pods_;  // active ones, by namespace
  Expansion result_;
};

/// What the volume controllers and a storage system without limits would have done: claims that need no pod's node are bound, also to
/// volumes that are made for them; nodes have the limits of their drivers.
class Storekeeper {
 public:
  explicit Storekeeper(ApiServer& api) : api_(api) {}

  void prepare() {
    if (!api_.has_storage()) return;
    for (const Ref<PersistentVolume> ref : in_order_of_creation<PersistentVolume>(api_)) {
      const PersistentVolume& volume = *api_.get(ref);
      if (volume.phase != VolumePhase::kPending || volume.claim_uid != 0) continue;
      api_.update(ref, Change::kPhase, [](PersistentVolume& v) { v.phase = VolumePhase::kAvailable; });
    }
    for (const Ref<Pod> ref : in_order_of_creation<Pod>(api_)) make_ephemeral_claims(ref);
    for (const Ref<PersistentVolumeClaim> ref : in_order_of_creation<PersistentVolumeClaim>(api_)) {
      const PersistentVolumeClaim& claim = *api_.get(ref);
      if (claim.bind_completed) continue;
      if (claim.spec.volume_name) {
        const Ref<PersistentVolume> wanted = api_.find<PersistentVolume>(Symbol{}, claim.spec.volume_name);
        const PersistentVolume* volume = api_.get(wanted);
        if (volume != nullptr && (!volume->claim_name || is_claimed_by(*volume, claim))) bind(ref, wanted);
        continue;
      }
      VolumeSearch search;
      search.only_reserved = waits_for_consumer(api_, claim);
      if (const Ref<PersistentVolume> found = find_volume(api_, claim, search)) bind(ref, found);
      else if (!search.only_reserved) provision(ref);
    }
    set_limits();
  }

  /// What VolumeBinding wished for this pod comes true.
  void settle(const scheduling::VolumeBinding::Reservation& wishes) {
    for (const auto& [claim, volume] : wishes.statics) bind(claim, volume);
    for (const Ref<PersistentVolumeClaim> claim : wishes.dynamics) provision(claim);
  }

 private:
  void make_ephemeral_claims(Ref<Pod> ref) {
    const std::shared_ptr<const PodSpec> spec = api_.get(ref)->spec;
    const ObjectMeta meta = api_.get(ref)->meta;
    for (const PodVolume& volume : spec->volumes) {
      if (volume.ephemeral == nullptr) continue;
      const Symbol name = claim_name(api_.names(), meta.name, volume);
      if (api_.find<PersistentVolumeClaim>(meta.ns, name)) continue;
      PersistentVolumeClaim claim = make_claim(api_, meta.ns, name, *volume.ephemeral);
      claim.meta.owners.push_back(OwnerReference{ApiServer::untyped(ref), meta.uid, true});
      api_.create(std::move(claim));
    }
  }

  void bind(Ref<PersistentVolumeClaim> claim_ref, Ref<PersistentVolume> volume_ref) {
    const ObjectMeta claim = api_.get(claim_ref)->meta;
    api_.update(volume_ref, Change::kBinding | Change::kPhase, [&](PersistentVolume& v) {
      v.claim_ns = claim.ns;
      v.claim_name = claim.name;
      v.claim_uid = claim.uid;
      v.phase = VolumePhase::kBound;
    });
    const Symbol volume = api_.get(volume_ref)->meta.name;
    api_.update(claim_ref, Change::kBinding | Change::kPhase, [&](PersistentVolumeClaim& c) {
      c.spec.volume_name = volume;
      c.bind_completed = true;
      c.phase = ClaimPhase::kBound;
    });
  }

  void provision(Ref<PersistentVolumeClaim> ref) {
    const PersistentVolumeClaim& claim = *api_.get(ref);
    const StorageClass* storage_class = class_of(api_, claim);
    if (storage_class == nullptr || storage_class->provisioner == api_.well_known().no_provisioner) return;
    PersistentVolume made;
    made.meta.name = api_.names().intern(fmt::format("pvc-{:08x}", claim.meta.uid));
    made.bytes = claim.spec.bytes;
    made.access_modes = claim.spec.access_modes;
    made.storage_class = storage_class->meta.name;
    made.block = claim.spec.block;
    made.driver = storage_class->provisioner;
    made.is_dynamic = true;
    if (const Ref<PersistentVolume> volume = api_.create(std::move(made))) bind(ref, volume);
  }

  void set_limits() {
    std::vector<Node::VolumeLimit> limits;
    const auto note = [&](Symbol driver) {
      const std::optional<std::int64_t> count = simple_backend_params(api_.names().text(driver)).volumes_per_node;
      if (count && std::none_of(limits.begin(), limits.end(), [&](const Node::VolumeLimit& l) { return l.driver == driver; })) limits.push_back({driver, *count});
    };
    api_.all<StorageClass>().for_each([&](Ref<StorageClass>, const StorageClass& one) { note(one.provisioner); });
    api_.all<PersistentVolume>().for_each([&](Ref<PersistentVolume>, const PersistentVolume& one) { note(one.driver); });
    if (limits.empty()) return;
    for (const Ref<Node> ref : api_.all<Node>().refs()) {
      api_.update(ref, Change::kVolumes, [&](Node& node) {
        for (const Node::VolumeLimit& limit : limits) {
          const auto is_same = [&](const Node::VolumeLimit& given) { return given.driver == limit.driver; };
          if (std::none_of(node.volume_limits.begin(), node.volume_limits.end(), is_same)) node.volume_limits.push_back(limit);
        }
      });
    }
  }

  ApiServer& api_;
};

}  // namespace

Expansion expand_workloads(ApiServer& api) { return Expander(api).run(); }

ScheduleResult schedule_all(ApiServer& api, const SchedulerConfig& config, const Randomness& random, const CycleObserver& observer) {
  Storekeeper storekeeper(api);
  storekeeper.prepare();
  const QueueConfig queue_config{config.pod_initial_backoff, config.pod_max_backoff, std::chrono::minutes(5)};
  SchedulerState state(api, random, queue_config, config.percentage_of_nodes_to_score);
  if (config.profiles != nullptr) state.cycle.set_profiles(*config.profiles);
  ScheduleResult result;
  for (const Ref<Node> ref : in_order_of_creation<Node>(api)) state.cache.add_node(ref, *api.get(ref));
  result.nodes = state.cache.node_count();

  // Virtual time only orders attempts: it moves by one cycle with each, so that who failed stands behind who waited.
  SimTime now{};
  std::vector<std::size_t> place_of_slot(api.all<Pod>().slot_count());
  for (const Ref<Pod> ref : in_order_of_creation<Pod>(api)) {
    const Pod& pod = *api.get(ref);
    if (pod.is_terminal()) continue;
    place_of_slot[ref.slot] = result.pods.size();
    PodFate fate;
    fate.pod = ref;
    fate.ns = pod.meta.ns;
    fate.name = pod.meta.name;
    fate.node = pod.node_name;
    fate.was_bound = static_cast<bool>(pod.node_name);
    if (pod.node_name) {
      state.cache.assign(ref, pod, pod.node_name);
    } else if (!state.cycle.schedules(*pod.spec)) {
      fate.message = fmt::format("waits for the scheduler \"{}\"", api.names().text(pod.spec->scheduler_name));
    } else {
      state.cache.put_pending(ref, pod);
      const bool gated = scheduling_gates::is_gated(*pod.spec);
      if (gated) fate.message = "Scheduling is blocked due to non-empty scheduling gates";
      if (!gated && pod.nominated_node) state.cache.nominate(ref.slot, state.cache.find(pod.nominated_node));
      state.queue.add(ref, pod.spec->priority, gated, now, CauseId{});
    }
    result.pods.push_back(std::move(fate));
  }

  while (const QueuedPod* queued = state.queue.pop(now)) {
    now += config.scheduling_latency;
    ++result.cycles;
    const Ref<Pod> ref = queued->ref;
    PodFate& fate = result.pods[place_of_slot[ref.slot]];
    CycleTrace trace;
    Decision decision = state.cycle.schedule(ref.slot, now, queued->attempts, observer ? &trace : nullptr);
    if (observer) observer(ObservedCycle{fate.ns, fate.name, queued->attempts, now, decision, trace, state.cache, state.cycle.statuses()});
    if (decision.node != kNoNode) {
      state.queue.remove(ref.slot);
      scheduling::VolumeBinding& volumes = state.cycle.volume_binding();
      if (!api.get(ref)->spec->volumes.empty() && api.has_storage() && volumes.reserve(ref.slot, decision.node)) {
        storekeeper.settle(*volumes.find(ref.slot));
        volumes.forget(ref.slot);
      }
      state.cache.assume(ref.slot, decision.node);
      state.cache.confirm(ref.slot);
      fate.node = state.cache.node(decision.node).name;
      fate.message.clear();
      const Ref<Node> node = state.cache.node(decision.node).ref;
      api.update(ref, Change::kBinding | Change::kScheduling, [&](Pod& pod) {
        pod.node = node;
        pod.node_name = fate.node;
        pod.unschedulable = false;
        pod.scheduled_at = api.engine().now();
      });
      state.fire_pod(Action::kPodAdd, ref.slot, now, CauseId{});
      continue;
    }
    fate.message = decision.message;
    if (decision.rejectors == 0) {
      state.queue.remove(ref.slot);  // an error (no nodes at all, unreadable preferences): hardly anything will change that
      continue;
    }
    state.queue.failed(ref.slot, decision.rejectors, now, CauseId{});
    if (decision.preemption.clears_nomination) state.cache.nominate(ref.slot, kNoNode);
    if (decision.preemption.node == kNoNode) continue;
    state.cache.nominate(ref.slot, decision.preemption.node);
    const Symbol node_name = state.cache.node(decision.preemption.node).name;
    // Pods of lower priority that were promised this node look for another.
    const std::vector<PodSlot> promised = state.cache.node(decision.preemption.node).nominated;
    for (const PodSlot slot : promised) {
      if (slot == ref.slot || state.cache.pod(slot).priority() >= state.cache.pod(ref.slot).priority()) continue;
      state.fire_pod(Action::kPodDelete, slot, now, CauseId{}, state.cache.pod(slot).priority());
      state.cache.nominate(slot, kNoNode);
    }
    for (const PodSlot victim : decision.preemption.victims) {
      PodFate& lost = result.pods[place_of_slot[victim]];
      lost.node = Symbol{};
      lost.was_preempted = true;
      lost.message = fmt::format("Preempted by pod {}/{} on node {}", api.names().text(fate.ns), api.names().text(fate.name), api.names().text(node_name));
      const Ref<Pod> gone = state.cache.pod(victim).ref;
      state.fire_pod(Action::kPodDelete, victim, now, CauseId{});
      state.cache.remove_pod(victim);
      api.remove(gone, DeleteOptions{.grace_period_seconds = 0, .uid = std::nullopt});
    }
  }
  for (const PodFate& fate : result.pods) result.scheduled += fate.node ? 1 : 0;
  return result;
}

}  // namespace sim::k8s
