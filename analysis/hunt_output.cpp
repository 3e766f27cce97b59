#include "analysis/hunt_output.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/json_text.hpp"
#include "analysis/run_report.hpp"
#include "chaos/hunt/finding_file.hpp"
#include "sim/scenario/printable.hpp"

namespace analysis {

namespace {

using chaos::hunt::Finding;
using chaos::hunt::HuntResult;
using chaos::hunt::PlannedFault;
using chaos::hunt::Survey;

/// 4812 is "4,812".
std::string grouped(std::uint64_t number) {
  const std::string digits = fmt::format("{}", number);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

/// choose() of the hunter ends there.
constexpr std::uint64_t kUncounted = 1'000'000'000'000;

const chaos::hunt::Trial& faults_of(const Finding& finding) { return finding.shrunk ? finding.minimal : finding.found; }

const std::string& expectation_name(const HuntReport& report, std::size_t index) { return report.hunter->plan().expectations[index]->name; }

std::string listed(const std::vector<std::string>& names, std::size_t max) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < max; ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > max) text += fmt::format(" and {} more", names.size() - max);
  return text;
}

}  // namespace

std::string survey_text(const HuntReport& report) {
  const Survey& survey = *report.survey;
  std::string kinds;
  for (const auto& [kind, count] : survey.kinds) kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", grouped(count), kind);
  std::string out = fmt::format("squall hunt: {} (seed {})\n", sim::scenario::printable(report.scenario), report.seed);
  out += fmt::format("  faults       {}{}\n", survey.actions.empty() ? "none" : grouped(survey.actions.size()) + ": ", kinds);
  out += fmt::format("  moments      {} between {} and {}, beside the {} classes of records of a run without them{}\n", survey.instants.chosen.size(),
                     sim::humanize(survey.from), sim::humanize(survey.to), survey.instants.classes,
                     survey.instants.left_out > 0 ? fmt::format(" ({} less telling ones left out)", survey.instants.left_out) : std::string());
  for (const auto& members : survey.equal_nodes) out += fmt::format("  equal nodes  {}: no more are tried than faults at once\n", listed(members, 4));
  for (std::size_t i = 0; i < survey.combinations.size(); ++i) {
    const std::uint64_t count = survey.combinations[i];
    out += fmt::format("  {} fault{}     {} combinations: {}\n", i + 1, i == 0 ? " " : "s", count >= kUncounted ? "more than " + grouped(kUncounted) : grouped(count),
                       i < survey.exhaustive_faults ? "exhaustive, all of them" : i == 0 ? "all faults at the most telling moments, then at random" : "at random");
  }
  if (report.own_faults_out) out += "  left out     the scenario's own faults\n";
  if (!report.expectations_out.empty()) out += fmt::format("  left out     expectations about them: {}\n", listed(report.expectations_out, 20));
  if (!survey.kinds_left_out.empty()) out += fmt::format("  not searched {}\n", listed(survey.kinds_left_out, 100));
  for (const chaos::hunt::Broken& one : survey.broken_how) {
    out += fmt::format("  broken already, without a fault more: {} ({})\n", expectation_name(report, one.expectation), one.in_words);
  }
  return out;
}

std::string hunt_text(const HuntReport& report, bool colour) {
  constexpr std::size_t kChainMax = 8;
  constexpr std::size_t kUnshrunkShown = 20;
  const auto style = [&](const char* code, const std::string& content) { return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, content) : content; };
  const HuntResult& result = *report.result;
  std::string out = "\n";
  std::size_t number = 0;
  std::size_t unshrunk = 0;
  for (const Finding& finding : result.findings) {
    ++number;
    if (!finding.shrunk && ++unshrunk > kUnshrunkShown) continue;
    out += style("1;31", fmt::format("finding {}", number));
    for (const PlannedFault& fault : faults_of(finding)) out += fmt::format("\n  {}", style("1", in_words(report.hunter->actions()[fault.action], fault)));
    out += '\n';
    if (!finding.crash.empty()) out += fmt::format("  ends the simulation: {}\n  This is a bug in Squall: please report it with the file.\n", finding.crash);
    std::size_t shown = 0;
    for (std::size_t i = 0; i < finding.broken.size(); ++i) {
      const chaos::hunt::Broken& one = finding.broken[i];
      const bool already = std::find(report.survey->broken_already.begin(), report.survey->broken_already.end(), one.expectation) != report.survey->broken_already.end();
      if (already) continue;
      out += fmt::format("  breaks {}: {}\n", style("1", expectation_name(report, one.expectation)), one.in_words);
      // One chain in full; those of the other expectations are in the file.
      if (shown++ > 0 || i >= finding.whys.size()) continue;
      for (const std::string& line : chaos::hunt::chain_lines(finding.whys[i], kChainMax)) out += fmt::format("      {}\n", sim::scenario::printable(line));
    }
    if (finding.shrunk) out += fmt::format("  under {} of {} seeds; ", finding.seeds_failed, finding.seeds_tried);
    else out += "  not shrunk; ";
    out += fmt::format("{} tr{} came to it, the first was number {}\n", grouped(finding.hits), finding.hits == 1 ? "y" : "ies", grouped(finding.at_try));
    if (number <= report.files.size()) out += fmt::format("  {}\n", report.files[number - 1]);
    out += '\n';
  }
  if (unshrunk > kUnshrunkShown) out += fmt::format("and {} findings more, not shrunk\n\n", unshrunk - kUnshrunkShown);
  if (result.nothing_to_break) {
    out += report.hunter->plan().expectations.empty() ? "nothing to search for: the scenario expects nothing (section 'expect')\n"
                                                     : "nothing to search for: the scenario breaks all of its expectations as it is\n";
    return out;
  }
  for (const auto& [name, count] : result.not_injected) {
    if (count * 2 > result.tries) out += fmt::format("note: {} did nothing in {} tries\n", name, grouped(count));
  }
  out += fmt::format("{} finding{} in {} tries ({} forked from the clean run), {} new states; {} runs for shrinking\n", result.findings.size(), result.findings.size() == 1 ? "" : "s",
                     grouped(result.tries), grouped(result.forked), grouped(result.states), grouped(result.shrink_tries));
  if (result.interrupted) {
    out += "interrupted: this is what was found so far\n";
  } else if (result.exhausted) {
    out += fmt::format("exhaustive: all combinations of up to {} faults were tried{}\n", report.survey->exhaustive_faults,
                       result.findings.empty() ? ": none of them breaks anything at these moments" : "");
  } else {
    out += report.time_was_up ? "the time is up: not everything was tried\n" : "not everything was tried\n";
  }
  return out;
}

