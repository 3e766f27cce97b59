/// squall schedule: nodes and pods from manifests; what fits, what stays Pending, and why.
#pragma once

#include <string>
#include <string_view>

#include "sim/models/kubernetes/scheduler/schedule_all.hpp"

namespace CLI {
class App;
}

namespace cli {

void add_schedule_command(CLI::App& app, int& exit_code);

/// {"nodes", "pods", "scheduled", "placements": {"namespace/pod": "node"}, "pending": [{"pod", "message"}]}, pods in the order of creation; with
/// `cycles` (a JSON array, see schedule_explain.hpp) also those.
std::string schedule_json(const sim::k8s::ApiServer& api, const sim::k8s::ScheduleResult& result, std::string_view cycles = {});
/// The same for people: counts, how full the cluster is, pending pods by reason.
std::string schedule_text(const sim::k8s::ApiServer& api, const sim::k8s::ScheduleResult& result);

}  // namespace cli
