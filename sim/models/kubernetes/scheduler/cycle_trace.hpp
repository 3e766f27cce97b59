/// What every plugin says of every node in one scheduling cycle: the answer to "why there?" and "why not there?".
///
/// The filters of a node stop at the first rejection; here each plugin is asked alone as well, after the decision, with the state of its cycle.
///
/// Source: pkg/scheduler/framework/runtime/framework.go (RunFilterPlugins, RunScorePlugins).
/// Checked by: tests/cli/schedule_command_test.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/models/kubernetes/scheduler/schedule_one.hpp"

namespace sim::k8s::scheduling {

struct PluginScore {
  Plugin plugin = Plugin::kNodeResourcesFit;
  std::int64_t weight = 1;
  std::vector<std::int64_t> raw;         // by place in CycleTrace::scored
  std::vector<std::int64_t> normalised;  // 0 to 100, before the weight
};

struct NodeTrace {
  NodeIndex node = kNoNode;
  std::vector<StatusId> rejections;  // of each plugin alone, in the order of the plugins
  StatusId verdict = kFits;          // the first rejection, nominated pods considered
};

struct CycleTrace {
  std::optional<Plugin> refused_by;  // a PreFilter: no node was looked at
  std::string refusal;
  std::vector<NodeTrace> nodes;   // all nodes in the order of the list; empty when refused
  std::vector<NodeIndex> scored;  // in the order of visits; empty when one node fits, which is not scored
  std::vector<PluginScore> scores;
  std::vector<std::int64_t> totals;  // by place in `scored`
  std::vector<NodeIndex> best;
};

}  // namespace sim::k8s::scheduling
