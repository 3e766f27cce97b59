#include <fmt/format.h>

#include <algorithm>

#include "sim/scenario/manifests.hpp"

namespace sim::scenario {

using namespace sim::k8s;  // the objects are what this file is about

namespace {

constexpr std::string_view kMirrorAnnotation = "kubernetes.io/config.mirror";

class Storer {
 public:
  Storer(const ManifestSet& set, ApiServer& api, const StoreOptions& options) : set_(set), api_(api), options_(options) {}

  std::vector<std::string> run() {
    for (const auto& m : set_.namespaces) put(m);
    for (const auto& m : set_.priority_classes) put(m);
    for (const auto& m : set_.storage_classes) put(m);
    for (const auto& m : set_.limit_ranges) put(m);
    for (const auto& m : set_.quotas) put(m);
    for (const auto& m : set_.autoscalers) put(m);
    if (options_.nodes) {
      for (const auto& m : set_.nodes) put(m);
    }
    // Owners first: a Deployment of a dump before its ReplicaSets, a CronJob before its Jobs.
    pass({Kind::kService, Kind::kPodDisruptionBudget, Kind::kDeployment, Kind::kStatefulSet, Kind::kDaemonSet, Kind::kCronJob, Kind::kPersistentVolumeClaim,
          Kind::kOther});
    pass({Kind::kPersistentVolume, Kind::kVolumeAttachment});
    pass({Kind::kReplicaSet, Kind::kJob});
    pass({Kind::kPod});
    for (const ManifestSet::DisruptedPod& entry : set_.disrupted_pods) note_disrupted(entry);
    return std::move(refused_);
  }

 private:
  void pass(std::initializer_list<Kind> kinds) {
    for (const ManifestSet::Position& at : set_.order) {
      if (std::find(kinds.begin(), kinds.end(), at.kind) == kinds.end()) continue;
      switch (at.kind) {
        case Kind::kService: put(set_.services[at.index]); break;
        case Kind::kPodDisruptionBudget: put(set_.budgets[at.index]); break;
        case Kind::kDeployment: put(set_.deployments[at.index]); break;
        case Kind::kStatefulSet: put(set_.stateful_sets[at.index]); break;
        case Kind::kDaemonSet: put(set_.daemon_sets[at.index]); break;
        case Kind::kCronJob: put(set_.cron_jobs[at.index]); break;
        case Kind::kOther: put(set_.others[at.index]); break;
        case Kind::kReplicaSet: put(set_.replica_sets[at.index]); break;
        case Kind::kJob: put(set_.jobs[at.index]); break;
        case Kind::kPod: pod(set_.pods[at.index]); break;
        case Kind::kPersistentVolume: volume(set_.volumes[at.index]); break;
        case Kind::kPersistentVolumeClaim: claim(set_.claims[at.index]); break;
        case Kind::kVolumeAttachment: attachment(set_.attachments[at.index]); break;
        case Kind::kResourceQuota:
        case Kind::kLimitRange:
        case Kind::kHorizontalPodAutoscaler:
        case Kind::kStorageClass:
        case Kind::kNode:
        case Kind::kEndpoints:
        case Kind::kPriorityClass:
        case Kind::kNamespace: break;
      }
    }
  }

  template <class T>
  OwnerReference reference(Symbol ns, const OwnerName& owner) {
    const Ref<T> ref = api_.find<T>(ns, owner.name);
    if (!ref) return OwnerReference{};
    return OwnerReference{ApiServer::untyped(ref), api_.get(ref)->meta.uid, owner.controller};
  }
  OwnerReference resolve(Symbol ns, const OwnerName& owner) {
    switch (owner.kind) {
      case Kind::kDeployment: return reference<Deployment>(ns, owner);
      case Kind::kReplicaSet: return reference<ReplicaSet>(ns, owner);
      case Kind::kStatefulSet: return reference<StatefulSet>(ns, owner);
      case Kind::kDaemonSet: return reference<DaemonSet>(ns, owner);
      case Kind::kJob: return reference<Job>(ns, owner);
      case Kind::kCronJob: return reference<CronJob>(ns, owner);
      case Kind::kNode: return reference<k8s::Node>(Symbol{}, owner);
      default: return OwnerReference{};
    }
  }

