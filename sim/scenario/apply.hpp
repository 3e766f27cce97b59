/// What `kubectl apply -f` does to a simulated cluster: objects that are not there are made, workloads that are get the manifest's spec.
///
/// Leaves out: changes of kinds other than Deployment, StatefulSet, DaemonSet, ReplicaSet, CronJob, PodDisruptionBudget, PriorityClass and Node (labels, taints,
///             unschedulable) that exist already: they are told.
/// Checked by: tests/cli/import_command.py.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/scenario/manifests.hpp"

namespace sim::scenario {

struct Applied {
  std::vector<std::string> made;       // "Deployment/shop/web"
  std::vector<std::string> changed;
  std::vector<std::string> untouched;  // there already, and of a kind that is not changed
};

/// `keeps_replicas`: Deployments, StatefulSets and ReplicaSets ("Deployment/shop/web") whose manifest says no number: theirs stays.
Applied apply(const ManifestSet& set, const std::set<std::string>& keeps_replicas, k8s::ApiServer& api);

}  // namespace sim::scenario
