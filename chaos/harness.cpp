#include "chaos/harness.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "chaos/failures/failures.hpp"
#include "chaos/fault_schedule.hpp"
#include "chaos/live_run.hpp"
#include "chaos/mesh/cluster.hpp"
#include "chaos/outages/outages.hpp"
#include "chaos/plan.hpp"
#include "sim/core/check.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/world_builder.hpp"

namespace chaos {

RunOutcome::RunOutcome() = default;
RunOutcome::RunOutcome(RunOutcome&&) noexcept = default;
RunOutcome& RunOutcome::operator=(RunOutcome&& other) noexcept {
  if (this == &other) return *this;
  // What listens to the old world goes before it.
  observers.reset();
  verdict = std::move(other.verdict);
  event_log_hash = std::move(other.event_log_hash);
  engine_stats = other.engine_stats;
  end = other.end;
  log_records = other.log_records;
  world = std::move(other.world);
  observers = std::move(other.observers);
  return *this;
}
RunOutcome::~RunOutcome() { observers.reset(); }

namespace {

/// Everything that listens to one world.
struct Listeners {
  Plan plan;
  FaultSchedule schedule;
  std::unique_ptr<Failures> failures;  // null: nothing fails by itself
  Observers observers;
  std::vector<std::unique_ptr<Check>> checks;  // as plan.expectations

