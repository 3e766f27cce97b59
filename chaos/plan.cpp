#include "chaos/plan.hpp"

#include <fmt/format.h>

namespace chaos {

Plan read_plan(const sim::scenario::ScenarioSpec& scenario, sim::scenario::Diagnostics& diagnostics) {
  Plan plan;
  sim::scenario::Reader reader{diagnostics};
  for (std::shared_ptr<FaultSpec>& fault : all_faults().read_section(scenario.faults, reader)) plan.faults.push_back(std::move(fault));
  for (std::shared_ptr<Expectation>& expectation : all_checks().read_section(scenario.expect, reader)) {
    plan.expectations.push_back(std::move(expectation));
  }
  return plan;
}

void check_plan(const Plan& plan, const sim::scenario::ScenarioSpec& scenario, sim::World& world, sim::scenario::Diagnostics& diagnostics) {
  const SimDuration until = scenario.run.until;
  FaultEnvironment environment(world, scenario.nodes_of_pools());
  Preview preview{world, {}, SimTime{} + scenario.run.warm_up, SimTime{} + until};
  for (const std::shared_ptr<const FaultSpec>& fault : plan.faults) {
    Problems problems(diagnostics, fault->where, fmt::format("fault '{}'", fault->name));
    fault->check(environment, problems);
    if (fault->mended_after_page || fault->mended_after_ticket) {
      if (!world.monitoring) problems.error("nobody is told, so nobody mends it: the scenario has no section 'monitoring'");
    }
    if (fault->at >= until) {
      diagnostics.warning(fault->where, fmt::format("fault '{}' is never injected: it is due at {}, and the run ends at {}", fault->name,
                                                    sim::format_duration(fault->at), sim::format_duration(until)));
    }
    preview.fault_names.push_back(fault->name);
  }
  for (const std::shared_ptr<const Expectation>& expectation : plan.expectations) {
    Problems problems(diagnostics, expectation->where, fmt::format("expectation '{}'", expectation->name));
    expectation->check(preview, problems);
    if (expectation->from && *expectation->from >= until) {
      problems.error(fmt::format("its window begins at {}, and the run ends at {}", sim::format_duration(*expectation->from),
                                 sim::format_duration(until)));
    }
    if (expectation->to && *expectation->to > until) {
      diagnostics.warning(expectation->where, fmt::format("expectation '{}': its window ends at {}, and the run at {}", expectation->name,
                                                          sim::format_duration(*expectation->to), sim::format_duration(until)));
    }
  }
}

}  // namespace chaos
