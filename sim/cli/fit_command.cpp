#include "sim/cli/fit_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/json_text.hpp"
#include "chaos/harness.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/run_options.hpp"
#include "sim/models/kubernetes/api/admission.hpp"
#include "sim/models/kubernetes/scheduler/schedule_all.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/manifests.hpp"
#include "sim/scenario/scenario.hpp"

namespace cli {

namespace {

namespace k8s = sim::k8s;

struct Arguments {
  std::string scenario;
  std::string pod;
  std::string at = "1m";
  std::vector<std::string> overrides;
  std::optional<std::uint64_t> seed;
  std::int64_t most = 100'000;
  bool all_priorities = false;
  std::string format = "text";
};

/// The pod of a manifest, or the one that its first workload makes.
struct Template {
  std::string kind;  // of what it comes from
  sim::Symbol ns;
  sim::Symbol name;
  sim::k8s::Labels labels;
  std::shared_ptr<const k8s::PodSpec> spec;
  bool has_claim_templates = false;
};

std::optional<Template> template_of(const sim::scenario::ManifestSet& set) {
  const auto of = [](std::string kind, const k8s::ObjectMeta& meta, const k8s::PodTemplate& pods) { return Template{std::move(kind), meta.ns, meta.name, pods.labels, pods.spec, false}; };
  if (!set.pods.empty()) {
    const k8s::Pod& pod = set.pods.front().object;
    return Template{"Pod", pod.meta.ns, pod.meta.name, pod.meta.labels, pod.spec, false};
  }
  if (!set.deployments.empty()) return of("Deployment", set.deployments.front().object.meta, set.deployments.front().object.pod_template);
  if (!set.stateful_sets.empty()) {
    Template result = of("StatefulSet", set.stateful_sets.front().object.meta, set.stateful_sets.front().object.pod_template);
    result.has_claim_templates = !set.stateful_sets.front().object.claim_templates.empty();
    return result;
  }
  if (!set.replica_sets.empty()) return of("ReplicaSet", set.replica_sets.front().object.meta, set.replica_sets.front().object.pod_template);
  if (!set.jobs.empty()) return of("Job", set.jobs.front().object.meta, set.jobs.front().object.spec.pod_template);
  if (!set.cron_jobs.empty()) return of("CronJob", set.cron_jobs.front().object.meta, set.cron_jobs.front().object.job_template.pod_template);
  return std::nullopt;
}

/// No more than these can fit, whatever the plugins say.
std::int64_t upper_bound(const k8s::ApiServer& api, const k8s::Resources& wanted) {
  std::map<k8s::Ref<k8s::Node>, k8s::Resources> used;
  api.all<k8s::Pod>().for_each([&](k8s::Ref<k8s::Pod>, const k8s::Pod& pod) {
    if (!pod.node || pod.is_terminal()) return;
    k8s::Resources& sum = used[pod.node];
    sum.add(pod.spec->requests);
    ++sum.pods;
  });
  std::int64_t total = 0;
  api.all<k8s::Node>().for_each([&](k8s::Ref<k8s::Node> ref, const k8s::Node& node) {
    const k8s::Resources& taken = used[ref];
    std::int64_t here = node.allocatable.pods - taken.pods;
    const auto limit = [&](std::int64_t there, std::int64_t gone, std::int64_t each) {
      if (each > 0) here = std::min(here, (there - gone) / each);
    };
    limit(node.allocatable.cpu_milli, taken.cpu_milli, wanted.cpu_milli);
    limit(node.allocatable.memory, taken.memory, wanted.memory);
    limit(node.allocatable.ephemeral_storage, taken.ephemeral_storage, wanted.ephemeral_storage);
    for (const k8s::NamedAmount& one : wanted.other) limit(node.allocatable.of(one.name), taken.of(one.name), one.amount);
    total += std::max<std::int64_t>(0, here);
  });
  return total;
}

/// All pods come at once: who of each priority finds a place.
struct OfPriority {
  std::string classes;
  std::uint64_t pods = 0;
  std::uint64_t placed = 0;
  std::map<std::string, std::uint64_t> why_not;
};

std::string everything(sim::World& world, const k8s::SchedulerConfig& config, const Arguments& arguments, const std::string& name) {
  k8s::ApiServer& api = world.api;
  const k8s::Expansion expansion = k8s::expand_workloads(api);
  const sim::Symbol mirror = world.names.find("kubernetes.io/config.mirror");
  std::map<std::pair<sim::Symbol, sim::Symbol>, std::pair<std::int32_t, sim::Symbol>> priorities;
  for (const k8s::Ref<k8s::Pod> ref : api.all<k8s::Pod>().refs()) {
    const k8s::Pod& pod = *api.get(ref);
    if (!pod.is_active() || (mirror && pod.meta.annotations.has(mirror))) continue;  // static pods are where they are
    priorities.emplace(std::pair{pod.meta.ns, pod.meta.name}, std::pair{pod.spec->priority, pod.spec->priority_class_name});
    api.update(ref, k8s::Change::kBinding, [](k8s::Pod& p) {
      p.node = {};
      p.node_name = p.nominated_node = sim::Symbol{};
      p.phase = k8s::PodPhase::kPending;
    });
  }
  const k8s::ScheduleResult result = k8s::schedule_all(api, config, world.random);
  std::map<std::int32_t, OfPriority, std::greater<>> by_priority;
  std::uint64_t pods = 0;
  std::uint64_t placed = 0;
  for (const k8s::PodFate& fate : result.pods) {
    const auto found = priorities.find({fate.ns, fate.name});
    if (found == priorities.end()) continue;
    OfPriority& of = by_priority[found->second.first];
    const std::string& name_of_class = world.names.text(found->second.second);
    if (!name_of_class.empty() && of.classes.find(name_of_class) == std::string::npos) of.classes += (of.classes.empty() ? "" : ", ") + name_of_class;
    ++of.pods;
    ++pods;
    if (fate.node) {
      ++of.placed;
      ++placed;
    } else {
      ++of.why_not[fate.was_preempted ? "it was preempted" : fate.message];
    }
  }
  if (arguments.format != "json") {
    std::string text = fmt::format("All {} pods of {} come at once: {} find a place on {} nodes, {} do not\n\n  {:>11}  {:>7}  {:>7}  {:>7}  classes\n", pods, name, placed, result.nodes, pods - placed, "priority", "pods", "placed", "without");
    for (const auto& [priority, of] : by_priority) text += fmt::format("  {:>11}  {:>7}  {:>7}  {:>7}  {}\n", priority, of.pods, of.placed, of.pods - of.placed, of.classes);
    for (const auto& [priority, of] : by_priority) {
      for (const auto& [why, count] : of.why_not) text += fmt::format("\n  {} of priority {}: {}", count, priority, why);
    }
    for (const std::string& refused : expansion.refused) text += fmt::format("\n  no pods are made of {}", refused);
    return text + (text.ends_with('\n') ? "" : "\n");
  }
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  writer.StartObject();
  analysis::field(writer, "schemaVersion", std::uint64_t{1});
  analysis::field(writer, "scenario", name);
  analysis::field(writer, "pods", pods);
  analysis::field(writer, "placed", placed);
  analysis::key(writer, "priorities");
  writer.StartArray();
  for (const auto& [priority, of] : by_priority) {
    writer.StartObject();
    analysis::field(writer, "priority", std::int64_t{priority});
    analysis::field(writer, "classes", of.classes);
    analysis::field(writer, "pods", of.pods);
    analysis::field(writer, "placed", of.placed);
    analysis::key(writer, "whyNot");
    writer.StartObject();
    for (const auto& [why, count] : of.why_not) analysis::field(writer, why, count);
    writer.EndObject();
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

int fit(const Arguments& arguments) {
  if (arguments.all_priorities != arguments.pod.empty()) {
    std::fputs(arguments.all_priorities ? "squall fit: --all-priorities asks about the pods of the scenario, not about one more\n" : "squall fit: a manifest of the pod is needed (or --all-priorities)\n", stderr);
    return kWrongInput;
  }
  const LoadedScenario loaded = load_scenario(arguments.scenario, arguments.overrides, Telling::kErrors);
  if (loaded.spec == nullptr) return kWrongInput;
  chaos::RunOptions options;
  options.stop = &stop_on_interrupt();
  options.until = sim::SimTime(*sim::parse_duration(arguments.at));
  const chaos::RunOutcome outcome = chaos::run_scenario(*loaded.spec, arguments.seed.value_or(loaded.seed), options);
  if (outcome.end == sim::RunEnd::kStopped) return kInterrupted;
  sim::World& world = *outcome.world;
  k8s::ApiServer& api = world.api;

  if (arguments.all_priorities) {
    const std::string told = everything(world, loaded.spec->scheduler, arguments, loaded.name);
    std::fwrite(told.data(), 1, told.size(), stdout);
    return kOk;
  }
  sim::scenario::Diagnostics diagnostics;
  sim::scenario::ManifestSet set;
  const auto document = sim::scenario::load_file(arguments.pod, diagnostics);
  if (document != nullptr && !diagnostics.has_errors()) {
    for (const sim::scenario::Node& root : document->roots()) sim::scenario::decode(root, world.names, diagnostics, set);
  }
  std::optional<Template> what;
  if (!diagnostics.has_errors()) {
    what = template_of(set);
    if (!what) diagnostics.error_in(arguments.pod, "holds no pod").expected = "a v1 Pod, or a Deployment, StatefulSet, ReplicaSet, Job or CronJob, whose template is taken";
  }
  std::shared_ptr<k8s::PodSpec> spec;
  if (what) {
    spec = std::make_shared<k8s::PodSpec>(*what->spec);
    if (const auto refused = k8s::admit_pod(*spec, k8s::priority_classes(api), world.names, api.well_known())) diagnostics.error_in(arguments.pod, "the pod would be refused: " + *refused);
  }
  if (diagnostics.has_errors()) {
    diagnostics.print(stderr);
    return kWrongInput;
  }
  // Only free room counts: nobody is preempted, and nobody is bound by the manifest.
  spec->preempts = false;
  spec->node_name = sim::Symbol{};
  k8s::finish_pod_spec(*spec);

  // Who waits already has not got a place, and must not take one that the answer counts.
  std::uint64_t waiting = 0;
  for (const k8s::Ref<k8s::Pod> ref : api.all<k8s::Pod>().refs()) {
    const k8s::Pod* pod = api.get(ref);
    if (pod == nullptr || pod->node_name || pod->is_terminal()) continue;
    ++waiting;
    for (const sim::Symbol finalizer : std::vector<sim::Symbol>(pod->meta.finalizers)) api.remove_finalizer(ref, finalizer);
    api.remove(ref);
  }
  const std::int64_t bound = upper_bound(api, spec->requests);
  const std::int64_t made = std::min(bound, arguments.most) + 1;
  std::map<k8s::Ref<k8s::Pod>, bool> ours;
  for (std::int64_t i = 1; i <= made; ++i) {
    k8s::Pod pod;
    pod.meta.ns = what->ns ? what->ns : api.well_known().ns_default;
    pod.meta.name = world.names.intern(fmt::format("squall-fit-{}", i));
    pod.meta.labels = what->labels;
    pod.spec = spec;
    ours.emplace(api.create(std::move(pod)), true);
  }
  const k8s::ScheduleResult result = k8s::schedule_all(api, loaded.spec->scheduler, world.random);
  std::map<std::string, std::int64_t> by_node;
  std::int64_t placed = 0;
  std::string why;
  for (const k8s::PodFate& fate : result.pods) {
    if (!ours.contains(fate.pod)) continue;
    if (fate.node) {
      ++placed;
      ++by_node[world.names.text(fate.node)];
    } else if (why.empty()) {
      why = fate.message;
    }
  }
  const bool is_cut = placed > arguments.most;
  const std::int64_t fits = std::min(placed, arguments.most);
  const std::size_t nodes = result.nodes;
  std::string output;
  if (arguments.format == "json") {
    rapidjson::StringBuffer buffer;
    rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
    writer.SetIndent(' ', 2);
    writer.StartObject();
    analysis::field(writer, "schemaVersion", std::uint64_t{1});
    analysis::field(writer, "scenario", loaded.name);
    analysis::field(writer, "at", *options.until);
    analysis::field(writer, "pod", fmt::format("{}/{}/{}", what->kind, world.names.text(what->ns), world.names.text(what->name)));
    analysis::field(writer, "fits", fits);
    analysis::field(writer, "atLeast", is_cut);
    analysis::field(writer, "boundByResources", bound);
    analysis::field(writer, "nodes", static_cast<std::uint64_t>(nodes));
    analysis::field(writer, "pendingLeftAside", waiting);
    analysis::field(writer, "whyNotMore", why);
    analysis::key(writer, "byNode");
    writer.StartObject();
    for (const auto& [node, count] : by_node) analysis::field(writer, node, count);
    writer.EndObject();
    writer.EndObject();
    output = std::string(buffer.GetString(), buffer.GetSize()) + "\n";
  } else {
    output = fmt::format("{}{} more of {} {}/{} fit at {}, on {} of {} nodes\n", is_cut ? "at least " : "", fits, what->kind, world.names.text(what->ns), world.names.text(what->name), arguments.at, by_node.size(), nodes);
    if (!why.empty() && !is_cut) output += fmt::format("  one more: {}\n", why);
    if (bound > fits && !is_cut) output += fmt::format("  by requests and pod slots alone: {}\n", bound);
    if (waiting > 0) output += fmt::format("  {} pods that are Pending already were left aside\n", waiting);
    if (what->has_claim_templates) output += "  the volumes of its claim templates were not counted\n";
    std::map<std::int64_t, std::vector<std::string>, std::greater<>> by_count;
    for (const auto& [node, count] : by_node) by_count[count].push_back(node);
    constexpr std::size_t kNodesShown = 6;
    for (const auto& [count, list] : by_count) {
      output += fmt::format("  {:>6} each on {}", count, list.front());
      for (std::size_t i = 1; i < std::min(list.size(), kNodesShown); ++i) output += ", " + list[i];
      output += list.size() > kNodesShown ? fmt::format(" and {} more\n", list.size() - kNodesShown) : "\n";
    }
  }
  std::fwrite(output.data(), 1, output.size(), stdout);
  return kOk;
}

}  // namespace

void add_fit_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("fit", "How many more of this pod fit, where, and why not one more");
  command->add_option("scenario", arguments->scenario, "Scenario file, for example one that squall import made")->required()->option_text(" ");
  command->add_option("pod", arguments->pod, "Manifest of a Pod, or of a workload whose template is taken; - reads standard input")->option_text(" ");
  command->add_flag("--all-priorities", arguments->all_priorities, "Instead of one more pod: all pods that there are, and that workloads want, come at once; who of each priority finds a place");
  command->add_option("--at", arguments->at, "The instant that is asked about, from the start of the run (default: 1m)")->option_text("TIME")->check([](const std::string& text) {
    const auto span = sim::parse_duration(text);
    return span && *span >= sim::SimDuration::zero() ? std::string() : "'" + text + "' is no time since the start (like 90s or 2h30m)";
  });
  command->add_option("--max", arguments->most, "Stop counting there (default: 100000)")->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}))->option_text("N");
  command->add_option("--seed", arguments->seed, "Seed of the run (default: run.seed of the scenario)")->check(is_seed)->option_text("N");
  add_overrides(*command, arguments->overrides);
  command->add_option("--format", arguments->format, "text for people (the default), json for programs")->check(CLI::IsMember({"text", "json"}))->option_text("text|json");
  command->footer("The scheduler's own plugins decide. Nobody is preempted for the answer; pods that are Pending already are left aside.\n\n"
                  "Examples: squall fit cluster.yaml pod.yaml\n"
                  "          kubectl get deploy web -o yaml | squall fit cluster.yaml - --format json\n"
                  "          squall fit cluster.yaml --all-priorities\n"
                  "          squall fit cluster.yaml pod.yaml --set scheduler.percentageOfNodesToScore=100 --at 2h");
  command->callback([arguments, &exit_code] { exit_code = fit(*arguments); });
}

}  // namespace cli
