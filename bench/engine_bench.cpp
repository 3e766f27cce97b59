/// The engine beside the plain baseline, in one run: compare ratios, not figures of different days or machines.
#include <benchmark/benchmark.h>

#include <memory>

#include "bench/engine_work.hpp"
#include "sim/core/math.hpp"
#include "sim/core/random.hpp"

namespace {

/// Steps of `Work` in steady state. The warm-up of a cancel benchmark lets dead entries reach their steady number.
template <class Work, class... Arguments>
void steps(benchmark::State& state, std::uint64_t warm_up, Arguments... arguments) {
  auto work = std::make_unique<Work>(arguments...);
  work->run(warm_up);
  constexpr std::uint64_t kSteps = 100'000;
  for (auto _ : state) work->run(kSteps);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kSteps));
  state.counters["ns"] = benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(kSteps) / 1e9,
                                            benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

std::uint64_t settled(std::size_t n) { return std::max<std::uint64_t>(200'000, 2 * n); }

void hold_squall(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  steps<bench::Hold>(state, settled(n), n);
}
void hold_priority_queue(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  steps<bench::BaselineHold>(state, settled(n), n);
}
BENCHMARK(hold_squall)->Arg(100)->Arg(10'000)->Arg(1'000'000);
BENCHMARK(hold_priority_queue)->Arg(100)->Arg(10'000)->Arg(1'000'000);

void cancel_squall(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  steps<bench::Cancel>(state, 20 * n, n);
}
void cancel_priority_queue(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  steps<bench::BaselineCancel>(state, 20 * n, n);
}
BENCHMARK(cancel_squall)->Arg(10'000)->Arg(1'000'000);
BENCHMARK(cancel_priority_queue)->Arg(10'000)->Arg(1'000'000);

void phold_squall(benchmark::State& state) { steps<bench::Phold>(state, 300'000, static_cast<unsigned>(state.range(0))); }
void phold_priority_queue(benchmark::State& state) {
  steps<bench::BaselinePhold>(state, 300'000, static_cast<unsigned>(state.range(0)));
}
BENCHMARK(phold_squall)->Arg(1)->Arg(16);
BENCHMARK(phold_priority_queue)->Arg(1)->Arg(16);

void proc_squall(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  steps<bench::Sleepers>(state, settled(n), n);
}
void proc_priority_queue(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  steps<bench::BaselineSleepers>(state, settled(n), n);
}
BENCHMARK(proc_squall)->Arg(10'000);
BENCHMARK(proc_priority_queue)->Arg(10'000);

/// Delays that queues trip over: each is to stay within three times the exponential one's time.
void hold_mix(benchmark::State& state) {
  static constexpr const char* kNames[] = {"exponential",   "0..9 ns",       "half now, half far", "99 % 1 us, 1 % 1 h",
                                           "whole seconds", "14 decades",    "one instant"};
  const auto n = static_cast<std::size_t>(state.range(1));
  state.SetLabel(kNames[state.range(0)]);
  steps<bench::Hold>(state, 4 * n, n, static_cast<bench::Mix>(state.range(0)));
}
BENCHMARK(hold_mix)->ArgsProduct({{0, 1, 2, 3, 4, 5, 6}, {10'000, 100'000}});

void draw_philox(benchmark::State& state) {
  sim::RandomStream random(1, "bench", "");
  for (auto _ : state) benchmark::DoNotOptimize(random.next());
}
void draw_exponential(benchmark::State& state) {
  sim::RandomStream random(1, "bench", "");
  for (auto _ : state) benchmark::DoNotOptimize(random.exponential(1.0));
}
void draw_normal(benchmark::State& state) {
  sim::RandomStream random(1, "bench", "");
  for (auto _ : state) benchmark::DoNotOptimize(random.normal(0, 1));
}
void draw_xoshiro_with_libm(benchmark::State& state) {
  bench::Xoshiro random(1);
  for (auto _ : state) benchmark::DoNotOptimize(random.exponential());
}
void make_stream(benchmark::State& state) {
  const sim::Randomness random(1);
  for (auto _ : state) benchmark::DoNotOptimize(random.stream("kubelet/lease-phase", "worker-12345"));
}
BENCHMARK(draw_philox);
BENCHMARK(draw_exponential);
BENCHMARK(draw_normal);
BENCHMARK(draw_xoshiro_with_libm);
BENCHMARK(make_stream);

sim::Process short_story(sim::Engine& engine) {
  co_await sim::Delay(engine, sim::SimDuration(1));
}
void process_from_start_to_end(benchmark::State& state) {
  sim::Engine engine;
  for (auto _ : state) {
    const sim::Process process = short_story(engine);
    engine.step();
  }
}
BENCHMARK(process_from_start_to_end);

}  // namespace
