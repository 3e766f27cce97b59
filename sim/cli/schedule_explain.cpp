#include "sim/cli/schedule_explain.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <map>
#include <vector>

#include "sim/models/kubernetes/scheduler/cycle_trace.hpp"

namespace cli {

using namespace sim::k8s;
using namespace sim::k8s::scheduling;

namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

constexpr std::size_t kNodesShown = 10;
constexpr std::size_t kNamesShown = 5;  // of those that one plugin rejects for one reason

const char* code_text(Code code) { return code == Code::kUnschedulable ? "Unschedulable" : "UnschedulableAndUnresolvable"; }

void text_value(Writer& writer, std::string_view text) { writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size())); }
void key(Writer& writer, std::string_view text) { writer.Key(text.data(), static_cast<rapidjson::SizeType>(text.size())); }

void status_fields(Writer& writer, const Status& status) {
  key(writer, "code");
  text_value(writer, code_text(status.code));
  key(writer, "reasons");
  writer.StartArray();
  for (const std::string& reason : status.reasons) text_value(writer, reason);
  writer.EndArray();
}

}  // namespace

struct ScheduleExplanation::Impl {
  explicit Impl(const sim::Interner& all_names) : names(all_names) {}

  const std::string& name_of(const Cache& cache, NodeIndex node) const { return names.text(cache.node(node).name); }
  std::string name_of_pod(const Cache& cache, PodSlot slot) const {
    return fmt::format("{}/{}", names.text(cache.pod(slot).ns), names.text(cache.pod(slot).name));
  }
  void write(const ObservedCycle& cycle);
  void write_nodes(const ObservedCycle& cycle);
  void write_preemption(const ObservedCycle& cycle);
  void tell(const ObservedCycle& cycle);

  const sim::Interner& names;
  rapidjson::StringBuffer buffer;
  Writer writer{buffer};
  std::string told;
};

void ScheduleExplanation::Impl::write_nodes(const ObservedCycle& cycle) {
  const CycleTrace& trace = cycle.trace;
  std::map<NodeIndex, std::size_t> place_of;
  for (std::size_t i = 0; i < trace.scored.size(); ++i) place_of.emplace(trace.scored[i], i);
  key(writer, "nodes");
  writer.StartObject();
  for (const NodeTrace& node : trace.nodes) {
    const auto place = place_of.find(node.node);
    if (node.rejections.empty() && node.verdict == kFits && place == place_of.end()) continue;
    key(writer, name_of(cycle.cache, node.node));
    writer.StartObject();
    if (!node.rejections.empty()) {
      key(writer, "filters");
      writer.StartObject();
      for (const StatusId id : node.rejections) {
        const Status& status = cycle.statuses.at(id);
        key(writer, to_string(status.plugin));
        writer.StartObject();
        status_fields(writer, status);
        writer.EndObject();
      }
      writer.EndObject();
    }
    if (node.verdict != kFits) {
      const Status& status = cycle.statuses.at(node.verdict);
      key(writer, "verdict");
      writer.StartObject();
      key(writer, "plugin");
      text_value(writer, to_string(status.plugin));
      status_fields(writer, status);
      writer.EndObject();
    }
    if (place != place_of.end()) {
      key(writer, "scores");
      writer.StartObject();
      for (const PluginScore& score : trace.scores) {
        key(writer, to_string(score.plugin));
        writer.StartObject();
        key(writer, "raw");
        writer.Int64(score.raw[place->second]);
        key(writer, "normalised");
        writer.Int64(score.normalised[place->second]);
        writer.EndObject();
      }
      writer.EndObject();
      key(writer, "total");
      writer.Int64(trace.totals[place->second]);
    }
    writer.EndObject();
  }
  writer.EndObject();
}

void ScheduleExplanation::Impl::write_preemption(const ObservedCycle& cycle) {
  const Preemption& preemption = cycle.decision.preemption;
  if (preemption.node == kNoNode) return;
  const auto victims = [&](const std::vector<PodSlot>& slots) {
    key(writer, "victims");
    writer.StartArray();
    for (const PodSlot slot : slots) text_value(writer, name_of_pod(cycle.cache, slot));
    writer.EndArray();
  };
  key(writer, "preemption");
  writer.StartObject();
  key(writer, "offset");
  writer.Uint64(preemption.offset);
  key(writer, "candidates");
  writer.StartObject();
  for (const PreemptionCandidate& candidate : preemption.candidates) {
    key(writer, names.text(candidate.name));
    writer.StartObject();
    victims(candidate.victims);
    key(writer, "violations");
    writer.Int64(candidate.budget_violations);
    writer.EndObject();
  }
  writer.EndObject();
  key(writer, "node");
  text_value(writer, name_of(cycle.cache, preemption.node));
  victims(preemption.victims);
  writer.EndObject();
}

