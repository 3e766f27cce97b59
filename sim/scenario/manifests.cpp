#include "sim/scenario/manifests.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <span>
#include <system_error>
#include <tuple>
#include <unordered_map>

#include "sim/models/kubernetes/api/admission.hpp"
#include "sim/models/kubernetes/controllers/cron_schedule.hpp"
#include "sim/scenario/names.hpp"
#include "sim/scenario/source_document.hpp"

namespace sim::scenario {

using namespace sim::k8s;  // the objects are what this file is about
using Yaml = scenario::Node;

namespace {

constexpr std::int64_t kMaxInt32 = 2'147'483'647;
constexpr std::size_t kAnnotationBytes = 256;
constexpr std::string_view kMirrorAnnotation = "kubernetes.io/config.mirror";
// Said of claims only where no StorageClass and no PersistentVolume tells where volumes come from.
constexpr std::string_view kUnsimulatedClaim = "volumes.persistentVolumeClaim (taken as bound and attached)";
constexpr std::string_view kUnsimulatedEphemeral = "volumes.ephemeral (taken as bound and attached)";
constexpr std::string_view kUnsimulatedTemplates = "StatefulSet.spec.volumeClaimTemplates (taken as bound and attached)";
constexpr std::string_view kUnsimulatedObject = "PersistentVolumeClaim (taken as bound)";

// ---- values ---------------------------------------------------------------------------------------------------------

std::uint64_t mix(std::uint64_t h, std::uint64_t v) {
  h = (h ^ v) * 0x9e3779b97f4a7c15ull;
  return h ^ (h >> 29);
}

std::uint64_t hash_text(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325ull;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return mix(h, text.size());
}

// ---- kinds ----------------------------------------------------------------------------------------------------------

struct KindName {
  std::string_view group;
  std::string_view version;
  std::string_view name;
  Kind kind;
  bool namespaced;
};
constexpr std::array<KindName, 16> kKinds = {{{"", "v1", "Node", Kind::kNode, false},
                                              {"", "v1", "Pod", Kind::kPod, true},
                                              {"", "v1", "Service", Kind::kService, true},
                                              {"", "v1", "Namespace", Kind::kNamespace, false},
                                              {"apps", "v1", "Deployment", Kind::kDeployment, true},
                                              {"apps", "v1", "ReplicaSet", Kind::kReplicaSet, true},
                                              {"apps", "v1", "StatefulSet", Kind::kStatefulSet, true},
                                              {"apps", "v1", "DaemonSet", Kind::kDaemonSet, true},
                                              {"batch", "v1", "Job", Kind::kJob, true},
                                              {"batch", "v1", "CronJob", Kind::kCronJob, true},
                                              {"policy", "v1", "PodDisruptionBudget", Kind::kPodDisruptionBudget, true},
                                              {"scheduling.k8s.io", "v1", "PriorityClass", Kind::kPriorityClass, false},
                                              {"storage.k8s.io", "v1", "StorageClass", Kind::kStorageClass, false},
                                              {"", "v1", "PersistentVolume", Kind::kPersistentVolume, false},
                                              {"", "v1", "PersistentVolumeClaim", Kind::kPersistentVolumeClaim, true},
                                              {"storage.k8s.io", "v1", "VolumeAttachment", Kind::kVolumeAttachment, false}}};

const KindName* find_kind(std::string_view group, std::string_view name) {
  for (const KindName& entry : kKinds) {
    if (entry.name == name && (entry.group == group || (group == "extensions" && entry.group == "apps"))) return &entry;
  }
  return nullptr;
}

// ---- fields ---------------------------------------------------------------------------------------------------------

// Everything that the API knows (v1.36), modelled or not: what is in none of these lists is misspelt, or from another version.
using Names = std::string_view;
constexpr Names kPodFields[] = {"volumes", "initContainers", "containers", "ephemeralContainers", "restartPolicy", "terminationGracePeriodSeconds",
                                "activeDeadlineSeconds", "dnsPolicy", "nodeSelector", "serviceAccountName", "serviceAccount", "automountServiceAccountToken",
                                "nodeName", "hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "securityContext", "imagePullSecrets", "hostname",
                                "subdomain", "affinity", "schedulerName", "tolerations", "hostAliases", "priorityClassName", "priority", "dnsConfig",
                                "readinessGates", "runtimeClassName", "enableServiceLinks", "preemptionPolicy", "overhead", "topologySpreadConstraints",
                                "setHostnameAsFQDN", "os", "hostUsers", "schedulingGates", "resourceClaims", "resources", "hostnameOverride", "workloadRef"};
constexpr Names kContainerFields[] = {"name", "image", "command", "args", "workingDir", "ports", "envFrom", "env", "resources", "resizePolicy", "restartPolicy",
                                      "restartPolicyRules", "volumeMounts", "volumeDevices", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle",
                                      "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "securityContext", "stdin", "stdinOnce", "tty"};
constexpr Names kDeploymentFields[] = {"replicas", "selector", "template", "strategy", "minReadySeconds", "revisionHistoryLimit", "paused", "progressDeadlineSeconds"};
constexpr Names kReplicaSetFields[] = {"replicas", "minReadySeconds", "selector", "template"};
constexpr Names kStatefulSetFields[] = {"replicas", "selector", "template", "volumeClaimTemplates", "serviceName", "podManagementPolicy", "updateStrategy",
                                        "revisionHistoryLimit", "minReadySeconds", "persistentVolumeClaimRetentionPolicy", "ordinals"};
constexpr Names kDaemonSetFields[] = {"selector", "template", "updateStrategy", "minReadySeconds", "revisionHistoryLimit"};
constexpr Names kJobFields[] = {"parallelism", "completions", "activeDeadlineSeconds", "podFailurePolicy", "successPolicy", "backoffLimit", "backoffLimitPerIndex",
                                "maxFailedIndexes", "selector", "manualSelector", "template", "ttlSecondsAfterFinished", "completionMode", "suspend",
                                "podReplacementPolicy", "managedBy"};
constexpr Names kCronJobFields[] = {"schedule", "timeZone", "startingDeadlineSeconds", "concurrencyPolicy", "suspend", "jobTemplate",
                                    "successfulJobsHistoryLimit", "failedJobsHistoryLimit"};
constexpr Names kServiceFields[] = {"ports", "selector", "clusterIP", "clusterIPs", "type", "externalIPs", "sessionAffinity", "loadBalancerIP",
                                    "loadBalancerSourceRanges", "externalName", "externalTrafficPolicy", "healthCheckNodePort", "publishNotReadyAddresses",
                                    "sessionAffinityConfig", "ipFamilies", "ipFamilyPolicy", "allocateLoadBalancerNodePorts", "loadBalancerClass",
                                    "internalTrafficPolicy", "trafficDistribution"};
constexpr Names kClassFields[] = {"apiVersion", "kind", "metadata", "provisioner", "parameters", "reclaimPolicy", "mountOptions", "allowVolumeExpansion",
                                  "volumeBindingMode", "allowedTopologies"};
constexpr Names kVolumeFields[] = {"capacity", "accessModes", "claimRef", "persistentVolumeReclaimPolicy", "storageClassName", "mountOptions", "volumeMode",
                                   "nodeAffinity", "volumeAttributesClassName", "csi", "local", "hostPath", "nfs", "rbd", "cephfs", "iscsi", "fc",
                                   "awsElasticBlockStore", "gcePersistentDisk", "azureDisk", "azureFile", "cinder", "vsphereVolume", "flexVolume", "flocker",
                                   "glusterfs", "photonPersistentDisk", "portworxVolume", "quobyte", "scaleIO", "storageos"};
constexpr Names kClaimFields[] = {"accessModes", "selector", "resources", "volumeName", "storageClassName", "volumeMode", "dataSource", "dataSourceRef",
                                  "volumeAttributesClassName"};
constexpr Names kBudgetFields[] = {"minAvailable", "selector", "maxUnavailable", "unhealthyPodEvictionPolicy"};

}  // namespace

std::uint64_t content_hash(Node node) {
  switch (node.kind()) {
    case NodeKind::kNull: return 0x51ed270b7a4c2f01ull;
    case NodeKind::kScalar: return mix(hash_text(node.text()), node.is_string() ? 1 : 2);
    case NodeKind::kSequence: {
      std::uint64_t h = 3;
      for (std::size_t i = 0; i < node.size(); ++i) h = mix(h, content_hash(node.item(i)));
      return h;
    }
    case NodeKind::kMap: {
      std::uint64_t sum = 0;  // commutative: the order of keys does not count
      for (std::size_t i = 0; i < node.size(); ++i) {
        if (node.value(i).is_null()) continue;  // the same as absent
        sum += mix(mix(4, hash_text(node.key(i).text())), content_hash(node.value(i)));
      }
      return mix(5, sum);
    }
  }
  return 0;
}

// ---- ManifestReader -------------------------------------------------------------------------------------------------

struct ManifestReader::Impl {
  Impl(Interner& interner, Diagnostics& collector) : names(interner), diagnostics(collector), well_known(interner) {}

