#include "sim/models/monitoring/alertmanager.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sim::monitoring {

Alertmanager::Alertmanager(Engine& engine, EventLog& log, LabelTable& labels, AlertmanagerConfig config, std::vector<Notification>& told)
    : engine_(engine), log_(log), labels_(labels), config_(std::move(config)), told_(told), expiry_(engine) {
  for (const ReceiverConfig& receiver : config_.receivers) {
    std::vector<promql::ValueMatcher>& list = matchers_.emplace_back();
    for (const promql::Matcher& matcher : receiver.matchers) list.emplace_back(matcher);
  }
  for (const std::string& name : config_.group_by) group_by_.push_back(labels_.names().intern(name));
  std::sort(group_by_.begin(), group_by_.end());
}

std::string Alertmanager::value(LabelsId labels, std::string_view name) const {
  const Symbol symbol = labels_.names().find(name);
  return symbol ? labels_.names().text(labels_.value(labels, symbol)) : std::string();
}

Alertmanager::GroupKey Alertmanager::key_of(const Known& known) { return {known.receiver, labels_.keep(known.alert.labels, group_by_)}; }

bool Alertmanager::fires(const std::string& alertname) const {
  if (!works_) return false;
  const auto found = by_name_.find(labels_.names().find(alertname));
  return found != by_name_.end() && found->second > 0;
}

void Alertmanager::count(LabelsId labels, std::int64_t change) {
  Interner& names = labels_.names();
  const Symbol name = labels_.value(labels, names.intern("alertname"));
  const Symbol severity = labels_.value(labels, names.intern("severity"));
  by_name_[name] += change;
  Count& of = by_severity_[{name, labels_.value(labels, names.intern("namespace"))}];
  if (severity == names.intern("critical")) of.critical += change;
  if (severity == names.intern("warning")) of.warning += change;
}

void Alertmanager::firing(const Prometheus& from, const Prometheus::Alert& alert) {
  if (!works_) return;
  const auto [place, is_new] = known_.try_emplace(alert.labels);
  Known& known = place->second;
  const bool was_ending = std::none_of(known.sources.begin(), known.sources.end(), [](const auto& source) { return source.second == kEndOfTime; });
  known.sources[from.name()] = kEndOfTime;
  if (!is_new) {
    if (was_ending) plan_expiry();
    return;
  }
  count(alert.labels, 1);
  known.alert = alert;
  known.since = engine_.now();
  known.receiver = config_.receivers.size();
  for (std::size_t i = 0; i < config_.receivers.size() && known.receiver == config_.receivers.size(); ++i) {
    bool matches = true;
    for (std::size_t m = 0; m < matchers_[i].size() && matches; ++m) {
      matches = matchers_[i][m](labels_.value(alert.labels, labels_.names().intern(config_.receivers[i].matchers[m].name)), labels_.names());
    }
    if (matches) known.receiver = i;
  }
  if (on_alert) on_alert(value(alert.labels, "alertname"), true);
  if (known.receiver == config_.receivers.size()) return;  // nobody is to hear of it
  const GroupKey key = key_of(known);
  Group& group = groups_.try_emplace(key).first->second;
  group.members.insert(alert.labels);
  group.changed = true;
  look_at(key);
}

void Alertmanager::resolved(const Prometheus& from, const Prometheus::Alert& alert) {
  const auto found = known_.find(alert.labels);
  if (found == known_.end()) return;
  found->second.sources.erase(from.name());
  if (found->second.sources.empty()) gone(alert.labels, "it no longer holds");
}

void Alertmanager::silent(const Prometheus& from, const Prometheus::Alert& alert, SimTime ends) {
  const auto found = known_.find(alert.labels);
  if (found == known_.end()) return;
  found->second.sources[from.name()] = ends;
  found->second.silent_cause = engine_.cause();
  SimTime last{};
  for (const auto& [source, until] : found->second.sources) last = std::max(last, until);
  if (last >= expires_) return;
  expires_ = last;
  expiry_.set_at(last, [this] { expire(); });
}