void ScheduleExplanation::Impl::write(const ObservedCycle& cycle) {
  const CycleTrace& trace = cycle.trace;
  writer.StartObject();
  key(writer, "pod");
  text_value(writer, fmt::format("{}/{}", names.text(cycle.ns), names.text(cycle.name)));
  key(writer, "attempt");
  writer.Uint(cycle.attempt);
  if (trace.refused_by) {
    key(writer, "preFilter");
    writer.StartObject();
    key(writer, "plugin");
    text_value(writer, to_string(*trace.refused_by));
    status_fields(writer, Status{Code::kUnresolvable, *trace.refused_by, {trace.refusal}});
    writer.EndObject();
  }
  write_nodes(cycle);
  key(writer, "examined");
  writer.Uint64(cycle.decision.nodes_examined);
  key(writer, "feasible");
  writer.Uint64(cycle.decision.nodes_feasible);
  if (cycle.decision.node != kNoNode) {
    std::vector<std::string> best;
    for (const NodeIndex node : trace.best) best.push_back(name_of(cycle.cache, node));
    std::sort(best.begin(), best.end());
    key(writer, "best");
    writer.StartArray();
    for (const std::string& name : best) text_value(writer, name);
    writer.EndArray();
    key(writer, "node");
    text_value(writer, name_of(cycle.cache, cycle.decision.node));
  }
  write_preemption(cycle);
  if (!cycle.decision.message.empty()) {
    key(writer, "message");
    text_value(writer, cycle.decision.message);
  }
  writer.EndObject();
}

void ScheduleExplanation::Impl::tell(const ObservedCycle& cycle) {
  const CycleTrace& trace = cycle.trace;
  const Decision& decision = cycle.decision;
  told += fmt::format("\n{}/{}, attempt {}: ", names.text(cycle.ns), names.text(cycle.name), cycle.attempt);
  if (decision.node != kNoNode) {
    told += fmt::format("{}, one of {} best among {} that fit ({} examined)\n", name_of(cycle.cache, decision.node), trace.best.size(), decision.nodes_feasible,
                        decision.nodes_examined);
  } else {
    told += decision.message + "\n";
  }
  if (decision.preemption.node != kNoNode) {
    told += fmt::format("  preempts on {}:", name_of(cycle.cache, decision.preemption.node));
    for (const PodSlot victim : decision.preemption.victims) told += " " + name_of_pod(cycle.cache, victim);
    told += "\n";
  }
  std::map<std::string, std::vector<std::string>> rejections;
  for (const NodeTrace& node : trace.nodes) {
    for (const StatusId id : node.rejections) {
      const Status& status = cycle.statuses.at(id);
      rejections[fmt::format("{}: {}", to_string(status.plugin), fmt::join(status.reasons, ", "))].push_back(name_of(cycle.cache, node.node));
    }
  }
  for (const auto& [reason, nodes] : rejections) {
    const std::size_t shown = std::min(nodes.size(), kNamesShown);
    told += fmt::format("  rejects {} node{}: {} ({}{})\n", nodes.size(), nodes.size() == 1 ? "" : "s", reason, fmt::join(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                        nodes.size() > shown ? ", ..." : "");
  }
  if (trace.scored.empty()) return;
  std::vector<std::size_t> places(trace.scored.size());
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
  std::stable_sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) { return trace.totals[a] > trace.totals[b]; });
  for (std::size_t i = 0; i < std::min(places.size(), kNodesShown); ++i) {
    told += fmt::format("  {} {} =", name_of(cycle.cache, trace.scored[places[i]]), trace.totals[places[i]]);
    for (const PluginScore& score : trace.scores) {
      told += fmt::format(" {} {}x{} (raw {})", to_string(score.plugin), score.weight, score.normalised[places[i]], score.raw[places[i]]);
    }
    told += "\n";
  }
  if (places.size() > kNodesShown) told += fmt::format("  and {} more nodes\n", places.size() - kNodesShown);
}

ScheduleExplanation::ScheduleExplanation(const sim::Interner& names) : impl_(std::make_unique<Impl>(names)) { impl_->writer.StartArray(); }
ScheduleExplanation::~ScheduleExplanation() = default;

void ScheduleExplanation::add(const ObservedCycle& cycle) {
  impl_->write(cycle);
  impl_->tell(cycle);
}

std::string ScheduleExplanation::json() const { return std::string(impl_->buffer.GetString(), impl_->buffer.GetSize()) + "]"; }

std::string ScheduleExplanation::text() const { return "\nCycles\n" + impl_->told; }

}  // namespace cli
