#include "analysis/tested.hpp"

#include <fmt/format.h>
#include <rapidjson/document.h>

#include "analysis/json_text.hpp"
#include "analysis/text_layout.hpp"
#include "sim/core/check.hpp"

namespace analysis {

std::string describe_violation(const chaos::ExpectationResult& result) {
  std::string out;
  if (!result.not_judged.empty()) return "not judged: " + result.not_judged;
  for (const chaos::Measure& measure : result.measures) {
    if (measure.held) continue;
    out += measure_line(measure);
    if (measure.first_violation) out += fmt::format(", first at {}", instant(*measure.first_violation));
    out += '\n';
    bool is_first = true;
    for (const chaos::CauseStep& step : measure.why.steps) {
      out += fmt::format("  {} {}: {} {}: {}\n", is_first ? "why" : " <-", instant(step.time), step.kind, step.subject, step.message);
      is_first = false;
    }
  }
  return out;
}

void add_verdict(TestedScenario& tested, const chaos::Verdict& verdict) {
  if (tested.runs == 0) {
    for (const chaos::ExpectationResult& result : verdict.expectations) tested.expectations.push_back({result.name, result.kind, 0, 0, {}, 0});
  }
  SIM_CHECK(tested.expectations.size() == verdict.expectations.size(), "one scenario has the same expectations under every seed");
  ++tested.runs;
  tested.held += verdict.held ? 1 : 0;
  for (std::size_t i = 0; i < verdict.expectations.size(); ++i) {
    TestedExpectation& one = tested.expectations[i];
    ++one.runs;
    if (verdict.expectations[i].held) {
      ++one.held;
    } else if (one.runs - one.held == 1) {
      one.violation = describe_violation(verdict.expectations[i]);
      one.violation_seed = verdict.seed;
    }
  }
}

void add_runs(TestedScenario& tested, const TestedScenario& more) {
  if (tested.runs == 0 && tested.error.empty()) {
    tested = more;
    return;
  }
  tested.wall_seconds += more.wall_seconds;
  if (tested.error.empty()) tested.error = more.error;
  if (!tested.error.empty() || more.runs == 0) return;
  SIM_CHECK(tested.expectations.size() == more.expectations.size(), "one scenario has the same expectations under every seed");
  tested.runs += more.runs;
  tested.held += more.held;
  for (std::size_t i = 0; i < more.expectations.size(); ++i) {
    TestedExpectation& one = tested.expectations[i];
    const TestedExpectation& other = more.expectations[i];
    if (one.holds() && !other.holds()) {
      one.violation = other.violation;
      one.violation_seed = other.violation_seed;
    }
    one.runs += other.runs;
    one.held += other.held;
  }
}

std::string tested_line(const TestedScenario& tested) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  writer.StartObject();
  field(writer, "tested", tested.file);
  field(writer, "name", tested.name);
  field(writer, "seed", tested.seed);
  field(writer, "runs", tested.runs);
  field(writer, "held", tested.held);
  field(writer, "seconds", tested.wall_seconds);
  field(writer, "error", tested.error);
  field(writer, "golden", tested.has_golden_log);
  field(writer, "accepted", tested.golden_accepted);
  field(writer, "difference", tested.golden_difference);
  field(writer, "cannotWrite", tested.cannot_write);
  key(writer, "expectations");
  writer.StartArray();
  for (const TestedExpectation& one : tested.expectations) {
    writer.StartObject();
    field(writer, "name", one.name);
    field(writer, "kind", one.kind);
    field(writer, "runs", one.runs);
    field(writer, "held", one.held);
    field(writer, "violation", one.violation);
    field(writer, "seed", one.violation_seed);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

bool read_tested_line(const std::string& line, TestedScenario& tested) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseFullPrecisionFlag>(line.data(), line.size());
  if (document.HasParseError() || !document.IsObject()) return false;
  bool good = true;
  const auto member = [&](const rapidjson::Value& from, const char* name) -> const rapidjson::Value& {
    static const rapidjson::Value kNothing;
    const auto found = from.FindMember(name);
    return found == from.MemberEnd() ? kNothing : found->value;
  };
  const auto string = [&](const rapidjson::Value& from, const char* name) {
    const rapidjson::Value& value = member(from, name);
    good = good && value.IsString();
    return value.IsString() ? std::string(value.GetString(), value.GetStringLength()) : std::string();
  };
  const auto number = [&](const rapidjson::Value& from, const char* name) {
    const rapidjson::Value& value = member(from, name);
    good = good && value.IsUint64();
    return value.IsUint64() ? value.GetUint64() : 0;
  };
  tested = {};
  tested.file = string(document, "tested");
  tested.name = string(document, "name");
  tested.seed = number(document, "seed");
  tested.runs = number(document, "runs");
  tested.held = number(document, "held");
  const rapidjson::Value& seconds = member(document, "seconds");
  good = good && seconds.IsNumber();
  if (good) tested.wall_seconds = seconds.GetDouble();
  tested.error = string(document, "error");
  const rapidjson::Value& golden = member(document, "golden");
  good = good && golden.IsBool();
  tested.has_golden_log = golden.IsTrue();
  tested.golden_accepted = string(document, "accepted");
  tested.golden_difference = string(document, "difference");
  tested.cannot_write = string(document, "cannotWrite");
  const rapidjson::Value& expectations = member(document, "expectations");
  if (!good || !expectations.IsArray()) return false;
  for (const rapidjson::Value& one : expectations.GetArray()) {
    if (!one.IsObject()) return false;
    TestedExpectation& read = tested.expectations.emplace_back();
    read.name = string(one, "name");
    read.kind = string(one, "kind");
    read.runs = number(one, "runs");
    read.held = number(one, "held");
    read.violation = string(one, "violation");
    read.violation_seed = number(one, "seed");
  }
  return good;
}

}  // namespace analysis
