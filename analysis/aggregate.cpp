#include "analysis/aggregate.hpp"

#include <fmt/format.h>

#include "analysis/json_text.hpp"
#include "analysis/run_report.hpp"
#include "sim/core/statistics.hpp"

namespace analysis {

namespace {

std::string figure(chaos::Unit unit, double value) {
  if (unit == chaos::Unit::kRatio) return fmt::format("{:.4f} %", value * 100.0);
  if (unit == chaos::Unit::kSeconds) return sim::humanize(sim::from_seconds(value));
  return fmt::format("{:.2f}", value);
}

}  // namespace

Aggregate aggregate(const std::string& scenario, const std::string& description, const std::vector<Replication>& runs) {
  Aggregate result;
  result.scenario = scenario;
  result.description = description;
  result.hash = combined_hash(runs);
  for (const Replication& run : runs) {
    if (run.done && run.outcome.verdict.complete) {
      result.runs.push_back(&run);
    } else {
      result.complete = false;
    }
  }
  if (result.runs.empty()) return result;
  const auto add = [&](std::string name, chaos::Unit unit, auto&& value) {
    std::vector<double> values;
    for (const Replication* run : result.runs) values.push_back(value(run->outcome.verdict));
    result.rows.push_back({std::move(name), unit, estimate(values)});
  };
  const chaos::Verdict& first = result.runs.front()->outcome.verdict;
  const auto availability = [&](std::vector<chaos::AvailabilityStats> chaos::Verdict::*list) {
    for (const chaos::AvailabilityStats& stats : first.*list) {
      const std::string subject = stats.subject;
      add(subject + " availability", chaos::Unit::kRatio, [&](const chaos::Verdict& verdict) {
        for (const chaos::AvailabilityStats& other : verdict.*list) {
          if (other.subject == subject) return other.availability;
        }
        return 0.0;
      });
    }
  };
  availability(&chaos::Verdict::components);
  availability(&chaos::Verdict::services);
  add("node availability", chaos::Unit::kRatio, [](const chaos::Verdict& v) { return v.nodes.availability; });
  add("pods Pending for more than a minute", chaos::Unit::kCount, [](const chaos::Verdict& v) { return static_cast<double>(v.pods_pending_long); });
  for (std::size_t i = 0; i < first.expectations.size(); ++i) {
    Aggregate::Objective objective;
    objective.name = first.expectations[i].name;
    for (const Replication* run : result.runs) objective.held += run->outcome.verdict.expectations[i].held ? 1 : 0;
    const auto interval = sim::proportion_interval(objective.held, result.runs.size());
    objective.low = interval.low;
    objective.high = interval.high;
    result.held = result.held && objective.held == result.runs.size();
    result.objectives.push_back(objective);
  }
  return result;
}

std::string aggregate_json(const Aggregate& aggregate) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  writer.StartObject();
  field(writer, "schemaVersion", std::int64_t{kSummarySchemaVersion});
  field(writer, "program", std::string("squall ") + program_version());
  field(writer, "kind", "replications");
  field(writer, "scenario", aggregate.scenario);
  if (!aggregate.runs.empty()) field(writer, "seed", aggregate.runs.front()->seed);
  field(writer, "eventLogHash", aggregate.hash);
  field(writer, "verdict", aggregate.held ? "held" : "failed");
  field(writer, "complete", aggregate.complete);
  key(writer, "replications");
  writer.StartArray();
  for (const Replication* run : aggregate.runs) {
    writer.StartObject();
    field(writer, "seed", run->seed);
    field(writer, "eventLogHash", run->outcome.event_log_hash);
    field(writer, "verdict", run->outcome.verdict.held ? "held" : "failed");
    writer.EndObject();
  }
  writer.EndArray();
  key(writer, "objectives");
  writer.StartArray();
  for (const Aggregate::Objective& objective : aggregate.objectives) {
    writer.StartObject();
    field(writer, "name", objective.name);
    field(writer, "held", static_cast<std::uint64_t>(objective.held));
    key(writer, "ci95");
    writer.StartArray();
    writer.Double(objective.low);
    writer.Double(objective.high);
    writer.EndArray();
    writer.EndObject();
  }
  writer.EndArray();
  key(writer, "aggregate");
  writer.StartArray();
  for (const Aggregate::Row& row : aggregate.rows) {
    writer.StartObject();
    field(writer, "name", row.name);
    field(writer, "unit", chaos::to_string(row.unit));
    field(writer, "mean", row.value.mean);
    if (row.value.has_interval) {
      key(writer, "ci95");
      writer.StartArray();
      writer.Double(row.value.low);
      writer.Double(row.value.high);
      writer.EndArray();
    }
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

std::string aggregate_text(const Aggregate& aggregate, bool colour, double wall_seconds) {
  const auto style = [&](const char* code, std::string_view content) {
    return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, content) : std::string(content);
  };
  std::string out = fmt::format("\n  {}  {}\n", style("1", aggregate.scenario), style("2", fmt::format("{} replications in {:.1f} s", aggregate.runs.size(), wall_seconds)));
  if (!aggregate.complete) out += style("33", "  stopped early: complete runs only\n");
  if (aggregate.runs.empty()) return out;
  if (!aggregate.objectives.empty()) out += "\n" + style("1", "  Objectives") + style("2", "                                       held in         95 % interval\n");
  for (const Aggregate::Objective& objective : aggregate.objectives) {
    const bool all = objective.held == aggregate.runs.size();
    out += fmt::format("   {} {:<44} {:>4} of {:<6} {:>7.1f} % to {:.1f} %\n", all ? style("32", "✓") : style("1;31", "✗"), objective.name, objective.held,
                       aggregate.runs.size(), objective.low * 100.0, objective.high * 100.0);
  }
  out += "\n" + style("1", "  Figure") + style("2", "                                              mean             95 % interval\n");
  std::size_t perfect = 0;
  for (const Aggregate::Row& row : aggregate.rows) {
    if (row.unit == chaos::Unit::kRatio && row.value.mean >= 1.0) {
      ++perfect;
      continue;
    }
    out += fmt::format("   {:<46} {:>12}   {}\n", row.name, figure(row.unit, row.value.mean),
                       row.value.has_interval ? fmt::format("{} to {}", figure(row.unit, row.value.low), figure(row.unit, row.value.high)) : "");
  }
  if (perfect > 0) out += style("2", fmt::format("   {} more at 100 % in every run\n", perfect));
  out += fmt::format("\n  {}\n", style("2", "eventLogHash " + aggregate.hash));
  return out;
}

}  // namespace analysis
