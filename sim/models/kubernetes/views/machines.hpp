/// What a person would see of the machines: `kubectl top nodes`, `kubectl top pods`, and of each machine `free`, `df` and its pressure.
///
/// Source:     kubectl top (columns; working set and CPU of metrics-server, percentages of allocatable), procps 4 free (used = total - available), df and df -i.
/// Leaves out: the age of what metrics-server knows (15 s), swap, shared memory.
/// Checked by: tests/models/kubernetes/machine_views_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/kubernetes/kubelet/kubelets.hpp"
#include "sim/models/kubernetes/views/table.hpp"

namespace sim::k8s::views {

/// "top nodes", "top pods", "free", "df".
const std::vector<std::string_view>& machine_views();
/// Nothing when there is no such view. Machines that are down are listed without figures.
std::optional<TextTable> machine_view(const ApiServer& api, const Kubelets& kubelets, std::string_view words, const std::string& name_space);

}  // namespace sim::k8s::views