void Alertmanager::plan_expiry() {
  SimTime next = kEndOfTime;
  for (const auto& [labels, known] : known_) {
    SimTime last{};
    for (const auto& [source, until] : known.sources) last = std::max(last, until);
    next = std::min(next, last);
  }
  expires_ = next;
  if (next == kEndOfTime) return expiry_.cancel();
  expiry_.set_at(next, [this] { expire(); });
}

void Alertmanager::expire() {
  std::vector<LabelsId> over;
  for (const auto& [labels, known] : known_) {
    const bool holds = std::any_of(known.sources.begin(), known.sources.end(), [&](const auto& source) { return source.second > engine_.now(); });
    if (!holds) over.push_back(labels);
  }
  for (const LabelsId labels : over) {
    const ScopedCause because(engine_, known_.at(labels).silent_cause);
    gone(labels, "no Prometheus sends it any more");
  }
  plan_expiry();
}

void Alertmanager::gone(LabelsId labels, std::string_view how) {
  const auto found = known_.find(labels);
  const Known known = found->second;
  known_.erase(found);
  count(labels, -1);
  const std::string alertname = value(labels, "alertname");
  if (on_alert && !fires(alertname)) on_alert(alertname, false);
  if (known.receiver == config_.receivers.size()) return;
  const GroupKey key = key_of(known);
  Group& group = groups_.at(key);
  group.members.erase(labels);
  if (const auto told = group.notified.find(labels); told != group.notified.end()) {
    group.changed = true;
    if (how.starts_with("no Prometheus")) {
      // The message that is on its way calls it resolved, and it is not known to be.
      log_.record("AlertUnsent", fmt::format("Alert/{}", alertname), fmt::format("{}: {}; Alertmanager takes it for resolved", labels_.text(labels), how));
    }
  }
  look_at(key);
}

/// When the group has its next turn.
void Alertmanager::look_at(GroupKey key) {
  Group& group = groups_.at(key);
  if (!works_) return;
  SimTime next = kEndOfTime;
  if (!group.flushed) {
    if (group.members.empty()) {
      // Resolved before anybody was told.
      groups_.erase(key);
      return;
    }
    if (group.timer.is_pending()) return;
    next = engine_.now() + config_.group_wait;
  } else {
    if (!group.changed && group.members.empty() && group.notified.empty()) {
      groups_.erase(key);
      return;
    }
    const auto turn_after = [&](SimTime when) {
      const std::int64_t turns = std::max<std::int64_t>(1, ((when - group.last_flush).count() + config_.group_interval.count() - 1) / config_.group_interval.count());
      return group.last_flush + turns * config_.group_interval;
    };
    if (group.changed) next = turn_after(engine_.now());
    else if (!group.notified.empty()) next = turn_after(group.last_told + config_.repeat_interval);
    if (next == kEndOfTime) return;
    // This turn is over.
    if (next <= engine_.now()) next += config_.group_interval;
  }
  if (!group.timer.is_pending()) group.timer = Timer(engine_);
  group.timer.set_at(next, [this, key] { flush(key); });
}

bool Alertmanager::inhibited(LabelsId labels) const {
  if (!config_.inhibit) return false;
  const std::string severity = value(labels, "severity");
  if (severity != "warning" && severity != "info") return false;
  Interner& names = labels_.names();
  const auto found = by_severity_.find({labels_.value(labels, names.intern("alertname")), labels_.value(labels, names.intern("namespace"))});
  if (found == by_severity_.end()) return false;
  return found->second.critical > 0 || (severity == "info" && found->second.warning > 0);
}