  Interner& names;
  Diagnostics& diagnostics;
  WellKnown well_known;
  ManifestSet own;
  ManifestSet* set = &own;
  struct Unmodelled {
    std::size_t count = 0;
    Place first;
    std::string hint;
  };
  std::map<std::string, Unmodelled> unknown;  // by "Deployment.spec.replcias": fields that Kubernetes does not have
  std::map<std::string, Unmodelled> unmodelled;  // by "Job.spec.podFailurePolicy"
  std::string kind_name;                         // of the object that is being read

  // ---- scalars ----

  Diagnostic& wrong(Yaml node, std::string_view expected) {
    Diagnostic& d = diagnostics.error(node, "wrong type of value");
    d.expected = expected;
    d.found = node.describe();
    return d;
  }
  Diagnostic& impossible(Yaml node, std::string message) { return diagnostics.error(node, std::move(message)); }
  void not_simulated(Yaml node, std::string field) {
    if (node.is_null()) return;
    Unmodelled& entry = unmodelled[std::move(field)];
    if (entry.count++ == 0) entry.first = node.place();
  }

  /// Keeps fields that Kubernetes does not have, as it does without strict validation, but says so as kubectl would: most are misspelt.
  void expect_fields(Yaml map, std::string_view where, std::span<const std::string_view> fields) {
    for (std::size_t i = 0; i < map.size(); ++i) {
      const std::string_view key = map.key(i).text();
      if (std::find(fields.begin(), fields.end(), key) != fields.end()) continue;
      Unmodelled& entry = unknown[fmt::format("{}.{}", where, key)];
      if (entry.count++ != 0) continue;
      entry.first = map.key(i).place();
      entry.hint = did_you_mean(key, std::vector<std::string>(fields.begin(), fields.end()));
    }
  }

  Symbol intern(std::string_view text) { return names.intern(text); }
  /// The string under a key; empty when absent.
  std::string_view text(Yaml map, std::string_view key) {
    const Yaml node = map.find(key);
    if (node.is_null()) return {};
    if (!node.is_string()) {
      Diagnostic& d = wrong(node, "a string");
      if (node.is_scalar()) d.hint = fmt::format("with quotes: \"{}\"", node.text());
      return {};
    }
    return node.text();
  }
  Symbol symbol(Yaml map, std::string_view key) { return intern(text(map, key)); }
  bool boolean(Yaml map, std::string_view key, bool absent) {
    const Yaml node = map.find(key);
    if (node.is_null()) return absent;
    const std::optional<bool> value = node.as_bool();
    if (!value) wrong(node, "true or false");
    return value.value_or(absent);
  }
  std::optional<std::int64_t> integer(Yaml map, std::string_view key, std::int64_t low = 0, std::int64_t high = kMaxInt32) {
    const Yaml node = map.find(key);
    if (node.is_null()) return std::nullopt;
    const std::optional<std::int64_t> value = node.as_integer();
    if (!value) {
      Diagnostic& d = wrong(node, "an integer");
      if (node.is_scalar() && !node.is_plain()) d.hint = "without quotes";
      return std::nullopt;
    }
    if (*value < low || *value > high) {
      Diagnostic& d = impossible(node, "value out of range");
      d.expected = fmt::format("an integer from {} to {}", low, high);
      d.found = node.describe();
      return std::nullopt;
    }
    return value;
  }
  std::int64_t integer_or(Yaml map, std::string_view key, std::int64_t absent, std::int64_t low = 0, std::int64_t high = kMaxInt32) {
    return integer(map, key, low, high).value_or(absent);
  }
  std::optional<IntOrPercent> int_or_percent(Yaml map, std::string_view key) {
    const Yaml node = map.find(key);
    if (node.is_null()) return std::nullopt;
    if (const std::optional<std::int64_t> value = node.as_integer(); value && *value >= 0 && *value <= kMaxInt32) return IntOrPercent{*value, false};
    const std::string_view t = node.text();
    if (node.is_scalar() && t.size() > 1 && t.size() < 6 && t.back() == '%') {
      std::int64_t value = 0;
      for (const char c : t.substr(0, t.size() - 1)) {
        if (c < '0' || c > '9') value = 1'000'000;
        else value = value * 10 + (c - '0');
      }
      if (value <= 100) return IntOrPercent{value, true};
    }
    wrong(node, "a number, or a percentage such as \"25%\"");
    return std::nullopt;
  }
  /// One word of a table; the first one when absent.
  template <class E>
  E word(Yaml map, std::string_view key, std::initializer_list<std::pair<std::string_view, E>> words) {
    const Yaml node = map.find(key);
    if (node.is_null()) return words.begin()->second;
    for (const auto& [name, value] : words) {
      if (node.is_scalar() && node.text() == name) return value;
    }
    std::vector<std::string> known;
    for (const auto& entry : words) known.emplace_back(entry.first);
    Diagnostic& d = diagnostics.error(node, fmt::format("unknown word for {}", key));
    d.expected = fmt::format("one of: {}", fmt::join(known, ", "));
    d.found = node.describe();
    d.hint = did_you_mean(node.text(), known);
    return words.begin()->second;
  }
  /// The map under a key; absent when there is none or it is no map.
  Yaml map(Yaml parent, std::string_view key) {
    const Yaml node = parent.find(key);
    if (node.is_null()) return Yaml{};
    if (!node.is_map()) {
      wrong(node, "a map");
      return Yaml{};
    }
    return node;
  }
  /// The items of the list under a key that are maps.
  std::vector<Yaml> maps(Yaml parent, std::string_view key) {
    std::vector<Yaml> result;
    const Yaml node = parent.find(key);
    if (node.is_null()) return result;
    if (!node.is_sequence()) {
      wrong(node, "a list");
      return result;
    }
    for (std::size_t i = 0; i < node.size(); ++i) {
      if (node.item(i).is_map()) {
        result.push_back(node.item(i));
      } else {
        wrong(node.item(i), "a map");
      }
    }
    return result;
  }
  std::vector<Symbol> strings(Yaml parent, std::string_view key) {
    std::vector<Symbol> result;
    const Yaml node = parent.find(key);
    if (node.is_null()) return result;
    if (!node.is_sequence()) {
      wrong(node, "a list of strings");
      return result;
    }
    for (std::size_t i = 0; i < node.size(); ++i) {
      if (node.item(i).is_string()) {
        result.push_back(intern(node.item(i).text()));
      } else {
        wrong(node.item(i), "a string");
      }
    }
    return result;
  }

  // ---- parts ----

  Labels labels(Yaml parent, std::string_view key, bool are_labels = true) {
    Labels result;
    const Yaml node = map(parent, key);
    for (std::size_t i = 0; i < node.size(); ++i) {
      const Yaml value = node.value(i);
      if (!value.is_null() && !value.is_string()) {
        Diagnostic& d = wrong(value, "a string");
        if (value.is_scalar()) d.hint = fmt::format("with quotes: \"{}\"", value.text());
        continue;
      }
      if (are_labels && !is_label_key(node.key(i).text())) {
        impossible(node.key(i), fmt::format("'{}' is no valid label key", node.key(i).text()));
        continue;
      }
      if (are_labels && !is_label_value(value.text())) {
        impossible(value, fmt::format("'{}' is no valid label value", value.text())).expected =
            "at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends";
        continue;
      }
      if (!are_labels && value.text().size() > kAnnotationBytes) continue;
      result.set(intern(node.key(i).text()), intern(value.text()));
    }
    return result;
  }

  std::vector<Requirement> expressions(Yaml parent, std::string_view key, bool of_nodes) {
    std::vector<Requirement> result;
    for (const Yaml node : maps(parent, key)) {
      Requirement requirement;
      requirement.key = symbol(node, "key");
      if (!requirement.key) impossible(node, "an expression needs 'key'");
      if (node.find("operator").is_null()) impossible(node, "an expression needs 'operator'");
      using Op = SelectorOperator;
      requirement.op = of_nodes ? word<Op>(node, "operator", {{"In", Op::kIn}, {"NotIn", Op::kNotIn}, {"Exists", Op::kExists},
                                                              {"DoesNotExist", Op::kDoesNotExist}, {"Gt", Op::kGt}, {"Lt", Op::kLt}})
                                : word<Op>(node, "operator", {{"In", Op::kIn}, {"NotIn", Op::kNotIn}, {"Exists", Op::kExists},
                                                              {"DoesNotExist", Op::kDoesNotExist}});
      requirement.values = strings(node, "values");
      const bool takes_none = requirement.op == Op::kExists || requirement.op == Op::kDoesNotExist;
      const bool takes_one = requirement.op == Op::kGt || requirement.op == Op::kLt;
      if (takes_none && !requirement.values.empty()) impossible(node.find("values"), "Exists and DoesNotExist take no values");
      if (!takes_none && requirement.values.empty() && !node.find("operator").is_null()) impossible(node, "this operator needs 'values'");
      if (takes_one && requirement.values.size() > 1) impossible(node.find("values"), "Gt and Lt take one value");
      result.push_back(std::move(requirement));
    }
    return result;
  }

