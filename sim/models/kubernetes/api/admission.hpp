/// What the API server makes of a pod between the client and the store: API defaulting and the admission plugins that concern scheduling and eviction.
///
/// Pure functions: the reader of manifests and the controllers that make pods share them.
///
/// Source:     pkg/apis/core/v1/defaults.go; plugin/pkg/admission/priority/admission.go, defaulttolerationseconds/admission.go (reference 4.12, 4.13).
/// Leaves out: LimitRange, ResourceQuota, ServiceAccount, RuntimeClass, PodSecurity; webhooks (models/webhooks).
/// Checked by: tests/scenario/manifests_test.cpp.
///
/// Differs:    the API server refuses a spec.priority that its class does not give; here a priority without a class is taken as it stands,
///             because dumps of clusters hold it without the PriorityClass objects.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/kubernetes/api/objects.hpp"
#include "sim/models/kubernetes/api/well_known.hpp"

namespace sim::k8s {

class ApiServer;

inline constexpr std::int32_t kSystemClusterCritical = 2'000'000'000;
inline constexpr std::int32_t kSystemNodeCritical = 2'000'001'000;
inline constexpr std::int64_t kDefaultTolerationSeconds = 300;

/// "nginx" -> "nginx:latest"; a tag or digest stays.
std::string normalised_image(std::string_view image);
/// Always for the tag "latest" (also when it is only implied), IfNotPresent otherwise.
PullPolicy default_pull_policy(std::string_view image);

/// requests := limits for each resource that has a limit and no request, hostNetwork's host ports, the default scheduler's name. The
/// computed part of the spec is up to finish_pod_spec().
void apply_pod_defaults(PodSpec& spec, const WellKnown& well_known);

struct PodPriority {
  std::int32_t value = 0;
  bool preempts = true;
  Symbol class_name;
};
/// By class name (the two built-in ones need no object), else the spec's own priority, else the global default (the lowest of several), else 0.
/// Empty when the class does not exist.
std::optional<PodPriority> resolve_priority(const PodSpec& spec, const std::vector<const PriorityClass*>& classes, const Interner& names);

/// Adds tolerations of node.kubernetes.io/not-ready and /unreachable (NoExecute, 300 s), each unless the spec tolerates that key already.
void add_default_tolerations(PodSpec& spec, const WellKnown& well_known);

/// Priority, then tolerations, as on POST pods. The reason when the pod is refused. Call finish_pod_spec() before or after.
std::optional<std::string> admit_pod(PodSpec& spec, const std::vector<const PriorityClass*>& classes, const Interner& names,
                                     const WellKnown& well_known);

/// All PriorityClass objects of a cluster, in the order of their slots.
std::vector<const PriorityClass*> priority_classes(const ApiServer& api);

}  // namespace sim::k8s
