#include "chaos/outages/detection.hpp"

#include <algorithm>

#include "chaos/outages/why.hpp"
#include "sim/models/monitoring/monitoring.hpp"

namespace chaos {

using sim::monitoring::Notification;
using sim::monitoring::Tells;

namespace {

constexpr std::size_t kNotificationsMax = 1000;
/// Shorter ones are over before anybody could do anything.
constexpr SimDuration kCounts{std::chrono::minutes(1)};

CauseId root_of(const sim::EventLog& log, CauseId cause) {
  while (cause && log.at(cause).cause) cause = log.at(cause).cause;
  return cause;
}

const char* to_string(Notification::Source source) {
  switch (source) {
    case Notification::Source::kAlert: return "alert";
    case Notification::Source::kDeadMansSwitch: return "dead-mans-switch";
    case Notification::Source::kProbe: return "probe";
  }
  return "";
}

}  // namespace

Detection detect(const Outage& outage, const std::vector<CauseId>& roots, const std::vector<Message>& messages) {
  Detection detection;
  for (const Message& message : messages) {
    if (message.tells == Severity::kNone) continue;
    const bool same_story = message.root && std::find(roots.begin(), roots.end(), message.root) != roots.end();
    if (!same_story && (message.object.empty() || message.object != outage.subject)) continue;
    if (message.at > outage.end || (message.over && *message.over <= outage.start && message.at < outage.start)) continue;
    const SimDuration after = std::max(SimDuration::zero(), message.at - outage.start);
    if (!detection.noticed_after || after < *detection.noticed_after) {
      detection.noticed_after = after;
      detection.noticed_by = message.by;
      detection.noticed_source = message.source;
    }
    if (message.tells == Severity::kAlert && (!detection.alerted_after || after < *detection.alerted_after)) {
      detection.alerted_after = after;
      detection.alerted_by = message.by;
      detection.alerted_source = message.source;
    }
  }
  detection.told = detection.alerted_after ? Severity::kAlert : detection.noticed_after ? Severity::kNotice : Severity::kNone;
  return detection;
}

void summarize_detection(sim::World& world, std::size_t why_steps_max, Verdict& verdict) {
  if (!world.monitoring) return;
  verdict.monitored = true;
  const sim::EventLog& log = world.log;
  std::vector<Message> messages;
  for (const Notification& note : world.monitoring->notifications()) {
    if (note.tells == Tells::kNobody || note.at > verdict.ended) continue;
    Message message;
    message.at = note.at;
    message.over = note.over;
    message.tells = note.tells == Tells::kAlert ? Severity::kAlert : Severity::kNotice;
    message.by = note.by;
    message.source = to_string(note.source);
    message.root = root_of(log, note.cause);
    message.object = note.object;
    messages.push_back(message);
    if (verdict.notifications.size() >= kNotificationsMax) {
      ++verdict.notifications_left_out;
      continue;
    }
    ToldNote told;
    told.at = note.at;
    told.by = note.by;
    told.subject = note.subject;
    told.severity = note.severity;
    told.receiver = note.receiver;
    told.tells = message.tells;
    told.source = message.source;
    told.over = note.over;
    told.why = explain(log, note.record, {}, why_steps_max);
    verdict.notifications.push_back(std::move(told));
  }
  std::stable_sort(verdict.notifications.begin(), verdict.notifications.end(), [](const ToldNote& a, const ToldNote& b) { return a.at < b.at; });
  DetectionStats& stats = verdict.detection;
  for (Outage& outage : verdict.outages) {
    std::vector<CauseId> roots;
    if (const CauseId root = root_of(log, outage.cause)) roots.push_back(root);
    for (const CauseId cause : outage.contributing) {
      if (const CauseId root = root_of(log, cause)) roots.push_back(root);
    }
    outage.detection = detect(outage, roots, messages);
    if (outage.severity != Severity::kAlert || outage.length() < kCounts) continue;
    ++stats.outages;
    const Detection& found = *outage.detection;
    if (found.told == Severity::kAlert) ++stats.alerted;
    else if (found.told == Severity::kNotice) ++stats.noticed;
    else ++stats.untold;
    stats.unseen += found.alerted_after ? std::min(*found.alerted_after, outage.length()) : outage.length();
    if (found.alerted_after) stats.longest_to_alert = std::max(stats.longest_to_alert, *found.alerted_after);
  }
}

}  // namespace chaos
