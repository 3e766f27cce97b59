// Large clusters with work in them: Deployments of 50 pods in three zones, their pods made, placed and started by the models of the real components.
//
//   day/NODES/PODS       a day in which a Deployment is rolled out anew every minute (kube-controller-manager's own limit of 20 requests a second)
//   zone_loss/NODES/PODS everything is made in the first hour (500 requests a second), a third of the nodes is lost for half an hour, and comes back
//
// Counters: events, the mean cost of one (building and reading left out), pods at the end, and the largest memory that the process had so far (run one case a process with
// --benchmark_filter to have its own: NODES and PODS are part of the name).
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include "chaos/harness.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/scenario.hpp"

namespace {

std::string platform(std::int64_t nodes, std::int64_t pods, std::string_view run, std::string_view more) {
  std::string text = fmt::format(R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {{name: scale}}
run: {{until: {}}}
topology: {{zone-a: {{kind: zone}}, zone-b: {{kind: zone}}, zone-c: {{kind: zone}}}}
pools:
  control-plane: {{count: 3, controlPlane: true, nodeName: "cp-{{n}}", cpu: 64, memory: 256Gi, racks: [zone-a, zone-b, zone-c]}}
  worker: {{count: {}, nodeName: "w{{n}}", cpu: 16, memory: 64Gi, racks: [zone-a, zone-b, zone-c]}}
{}
objects: |
)",
                                 run, nodes, more);
  for (std::int64_t i = 0; i < pods / 50; ++i) {
    text += fmt::format(R"(  ---
  apiVersion: apps/v1
  kind: Deployment
  metadata: {{name: d{0}, namespace: t{1}, labels: {{app: d{0}}}}}
  spec:
    replicas: 50
    selector: {{matchLabels: {{app: d{0}}}}}
    template:
      metadata: {{labels: {{app: d{0}}}}}
      spec:
        containers:
        - {{name: c, image: "nginx:1.29", resources: {{requests: {{cpu: 100m, memory: 128Mi}}}}}}
)",
                        i, i % 100);
  }
  return text;
}

void carry(benchmark::State& state, const std::string& text) {
  sim::scenario::Diagnostics diagnostics;
  const auto spec = sim::scenario::read_scenario_text("scale.yaml", text, {}, diagnostics);
  diagnostics.print(stderr);
  if (spec == nullptr) return state.SkipWithError("the scenario is wrong");
  std::uint64_t events = 0;
  std::size_t running = 0;
  for (auto _ : state) {
    const chaos::RunOutcome outcome = chaos::run_scenario(*spec, 1, {});
    state.PauseTiming();
    events = outcome.world->engine.stats().executed;
    running = 0;
    outcome.world->api.all<sim::k8s::Pod>().for_each([&](sim::k8s::Ref<sim::k8s::Pod>, const sim::k8s::Pod& pod) { running += pod.phase == sim::k8s::PodPhase::kRunning ? 1 : 0; });
    state.ResumeTiming();
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["events"] = static_cast<double>(events);
  state.counters["event"] = benchmark::Counter(static_cast<double>(events), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["running"] = static_cast<double>(running);
  state.counters["GiB"] = static_cast<double>(usage.ru_maxrss) / (1024.0 * 1024.0);
}

void day(benchmark::State& state) {
  carry(state, platform(state.range(0), state.range(1), "24h", "faults:\n  rolling: {kind: rollout, at: 1h, every: 1m, count: 1, pick: random}"));
}
BENCHMARK(day)->ArgNames({"nodes", "pods"})->Args({100, 3000})->Args({1000, 30000})->Args({5000, 150000})->Iterations(1)->Unit(benchmark::kSecond);

void zone_loss(benchmark::State& state) {
  carry(state, platform(state.range(0), state.range(1), "2h",
                        "controllers: {kubeAPIQPS: 500, kubeAPIBurst: 1000}\nfaults:\n  lost: {kind: element-down, elements: [zone-b], at: 1h, duration: 30m}"));
}
BENCHMARK(zone_loss)->ArgNames({"nodes", "pods"})->Args({100, 750})->Args({1000, 7500})->Args({13000, 100000})->Args({130000, 1000000})->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
