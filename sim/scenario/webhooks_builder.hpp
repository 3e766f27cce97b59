/// Admission webhooks from manifests into a world; and what is wrong with them before anything runs.
///
/// Checked by: tests/scenario/webhooks_test.cpp.
#pragma once

namespace sim {
class World;
}

namespace sim::scenario {

struct ScenarioSpec;
class Diagnostics;

/// Nothing when there are none, or none that is asked about what is simulated.
void make_webhooks(const ScenarioSpec& spec, World& world);

/// Warns of webhooks whose Service is in no manifest, and of circles: with failurePolicy Fail, a webhook that must admit the pods that it runs in, itself or by
/// way of others. Once no pod of the circle runs, none can be made.
void warn_of_webhooks(const ScenarioSpec& spec, Diagnostics& diagnostics);

}  // namespace sim::scenario
