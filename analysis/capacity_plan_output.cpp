#include "analysis/capacity_plan_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/assets.hpp"
#include "analysis/json_text.hpp"
#include "analysis/page.hpp"
#include "analysis/run_report.hpp"
#include "analysis/text_layout.hpp"
#include "sim/core/time.hpp"

namespace analysis {

namespace {

std::string money(double amount) { return fmt::format("{:.{}f}", amount, amount >= 1000.0 ? 0 : amount >= 1.0 ? 2 : 4); }
std::string percent(double share, int digits = 0) { return fmt::format("{:.{}f} %", share * 100.0, digits); }
std::string span(sim::SimDuration length) { return chaos::format_figure(chaos::Unit::kSeconds, sim::seconds(length)); }
/// Never rounded up to a whole that it is not.
std::string availability_text(double value) {
  if (value >= 1.0) return "100 %";
  const int digits = value > 0.99999 ? 5 : value > 0.999 ? 4 : 3;
  const double scale = std::pow(10.0, digits + 2);
  return fmt::format("{:.{}f} %", std::floor(value * scale) / scale * 100.0, digits);
}

std::string loss_text(const Loss& loss) { return loss.what.empty() ? "nothing lost" : fmt::format("{}", fmt::join(loss.what, " + ")); }

std::string broken_text(const Misplaced& broken) {
  return fmt::format("without {}: {} pod{} without a place, the first {}: {}", loss_text(broken.loss), broken.pods, broken.pods == 1 ? "" : "s", broken.pod, broken.message);
}

const UseOfResource* scarcest(const PlanDesign& design) {
  const UseOfResource* most = nullptr;
  for (const UseOfResource& use : design.placement.use) {
    if (most == nullptr || use.share() > most->share()) most = &use;
  }
  return most;
}

struct Table {
  std::vector<std::vector<std::string>> rows;
  std::string text(std::size_t left_columns) const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
      widths.resize(std::max(widths.size(), row.size()));
      for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
    }
    std::string out;
    for (const auto& row : rows) {
      std::string line;
      for (std::size_t c = 0; c < row.size(); ++c) line += c < left_columns ? fmt::format("{:<{}}  ", row[c], widths[c]) : fmt::format("{:>{}}  ", row[c], widths[c]);
      while (!line.empty() && line.back() == ' ') line.pop_back();
      out += line + "\n";
    }
    return out;
  }
};

}  // namespace

std::string design_name(const CapacityPlan& plan, const PlanDesign& design) {
  const PlanVariant& variant = plan.variants[design.variant];
  std::string text;
  for (std::size_t i = 0; i < design.counts.size(); ++i) {
    if (design.counts[i] > 0) text += fmt::format("{}{} x {}", text.empty() ? "" : " + ", design.counts[i], variant.ground->pools()[i].name);
  }
  if (text.empty()) text = "no nodes";
  return variant.name.empty() ? text : fmt::format("{}: {}", variant.name, text);
}

