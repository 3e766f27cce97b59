/// Which pods use a volume.
///
/// Checked by: tests/chaos/cephfs_test.cpp, slow_disk_test.cpp.
#pragma once

#include <optional>

#include "sim/models/kubernetes/api/api_server.hpp"

namespace sim::rook {

/// The name under which the pod has the volume; nothing when it does not use it.
std::optional<Symbol> volume_name_in(const k8s::ApiServer& api, const k8s::Pod& pod, Symbol volume);

}  // namespace sim::rook