  LabelSelector selector_of(Yaml node) {
    LabelSelector selector;
    const Labels pairs = labels(node, "matchLabels");
    for (const Labels::Pair& pair : pairs) selector.requirements.push_back(Requirement{pair.key, SelectorOperator::kIn, {pair.value}});
    std::vector<Requirement> more = expressions(node, "matchExpressions", false);
    std::move(more.begin(), more.end(), std::back_inserter(selector.requirements));
    return selector;
  }
  std::optional<LabelSelector> optional_selector(Yaml parent, std::string_view key) {
    const Yaml node = map(parent, key);
    return node ? std::optional<LabelSelector>(selector_of(node)) : std::nullopt;
  }

  struct Given {
    bool cpu = false;
    bool memory = false;
  };
  Resources resources(Yaml node, Given* given = nullptr) {
    Resources result;
    for (std::size_t i = 0; i < node.size(); ++i) {
      const std::string_view key = node.key(i).text();
      const Yaml value = node.value(i);
      if (value.is_null()) continue;
      const bool is_cpu = key == "cpu";
      const std::optional<std::int64_t> amount =
          !value.is_scalar() ? std::nullopt : is_cpu ? parse_quantity_milli(value.text()) : parse_quantity(value.text());
      if (!amount) {
        wrong(value, is_cpu ? "a quantity such as 500m or 4" : "a quantity such as 512Mi");
        continue;
      }
      if (*amount < 0) {
        impossible(value, fmt::format("the amount of {} is negative", key));
        continue;
      }
      if (is_cpu) {
        result.cpu_milli = *amount;
        if (given != nullptr) given->cpu = true;
      } else if (key == "memory") {
        result.memory = *amount;
        if (given != nullptr) given->memory = true;
      } else if (key == "ephemeral-storage") {
        result.ephemeral_storage = *amount;
      } else if (key == "pods") {
        result.pods = *amount;
      } else {
        result.set(intern(key), *amount);
      }
    }
    return result;
  }

  std::optional<Probe> probe(Yaml parent, std::string_view key) {
    const Yaml node = map(parent, key);
    if (!node) return std::nullopt;
    Probe result;
    result.initial_delay_seconds = integer_or(node, "initialDelaySeconds", 0);
    result.timeout_seconds = std::max<std::int64_t>(1, integer_or(node, "timeoutSeconds", 1));  // 0 is defaulted
    const std::int64_t period = integer_or(node, "periodSeconds", 10);
    result.period_seconds = period == 0 ? 10 : period;
    const std::int64_t success = integer_or(node, "successThreshold", 1);
    result.success_threshold = success == 0 ? 1 : success;
    const std::int64_t failure = integer_or(node, "failureThreshold", 3);
    result.failure_threshold = failure == 0 ? 3 : failure;
    if (key != "readinessProbe" && result.success_threshold != 1) impossible(node.find("successThreshold"), "must be 1 for liveness and startup probes");
    return result;
  }

  Container container(Yaml node, bool is_init) {
    Container c;
    c.name = symbol(node, "name");
    expect_fields(node, "Pod.spec.containers", kContainerFields);
    if (!c.name) impossible(node, "a container needs 'name'");
    const std::string_view image = text(node, "image");
    if (image.empty() && node.find("image").is_null()) impossible(node, "a container needs 'image'");
    c.image = intern(normalised_image(image));
    c.pull_policy = default_pull_policy(image);
    if (!node.find("imagePullPolicy").is_null()) {
      c.pull_policy = word<PullPolicy>(node, "imagePullPolicy", {{"IfNotPresent", PullPolicy::kIfNotPresent}, {"Always", PullPolicy::kAlways}, {"Never", PullPolicy::kNever}});
    }
    const Yaml amounts = map(node, "resources");
    Given requests;
    Given limits;
    c.requests = resources(map(amounts, "requests"), &requests);
    c.limits = resources(map(amounts, "limits"), &limits);
    c.has_cpu_request = requests.cpu;
    c.has_memory_request = requests.memory;
    c.has_cpu_limit = limits.cpu;
    c.has_memory_limit = limits.memory;
    if (requests.cpu && limits.cpu && c.requests.cpu_milli > c.limits.cpu_milli) {
      impossible(map(amounts, "requests").find("cpu"), "the request for cpu is larger than the limit");
    }
    if (requests.memory && limits.memory && c.requests.memory > c.limits.memory) {
      impossible(map(amounts, "requests").find("memory"), "the request for memory is larger than the limit");
    }
    for (const Yaml entry : maps(node, "ports")) {
      ContainerPort port;
      port.name = symbol(entry, "name");
      port.container_port = static_cast<std::int32_t>(integer_or(entry, "containerPort", 0, 1, 65535));
      if (entry.find("containerPort").is_null()) impossible(entry, "a port needs 'containerPort'");
      port.host_port = static_cast<std::int32_t>(integer_or(entry, "hostPort", 0, 0, 65535));
      port.host_ip = symbol(entry, "hostIP");
      port.protocol = word<Protocol>(entry, "protocol", {{"TCP", Protocol::kTcp}, {"UDP", Protocol::kUdp}, {"SCTP", Protocol::kSctp}});
      c.ports.push_back(port);
    }
    c.readiness_probe = probe(node, "readinessProbe");
    c.liveness_probe = probe(node, "livenessProbe");
    c.startup_probe = probe(node, "startupProbe");
    if (is_init) c.is_sidecar = text(node, "restartPolicy") == "Always";
    for (const std::string_view key : {"volumeMounts", "volumeDevices"}) {
      for (const Yaml mount : maps(node, key)) {
        if (const Symbol name = symbol(mount, "name")) c.volume_mounts.push_back(name);
      }
    }
    not_simulated(map(node, "lifecycle").find("preStop"), "containers.lifecycle.preStop");
    not_simulated(map(node, "lifecycle").find("postStart"), "containers.lifecycle.postStart");
    not_simulated(amounts.find("claims"), "containers.resources.claims");
    return c;
  }

  NodeSelectorTerm node_term(Yaml node) {
    return NodeSelectorTerm{expressions(node, "matchExpressions", true), expressions(node, "matchFields", true)};
  }
  std::vector<PodAffinityTerm> affinity_terms(Yaml parent, std::string_view key, bool weighted) {
    std::vector<PodAffinityTerm> result;
    for (const Yaml entry : maps(parent, key)) {
      const Yaml node = weighted ? map(entry, "podAffinityTerm") : entry;
      PodAffinityTerm term;
      if (weighted) {
        term.weight = integer_or(entry, "weight", 1, 1, 100);
        if (!node) impossible(entry, "a preferred term needs 'podAffinityTerm'");
      }
      term.selector = optional_selector(node, "labelSelector");
      term.topology_key = symbol(node, "topologyKey");
      if (node && !term.topology_key) impossible(node, "an affinity term needs 'topologyKey'");
      term.namespaces = strings(node, "namespaces");
      term.namespace_selector = optional_selector(node, "namespaceSelector");
      not_simulated(node.find("matchLabelKeys"), "affinity.matchLabelKeys");
      not_simulated(node.find("mismatchLabelKeys"), "affinity.mismatchLabelKeys");
      result.push_back(std::move(term));
    }
    return result;
  }
  std::shared_ptr<const Affinity> affinity(Yaml parent) {
    const Yaml node = map(parent, "affinity");
    if (!node) return nullptr;
    auto result = std::make_shared<Affinity>();
    const Yaml nodes = map(node, "nodeAffinity");
    if (const Yaml required = map(nodes, "requiredDuringSchedulingIgnoredDuringExecution"); required) {
      result->has_required_node_affinity = true;
      for (const Yaml term : maps(required, "nodeSelectorTerms")) result->required_node_terms.push_back(node_term(term));
      if (result->required_node_terms.empty()) impossible(required, "required node affinity needs at least one of 'nodeSelectorTerms'");
    }
    for (const Yaml term : maps(nodes, "preferredDuringSchedulingIgnoredDuringExecution")) {
      PreferredNodeTerm preferred;
      preferred.weight = integer_or(term, "weight", 1, 1, 100);
      preferred.term = node_term(map(term, "preference"));
      result->preferred_node_terms.push_back(std::move(preferred));
    }
    const Yaml near = map(node, "podAffinity");
    result->required_pod_affinity = affinity_terms(near, "requiredDuringSchedulingIgnoredDuringExecution", false);
    result->preferred_pod_affinity = affinity_terms(near, "preferredDuringSchedulingIgnoredDuringExecution", true);
    const Yaml apart = map(node, "podAntiAffinity");
    result->required_pod_anti_affinity = affinity_terms(apart, "requiredDuringSchedulingIgnoredDuringExecution", false);
    result->preferred_pod_anti_affinity = affinity_terms(apart, "preferredDuringSchedulingIgnoredDuringExecution", true);
    return result;
  }