std::string plan_text(const PlanReport& report, bool colour, int width) {
  const CapacityPlan& plan = *report.plan;
  const auto bold = [&](const std::string& text) { return colour ? "\x1b[1m" + text + "\x1b[0m" : text; };
  const auto columns = static_cast<std::size_t>(std::max(60, width));
  std::string text = "\n" + bold(fmt::format("  Plan for {}", report.scenario)) + (plan.is_complete ? "" : "   (stopped: what was found so far)") + "\n\n";
  if (plan.chosen) {
    const PlanDesign& best = plan.designs[*plan.chosen];
    text += bold(fmt::format("  {}   {} {}\n", design_name(plan, best), money(best.cost), report.unit));
    text += fmt::format("    carries {} pods on {} nodes{}", best.placement.pods, best.placement.nodes, best.placement.losses > 0 ? fmt::format(", and after each of {} losses that were tried", best.placement.losses) : std::string());
    if (best.runs) {
      text += fmt::format("; {} runs of {}: ", best.runs->runs, span(report.asked.horizon.value_or(sim::SimDuration{})));
      text += best.runs->worst_service.empty() ? "no service to judge" : fmt::format("{} available {}", best.runs->worst_service, availability_text(best.runs->availability.estimate));
      if (!best.runs->is_sure) text += ", not sure yet: more --replications";
    }
    text += "\n";
  } else if (plan.designs.empty()) {
    text += bold("  No design of these pools does it.\n");
  } else {
    text += bold("  No design meets everything.\n");
  }
  for (const PlanVariant& variant : plan.variants) {
    const std::string name = variant.name.empty() ? "" : variant.name + ": ";
    if (!variant.homeless.empty()) {
      text += fmt::format("    {}{} fits no node of any of the pools, not even an empty one\n", name, variant.homeless);
    } else if (!variant.is_found) {
      text += fmt::format("    {}{} ({} placements tried)\n", name, variant.is_proven ? "nothing passes, all counts were looked through: " + variant.closest : "nothing found: " + variant.closest, variant.tests);
    } else {
      const auto best = std::find_if(plan.designs.begin(), plan.designs.end(), [&](const PlanDesign& d) { return &plan.variants[d.variant] == &variant && d.placement.is_good; });
      const double cost = best == plan.designs.end() ? variant.bound : best->cost;
      const double gap = variant.bound > 0.0 ? cost / variant.bound - 1.0 : 0.0;
      text += fmt::format("    {}nothing of at most {} pools below {} carries it{}; the cheapest found costs {}, {} more ({} placements tried)\n", name, report.asked.mix, money(variant.bound),
                          variant.is_proven ? " (proven)" : " (the search was cut off: --tests)", money(cost), percent(std::max(0.0, gap), 1), variant.tests);
    }
  }
  if (!plan.designs.empty()) {
    Table table;
    std::vector<std::string> head = {" ", "design", "found as", "cost", "nodes"};
    if (plan.is_simulated) head.insert(head.end(), {"runs", "availability", "interval", "longest", "expected"});
    head.insert(head.end(), {"one node", "one place", "fullest"});
    table.rows.push_back(head);
    for (std::size_t d = 0; d < plan.designs.size(); ++d) {
      const PlanDesign& design = plan.designs[d];
      std::vector<std::string> row = {plan.chosen == d ? "=>" : design.is_best_of_its_cost ? "*" : " ", design_name(plan, design), design.label, money(design.cost), fmt::format("{}", design.placement.nodes)};
      if (plan.is_simulated) {
        if (design.runs) {
          const PlanRuns& runs = *design.runs;
          row.push_back(fmt::format("{}{}", runs.runs, runs.is_out ? " out" : ""));
          row.push_back(runs.worst_service.empty() ? "-" : availability_text(runs.availability.estimate));
          row.push_back(runs.worst_service.empty() ? "-" : runs.is_constant ? "same in all" : fmt::format("[{}, {}]", availability_text(runs.availability.low), availability_text(runs.availability.high)));
          row.push_back(runs.outages == 0 ? "none" : span(runs.longest));
          row.push_back(fmt::format("{} of {}", runs.held, runs.runs));
        } else {
          row.insert(row.end(), {"-", "-", "-", "-", "-"});
        }
      }
      row.push_back(percent(design.placement.largest_node_share));
      row.push_back(design.placement.largest_place.empty() ? "-" : percent(design.placement.largest_place_share));
      const UseOfResource* fullest = scarcest(design);
      row.push_back(fullest == nullptr ? "-" : fmt::format("{} {}", fullest->name, percent(fullest->share())));
      table.rows.push_back(std::move(row));
    }
    text += "\n";
    const std::string body = table.text(3);
    for (std::size_t from = 0; from < body.size();) {
      const std::size_t stop = body.find('\n', from);
      text += "  " + body.substr(from, stop - from) + "\n";
      from = stop + 1;
    }
    text += fmt::format("\n  => the cheapest that meets everything   * nothing else is both cheaper and better (cost, availability, share on one node)\n"
                        "  one node, one place: share of the workload's pods that goes with the fullest node, and with the fullest zone or rack\n");
    if (plan.is_simulated) text += fmt::format("  intervals: {} each, {} for all of them together; `out`: dropped out of the race\n", percent(plan.confidence_each, 3), percent(report.confidence));
    text += "\n" + bold("  How each fails first") + "\n\n";
    for (const PlanDesign& design : plan.designs) {
      text += fmt::format("  {}\n", design_name(plan, design));
      if (design.placement.first) text += "    " + cut("it does not stand this: " + broken_text(*design.placement.first), columns * 2) + "\n";
      if (!design.placement.short_of.empty()) text += fmt::format("    too little headroom of {}\n", design.placement.short_of);
      if (design.breaks) text += "    " + cut(broken_text(*design.breaks), columns * 2) + "\n";
      else if (design.placement.is_good) text += "    no loss of up to three nodes, racks or zones leaves a pod without a place (of those that were tried)\n";
      if (!design.runs) continue;
      if (!design.runs->missed.empty()) text += fmt::format("    misses {}{}\n", fmt::join(design.runs->missed, ", "), design.runs->is_sure ? "" : " (not sure)");
      if (!design.runs->worst) {
        text += "    nothing happened in the runs\n";
        continue;
      }
      const chaos::Outage& worst = *design.runs->worst;
      text += fmt::format("    worst of the runs: {} {} for {}{} (seed {})\n", worst.subject, chaos::to_string(worst.kind), span(worst.length()), worst.open ? ", still so at the end" : "", design.runs->worst_seed);
      constexpr std::size_t kSteps = 4;
      for (std::size_t i = 0; i < std::min(kSteps, worst.why.steps.size()); ++i) {
        const chaos::CauseStep& step = worst.why.steps[i];
        text += cut(fmt::format("      {} {}  {}", i == 0 ? " " : "<-", instant(step.time), step.message), columns) + "\n";
      }
      if (worst.why.steps.size() > kSteps) text += cut(fmt::format("      <- {}  {}", instant(worst.why.steps.back().time), worst.why.steps.back().message), columns) + "\n";
    }
  }
  for (const std::string& note : plan.notes) text += fmt::format("\n  Note: {}\n", note);
  return text + "\n";
}

