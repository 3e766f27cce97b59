#include "chaos/fault_schedule.hpp"

#include <fmt/format.h>

namespace chaos {

std::string shortened(const std::vector<std::string>& subjects) {
  constexpr std::size_t kShown = 5;
  std::string text;
  for (std::size_t i = 0; i < subjects.size() && i < kShown; ++i) text += (i == 0 ? "" : ", ") + subjects[i];
  if (subjects.size() > kShown) text += fmt::format(" and {} more", subjects.size() - kShown);
  return text;
}

FaultSchedule::FaultSchedule(sim::World& world, std::vector<std::shared_ptr<const FaultSpec>> faults,
                             std::map<std::string, std::vector<std::string>> pools)
    : world_(world), faults_(std::move(faults)), environment_(world, std::move(pools)) {}

void FaultSchedule::start() {
  for (const std::shared_ptr<const FaultSpec>& spec : faults_) {
    spec->foresee(InjectionContext{environment_, spec->name, world_.random.stream("fault/target", spec->name)});
    plan(spec, 1);
  }
}

void FaultSchedule::reserve(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const sim::TimerId placeholder = world_.engine.at(sim::kEndOfTime, [] {});
    reserved_.push_back(Reserved{placeholder, world_.engine.stats().scheduled});  // sequences count what was scheduled
  }
}

void FaultSchedule::inject_reserved(const std::shared_ptr<const FaultSpec>& spec, std::size_t place) {
  faults_.push_back(spec);  // occurrences refer to it
  world_.engine.cancel(reserved_[place].placeholder);
  world_.engine.enter(SimTime{} + spec->at, reserved_[place].sequence);
  inject(*spec, 1);
  world_.engine.leave();
}

void FaultSchedule::release_reserved() {
  for (const Reserved& reserved : reserved_) world_.engine.cancel(reserved.placeholder);
}

void FaultSchedule::plan(const std::shared_ptr<const FaultSpec>& spec, std::int64_t number) {
  SimTime when = SimTime{} + spec->at;
  if (number > 1) {
    // One event ahead only: a fault every minute for a year is not half a million events in the queue.
    const std::int64_t last = spec->times.value_or(spec->every ? INT64_MAX : 1);
    if (!spec->every || number > last) return;
    when = world_.engine.now() + *spec->every;
  }
  world_.engine.at(when, [this, spec, number] {
    inject(*spec, number);
    // The next one is not a consequence of this one.
    world_.engine.set_cause(CauseId{});
    plan(spec, number + 1);
  });
}

void FaultSchedule::inject(const FaultSpec& spec, std::int64_t number) {
  Occurrence& occurrence = occurrences_.emplace_back();
  FaultRun& run = occurrence.run;
  run.name = number == 1 ? spec.name : fmt::format("{}#{}", spec.name, number);
  run.kind = spec.kind;
  run.injected = world_.engine.now();
  occurrence.lasting = spec.lasting();
  occurrence.injection = spec.make(InjectionContext{environment_, run.name, world_.random.stream("fault/target", run.name)});
  const std::vector<std::string> targets = occurrence.injection->targets();
  const sim::Symbol subject = world_.names.intern("Fault/" + run.name);
  run.target = shortened(targets);
  if (targets.empty()) {
    run.outcome = "not injected: nothing matched its target";
    run.failed = true;
    run.ended = run.injected;
    occurrence.injection.reset();
    run.cause = world_.log.record("FaultNotInjected", subject, fmt::format("{}: nothing matched its target", spec.kind), CauseId{});
    return;
  }
  std::string message = fmt::format("{}: {}", spec.kind, run.target);
  if (spec.duration) message += fmt::format(" for {}", sim::format_duration(*spec.duration));
  run.cause = world_.log.record("FaultInjected", subject, message, CauseId{});
  run.outcome = "active";

  sim::ScopedCause because(world_.engine, run.cause);
  // `finished` may come from inside inject(): the work was none.
  occurrence.injection->finished = [this, &occurrence](bool failed, std::string outcome) {
    if (occurrence.run.ended) return;
    ended(occurrence, std::move(outcome), failed);
  };
  if (spec.duration && occurrence.lasting != Lasting::kInstant) {
    occurrence.end = sim::Timer(world_.engine);
    occurrence.end.set_after(*spec.duration, [this, &occurrence] {
      // Work that is not done by then is broken off; work that is done has its consequence (the cordon) taken back.
      const bool broken_off = occurrence.lasting == Lasting::kWork && !occurrence.run.ended;
      const CauseId id = ended(occurrence, broken_off ? "not done when its time was over" : "done", broken_off);
      sim::ScopedCause end_because(world_.engine, id);
      occurrence.injection->end();
      release(occurrence);
    });
  }
  occurrence.injection->inject();
  if (occurrence.lasting == Lasting::kInstant && !run.ended) {
    run.ended = run.injected;
    run.outcome = "done";
    release(occurrence);
  }
}

void FaultSchedule::release(Occurrence& occurrence) {
  // A command that waits for the API, and work that goes on, need it still. Otherwise a fault every minute for a year is forgotten as it goes.
  if (world_.api.writable() && occurrence.lasting != Lasting::kWork) occurrence.injection.reset();
}

CauseId FaultSchedule::ended(Occurrence& occurrence, std::string outcome, bool failed) {
  FaultRun& run = occurrence.run;
  const CauseId id = world_.log.record("FaultEnded", world_.names.intern("Fault/" + run.name), fmt::format("{}: {}", run.kind, outcome));
  // Work keeps the time at which it was done, also when what it left behind is undone later.
  if (!run.ended) {
    run.ended = world_.engine.now();
    run.outcome = std::move(outcome);
    run.failed = failed;
  }
  return id;
}

std::vector<FaultRun> FaultSchedule::runs() const {
  std::vector<FaultRun> all;
  for (const Occurrence& occurrence : occurrences_) all.push_back(occurrence.run);
  return all;
}

}  // namespace chaos
