#include "analysis/survival_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "analysis/json_text.hpp"
#include "analysis/run_report.hpp"
#include "analysis/text_layout.hpp"
#include "sim/core/time.hpp"

namespace analysis {

namespace {

/// How bad a combination is, worse is greater.
struct Badness {
  double lost = 0.0;     // the pools' share of PGs, added up
  bool never = false;    // I/O stops and does not come back by itself
  double stopped = 0.0;
  bool no_quorum = false;
  sim::SimDuration back{};
  double paused = 0.0;
  friend auto operator<=>(const Badness&, const Badness&) = default;
};

Badness badness_of(const Survival& survival, const Combination& combination) {
  Badness bad;
  bad.no_quorum = !combination.quorum;
  for (std::size_t p = 0; p < survival.pools.size(); ++p) {
    const PoolEffect& effect = combination.pools[p];
    const double all = survival.pools[p].pg_num;
    bad.lost += effect.lost / all;
    bad.stopped += effect.stopped / all;
    bad.paused += effect.paused / all;
    if (effect.back == kNeverBack) bad.never = true;
    else bad.back = std::max(bad.back, effect.back);
  }
  return bad;
}

bool is_bad(const Combination& combination) { return !combination.quorum || combination.stops() || combination.loses(); }
bool comes_back(const Combination& combination) {
  return std::all_of(combination.pools.begin(), combination.pools.end(), [](const PoolEffect& pool) { return pool.back != kNeverBack; });
}

/// What it does that none of its parts does: the parts of a bad combination are bad to at most the same degree, so one less is enough to look at.
std::vector<bool> minimal_ones(const Survival& survival) {
  std::map<std::vector<std::uint32_t>, std::size_t> index;
  std::vector<bool> minimal(survival.combinations.size(), false);
  for (std::size_t i = 0; i < survival.combinations.size(); ++i) {
    const Combination& one = survival.combinations[i];
    index[one.elements] = i;
    bool quorum_before = true;
    std::vector<bool> stopped_before(survival.pools.size(), false);
    std::vector<bool> lost_before(survival.pools.size(), false);
    for (std::size_t e = 0; e < one.elements.size(); ++e) {
      std::vector<std::uint32_t> rest = one.elements;
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(e));
      const Combination& part = survival.combinations[index.at(rest)];
      quorum_before = quorum_before && part.quorum;
      for (std::size_t p = 0; p < survival.pools.size(); ++p) {
        if (part.pools[p].stopped > 0) stopped_before[p] = true;
        if (part.pools[p].lost > 0) lost_before[p] = true;
      }
    }
    bool adds = !one.quorum && quorum_before;
    for (std::size_t p = 0; p < survival.pools.size(); ++p) {
      adds = adds || (one.pools[p].stopped > 0 && !stopped_before[p]) || (one.pools[p].lost > 0 && !lost_before[p]);
    }
    minimal[i] = adds;
  }
  return minimal;
}

using Signature = std::array<std::size_t, kElementClasses>;
Signature signature_of(const Survival& survival, const Combination& combination) {
  Signature signature{};
  for (const std::uint32_t e : combination.elements) ++signature[static_cast<std::size_t>(survival.elements[e].kind)];
  return signature;
}
/// "2 nodes", "node + disk", "nothing".
std::string name_of(const Signature& signature) {
  std::string name;
  std::size_t kinds = 0;
  for (const std::size_t n : signature) kinds += n > 0 ? 1u : 0u;
  for (std::size_t i = 0; i < kElementClasses; ++i) {
    if (signature[i] == 0) continue;
    const std::string kind = to_string(static_cast<ElementClass>(i));
    if (!name.empty()) name += " + ";
    name += signature[i] == 1 ? (kinds == 1 ? "1 " : "") + kind : fmt::format("{} {}s", signature[i], kind);
  }
  return name.empty() ? "nothing" : name;
}

struct Group {
  Signature signature{};
  std::size_t faults = 0;
  std::size_t all = 0;
  std::size_t lose = 0;
  std::size_t stop = 0;
  std::size_t not_back = 0;
  std::size_t no_quorum = 0;
  std::size_t pause = 0;  // and nothing worse
  sim::SimDuration back_max{};  // of those that are back by themselves
  Badness worst;
};

/// By number of failures; in each, what breaks most first.
std::vector<Group> groups_of(const Survival& survival) {
  std::map<Signature, Group> groups;
  for (const Combination& one : survival.combinations) {
    const Signature signature = signature_of(survival, one);
    Group& group = groups[signature];
    group.signature = signature;
    group.faults = one.elements.size();
    ++group.all;
    group.lose += one.loses() ? 1u : 0u;
    group.stop += one.stops() ? 1u : 0u;
    group.not_back += one.stops() && !comes_back(one) ? 1u : 0u;
    group.no_quorum += one.quorum ? 0u : 1u;
    group.pause += one.is_touched() && !is_bad(one) ? 1u : 0u;
    const Badness bad = badness_of(survival, one);
    group.back_max = std::max(group.back_max, bad.back);
    group.worst = std::max(group.worst, bad);
  }
  std::vector<Group> list;
  for (auto& [signature, group] : groups) list.push_back(group);
  std::stable_sort(list.begin(), list.end(), [](const Group& a, const Group& b) { return a.faults != b.faults ? a.faults < b.faults : a.worst > b.worst; });
  return list;
}

std::string sets_of(std::size_t faults, std::size_t count) {
  static constexpr const char* kOne[] = {"", "failure", "pair", "triple"};
  if (faults >= 1 && faults <= 3) return fmt::format("{} {}{}", count, kOne[faults], count == 1 ? "" : "s");
  return fmt::format("{} set{} of {}", count, count == 1 ? "" : "s", faults);
}

std::string effect_text(const Survival& survival, const Combination& combination) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  for (std::size_t p = 0; p < survival.pools.size(); ++p) {
    const PoolEffect& effect = combination.pools[p];
    const std::uint32_t all = survival.pools[p].pg_num;
    const std::string& pool = survival.pools[p].name;
    if (effect.lost > 0) add(fmt::format("loses {} of {} PGs of {}", effect.lost, all, pool));
    if (effect.stopped > 0) {
      add(effect.stopped == all ? fmt::format("stops all of {}", pool) : fmt::format("stops {} of {} PGs of {}", effect.stopped, all, pool));
    }
  }
  if (!combination.quorum) add("takes the quorum");
  return text.empty() ? "stops nothing" : text;
}

