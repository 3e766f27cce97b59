/// A KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1), as kube-scheduler reads it with --config.
///
/// What is modelled takes effect; what is not is refused by name unless it says what holds anyway; fields about the process itself (metrics,
/// parallelism, and without a run leader election and client) change no decision and are read and passed over.
///
/// Source:     staging/src/k8s.io/kube-scheduler/config/v1/{types,types_pluginargs}.go; pkg/scheduler/apis/config/{validation,v1/default_plugins.go};
///             framework/runtime/framework.go (expandMultiPointPlugins).
/// Leaves out: extenders; plugins that are not in the default profile; another order of filters; profiles whose pods have no default spread
///             constraints (equal pods are then scheduled in batches, OpportunisticBatching); arguments of DynamicResources.
/// Checked by: tests/scenario/scheduler_configuration_test.cpp, tests/differential/scheduler/run.py.
#pragma once

#include <cstdint>
#include <string>

#include "sim/models/kubernetes/scheduler/scheduler.hpp"
#include "sim/models/kubernetes/scheduler/scheduling_profile.hpp"
#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/document.hpp"

namespace sim::scenario {

struct SchedulerSpec;  // scenario.hpp

enum class SchedulerPurpose : std::uint8_t {
  kDecisions,  // without time: `squall schedule`
  kRun,        // what else decides about a run has its own section, and is refused here
};

/// `base` with what the configuration says in its place; `profiles` is not null.
k8s::SchedulerConfig read_scheduler_configuration(Node root, Interner& names, SchedulerPurpose purpose, const k8s::SchedulerConfig& base, Diagnostics& diagnostics);

/// `scheduler.config` of a scenario: the path of a file beside `path`, or the configuration itself.
void apply_scheduler_section(SchedulerSpec& spec, Node section, const std::string& path, Interner& names, Diagnostics& diagnostics);

}  // namespace sim::scenario
