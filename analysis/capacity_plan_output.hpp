/// What `squall plan` prints: the cheapest design and a table of all for people, everything for programs (docs/plan.md), and a page.
#pragma once

#include <string>

#include "analysis/capacity_plan.hpp"

namespace analysis {

struct PlanReport {
  std::string scenario;
  std::string file;
  std::string unit;  // what a price is for
  sim::scenario::CapacityPlanSpec asked;  // of the first variant
  double confidence = 0.95;
  const CapacityPlan* plan = nullptr;
};

/// "5 x big + 2 x small".
std::string design_name(const CapacityPlan& plan, const PlanDesign& design);
std::string plan_text(const PlanReport& report, bool colour, int width);
std::string plan_json(const PlanReport& report);
/// One self-contained page; `json` is plan_json().
std::string plan_html(const std::string& json);

struct CompactionReport {
  std::string scenario;
  std::string file;
  const Compaction* compaction = nullptr;
};
std::string compaction_text(const CompactionReport& report);
std::string compaction_json(const CompactionReport& report);

}  // namespace analysis
