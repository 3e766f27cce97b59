/// What `squall query` shows of priority and fairness: /debug/api_priority_and_fairness/dump_priority_levels, and whose requests are served.
#pragma once

#include <string>
#include <string_view>

#include "sim/models/kubernetes/views/table.hpp"

namespace sim {
class World;
}

namespace cli {

/// "priority-levels", "api-requests".
bool is_flow_control_word(std::string_view word);
sim::k8s::views::TextTable flow_control_table(sim::World& world, std::string_view word);
/// apiserver_flowcontrol_* in the exposition format; empty while no request is simulated.
std::string flow_control_metrics(const sim::World& world);

}  // namespace cli
