#include "chaos/fault_schedule.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/models/monitoring/monitoring.hpp"

namespace chaos {

std::string shortened(const std::vector<std::string>& subjects) {
  constexpr std::size_t kShown = 5;
  std::string text;
  for (std::size_t i = 0; i < subjects.size() && i < kShown; ++i) text += (i == 0 ? "" : ", ") + subjects[i];
  if (subjects.size() > kShown) text += fmt::format(" and {} more", subjects.size() - kShown);
  return text;
}

namespace {

CauseId root_of(const sim::EventLog& log, CauseId cause) {
  while (cause && log.at(cause).cause) cause = log.at(cause).cause;
  return cause;
}

/// What a person finds who looks at the thing that a message names ("Deployment/shop/web"), as kubectl describe shows it: the newest records of its pods that are not
/// ready, and of what could not make them. As roots.
std::vector<CauseId> found_at(const sim::World& world, std::string_view object) {
  using namespace sim::k8s;
  std::vector<CauseId> roots;
  const std::size_t first = object.find('/');
  const std::size_t second = first == std::string_view::npos ? first : object.find('/', first + 1);
  if (second == std::string_view::npos) return roots;
  const std::string_view kind = object.substr(0, first);
  const sim::Symbol ns = world.names.find(object.substr(first + 1, second - first - 1));
  const sim::Symbol name = world.names.find(object.substr(second + 1));
  const Service* service = kind == "Service" ? world.api.get(world.api.find<Service>(ns, name)) : nullptr;
  const ObjectRef workload = kind == "Deployment"    ? ApiServer::untyped(world.api.find<Deployment>(ns, name))
                             : kind == "StatefulSet" ? ApiServer::untyped(world.api.find<StatefulSet>(ns, name))
                             : kind == "DaemonSet"   ? ApiServer::untyped(world.api.find<DaemonSet>(ns, name))
                                                     : ObjectRef{};
  const auto look = [&](const ObjectMeta& meta) {
    if (const CauseId root = root_of(world.log, meta.cause); root && std::find(roots.begin(), roots.end(), root) == roots.end()) roots.push_back(root);
  };
  const auto owns = [&](const ObjectMeta& meta) { return workload && meta.controller() != nullptr && meta.controller()->owner == workload; };
  std::vector<ObjectRef> owners = {workload};
  world.api.all<ReplicaSet>().for_each([&](Ref<ReplicaSet> ref, const ReplicaSet& set) {
    const bool is_meant = owns(set.meta) || (service != nullptr && set.meta.ns == ns && service->selector.matches(set.pod_template.labels, world.names));
    if (!is_meant || set.available_replicas >= set.replicas) return;
    owners.push_back(ApiServer::untyped(ref));
    look(set.meta);
  });
  world.api.all<Pod>().for_each([&](Ref<Pod>, const Pod& pod) {
    if (pod.meta.ns != ns || pod.ready) return;
    const OwnerReference* owner = pod.meta.controller();
    const bool is_owned = owner != nullptr && owner->owner && std::find(owners.begin(), owners.end(), owner->owner) != owners.end();
    if (is_owned || (kind == "Pod" && pod.meta.name == name) || (service != nullptr && service->selector.matches(pod.meta.labels, world.names))) look(pod.meta);
  });
  return roots;
}

}  // namespace

FaultSchedule::FaultSchedule(sim::World& world, std::vector<std::shared_ptr<const FaultSpec>> faults,
                             std::map<std::string, std::vector<std::string>> pools)
    : world_(world), faults_(std::move(faults)), environment_(world, std::move(pools)) {}

void FaultSchedule::start() {
  const bool any_reaction = std::any_of(faults_.begin(), faults_.end(), [](const auto& spec) { return spec->mended_after_page || spec->mended_after_ticket; });
  if (any_reaction && world_.monitoring) {
    // The record comes first, then the message: it is looked at when both are there.
    world_.log.on_record([this](CauseId, const sim::EventLog::Record& record) {
      const std::string& kind = world_.log.kind(record);
      if (kind != "AlertNotified" && kind != "DeadMansSwitchPaged" && kind != "ProbeFailed") return;
      world_.engine.after(SimDuration::zero(), [this] { look_at_messages(); });
    });
    for (const std::shared_ptr<const FaultSpec>& spec : faults_) {
      if (!spec->is_foreseeable() || (!spec->mended_after_page && !spec->mended_after_ticket)) continue;
      const auto injection = spec->make(InjectionContext{environment_, spec->name, world_.random.stream("fault/target", spec->name)});
      foreseen_.push_back(Foreseen{spec, injection->targets(), SimTime::max(), false});
    }
  }
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

/// The timer of its end: `when`, unless that is later than what is planned.
void FaultSchedule::end_at(Occurrence& occurrence, SimTime when, std::string outcome) {
  if (when >= occurrence.ends_at) return;
  occurrence.ends_at = when;
  occurrence.end = sim::Timer(world_.engine);
  occurrence.end.set_at(when, [this, &occurrence, outcome = std::move(outcome)] {
    // Work that is not done by then is broken off; work that is done has its consequence (the cordon) taken back.
    const bool broken_off = occurrence.lasting == Lasting::kWork && !occurrence.run.ended;
    const CauseId id = ended(occurrence, broken_off ? "not done when its time was over" : outcome, broken_off);
    sim::ScopedCause end_because(world_.engine, id);
    occurrence.injection->end();
    release(occurrence);
  });
}

void FaultSchedule::look_at_messages() {
  const std::vector<sim::monitoring::Notification>& all = world_.monitoring->notifications();
  const sim::EventLog& log = world_.log;
  for (; messages_seen_ < all.size(); ++messages_seen_) {
    const sim::monitoring::Notification& note = all[messages_seen_];
    if (note.tells == sim::monitoring::Tells::kNobody) continue;
    std::vector<CauseId> roots = found_at(world_, note.object);
    if (const CauseId root = root_of(log, note.cause)) roots.push_back(root);
    const auto after = [&](const FaultSpec& spec) { return note.tells == sim::monitoring::Tells::kAlert ? spec.mended_after_page : spec.mended_after_ticket; };
    const auto names_one_of = [&](const std::vector<std::string>& targets) {
      return !note.object.empty() && std::find(targets.begin(), targets.end(), note.object) != targets.end();
    };
    const sim::ScopedCause because(world_.engine, note.record ? note.record : note.cause);
    for (Occurrence& occurrence : occurrences_) {
      if (occurrence.run.ended || occurrence.lasting != Lasting::kState || !after(*occurrence.spec)) continue;
      if (std::find(roots.begin(), roots.end(), occurrence.run.cause) != roots.end() || names_one_of(occurrence.targets)) {
        end_at(occurrence, note.at + *after(*occurrence.spec), "mended by who was told by " + note.by);
      }
    }
    for (Foreseen& foreseen : foreseen_) {
      if (foreseen.averted || world_.engine.now() >= SimTime{} + foreseen.spec->at || !after(*foreseen.spec) || !names_one_of(foreseen.targets)) continue;
      const SimTime mended_at = note.at + *after(*foreseen.spec);
      if (mended_at >= foreseen.mended_at) continue;
      foreseen.mended_at = mended_at;
      if (mended_at >= SimTime{} + foreseen.spec->at) continue;  // too late: then it ends at that time
      world_.engine.at(mended_at, [this, &foreseen, mended_at, by = note.by] {
        if (foreseen.averted || foreseen.mended_at != mended_at) return;
        foreseen.averted = true;
        const FaultSpec& spec = *foreseen.spec;
        const CauseId id = world_.log.record("FaultAverted", world_.names.intern("Fault/" + spec.name), fmt::format("{}: mended before it came, by who was told by {}", spec.kind, by));
        const sim::ScopedCause averted(world_.engine, id);
        spec.avert(InjectionContext{environment_, spec.name, world_.random.stream("fault/target", spec.name)});
      });
    }
  }
}

void FaultSchedule::inject(const FaultSpec& spec, std::int64_t number) {
  const auto known = std::find_if(foreseen_.begin(), foreseen_.end(), [&](const Foreseen& one) { return one.spec.get() == &spec; });
  if (number == 1 && known != foreseen_.end() && known->averted) {
    FaultRun& averted = occurrences_.emplace_back().run;
    averted.name = spec.name;
    averted.kind = spec.kind;
    averted.target = shortened(known->targets);
    averted.injected = world_.engine.now();
    averted.ended = averted.injected;
    averted.outcome = fmt::format("not injected: mended at {}", sim::format_duration(known->mended_at.time_since_epoch()));
    return;
  }
  inject(spec, occurrences_.emplace_back(), number == 1 ? spec.name : fmt::format("{}#{}", spec.name, number), CauseId{},
         number == 1 && known != foreseen_.end() ? known->mended_at : SimTime::max());
}

FaultSchedule::Occurrence* FaultSchedule::inject_now(std::shared_ptr<const FaultSpec> spec, std::string name, CauseId cause, std::function<void(bool failed)> finished) {
  Occurrence& occurrence = occurrences_.emplace_back();
  occurrence.kept = std::move(spec);
  occurrence.finished = std::move(finished);
  inject(*occurrence.kept, occurrence, std::move(name), cause, SimTime::max());
  return occurrence.injection != nullptr && !occurrence.run.ended ? &occurrence : nullptr;
}

void FaultSchedule::end_now(Occurrence& occurrence, std::string outcome) {
  const CauseId id = ended(occurrence, std::move(outcome), false);
  if (occurrence.injection == nullptr) return;
  sim::ScopedCause because(world_.engine, id);
  occurrence.injection->end();
  release(occurrence);
}

void FaultSchedule::inject(const FaultSpec& spec, Occurrence& occurrence, std::string name, CauseId cause, SimTime mended_at) {
  FaultRun& run = occurrence.run;
  occurrence.spec = &spec;
  run.name = std::move(name);
  run.kind = spec.kind;
  run.injected = world_.engine.now();
  occurrence.lasting = spec.lasting();
  occurrence.injection = spec.make(InjectionContext{environment_, run.name, world_.random.stream("fault/target", run.name)});
  const std::vector<std::string> targets = occurrence.injection->targets();
  if (spec.mended_after_page || spec.mended_after_ticket) occurrence.targets = targets;
  const sim::Symbol subject = world_.names.intern("Fault/" + run.name);
  run.target = shortened(targets);
  if (targets.empty()) {
    run.outcome = "not injected: nothing matched its target";
    run.failed = true;
    run.ended = run.injected;
    occurrence.injection.reset();
    run.cause = world_.log.record("FaultNotInjected", subject, fmt::format("{}: nothing matched its target", spec.kind), cause);
    return;
  }
  std::string message = fmt::format("{}: {}", spec.kind, run.target);
  if (spec.duration) message += fmt::format(" for {}", sim::format_duration(*spec.duration));
  run.cause = world_.log.record("FaultInjected", subject, message, cause);
  run.outcome = "active";

  sim::ScopedCause because(world_.engine, run.cause);
  // `finished` may come from inside inject(): the work was none.
  occurrence.injection->finished = [this, &occurrence](bool failed, std::string outcome) {
    if (occurrence.run.ended) return;
    ended(occurrence, std::move(outcome), failed);
    if (occurrence.finished) occurrence.finished(failed);
  };
  if (spec.duration && occurrence.lasting != Lasting::kInstant) end_at(occurrence, world_.engine.now() + *spec.duration, "done");
  if (mended_at != SimTime::max()) end_at(occurrence, mended_at, "mended by who was told before it came");
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