namespace {

template <class Writer>
void write_misplaced(Writer& writer, const Misplaced& broken) {
  writer.StartObject();
  key(writer, "lost");
  writer.StartArray();
  for (const std::string& what : broken.loss.what) text(writer, what);
  writer.EndArray();
  key(writer, "nodes");
  writer.StartArray();
  for (const std::string& node : broken.loss.nodes) text(writer, node);
  writer.EndArray();
  field(writer, "podsWithoutPlace", broken.pods);
  field(writer, "pod", broken.pod);
  field(writer, "message", broken.message);
  writer.EndObject();
}

template <class Writer>
void write_use(Writer& writer, const std::vector<UseOfResource>& all) {
  writer.StartArray();
  for (const UseOfResource& use : all) {
    writer.StartObject();
    field(writer, "resource", use.name);
    field(writer, "requested", use.requested);
    field(writer, "allocatable", use.allocatable);
    field(writer, "share", use.share());
    writer.EndObject();
  }
  writer.EndArray();
}

template <class Writer>
void write_runs(Writer& writer, const PlanRuns& runs) {
  writer.StartObject();
  field(writer, "runs", runs.runs);
  field(writer, "droppedOut", runs.is_out);
  field(writer, "worstService", runs.worst_service);
  field(writer, "availability", runs.availability.estimate);
  if (runs.is_constant || runs.worst_service.empty()) {
    field(writer, "constant", true);
  } else {
    key(writer, "interval");
    writer.StartArray();
    writer.Double(runs.availability.low);
    writer.Double(runs.availability.high);
    writer.EndArray();
  }
  field(writer, "outages", runs.outages);
  field(writer, "longestSeconds", runs.longest);
  if (runs.outages > 0) field(writer, "recovery99Seconds", runs.recovery.estimate);
  field(writer, "expectationsHeld", runs.held);
  field(writer, "runsWithPodsPendingAtEnd", runs.pending_runs);
  key(writer, "missed");
  writer.StartArray();
  for (const std::string& name : runs.missed) text(writer, name);
  writer.EndArray();
  field(writer, "sure", runs.is_sure);
  if (runs.worst) {
    key(writer, "worst");
    writer.StartObject();
    field(writer, "kind", chaos::to_string(runs.worst->kind));
    field(writer, "severity", chaos::to_string(runs.worst->severity));
    field(writer, "subject", runs.worst->subject);
    field(writer, "start", runs.worst->start);
    field(writer, "seconds", runs.worst->length());
    field(writer, "open", runs.worst->open);
    field(writer, "seed", runs.worst_seed);
    key(writer, "why");
    write_why(writer, runs.worst->why);
    writer.EndObject();
  }
  writer.EndObject();
}

}  // namespace

