// A pull storm: all nodes of a cluster pull one image of 800 MiB from one registry, or from each other.
//
// Counters: events of the whole run, pulls, and the virtual seconds that the storm lasts (to be held against nodes x bytes / bandwidth).
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "sim/models/registry/registries.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/world_builder.hpp"

namespace {

std::shared_ptr<const sim::scenario::ScenarioSpec> storm_of(std::int64_t nodes, std::string_view peers) {
  const std::string text = fmt::format(R"(
apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {{name: storm}}
run: {{until: 10h}}
pools:
  control-plane: {{count: 3, controlPlane: true, nodeName: "cp-{{n}}", cpu: 16, memory: 64Gi}}
  worker: {{count: {}, nodeName: "w{{n}}", cpu: 16, memory: 64Gi}}
images: {{preloaded: false, default: 800Mi, peerToPeer: {}}}
registries: {{registry.example: {{bandwidth: 1250MB/s}}}}
objects:
- apiVersion: apps/v1
  kind: DaemonSet
  metadata: {{name: agent}}
  spec:
    selector: {{matchLabels: {{app: agent}}}}
    template:
      metadata: {{labels: {{app: agent}}}}
      spec: {{containers: [{{name: agent, image: "registry.example/agent:1"}}]}}
)",
                                       nodes, peers);
  sim::scenario::Diagnostics diagnostics;
  auto spec = sim::scenario::read_scenario_text("storm.yaml", text, {}, diagnostics);
  diagnostics.print(stderr);
  return spec;
}

void pull_storm(benchmark::State& state, std::string_view peers) {
  const auto spec = storm_of(state.range(0), peers);
  if (spec == nullptr) return state.SkipWithError("the scenario is wrong");
  std::uint64_t events = 0, pulls = 0;
  double lasts = 0.0;
  for (auto _ : state) {
    state.PauseTiming();
    auto world = sim::scenario::build_world(*spec, 1);
    world->start();
    state.ResumeTiming();
    world->engine.run_until(sim::SimTime(std::chrono::hours(10)));
    events = world->engine.stats().executed;
    pulls = world->registries->counts().pulled;
    lasts = sim::seconds(world->registries->counts().longest);
    state.PauseTiming();
    world.reset();
    state.ResumeTiming();
  }
  state.counters["events"] = static_cast<double>(events);
  state.counters["pulls"] = static_cast<double>(pulls);
  state.counters["storm_s"] = lasts;
}
BENCHMARK_CAPTURE(pull_storm, registry, "none")->ArgName("nodes")->Arg(10)->Arg(100)->Arg(1000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pull_storm, pieces, "pieces")->ArgName("nodes")->Arg(1000)->Unit(benchmark::kMillisecond);

}  // namespace
