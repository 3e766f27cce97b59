#include <fmt/format.h>
#include <rapidjson/document.h>

#include <charconv>

#include "analysis/json_text.hpp"
#include "analysis/record.hpp"

namespace analysis {

namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;
using Value = rapidjson::Value;

void write_shape(Writer& writer, const Shape& shape) {
  writer.StartObject();
  key(writer, "figures");
  writer.StartArray();
  for (const Figure& figure : shape.figures) {
    writer.StartArray();
    text(writer, figure.name);
    writer.Uint(static_cast<unsigned>(figure.unit));
    writer.Bool(figure.more_is_better);
    writer.Bool(figure.is_share);
    writer.Bool(figure.needs_monitoring);
    writer.EndArray();
  }
  writer.EndArray();
  key(writer, "objectives");
  writer.StartArray();
  for (const std::string& objective : shape.objectives) text(writer, objective);
  writer.EndArray();
  writer.EndObject();
}

void write_cause_steps(Writer& writer, const std::vector<chaos::CauseStep>& steps) {
  writer.StartArray();
  for (const chaos::CauseStep& step : steps) {
    writer.StartArray();
    writer.Uint64(step.id.value);
    writer.Int64(step.time.time_since_epoch().count());
    text(writer, step.kind);
    text(writer, step.subject);
    text(writer, step.message);
    text(writer, step.fault);
    writer.EndArray();
  }
  writer.EndArray();
}

void write_outage(Writer& writer, const LongOutage& one) {
  const chaos::Outage& outage = one.outage;
  writer.StartArray();
  writer.Uint64(one.position);
  writer.Uint(static_cast<unsigned>(outage.kind));
  writer.Uint(static_cast<unsigned>(outage.severity));
  text(writer, outage.subject);
  writer.Int64(outage.start.time_since_epoch().count());
  writer.Int64(outage.end.time_since_epoch().count());
  text(writer, outage.why.fault);
  writer.Uint64(outage.why.left_out);
  write_cause_steps(writer, outage.why.steps);
  write_cause_steps(writer, outage.why.contributing);
  writer.EndArray();
}

bool is_text(const Value& value) { return value.IsString(); }
std::string text_of(const Value& value) { return {value.GetString(), value.GetStringLength()}; }

bool read_shape(const Value& value, Shape& shape) {
  if (!value.IsObject() || !value.HasMember("figures") || !value.HasMember("objectives") || !value["figures"].IsArray() || !value["objectives"].IsArray()) return false;
  for (const Value& figure : value["figures"].GetArray()) {
    if (!figure.IsArray() || figure.Size() != 5 || !is_text(figure[0]) || !figure[1].IsUint() || figure[1].GetUint() > static_cast<unsigned>(chaos::Unit::kBytes)) return false;
    if (!figure[2].IsBool() || !figure[3].IsBool() || !figure[4].IsBool()) return false;
    shape.figures.push_back({text_of(figure[0]), static_cast<chaos::Unit>(figure[1].GetUint()), figure[2].GetBool(), figure[3].GetBool(), figure[4].GetBool()});
  }
  for (const Value& objective : value["objectives"].GetArray()) {
    if (!is_text(objective)) return false;
    shape.objectives.push_back(text_of(objective));
  }
  return true;
}

bool read_steps(const Value& value, std::vector<chaos::CauseStep>& steps) {
  if (!value.IsArray()) return false;
  for (const Value& step : value.GetArray()) {
    if (!step.IsArray() || step.Size() != 6 || !step[0].IsUint64() || !step[1].IsInt64() || !is_text(step[2]) || !is_text(step[3]) || !is_text(step[4]) || !is_text(step[5])) return false;
    chaos::CauseStep& read = steps.emplace_back();
    read.id.value = static_cast<decltype(read.id.value)>(step[0].GetUint64());
    read.time = sim::SimTime(sim::SimDuration(step[1].GetInt64()));
    read.kind = text_of(step[2]);
    read.subject = text_of(step[3]);
    read.message = text_of(step[4]);
    read.fault = text_of(step[5]);
  }
  return true;
}

bool read_outage(const Value& value, LongOutage& one) {
  if (!value.IsArray() || value.Size() != 10 || !value[0].IsUint64() || !value[1].IsUint() || !value[2].IsUint() || !is_text(value[3])) return false;
  if (value[1].GetUint() > static_cast<unsigned>(chaos::kLastOutageKind) || value[2].GetUint() > static_cast<unsigned>(chaos::Severity::kAlert)) return false;
  if (!value[4].IsInt64() || !value[5].IsInt64() || !is_text(value[6]) || !value[7].IsUint64()) return false;
  one.position = value[0].GetUint64();
  chaos::Outage& outage = one.outage;
  outage.kind = static_cast<chaos::OutageKind>(value[1].GetUint());
  outage.severity = static_cast<chaos::Severity>(value[2].GetUint());
  outage.subject = text_of(value[3]);
  outage.start = sim::SimTime(sim::SimDuration(value[4].GetInt64()));
  outage.end = sim::SimTime(sim::SimDuration(value[5].GetInt64()));
  outage.why.fault = text_of(value[6]);
  outage.why.left_out = value[7].GetUint64();
  return read_steps(value[8], outage.why.steps) && read_steps(value[9], outage.why.contributing);
}

}  // namespace