void Alertmanager::flush(GroupKey key) {
  Group& group = groups_.at(key);
  engine_.set_cause(CauseId{});
  const SimTime now = engine_.now();
  group.flushed = true;
  group.last_flush = now;
  group.changed = false;
  const ReceiverConfig& receiver = config_.receivers[key.first];
  std::vector<LabelsId> fresh;
  std::vector<LabelsId> over;
  std::set<LabelsId> firing;
  for (const LabelsId labels : group.members) {
    if (inhibited(labels)) {
      group.changed = true;  // looked at again at the next turn
      continue;
    }
    firing.insert(labels);
    if (!group.notified.contains(labels)) fresh.push_back(labels);
  }
  for (const auto& [labels, index] : group.notified) {
    if (!firing.contains(labels) && !inhibited(labels)) over.push_back(labels);
  }
  // An inhibited alert is left out of messages, whether it fires or is over: nobody is told that it is resolved. One that ended meanwhile is forgotten.
  std::erase_if(group.notified, [&](const auto& told) { return !group.members.contains(told.first) && inhibited(told.first); });
  const bool repeats = !firing.empty() && !group.notified.empty() && now - group.last_told >= config_.repeat_interval;
  const bool carried = receiver.via.empty() || !carries_ || carries_(receiver.via);
  if ((!fresh.empty() || !over.empty() || repeats) && !carried) {
    // Tried again at the next turn.
    group.changed = true;
    return look_at(key);
  }
  if (!fresh.empty() || !over.empty() || repeats) group.last_told = now;
  for (const LabelsId labels : over) {
    const std::size_t index = group.notified.at(labels);
    group.notified.erase(labels);
    told_[index].over = now + receiver.delivery;
    if (receiver.tells == Tells::kNobody) continue;
    log_.record("AlertResolved", log_.names().intern("Alert/" + told_[index].by), fmt::format("{} was told that {} is over", receiver.name, told_[index].subject),
                told_[index].record);
  }
  for (const LabelsId labels : fresh) {
    const Known& known = known_.at(labels);
    Notification note;
    note.at = now + receiver.delivery;
    note.by = value(labels, "alertname");
    std::string text;
    for (const auto& [name, v] : labels_.sorted(labels)) {
      if (name != "alertname" && name != "severity") text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ", ", name, v);
    }
    note.subject = note.by + "{" + text + "}";
    const std::string node = value(labels, "node");
    const std::string pod = value(labels, "pod");
    if (!pod.empty()) note.object = "Pod/" + value(labels, "namespace") + "/" + pod;
    else if (!node.empty()) note.object = "Node/" + node;
    for (const auto& [label, kind] : {std::pair("deployment", "Deployment"), std::pair("statefulset", "StatefulSet"), std::pair("daemonset", "DaemonSet")}) {
      const std::string workload = value(labels, label);
      if (!workload.empty() && note.object.empty()) note.object = fmt::format("{}/{}/{}", kind, value(labels, "namespace"), workload);
    }
    note.severity = value(labels, "severity");
    note.receiver = receiver.name;
    note.tells = receiver.tells;
    note.cause = known.alert.origin.cause;
    if (receiver.tells != Tells::kNobody) {
      note.record = log_.record("AlertNotified", log_.names().intern("Alert/" + note.by),
                                fmt::format("[{}] {} to {}", note.severity.empty() ? "no severity" : note.severity, note.subject, receiver.name), note.cause);
    }
    group.notified.emplace(labels, told_.size());
    told_.push_back(std::move(note));
  }
  look_at(key);
}

void Alertmanager::set_working(bool works) {
  if (works_ == works) return;
  works_ = works;
  if (works) return;
  // All of it was in memory.
  std::set<std::string> names;
  for (const auto& [labels, known] : known_) names.insert(value(labels, "alertname"));
  known_.clear();
  by_severity_.clear();
  by_name_.clear();
  groups_.clear();
  expires_ = kEndOfTime;
  expiry_.cancel();
  if (!on_alert) return;
  for (const std::string& name : names) on_alert(name, false);
}

}  // namespace sim::monitoring