std::string hunt_json(const HuntReport& report) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  const auto strings = [&](const char* name, const std::vector<std::string>& values) {
    key(writer, name);
    writer.StartArray();
    for (const std::string& value : values) text(writer, value);
    writer.EndArray();
  };
  const auto trial = [&](const char* name, const chaos::hunt::Trial& faults) {
    key(writer, name);
    writer.StartArray();
    for (const PlannedFault& fault : faults) {
      const chaos::hunt::Action& action = report.hunter->actions()[fault.action];
      writer.StartObject();
      field(writer, "kind", action.kind);
      field(writer, "element", action.element);
      field(writer, "at", fault.at);
      if (fault.length) field(writer, "length", *fault.length);
      field(writer, "fault", chaos::hunt::fault_text(action, fault));
      writer.EndObject();
    }
    writer.EndArray();
  };
  const Survey& survey = *report.survey;
  writer.StartObject();
  field(writer, "schemaVersion", std::uint64_t{1});
  field(writer, "kind", "hunt");
  field(writer, "program", program_version());
  field(writer, "scenario", report.scenario);
  field(writer, "file", report.file);
  field(writer, "seed", report.seed);
  key(writer, "survey");
  writer.StartObject();
  key(writer, "faults");
  writer.StartObject();
  for (const auto& [kind, count] : survey.kinds) field(writer, kind, std::uint64_t{count});
  writer.EndObject();
  field(writer, "from", survey.from);
  field(writer, "to", survey.to);
  key(writer, "moments");
  writer.StartArray();
  for (const chaos::hunt::Instant& instant : survey.instants.chosen) {
    writer.StartObject();
    field(writer, "at", instant.at);
    field(writer, "what", instant.what);
    writer.EndObject();
  }
  writer.EndArray();
  field(writer, "momentsLeftOut", std::uint64_t{survey.instants.left_out});
  key(writer, "equalNodes");
  writer.StartArray();
  for (const auto& members : survey.equal_nodes) {
    writer.StartArray();
    for (const std::string& member : members) text(writer, member);
    writer.EndArray();
  }
  writer.EndArray();
  key(writer, "combinations");
  writer.StartArray();
  for (const std::uint64_t count : survey.combinations) writer.Uint64(count);
  writer.EndArray();
  field(writer, "exhaustiveFaults", std::uint64_t{survey.exhaustive_faults});
  strings("kindsNotSearched", survey.kinds_left_out);
  std::vector<std::string> already;
  for (const std::size_t index : survey.broken_already) already.push_back(expectation_name(report, index));
  strings("brokenAlready", already);
  writer.EndObject();
  if (report.result != nullptr) {
    const HuntResult& result = *report.result;
    field(writer, "verdict", result.findings.empty() && !(result.nothing_to_break && !survey.broken_already.empty()) ? "nothing-found" : "found");
    field(writer, "complete", !result.interrupted);
    field(writer, "exhausted", result.exhausted);
    field(writer, "tries", result.tries);
    field(writer, "newStates", std::uint64_t{result.states});
    field(writer, "shrinkRuns", result.shrink_tries);
    key(writer, "findings");
    writer.StartArray();
    for (std::size_t i = 0; i < result.findings.size(); ++i) {
      const Finding& finding = result.findings[i];
      writer.StartObject();
      trial("faults", faults_of(finding));
      field(writer, "shrunk", finding.shrunk);
      trial("found", finding.found);
      field(writer, "atTry", finding.at_try);
      field(writer, "tries", finding.hits);
      field(writer, "signature", finding.signature);
      if (!finding.crash.empty()) field(writer, "crash", finding.crash);
      field(writer, "eventLogHash", finding.hash);
      field(writer, "seedsTried", std::uint64_t{finding.seeds_tried});
      field(writer, "seedsFailed", std::uint64_t{finding.seeds_failed});
      if (i < report.files.size()) field(writer, "file", report.files[i]);
      key(writer, "breaks");
      writer.StartArray();
      for (std::size_t j = 0; j < finding.broken.size(); ++j) {
        writer.StartObject();
        field(writer, "expectation", expectation_name(report, finding.broken[j].expectation));
        field(writer, "measure", finding.broken[j].measure);
        field(writer, "violation", finding.broken[j].in_words);
        if (j < finding.whys.size()) {
          key(writer, "why");
          write_why(writer, finding.whys[j]);
        }
        writer.EndObject();
      }
      writer.EndArray();
      writer.EndObject();
    }
    writer.EndArray();
  }
  writer.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

}  // namespace analysis
