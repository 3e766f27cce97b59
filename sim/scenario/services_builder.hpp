/// From the sections `services:` and `vms:` to the services of a world.
///
/// Checked by: tests/scenario/services_section_test.cpp, tests/chaos/services_test.cpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/models/kubernetes/kubelet/behaviour.hpp"
#include "sim/scenario/document.hpp"
#include "sim/scenario/reference.hpp"

namespace sim {
class World;
}

namespace sim::scenario {

struct ScenarioSpec;
class Diagnostics;

/// The scenario with what its `serviceFiles` bring; its own `services` and `vms` go before them. `path_of`: where a reference leads.
Node with_service_files(Node root, const std::function<std::string(const Reference&)>& path_of, TreeEditor& editor, Diagnostics& diagnostics);
/// ... and with what each service is `like`.
Node with_service_templates(Node root, TreeEditor& editor, Diagnostics& diagnostics);
/// startUp and stopTime of services, as behaviours of their pods.
std::vector<k8s::PodBehaviour> service_behaviours(const ScenarioSpec& spec, Interner& names);
/// Tells everything that is wrong with the sections.
void check_services(const ScenarioSpec& spec, Diagnostics& diagnostics);
/// After the world's nodes, objects and Ceph. Nothing is made when nobody needs anything.
void build_services(const ScenarioSpec& spec, World& world);

}  // namespace sim::scenario