  Listeners(sim::World& world, Plan the_plan, const sim::scenario::ScenarioSpec& scenario, const RunOptions& options)
      : plan(std::move(the_plan)), schedule(world, plan.faults, scenario.nodes_of_pools()), observers(world, options.pending_threshold) {
    schedule.environment().start_unix_seconds = scenario.run.start_unix_seconds;
    if (scenario.failures != nullptr) failures = std::make_unique<Failures>(scenario, world, schedule);
    const SimTime warm_up_end = SimTime{} + scenario.run.warm_up;
    for (const std::shared_ptr<const Expectation>& expectation : plan.expectations) {
      checks.push_back(expectation->make(world, expectation->from ? SimTime{} + *expectation->from : warm_up_end));
    }
  }
};

/// Lanes of faults: one a fault, its repetitions in it.
std::vector<Lane> fault_lanes(const std::vector<FaultRun>& faults, SimTime end) {
  std::map<std::string, Lane> lanes;
  std::vector<std::string> order;
  for (const FaultRun& fault : faults) {
    const std::string name = fault.name.substr(0, fault.name.rfind('#'));
    const auto [place, is_new] = lanes.try_emplace(name);
    if (is_new) {
      order.push_back(name);
      place->second.group = "fault";
      place->second.subject = "Fault/" + name;
    }
    // Repetitions may overlap; intervals of a lane do not.
    std::vector<Lane::Interval>& intervals = place->second.intervals;
    const SimTime begin = intervals.empty() ? fault.injected : std::max(fault.injected, intervals.back().end);
    const SimTime until = std::max(begin, fault.ended.value_or(end));
    intervals.push_back(Lane::Interval{begin, until, fault.failed ? fault.outcome : fault.kind, Severity::kNone, fault.cause});
  }
  std::vector<Lane> result;
  for (const std::string& name : order) result.push_back(std::move(lanes[name]));
  return result;
}

/// Runs to `until` in slices, so that somebody may hear how far it is. No event marks the slices: they leave no trace in the run.
sim::RunEnd advance(sim::Engine& engine, SimTime until, const RunOptions& options) {
  for (;;) {
    const SimTime next = options.progress && options.progress_every > SimDuration::zero()
                             ? std::min(until, engine.now() + options.progress_every)
                             : until;
    const sim::RunEnd end = engine.run_until(next, options.stop);
    if (options.progress) options.progress(engine.now());
    if (end == sim::RunEnd::kStopped || end == sim::RunEnd::kRequested || next >= until) return end;
    if (options.stop != nullptr && options.stop->load(std::memory_order_relaxed)) return sim::RunEnd::kStopped;
  }
}

}  // namespace

std::vector<mesh::ObjectView> chaos_objects(FaultSchedule& schedule) {
  const mesh::Cluster* cluster = schedule.environment().chaos_mesh_if_any();
  return cluster == nullptr ? std::vector<mesh::ObjectView>{} : cluster->views();
}

std::vector<mesh::ObjectView> chaos_objects(const RunOutcome& outcome) {
  return outcome.observers == nullptr ? std::vector<mesh::ObjectView>{} : chaos_objects(static_cast<Listeners*>(outcome.observers.get())->schedule);
}

struct LiveRun::Impl {
  const sim::scenario::ScenarioSpec& scenario;
  RunOptions options;
  std::uint64_t seed;
  std::unique_ptr<sim::World> world;
  std::shared_ptr<Listeners> listeners;
};

LiveRun::LiveRun(const sim::scenario::ScenarioSpec& scenario, Plan plan, std::uint64_t seed, RunOptions options, std::size_t reserved)
    : impl_(std::make_unique<Impl>(Impl{scenario, std::move(options), seed, sim::scenario::build_world(scenario, seed), nullptr})) {
  sim::World& world = *impl_->world;
  impl_->listeners = std::make_shared<Listeners>(world, std::move(plan), scenario, impl_->options);
  Listeners& listeners = *impl_->listeners;
  listeners.observers.start();
  for (const std::unique_ptr<Check>& check : listeners.checks) check->start();
  listeners.schedule.start();
  listeners.schedule.reserve(reserved);
  if (listeners.failures != nullptr) listeners.failures->start();
  if (impl_->options.prepare) impl_->options.prepare(world);
  world.start();
  listeners.observers.world_started();
}

LiveRun::~LiveRun() { impl_->listeners.reset(); }  // what listens to the world goes before it

std::unique_ptr<sim::World> LiveRun::build(const sim::scenario::ScenarioSpec& scenario, std::uint64_t seed) { return sim::scenario::build_world(scenario, seed); }
sim::World& LiveRun::world() { return *impl_->world; }
FaultSchedule& LiveRun::schedule() { return impl_->listeners->schedule; }
Failures* LiveRun::failures() { return impl_->listeners->failures.get(); }
SimTime LiveRun::until() const { return impl_->options.until.value_or(SimTime{} + impl_->scenario.run.until); }
sim::RunEnd LiveRun::advance(SimTime instant) { return chaos::advance(impl_->world->engine, instant, impl_->options); }

std::vector<std::string> LiveRun::subjects() {
  Verdict verdict;
  SummaryOptions window;
  window.end = impl_->world->engine.now();
  summarize(impl_->listeners->observers, window, verdict);
  std::vector<std::string> names;
  for (const auto* list : {&verdict.components, &verdict.services}) {
    for (const AvailabilityStats& stats : *list) names.push_back(stats.subject);
  }
  return names;
}

double LiveRun::lost_seconds(const std::string& subject, SimTime from, SimTime to) {
  if (from >= to) return 0.0;
  Verdict verdict;
  SummaryOptions window;
  window.warm_up_end = from;
  window.end = to;
  window.only = &subject;
  summarize(impl_->listeners->observers, window, verdict);
  for (const auto* list : {&verdict.components, &verdict.services}) {
    for (const AvailabilityStats& stats : *list) {
      if (stats.subject == subject) return (1.0 - stats.availability) * sim::seconds(stats.measured);
    }
  }
  return 0.0;
}

RunOutcome LiveRun::finish(sim::RunEnd end) {
  RunOutcome outcome;
  outcome.end = end;
  const RunOptions& options = impl_->options;
  sim::World& world = *impl_->world;
  Listeners& listeners = *impl_->listeners;
  Verdict& verdict = outcome.verdict;
  verdict.seed = impl_->seed;
  verdict.ended = world.engine.now();
  verdict.measured_from = std::min(SimTime{} + impl_->scenario.run.warm_up, verdict.ended);
  verdict.complete = outcome.end == sim::RunEnd::kTimeLimit || outcome.end == sim::RunEnd::kNoEvents;
  verdict.faults = listeners.schedule.runs();
  verdict.lanes = fault_lanes(verdict.faults, verdict.ended);
  SummaryOptions summary;
  summary.warm_up_end = verdict.measured_from;
  summary.end = verdict.ended;
  summary.outages_max = options.outages_max;
  summary.lanes_max = options.lanes_max;
  summary.why_steps_max = options.why_steps_max;
  summarize(listeners.observers, summary, verdict);
  const Judgement judgement{world,         listeners.observers, verdict.faults, verdict.measured_from, verdict.ended,
                            verdict.complete, options.why_steps_max, &verdict};
  for (std::size_t i = 0; i < listeners.checks.size(); ++i) {
    verdict.expectations.push_back(judge(*listeners.plan.expectations[i], *listeners.checks[i], judgement));
    verdict.held = verdict.held && verdict.expectations.back().held;
  }

  outcome.event_log_hash = sim::event_log_hash(world.engine, world.log);
  outcome.engine_stats = world.engine.stats();
  outcome.log_records = world.log.size();
  if (options.keep_world) {
    outcome.observers = std::move(impl_->listeners);
    outcome.world = std::move(impl_->world);
  }
  return outcome;
}

RunOutcome run_scenario(const sim::scenario::ScenarioSpec& scenario, std::uint64_t seed, const RunOptions& options) {
  sim::scenario::Diagnostics diagnostics;
  Plan plan = read_plan(scenario, diagnostics);
  SIM_CHECK(!diagnostics.has_errors(), "a scenario that is run has passed check_scenario()");
  LiveRun run(scenario, std::move(plan), seed, options);
  return run.finish(options.drive ? options.drive(run.world(), run.until()) : run.advance(run.until()));
}

bool check_scenario(const sim::scenario::ScenarioSpec& scenario, sim::scenario::Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.error_count();
  const Plan plan = read_plan(scenario, diagnostics);
  const std::unique_ptr<sim::World> world = sim::scenario::build_world(scenario, scenario.run.seed);
  check_plan(plan, scenario, *world, diagnostics);
  Failures::check(scenario, *world, diagnostics);
  return diagnostics.error_count() == before;
}

}  // namespace chaos
