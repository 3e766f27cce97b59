/// squall schedule --explain: what each plugin says of each node in each scheduling cycle, and what follows.
#pragma once

#include <memory>
#include <string>

#include "sim/models/kubernetes/scheduler/schedule_all.hpp"

namespace cli {

/// Collects cycles in their order. JSON, per cycle:
/// {"pod", "attempt", "preFilter": {"plugin", "code", "reasons"}, "nodes": {NAME: {"filters": {PLUGIN: {"code", "reasons"}}, "verdict":
/// {"plugin", "code", "reasons"}, "scores": {PLUGIN: {"raw", "normalised"}}, "total"}}, "examined", "feasible", "best", "node",
/// "preemption": {"offset", "candidates": {NAME: {"victims", "violations"}}, "node", "victims"}, "message"}.
/// `filters` are the plugins that reject the node when each is asked alone; `verdict` is the first of them, nominated pods considered. A node that
/// passes every plugin and was not scored is left out.
class ScheduleExplanation {
 public:
  explicit ScheduleExplanation(const sim::Interner& names);
  ~ScheduleExplanation();
  void add(const sim::k8s::ObservedCycle& cycle);
  /// A JSON array.
  std::string json() const;
  /// The same for people: the ten best nodes of each cycle with their scores, and the rejections counted.
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cli