  TaintEffect effect(Yaml node, bool needed) {
    if (needed && node.find("effect").is_null()) impossible(node, "a taint needs 'effect'");
    return word<TaintEffect>(node, "effect", {{"", TaintEffect::kNone}, {"NoSchedule", TaintEffect::kNoSchedule},
                                              {"PreferNoSchedule", TaintEffect::kPreferNoSchedule}, {"NoExecute", TaintEffect::kNoExecute}});
  }
  std::vector<Toleration> tolerations(Yaml parent) {
    std::vector<Toleration> result;
    for (const Yaml node : maps(parent, "tolerations")) {
      Toleration t;
      t.key = symbol(node, "key");
      t.exists = word<bool>(node, "operator", {{"Equal", false}, {"Exists", true}});
      t.value = symbol(node, "value");
      t.effect = effect(node, false);
      t.seconds = integer(node, "tolerationSeconds", INT64_MIN, INT64_MAX);
      if (t.exists && t.value) impossible(node.find("value"), "a toleration with operator Exists takes no value");
      if (!t.key && !t.exists) impossible(node, "a toleration without 'key' needs operator Exists");
      if (t.seconds && t.effect != TaintEffect::kNoExecute) impossible(node.find("tolerationSeconds"), "tolerationSeconds needs effect NoExecute");
      result.push_back(t);
    }
    return result;
  }

  std::shared_ptr<const SourceDocument> source_of(Yaml node) {
    auto source = std::make_shared<SourceDocument>();
    source->file = node.file()->shared_from_this();
    source->range = source_range(node);
    source->line = node.line();
    return source;
  }

  AccessModes access_modes(Yaml spec) {
    AccessModes modes;
    const Yaml list = spec.find("accessModes");
    for (const Symbol mode : strings(spec, "accessModes")) {
      const std::string& word = names.text(mode);
      if (word == "ReadWriteOnce") modes.bits |= AccessModes::kReadWriteOnce;
      else if (word == "ReadOnlyMany") modes.bits |= AccessModes::kReadOnlyMany;
      else if (word == "ReadWriteMany") modes.bits |= AccessModes::kReadWriteMany;
      else if (word == "ReadWriteOncePod") modes.bits |= AccessModes::kReadWriteOncePod;
      else impossible(list, fmt::format("unknown access mode '{}'", word)).expected = "ReadWriteOnce, ReadOnlyMany, ReadWriteMany or ReadWriteOncePod";
    }
    return modes;
  }

  /// The amount under `storage` of a map of quantities.
  std::int64_t storage_bytes(Yaml amounts, Yaml otherwise) {
    const Yaml value = amounts.find("storage");
    if (value.is_null()) {
      impossible(amounts ? amounts : otherwise, "the amount of 'storage' is missing");
      return 0;
    }
    const std::optional<std::int64_t> bytes = value.is_scalar() ? parse_quantity(value.text()) : std::nullopt;
    if (!bytes) wrong(value, "a quantity such as 10Gi");
    else if (*bytes <= 0) impossible(value, "the amount of storage must be greater than zero");
    return bytes.value_or(0);
  }

  ClaimSpec claim_spec(Yaml spec) {
    ClaimSpec claim;
    expect_fields(spec, "PersistentVolumeClaim.spec", kClaimFields);
    claim.access_modes = access_modes(spec);
    if (claim.access_modes.bits == 0) impossible(spec.find("accessModes") ? spec.find("accessModes") : spec, "a claim needs at least one of 'accessModes'");
    if (claim.access_modes.has(AccessModes::kReadWriteOncePod) && claim.access_modes.bits != AccessModes::kReadWriteOncePod) {
      impossible(spec.find("accessModes"), "ReadWriteOncePod may not stand beside other access modes");
    }
    claim.bytes = storage_bytes(map(map(spec, "resources"), "requests"), spec);
    if (!spec.find("storageClassName").is_null()) claim.storage_class = symbol(spec, "storageClassName");
    claim.volume_name = symbol(spec, "volumeName");
    claim.selector = optional_selector(spec, "selector");
    claim.block = word<bool>(spec, "volumeMode", {{"Filesystem", false}, {"Block", true}});
    not_simulated(spec.find("dataSource"), "PersistentVolumeClaim.spec.dataSource (the volume begins empty)");
    not_simulated(spec.find("dataSourceRef"), "PersistentVolumeClaim.spec.dataSourceRef (the volume begins empty)");
    not_simulated(spec.find("volumeAttributesClassName"), "PersistentVolumeClaim.spec.volumeAttributesClassName");
    return claim;
  }

  ClaimTemplate claim_template(Yaml node) {
    ClaimTemplate result;
    const Yaml metadata = map(node, "metadata");
    result.name = symbol(metadata, "name");
    result.labels = labels(metadata, "labels");
    result.annotations = labels(metadata, "annotations", false);
    const Yaml spec = map(node, "spec");
    if (!spec && node.find("spec").is_null()) impossible(node, "a template of a claim needs 'spec'");
    if (spec) result.spec = claim_spec(spec);
    return result;
  }

  std::shared_ptr<const PodSpec> pod_spec(Yaml node, bool of_template) {
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
    for (const Yaml entry : maps(node, "topologySpreadConstraints")) {
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
      spec->topology_spread.push_back(std::move(c));
    }
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
    if (const Yaml amounts = map(node, "resources"); map(amounts, "requests")) {
      spec->pod_level_requests = resources(map(amounts, "requests"));
    } else if (map(amounts, "limits")) {
      spec->pod_level_requests = resources(map(amounts, "limits"));  // requests := limits holds for the pod level too
    }
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
      // No source at all is an emptyDir.
      const bool is_empty_dir = volume.find("emptyDir") || volume.size() <= 1;
      spec->has_local_storage = spec->has_local_storage || is_empty_dir;
    }
    not_simulated(node.find("readinessGates"), "readinessGates");
    not_simulated(node.find("resourceClaims"), "resourceClaims");
    not_simulated(node.find("runtimeClassName"), "runtimeClassName");
    apply_pod_defaults(*spec, well_known);
    finish_pod_spec(*spec);
    return spec;
  }

