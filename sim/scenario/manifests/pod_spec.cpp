#include "sim/scenario/manifests/object_reader.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "sim/models/kubernetes/api/admission.hpp"

namespace sim::scenario::manifests {

namespace {

constexpr Names kPodFields[] = {"volumes", "initContainers", "containers", "ephemeralContainers", "restartPolicy", "terminationGracePeriodSeconds",
                                "activeDeadlineSeconds", "dnsPolicy", "nodeSelector", "serviceAccountName", "serviceAccount", "automountServiceAccountToken",
                                "nodeName", "hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "securityContext", "imagePullSecrets", "hostname",
                                "subdomain", "affinity", "schedulerName", "tolerations", "hostAliases", "priorityClassName", "priority", "dnsConfig",
                                "readinessGates", "runtimeClassName", "enableServiceLinks", "preemptionPolicy", "overhead", "topologySpreadConstraints",
                                "setHostnameAsFQDN", "os", "hostUsers", "schedulingGates", "resourceClaims", "resources", "hostnameOverride", "workloadRef"};

bool names_it(const PodSpec& spec, bool Container::*resource) {
  const auto names = [&](const Container& container) { return container.*resource; };
  return std::any_of(spec.containers.begin(), spec.containers.end(), names) || std::any_of(spec.init_containers.begin(), spec.init_containers.end(), names);
}

/// The API server's default for a resource that only the pod-level limits name: what the containers request together, which needs nothing here, or
/// the limit where none of them requests it; of hugepages always the limit. Source: pkg/apis/core/v1/defaults.go (defaultPodRequests).
void default_pod_requests(Resources& requests, const Resources& limits, bool cpu, bool memory, const Interner& names) {
  if (cpu) requests.cpu_milli = limits.cpu_milli;
  if (memory) requests.memory = limits.memory;
  for (const NamedAmount& limit : limits.other) {
    const auto same = [&](const NamedAmount& request) { return request.name == limit.name; };
    const bool given = std::any_of(requests.other.begin(), requests.other.end(), same);
    if (!given && names.text(limit.name).starts_with("hugepages-")) requests.set(limit.name, limit.amount);
  }
}

}  // namespace

std::shared_ptr<const PodSpec> ObjectReader::pod_spec(Yaml node, bool of_template) {
  auto spec = std::make_shared<PodSpec>();
  if (of_template) spec->source = source_of(node);
  expect_fields(node, "Pod.spec", kPodFields);
  for (const Yaml entry : maps(node, "containers")) spec->containers.push_back(container(entry, false));
  for (const Yaml entry : maps(node, "initContainers")) spec->init_containers.push_back(container(entry, true));
  const Yaml list_of_containers = node.find("containers");
  if (spec->containers.empty() && (list_of_containers.is_null() || (list_of_containers.is_sequence() && list_of_containers.size() == 0))) {
    impossible(node, "a pod needs at least one container");
  }
  std::set<Symbol> taken;
  for (const std::vector<Container>* list : {&spec->init_containers, &spec->containers}) {
    for (const Container& c : *list) {
      if (!taken.insert(c.name).second && c.name) {
        impossible(node.find("containers"), fmt::format("there are two containers with the name '{}'", names.text(c.name)));
      }
    }
  }
  spec->node_name = symbol(node, "nodeName");
  spec->node_selector = labels(node, "nodeSelector");
  spec->affinity = affinity(node);
  spec->tolerations = tolerations(node);
  for (const Yaml entry : maps(node, "topologySpreadConstraints")) spec->topology_spread.push_back(spread_constraint(entry));
  if (const std::optional<std::int64_t> priority = integer(node, "priority", INT32_MIN, INT32_MAX)) {
    spec->priority = static_cast<std::int32_t>(*priority);
    spec->has_priority = true;
  }
  spec->priority_class_name = symbol(node, "priorityClassName");
  spec->preempts = word<bool>(node, "preemptionPolicy", {{"PreemptLowerPriority", true}, {"Never", false}});
  spec->restart_policy = word<RestartPolicy>(node, "restartPolicy", {{"Always", RestartPolicy::kAlways}, {"OnFailure", RestartPolicy::kOnFailure},
                                                                     {"Never", RestartPolicy::kNever}});
  spec->termination_grace_seconds = integer_or(node, "terminationGracePeriodSeconds", 30, 0, INT64_MAX / 2'000'000'000);
  spec->active_deadline_seconds = integer(node, "activeDeadlineSeconds", 1);
  spec->host_network = boolean(node, "hostNetwork", false);
  spec->scheduler_name = symbol(node, "schedulerName");
  for (const Yaml gate : maps(node, "schedulingGates")) spec->scheduling_gates.push_back(symbol(gate, "name"));
  spec->overhead = resources(map(node, "overhead"));
  const Yaml amounts = map(node, "resources");
  Given requested;
  Given limited;
  Resources pod_requests = resources(map(amounts, "requests"), &requested);
  const Resources pod_limits = resources(map(amounts, "limits"), &limited);
  for (const Yaml volume : maps(node, "volumes")) {
    if (const Yaml claim = map(volume, "persistentVolumeClaim"); claim) {
      if (const Symbol name = symbol(claim, "claimName")) spec->volumes.push_back(PodVolume{symbol(volume, "name"), name, nullptr});
      not_simulated(claim, std::string(kUnsimulatedClaim));
    }
    if (const Yaml ephemeral = map(volume, "ephemeral"); ephemeral) {
      const Yaml from = map(ephemeral, "volumeClaimTemplate");
      if (!from) impossible(ephemeral, "an ephemeral volume needs 'volumeClaimTemplate'");
      if (from) spec->volumes.push_back(PodVolume{symbol(volume, "name"), Symbol{}, std::make_shared<const ClaimTemplate>(claim_template(from))});
      not_simulated(ephemeral, std::string(kUnsimulatedEphemeral));
    }
    // Volumes of the pod's own, which ImageLocality, VolumeRestrictions and NodeVolumeLimits would look at.
    for (const char* source : {"image", "csi", "gcePersistentDisk", "awsElasticBlockStore", "iscsi", "rbd"}) {
      not_simulated(volume.find(source), fmt::format("volumes.{}", source));
    }
    // No source at all is an emptyDir.
    const bool is_empty_dir = volume.find("emptyDir") || volume.size() <= 1;
    spec->has_local_storage = spec->has_local_storage || is_empty_dir;
    if (is_empty_dir) {
      const Yaml source = map(volume, "emptyDir");
      EmptyDir made;
      made.name = symbol(volume, "name");
      made.in_memory = symbol(source, "medium") == names.intern("Memory");
      if (const Yaml limit = source ? source.find("sizeLimit") : Yaml{}; !limit.is_null()) {
        const std::optional<std::int64_t> bytes = limit.is_scalar() ? parse_quantity(limit.text()) : std::nullopt;
        if (!bytes) wrong(limit, "a quantity such as 512Mi");
        else if (*bytes < 0) impossible(limit, "the size limit is negative");
        else made.size_limit = *bytes;
      }
      spec->empty_dirs.push_back(made);
    }
  }
  not_simulated(node.find("readinessGates"), "readinessGates");
  not_simulated(node.find("resourceClaims"), "resourceClaims");
  if (const Symbol runtime_class = symbol(node, "runtimeClassName")) with_runtime_class.push_back({spec, runtime_class, node.find("runtimeClassName").place()});
  apply_pod_defaults(*spec, well_known);
  if (map(amounts, "requests").size() != 0 || map(amounts, "limits").size() != 0) {
    default_pod_requests(pod_requests, pod_limits, limited.cpu && !requested.cpu && !names_it(*spec, &Container::has_cpu_request),
                         limited.memory && !requested.memory && !names_it(*spec, &Container::has_memory_request), names);
    spec->pod_level_requests = std::move(pod_requests);
  }
  finish_pod_spec(*spec);
  return spec;
}

TopologySpreadConstraint ObjectReader::spread_constraint(Yaml entry) {
  TopologySpreadConstraint c;
  c.max_skew = integer_or(entry, "maxSkew", 1, 1);
  c.topology_key = symbol(entry, "topologyKey");
  if (!c.topology_key) impossible(entry, "a spread constraint needs 'topologyKey'");
  c.do_not_schedule = word<bool>(entry, "whenUnsatisfiable", {{"DoNotSchedule", true}, {"ScheduleAnyway", false}});
  c.selector = optional_selector(entry, "labelSelector");
  c.min_domains = integer_or(entry, "minDomains", 1, 1);
  if (!c.do_not_schedule && !entry.find("minDomains").is_null()) impossible(entry.find("minDomains"), "minDomains needs whenUnsatisfiable: DoNotSchedule");
  c.honor_node_affinity = word<bool>(entry, "nodeAffinityPolicy", {{"Honor", true}, {"Ignore", false}});
  c.honor_node_taints = word<bool>(entry, "nodeTaintsPolicy", {{"Ignore", false}, {"Honor", true}});
  c.match_label_keys = strings(entry, "matchLabelKeys");
  return c;
}

PodTemplate ObjectReader::pod_template(Yaml parent) {
  PodTemplate result;
  const Yaml node = map(parent, "template");
  if (!node) {
    if (parent.find("template").is_null()) impossible(parent, "'template' is missing");
    auto empty = std::make_shared<PodSpec>();
    result.spec = empty;
    return result;
  }
  const Yaml metadata = map(node, "metadata");
  result.labels = labels(metadata, "labels");
  result.annotations = labels(metadata, "annotations", false);
  const Yaml spec = map(node, "spec");
  if (!spec && node.find("spec").is_null()) impossible(node, "a pod template needs 'spec'");
  result.spec = spec ? pod_spec(spec, true) : std::make_shared<const PodSpec>();
  result.hash = content_hash(node);
  return result;
}

}  // namespace sim::scenario::manifests