/// What it breaks, without how much of it: combinations of one kind are told together.
std::string kind_of(const Survival& survival, const Combination& combination) {
  std::string kind = combination.quorum ? "q" : "-";
  kind += comes_back(combination) ? "b" : "-";
  for (std::size_t p = 0; p < survival.pools.size(); ++p) {
    const PoolEffect& effect = combination.pools[p];
    kind += effect.lost > 0 ? "l" : effect.stopped == survival.pools[p].pg_num ? "a" : effect.stopped > 0 ? "s" : "-";
  }
  return kind;
}

std::string back_text(const Survival& survival, const Combination& combination) {
  const Badness bad = badness_of(survival, combination);
  if (bad.never) return "never without a person";
  if (bad.back == sim::SimDuration::zero()) return "-";
  return (combination.simulated ? "after " : "after about ") + sim::humanize(bad.back);
}

/// The worst combination of that many failures for which `is` holds.
template <class Is>
const Combination* worst_of(const Survival& survival, std::size_t faults, Is&& is) {
  const Combination* worst = nullptr;
  Badness bad;
  for (const Combination& one : survival.combinations) {
    if (one.elements.size() != faults || !is(one)) continue;
    const Badness its = badness_of(survival, one);
    if (worst != nullptr && !(bad < its)) continue;
    worst = &one;
    bad = its;
  }
  return worst;
}

std::string how_often(double per_year) {
  if (per_year >= 1.0) return fmt::format("{:.1f} times a year", per_year);
  const double years = 1.0 / per_year;
  if (years < 100.0) return fmt::format("once in {:.1f} years", years);
  if (years < 1e6) return fmt::format("once in {:.0f} years", years);
  return fmt::format("once in {:.1e} years", years);
}