std::string RecordWriter::line(const Record& record) {
  std::size_t shape = 0;
  while (shape < shapes_.size() && shapes_[shape] != record.shape && *shapes_[shape] != *record.shape) ++shape;
  rapidjson::StringBuffer buffer;
  Writer writer(buffer);
  writer.StartObject();
  field(writer, "scenario", static_cast<std::uint64_t>(record.scenario));
  field(writer, "replication", static_cast<std::uint64_t>(record.replication));
  field(writer, "seed", record.seed);
  field(writer, "eventLogHash", fmt::format("{:016x}", record.hash));
  field(writer, "held", record.held);
  if (record.monitored) field(writer, "monitored", true);
  field(writer, "shape", static_cast<std::uint64_t>(shape));
  if (shape == shapes_.size()) {
    shapes_.push_back(record.shape);
    key(writer, "newShape");
    write_shape(writer, *record.shape);
  }
  key(writer, "values");
  writer.StartArray();
  for (const double value : record.values) writer.Double(value);
  writer.EndArray();
  key(writer, "objectives");
  std::string held;
  for (const bool one : record.objectives_held) held += one ? '1' : '0';
  text(writer, held);
  key(writer, "outages");
  writer.StartArray();
  for (const LongOutage& outage : record.outages) write_outage(writer, outage);
  writer.EndArray();
  writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

bool RecordReader::read(const std::string& line, Record& record) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseFullPrecisionFlag>(line.data(), line.size());
  if (document.HasParseError() || !document.IsObject()) return false;
  const auto has = [&](const char* name) { return document.HasMember(name); };
  for (const char* name : {"scenario", "replication", "seed", "shape"}) {
    if (!has(name) || !document[name].IsUint64()) return false;
  }
  if (!has("eventLogHash") || !is_text(document["eventLogHash"]) || !has("held") || !document["held"].IsBool()) return false;
  if (!has("values") || !document["values"].IsArray() || !has("objectives") || !is_text(document["objectives"]) || !has("outages") || !document["outages"].IsArray()) return false;
  record = Record{};
  record.scenario = document["scenario"].GetUint64();
  record.replication = document["replication"].GetUint64();
  record.seed = document["seed"].GetUint64();
  const std::string hash = text_of(document["eventLogHash"]);
  if (std::from_chars(hash.data(), hash.data() + hash.size(), record.hash, 16).ptr != hash.data() + hash.size()) return false;
  record.held = document["held"].GetBool();
  record.monitored = has("monitored") && document["monitored"].IsTrue();
  const std::uint64_t shape = document["shape"].GetUint64();
  if (has("newShape")) {
    auto read = std::make_shared<Shape>();
    if (shape != shapes_.size() || !read_shape(document["newShape"], *read)) return false;
    shapes_.push_back(std::move(read));
  }
  if (shape >= shapes_.size()) return false;
  record.shape = shapes_[shape];
  for (const Value& value : document["values"].GetArray()) {
    if (!value.IsNumber()) return false;
    record.values.push_back(value.GetDouble());
  }
  for (const char c : text_of(document["objectives"])) record.objectives_held.push_back(c == '1');
  if (record.values.size() != record.shape->figures.size() || record.objectives_held.size() != record.shape->objectives.size()) return false;
  for (const Value& value : document["outages"].GetArray()) {
    if (!read_outage(value, record.outages.emplace_back())) return false;
  }
  return true;
}

}  // namespace analysis
