// Faults tried per second: the same trials forked from the clean run, and each from the start.
//
// Counters: trials a second of wall-clock time (one child at a time), and the events that the children simulate for each.
#include <benchmark/benchmark.h>

#include "chaos/hunt/hunter.hpp"
#include "chaos/live_run.hpp"
#include "sim/models/world.hpp"

namespace {

void trials(benchmark::State& state, const char* file, bool from_start) {
  sim::scenario::Diagnostics diagnostics;
  const auto spec = sim::scenario::read_scenario(std::string(SQUALL_SOURCE_DIR "/scenarios/") + file, {}, diagnostics);
  if (spec == nullptr) return state.SkipWithError("the scenario is wrong");
  const chaos::Plan plan = chaos::read_plan(*spec, diagnostics);
  const auto world = chaos::LiveRun::build(*spec, 1);
  const std::vector<chaos::hunt::Action> actions = chaos::hunt::list_actions(*world, *spec, {});
  // Spread over kinds and elements, and over the whole time after the warm-up.
  constexpr std::size_t kTrials = 40;
  std::vector<chaos::hunt::TrialRequest> requests;
  const sim::SimDuration span = spec->run.until - spec->run.warm_up;
  for (std::size_t i = 0; i < kTrials; ++i) {
    const auto action = static_cast<std::uint32_t>(i * actions.size() / kTrials);
    const sim::SimDuration at = spec->run.warm_up + span * static_cast<int>(i * 7 % kTrials) / static_cast<int>(kTrials);
    requests.push_back({{{action, at, actions[action].length}}, 1, from_start, false});
  }
  std::uint64_t events = 0;
  for (auto _ : state) {
    chaos::hunt::TrialRunner runner(*spec, plan, actions, {});
    events = 0;
    for (const chaos::hunt::TrialResult& result : runner.run(requests, {})) events += result.events;
  }
  state.counters["trials/s"] = benchmark::Counter(static_cast<double>(kTrials), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["events_of_a_trial"] = static_cast<double>(events) / static_cast<double>(kTrials);
}

BENCHMARK_CAPTURE(trials, incident_2_forked, "incident-2-five-nodes.yaml", false)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(trials, incident_2_from_start, "incident-2-five-nodes.yaml", true)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(trials, incident_5_forked, "incident-5-few-large.yaml", false)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(trials, incident_5_from_start, "incident-5-few-large.yaml", true)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
