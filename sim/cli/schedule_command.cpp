#include "sim/cli/schedule_command.hpp"

#include <fmt/format.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <vector>

#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/schedule_explain.hpp"
#include "sim/scenario/manifests.hpp"
#include "sim/scenario/scheduler_configuration.hpp"
#include "sim/scenario/start_times.hpp"

namespace cli {

namespace {

using namespace sim;
using namespace sim::k8s;

/// Pods named below one reason; the others are counted.
constexpr std::size_t kNamesMax = 5;

std::string full_name(const ApiServer& api, const PodFate& fate) {
  return fmt::format("{}/{}", api.names().text(fate.ns), api.names().text(fate.name));
}

void string(rapidjson::PrettyWriter<rapidjson::StringBuffer>& writer, std::string_view text) {
  writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

double percent(std::int64_t part, std::int64_t whole) { return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole); }

/// "1234.5 Gi" for people; exact numbers are in the JSON's input.
std::string rough_bytes(std::int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
  double amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (amount >= 10240 && unit + 1 < std::size(kUnits)) {
    amount /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", amount, unit == 0 ? 0 : 1, kUnits[unit]);
}

struct Usage {
  Resources allocatable;
  Resources requested;
  std::int64_t pods = 0;
  std::int64_t empty_nodes = 0;
  std::string fullest;  // by cpu
  double fullest_percent = -1;
};

Usage usage_of(const ApiServer& api, const ScheduleResult& result) {
  std::map<Symbol, std::pair<Resources, std::int64_t>> by_node;
  for (const PodFate& fate : result.pods) {
    const Pod* pod = api.get(fate.pod);
    if (!fate.node || pod == nullptr) continue;
    auto& [requested, count] = by_node[fate.node];
    requested.add(pod->spec->requests);
    ++count;
  }
  Usage usage;
  api.all<Node>().for_each([&](Ref<Node>, const Node& node) {
    usage.allocatable.add(node.allocatable);
    const auto found = by_node.find(node.meta.name);
    if (found == by_node.end()) {
      ++usage.empty_nodes;
      return;
    }
    usage.requested.add(found->second.first);
    usage.pods += found->second.second;
    const double full = percent(found->second.first.cpu_milli, node.allocatable.cpu_milli);
    const std::string& name = api.names().text(node.meta.name);
    if (full > usage.fullest_percent || (full == usage.fullest_percent && name < usage.fullest)) {
      usage.fullest_percent = full;
      usage.fullest = name;
    }
  });
  return usage;
}

/// A question without nodes has no answer, and "0 nodes, 0 pods" would look like one.
void no_nodes(const std::vector<std::string>& files, scenario::Diagnostics& diagnostics) {
  for (const std::string& file : files) {
    if (file == "-" || !is_scenario_file(file)) continue;
    diagnostics.error_in(file, "is a scenario, not a manifest").hint = fmt::format("its pods are scheduled by `squall run {}`", file);
    return;
  }
  scenario::Diagnostic& d = diagnostics.error_in(files.front(), files.size() == 1 ? "holds no v1 Node to schedule onto" : "neither this file nor the others hold a v1 Node to schedule onto");
  d.hint = "name a file with nodes too: kubectl get nodes -o yaml > nodes.yaml";
}

int schedule(const std::vector<std::string>& files, bool json, bool explain, const std::string& config_file) {
  Engine engine;
  Interner names;
  EventLog log(engine, names);
  ApiServer api(engine, log, names);
  SchedulerConfig configuration;
  {
    scenario::Diagnostics diagnostics;
    if (!config_file.empty()) {
      if (const auto document = scenario::load_file(config_file, diagnostics)) configuration = scenario::read_scheduler_configuration(document->root(), names, scenario::SchedulerPurpose::kDecisions, {}, diagnostics);
    }
    const scenario::ManifestSet set = scenario::read_manifests(files, names, diagnostics);
    if (!diagnostics.has_errors() && set.nodes.empty()) no_nodes(files, diagnostics);
    diagnostics.print(stderr);
    if (diagnostics.has_errors()) return kWrongInput;
    for (const std::string& existing : scenario::store(set, api)) {
      std::fputs(fmt::format("warning: {} is there already, the later one is left out\n", existing).c_str(), stderr);
    }
    scenario::keep_start_times(set, api);
  }
  for (const std::string& refused : expand_workloads(api).refused) std::fputs(fmt::format("warning: no pods are made of {}\n", refused).c_str(), stderr);
  const Randomness random(1);
  ScheduleExplanation explanation(api.names());
  const CycleObserver observer = [&](const ObservedCycle& cycle) { explanation.add(cycle); };
  const ScheduleResult result = schedule_all(api, configuration, random, explain ? observer : CycleObserver{});
  std::string output;
  if (json) {
    output = schedule_json(api, result, explain ? explanation.json() : std::string_view{});
  } else {
    output = schedule_text(api, result) + (explain ? explanation.text() : std::string{});
  }
  std::fwrite(output.data(), 1, output.size(), stdout);
  return kOk;
}

}  // namespace

std::string schedule_json(const ApiServer& api, const ScheduleResult& result, std::string_view cycles) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  writer.StartObject();
  writer.Key("nodes");
  writer.Uint64(result.nodes);
  writer.Key("pods");
  writer.Uint64(result.pods.size());
  writer.Key("scheduled");
  writer.Uint64(result.scheduled);
  writer.Key("placements");
  writer.StartObject();
  for (const PodFate& fate : result.pods) {
    if (!fate.node) continue;
    const std::string name = full_name(api, fate);
    writer.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
    string(writer, api.names().text(fate.node));
  }
  writer.EndObject();
  writer.Key("pending");
  writer.StartArray();
  for (const PodFate& fate : result.pods) {
    if (fate.node) continue;
    writer.StartObject();
    writer.Key("pod");
    string(writer, full_name(api, fate));
    writer.Key("message");
    string(writer, fate.message);
    writer.EndObject();
  }
  writer.EndArray();
  if (!cycles.empty()) {
    writer.Key("cycles");
    writer.RawValue(cycles.data(), cycles.size(), rapidjson::kArrayType);
  }
  writer.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

std::string schedule_text(const ApiServer& api, const ScheduleResult& result) {
  const Usage usage = usage_of(api, result);
  const std::size_t pending = result.pods.size() - result.scheduled;
  std::size_t bound = 0;
  for (const PodFate& fate : result.pods) bound += fate.was_bound && fate.node ? 1u : 0u;
  std::string text = fmt::format("{} node{}, {} pod{}: {} scheduled", result.nodes, result.nodes == 1 ? "" : "s", result.pods.size(), result.pods.size() == 1 ? "" : "s", result.scheduled);
  if (bound != 0) text += fmt::format(" ({} of them bound before)", bound);
  text += fmt::format(", {} pending\n\n", pending);

  struct Line {
    std::string resource, allocatable, requested, share;
  };
  std::vector<Line> lines = {{"resource", "allocatable", "requested", "share"}};
  const auto line = [&](std::string resource, std::string allocatable, std::string requested, double share) {
    lines.push_back(Line{std::move(resource), std::move(allocatable), std::move(requested), fmt::format("{:.1f} %", share)});
  };
  const auto cores = [](std::int64_t milli) { return fmt::format("{:.1f}", static_cast<double>(milli) / 1000); };
  line("cpu (cores)", cores(usage.allocatable.cpu_milli), cores(usage.requested.cpu_milli), percent(usage.requested.cpu_milli, usage.allocatable.cpu_milli));
  line("memory", rough_bytes(usage.allocatable.memory), rough_bytes(usage.requested.memory), percent(usage.requested.memory, usage.allocatable.memory));
  if (usage.requested.ephemeral_storage != 0) {
    line("ephemeral-storage", rough_bytes(usage.allocatable.ephemeral_storage), rough_bytes(usage.requested.ephemeral_storage),
         percent(usage.requested.ephemeral_storage, usage.allocatable.ephemeral_storage));
  }
  std::map<std::string, Symbol> others;
  for (const NamedAmount& entry : usage.allocatable.other) others.emplace(api.names().text(entry.name), entry.name);
  for (const auto& [name, symbol] : others) {
    line(name, fmt::format("{}", usage.allocatable.of(symbol)), fmt::format("{}", usage.requested.of(symbol)),
         percent(usage.requested.of(symbol), usage.allocatable.of(symbol)));
  }
  line("pods", fmt::format("{}", usage.allocatable.pods), fmt::format("{}", usage.pods), percent(usage.pods, usage.allocatable.pods));
  std::size_t widths[3] = {0, 0, 0};
  for (const Line& l : lines) {
    widths[0] = std::max(widths[0], l.resource.size());
    widths[1] = std::max(widths[1], l.allocatable.size());
    widths[2] = std::max(widths[2], l.requested.size());
  }
  for (const Line& l : lines) {
    text += fmt::format("  {:<{}}  {:>{}}  {:>{}}  {:>8}\n", l.resource, widths[0], l.allocatable, widths[1], l.requested, widths[2], l.share);
  }
  if (usage.fullest_percent >= 0) text += fmt::format("\n  fullest node by cpu: {} ({:.1f} %)", usage.fullest, usage.fullest_percent);
  text += fmt::format("\n  nodes without pods: {}\n", usage.empty_nodes);

  if (pending == 0) return text;
  std::map<std::string, std::vector<std::string>> by_message;
  for (const PodFate& fate : result.pods) {
    if (!fate.node) by_message[fate.message].push_back(full_name(api, fate));
  }
  std::vector<const std::pair<const std::string, std::vector<std::string>>*> groups;
  for (const auto& group : by_message) groups.push_back(&group);
  std::stable_sort(groups.begin(), groups.end(), [](const auto* a, const auto* b) { return a->second.size() > b->second.size(); });
  text += "\nPending\n";
  for (const auto* group : groups) {
    text += fmt::format("  {} pod{}: {}\n", group->second.size(), group->second.size() == 1 ? "" : "s", group->first);
    std::string listed;
    for (std::size_t i = 0; i < std::min(group->second.size(), kNamesMax); ++i) listed += (i == 0 ? "" : ", ") + group->second[i];
    if (group->second.size() > kNamesMax) listed += fmt::format(" and {} more", group->second.size() - kNamesMax);
    text += fmt::format("      {}\n", listed);
  }
  return text;
}

void add_schedule_command(CLI::App& app, int& exit_code) {
  struct Arguments {
    std::vector<std::string> files;
    std::string format = "text";
    bool explain = false;
    std::string config;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("schedule", "Schedules the pods and workloads of manifests onto their nodes: what fits, what stays Pending, and why");
  command->add_option("file", arguments->files, "Manifests or dumps (YAML or JSON), folders of them, or patterns; - reads standard input")->required()->option_text(" ");
  command->add_option("--format", arguments->format, "text for people (the default), json for programs")->check(CLI::IsMember({"text", "json"}))->option_text("text|json");
  command->add_flag("--explain", arguments->explain, "Why: per cycle which plugin rejects which node, the scores before and after normalisation, the choice, preemption");
  command->add_option("--config", arguments->config, "A KubeSchedulerConfiguration, as kube-scheduler takes it")->option_text("FILE");
  command->footer("The exit code is 0 whether everything fits or not.\n\nExamples: squall schedule nodes.yaml pods.yaml\n          kubectl get nodes,pods -A -o yaml | squall schedule -");
  command->callback([arguments, &exit_code] { exit_code = schedule(arguments->files, arguments->format == "json", arguments->explain, arguments->config); });
}

}  // namespace cli
