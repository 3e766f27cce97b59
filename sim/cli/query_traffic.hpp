/// `squall query ... traffic`: how users' requests fare at an instant.
///
/// Checked by: tests/cli/query_traffic_test.cpp.
#pragma once

#include "sim/models/kubernetes/views/table.hpp"

namespace sim {
class World;
}

namespace cli {

/// Empty without a section `traffic`.
sim::k8s::views::TextTable traffic_table(const sim::World& world);

}  // namespace cli
