/// The sections `faults` and `expect` of a scenario, as objects. Read once, shared by all runs; nothing in it changes.
#pragma once

#include <memory>
#include <vector>

#include "chaos/expectation.hpp"
#include "chaos/fault.hpp"
#include "sim/scenario/scenario.hpp"

namespace chaos {

struct Plan {
  std::vector<std::shared_ptr<const FaultSpec>> faults;
  std::vector<std::shared_ptr<const Expectation>> expectations;
};

/// What is wrong is told and left out.
Plan read_plan(const sim::scenario::ScenarioSpec& scenario, sim::scenario::Diagnostics& diagnostics);
/// Holds the plan against the world that it speaks of, as built and not started.
void check_plan(const Plan& plan, const sim::scenario::ScenarioSpec& scenario, sim::World& world, sim::scenario::Diagnostics& diagnostics);

}  // namespace chaos
