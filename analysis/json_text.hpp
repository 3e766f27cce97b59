/// RapidJSON's writer with the few calls that the outputs use. Included by .cpp files only.
#pragma once

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "chaos/verdict.hpp"

namespace analysis {

template <class Writer>
void text(Writer& writer, std::string_view value) {
  writer.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}
template <class Writer>
void key(Writer& writer, std::string_view name) {
  writer.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
}
template <class Writer>
void field(Writer& writer, std::string_view name, std::string_view value) {
  key(writer, name);
  text(writer, value);
}
template <class Writer>
void field(Writer& writer, std::string_view name, const char* value) {
  field(writer, name, std::string_view(value));
}
template <class Writer>
void field(Writer& writer, std::string_view name, bool value) {
  key(writer, name);
  writer.Bool(value);
}
template <class Writer>
void field(Writer& writer, std::string_view name, std::uint64_t value) {
  key(writer, name);
  writer.Uint64(value);
}
template <class Writer>
void field(Writer& writer, std::string_view name, std::int64_t value) {
  key(writer, name);
  writer.Int64(value);
}
template <class Writer>
void field(Writer& writer, std::string_view name, double value) {
  key(writer, name);
  writer.Double(value);
}
/// Seconds with nanosecond digits where needed.
template <class Writer>
void field(Writer& writer, std::string_view name, sim::SimDuration value) {
  field(writer, name, sim::seconds(value));
}
template <class Writer>
void field(Writer& writer, std::string_view name, sim::SimTime value) {
  field(writer, name, sim::seconds(value));
}

template <class Writer>
void write_steps(Writer& writer, const std::vector<chaos::CauseStep>& steps) {
  writer.StartArray();
  for (const chaos::CauseStep& step : steps) {
    writer.StartObject();
    field(writer, "event", std::uint64_t{step.id.value});
    field(writer, "at", step.time);
    field(writer, "kind", step.kind);
    field(writer, "subject", step.subject);
    field(writer, "message", step.message);
    if (!step.fault.empty()) field(writer, "fault", step.fault);
    writer.EndObject();
  }
  writer.EndArray();
}

/// The chain of causes: `chain` from the symptom to its root, `contributing` beside it, `fault` the injected one.
template <class Writer>
void write_why(Writer& writer, const chaos::Why& why) {
  writer.StartObject();
  field(writer, "fault", why.fault);
  key(writer, "chain");
  write_steps(writer, why.steps);
  if (why.left_out > 0) field(writer, "chainLeftOut", static_cast<std::uint64_t>(why.left_out));
  if (!why.contributing.empty()) {
    key(writer, "contributing");
    write_steps(writer, why.contributing);
  }
  writer.EndObject();
}

}  // namespace analysis
