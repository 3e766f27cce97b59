#include "analysis/aggregate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/estimate_json.hpp"
#include "analysis/run_report.hpp"

namespace analysis {

namespace {

Estimate estimate_of(const Figure& figure, const std::vector<double>& values, double confidence) {
  return figure.is_share ? estimate_share(values, confidence) : estimate(values, confidence);
}

template <class Writer>
void write_quantile(Writer& writer, double q, const sim::QuantileInterval& found, double confidence) {
  writer.StartObject();
  field(writer, "quantile", q);
  field(writer, "value", found.estimate);
  if (found.has_interval) {
    write_interval(writer, confidence, found.low, found.high);
  } else {
    field(writer, "needsReplications", found.needs);
  }
  writer.EndObject();
}

}  // namespace

Aggregate aggregate(const std::string& scenario, const std::string& description, const ScenarioResults& runs, bool complete, double confidence,
                    const Precision* precision) {
  Aggregate result;
  result.scenario = scenario;
  result.description = description;
  result.hash = runs.combined_hash();
  result.complete = complete;
  result.confidence = confidence;
  result.runs = &runs;
  result.precision = precision;
  if (runs.empty()) return result;
  // Whoever looks several times, and stops when they like what they see, needs wider intervals.
  const double each = precision != nullptr ? precision->rule().look_confidence() : confidence;
  for (std::size_t i = 0; i < runs.shape().figures.size(); ++i) {
    const Figure& figure = runs.shape().figures[i];
    if (figure.needs_monitoring && !runs.monitored()) continue;
    const std::vector<double>& values = runs.column(i);
    Aggregate::Row row;
    row.name = figure.name;
    row.unit = figure.unit;
    row.value = estimate_of(figure, values, each);
    row.is_constant = std::all_of(values.begin(), values.end(), [&](double v) { return v == values.front(); });
    if (!figure.is_share) {
      row.median = sim::quantile_interval(values, 0.5, each);
      row.tail = figure.more_is_better ? 0.05 : 0.95;
      row.at_tail = sim::quantile_interval(values, row.tail, each);
    }
    result.rows.push_back(std::move(row));
  }
  for (std::size_t i = 0; i < runs.shape().objectives.size(); ++i) {
    Aggregate::Objective objective;
    objective.name = runs.shape().objectives[i];
    objective.held = runs.objectives_held()[i];
    const auto interval = sim::share_interval(objective.held, runs.size(), each);
    objective.low = interval.low;
    objective.high = interval.high;
    result.held = result.held && objective.held == runs.size();
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
  if (!aggregate.runs->empty()) field(writer, "seed", aggregate.runs->seeds().front());
  field(writer, "eventLogHash", aggregate.hash);
  field(writer, "verdict", aggregate.held ? "held" : "failed");
  field(writer, "complete", aggregate.complete);
  write_precision(writer, aggregate.confidence, aggregate.precision, {aggregate.scenario});
  key(writer, "replications");
  writer.StartArray();
  for (std::size_t i = 0; i < aggregate.runs->size(); ++i) {
    writer.StartObject();
    field(writer, "seed", aggregate.runs->seeds()[i]);
    field(writer, "eventLogHash", fmt::format("{:016x}", aggregate.runs->hashes()[i]));
    field(writer, "verdict", aggregate.runs->held()[i] ? "held" : "failed");
    writer.EndObject();
  }
  writer.EndArray();
  key(writer, "objectives");
  writer.StartArray();
  for (const Aggregate::Objective& objective : aggregate.objectives) {
    writer.StartObject();
    field(writer, "name", objective.name);
    field(writer, "held", static_cast<std::uint64_t>(objective.held));
    write_interval(writer, aggregate.confidence, objective.low, objective.high);
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
    if (row.value.has_interval) write_interval(writer, aggregate.confidence, row.value.low, row.value.high);
    if (row.is_constant) field(writer, "constant", true);
    if (row.median.needs > 0) {
      key(writer, "quantiles");
      writer.StartArray();
      write_quantile(writer, 0.5, row.median, aggregate.confidence);
      write_quantile(writer, row.tail, row.at_tail, aggregate.confidence);
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
  const std::size_t runs = aggregate.runs->size();
  const std::string took = wall_seconds >= 0.0 ? fmt::format(" in {:.1f} s", wall_seconds) : std::string();
  std::string out = fmt::format("\n  {}  {}\n", style("1", aggregate.scenario), style("2", fmt::format("{} replications{}", runs, took)));
  if (!aggregate.complete) out += style("33", "  stopped early: complete runs only\n");
  if (runs == 0) return out;
  if (aggregate.precision != nullptr) {
    out += fmt::format("  {}\n", style(aggregate.precision->rule().reached() ? "2" : "33", aggregate.precision->in_words()));
  }
  const std::string title = fmt::format("{:g} % interval", aggregate.confidence * 100.0);
  if (!aggregate.objectives.empty()) out += "\n" + style("1", "  Objectives") + style("2", fmt::format("                                       held in         {}\n", title));
  for (const Aggregate::Objective& objective : aggregate.objectives) {
    const bool all = objective.held == runs;
    out += fmt::format("   {} {:<44} {:>4} of {:<6} {:>7.1f} % to {:.1f} %\n", all ? style("32", "✓") : style("1;31", "✗"), objective.name, objective.held, runs,
                       objective.low * 100.0, objective.high * 100.0);
  }
  out += "\n" + style("1", "  Figure") + style("2", fmt::format("                                              mean             {}\n", title));
  const double others = 1.0 - std::pow(1.0 - aggregate.confidence, 1.0 / static_cast<double>(runs));
  std::size_t perfect = 0;
  for (const Aggregate::Row& row : aggregate.rows) {
    if (row.unit == chaos::Unit::kRatio && row.is_constant && row.value.mean >= 1.0) {
      ++perfect;
      continue;
    }
    std::string interval;
    if (row.is_constant && runs > 1) {
      interval = fmt::format("in every run; others at most {:.1f} %", others * 100.0);
    } else if (row.value.has_interval) {
      interval = fmt::format("{} to {}", figure_text(row.unit, row.value.low), figure_text(row.unit, row.value.high));
    }
    out += fmt::format("   {:<46} {:>12}   {}\n", row.name, figure_text(row.unit, row.value.mean), interval);
    if (row.is_constant || row.median.needs == 0) continue;
    const auto quantile = [&](const sim::QuantileInterval& found) {
      return fmt::format("{} [{}]", figure_text(row.unit, found.estimate),
                         found.has_interval ? fmt::format("{}, {}", figure_text(row.unit, found.low), figure_text(row.unit, found.high))
                                            : fmt::format("an interval takes {} runs", found.needs));
    };
    out += style("2", fmt::format("     half of the runs {} {}; one in twenty {}\n", row.tail < 0.5 ? "below" : "above", quantile(row.median), quantile(row.at_tail)));
  }
  if (perfect > 0) out += style("2", fmt::format("   {} more at 100 % in every run: runs with less are at most {:.1f} % of all\n", perfect, others * 100.0));
  out += fmt::format("\n  {}\n", style("2", "eventLogHash " + aggregate.hash));
  return out;
}

}  // namespace analysis
