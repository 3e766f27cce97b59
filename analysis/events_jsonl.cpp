#include "analysis/json_text.hpp"
#include "analysis/run_report.hpp"
#include "sim/core/event_log.hpp"

namespace analysis {

std::string events_jsonl(const sim::EventLog& log) {
  std::string result;
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  std::uint32_t id = 0;
  for (const sim::EventLog::Record& record : log.records()) {
    ++id;
    buffer.Clear();
    writer.Reset(buffer);
    writer.StartObject();
    field(writer, "event", std::uint64_t{id});
    field(writer, "at", record.time);
    field(writer, "kind", log.kind(record));
    field(writer, "subject", log.subject(record));
    field(writer, "message", log.message(record));
    if (record.cause) field(writer, "cause", std::uint64_t{record.cause.value});
    const std::vector<sim::CauseId> also = log.contributing(sim::CauseId{id});
    if (!also.empty()) {
      key(writer, "alsoCausedBy");
      writer.StartArray();
      for (const sim::CauseId cause : also) writer.Uint(cause.value);
      writer.EndArray();
    }
    writer.EndObject();
    result.append(buffer.GetString(), buffer.GetSize());
    result += '\n';
  }
  return result;
}

}  // namespace analysis