/// Digits enough to show what is missing from 100 %.
std::string percent_text(double unavailability) {
  const double available = 100.0 * (1.0 - unavailability);
  if (unavailability <= 0.0) return "100 %";
  int digits = 2;
  for (double rest = unavailability * 100.0; rest < 0.1 && digits < 12; rest *= 10.0) ++digits;
  return fmt::format("{:.{}f} %", available, digits);
}

std::string a_year(double unavailability) { return sim::humanize(sim::from_seconds(unavailability * kHoursPerYear * 3600.0)); }

/// The number, or a dash.
std::string number(std::size_t n) { return n == 0 ? "-" : fmt::format("{}", n); }

constexpr std::size_t kShown = 12;

}  // namespace

std::string survival_verdict(const Survival& survival) {
  const auto first = [&](auto&& is) -> std::optional<std::size_t> {
    for (const Combination& one : survival.combinations) {
      if (is(one)) return one.elements.size();
    }
    return std::nullopt;
  };
  const std::optional<std::size_t> stop = first([](const Combination& c) { return c.stops(); });
  const std::optional<std::size_t> lose = first([](const Combination& c) { return c.loses(); });
  const std::optional<std::size_t> quorum = first([](const Combination& c) { return !c.quorum; });
  const auto any = [](std::size_t n) { return fmt::format("any {} failure{}", n, n == 1 ? "" : "s"); };
  const auto with = [&](std::size_t faults, auto&& is) {
    const std::size_t all = static_cast<std::size_t>(std::count_if(survival.combinations.begin(), survival.combinations.end(), [&](const Combination& c) { return c.elements.size() == faults; }));
    const std::size_t bad = static_cast<std::size_t>(std::count_if(survival.combinations.begin(), survival.combinations.end(), [&](const Combination& c) { return c.elements.size() == faults && is(c); }));
    return fmt::format("{} of {}", bad, sets_of(faults, all));
  };
  std::string text;
  if (stop && *stop == 0) {
    return fmt::format("Does not work even with nothing broken: {}. CRUSH finds too few places for the copies: fewer than min_size.",
                       effect_text(survival, survival.combinations.front()));
  }
  if (!stop) {
    text = survival.faults == 0 ? "Works with nothing broken; no failures were looked at." : fmt::format("Survives {}: no I/O stops for longer than the failure takes to be noticed.", any(survival.faults));
  } else {
    const auto stops = [](const Combination& c) { return c.stops(); };
    const Combination& worst = *worst_of(survival, *stop, stops);
    const std::string back = back_text(survival, worst);
    text = *stop == 1 ? "Does not survive every single failure" : fmt::format("Survives {}; not any {}", any(*stop - 1), *stop);
    text += fmt::format(": {} stop I/O. Worst: {} {}; I/O comes back {}.", with(*stop, stops), survival.name_of(worst), effect_text(survival, worst), back);
  }
  if (quorum && (!stop || *quorum < *stop)) {
    const auto loses_quorum = [](const Combination& c) { return !c.quorum; };
    text += fmt::format(" The quorum falls to {} ({}).", with(*quorum, loses_quorum), survival.name_of(*worst_of(survival, *quorum, loses_quorum)));
  }
  if (lose) {
    const auto loses = [](const Combination& c) { return c.loses(); };
    const Combination& worst = *worst_of(survival, *lose, loses);
    text += fmt::format(" Data are lost by {}, for example {}.", with(*lose, loses), survival.name_of(worst));
  } else if (survival.faults > 0) {
    text += fmt::format(" No {} lose{} data.", survival.faults == 1 ? "failure" : fmt::format("{} failures", survival.faults), survival.faults == 1 ? "s" : "");
  }
  return text;
}