  template <class T>
  Ref<T> put(const Manifest<T>& manifest) {
    T object = manifest.object;
    return create(manifest, std::move(object));
  }
  template <class T>
  Ref<T> create(const Manifest<T>& manifest, T object) {
    // An owner that is in none of the files is left out: the garbage collector would take what it owns for an orphan and delete it.
    for (const OwnerName& owner : manifest.owners) {
      if (const OwnerReference found = resolve(object.meta.ns, owner); found.owner) object.meta.owners.push_back(found);
    }
    const Symbol subject = api_.subject(object);
    const Ref<T> ref = api_.create(std::move(object));
    if (!ref) refused_.push_back(api_.names().text(subject));
    return ref;
  }
  void pod(const Manifest<Pod>& manifest) {
    Pod object = manifest.object;
    object.start_time.reset();  // see keep_start_times()
    if (object.node_name) {
      if (is_mirror(object) && std::find(options_.without_mirror_pods_of.begin(), options_.without_mirror_pods_of.end(), object.node_name) !=
                                   options_.without_mirror_pods_of.end()) {
        return;
      }
      object.node = api_.find<k8s::Node>(Symbol{}, object.node_name);
      object.scheduled_at = api_.engine().now();
      if (object.ready) object.ready_since = api_.engine().now();
    }
    create(manifest, std::move(object));
  }
  /// Claims come before volumes, whose claimRef needs their uid.
  void claim(const Manifest<PersistentVolumeClaim>& manifest) {
    PersistentVolumeClaim object = manifest.object;
    add_finalizer(object.meta, api_.well_known().pvc_protection);
    if (object.bind_completed && object.phase != ClaimPhase::kLost) object.phase = ClaimPhase::kBound;
    create(manifest, std::move(object));
  }
  void volume(const Manifest<PersistentVolume>& manifest) {
    PersistentVolume object = manifest.object;
    add_finalizer(object.meta, api_.well_known().pv_protection);
    if (object.claim_name) {
      const PersistentVolumeClaim* claim = api_.get(api_.find<PersistentVolumeClaim>(object.claim_ns, object.claim_name));
      if (claim != nullptr && claim->bind_completed && claim->spec.volume_name == object.meta.name) {
        object.claim_uid = claim->meta.uid;
        object.phase = VolumePhase::kBound;
      }
    }
    create(manifest, std::move(object));
  }
  void attachment(const Manifest<VolumeAttachment>& manifest) {
    VolumeAttachment object = manifest.object;
    const Symbol volume = object.volume;
    const Ref<k8s::Node> node = api_.find<k8s::Node>(Symbol{}, object.node);
    const bool attached = object.attached;
    add_finalizer(object.meta, api_.names().intern(fmt::format("external-attacher/{}", api_.names().text(object.attacher))));
    create(manifest, std::move(object));
    if (!attached || !node) return;
    api_.update(node, Change::kVolumes, [volume](k8s::Node& n) {
      n.volumes_attached.push_back(volume);
      n.volumes_in_use.push_back(volume);
    });
  }
  /// Budgets come before pods, whose uid the entry needs.
  void note_disrupted(const ManifestSet::DisruptedPod& entry) {
    const Ref<PodDisruptionBudget> budget = api_.find<PodDisruptionBudget>(entry.ns, entry.budget);
    const Pod* pod = api_.get(api_.find<Pod>(entry.ns, entry.pod));
    if (!budget || pod == nullptr) return;
    const std::uint64_t uid = pod->meta.uid;
    api_.update(budget, Change::kStatus, [&](PodDisruptionBudget& b) { b.disrupted_pods.push_back({uid, api_.engine().now()}); });
  }
  static void add_finalizer(ObjectMeta& meta, Symbol finalizer) {
    if (std::find(meta.finalizers.begin(), meta.finalizers.end(), finalizer) == meta.finalizers.end()) meta.finalizers.push_back(finalizer);
  }
  bool is_mirror(const Pod& pod) const {
    const Symbol key = api_.names().find(kMirrorAnnotation);
    return key && pod.meta.annotations.has(key);
  }

  const ManifestSet& set_;
  ApiServer& api_;
  const StoreOptions& options_;
  std::vector<std::string> refused_;
};

}  // namespace

std::vector<std::string> store(const ManifestSet& set, ApiServer& api, const StoreOptions& options) { return Storer(set, api, options).run(); }

}  // namespace sim::scenario
