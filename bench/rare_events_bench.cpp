// An availability of five nines: closed form, plain replication, and importance sampling, on the same scenario in the same process.
//
// The scenario is scenarios/machine-repair.yaml: three etcd members, one technician. Counters: `estimate` and `closed_form` of the unavailability, `low` and `high`
// of the 95 % interval, `relative_error` (half the interval over the closed form), and `efficiency` = 1 / (relative_error^2 x seconds): the ratio of two
// efficiencies is how many times the work of the one the other takes for an interval as narrow.
#include <benchmark/benchmark.h>

#include <chrono>

#include "analysis/markov.hpp"
#include "analysis/rare_events.hpp"
#include "chaos/harness.hpp"
#include "sim/core/statistics.hpp"
#include "sim/scenario/scenario.hpp"

namespace {

std::shared_ptr<const sim::scenario::ScenarioSpec> scenario() {
  static const auto spec = [] {
    sim::scenario::Diagnostics diagnostics;
    return sim::scenario::read_scenario(std::string(SQUALL_SOURCE_DIR) + "/scenarios/machine-repair.yaml", {}, diagnostics);
  }();
  return spec;
}

double closed_form() { return 1.0 - analysis::k_of_n_availability(2, 3, 1.0 / 1000.0, 1.0, 1); }

void tell(benchmark::State& state, const sim::ConfidenceInterval& found, double seconds) {
  const double relative = found.half_width() / closed_form();
  state.counters["estimate"] = found.estimate;
  state.counters["closed_form"] = closed_form();
  state.counters["low"] = found.low;
  state.counters["high"] = found.high;
  state.counters["relative_error"] = relative;
  state.counters["efficiency"] = relative > 0.0 ? 1.0 / (relative * relative * seconds) : 0.0;
}

void plain_replication(benchmark::State& state) {
  const auto spec = scenario();
  if (spec == nullptr) return state.SkipWithError("the scenario cannot be read");
  for (auto _ : state) {
    const auto began = std::chrono::steady_clock::now();
    sim::Tally tally;
    chaos::RunOptions options;
    options.keep_world = false;
    for (std::uint64_t seed = 1; seed <= static_cast<std::uint64_t>(state.range(0)); ++seed) {
      for (const chaos::AvailabilityStats& stats : chaos::run_scenario(*spec, seed, options).verdict.components) {
        if (stats.subject == "etcd") tally.add(1.0 - stats.availability);
      }
    }
    tell(state, sim::mean_interval(tally), std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
}
BENCHMARK(plain_replication)->Arg(2000)->Iterations(1)->Unit(benchmark::kSecond);

void importance_sampling(benchmark::State& state) {
  const auto spec = scenario();
  if (spec == nullptr) return state.SkipWithError("the scenario cannot be read");
  for (auto _ : state) {
    const auto began = std::chrono::steady_clock::now();
    analysis::RareEventOptions options;
    options.subject = "etcd";
    options.replications = static_cast<std::size_t>(state.range(0));
    const analysis::RareEvents found = analysis::estimate_rare_events(*spec, options);
    if (!found.error.empty()) return state.SkipWithError(found.error.c_str());
    tell(state, found.unavailability, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    state.counters["hits"] = static_cast<double>(found.hits);
    state.counters["work_saved_by_events"] = found.work_saved;
  }
}
BENCHMARK(importance_sampling)->Arg(40)->Iterations(1)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