  PodTemplate pod_template(Yaml parent) {
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

  // ---- metadata ----

  template <class T>
  Manifest<T> begin(Yaml object, bool namespaced) {
    Manifest<T> manifest;
    manifest.where = object.place();
    ObjectMeta& meta = manifest.object.meta;
    const Yaml metadata = map(object, "metadata");
    if (!metadata) {
      if (object.find("metadata").is_null()) impossible(object, fmt::format("{} needs 'metadata'", kind_name));
      return manifest;
    }
    const std::string_view name = text(metadata, "name");
    if (metadata.find("name").is_null()) {
      Diagnostic& d = impossible(metadata, fmt::format("{} needs 'metadata.name'", kind_name));
      if (metadata.find("generateName")) d.hint = "generateName is not supported: give each object a name";
    } else if (!name.empty() && T::kKind != Kind::kOther && !is_object_name(name)) {
      impossible(metadata.find("name"), fmt::format("'{}' is no valid name", name)).expected = "lower case letters, digits, '-' and '.', with a letter or digit at both ends";
    }
    meta.name = intern(name);
    const std::string_view ns = text(metadata, "namespace");
    if (T::kKind == Kind::kOther) {
      meta.ns = intern(ns);
    } else if (namespaced) {
      meta.ns = ns.empty() ? well_known.ns_default : intern(ns);
    }
    meta.labels = labels(metadata, "labels");
    meta.annotations = labels(metadata, "annotations", false);
    meta.finalizers = strings(metadata, "finalizers");
    not_simulated(metadata.find("deletionTimestamp"), "metadata.deletionTimestamp (the object is taken as not being deleted)");
    for (const Yaml entry : maps(metadata, "ownerReferences")) {
      OwnerName owner;
      const std::string_view version = text(entry, "apiVersion");
      const std::string_view group = version.find('/') == std::string_view::npos ? std::string_view{} : version.substr(0, version.find('/'));
      const KindName* kind = find_kind(group, text(entry, "kind"));
      owner.kind = kind == nullptr ? Kind::kOther : kind->kind;
      owner.name = symbol(entry, "name");
      owner.controller = boolean(entry, "controller", false);
      manifest.owners.push_back(owner);
    }
    meta.source = source_of(object);
    return manifest;
  }

  template <class T>
  void put(std::vector<Manifest<T>>& list, Manifest<T>&& manifest) {
    set->order.push_back(ManifestSet::Position{T::kKind, static_cast<std::uint32_t>(list.size())});
    list.push_back(std::move(manifest));
  }

  /// The selector of a workload: needed, not empty, and it selects its own template.
  LabelSelector workload_selector(Yaml spec, const PodTemplate& pods) {
    const Yaml node = map(spec, "selector");
    if (!node) {
      if (spec.find("selector").is_null()) impossible(spec, fmt::format("{} needs 'spec.selector'", kind_name));
      return {};
    }
    LabelSelector selector = selector_of(node);
    if (selector.is_empty()) {
      impossible(node, "the selector is empty");
    } else if (pods.spec && !selector.matches(pods.labels, names)) {
      impossible(node, "the selector does not match the labels of the template");
    }
    return selector;
  }
  Yaml spec_of(Yaml object) {
    const Yaml spec = map(object, "spec");
    if (!spec && object.find("spec").is_null()) impossible(object, fmt::format("{} needs 'spec'", kind_name));
    return spec;
  }
  void only_restart_always(Yaml spec, const PodTemplate& pods) {
    if (pods.spec->restart_policy == RestartPolicy::kAlways) return;
    impossible(map(map(spec, "template"), "spec").find("restartPolicy"), fmt::format("the pods of a {} are restarted always", kind_name)).expected = "Always";
  }

  // ---- kinds ----

  void node(Yaml object) {
    Manifest<k8s::Node> m = begin<k8s::Node>(object, false);
    k8s::Node& n = m.object;
    const Yaml spec = map(object, "spec");
    n.unschedulable = boolean(spec, "unschedulable", false);
    for (const Yaml entry : maps(spec, "taints")) {
      Taint taint;
      taint.key = symbol(entry, "key");
      if (!taint.key) impossible(entry, "a taint needs 'key'");
      taint.value = symbol(entry, "value");
      taint.effect = effect(entry, true);
      n.taints.push_back(taint);
    }
    const Yaml status = map(object, "status");
    n.capacity = resources(map(status, "capacity"));
    const Yaml allocatable = map(status, "allocatable");
    n.allocatable = allocatable ? resources(allocatable) : n.capacity;
    if (allocatable && !map(status, "capacity")) n.capacity = n.allocatable;
    for (const Yaml condition : maps(status, "conditions")) {
      const std::string_view type = text(condition, "type");
      const ConditionStatus value = word<ConditionStatus>(
          condition, "status", {{"Unknown", ConditionStatus::kUnknown}, {"True", ConditionStatus::kTrue}, {"False", ConditionStatus::kFalse}});
      if (type == "Ready") {
        n.ready = value;
        n.ready_reason = symbol(condition, "reason");
      } else if (type == "MemoryPressure") {
        n.memory_pressure = value == ConditionStatus::kTrue;
      } else if (type == "DiskPressure") {
        n.disk_pressure = value == ConditionStatus::kTrue;
      } else if (type == "PIDPressure") {
        n.pid_pressure = value == ConditionStatus::kTrue;
      }
    }
    for (const Yaml entry : maps(status, "images")) {
      // An image is listed by digest and by tag; pods name the tag.
      const std::vector<Symbol> known = strings(entry, "names");
      NodeImage image;
      image.bytes = integer_or(entry, "sizeBytes", 0, 0, INT64_MAX);
      for (const Symbol name : known) {
        image.image = intern(normalised_image(names.text(name)));
        if (names.text(name).find('@') == std::string::npos) n.images.push_back(image);
      }
    }
    put(set->nodes, std::move(m));
  }

  void container_statuses(Yaml status, std::string_view key, const std::vector<Container>& containers, std::vector<ContainerStatus>& to) {
    to.resize(containers.size());
    for (const Yaml entry : maps(status, key)) {
      const Symbol name = names.find(text(entry, "name"));
      for (std::size_t i = 0; i < containers.size(); ++i) {
        if (containers[i].name != name) continue;
        ContainerStatus& c = to[i];
        c.restart_count = static_cast<std::uint32_t>(integer_or(entry, "restartCount", 0));
        c.ready = boolean(entry, "ready", false);
        c.started = boolean(entry, "started", false);
        const Yaml state = map(entry, "state");
        if (state.find("running")) {
          c.state = ContainerState::kRunning;
        } else if (const Yaml ended = map(state, "terminated"); ended) {
          c.state = ContainerState::kTerminated;
          c.exit_code = static_cast<std::int32_t>(integer_or(ended, "exitCode", 0, INT32_MIN, INT32_MAX));
          c.reason = symbol(ended, "reason");
        } else {
          c.reason = symbol(map(state, "waiting"), "reason");
        }
      }
    }
  }

  void pod(Yaml object) {
    Manifest<Pod> m = begin<Pod>(object, true);
    Pod& p = m.object;
    const Yaml spec = spec_of(object);
    p.spec = spec ? pod_spec(spec, false) : std::make_shared<const PodSpec>();
    p.node_name = p.spec->node_name;
    const Yaml status = map(object, "status");
    // Only a bound pod can have got further than Pending.
    if (status && p.node_name) {
      p.phase = word<PodPhase>(status, "phase", {{"Pending", PodPhase::kPending}, {"Running", PodPhase::kRunning}, {"Succeeded", PodPhase::kSucceeded},
                                                 {"Failed", PodPhase::kFailed}, {"Unknown", PodPhase::kRunning}});
      p.reason = symbol(status, "reason");
      for (const Yaml condition : maps(status, "conditions")) {
        if (text(condition, "type") == "Ready") p.ready = text(condition, "status") == "True";
      }
      if (p.phase != PodPhase::kPending) {
        container_statuses(status, "containerStatuses", p.spec->containers, p.containers);
        container_statuses(status, "initContainerStatuses", p.spec->init_containers, p.init_containers);
      }
    }
    put(set->pods, std::move(m));
  }

  void deployment(Yaml object) {
    Manifest<Deployment> m = begin<Deployment>(object, true);
    Deployment& d = m.object;
    if (const Yaml spec = spec_of(object); spec) {
      d.replicas = integer_or(spec, "replicas", 1);
      expect_fields(spec, "Deployment.spec", kDeploymentFields);
      d.pod_template = pod_template(spec);
      d.selector = workload_selector(spec, d.pod_template);
      only_restart_always(spec, d.pod_template);
      const Yaml strategy = map(spec, "strategy");
      d.recreate = word<bool>(strategy, "type", {{"RollingUpdate", false}, {"Recreate", true}});
      const Yaml rolling = map(strategy, "rollingUpdate");
      if (d.recreate && rolling) impossible(rolling, "rollingUpdate is not allowed with strategy Recreate");
      d.max_surge = int_or_percent(rolling, "maxSurge").value_or(IntOrPercent{25, true});
      d.max_unavailable = int_or_percent(rolling, "maxUnavailable").value_or(IntOrPercent{25, true});
      if (rolling && d.max_surge.value == 0 && d.max_unavailable.value == 0) {
        impossible(rolling, "maxUnavailable may not be 0 when maxSurge is 0: nothing could ever be updated");
      }
      d.min_ready_seconds = integer_or(spec, "minReadySeconds", 0);
      d.progress_deadline_seconds = integer_or(spec, "progressDeadlineSeconds", 600);
      if (d.progress_deadline_seconds <= d.min_ready_seconds) {
        impossible(spec.find("progressDeadlineSeconds") ? spec.find("progressDeadlineSeconds") : spec, "progressDeadlineSeconds must be larger than minReadySeconds");
      }
      d.revision_history_limit = integer_or(spec, "revisionHistoryLimit", 10);
      d.paused = boolean(spec, "paused", false);
    }
    put(set->deployments, std::move(m));
  }

  void replica_set(Yaml object) {
    Manifest<ReplicaSet> m = begin<ReplicaSet>(object, true);
    ReplicaSet& r = m.object;
    if (const Yaml spec = spec_of(object); spec) {
      r.replicas = integer_or(spec, "replicas", 1);
      expect_fields(spec, "ReplicaSet.spec", kReplicaSetFields);
      r.pod_template = pod_template(spec);
      r.selector = workload_selector(spec, r.pod_template);
      only_restart_always(spec, r.pod_template);
      r.min_ready_seconds = integer_or(spec, "minReadySeconds", 0);
      const Yaml revision = map(map(object, "metadata"), "annotations").find("deployment.kubernetes.io/revision");
      for (const char c : revision.text().substr(0, 18)) r.revision = c >= '0' && c <= '9' ? r.revision * 10 + (c - '0') : r.revision;
    }
    put(set->replica_sets, std::move(m));
  }

  void stateful_set(Yaml object) {
    Manifest<StatefulSet> m = begin<StatefulSet>(object, true);
    StatefulSet& s = m.object;
    if (const Yaml spec = spec_of(object); spec) {
      s.replicas = integer_or(spec, "replicas", 1);
      expect_fields(spec, "StatefulSet.spec", kStatefulSetFields);
      s.start_ordinal = integer_or(map(spec, "ordinals"), "start", 0);
      s.pod_template = pod_template(spec);
      s.selector = workload_selector(spec, s.pod_template);
      only_restart_always(spec, s.pod_template);
      s.service_name = symbol(spec, "serviceName");
      s.parallel = word<bool>(spec, "podManagementPolicy", {{"OrderedReady", false}, {"Parallel", true}});
      const Yaml strategy = map(spec, "updateStrategy");
      s.on_delete = word<bool>(strategy, "type", {{"RollingUpdate", false}, {"OnDelete", true}});
      const Yaml rolling = map(strategy, "rollingUpdate");
      s.partition = integer_or(rolling, "partition", 0);
      not_simulated(rolling.find("maxUnavailable"), "StatefulSet.spec.updateStrategy.rollingUpdate.maxUnavailable");
      s.min_ready_seconds = integer_or(spec, "minReadySeconds", 0);
      for (const Yaml claim : maps(spec, "volumeClaimTemplates")) {
        if (symbol(map(claim, "metadata"), "name")) s.claim_templates.push_back(claim_template(claim));
        not_simulated(claim, std::string(kUnsimulatedTemplates));
      }
      const Yaml retention = map(spec, "persistentVolumeClaimRetentionPolicy");
      s.deletes_claims_when_deleted = word<bool>(retention, "whenDeleted", {{"Retain", false}, {"Delete", true}});
      s.deletes_claims_when_scaled = word<bool>(retention, "whenScaled", {{"Retain", false}, {"Delete", true}});
    }
    put(set->stateful_sets, std::move(m));
  }

  void daemon_set(Yaml object) {
    Manifest<DaemonSet> m = begin<DaemonSet>(object, true);
    DaemonSet& d = m.object;
    if (const Yaml spec = spec_of(object); spec) {
      expect_fields(spec, "DaemonSet.spec", kDaemonSetFields);
      d.pod_template = pod_template(spec);
      d.selector = workload_selector(spec, d.pod_template);
      only_restart_always(spec, d.pod_template);
      const Yaml strategy = map(spec, "updateStrategy");
      d.on_delete = word<bool>(strategy, "type", {{"RollingUpdate", false}, {"OnDelete", true}});
      const Yaml rolling = map(strategy, "rollingUpdate");
      d.max_unavailable = int_or_percent(rolling, "maxUnavailable").value_or(IntOrPercent{1, false});
      d.max_surge = int_or_percent(rolling, "maxSurge").value_or(IntOrPercent{0, false});
      if (rolling && d.max_surge.value == 0 && d.max_unavailable.value == 0) {
        impossible(rolling, "maxUnavailable may not be 0 when maxSurge is 0: nothing could ever be updated");
      }
      if (rolling && d.max_surge.value != 0 && d.max_unavailable.value != 0) {
        if (rolling.find("maxUnavailable").is_null()) {
          d.max_unavailable = IntOrPercent{1, false};  // the API's default stands beside maxSurge and is refused by it
        }
        impossible(rolling, "a DaemonSet takes maxSurge or maxUnavailable, the other one must be 0");
      }
      d.min_ready_seconds = integer_or(spec, "minReadySeconds", 0);
    }
    put(set->daemon_sets, std::move(m));
  }

  JobSpec job_spec(Yaml spec) {
    JobSpec j;
    expect_fields(spec, "Job.spec", kJobFields);
    j.parallelism = integer(spec, "parallelism");
    j.completions = integer(spec, "completions");
    if (!j.parallelism && !j.completions) j.completions = 1;
    if (!j.parallelism) j.parallelism = 1;
    const bool per_index = !spec.find("backoffLimitPerIndex").is_null();
    j.backoff_limit = integer_or(spec, "backoffLimit", per_index ? kMaxInt32 : 6);
    j.active_deadline_seconds = integer(spec, "activeDeadlineSeconds");
    j.ttl_seconds_after_finished = integer(spec, "ttlSecondsAfterFinished");
    j.indexed = word<bool>(spec, "completionMode", {{"NonIndexed", false}, {"Indexed", true}});
    if (j.indexed && !j.completions) impossible(spec, "an Indexed job needs 'completions'");
    j.suspend = boolean(spec, "suspend", false);
    j.pod_template = pod_template(spec);
    if (j.pod_template.spec && !j.pod_template.spec->containers.empty() && j.pod_template.spec->restart_policy == RestartPolicy::kAlways) {
      const Yaml pods = map(map(spec, "template"), "spec");
      impossible(pods.find("restartPolicy") ? pods.find("restartPolicy") : pods, "the pods of a Job need a restartPolicy").expected = "OnFailure or Never";
    }
    for (const std::string_view field : {"podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "maxFailedIndexes", "podReplacementPolicy", "managedBy"}) {
      not_simulated(spec.find(field), fmt::format("Job.spec.{}", field));
    }
    return j;
  }

  void job(Yaml object) {
    Manifest<Job> m = begin<Job>(object, true);
    if (const Yaml spec = spec_of(object); spec) {
      m.object.spec = job_spec(spec);
      if (const Yaml selector = map(spec, "selector"); selector) m.object.selector = selector_of(selector);
    }
    const Yaml status = map(object, "status");
    m.object.succeeded = integer_or(status, "succeeded", 0);
    m.object.failed = integer_or(status, "failed", 0);
    for (const Yaml condition : maps(status, "conditions")) {
      if (text(condition, "status") != "True") continue;
      if (text(condition, "type") == "Complete") m.object.complete = true;
      if (text(condition, "type") == "Failed") {
        m.object.failed_condition = true;
        m.object.failed_reason = symbol(condition, "reason");
      }
    }
    put(set->jobs, std::move(m));
  }

  void cron_job(Yaml object) {
    Manifest<CronJob> m = begin<CronJob>(object, true);
    CronJob& c = m.object;
    if (const Yaml spec = spec_of(object); spec) {
      c.schedule = text(spec, "schedule");
      expect_fields(spec, "CronJob.spec", kCronJobFields);
      if (spec.find("schedule").is_null()) impossible(spec, "CronJob needs 'spec.schedule'");
      if (spec.find("schedule").is_string()) {
        if (const std::optional<std::string> why = check_cron_schedule(c.schedule)) {
          impossible(spec.find("schedule"), fmt::format("'{}' is no cron schedule", c.schedule)).hint = *why;
        }
      }
      c.time_zone = text(spec, "timeZone");
      if (!c.time_zone.empty()) {
        if (const std::optional<std::string> why = check_cron_time_zone(c.time_zone)) impossible(spec.find("timeZone"), *why);
      }
      c.starting_deadline_seconds = integer(spec, "startingDeadlineSeconds", 0, INT64_MAX / 2'000'000'000);
      using C = CronJob::Concurrency;
      c.concurrency = word<C>(spec, "concurrencyPolicy", {{"Allow", C::kAllow}, {"Forbid", C::kForbid}, {"Replace", C::kReplace}});
      c.suspend = boolean(spec, "suspend", false);
      c.successful_history = integer_or(spec, "successfulJobsHistoryLimit", 3);
      c.failed_history = integer_or(spec, "failedJobsHistoryLimit", 1);
      const Yaml job_template = map(spec, "jobTemplate");
      if (!job_template && spec.find("jobTemplate").is_null()) impossible(spec, "CronJob needs 'spec.jobTemplate'");
      c.job_labels = labels(map(job_template, "metadata"), "labels");
      if (job_template) {
        if (const Yaml job = map(job_template, "spec"); job) {
          c.job_template = job_spec(job);
        } else if (job_template.find("spec").is_null()) {
          impossible(job_template, "'jobTemplate' needs 'spec'");
        }
      }
    }
    put(set->cron_jobs, std::move(m));
  }

  void service(Yaml object) {
    Manifest<Service> m = begin<Service>(object, true);
    const Yaml spec = map(object, "spec");
    expect_fields(spec, "Service.spec", kServiceFields);
    const Labels pairs = labels(spec, "selector");
    for (const Labels::Pair& pair : pairs) m.object.selector.requirements.push_back(Requirement{pair.key, SelectorOperator::kIn, {pair.value}});
    m.object.has_selector = !pairs.empty() && text(spec, "type") != "ExternalName";
    m.object.publish_not_ready = boolean(spec, "publishNotReadyAddresses", false);
    m.object.headless = text(spec, "clusterIP") == "None";
    put(set->services, std::move(m));
  }

  void budget(Yaml object) {
    Manifest<PodDisruptionBudget> m = begin<PodDisruptionBudget>(object, true);
    const Yaml spec = map(object, "spec");
    expect_fields(spec, "PodDisruptionBudget.spec", kBudgetFields);
    m.object.selector = optional_selector(spec, "selector");
    m.object.min_available = int_or_percent(spec, "minAvailable");
    m.object.max_unavailable = int_or_percent(spec, "maxUnavailable");
    if (m.object.min_available && m.object.max_unavailable) impossible(spec, "minAvailable and maxUnavailable exclude each other");
    m.object.always_allow_unhealthy = word<bool>(spec, "unhealthyPodEvictionPolicy", {{"IfHealthyBudget", false}, {"AlwaysAllow", true}});
    put(set->budgets, std::move(m));
  }

  void priority_class(Yaml object) {
    Manifest<PriorityClass> m = begin<PriorityClass>(object, false);
    if (object.find("value").is_null()) impossible(object, "PriorityClass needs 'value'");
    const std::string& name = names.text(m.object.meta.name);
    const bool built_in = name == "system-cluster-critical" || name == "system-node-critical";
    m.object.value = static_cast<std::int32_t>(integer_or(object, "value", 0, INT32_MIN, built_in ? INT32_MAX : 1'000'000'000));
    if (name.starts_with("system-") && !built_in) impossible(map(object, "metadata").find("name"), "names with 'system-' are reserved");
    m.object.global_default = boolean(object, "globalDefault", false);
    m.object.preempts = word<bool>(object, "preemptionPolicy", {{"PreemptLowerPriority", true}, {"Never", false}});
    put(set->priority_classes, std::move(m));
  }

  void storage_class(Yaml object) {
    Manifest<StorageClass> m = begin<StorageClass>(object, false);
    StorageClass& c = m.object;
    expect_fields(object, "StorageClass", kClassFields);
    c.provisioner = symbol(object, "provisioner");
    if (object.find("provisioner").is_null()) impossible(object, "StorageClass needs 'provisioner'");
    c.parameters = labels(object, "parameters", false);
    c.reclaim_policy = word<ReclaimPolicy>(object, "reclaimPolicy", {{"Delete", ReclaimPolicy::kDelete}, {"Retain", ReclaimPolicy::kRetain}});
    c.wait_for_first_consumer = word<bool>(object, "volumeBindingMode", {{"Immediate", false}, {"WaitForFirstConsumer", true}});
    for (const Yaml term : maps(object, "allowedTopologies")) {
      NodeSelectorTerm topology;
      for (const Yaml entry : maps(term, "matchLabelExpressions")) {
        topology.match_expressions.push_back(Requirement{symbol(entry, "key"), SelectorOperator::kIn, strings(entry, "values")});
      }
      c.allowed_topologies.push_back(std::move(topology));
    }
    const Yaml annotations = map(map(object, "metadata"), "annotations");
    for (const std::string_view key : {"storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"}) {
      c.is_default = c.is_default || annotations.find(key).text() == "true";
    }
    put(set->storage_classes, std::move(m));
  }

  /// The driver that a volume's source stands for: of csi by its name, of an in-tree plugin by its.
  Symbol volume_driver(Yaml spec) {
    if (const Yaml csi = map(spec, "csi"); csi) return symbol(csi, "driver");
    // Those that moved to CSI drivers go by the drivers' names, as csi-translation-lib has it.
    constexpr std::pair<std::string_view, std::string_view> kPlugins[] = {
        {"local", "kubernetes.io/local-volume"},           {"hostPath", "kubernetes.io/host-path"},  {"nfs", "kubernetes.io/nfs"},
        {"rbd", "kubernetes.io/rbd"},                      {"cephfs", "kubernetes.io/cephfs"},       {"iscsi", "kubernetes.io/iscsi"},
        {"fc", "kubernetes.io/fc"},                        {"awsElasticBlockStore", "ebs.csi.aws.com"}, {"gcePersistentDisk", "pd.csi.storage.gke.io"},
        {"azureDisk", "disk.csi.azure.com"},               {"azureFile", "file.csi.azure.com"},      {"cinder", "cinder.csi.openstack.org"},
        {"vsphereVolume", "csi.vsphere.vmware.com"}};
    for (const auto& [key, driver] : kPlugins) {
      if (!spec.find(key).is_null()) return intern(driver);
    }
    impossible(spec, "PersistentVolume: the source of this volume is missing, or is none that is simulated").expected =
        "one of csi, local, hostPath, nfs, rbd, cephfs, iscsi, fc, awsElasticBlockStore, gcePersistentDisk, azureDisk, azureFile, cinder, vsphereVolume";
    return Symbol{};
  }

  void persistent_volume(Yaml object) {
    Manifest<PersistentVolume> m = begin<PersistentVolume>(object, false);
    PersistentVolume& v = m.object;
    if (const Yaml spec = spec_of(object); spec) {
      expect_fields(spec, "PersistentVolume.spec", kVolumeFields);
      v.bytes = storage_bytes(map(spec, "capacity"), spec);
      v.access_modes = access_modes(spec);
      if (v.access_modes.bits == 0) impossible(spec, "PersistentVolume needs at least one of 'accessModes'");
      v.reclaim_policy = word<ReclaimPolicy>(spec, "persistentVolumeReclaimPolicy", {{"Retain", ReclaimPolicy::kRetain}, {"Delete", ReclaimPolicy::kDelete}});
      v.storage_class = symbol(spec, "storageClassName");
      v.block = word<bool>(spec, "volumeMode", {{"Filesystem", false}, {"Block", true}});
      v.driver = volume_driver(spec);
      if (const Yaml required = map(map(spec, "nodeAffinity"), "required"); required) {
        v.has_node_affinity = true;
        for (const Yaml term : maps(required, "nodeSelectorTerms")) v.node_affinity.push_back(node_term(term));
      }
      if (!spec.find("local").is_null() && !v.has_node_affinity) impossible(spec, "a local volume needs node affinity");
      v.is_dynamic = !map(map(object, "metadata"), "annotations").find("pv.kubernetes.io/provisioned-by").is_null();
      const Yaml claim = map(spec, "claimRef");
      v.claim_ns = symbol(claim, "namespace");
      v.claim_name = symbol(claim, "name");
      if (claim && (!v.claim_ns || !v.claim_name)) impossible(claim, "claimRef needs 'namespace' and 'name'");
    }
    put(set->volumes, std::move(m));
  }

  void claim(Yaml object) {
    Manifest<PersistentVolumeClaim> m = begin<PersistentVolumeClaim>(object, true);
    if (const Yaml spec = spec_of(object); spec) m.object.spec = claim_spec(spec);
    const Yaml annotations = map(map(object, "metadata"), "annotations");
    // A claim of a dump that is bound stays so, when its volume is there too (see store()).
    m.object.bind_completed = annotations.find("pv.kubernetes.io/bind-completed").text() == "yes" && m.object.spec.volume_name;
    not_simulated(object.find("spec"), std::string(kUnsimulatedObject));
    put(set->claims, std::move(m));
  }

  void attachment(Yaml object) {
    Manifest<VolumeAttachment> m = begin<VolumeAttachment>(object, false);
    if (const Yaml spec = spec_of(object); spec) {
      m.object.attacher = symbol(spec, "attacher");
      m.object.node = symbol(spec, "nodeName");
      m.object.volume = symbol(map(spec, "source"), "persistentVolumeName");
      if (!m.object.volume) impossible(spec, "VolumeAttachment needs 'spec.source.persistentVolumeName'");
    }
    m.object.attached = boolean(map(object, "status"), "attached", false);
    put(set->attachments, std::move(m));
  }

  void other(Yaml object, std::string_view api_version) {
    Manifest<OtherObject> m = begin<OtherObject>(object, true);
    m.object.api_version = intern(api_version);
    m.object.kind_name = intern(kind_name);
    m.object.meta.name = intern(fmt::format("{}/{}", kind_name, names.text(m.object.meta.name)));
    put(set->others, std::move(m));
  }

  /// `list_version` and `list_kind` are what the items of a typed list leave out.
  void decode(Yaml object, std::string_view list_version = {}, std::string_view list_kind = {}) {
    if (object.is_null()) return;
    if (!object.is_map()) {
      wrong(object, "a Kubernetes object");
      return;
    }
    std::string_view version = text(object, "apiVersion");
    std::string_view kind = text(object, "kind");
    if (version.empty() && object.find("apiVersion").is_null()) version = list_version;
    if (kind.empty() && object.find("kind").is_null()) kind = list_kind;
    if (kind.empty() || version.empty()) {
      const std::string_view key = kind.empty() ? "kind" : "apiVersion";
      if (object.find(key).is_null()) impossible(object, fmt::format("an object needs '{}'", key));
      return;
    }
    kind_name = kind;
    if (kind.size() > 4 && kind.ends_with("List") ? object.find("items") && object.find("items").is_sequence() : kind == "List") {
      const Yaml items = object.find("items");
      if (items.is_null()) return;
      if (!items.is_sequence()) {
        wrong(items, "a list of objects");
        return;
      }
      const std::string item_kind(kind.substr(0, kind.size() - 4));
      for (std::size_t i = 0; i < items.size(); ++i) decode(items.item(i), item_kind.empty() ? std::string_view{} : version, item_kind);
      return;
    }
    const std::size_t slash = version.find('/');
    const std::string_view group = slash == std::string_view::npos ? std::string_view{} : version.substr(0, slash);
    const std::string_view in_group = slash == std::string_view::npos ? version : version.substr(slash + 1);
    const KindName* known = find_kind(group, kind);
    if (known == nullptr) {
      other(object, version);
      return;
    }
    if (in_group != known->version || group != known->group) {
      Diagnostic& d = impossible(object.find("apiVersion"), fmt::format("{} is not served as '{}'", kind, version));
      d.expected = known->group.empty() ? std::string(known->version) : fmt::format("{}/{}", known->group, known->version);
      return;
    }
    switch (known->kind) {
      case Kind::kNode: node(object); return;
      case Kind::kPod: pod(object); return;
      case Kind::kService: service(object); return;
      case Kind::kNamespace: put(set->namespaces, begin<Namespace>(object, false)); return;
      case Kind::kDeployment: deployment(object); return;
      case Kind::kReplicaSet: replica_set(object); return;
      case Kind::kStatefulSet: stateful_set(object); return;
      case Kind::kDaemonSet: daemon_set(object); return;
      case Kind::kJob: job(object); return;
      case Kind::kCronJob: cron_job(object); return;
      case Kind::kPodDisruptionBudget: budget(object); return;
      case Kind::kPriorityClass: priority_class(object); return;
      case Kind::kStorageClass: storage_class(object); return;
      case Kind::kPersistentVolume: persistent_volume(object); return;
      case Kind::kPersistentVolumeClaim: claim(object); return;
      case Kind::kVolumeAttachment: attachment(object); return;
      case Kind::kEndpoints:
      case Kind::kOther: return;
    }
  }

  // ---- all together ----

  template <class T>
  void refuse_duplicates(const std::vector<Manifest<T>>& list) {
    std::unordered_map<std::uint64_t, std::uint32_t> seen;  // look-up only
    for (std::uint32_t i = 0; i < list.size(); ++i) {
      const ObjectMeta& meta = list[i].object.meta;
      if (!meta.name) continue;
      const auto [first, fresh] = seen.emplace(std::uint64_t{meta.ns.value} << 32 | meta.name.value, i);
      if (fresh) continue;
      const std::string name = meta.ns ? names.text(meta.ns) + "/" + names.text(meta.name) : names.text(meta.name);
      Diagnostic& d = diagnostics.error(list[i].where, fmt::format("there are two {}s with the name '{}'", to_string(T::kKind), name));
      d.hint = "the first is at " + list[first->second].where.to_string();
    }
  }

  ManifestSet finish() {
    refuse_duplicates(own.nodes);
    refuse_duplicates(own.pods);
    refuse_duplicates(own.deployments);
    refuse_duplicates(own.replica_sets);
    refuse_duplicates(own.stateful_sets);
    refuse_duplicates(own.daemon_sets);
    refuse_duplicates(own.jobs);
    refuse_duplicates(own.cron_jobs);
    refuse_duplicates(own.services);
    refuse_duplicates(own.budgets);
    refuse_duplicates(own.priority_classes);
    refuse_duplicates(own.namespaces);
    refuse_duplicates(own.storage_classes);
    refuse_duplicates(own.volumes);
    refuse_duplicates(own.claims);
    refuse_duplicates(own.attachments);
    if (!own.storage_classes.empty() || !own.volumes.empty()) {
      for (const std::string_view field : {kUnsimulatedClaim, kUnsimulatedEphemeral, kUnsimulatedTemplates, kUnsimulatedObject}) {
        unmodelled.erase(std::string(field));
      }
    }

    std::vector<const PriorityClass*> classes;
    for (const Manifest<PriorityClass>& m : own.priority_classes) classes.push_back(&m.object);
    for (Manifest<Pod>& m : own.pods) {
      auto spec = std::const_pointer_cast<PodSpec>(m.object.spec);  // made here, shared with nobody yet
      if (const std::optional<std::string> refused = admit_pod(*spec, classes, names, well_known)) {
        diagnostics.error(m.where, fmt::format("Pod '{}' is refused: {}", names.text(m.object.meta.name), *refused));
      }
    }
    const auto check_class = [&](const Place& where, std::string_view kind, Symbol name, const PodTemplate& pods) {
      if (pods.spec && !resolve_priority(*pods.spec, classes, names)) {
        diagnostics.error(where, fmt::format("the pods of {} '{}' would be refused: no PriorityClass with name {} was found", kind, names.text(name),
                                             names.text(pods.spec->priority_class_name)));
      }
    };
    for (const auto& m : own.deployments) check_class(m.where, "Deployment", m.object.meta.name, m.object.pod_template);
    for (const auto& m : own.replica_sets) check_class(m.where, "ReplicaSet", m.object.meta.name, m.object.pod_template);
    for (const auto& m : own.stateful_sets) check_class(m.where, "StatefulSet", m.object.meta.name, m.object.pod_template);
    for (const auto& m : own.daemon_sets) check_class(m.where, "DaemonSet", m.object.meta.name, m.object.pod_template);
    for (const auto& m : own.jobs) check_class(m.where, "Job", m.object.meta.name, m.object.spec.pod_template);
    for (const auto& m : own.cron_jobs) check_class(m.where, "CronJob", m.object.meta.name, m.object.job_template.pod_template);

    std::map<std::string, std::size_t> kept;
    for (const Manifest<OtherObject>& m : own.others) ++kept[names.text(m.object.kind_name)];
    if (!kept.empty()) {
      std::vector<std::string> parts;
      for (const auto& [kind, count] : kept) parts.push_back(fmt::format("{} ({})", kind, count));
      diagnostics.warning_in("", fmt::format("kept, not simulated: {}", fmt::join(parts, ", ")));
    }
    for (const auto& [field, entry] : unmodelled) {
      diagnostics.warning(entry.first, entry.count == 1 ? fmt::format("not simulated: {}", field)
                                                        : fmt::format("not simulated: {} ({} times; this is the first)", field, entry.count));
    }
    for (const auto& [field, entry] : unknown) {
      Diagnostic& d = diagnostics.warning(entry.first, entry.count == 1 ? fmt::format("Kubernetes has no field {}", field)
                                                                        : fmt::format("Kubernetes has no field {} ({} times; this is the first)", field, entry.count));
      d.hint = entry.hint;
    }
    return std::move(own);
  }
};

ManifestReader::ManifestReader(Interner& names, Diagnostics& diagnostics) : impl_(std::make_unique<Impl>(names, diagnostics)) {}
ManifestReader::~ManifestReader() = default;
void ManifestReader::decode(Node object) { impl_->decode(object); }
void ManifestReader::decode(const Document& document) {
  for (const Node& root : document.roots()) impl_->decode(root);
}
ManifestSet ManifestReader::finish() { return impl_->finish(); }

void decode(Node object, Interner& names, Diagnostics& diagnostics, ManifestSet& set) {
  ManifestReader::Impl reader(names, diagnostics);
  reader.set = &set;
  reader.decode(object);
}

// ---- files ----------------------------------------------------------------------------------------------------------

std::vector<std::string> expand_path(const std::string& path, const Place& where, Diagnostics& diagnostics) {
  namespace fs = std::filesystem;
  std::vector<std::string> found;
  std::error_code error;
  const auto list = [&](const fs::path& folder, const auto& wanted) {
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      std::error_code ignored;
      if (it->is_regular_file(ignored) && wanted(it->path().filename().string())) found.push_back(it->path().string());
    }
    std::sort(found.begin(), found.end());
  };
  if (fs::is_directory(path, error)) {
    list(path, [](const std::string& name) { return name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"); });
    if (!found.empty()) return found;
    Diagnostic& d = diagnostics.error(where, fmt::format("the folder '{}' holds no .yaml, .yml or .json file", path));
    std::vector<std::string> below;
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
      std::error_code ignored;
      if (it->is_directory(ignored)) below.push_back(it->path().string());
    }
    std::sort(below.begin(), below.end());
    if (!below.empty()) d.hint = fmt::format("folders in it are not searched: name them, as in '{}'", below.front());
    return found;
  }
  const fs::path as_path(path);
  const std::string pattern = as_path.filename().string();
  if (pattern.find_first_of("*?[") != std::string::npos && !fs::exists(path, error)) {
    const fs::path folder = as_path.has_parent_path() ? as_path.parent_path() : fs::path(".");
    list(folder, [&](const std::string& name) { return ::fnmatch(pattern.c_str(), name.c_str(), FNM_PERIOD) == 0; });
    if (found.empty()) diagnostics.error(where, fmt::format("no file matches '{}'", path));
    return found;
  }
  if (!fs::exists(path, error)) {
    diagnostics.error(where, fmt::format("there is no file '{}'", path));
    return found;
  }
  found.push_back(path);
  return found;
}

ManifestSet read_manifests(const std::vector<std::string>& paths, Interner& names, Diagnostics& diagnostics) {
  ManifestReader reader(names, diagnostics);
  for (const std::string& path : paths) {
    for (const std::string& file : path == "-" ? std::vector<std::string>{path} : expand_path(path, Place{}, diagnostics)) {
      if (const std::shared_ptr<const Document> document = load_file(file, diagnostics)) reader.decode(*document);
    }
  }
  return reader.finish();
}

// ---- storing --------------------------------------------------------------------------------------------------------

namespace {

class Storer {
 public:
  Storer(const ManifestSet& set, ApiServer& api, const StoreOptions& options) : set_(set), api_(api), options_(options) {}

  std::vector<std::string> run() {
    for (const auto& m : set_.namespaces) put(m);
    for (const auto& m : set_.priority_classes) put(m);
    for (const auto& m : set_.storage_classes) put(m);
    if (options_.nodes) {
      for (const auto& m : set_.nodes) put(m);
    }
    // Owners first: a Deployment of a dump before its ReplicaSets, a CronJob before its Jobs.
    pass({Kind::kService, Kind::kPodDisruptionBudget, Kind::kDeployment, Kind::kStatefulSet, Kind::kDaemonSet, Kind::kCronJob, Kind::kPersistentVolumeClaim,
          Kind::kOther});
    pass({Kind::kPersistentVolume, Kind::kVolumeAttachment});
    pass({Kind::kReplicaSet, Kind::kJob});
    pass({Kind::kPod});
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
    if (object.bind_completed) object.phase = ClaimPhase::kBound;
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
