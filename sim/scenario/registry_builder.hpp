/// From `registries:`, `network:` and `images:` to the network and the registries of a world.
///
/// Checked by: tests/scenario/registry_fields_test.cpp, tests/chaos/registry_test.cpp.
#pragma once

namespace sim {
class World;
}

namespace sim::scenario {

struct ScenarioSpec;
class Diagnostics;

/// Tells everything that is wrong with the sections.
void check_registries(const ScenarioSpec& spec, Diagnostics& diagnostics);
/// Before nodes are added, and after the topology. Nothing happens in a scenario without these sections.
void make_registries(const ScenarioSpec& spec, World& world);

}  // namespace sim::scenario
