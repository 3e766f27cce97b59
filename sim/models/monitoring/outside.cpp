#include "sim/models/monitoring/outside.hpp"

#include <fmt/format.h>

namespace sim::monitoring {

DeadMansSwitch::DeadMansSwitch(Engine& engine, EventLog& log, DeadMansSwitchConfig config, SimDuration group_wait, std::vector<Notification>& told)
    : engine_(engine), log_(log), config_(std::move(config)), group_wait_(group_wait), told_(told), page_(engine) {}

void DeadMansSwitch::set_fed(bool fed) {
  if (fed == is_fed_) return;
  is_fed_ = fed;
  const SimTime now = engine_.now();
  if (fed) {
    first_ = now + group_wait_;
    was_ever_fed_ = true;
    if (!open_) {
      // The window may be over before the first message.
      if (!page_.is_pending() || last_ + config_.window >= first_) page_.cancel();
      return;
    }
    told_[*open_].over = first_;
    log_.record("DeadMansSwitchFed", "DeadMansSwitch/" + config_.name, fmt::format("messages of {} arrive again", config_.alert));
    open_.reset();
    return;
  }
  if (!was_ever_fed_) return;
  // A message every interval since the first one; none since.
  if (now >= first_) last_ = first_ + (now - first_).count() / config_.interval.count() * config_.interval;
  cause_ = engine_.cause();
  page_.set_at(std::max(now, last_ + config_.window), [this] {
    Notification note;
    note.at = engine_.now() + config_.delivery;
    note.by = config_.name;
    note.subject = fmt::format("no {} for {}", config_.alert, format_duration(config_.window));
    note.severity = "critical";
    note.receiver = config_.name;
    note.tells = Tells::kAlert;
    note.source = Notification::Source::kDeadMansSwitch;
    note.cause = cause_;
    note.record = log_.record("DeadMansSwitchPaged", log_.names().intern("DeadMansSwitch/" + config_.name),
                              fmt::format("no message of {} for {}: whoever watches is not watching", config_.alert, format_duration(config_.window)), cause_);
    // It may be fed again already, and the first message is still on its way.
    if (is_fed_) note.over = first_;
    else open_ = told_.size();
    told_.push_back(std::move(note));
  });
}

Probe::Probe(Engine& engine, EventLog& log, const Randomness& random, ProbeConfig config, std::vector<Notification>& told)
    : engine_(engine), log_(log), config_(std::move(config)), told_(told), timer_(engine) {
  phase_ = random.stream("monitoring/probe-offset", config_.name).uniform(SimDuration{}, config_.interval - SimDuration(1));
}

SimTime Probe::next_probe(SimTime from) const {
  const SimTime first = SimTime{} + phase_;
  if (from <= first) return first;
  const std::int64_t turns = ((from - first).count() + config_.interval.count() - 1) / config_.interval.count();
  return first + turns * config_.interval;
}

void Probe::set_answers(bool answers) {
  if (answers == answers_) return;
  answers_ = answers;
  if (answers) {
    timer_.cancel();
    if (!open_) return;
    told_[*open_].over = next_probe(engine_.now()) + config_.delivery;
    log_.record("ProbeSucceeds", "Probe/" + config_.name, fmt::format("{} answers again", config_.service));
    open_.reset();
    return;
  }
  cause_ = engine_.cause();
  // Its first failing probe, the ones after it, and the time-out of the last.
  const SimTime told_at = next_probe(engine_.now()) + (config_.failures - 1) * config_.interval + config_.timeout;
  timer_.set_at(told_at, [this] {
    Notification note;
    note.at = engine_.now() + config_.delivery;
    note.by = config_.name;
    note.subject = fmt::format("{} does not answer", config_.service);
    note.object = "Service/" + config_.service;
    note.severity = "critical";
    note.receiver = config_.name;
    note.tells = config_.tells;
    note.source = Notification::Source::kProbe;
    note.cause = cause_;
    note.record = log_.record("ProbeFailed", log_.names().intern("Probe/" + config_.name), fmt::format("{} probes of {} in a row got no answer", config_.failures, config_.service), cause_);
    open_ = told_.size();
    told_.push_back(std::move(note));
  });
}

}  // namespace sim::monitoring