std::string plan_json(const PlanReport& report) {
  const CapacityPlan& plan = *report.plan;
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  writer.StartObject();
  field(writer, "schemaVersion", std::uint64_t{1});
  field(writer, "kind", "plan");
  field(writer, "program", program_version());
  field(writer, "scenario", report.scenario);
  field(writer, "file", report.file);
  field(writer, "unit", report.unit);
  field(writer, "complete", plan.is_complete);
  field(writer, "simulated", plan.is_simulated);
  field(writer, "confidence", report.confidence);
  if (plan.is_simulated) field(writer, "confidenceOfEachInterval", plan.confidence_each);
  key(writer, "chosen");
  if (plan.chosen) writer.Uint64(*plan.chosen);
  else writer.Null();
  key(writer, "variants");
  writer.StartArray();
  for (const PlanVariant& variant : plan.variants) {
    writer.StartObject();
    field(writer, "name", variant.name);
    if (!variant.description.empty()) field(writer, "description", variant.description);
    field(writer, "found", variant.is_found);
    field(writer, "proven", variant.is_proven);
    field(writer, "lowerBound", variant.bound);
    field(writer, "placementsTried", static_cast<std::uint64_t>(variant.tests));
    if (!variant.homeless.empty()) field(writer, "fitsNowhere", variant.homeless);
    if (!variant.closest.empty()) field(writer, "whyNot", variant.closest);
    writer.EndObject();
  }
  writer.EndArray();
  key(writer, "designs");
  writer.StartArray();
  for (const PlanDesign& design : plan.designs) {
    const PlanVariant& variant = plan.variants[design.variant];
    writer.StartObject();
    field(writer, "variant", variant.name);
    field(writer, "label", design.label);
    key(writer, "counts");
    writer.StartObject();
    for (std::size_t i = 0; i < design.counts.size(); ++i) {
      if (design.counts[i] > 0) field(writer, variant.ground->pools()[i].name, design.counts[i]);
    }
    writer.EndObject();
    field(writer, "cost", design.cost);
    field(writer, "meets", design.meets());
    field(writer, "paretoFront", design.is_best_of_its_cost);
    field(writer, "nodes", design.placement.nodes);
    field(writer, "pods", design.placement.pods);
    field(writer, "lossesTried", static_cast<std::uint64_t>(design.placement.losses));
    key(writer, "use");
    write_use(writer, design.placement.use);
    key(writer, "blastRadius");
    writer.StartObject();
    field(writer, "node", design.placement.largest_node);
    field(writer, "nodeShare", design.placement.largest_node_share);
    if (!design.placement.largest_place.empty()) {
      field(writer, "place", design.placement.largest_place);
      field(writer, "placeShare", design.placement.largest_place_share);
    }
    writer.EndObject();
    if (design.placement.first) {
      key(writer, "doesNotStand");
      write_misplaced(writer, *design.placement.first);
    }
    if (!design.placement.short_of.empty()) field(writer, "headroomShortOf", design.placement.short_of);
    if (design.breaks) {
      key(writer, "failsFirst");
      write_misplaced(writer, *design.breaks);
    }
    if (design.runs) {
      key(writer, "runs");
      write_runs(writer, *design.runs);
    }
    writer.EndObject();
  }
  writer.EndArray();
  key(writer, "notes");
  writer.StartArray();
  for (const std::string& note : plan.notes) text(writer, note);
  writer.EndArray();
  writer.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

std::string plan_html(const std::string& json) { return page_with_data(assets::plan_html(), json); }

std::string compaction_text(const CompactionReport& report) {
  const Compaction& c = *report.compaction;
  std::string text = fmt::format("\n  Compaction of {}: {} nodes that could go, {} pods\n\n", report.scenario, c.nodes, c.pods);
  if (c.kept.empty()) {
    if (c.nodes == 0) return text + "  There is no node to take away.\n\n";
    if (c.pending_with_all > c.pending_allowed) return text + fmt::format("  With all nodes {} pods have no place already.\n\n", c.pending_with_all);
    return text + "  Stopped before one order was through.\n\n";
  }
  std::vector<std::size_t> sorted = c.kept;
  std::sort(sorted.begin(), sorted.end());
  const auto share = [&](std::size_t nodes) { return percent(static_cast<double>(nodes) / static_cast<double>(c.nodes), 1); };
  text += fmt::format("  {} of {} nodes would do: {} (90th percentile of {} random orders; least {}, median {}, most {}){}\n", c.quantile_90, c.nodes, share(c.quantile_90), c.kept.size(), sorted.front(), sorted[sorted.size() / 2], sorted.back(),
                      c.is_complete ? "" : "   (stopped: not all orders)");
  for (const UseOfResource& use : c.use) text += fmt::format("    {:<24} {} of all nodes requested\n", use.name, percent(use.share(), 1));
  if (c.pending_allowed > 0) text += fmt::format("  up to {} pods may wait, so that a few picky ones do not decide\n", c.pending_allowed);
  for (std::size_t i = 0; i < c.kept.size(); ++i) {
    if (c.kept[i] != c.quantile_90 || c.bottleneck[i].empty()) continue;
    text += fmt::format("  one node fewer (order {}): {}\n", i + 1, c.bottleneck[i]);
    break;
  }
  return text + "\n";
}

std::string compaction_json(const CompactionReport& report) {
  const Compaction& c = *report.compaction;
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  writer.StartObject();
  field(writer, "schemaVersion", std::uint64_t{1});
  field(writer, "kind", "compaction");
  field(writer, "program", program_version());
  field(writer, "scenario", report.scenario);
  field(writer, "file", report.file);
  field(writer, "complete", c.is_complete);
  field(writer, "nodes", static_cast<std::uint64_t>(c.nodes));
  field(writer, "pods", c.pods);
  field(writer, "pendingAllowed", c.pending_allowed);
  field(writer, "pendingWithAllNodes", c.pending_with_all);
  key(writer, "nodesNeeded");
  if (c.kept.empty()) writer.Null();
  else writer.Uint64(c.quantile_90);
  key(writer, "orders");
  writer.StartArray();
  for (std::size_t i = 0; i < c.kept.size(); ++i) {
    writer.StartObject();
    field(writer, "kept", static_cast<std::uint64_t>(c.kept[i]));
    field(writer, "oneFewer", c.bottleneck[i]);
    writer.EndObject();
  }
  writer.EndArray();
  key(writer, "use");
  write_use(writer, c.use);
  writer.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

}  // namespace analysis
