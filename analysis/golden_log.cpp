#include "analysis/golden_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <vector>

#include "analysis/text_layout.hpp"
#include "sim/core/event_log.hpp"

namespace analysis {

namespace {

constexpr std::string_view kFirstLine = "# squall golden event log, version 1: number, seconds, kind, subject, causes, message";
constexpr std::size_t kChainShown = 8;
constexpr std::size_t kKindsShown = 6;

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '\\': out += "\\\\"; break;
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      default: out += c;
    }
  }
  return out;
}

/// A line of the file. Views into it.
struct Line {
  std::string_view number;
  std::string_view seconds;
  std::string_view kind;
  std::string_view subject;
  std::string_view causes;
  std::string_view message;
};

Line split(std::string_view text) {
  Line line;
  for (std::string_view* field : {&line.number, &line.seconds, &line.kind, &line.subject, &line.causes}) {
    const std::size_t tab = std::min(text.find('\t'), text.size());
    *field = text.substr(0, tab);
    text.remove_prefix(std::min(tab + 1, text.size()));
  }
  line.message = text;
  return line;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string when(std::string_view seconds) {
  double value = 0.0;  // for people: to the second
  std::from_chars(seconds.data(), seconds.data() + seconds.size(), value);
  return instant(sim::SimTime{} + sim::from_seconds(value));
}

std::string in_words(const Line& line) { return fmt::format("{}  {} {}: {}", when(line.seconds), line.kind, line.subject, line.message); }

/// The number of the record that is the first of its causes; 0: it has none.
std::size_t first_cause(const Line& line) {
  std::size_t number = 0;
  if (line.causes.starts_with('#')) std::from_chars(line.causes.data() + 1, line.causes.data() + line.causes.size(), number);
  return number;
}

}  // namespace

std::string golden_log(const sim::EventLog& log, std::string_view scenario, std::uint64_t seed) {
  fmt::memory_buffer out;
  const auto to = std::back_inserter(out);
  fmt::format_to(to, "{}\n# scenario {}, seed {}\n", kFirstLine, escape(scenario), seed);
  for (std::uint32_t i = 0; i < log.size(); ++i) {
    const sim::EventLog::Record& record = log.records()[i];
    const std::int64_t ns = (record.time - sim::SimTime{}).count();
    fmt::format_to(to, "#{}\t{}.{:09}\t{}\t{}\t", i + 1, ns / 1'000'000'000, ns % 1'000'000'000, escape(log.kind(record)), escape(log.subject(record)));
    if (record.cause == sim::CauseId{}) {
      out.push_back('-');
    } else {
      fmt::format_to(to, "#{}", record.cause.value);
    }
    for (const sim::CauseId& also : log.contributing(sim::CauseId{i + 1})) fmt::format_to(to, "+#{}", also.value);
    fmt::format_to(to, "\t{}\n", escape(log.message(record)));
  }
  return fmt::to_string(out);
}

std::string first_golden_difference(std::string_view accepted, std::string_view now) {
  if (accepted == now) return {};
  const std::vector<std::string_view> before = lines_of(accepted);
  const std::vector<std::string_view> after = lines_of(now);
  if (before.size() < 2 || before[0] != kFirstLine) return "what was accepted is no golden event log of this version: accept anew with --update\n";
  if (before[1] != after[1]) return fmt::format("what was accepted is of another run: {}, and this is {}\n", before[1].substr(2), after[1].substr(2));

  std::size_t at = 2;
  while (at < before.size() && at < after.size() && before[at] == after[at]) ++at;
  std::string out = fmt::format("the runs part at record {} of {} accepted, {} now\n", at - 1, before.size() - 2, after.size() - 2);
  out += at < before.size() ? fmt::format("  accepted {}\n", in_words(split(before[at]))) : "  accepted: the log ends here\n";
  if (at < after.size()) {
    const Line here = split(after[at]);
    out += fmt::format("  now      {}\n", in_words(here));
    std::size_t cause = first_cause(here);
    for (std::size_t steps = 0; cause != 0 && steps < kChainShown && cause + 1 < after.size(); ++steps) {
      const Line line = split(after[cause + 1]);
      out += fmt::format("       <-  {}\n", in_words(line));
      cause = first_cause(line);
    }
  } else {
    out += "  now: the log ends here\n";
  }

  struct Counts {
    std::int64_t before = 0;
    std::int64_t after = 0;
    std::int64_t change() const { return std::abs(after - before); }
  };
  std::map<std::string_view, Counts> counts;
  for (std::size_t i = 2; i < before.size(); ++i) ++counts[split(before[i]).kind].before;
  for (std::size_t i = 2; i < after.size(); ++i) ++counts[split(after[i]).kind].after;
  std::vector<std::pair<std::string_view, Counts>> changed;
  for (const auto& entry : counts) {
    if (entry.second.change() != 0) changed.push_back(entry);
  }
  std::stable_sort(changed.begin(), changed.end(), [](const auto& a, const auto& b) { return a.second.change() > b.second.change(); });
  for (std::size_t i = 0; i < changed.size() && i < kKindsShown; ++i) {
    out += fmt::format("  {}: {} accepted, {} now\n", changed[i].first, changed[i].second.before, changed[i].second.after);
  }
  if (changed.size() > kKindsShown) out += fmt::format("  and {} more kinds of records\n", changed.size() - kKindsShown);
  return out;
}

}  // namespace analysis
