#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "analysis/run_report.hpp"
#include "analysis/text_layout.hpp"
#include "sim/core/time.hpp"

namespace analysis {

namespace {

/// ANSI colours, or nothing.
struct Style {
  bool on = false;
  std::string wrap(const char* code, std::string_view content) const {
    return on ? fmt::format("\x1b[{}m{}\x1b[0m", code, content) : std::string(content);
  }
  std::string bold(std::string_view t) const { return wrap("1", t); }
  std::string dim(std::string_view t) const { return wrap("2", t); }
  std::string good(std::string_view t) const { return wrap("32", t); }
  std::string bad(std::string_view t) const { return wrap("1;31", t); }
  std::string warn(std::string_view t) const { return wrap("33", t); }
};

std::string at(sim::SimTime time) { return instant(time); }

/// Same records, same story: it is told once.
bool is_same(const chaos::Why& a, const chaos::Why& b) {
  return a.steps.size() == b.steps.size() && !a.steps.empty() && a.steps.front().id == b.steps.front().id && a.steps.back().id == b.steps.back().id;
}

void write_why(std::string& out, const chaos::Why& why, const Style& style, std::size_t width, std::size_t indent) {
  constexpr std::size_t kStepsShown = 9;
  const std::string margin(indent, ' ');
  const std::size_t room = width > indent + 24 ? width - indent - 17 : 24;
  std::size_t shown = 0;
  for (std::size_t i = 0; i < why.steps.size(); ++i) {
    const bool is_last = i + 1 == why.steps.size();
    if (shown >= kStepsShown && !is_last) continue;  // the root is always shown
    if (is_last && why.steps.size() > kStepsShown + 1) out += fmt::format("{}{}\n", margin, style.dim(fmt::format("   … {} more steps", why.steps.size() - kStepsShown - 1 + why.left_out)));
    const chaos::CauseStep& step = why.steps[i];
    const std::string line = step.message.empty() ? fmt::format("{} {}", step.kind, step.subject) : step.message;
    out += fmt::format("{}{} {:>10}  {}\n", margin, i == 0 ? "why" : " ← ", at(step.time), cut(line, room));
    ++shown;
    if (i == 0) {
      for (const chaos::CauseStep& also : why.contributing) {
        out += fmt::format("{}  + {:>10}  {}\n", margin, at(also.time), contributing_line(also, why.fault, room));
      }
    }
  }
}

void write_objectives(std::string& out, const chaos::Verdict& verdict, const Style& style, std::size_t width) {
  if (verdict.expectations.empty()) return;
  out += style.bold("  Objectives\n");
  for (const chaos::ExpectationResult& result : verdict.expectations) {
    const std::string mark = result.held ? style.good("✓") : style.bad("✗");
    out += fmt::format("   {} {}  {}\n", mark, style.bold(result.name), style.dim(cut(fmt::format("{} {}", result.kind, result.subject), width / 2)));
    if (!result.not_judged.empty()) out += fmt::format("       {}\n", style.warn("not judged: " + result.not_judged));
    const chaos::Why* told = nullptr;
    for (const chaos::Measure& measure : result.measures) {
      if (measure.held) {
        out += fmt::format("       {}\n", style.dim(measure_line(measure)));
        continue;
      }
      out += fmt::format("       {}{}\n", style.bad(measure_line(measure)),
                         measure.first_violation ? fmt::format(", first at {}", at(*measure.first_violation)) : "");
      if (told != nullptr && is_same(*told, measure.why)) {
        out += fmt::format("       {}\n", style.dim("why        as above"));
        continue;
      }
      write_why(out, measure.why, style, width, 7);
      told = &measure.why;
    }
  }
  out += '\n';
}

/// "a person was told after 6m 30s, by CephPGsInactive"
std::string told_text(const chaos::Detection& detection) {
  const auto by = [](const std::string& name, const std::string& source) {
    return source == "probe" ? "the probe " + name : source == "dead-mans-switch" ? "the dead man's switch " + name : name;
  };
  const auto after = [](sim::SimDuration time) { return time == sim::SimDuration::zero() ? std::string("known before") : "after " + sim::humanize(time); };
  if (detection.alerted_after) return fmt::format("a person was told: {}, by {}", after(*detection.alerted_after), by(detection.alerted_by, detection.alerted_source));
  if (detection.noticed_after) return fmt::format("nobody was paged; a ticket: {}, by {}", after(*detection.noticed_after), by(detection.noticed_by, detection.noticed_source));
  return "nobody was told";
}

void write_monitoring(std::string& out, const chaos::Verdict& verdict, const Style& style) {
  if (!verdict.monitored) return;
  const chaos::DetectionStats& stats = verdict.detection;
  out += style.bold("  Who noticed") + "\n";
  if (stats.outages > 0) {
    const std::string line = fmt::format("   of {} outages that users saw: {} paged, {} only ticketed, {} untold; {} passed before a person was told",
                                         stats.outages, stats.alerted, stats.noticed, stats.untold, sim::humanize(stats.unseen));
    out += (stats.untold + stats.noticed > 0 ? style.bad(line) : line) + "\n";
  }
  constexpr std::size_t kShown = 12;
  // One line a message: all alerts of one name that a receiver gets at one time.
  using Key = std::tuple<sim::SimTime, std::string, std::string>;
  const auto key_of = [](const chaos::ToldNote& note) { return Key(note.at, note.receiver, note.by); };
  std::map<Key, std::size_t> alike;
  for (const chaos::ToldNote& note : verdict.notifications) ++alike[key_of(note)];
  std::size_t shown = 0;
  std::size_t told = 0;
  for (const chaos::ToldNote& note : verdict.notifications) {
    std::size_t& count = alike[key_of(note)];
    if (count == 0) continue;
    if (++shown > kShown) break;
    told += count;
    const std::string others = count > 1 ? fmt::format("  and {} more", count - 1) : std::string();
    out += fmt::format("   {:>10}  {:<7} {:<10} {}{}{}\n", at(note.at), note.tells == chaos::Severity::kAlert ? "page" : "ticket", cut(note.receiver, 10), cut(note.subject, 70),
                       others, note.over && count == 1 ? style.dim(fmt::format("  until {}", at(*note.over))) : std::string());
    count = 0;
  }
  const std::uint64_t more = verdict.notifications_left_out + verdict.notifications.size() - told;
  if (more > 0) out += style.dim(fmt::format("   … {} more in summary.json\n", more));
  if (verdict.notifications.empty()) out += style.bad("   nobody was told of anything\n");
  out += '\n';
}

void write_outages(std::string& out, const chaos::Verdict& verdict, const Style& style, std::size_t width) {
  constexpr std::size_t kShown = 12;
  if (verdict.outages.empty()) {
    out += fmt::format("  {}\n\n", style.good("No outages."));
    return;
  }
  std::vector<const chaos::Outage*> worst;
  for (const chaos::Outage& outage : verdict.outages) worst.push_back(&outage);
  // What users see first, what is gone before what is weaker, then by length; the order of the list breaks ties.
  const auto rank = [](const chaos::Outage& outage) { return std::pair(outage.severity, outage.kind != chaos::OutageKind::kServiceDegraded); };
  std::stable_sort(worst.begin(), worst.end(), [&](const chaos::Outage* a, const chaos::Outage* b) {
    return rank(*a) != rank(*b) ? rank(*a) > rank(*b) : a->length() > b->length();
  });
  const std::size_t total = worst.size() + verdict.outages_left_out;
  // One line for what happened to one thing again and again, and for what happened to many things at once.
  struct Line {
    const chaos::Outage* worst = nullptr;
    std::size_t times = 0;
    sim::SimDuration in_all{};
    std::size_t others = 0;  // things
  };
  std::vector<Line> lines;
  std::map<std::pair<std::string, chaos::OutageKind>, std::size_t> of_thing;
  for (const chaos::Outage* outage : worst) {
    const auto [place, is_new] = of_thing.try_emplace({outage->subject, outage->kind}, lines.size());
    if (is_new) lines.push_back(Line{outage, 0, {}, 0});
    ++lines[place->second].times;
    lines[place->second].in_all += outage->length();
  }
  std::map<std::tuple<chaos::OutageKind, sim::SimTime, sim::SimTime, std::string, std::size_t>, std::size_t> of_moment;
  std::vector<Line> shown;
  for (const Line& line : lines) {
    const auto [place, is_new] = of_moment.try_emplace({line.worst->kind, line.worst->start, line.worst->end, line.worst->why.fault, line.times}, shown.size());
    if (is_new) shown.push_back(line);
    else ++shown[place->second].others;
  }
  out += style.bold(fmt::format("  Outages ({}{})\n", total, shown.size() > kShown || total > worst.size() ? ", the worst of them" : ""));
  for (std::size_t i = 0; i < shown.size() && i < kShown; ++i) {
    const Line& line = shown[i];
    const chaos::Outage& outage = *line.worst;
    const std::string length = sim::humanize(outage.length()) + (outage.open ? "+" : "");
    const std::string suffix = (line.others > 0 ? fmt::format(" and {} more", line.others) : std::string()) + (line.times > 1 ? fmt::format(", {} times, {} in all", line.times, sim::humanize(line.in_all)) : std::string());
    // What it is must be read, also when the thing has a long name.
    const std::string kind = fmt::format(" {}{}", chaos::to_string(outage.kind), suffix);
    constexpr std::size_t kWide = 48;
    const std::string what = cut(outage.subject, kind.size() + 12 < kWide ? kWide - kind.size() : 12) + kind;
    const std::string head = fmt::format("   {:>10}  {:>8}  {:<48}", at(outage.start), length, what);
    const bool is_alert = outage.severity == chaos::Severity::kAlert;
    const std::string because = outage.why.fault.empty() ? std::string() : "  ← " + outage.why.fault;
    out += (is_alert ? style.bad(head) : style.warn(head)) + style.dim(cut(because, width > 95 ? width - 75 : 20)) + "\n";
    if (outage.detection && is_alert) {
      const std::string told = told_text(*outage.detection);
      out += fmt::format("{:<25}{}\n", "", outage.detection->told == chaos::Severity::kAlert ? style.dim(told) : style.bad(told));
    }
  }
  out += '\n';
}

void write_services(std::string& out, const chaos::Verdict& verdict, const Style& style) {
  std::vector<const chaos::AvailabilityStats*> rows;
  for (const chaos::AvailabilityStats& stats : verdict.components) rows.push_back(&stats);
  std::size_t perfect = 0;
  for (const chaos::AvailabilityStats& stats : verdict.services) {
    if (stats.availability >= 1.0) {
      ++perfect;
    } else {
      rows.push_back(&stats);
    }
  }
  if (rows.empty() && perfect == 0) return;
  out += style.bold("  Availability") + style.dim("                                   share      outages   longest\n");
  constexpr std::size_t kShown = 16;
  std::size_t shown = 0;
  for (const chaos::AvailabilityStats* stats : rows) {
    if (++shown > kShown) break;
    const std::string row = fmt::format("   {:<44} {:>9.4f} % {:>7} {:>9}", cut(stats->subject, 44), stats->availability * 100.0, stats->outages,
                                        stats->outages == 0 ? "-" : sim::humanize(stats->longest));
    out += (stats->availability >= 0.9999 ? row : style.warn(row)) + "\n";
  }
  if (rows.size() > kShown) out += style.dim(fmt::format("   … {} more in summary.json\n", rows.size() - kShown));
  if (perfect > 0) out += style.dim(fmt::format("   {} service{} without any interruption\n", perfect, perfect == 1 ? "" : "s"));
  out += '\n';
}

void write_requests(std::string& out, const chaos::Verdict& verdict, const Style& style) {
  if (verdict.requests.empty()) return;
  out += style.bold("  Requests") + style.dim("                                    answered   at worst       p50       p99\n");
  constexpr std::size_t kShown = 16;
  for (std::size_t i = 0; i < std::min(kShown, verdict.requests.size()); ++i) {
    const chaos::RequestStats& stats = verdict.requests[i];
    const std::string row = fmt::format("   {:<40} {:>9.4f} % {:>8.2f} % {:>9} {:>9}", cut(stats.subject, 40), stats.success * 100.0, stats.lowest * 100.0,
                                        sim::humanize(sim::from_seconds(stats.p50)), sim::humanize(sim::from_seconds(stats.p99)));
    out += (stats.success >= 0.9999 ? row : style.warn(row)) + "\n";
  }
  if (verdict.requests.size() > kShown) out += style.dim(fmt::format("   … {} more in summary.json\n", verdict.requests.size() - kShown));
  out += '\n';
}

}  // namespace

std::string terminal_summary(const RunReport& report, bool colour, int width_asked) {
  const Style style{colour};
  const std::size_t width = static_cast<std::size_t>(std::clamp(width_asked, 60, 160));
  const chaos::RunOutcome& outcome = *report.outcome;
  const chaos::Verdict& verdict = outcome.verdict;
  std::string out;
  out += fmt::format("\n  {}  {}\n", style.bold(report.scenario), style.dim(fmt::format("seed {}", report.seed)));
  const std::string first_line = report.description.substr(0, report.description.find('\n'));
  if (!first_line.empty()) out += fmt::format("  {}\n", style.dim(cut(first_line, width - 4)));
  out += '\n';

  std::size_t failed = 0;
  for (const chaos::ExpectationResult& result : verdict.expectations) failed += result.held ? 0 : 1;
  std::string headline;
  if (verdict.expectations.empty()) {
    headline = style.bold("NO OBJECTIVES") + "  the scenario expects nothing: see the outages below";
  } else if (failed == 0) {
    headline = style.good("HELD") + fmt::format("  all {} objectives hold", verdict.expectations.size());
  } else {
    headline = style.bad("FAILED") + fmt::format("  {} of {} objectives do not hold", failed, verdict.expectations.size());
  }
  out += fmt::format("  {}\n", headline);
  out += fmt::format("  {}\n\n", style.dim(fmt::format("{} simulated in {:.2f} s: {} events, {} records, {} nodes, {} pods at the end{}",
                                                       sim::humanize(verdict.ended.time_since_epoch()), report.wall_seconds, outcome.engine_stats.executed, outcome.log_records,
                                                       verdict.nodes_at_end, verdict.pods_at_end,
                                                       verdict.complete ? "" : " (stopped early: this is what was seen so far)")));
  write_objectives(out, verdict, style, width);
  for (const chaos::FaultRun& fault : verdict.faults) {
    if (fault.failed) out += fmt::format("  {} {}: {}\n", style.warn("fault"), fault.name, fault.outcome);
  }
  write_outages(out, verdict, style, width);
  write_monitoring(out, verdict, style);
  write_services(out, verdict, style);
  write_requests(out, verdict, style);
  out += fmt::format("  {}\n", style.dim("eventLogHash " + outcome.event_log_hash));
  return out;
}

}  // namespace analysis
