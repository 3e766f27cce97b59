/// The platform at an instant, as tables: services, their members, operations, VMs.
///
/// Checked by: tests/cli/command_line.py, tests/chaos/services_test.cpp.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "sim/models/kubernetes/views/table.hpp"

namespace sim {
class World;
}

namespace sim::services {

/// "platform", "members", "operations", "vms".
const std::vector<std::string_view>& platform_views();
/// Nothing when `what` is none of them.
std::optional<k8s::views::TextTable> platform_view(const World& world, std::string_view what);

}  // namespace sim::services
