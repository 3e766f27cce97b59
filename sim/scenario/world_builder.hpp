/// From a scenario to a world that is ready to start: topology, machines, nodes, control plane, objects.
///
/// One scenario builds any number of worlds, on several threads at the same time; they share its immutable parts (pod specs, source documents).
/// A world is a pure function of (scenario, seed).
///
/// Built in this order, which is also the order of uids: elements of the topology, machines, Node objects (pools, then manifests), namespaces, priority
/// classes, everything else as it stands in the files with owners before what they own.
/// Leaves out: the state of live controllers in a dump (work in flight starts anew); conditions of dumped nodes (they start healthy, but for those with the annotation
/// squall.dev/starts-down: "true": their machines are off, and the conditions and taints of the manifest stand).
/// Checked by: tests/scenario/world_builder_test.cpp.
#pragma once

#include <cstdint>
#include <memory>

#include "sim/models/world.hpp"
#include "sim/scenario/scenario.hpp"

namespace sim::scenario {

/// The settings of a run of this scenario.
WorldConfig world_config(const ScenarioSpec& spec, std::uint64_t seed);
/// A populated world at time 0, not started. Later names that the world interns do not change what was made here.
std::unique_ptr<World> build_world(const ScenarioSpec& spec, std::uint64_t seed);

}  // namespace sim::scenario
