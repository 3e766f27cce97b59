/// A KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1), as kube-scheduler reads it with --config.
///
/// What is modelled takes effect; what is not is refused by name unless it says what holds anyway; fields about the process itself (leader election,
/// client, metrics, parallelism) change no decision and are read and passed over.
///
/// Source:     staging/src/k8s.io/kube-scheduler/config/v1/{types,types_pluginargs}.go; pkg/scheduler/apis/config/validation.
/// Leaves out: several profiles; extenders; other sets of filters, their order, queueSort; addedAffinity; default spread constraints of one's own;
///             ignoredResources; resources of NodeResourcesBalancedAllocation.
/// Checked by: tests/scenario/scheduler_configuration_test.cpp.
#pragma once

#include "sim/models/kubernetes/scheduler/scheduler.hpp"
#include "sim/models/kubernetes/scheduler/scheduling_profile.hpp"
#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/document.hpp"

namespace sim::scenario {

struct SchedulerConfiguration {
  k8s::SchedulerConfig queue;  // percentageOfNodesToScore and back-off
  k8s::scheduling::SchedulingProfile profile;
};

SchedulerConfiguration read_scheduler_configuration(const Document& document, Interner& names, Diagnostics& diagnostics);

}  // namespace sim::scenario
