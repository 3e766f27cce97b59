#include "analysis/assets.hpp"
#include "analysis/json_text.hpp"
#include "analysis/page.hpp"
#include "analysis/run_report.hpp"

namespace analysis {

namespace {

std::string lanes_json(const chaos::Verdict& verdict) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  writer.StartArray();
  for (const chaos::Lane& lane : verdict.lanes) {
    writer.StartObject();
    field(writer, "group", lane.group);
    field(writer, "subject", lane.subject);
    key(writer, "intervals");
    writer.StartArray();
    for (const chaos::Lane::Interval& interval : lane.intervals) {
      writer.StartObject();
      field(writer, "start", interval.start);
      field(writer, "end", interval.end);
      field(writer, "state", interval.state);
      field(writer, "severity", chaos::to_string(interval.severity));
      writer.EndObject();
    }
    writer.EndArray();
    writer.EndObject();
  }
  writer.EndArray();
  return std::string(buffer.GetString(), buffer.GetSize());
}

std::string quoted(std::string_view value) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  text(writer, value);
  return std::string(buffer.GetString(), buffer.GetSize());
}

}  // namespace

std::string html_report(const RunReport& report) {
  const chaos::Verdict& verdict = report.outcome->verdict;
  const std::string data = "{\"description\":" + quoted(report.description) +
                           ",\"seed\":\"" + std::to_string(report.seed) + "\"" +  // as text: JavaScript rounds numbers beyond 2^53
                           ",\"summary\":" + summary_json(report) +
                           ",\"lanes\":" + lanes_json(verdict) + ",\"lanesLeftOut\":" + std::to_string(verdict.lanes_left_out) + "}";
  return page_with_data(assets::report_html(), data);
}

}  // namespace analysis
