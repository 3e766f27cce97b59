/// Typed objects of the model as documents, and back. One specialisation of Codec a kind, each in the file named after it.
///
/// render(): writes what the model knows over a document; everything else in it stays. apply_spec() and apply_status(): what a client wrote, into the
/// typed object, through the manifest reader of sim/scenario.
///
/// Source:     the fields of k8s.io/api v1.36; what kubelets and controllers write into status: pkg/kubelet/status, pkg/controller.
/// Checked by: tests/loop/kubectl.py.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sim/loop/json/json.hpp"
#include "sim/loop/store/store.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/scenario/manifests.hpp"

namespace sim {
class World;
}

namespace sim::loop {

/// What rendering needs to know of the world.
struct RenderContext {
  World& world;
  Store& store;
  std::int64_t epoch_nanoseconds = 0;  // of virtual time 0
  bool external_controllers = false;   // the status of workloads is somebody else's
  /// Of pod specs that many pods share: their documents.
  std::unordered_map<const k8s::PodSpec*, std::pair<std::shared_ptr<const k8s::PodSpec>, Json>> specs{};  // look-up only

  std::string time(SimTime when) const { return rfc3339(epoch_nanoseconds + when.time_since_epoch().count()); }
  const std::string& text(Symbol symbol) const;
  Json pod_spec(const std::shared_ptr<const k8s::PodSpec>& spec);
  Json pod_template(const k8s::PodTemplate& from);
  std::optional<SimTime> sim_time(const Json& timestamp) const;
};

Json labels_json(const k8s::Labels& labels, const Interner& names);
Json selector_json(const k8s::LabelSelector& selector, const Interner& names);
Json int_or_percent_json(const k8s::IntOrPercent& value);
Json resources_json(const k8s::Resources& amounts, const Interner& names);
/// The user's own manifest of an object; null when there is none.
Json source_json(const std::shared_ptr<const k8s::SourceDocument>& source);
std::string node_address(std::uint64_t uid);
std::string pod_address(std::uint32_t serial);
/// Sets the condition of that type and gives it; its time changes only when its status does.
Json& set_condition(Json& status, std::string_view type, std::string_view value, std::string_view reason, std::string_view message, const std::string& now);
const Json* find_condition(const Json& document, std::string_view type);
/// A count that Go leaves out when it is 0.
void set_count(Json& to, std::string_view key, std::int64_t value);

template <class T>
struct Codec;

#define SQUALL_CODEC(TYPE, GROUP, PLURAL, LIST)                                                                                  \
  template <>                                                                                                                    \
  struct Codec<k8s::TYPE> {                                                                                                      \
    static constexpr std::string_view kGroup = GROUP;                                                                            \
    static constexpr std::string_view kPlural = PLURAL;                                                                          \
    static std::vector<scenario::Manifest<k8s::TYPE>>& list(scenario::ManifestSet& set) { return set.LIST; }                     \
    static void render(const k8s::TYPE& object, Json& document, RenderContext& context);                                         \
    static k8s::Change apply_spec(k8s::TYPE& to, k8s::TYPE& from, const Json& document, RenderContext& context);                 \
    static k8s::Change apply_status(k8s::TYPE& to, const Json& before, const Json& document, RenderContext& context);            \
    /* What is different about an object that a client made. */                                                                  \
    static void created(k8s::TYPE& object, Json& document, RenderContext& context, std::string& refused);                        \
  }

SQUALL_CODEC(Pod, "", "pods", pods);
SQUALL_CODEC(Node, "", "nodes", nodes);
SQUALL_CODEC(Deployment, "apps", "deployments", deployments);
SQUALL_CODEC(ReplicaSet, "apps", "replicasets", replica_sets);
SQUALL_CODEC(StatefulSet, "apps", "statefulsets", stateful_sets);
SQUALL_CODEC(DaemonSet, "apps", "daemonsets", daemon_sets);
SQUALL_CODEC(Job, "batch", "jobs", jobs);
SQUALL_CODEC(CronJob, "batch", "cronjobs", cron_jobs);
SQUALL_CODEC(Service, "", "services", services);
SQUALL_CODEC(PodDisruptionBudget, "policy", "poddisruptionbudgets", budgets);
SQUALL_CODEC(PriorityClass, "scheduling.k8s.io", "priorityclasses", priority_classes);
SQUALL_CODEC(Namespace, "", "namespaces", namespaces);
SQUALL_CODEC(StorageClass, "storage.k8s.io", "storageclasses", storage_classes);
SQUALL_CODEC(PersistentVolume, "", "persistentvolumes", volumes);
SQUALL_CODEC(PersistentVolumeClaim, "", "persistentvolumeclaims", claims);
SQUALL_CODEC(VolumeAttachment, "storage.k8s.io", "volumeattachments", attachments);
#undef SQUALL_CODEC

}  // namespace sim::loop
