#include "sim/models/kubernetes/kubelet/admission.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/models/kubernetes/kubelet/memory_policy.hpp"

namespace sim::k8s::kubelet {

namespace {

std::optional<Rejection> reject(std::string_view reason, std::string_view why) {
  return Rejection{std::string(reason), fmt::format("Pod was rejected: {}", why)};
}

std::optional<Rejection> out_of(std::string_view resource, std::int64_t requested, std::int64_t used, std::int64_t capacity) {
  return reject(fmt::format("OutOf{}", resource), fmt::format("Node didn't have enough resource: {}, requested: {}, used: {}, capacity: {}",
                                                              resource, requested, used, capacity));
}

bool ports_conflict(const PodSpec& a, const PodSpec& b) {
  const auto overlap = [](Symbol x, Symbol y) { return !x || !y || x == y; };  // an empty host IP is every address
  for (const Container& ca : a.containers) {
    for (const ContainerPort& pa : ca.ports) {
      if (pa.host_port == 0) continue;
      for (const Container& cb : b.containers) {
        for (const ContainerPort& pb : cb.ports) {
          if (pb.host_port == pa.host_port && pb.protocol == pa.protocol && overlap(pa.host_ip, pb.host_ip)) return true;
        }
      }
    }
  }
  return false;
}

}  // namespace

bool node_matches(const Node& node, const PodSpec& spec, const WellKnown& well_known, const Interner& names) {
  for (const Labels::Pair& pair : spec.node_selector) {
    const std::optional<Symbol> value = node.meta.labels.find(pair.key);
    if (!value || *value != pair.value) return false;
  }
  if (spec.affinity == nullptr || !spec.affinity->has_required_node_affinity) return true;
  Labels fields;
  fields.set(well_known.metadata_name, node.meta.name);
  const auto matches = [&](const NodeSelectorTerm& term) {
    if (term.match_expressions.empty() && term.match_fields.empty()) return false;
    const auto holds = [&](const Requirement& r) { return r.matches(node.meta.labels, names); };
    const auto field_holds = [&](const Requirement& r) { return r.matches(fields, names); };
    return std::all_of(term.match_expressions.begin(), term.match_expressions.end(), holds) &&
           std::all_of(term.match_fields.begin(), term.match_fields.end(), field_holds);
  };
  const std::vector<NodeSelectorTerm>& terms = spec.affinity->required_node_terms;
  return std::any_of(terms.begin(), terms.end(), matches);
}

std::optional<Rejection> admit(const AdmissionRequest& request, const WellKnown& well_known, const Interner& names) {
  const Node& node = request.node;
  const PodSpec& spec = request.spec;

  // The eviction handler: under memory pressure alone only BestEffort pods are turned away, under any other all but critical ones.
  const bool only_memory = request.memory_pressure && !request.disk_pressure && !request.pid_pressure;
  if ((request.memory_pressure || request.disk_pressure || request.pid_pressure) && !is_critical(spec, false)) {
    const Taint pressure{well_known.memory_pressure, Symbol{}, TaintEffect::kNoSchedule};
    if (!only_memory || (spec.qos == QosClass::kBestEffort && !tolerates(spec.tolerations, pressure))) {
      std::string conditions;
      for (const auto& [is_true, name] : {std::pair{request.memory_pressure, "MemoryPressure"}, std::pair{request.disk_pressure, "DiskPressure"},
                                          std::pair{request.pid_pressure, "PIDPressure"}}) {
        if (is_true) conditions += (conditions.empty() ? "" : " ") + std::string(name);
      }
      return Rejection{"Evicted", fmt::format("The node had condition: [{}]. ", conditions)};
    }
  }

  Resources used;
  for (const PodSpec* other : request.admitted) used.add(other->requests);
  const std::int64_t pods = static_cast<std::int64_t>(request.admitted.size());
  const Resources& need = spec.requests;
  const Resources& have = node.allocatable;
  if (have.pods > 0 && pods + 1 > have.pods) return out_of("pods", 1, pods, have.pods);
  if (need.cpu_milli > 0 && need.cpu_milli > have.cpu_milli - used.cpu_milli) {
    return out_of("cpu", need.cpu_milli, used.cpu_milli, have.cpu_milli);
  }
  if (need.memory > 0 && need.memory > have.memory - used.memory) return out_of("memory", need.memory, used.memory, have.memory);
  if (need.ephemeral_storage > 0 && need.ephemeral_storage > have.ephemeral_storage - used.ephemeral_storage) {
    return out_of("ephemeral-storage", need.ephemeral_storage, used.ephemeral_storage, have.ephemeral_storage);
  }
  for (const NamedAmount& entry : need.other) {
    // A resource that the node does not know at all is dropped, not refused (predicate.go removeMissingExtendedResources).
    if (have.of(entry.name) == 0 || entry.amount == 0) continue;
    if (entry.amount > have.of(entry.name) - used.of(entry.name)) {
      return out_of(names.text(entry.name), entry.amount, used.of(entry.name), have.of(entry.name));
    }
  }
  if (!node_matches(node, spec, well_known, names)) {
    return reject("NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector");
  }
  for (const PodSpec* other : request.admitted) {
    if (ports_conflict(spec, *other)) {
      return reject("NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports");
    }
  }
  for (const Taint& taint : node.taints) {
    if (taint.effect == TaintEffect::kNoExecute && !tolerates(spec.tolerations, taint)) {
      return reject("TaintToleration", "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate");
    }
  }
  return std::nullopt;
}

}  // namespace sim::k8s::kubelet
