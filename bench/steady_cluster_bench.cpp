// What a cluster costs in which nothing happens: 30 simulated days of idle nodes. No heartbeat, lease or look of a controller is an event unless somebody can miss it,
// so the time must not grow with the days, and with the nodes only by what it takes to build them.
//
// Counters: events of the whole run, and simulated node-days per second (the run alone, without building).
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "sim/models/world.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/world_builder.hpp"

namespace {

std::shared_ptr<const sim::scenario::ScenarioSpec> idle_cluster(std::int64_t nodes) {
  const std::string text = fmt::format(R"(
apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {{name: idle}}
run: {{until: 30d}}
pools:
  control-plane: {{count: 3, controlPlane: true, nodeName: "cp-{{n}}", cpu: 16, memory: 64Gi}}
  worker: {{count: {}, nodeName: "w{{n}}", cpu: 16, memory: 64Gi}}
)",
                                       nodes);
  sim::scenario::Diagnostics diagnostics;
  auto spec = sim::scenario::read_scenario_text("idle.yaml", text, {}, diagnostics);
  diagnostics.print(stderr);
  return spec;
}

void idle_nodes(benchmark::State& state) {
  const auto spec = idle_cluster(state.range(0));
  if (spec == nullptr) return state.SkipWithError("the scenario is wrong");
  const sim::SimTime end{std::chrono::hours(24 * state.range(1))};
  std::uint64_t events = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto world = sim::scenario::build_world(*spec, 1);
    world->start();
    state.ResumeTiming();
    world->engine.run_until(end);
    events = world->engine.stats().executed;
    state.PauseTiming();
    world.reset();
    state.ResumeTiming();
  }
  state.counters["events"] = static_cast<double>(events);
  state.counters["node_days/s"] = benchmark::Counter(static_cast<double>(state.range(0) * state.range(1)), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(idle_nodes)->ArgNames({"nodes", "days"})->ArgsProduct({{10, 100, 1000, 5000}, {30}})->Args({5000, 1})->Args({5000, 365})->Unit(benchmark::kMillisecond);

void build_cluster(benchmark::State& state) {
  const auto spec = idle_cluster(state.range(0));
  if (spec == nullptr) return state.SkipWithError("the scenario is wrong");
  for (auto _ : state) {
    auto world = sim::scenario::build_world(*spec, 1);
    world->start();
    benchmark::DoNotOptimize(world->engine.stats().scheduled);
  }
}
BENCHMARK(build_cluster)->ArgName("nodes")->Arg(10)->Arg(100)->Arg(1000)->Arg(5000)->Unit(benchmark::kMillisecond);

}  // namespace
