/// Circles among images, registries, Services, workloads and storage, found before anything runs: a registry whose own image only it serves; a registry
/// on a Ceph whose daemons' images it serves.
///
/// Asked is a cold start: what can start where no image is on the node. A registry needs its parts' Services, a Service one of the workloads behind it, a
/// workload its images, its volumes' storage, the Services that `behaviours` say it needs, and the pod network where that is a DaemonSet of this cluster;
/// an image one of the registries that serve it. What can start from nothing is taken away, again and again; the circles are in what stays, each told by
/// the shortest way round through an image.
///
/// Source:     reference platform 8.4, 12.2.
/// Leaves out: what is cached, peers (they serve what some node has), nodes that boot from the cluster; storage other than Ceph. Webhooks that must
///             admit the pods they run in: webhooks_builder.hpp.
/// Checked by: tests/scenario/cycles_test.cpp.
#pragma once

namespace sim::scenario {

struct ScenarioSpec;
class Diagnostics;

/// A warning for each circle, at the registry that it passes. The sections have been checked.
void warn_of_cycles(const ScenarioSpec& spec, Diagnostics& diagnostics);

}  // namespace sim::scenario
