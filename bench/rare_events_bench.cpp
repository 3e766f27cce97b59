// Availabilities of five and six nines: closed form, plain replication and importance sampling, on the same scenario in the same process.
//
// Two scenarios with etcd on three machines and one person who repairs: scenarios/etcd-six-nines.yaml, a platform with forty workers that fail as well (repairs of
// 8 h), and scenarios/machine-repair.yaml, nothing but the three machines (repairs of 1 h). `nines` is 5 or 6: machines fail every 8000 or 19467 h of the one, every 1000
// or 2449 h of the other. Counters:
//   estimate, closed_form, low, high   of the unavailability, the latter two its 95 % interval
//   relative_error                     half the interval over the closed form
//   cpu_s                              processor time, forked processes included
//   efficiency                         1 / (relative_error^2 x cpu_s): the ratio of two efficiencies is how many times the processor time of the one the other
//                                      takes for an interval as narrow
// Plain replication sees no outage of six nines in any number of runs that fits here. What its interval would be is known all the same: outages come as a Poisson
// process, and a time D below quorum has E[D^2] / E[D] = 2 / m with one repairer of rate m (up to terms of the order l / m): plain_theory has cpu_s from the runs
// and relative_error from that.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cmath>

#include "analysis/markov.hpp"
#include "analysis/rare_events.hpp"
#include "chaos/harness.hpp"
#include "sim/core/statistics.hpp"
#include "sim/scenario/scenario.hpp"

namespace {

constexpr double kYearHours = 365.0 * 24.0;

struct Model {
  const char* file;
  double repair_hours;
  double failure_hours_five;
  double failure_hours_six;
  const char* bias;  // the process
  double failure_hours(std::int64_t nines) const { return nines == 5 ? failure_hours_five : failure_hours_six; }
};
constexpr Model kPlatform{"etcd-six-nines.yaml", 8.0, 8000.0, 19467.0, "machines"};
constexpr Model kMachineRepair{"machine-repair.yaml", 1.0, 1000.0, 2449.0, "machines"};

std::shared_ptr<const sim::scenario::ScenarioSpec> scenario(const Model& model, std::int64_t nines) {
  sim::scenario::Diagnostics diagnostics;
  return sim::scenario::read_scenario(std::string(SQUALL_SOURCE_DIR) + "/scenarios/" + model.file,
                                      {{"failures.processes.machines.timeToFailure.mean", std::to_string(static_cast<int>(model.failure_hours(nines))) + "h"}}, diagnostics);
}

double closed_form(const Model& model, std::int64_t nines) { return 1.0 - analysis::k_of_n_availability(2, 3, 1.0 / model.failure_hours(nines), 1.0 / model.repair_hours, 1); }

double cpu_seconds() {
  double total = 0.0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    for (const timeval& time : {usage.ru_utime, usage.ru_stime}) total += static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  }
  return total;
}

void tell(benchmark::State& state, const Model& model, const sim::ConfidenceInterval& found, double relative, double seconds) {
  state.counters["estimate"] = found.estimate;
  state.counters["closed_form"] = closed_form(model, state.range(0));
  state.counters["low"] = found.low;
  state.counters["high"] = found.high;
  state.counters["relative_error"] = relative;
  state.counters["cpu_s"] = seconds;
  state.counters["efficiency"] = relative > 0.0 ? 1.0 / (relative * relative * seconds) : 0.0;
}

/// Arguments: nines, runs of a year.
void plain(benchmark::State& state, const Model& model, bool by_theory) {
  const auto spec = scenario(model, state.range(0));
  if (spec == nullptr) return state.SkipWithError("the scenario cannot be read");
  const auto runs = static_cast<std::uint64_t>(state.range(1));
  for (auto _ : state) {
    const double began = cpu_seconds();
    sim::Tally tally;
    chaos::RunOptions options;
    options.keep_world = false;
    for (std::uint64_t seed = 1; seed <= runs; ++seed) {
      for (const chaos::AvailabilityStats& stats : chaos::run_scenario(*spec, seed, options).verdict.components) {
        if (stats.subject == "etcd") tally.add(1.0 - stats.availability);
      }
    }
    const sim::ConfidenceInterval found = sim::mean_interval(tally);
    const double truth = closed_form(model, state.range(0));
    // Var / mean^2 of the share of one year: (E[D^2] / E[D]) / (unavailability x year).
    const double theory = 1.96 * std::sqrt(2.0 * model.repair_hours / (truth * kYearHours * static_cast<double>(runs)));
    tell(state, model, found, by_theory ? theory : found.half_width() / truth, cpu_seconds() - began);
  }
}
BENCHMARK_CAPTURE(plain, platform_measured, kPlatform, false)->Args({5, 6000})->Iterations(1)->Unit(benchmark::kSecond);
BENCHMARK_CAPTURE(plain, platform_theory, kPlatform, true)->Args({5, 1000})->Args({6, 1000})->Iterations(1)->Unit(benchmark::kSecond);
BENCHMARK_CAPTURE(plain, machine_repair_measured, kMachineRepair, false)->Args({5, 10000})->Iterations(1)->Unit(benchmark::kSecond);
BENCHMARK_CAPTURE(plain, machine_repair_theory, kMachineRepair, true)->Args({5, 5000})->Args({6, 5000})->Iterations(1)->Unit(benchmark::kSecond);

/// Arguments: nines, runs of a year, copies of each excursion.
void importance_sampling(benchmark::State& state, const Model& model) {
  const auto spec = scenario(model, state.range(0));
  if (spec == nullptr) return state.SkipWithError("the scenario cannot be read");
  for (auto _ : state) {
    const double began = cpu_seconds();
    analysis::RareEventOptions options;
    options.subject = "etcd";
    options.processes = {model.bias};
    options.replications = static_cast<std::size_t>(state.range(1));
    options.copies = static_cast<std::size_t>(state.range(2));
    const analysis::RareEvents found = analysis::estimate_rare_events(*spec, options);
    if (!found.error.empty()) return state.SkipWithError(found.error.c_str());
    tell(state, model, found.unavailability, found.unavailability.half_width() / closed_form(model, state.range(0)), cpu_seconds() - began);
    state.counters["hits"] = static_cast<double>(found.hits);
    state.counters["work_saved_by_events"] = found.work_saved;
  }
}
BENCHMARK_CAPTURE(importance_sampling, platform, kPlatform)->Args({5, 300, 2})->Args({6, 600, 2})->Args({6, 600, 4})->Iterations(1)->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK_CAPTURE(importance_sampling, machine_repair, kMachineRepair)->Args({5, 100, 2})->Args({6, 200, 2})->Args({6, 200, 4})->Iterations(1)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
