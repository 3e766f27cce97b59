/// Whether a kubelet takes a pod that is bound to its node.
///
/// Source:     reference kubernetes 3.4: pkg/kubelet/eviction/eviction_manager.go (Admit), lifecycle/predicate.go.
/// Leaves out: topology, CPU and device managers (their default policies admit everything), sysctls, AppArmor, node shutdown,
///             and that a critical pod that only lacks resources preempts others.
/// Checked by: tests/models/kubernetes/kubelet_admission_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/models/kubernetes/api/objects.hpp"
#include "sim/models/kubernetes/api/well_known.hpp"

namespace sim::k8s::kubelet {

struct Rejection {
  std::string reason;   // status.reason: "OutOfcpu", "NodeAffinity" ...
  std::string message;  // "Pod was rejected: ..."
};

struct AdmissionRequest {
  const Node& node;
  bool memory_pressure = false;  // as the eviction manager sees it now
  const std::vector<const PodSpec*>& admitted;  // active pods of the node, without this one
  const PodSpec& spec;
  bool disk_pressure = false;
  bool pid_pressure = false;
};
/// Empty: the pod is admitted. Otherwise the first reason that speaks against it.
std::optional<Rejection> admit(const AdmissionRequest& request, const WellKnown& well_known, const Interner& names);

/// spec.nodeSelector and the required node affinity.
bool node_matches(const Node& node, const PodSpec& spec, const WellKnown& well_known, const Interner& names);

}  // namespace sim::k8s::kubelet
