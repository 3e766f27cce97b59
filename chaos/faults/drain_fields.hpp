/// The options of kubectl drain in a scenario.
#pragma once

#include <optional>
#include <string>

#include "sim/models/kubernetes/controllers/drain.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/fields.hpp"

namespace chaos {

struct DrainFields {
  std::optional<sim::SimDuration> timeout;
  std::optional<std::int64_t> grace_period;  // seconds
  bool force = true;
  bool delete_emptydir_data = true;
  bool disable_eviction = false;

  sim::k8s::DrainOptions options() const;
};
void describe(sim::scenario::Fields<DrainFields>& fields);

/// "timed out; Pod/shop/db-0: Cannot evict pod ... (PodDisruptionBudget/shop/db)".
std::string describe_result(sim::World& world, const sim::k8s::DrainResult& result);

}  // namespace chaos
