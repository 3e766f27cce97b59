#include "sim/models/rook/daemon_pods.hpp"

#include <fmt/format.h>

#include "sim/core/hash.hpp"

namespace sim::rook {

namespace {

struct Shape {
  std::string_view app;
  std::string_view id_label;
  std::string_view priority_class;
  std::int32_t priority;
  std::int64_t cpu_milli;
  std::int64_t memory;
  std::int64_t memory_limit;
  std::int64_t startup_failures;  // of the startup probe, every 10 s
};

constexpr std::int64_t kMi = 1 << 20;
// Keys of Kubernetes' built-in priority classes and their values.
constexpr std::int32_t kNodeCritical = 2'000'001'000;
constexpr std::int32_t kClusterCritical = 2'000'000'000;

const Shape& shape_of(DaemonType type) {
  static constexpr Shape kMon{"rook-ceph-mon", "mon", "system-node-critical", kNodeCritical, 1000, 1024 * kMi, 2048 * kMi, 6};
  static constexpr Shape kMgr{"rook-ceph-mgr", "mgr", "system-cluster-critical", kClusterCritical, 500, 512 * kMi, 1024 * kMi, 6};
  static constexpr Shape kOsd{"rook-ceph-osd", "ceph-osd-id", "system-node-critical", kNodeCritical, 1000, 4096 * kMi, 4096 * kMi, 720};
  static constexpr Shape kMds{"rook-ceph-mds", "mds", "system-cluster-critical", kClusterCritical, 1000, 4096 * kMi, 4096 * kMi, 0};
  static constexpr Shape kRgw{"rook-ceph-rgw", "rgw", "system-cluster-critical", kClusterCritical, 1000, 1024 * kMi, 2048 * kMi, 33};
  static constexpr Shape kOperator{"rook-ceph-operator", "rook-operator", "", 0, 200, 128 * kMi, 512 * kMi, 0};
  switch (type) {
    case DaemonType::kMon: return kMon;
    case DaemonType::kMgr: return kMgr;
    case DaemonType::kOsd: return kOsd;
    case DaemonType::kMds: return kMds;
    case DaemonType::kRgw: return kRgw;
    case DaemonType::kOperator: return kOperator;
  }
  return kOperator;
}

k8s::Requirement is(Interner& names, std::string_view key, std::string_view value) {
  return {names.intern(key), k8s::SelectorOperator::kIn, {names.intern(value)}};
}

const char* container_of(DaemonType type) {
  switch (type) {
    case DaemonType::kMon: return "mon";
    case DaemonType::kMgr: return "mgr";
    case DaemonType::kOsd: return "osd";
    case DaemonType::kMds: return "mds";
    case DaemonType::kRgw: return "rgw";
    case DaemonType::kOperator: return "operator";
  }
  return "";
}

/// The label that says whose it is.
const char* owner_label_of(DaemonType type) { return type == DaemonType::kMds ? "rook_file_system" : "rook_object_store"; }

/// Where it may run, and with whom.
void place(Interner& names, const DaemonPod& pod, k8s::PodSpec& spec) {
  const Symbol hostname = names.intern("kubernetes.io/hostname");
  if (!pod.node.empty()) spec.node_selector.set(hostname, names.intern(pod.node));
  if (pod.places.empty() && !pod.anti_affinity && pod.type != DaemonType::kRgw) return;
  auto affinity = std::make_shared<k8s::Affinity>();
  if (!pod.places.empty()) {
    k8s::Requirement one_of{hostname, k8s::SelectorOperator::kIn, {}};
    for (const std::string& node : pod.places) one_of.values.push_back(names.intern(node));
    affinity->has_required_node_affinity = true;
    affinity->required_node_terms.push_back({{std::move(one_of)}, {}});
  }
  k8s::PodAffinityTerm term;
  term.selector.emplace();
  term.topology_key = hostname;
  if (pod.type == DaemonType::kRgw) {
    term.selector->requirements.push_back(is(names, "rook_object_store", pod.owner));
    term.weight = 50;
    affinity->preferred_pod_anti_affinity.push_back(std::move(term));
  } else if (pod.anti_affinity) {
    term.selector->requirements.push_back(is(names, "app", app_of(pod.type)));
    affinity->required_pod_anti_affinity.push_back(std::move(term));
  }
  spec.affinity = std::move(affinity);
}

}  // namespace

std::string letters_of(std::size_t index) {
  std::string name;
  for (std::size_t rest = index + 1; rest > 0; rest = (rest - 1) / 26) name.insert(name.begin(), static_cast<char>('a' + (rest - 1) % 26));
  return name;
}

std::string mds_name(std::string_view file_system, std::size_t index) { return fmt::format("{}-{}", file_system, letters_of(index)); }

std::string_view app_of(DaemonType type) { return shape_of(type).app; }
std::string_view id_label_of(DaemonType type) { return shape_of(type).id_label; }

std::string deployment_name(DaemonType type, std::string_view id) {
  return id.empty() ? std::string(app_of(type)) : fmt::format("{}-{}", app_of(type), id);
}

namespace {

/// All of Rook's are commands in the container: the daemon's admin socket, scripts.
k8s::Probe exec_probe(std::int64_t initial_delay, std::int64_t timeout, std::int64_t period, std::int64_t successes, std::int64_t failures) {
  k8s::Probe probe;
  probe.initial_delay_seconds = initial_delay;
  probe.timeout_seconds = timeout;
  probe.period_seconds = period;
  probe.success_threshold = successes;
  probe.failure_threshold = failures;
  probe.is_exec = true;
  return probe;
}

}  // namespace

k8s::Deployment daemon_deployment(Interner& names, const RookConfig& config, const DaemonPod& pod) {
  const Shape& shape = shape_of(pod.type);
  k8s::Deployment object;
  object.meta.name = names.intern(deployment_name(pod.type, pod.id));
  object.meta.ns = names.intern(config.name_space);
  object.replicas = pod.replicas;
  object.recreate = pod.type != DaemonType::kRgw;
  if (!object.recreate) {
    object.max_unavailable = k8s::IntOrPercent{1, false};
    object.max_surge = k8s::IntOrPercent{0, false};
  }

  k8s::Labels& labels = object.pod_template.labels;
  labels.set(names.intern("app"), names.intern(shape.app));
  labels.set(names.intern("rook_cluster"), names.intern(config.name_space));
  const std::string& id = pod.type == DaemonType::kRgw ? pod.owner : pod.id;  // all gateways of a store are one Deployment
  if (!id.empty()) labels.set(names.intern(shape.id_label), names.intern(id));
  if (!pod.owner.empty()) labels.set(names.intern(owner_label_of(pod.type)), names.intern(pod.owner));
  if (!pod.failure_domain.empty()) labels.set(names.intern("failure-domain"), names.intern(pod.failure_domain));
  object.meta.labels = labels;
  object.selector.requirements = {is(names, "app", shape.app)};
  if (!id.empty()) object.selector.requirements.push_back(is(names, shape.id_label, id));

  auto spec = std::make_shared<k8s::PodSpec>();
  k8s::Container container;
  container.name = names.intern(container_of(pod.type));
  container.image = names.intern(pod.type == DaemonType::kOperator ? "docker.io/rook/ceph:v1.13" : "quay.io/ceph/ceph:v18");
  container.requests.cpu_milli = shape.cpu_milli;
  container.requests.memory = shape.memory;
  container.limits.memory = shape.memory_limit;
  container.has_cpu_request = container.has_memory_request = container.has_memory_limit = true;
  if (pod.type == DaemonType::kMds) {
    container.liveness_probe = exec_probe(30, 25, 30, 1, 5);
  } else if (pod.type == DaemonType::kRgw) {
    container.readiness_probe = exec_probe(10, 5, 10, 3, 3);
    container.startup_probe = exec_probe(10, 5, 10, 1, shape.startup_failures);
  } else if (pod.type != DaemonType::kOperator) {
    container.liveness_probe = exec_probe(10, 5, 10, 1, 3);
    container.startup_probe = exec_probe(10, 5, 10, 1, shape.startup_failures);
  }
  spec->containers.push_back(std::move(container));
  place(names, pod, *spec);
  for (const k8s::Taint& taint : pod.tolerated) {
    k8s::Toleration toleration;
    toleration.key = taint.key;
    toleration.exists = true;
    toleration.effect = taint.effect;
    spec->tolerations.push_back(toleration);
  }
  if (pod.type == DaemonType::kMds || pod.type == DaemonType::kRgw) {
    // They can run elsewhere: AddUnreachableNodeToleration.
    k8s::Toleration unreachable;
    unreachable.key = names.intern("node.kubernetes.io/unreachable");
    unreachable.exists = true;
    unreachable.effect = k8s::TaintEffect::kNoExecute;
    unreachable.seconds = 5;
    spec->tolerations.push_back(unreachable);
  }
  if (!shape.priority_class.empty()) {
    spec->priority_class_name = names.intern(shape.priority_class);
    spec->priority = shape.priority;
    spec->has_priority = true;
  }
  k8s::finish_pod_spec(*spec);
  object.pod_template.spec = std::move(spec);
  object.pod_template.hash = fnv1a(fmt::format("{}@{}", deployment_name(pod.type, pod.id), pod.node));
  return object;
}

k8s::Service gateway_service(Interner& names, const RookConfig& config, const std::string& store) {
  k8s::Service object;
  object.meta.name = names.intern(fmt::format("{}-{}", app_of(DaemonType::kRgw), store));
  object.meta.ns = names.intern(config.name_space);
  object.has_selector = true;
  object.selector.requirements = {is(names, "app", app_of(DaemonType::kRgw)), is(names, "rook_object_store", store)};
  return object;
}

k8s::PodDisruptionBudget daemon_budget(Interner& names, const RookConfig& config, const BudgetOf& budget) {
  k8s::PodDisruptionBudget object;
  object.meta.name = names.intern(budget.name);
  object.meta.ns = names.intern(config.name_space);
  object.selector.emplace();
  if (!budget.owner.empty()) {
    // reconcileCephFilesystem, reconcileCephObjectStore
    object.selector->requirements.push_back(is(names, budget.type == DaemonType::kMds ? "rook_file_system" : "rgw", budget.owner));
    object.min_available = k8s::IntOrPercent{budget.min_available, false};
    return object;
  }
  object.selector->requirements.push_back(is(names, "app", app_of(budget.type)));
  if (!budget.domain.empty()) object.selector->requirements.push_back(is(names, "failure-domain", budget.domain));
  if (!budget.except_osds.empty()) {
    k8s::Requirement except{names.intern(id_label_of(DaemonType::kOsd)), k8s::SelectorOperator::kNotIn, {}};
    for (const std::string& id : budget.except_osds) except.values.push_back(names.intern(id));
    object.selector->requirements.push_back(std::move(except));
  }
  object.max_unavailable = k8s::IntOrPercent{budget.max_unavailable, false};
  return object;
}

}  // namespace sim::rook
