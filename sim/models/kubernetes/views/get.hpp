/// `kubectl get` of the simulated cluster: what its API server would print at this instant.
///
/// Source: kubernetes pkg/printers/internalversion/printers.go (columns, and the words of a pod's status).
/// Leaves out: columns that nothing in the model fills (VERSION, CLUSTER-IP, IP): they are not printed.
/// Checked by: tests/models/kubernetes/kubectl_views_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/views/table.hpp"

namespace sim::k8s::views {

struct GetOptions {
  SimTime now{};
  std::string name_space;  // empty: all
};

/// The STATUS of `kubectl get pods`: "Running", "CrashLoopBackOff", "Init:0/1", "Terminating" ...
std::string pod_status(const Pod& pod, const Interner& names);

/// "pods", "po", "nodes", "deployments.apps" ... to the resource's plural name; nothing when kubectl's words are not known here.
std::optional<std::string_view> resource_of(std::string_view word);
/// The plural names of all that can be listed.
std::vector<std::string_view> resources();
/// Needs a name that resources() gives.
TextTable get(const ApiServer& api, std::string_view resource, const GetOptions& options);

}  // namespace sim::k8s::views