std::string survival_text(const SurvivalReport& report, bool colour, int width_asked) {
  const Survival& survival = *report.survival;
  const auto style = [&](const char* code, std::string_view content) { return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, content) : std::string(content); };
  const auto width = static_cast<std::size_t>(std::clamp(width_asked, 80, 160));
  std::string out = "\n  " + style("1", report.scenario) + fmt::format(": {} host{}, {} OSDs, {} monitor{} (quorum: {}); up to {} of {} elements fail at once{}\n\n", survival.hosts,
                                                                       survival.hosts == 1 ? "" : "s", survival.osds, survival.mons, survival.mons == 1 ? "" : "s", survival.mons_needed,
                                                                       survival.faults, survival.elements.size(), survival.nodes_destroyed ? "; failed nodes are destroyed" : "");
  // The verdict, in lines.
  std::string line = " ";
  const std::string verdict = survival_verdict(survival);
  std::string lines;
  for (std::size_t at = 0; at < verdict.size();) {
    const std::size_t end = std::min(verdict.find(' ', at), verdict.size());
    if (line.size() + 1 + end - at > width) lines += std::exchange(line, " ") + "\n";
    line += " " + verdict.substr(at, end - at);
    at = end + 1;
  }
  out += style("1", lines + line) + "\n\n";

  const std::vector<Group> groups = groups_of(survival);
  std::size_t name_width = 12;
  for (const Group& group : groups) name_width = std::max(name_width, name_of(group.signature).size());
  out += style("2", fmt::format("  {:<{}} {:>8} {:>10} {:>10} {:>12} {:>10} {:>8}  {}", "what fails", name_width, "sets", "lose data", "stop I/O", "of them for", "no quorum", "pause", "longest wait")) + "\n";
  out += style("2", fmt::format("  {:<{}} {:>8} {:>10} {:>10} {:>12} {:>10} {:>8}  {}", "", name_width, "", "", "", "a person", "", "", "that ends by itself")) + "\n";
  std::size_t harmless_sets = 0;
  std::vector<std::string> harmless;
  for (const Group& group : groups) {
    if (group.faults == 0) continue;
    if (group.lose + group.stop + group.no_quorum + group.pause == 0) {
      harmless.push_back(name_of(group.signature));
      harmless_sets += group.all;
      continue;
    }
    const char* tone = group.lose > 0 || group.not_back > 0 ? "31" : group.stop > 0 || group.no_quorum > 0 ? "33" : "32";
    out += style(tone, fmt::format("  {:<{}} {:>8} {:>10} {:>10} {:>12} {:>10} {:>8}  {}", name_of(group.signature), name_width, group.all, number(group.lose), number(group.stop),
                                   number(group.not_back), number(group.no_quorum), number(group.pause),
                                   group.back_max == sim::SimDuration::zero() ? "-" : sim::humanize(group.back_max))) +
           "\n";
  }
  if (!harmless.empty()) {
    out += cut(fmt::format("  harmless, {} set{}: {}", harmless_sets, harmless_sets == 1 ? "" : "s", fmt::join(harmless, ", ")), width) + "\n";
  }

  // The worst, each with what it does that no part of it does.
  const std::vector<bool> minimal = minimal_ones(survival);
  std::vector<std::pair<Badness, std::size_t>> worst;
  for (std::size_t i = 0; i < survival.combinations.size(); ++i) {
    if (minimal[i] && is_bad(survival.combinations[i])) worst.emplace_back(badness_of(survival, survival.combinations[i]), i);
  }
  std::stable_sort(worst.begin(), worst.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  if (!worst.empty()) {
    // Those of one kind share a line, which shows the worst of them: "osd.0 + osd.4 (and 11 more)".
    struct Line {
      std::string who;
      std::string what;
      std::string back;
      std::size_t more = 0;
    };
    std::vector<Line> shown;
    std::map<std::pair<Signature, std::string>, std::size_t> known;
    std::size_t hidden = 0;
    for (const auto& [bad, i] : worst) {
      const Combination& one = survival.combinations[i];
      const auto [place, is_new] = known.try_emplace({signature_of(survival, one), kind_of(survival, one)}, shown.size());
      if (is_new && shown.size() < kShown) shown.push_back({survival.name_of(one), effect_text(survival, one), back_text(survival, one), 0});
      else if (place->second < shown.size()) ++shown[place->second].more;
      else ++hidden;
    }
    std::size_t who_width = 10;
    std::size_t what_width = 10;
    for (Line& each : shown) {
      if (each.more > 0) each.who += fmt::format(" (and {} more)", each.more);
      who_width = std::max(who_width, each.who.size());
      what_width = std::max(what_width, each.what.size());
    }
    out += "\n" + style("1", "  Worst first (only sets of which no part does the same)") + "\n";
    out += style("2", fmt::format("  {:<{}}  {:<{}}  {}", "fails", who_width, "what it does", what_width, "I/O comes back")) + "\n";
    for (const Line& each : shown) out += fmt::format("  {:<{}}  {:<{}}  {}\n", each.who, who_width, each.what, what_width, each.back);
    if (hidden > 0) out += fmt::format("  and {} more (--format json lists them)\n", hidden);
  }

  out += "\n" + style("1", "  In the long run") + style("2", "  (failures independent, means of --mttf and --mttr; neither healing nor pauses are counted)") + "\n";
  std::size_t label = 8;
  for (const SurvivalPool& pool : survival.pools) label = std::max(label, pool.name.size() + 5);
  const std::string never = fmt::format("not by {} failure{}", survival.faults == 0 ? "no" : fmt::format("up to {}", survival.faults), survival.faults == 1 ? "" : "s");
  const auto long_run = [&](const std::string& name, const LongRun& figures) {
    const std::string mean = figures.per_year > 0.0 && figures.unavailability < 1.0 ? ", " + a_year(figures.unavailability / figures.per_year) + " each" : "";
    const std::string often = figures.per_year > 0.0 ? "stops " + how_often(figures.per_year) : figures.unavailability > 0.0 ? "never works" : never;
    out += fmt::format("  {:<{}}  {:>16}  {}{}\n", name, label, percent_text(figures.unavailability), often, mean);
  };
  long_run("quorum", survival.quorum);
  for (const SurvivalPool& pool : survival.pools) {
    long_run(pool.name + " I/O", pool.io);
    out += fmt::format("  {:<{}}  {:>16}  {}\n", pool.name + " data", label, "", pool.losses_per_year > 0.0 ? "lost " + how_often(pool.losses_per_year) : never);
  }
  out += fmt::format("  not enumerated: more than {} broken at once, at most {} of a year ({:.2g} of the time)\n", survival.faults, a_year(survival.beyond), survival.beyond);

  out += "\n";
  if (survival.touched > 0) {
    out += survival.simulated == survival.touched
               ? fmt::format("  Waits: simulated, one run of the cluster for each of {} sets that touch data.\n", survival.touched)
               : fmt::format("  Waits: {} of the {} sets that touch data simulated, the others estimated: markdown, down to out, bytes over bandwidth (--simulate N allows more runs).\n", survival.simulated, survival.touched);
  }
  if (!survival.complete) out += "  Stopped before all runs were made: the waits that are missing are estimated.\n";
  for (const std::string& note : report.notes) out += fmt::format("  note: {}\n", note);
  out += "\n";
  return out;
}

