#include <fmt/format.h>

#include <algorithm>

#include "analysis/assets.hpp"
#include "analysis/comparison.hpp"
#include "analysis/estimate_json.hpp"
#include "analysis/page.hpp"
#include "analysis/run_report.hpp"
#include "analysis/text_layout.hpp"

namespace analysis {

namespace {

using chaos::Unit;

/// "99.9123 %" for a ratio, "1h 2m" for seconds.
std::string figure(Unit unit, double value) {
  return unit == Unit::kCount ? fmt::format("{:.1f}", value) : figure_text(unit, value);
}

std::string difference_text(Unit unit, const Estimate& difference) {
  const auto signed_figure = [&](double value) {
    if (unit == Unit::kRatio) return fmt::format("{:+.4f}", value * 100.0);
    if (unit == Unit::kSeconds) return (value > 0 ? "+" : "") + sim::humanize(sim::from_seconds(value));
    return fmt::format("{:+.1f}", value);
  };
  if (!difference.has_interval) return signed_figure(difference.mean);
  return fmt::format("{} [{}, {}]", signed_figure(difference.mean), signed_figure(difference.low), signed_figure(difference.high));
}

template <class Writer>
void write_tests(Writer& writer, const DifferenceTests& tests, bool is_share) {
  key(writer, "effect");
  writer.StartObject();
  field(writer, "size", tests.effect.size);
  field(writer, "pairsBetter", tests.effect.more);
  field(writer, "pairsWorse", tests.effect.less);
  field(writer, "pairsEqual", tests.effect.equal);
  field(writer, "superiority", tests.effect.superiority);
  field(writer, "standardised", tests.standardised);
  writer.EndObject();
  key(writer, "tests");
  writer.StartObject();
  field(writer, is_share ? "mcnemar" : "pairedT", tests.mean);
  field(writer, "holm", tests.adjusted);
  if (!is_share) {
    field(writer, "signedRank", tests.signed_ranks);
    field(writer, "sign", tests.signs);
  }
  writer.EndObject();
}

bool is_worth_a_line(const ComparedFigure& figure) {
  return std::any_of(figure.verdict.begin() + 1, figure.verdict.end(), [](const std::string& v) { return v != "equal"; });
}

}  // namespace

std::string comparison_json(const Comparison& comparison) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  writer.StartObject();
  field(writer, "schemaVersion", std::int64_t{kSummarySchemaVersion});
  field(writer, "program", std::string("squall ") + program_version());
  field(writer, "kind", "comparison");
  field(writer, "firstSeed", comparison.first_seed);
  field(writer, "replications", static_cast<std::uint64_t>(comparison.pairs));
  field(writer, "complete", comparison.complete);
  write_precision(writer, comparison.confidence, comparison.precision, comparison.names);
  key(writer, "scenarios");
  writer.StartArray();
  for (std::size_t s = 0; s < comparison.names.size(); ++s) {
    writer.StartObject();
    field(writer, "name", comparison.names[s]);
    field(writer, "file", comparison.files[s]);
    field(writer, "eventLogHash", comparison.hashes[s]);
    field(writer, "objectivesHeld", comparison.held[s]);
    writer.EndObject();
  }
  writer.EndArray();
  key(writer, "figures");
  writer.StartArray();
  for (const ComparedFigure& figure : comparison.figures) {
    writer.StartObject();
    field(writer, "name", figure.name);
    field(writer, "unit", chaos::to_string(figure.unit));
    field(writer, "moreIsBetter", figure.more_is_better);
    key(writer, "scenarios");
    writer.StartArray();
    for (std::size_t s = 0; s < figure.each.size(); ++s) {
      writer.StartObject();
      key(writer, "value");
      write_estimate(writer, figure.each[s], comparison.confidence);
      if (s > 0) {
        key(writer, "differenceToFirst");
        write_estimate(writer, figure.difference[s], comparison.confidence);
        field(writer, "verdict", figure.verdict[s]);
        write_tests(writer, figure.tests[s], figure.is_share);
      }
      key(writer, "replications");
      writer.StartArray();
      for (const double value : figure.values[s]) writer.Double(value);
      writer.EndArray();
      writer.EndObject();
    }
    writer.EndArray();
    writer.EndObject();
  }
  writer.EndArray();
  key(writer, "distinctions");
  writer.StartArray();
  for (const Distinction& distinction : comparison.distinctions) {
    writer.StartObject();
    field(writer, "scenario", comparison.names[distinction.scenario]);
    field(writer, "seed", distinction.seed);
    field(writer, "kind", chaos::to_string(distinction.outage.kind));
    field(writer, "severity", chaos::to_string(distinction.outage.severity));
    field(writer, "subject", distinction.outage.subject);
    field(writer, "start", distinction.outage.start);
    field(writer, "seconds", distinction.outage.length());
    key(writer, "why");
    write_why(writer, distinction.outage.why);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  std::string result(buffer.GetString(), buffer.GetSize());
  result += '\n';
  return result;
}

std::string comparison_text(const Comparison& comparison, bool colour, int width_asked) {
  const auto style = [&](const char* code, std::string_view content) {
    return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, content) : std::string(content);
  };
  const std::size_t width = static_cast<std::size_t>(std::clamp(width_asked, 80, 180));
  std::string out = "\n";
  for (std::size_t s = 0; s < comparison.names.size(); ++s) {
    const char letter = static_cast<char>('A' + static_cast<int>(s));
    const bool all = comparison.held[s] >= 1.0;
    out += fmt::format("  {}  {:<40} {}\n", style("1", std::string(1, letter)), comparison.names[s],
                       style(all ? "32" : "1;31", fmt::format("objectives held in {:.0f} % of {} runs", comparison.held[s] * 100.0, comparison.pairs)));
  }
  if (!comparison.complete) out += style("33", "  stopped early: complete pairs only\n");
  out += fmt::format("\n  {}\n", style("2", fmt::format("{} paired replications from seed {}, same luck on every side; differences to A with {:g} % confidence intervals",
                                                         comparison.pairs, comparison.first_seed, comparison.confidence * 100.0)));
  if (comparison.precision != nullptr) {
    out += fmt::format("  {}\n", style(comparison.precision->rule().reached() ? "2" : "33", comparison.precision->in_words()));
  }
  std::size_t equal = 0;
  for (const ComparedFigure& row : comparison.figures) {
    if (!is_worth_a_line(row)) {
      ++equal;
      continue;
    }
    out += fmt::format("\n  {}\n", style("1", row.name));
    for (std::size_t s = 0; s < row.each.size(); ++s) {
      const char letter = static_cast<char>('A' + static_cast<int>(s));
      std::string line = fmt::format("    {}  {:>14}", letter, figure(row.unit, row.each[s].mean));
      if (s > 0) {
        line += fmt::format("   {:<44} ", difference_text(row.unit, row.difference[s]));
        const std::string& verdict = row.verdict[s];
        line += style(verdict.starts_with("better") ? "32" : verdict.starts_with("worse") ? "1;31" : "2", verdict);
        if (!row.remark[s].empty()) line += style("2", fmt::format(" ({})", row.remark[s]));
      }
      out += line + "\n";
    }
  }
  if (equal > 0) out += fmt::format("\n  {}\n", style("2", fmt::format("{} more figure{} equal in every pair (see summary.json)", equal, equal == 1 ? " is" : "s are")));
  if (!comparison.distinctions.empty()) out += fmt::format("\n  {}\n", style("1", "What happened on one side only"));
  constexpr std::size_t kShown = 3;
  constexpr std::size_t kSteps = 12;
  for (std::size_t i = 0; i < comparison.distinctions.size() && i < kShown; ++i) {
    const Distinction& d = comparison.distinctions[i];
    out += fmt::format("\n   {} {}: {} {} for {} (seed {})\n", static_cast<char>('A' + static_cast<int>(d.scenario)), comparison.names[d.scenario],
                       style("1;31", d.outage.subject), chaos::to_string(d.outage.kind), sim::humanize(d.outage.length()), d.seed);
    const std::vector<chaos::CauseStep>& steps = d.outage.why.steps;
    for (std::size_t k = 0; k < steps.size(); ++k) {
      const bool is_last = k + 1 == steps.size();
      if (k >= kSteps && !is_last) continue;
      if (is_last && steps.size() > kSteps + 1) out += style("2", fmt::format("      … {} more steps\n", steps.size() - kSteps - 1 + d.outage.why.left_out));
      const std::string& message = steps[k].message.empty() ? steps[k].subject : steps[k].message;
      out += fmt::format("      {} {:>10}  {}\n", k == 0 ? "   " : "←  ", instant(steps[k].time), cut(message, width - 24));
      if (k > 0) continue;
      for (const chaos::CauseStep& also : d.outage.why.contributing) {
        out += fmt::format("        + {:>10}  {}\n", instant(also.time), contributing_line(also, d.outage.why.fault, width - 26));
      }
    }
  }
  return out + "\n";
}

std::string comparison_html(const Comparison& comparison) {
  return page_with_data(assets::compare_html(), comparison_json(comparison));
}

}  // namespace analysis
