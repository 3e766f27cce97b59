#include "analysis/json_text.hpp"
#include "analysis/run_report.hpp"

namespace analysis {

namespace {

using Writer = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

const char* to_string(sim::RunEnd end) {
  switch (end) {
    case sim::RunEnd::kTimeLimit: return "time-limit";
    case sim::RunEnd::kNoEvents: return "no-more-events";
    case sim::RunEnd::kStopped: return "stopped";
    case sim::RunEnd::kRequested: return "ended-by-model";
  }
  return "";
}

void write_measure(Writer& writer, const chaos::Measure& measure) {
  writer.StartObject();
  field(writer, "name", measure.name);
  field(writer, "unit", chaos::to_string(measure.unit));
  field(writer, "comparison", chaos::to_string(measure.comparison));
  field(writer, "bound", measure.bound);
  field(writer, "measured", measure.measured);
  field(writer, "held", measure.held);
  if (measure.first_violation) field(writer, "firstViolation", *measure.first_violation);
  if (!measure.held) {
    field(writer, "excess", measure.excess);
    key(writer, "why");
    write_why(writer, measure.why);
  }
  writer.EndObject();
}

void write_objectives(Writer& writer, const chaos::Verdict& verdict) {
  writer.StartArray();
  for (const chaos::ExpectationResult& result : verdict.expectations) {
    writer.StartObject();
    field(writer, "name", result.name);
    field(writer, "kind", result.kind);
    field(writer, "subject", result.subject);
    field(writer, "held", result.held);
    if (!result.not_judged.empty()) field(writer, "notJudged", result.not_judged);
    field(writer, "from", result.from);
    field(writer, "to", result.to);
    key(writer, "measures");
    writer.StartArray();
    for (const chaos::Measure& measure : result.measures) write_measure(writer, measure);
    writer.EndArray();
    writer.EndObject();
  }
  writer.EndArray();
}

void write_detection(Writer& writer, const chaos::Detection& detection) {
  key(writer, "detection");
  writer.StartObject();
  field(writer, "class", chaos::to_string(detection.told));
  const auto one = [&](const char* name, const std::optional<sim::SimDuration>& after, const std::string& by, const std::string& source) {
    if (!after) return;
    key(writer, name);
    writer.StartObject();
    field(writer, "seconds", *after);
    field(writer, "by", by);
    field(writer, "source", source);
    writer.EndObject();
  };
  one("noticed", detection.noticed_after, detection.noticed_by, detection.noticed_source);
  one("alerted", detection.alerted_after, detection.alerted_by, detection.alerted_source);
  writer.EndObject();
}

void write_outages(Writer& writer, const chaos::Verdict& verdict) {
  writer.StartArray();
  for (const chaos::Outage& outage : verdict.outages) {
    writer.StartObject();
    field(writer, "kind", chaos::to_string(outage.kind));
    field(writer, "severity", chaos::to_string(outage.severity));
    field(writer, "subject", outage.subject);
    field(writer, "start", outage.start);
    field(writer, "end", outage.end);
    field(writer, "seconds", outage.length());
    field(writer, "open", outage.open);
    key(writer, "why");
    write_why(writer, outage.why);
    if (outage.detection) write_detection(writer, *outage.detection);
    writer.EndObject();
  }
  writer.EndArray();
}

void write_monitoring(Writer& writer, const chaos::Verdict& verdict) {
  const chaos::DetectionStats& stats = verdict.detection;
  writer.StartObject();
  field(writer, "outages", stats.outages);
  field(writer, "alerted", stats.alerted);
  field(writer, "noticed", stats.noticed);
  field(writer, "untold", stats.untold);
  field(writer, "unseenSeconds", stats.unseen);
  field(writer, "longestToAlertSeconds", stats.longest_to_alert);
  key(writer, "notifications");
  writer.StartArray();
  for (const chaos::ToldNote& note : verdict.notifications) {
    writer.StartObject();
    field(writer, "at", note.at);
    field(writer, "by", note.by);
    field(writer, "subject", note.subject);
    field(writer, "severity", note.severity);
    field(writer, "class", chaos::to_string(note.tells));
    field(writer, "source", note.source);
    field(writer, "receiver", note.receiver);
    if (note.over) field(writer, "over", *note.over);
    key(writer, "why");
    write_why(writer, note.why);
    writer.EndObject();
  }
  writer.EndArray();
  field(writer, "notificationsLeftOut", verdict.notifications_left_out);
  writer.EndObject();
}

void write_availability(Writer& writer, const chaos::AvailabilityStats& stats) {
  writer.StartObject();
  field(writer, "subject", stats.subject);
  field(writer, "measuredSeconds", stats.measured);
  field(writer, "availability", stats.availability);
  field(writer, "outages", stats.outages);
  field(writer, "downSeconds", stats.down);
  field(writer, "longestSeconds", stats.longest);
  field(writer, "degradedSeconds", stats.degraded);
  if (stats.serving_min) field(writer, "servingMin", *stats.serving_min);
  if (stats.never_up) field(writer, "neverUp", true);
  writer.EndObject();
}

void write_requests(Writer& writer, const chaos::RequestStats& stats) {
  writer.StartObject();
  field(writer, "subject", stats.subject);
  field(writer, "requests", stats.requests);
  field(writer, "answered", stats.success);
  field(writer, "answeredAtWorst", stats.lowest);
  field(writer, "noEndpoints", stats.failed[0]);
  field(writer, "refused", stats.failed[1]);
  field(writer, "noAnswer", stats.failed[2]);
  field(writer, "givenUp", stats.failed[3]);
  field(writer, "p50Seconds", stats.p50);
  field(writer, "p99Seconds", stats.p99);
  writer.EndObject();
}

void write_faults(Writer& writer, const chaos::Verdict& verdict) {
  writer.StartArray();
  for (const chaos::FaultRun& fault : verdict.faults) {
    writer.StartObject();
    field(writer, "name", fault.name);
    field(writer, "kind", fault.kind);
    field(writer, "target", fault.target);
    field(writer, "injected", fault.injected);
    if (fault.ended) field(writer, "ended", *fault.ended);
    field(writer, "outcome", fault.outcome);
    field(writer, "failed", fault.failed);
    writer.EndObject();
  }
  writer.EndArray();
}

}  // namespace

const char* program_version() { return "0.1.0"; }

std::string summary_json(const RunReport& report) {
  const chaos::RunOutcome& outcome = *report.outcome;
  const chaos::Verdict& verdict = outcome.verdict;
  rapidjson::StringBuffer buffer;
  Writer writer(buffer);
  writer.SetIndent(' ', 2);
  writer.StartObject();
  field(writer, "schemaVersion", std::int64_t{kSummarySchemaVersion});
  field(writer, "program", std::string("squall ") + program_version());
  field(writer, "scenario", report.scenario);
  field(writer, "seed", report.seed);
  field(writer, "eventLogHash", outcome.event_log_hash);
  field(writer, "verdict", verdict.held ? "held" : "failed");
  field(writer, "complete", verdict.complete);
  field(writer, "end", to_string(outcome.end));
  field(writer, "measuredFrom", verdict.measured_from);
  field(writer, "simulatedSeconds", verdict.ended);
  key(writer, "engine");
  writer.StartObject();
  field(writer, "events", outcome.engine_stats.executed);
  field(writer, "cancelled", outcome.engine_stats.cancelled);
  field(writer, "peakPending", outcome.engine_stats.peak_pending);
  field(writer, "logRecords", outcome.log_records);
  writer.EndObject();
  key(writer, "objectives");
  write_objectives(writer, verdict);
  key(writer, "faults");
  write_faults(writer, verdict);
  key(writer, "outages");
  write_outages(writer, verdict);
  field(writer, "outagesLeftOut", verdict.outages_left_out);
  if (verdict.monitored) {
    key(writer, "monitoring");
    write_monitoring(writer, verdict);
  }
  key(writer, "services");
  writer.StartArray();
  for (const chaos::AvailabilityStats& stats : verdict.services) write_availability(writer, stats);
  writer.EndArray();
  key(writer, "components");
  writer.StartArray();
  for (const chaos::AvailabilityStats& stats : verdict.components) write_availability(writer, stats);
  writer.EndArray();
  if (!verdict.requests.empty()) {
    key(writer, "requests");
    writer.StartArray();
    for (const chaos::RequestStats& stats : verdict.requests) write_requests(writer, stats);
    writer.EndArray();
  }
  key(writer, "nodes");
  write_availability(writer, verdict.nodes);
  key(writer, "pods");
  writer.StartObject();
  field(writer, "pendingLong", verdict.pods_pending_long);
  field(writer, "pendingLongestSeconds", verdict.pods_pending_longest);
  field(writer, "atEnd", verdict.pods_at_end);
  writer.EndObject();
  key(writer, "eventCounts");
  writer.StartObject();
  for (const auto& [kind, count] : verdict.record_counts) field(writer, kind, count);
  writer.EndObject();
  writer.EndObject();
  std::string result(buffer.GetString(), buffer.GetSize());
  result += '\n';
  return result;
}

}  // namespace analysis
