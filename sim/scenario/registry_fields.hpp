/// The fields of `registries:`, `network:`, and of `images:` as far as they concern pulls. Internal to sim/scenario.
#pragma once

#include "sim/scenario/registry_spec.hpp"
#include "sim/scenario/scenario_fields.hpp"

namespace sim::scenario {

void describe(Fields<RegistryStorageSpec>& fields);
void describe(Fields<RateLimitSpec>& fields);
void describe(Fields<RegistrySpec>& fields);
void describe(Fields<LayerSpec>& fields);
void describe(Fields<NetworkSpec>& fields);

}  // namespace sim::scenario