std::string survival_json(const SurvivalReport& report) {
  const Survival& survival = *report.survival;
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  const auto count = [&](const char* name, std::size_t value) { field(writer, name, static_cast<std::uint64_t>(value)); };
  writer.StartObject();
  field(writer, "schemaVersion", std::int64_t{kSummarySchemaVersion});
  field(writer, "program", std::string("squall ") + program_version());
  field(writer, "kind", "survival");
  field(writer, "scenario", report.scenario);
  field(writer, "file", report.file);
  field(writer, "complete", survival.complete);
  field(writer, "verdict", survival_verdict(survival));
  count("faults", survival.faults);
  field(writer, "nodesDestroyed", survival.nodes_destroyed);
  count("hosts", survival.hosts);
  count("osds", survival.osds);
  count("mons", survival.mons);
  count("monsNeeded", survival.mons_needed);
  key(writer, "elements");
  writer.StartArray();
  for (const SurvivalElement& element : survival.elements) {
    writer.StartObject();
    field(writer, "name", element.name);
    field(writer, "class", to_string(element.kind));
    field(writer, "mttfHours", element.times.to_failure);
    field(writer, "mttrHours", element.times.to_repair);
    field(writer, "unavailability", element.times.unavailability());
    writer.EndObject();
  }
  writer.EndArray();
  key(writer, "groups");
  writer.StartArray();
  for (const Group& group : groups_of(survival)) {
    writer.StartObject();
    field(writer, "fails", name_of(group.signature));
    count("sets", group.all);
    count("loseData", group.lose);
    count("stopIo", group.stop);
    count("notBackByItself", group.not_back);
    count("noQuorum", group.no_quorum);
    count("pauseOnly", group.pause);
    field(writer, "longestBackSeconds", group.back_max);
    writer.EndObject();
  }
  writer.EndArray();
  const std::vector<bool> minimal = minimal_ones(survival);
  std::vector<std::pair<Badness, std::size_t>> listed;
  for (std::size_t i = 0; i < survival.combinations.size(); ++i) {
    const Combination& one = survival.combinations[i];
    if (is_bad(one) || one.is_touched()) listed.emplace_back(badness_of(survival, one), i);
  }
  std::stable_sort(listed.begin(), listed.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  key(writer, "combinations");
  writer.StartArray();
  for (std::size_t at = 0; at < std::min(listed.size(), kSurvivalListed); ++at) {
    const Combination& one = survival.combinations[listed[at].second];
    writer.StartObject();
    key(writer, "elements");
    writer.StartArray();
    for (const std::uint32_t e : one.elements) text(writer, survival.elements[e].name);
    writer.EndArray();
    field(writer, "quorum", one.quorum);
    field(writer, "minimal", static_cast<bool>(minimal[listed[at].second]));
    field(writer, "probability", one.probability);
    field(writer, "waitsAre", one.simulated ? "simulated" : "estimated");
    key(writer, "pools");
    writer.StartArray();
    for (std::size_t p = 0; p < survival.pools.size(); ++p) {
      const PoolEffect& effect = one.pools[p];
      writer.StartObject();
      field(writer, "name", survival.pools[p].name);
      count("pgsPaused", effect.paused);
      count("pgsStopped", effect.stopped);
      count("pgsHeld", effect.held);
      count("pgsLost", effect.lost);
      key(writer, "backSeconds");
      if (effect.back == kNeverBack) writer.Null();
      else writer.Double(sim::seconds(effect.back));
      writer.EndObject();
    }
    writer.EndArray();
    writer.EndObject();
  }
  writer.EndArray();
  count("combinationsLeftOut", listed.size() - std::min(listed.size(), kSurvivalListed));
  key(writer, "longRun");
  writer.StartObject();
  field(writer, "beyond", survival.beyond);
  const auto figures = [&](const LongRun& run) {
    field(writer, "unavailability", run.unavailability);
    field(writer, "stopsPerYear", run.per_year);
  };
  key(writer, "quorum");
  writer.StartObject();
  figures(survival.quorum);
  writer.EndObject();
  key(writer, "pools");
  writer.StartArray();
  for (const SurvivalPool& pool : survival.pools) {
    writer.StartObject();
    field(writer, "name", pool.name);
    count("pgNum", pool.pg_num);
    field(writer, "size", std::int64_t{pool.size});
    field(writer, "minSize", std::int64_t{pool.min_size});
    field(writer, "copiesNeeded", std::int64_t{pool.needed});
    field(writer, "erasure", pool.erasure);
    field(writer, "failureDomain", pool.failure_domain);
    figures(pool.io);
    field(writer, "lossesPerYear", pool.losses_per_year);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  key(writer, "recovery");
  writer.StartObject();
  count("touched", survival.touched);
  count("simulated", survival.simulated);
  writer.EndObject();
  key(writer, "notes");
  writer.StartArray();
  for (const std::string& note : report.notes) text(writer, note);
  writer.EndArray();
  writer.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

}  // namespace analysis
