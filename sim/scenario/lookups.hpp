/// Looking up in a scenario's manifests what its sections refer to.
///
/// Checked by: tests/scenario/scenario_test.cpp, registry_fields_test.cpp.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sim/scenario/ceph_spec.hpp"
#include "sim/scenario/manifests.hpp"

namespace sim::scenario {

/// Whether the scenario has the Service ("namespace/name"), or Rook makes it; told when not.
bool expect_service(const ManifestSet& objects, const std::optional<CephSpec>& ceph, const Interner& names, const std::string& full_name, Place where, Diagnostics& diagnostics);
/// "namespace/name" in its parts; without a namespace, `ns`.
struct ServiceName {
  std::string ns;
  std::string name;
  std::string full() const { return ns + "/" + name; }
};
ServiceName split_service(std::string_view text, std::string_view ns = "default");
/// Null when there is none.
const Manifest<k8s::Service>* find_service(const ManifestSet& objects, const Interner& names, const ServiceName& service);

/// Something that makes pods, or a pod.
struct Workload {
  std::string_view kind;  // "Deployment"
  Symbol ns;
  Symbol name;
  const k8s::Labels* labels = nullptr;  // of its pods
  const k8s::PodSpec* pod = nullptr;
  const std::vector<k8s::ClaimTemplate>* claim_templates = nullptr;  // of a StatefulSet
  Place where;
};
/// In the order of the lists: pods, Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs. Those that an owner in the manifests made are left out.
void for_each_workload(const ManifestSet& objects, const std::function<void(const Workload&)>& visit);
/// Those behind a Service.
void for_each_workload_of(const ManifestSet& objects, const Interner& names, const k8s::Service& service, const std::function<void(const Workload&)>& visit);

}  // namespace sim::scenario
