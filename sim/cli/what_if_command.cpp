#include "sim/cli/what_if_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "analysis/json_text.hpp"
#include "chaos/harness.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/progress.hpp"
#include "sim/cli/run_options.hpp"
#include "sim/models/kubernetes/api/admission.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/apply.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/yaml_text.hpp"

namespace cli {

namespace {

namespace k8s = sim::k8s;

struct Arguments {
  std::string scenario;
  std::vector<std::string> lose;
  std::vector<std::string> drain;
  std::vector<std::string> scale;
  std::vector<std::string> faults;
  std::vector<std::string> apply;
  std::string at = "1m";
  std::string lasting = "30m";
  std::vector<std::string> overrides;
  std::optional<std::uint64_t> seed;
  std::string format = "text";
  bool quiet = false;
};

int wrong(const std::string& what, const std::string& hint = {}) {
  std::fputs(fmt::format("squall what-if: {}\n{}", what, hint.empty() ? "" : hint + "\n").c_str(), stderr);
  return kWrongInput;
}

/// A pod that went away before its time.
struct Lost {
  std::string name;   // "shop/web-7f9-abcde"
  std::string owner;  // "ReplicaSet/shop/web-7f9"; empty: nobody makes it anew
  std::string node;
  std::string reason;
  std::string priority_class;
  std::int32_t priority = 0;
};

/// Hears who is taken from its node, and who waits.
class PodWatch : public k8s::Watcher {
 public:
  PodWatch(sim::World& world, sim::SimTime from) : world_(world), from_(from) { world.api.watch({k8s::Kind::kPod}, *this); }
  void on_event(const k8s::WatchEvent& event) override {
    if (event.type == k8s::WatchEvent::Type::kAdded || world_.engine.now() < from_) return;
    const k8s::Pod* pod = event.type == k8s::WatchEvent::Type::kDeleted ? &event.last_state<k8s::Pod>() : world_.api.get(event.ref<k8s::Pod>());
    if (pod == nullptr || seen_.contains(pod->meta.uid)) return;
    // Ended by somebody else: disrupted, evicted by its kubelet, or refused by one.
    const bool is_evicted = pod->phase == k8s::PodPhase::kFailed && pod->reason;
    if (!pod->disruption_target && !is_evicted) return;
    seen_.insert(pod->meta.uid);
    Lost lost;
    lost.name = world_.names.text(pod->meta.ns) + "/" + world_.names.text(pod->meta.name);
    if (const k8s::OwnerReference* owner = pod->meta.controller(); owner != nullptr) lost.owner = k8s::to_string(owner->owner.kind);
    lost.node = world_.names.text(pod->node_name);
    lost.reason = world_.names.text(pod->disruption_target ? pod->disruption_reason : pod->reason);
    lost.priority = pod->spec->priority;
    lost.priority_class = world_.names.text(pod->spec->priority_class_name);
    all_.push_back(std::move(lost));
  }
  const std::vector<Lost>& all() const { return all_; }

 private:
  sim::World& world_;
  sim::SimTime from_;
  std::set<std::uint64_t> seen_;
  std::vector<Lost> all_;
};

struct Pending {
  std::string name;
  std::int32_t priority = 0;
  std::string message;
};

struct Side {
  chaos::RunOutcome outcome;
  std::vector<Lost> lost;
  std::vector<Pending> pending;        // at the end
  std::map<std::string, std::int64_t> ready;  // by namespace and workload
  std::vector<std::string> applied;
  sim::scenario::Applied changes;
  std::string refused;
};

/// "web" of "web-6d4cf56db6-7xk2m": what is compared must have the same name in both runs.
std::string workload_of(const sim::World& world, const k8s::Pod& pod) {
  const k8s::OwnerReference* owner = pod.meta.controller();
  const std::string ns = world.names.text(pod.meta.ns);
  if (owner == nullptr) return "Pod/" + ns + "/" + world.names.text(pod.meta.name);
  const auto named = [&]<class T>(k8s::Ref<T> ref) -> std::string {
    const T* object = world.api.get(ref);
    return object == nullptr ? std::string() : fmt::format("{}/{}/{}", k8s::to_string(T::kKind), ns, world.names.text(object->meta.name));
  };
  const k8s::ObjectRef o = owner->owner;
  switch (o.kind) {
    case k8s::Kind::kReplicaSet: {
      const k8s::Ref<k8s::ReplicaSet> ref{o.slot, o.generation};
      const k8s::ReplicaSet* set = world.api.get(ref);
      const k8s::OwnerReference* above = set == nullptr ? nullptr : set->meta.controller();
      if (above != nullptr && above->owner.kind == k8s::Kind::kDeployment) return named(k8s::Ref<k8s::Deployment>{above->owner.slot, above->owner.generation});
      return named(ref);
    }
    case k8s::Kind::kStatefulSet: return named(k8s::Ref<k8s::StatefulSet>{o.slot, o.generation});
    case k8s::Kind::kDaemonSet: return named(k8s::Ref<k8s::DaemonSet>{o.slot, o.generation});
    default: return {};  // pods of Jobs come and go
  }
}

struct Manifests {
  std::vector<std::shared_ptr<const sim::scenario::Document>> documents;
};

Side run_side(const sim::scenario::ScenarioSpec& spec, std::uint64_t seed, sim::SimTime at, sim::SimTime until, const Manifests* manifests) {
  Side side;
  chaos::RunOptions options;
  options.stop = &stop_on_interrupt();
  options.until = until;
  std::unique_ptr<PodWatch> watch;
  sim::scenario::ManifestSet set;
  std::set<std::string> keeps_replicas;
  sim::scenario::Diagnostics ignored;  // the documents were read before
  options.prepare = [&](sim::World& world) {
    watch = std::make_unique<PodWatch>(world, at);
    if (manifests == nullptr) return;
    for (const auto& document : manifests->documents) {
      for (const sim::scenario::Node& root : document->roots()) {
        sim::scenario::decode(root, world.names, ignored, set);
        const sim::scenario::Node metadata = root.find("metadata");
        const std::string ns(metadata.find("namespace").is_null() ? "default" : metadata.find("namespace").text());
        if (root.find("spec").find("replicas").is_null()) keeps_replicas.insert(fmt::format("{}/{}/{}", root.find("kind").text(), ns, metadata.find("name").text()));
      }
    }
    world.engine.at(at, [&world, &set, &keeps_replicas, &side] {
      const sim::CauseId id = world.log.record("Applied", "what-if", "manifests are applied");
      const sim::ScopedCause because(world.engine, id);
      // What is bare is admitted here; templates are admitted when their pods are made. Classes that come along count.
      std::vector<const k8s::PriorityClass*> classes = k8s::priority_classes(world.api);
      for (const auto& m : set.priority_classes) classes.push_back(&m.object);
      for (auto& m : set.pods) {
        auto admitted = std::make_shared<k8s::PodSpec>(*m.object.spec);
        if (const auto refused = k8s::admit_pod(*admitted, classes, world.names, world.api.well_known())) side.refused = *refused;
        k8s::finish_pod_spec(*admitted);
        m.object.spec = admitted;
      }
      side.changes = sim::scenario::apply(set, keeps_replicas, world.api);
    });
  };
  side.outcome = chaos::run_scenario(spec, seed, options);
  sim::World& world = *side.outcome.world;
  side.lost = watch->all();
  world.api.unwatch(*watch);
  std::map<std::string, std::string> messages;
  for (const sim::EventLog::Record& record : world.log.records()) {
    if (world.log.kind(record) == "FailedScheduling") messages[world.log.subject(record)] = std::string(world.log.message(record));
  }
  world.api.all<k8s::Pod>().for_each([&](k8s::Ref<k8s::Pod>, const k8s::Pod& pod) {
    if (!pod.is_active()) return;
    const std::string name = world.names.text(pod.meta.ns) + "/" + world.names.text(pod.meta.name);
    if (!pod.node_name) side.pending.push_back(Pending{name, pod.spec->priority, messages["Pod/" + name]});
    const std::string workload = workload_of(world, pod);
    if (!workload.empty()) side.ready[workload] += pod.ready ? 1 : 0;
  });
  std::sort(side.pending.begin(), side.pending.end(), [](const Pending& a, const Pending& b) { return std::tie(b.priority, a.name) < std::tie(a.priority, b.name); });
  return side;
}

/// "node/worker-1" or "zone/a" as an entry of `faults`. Empty, with the reason told, when it is none.
std::optional<std::string> loss_fault(const std::string& text, const sim::World& world, const std::string& at, std::string& problem) {
  const std::size_t slash = text.find('/');
  const std::string kind = text.substr(0, slash);
  const std::string name = slash == std::string::npos ? std::string() : text.substr(slash + 1);
  static const std::vector<std::string> kKinds = {"node", "zone", "rack", "region", "power-feed", "switch"};
  if (name.empty() || std::find(kKinds.begin(), kKinds.end(), kind) == kKinds.end()) {
    problem = fmt::format("'{}' cannot be lost\n  expected node/NAME, zone/NAME, rack/NAME, region/NAME, power-feed/NAME or switch/NAME", text);
    const std::string hint = sim::scenario::did_you_mean(kind, kKinds);
    if (!hint.empty()) problem += "\n  " + hint;
    return std::nullopt;
  }
  std::vector<std::string> there;
  bool found = false;
  if (kind == "node") {
    world.api.all<k8s::Node>().for_each([&](k8s::Ref<k8s::Node>, const k8s::Node& node) { there.push_back(world.names.text(node.meta.name)); });
  } else {
    for (const sim::topology::ElementId id : world.topology.all()) {
      if (sim::topology::to_string(world.topology.kind(id)) == kind) there.push_back(std::string(world.topology.name(id)));
    }
  }
  found = std::find(there.begin(), there.end(), name) != there.end();
  if (!found) {
    std::sort(there.begin(), there.end());
    problem = fmt::format("there is no {} '{}'", kind, name);
    constexpr std::size_t kShown = 12;
    if (!there.empty()) {
      problem += "\n  there are: " + fmt::format("{}", fmt::join(there.begin(), there.begin() + static_cast<std::ptrdiff_t>(std::min(there.size(), kShown)), ", ")) + (there.size() > kShown ? fmt::format(" and {} more", there.size() - kShown) : "");
      if (const std::string hint = sim::scenario::did_you_mean(name, there); !hint.empty()) problem += "\n  " + hint;
    }
    return std::nullopt;
  }
  if (kind == "node") return fmt::format("{{kind: node-crash, at: {}, target: {{nodes: [{}]}}}}", at, sim::scenario::yaml_quoted(name));
  return fmt::format("{{kind: element-down, at: {}, elements: [{}]}}", at, sim::scenario::yaml_quoted(name));
}

std::optional<std::string> scale_fault(const std::string& text, const std::string& at, std::string& problem) {
  const std::size_t equals = text.find('=');
  std::vector<std::string> parts;
  const std::string name = text.substr(0, equals);
  for (std::size_t from = 0; from <= name.size();) {
    const std::size_t stop = std::min(name.find('/', from), name.size());
    parts.push_back(name.substr(from, stop - from));
    from = stop + 1;
  }
  const bool is_number = equals != std::string::npos && equals + 1 < text.size() && text.find_first_not_of("0123456789", equals + 1) == std::string::npos;
  if (!is_number || parts.size() < 2 || parts.size() > 3) {
    problem = fmt::format("'{}' is nothing to scale\n  expected KIND/NAMESPACE/NAME=N, like Deployment/shop/web=6", text);
    return std::nullopt;
  }
  std::string kind = parts[0];
  for (const auto& [given, full] : std::vector<std::pair<std::string, std::string>>{{"deployment", "Deployment"}, {"deploy", "Deployment"}, {"statefulset", "StatefulSet"}, {"sts", "StatefulSet"}, {"replicaset", "ReplicaSet"}, {"rs", "ReplicaSet"}}) {
    if (kind == given) kind = full;
  }
  return fmt::format("{{kind: scale, at: {}, workload: {}, namespace: {}, object: {}, replicas: {}}}", at, kind, sim::scenario::yaml_quoted(parts.size() == 3 ? parts[1] : "default"), sim::scenario::yaml_quoted(parts.back()), text.substr(equals + 1));
}

struct Answer {
  std::vector<Lost> lost;
  std::vector<Pending> pending;
  std::vector<const chaos::Outage*> outages;
  std::vector<std::tuple<std::string, std::int64_t, std::int64_t>> fewer;  // workload, ready without, ready with
};

/// Whether `other`, of the run without the change, is the same outage and no shorter. What happens to one thing moves the grid of timers of another by milliseconds.
bool is_as_bad(const chaos::Outage& other, const chaos::Outage& outage) {
  constexpr sim::SimDuration kAlike = std::chrono::seconds(5);
  return other.kind == outage.kind && other.subject == outage.subject && other.start <= outage.end && outage.start <= other.end &&
         outage.length() <= other.length() + std::max(kAlike, other.length() / 10);
}

Answer compare(const Side& without, const Side& with) {
  Answer answer;
  std::set<std::string> also;
  for (const Lost& lost : without.lost) also.insert(lost.name + lost.reason);
  for (const Lost& lost : with.lost) {
    if (!also.contains(lost.name + lost.reason)) answer.lost.push_back(lost);
  }
  std::stable_sort(answer.lost.begin(), answer.lost.end(), [](const Lost& a, const Lost& b) { return a.priority > b.priority; });
  std::set<std::string> waited;
  for (const Pending& pending : without.pending) waited.insert(pending.name);
  for (const Pending& pending : with.pending) {
    if (!waited.contains(pending.name)) answer.pending.push_back(pending);
  }
  for (const chaos::Outage& outage : with.outcome.verdict.outages) {
    const bool is_new = std::none_of(without.outcome.verdict.outages.begin(), without.outcome.verdict.outages.end(),
                                     [&](const chaos::Outage& other) { return is_as_bad(other, outage); });
    if (is_new) answer.outages.push_back(&outage);
  }
  std::stable_sort(answer.outages.begin(), answer.outages.end(), [](const chaos::Outage* a, const chaos::Outage* b) {
    return std::make_pair(a->severity, a->length()) > std::make_pair(b->severity, b->length());
  });
  for (const auto& [workload, count] : without.ready) {
    const auto found = with.ready.find(workload);
    const std::int64_t now = found == with.ready.end() ? 0 : found->second;
    if (now < count) answer.fewer.emplace_back(workload, count, now);
  }
  return answer;
}

std::string text_of(const std::vector<std::string>& asked, const Side& with, const Answer& answer, const Arguments& arguments) {
  constexpr std::size_t kShown = 12;
  std::string text = fmt::format("What if at {}: {}\n(looked at for {} after that, beside the same run without)\n\n", arguments.at, fmt::join(asked, "; "), arguments.lasting);
  const auto alerts = std::count_if(answer.outages.begin(), answer.outages.end(), [](const chaos::Outage* outage) { return outage->severity == chaos::Severity::kAlert; });
  const auto span = [](sim::SimDuration length) { return chaos::format_figure(chaos::Unit::kSeconds, sim::seconds(length)); };
  if (answer.lost.empty() && answer.pending.empty() && answer.fewer.empty() && answer.outages.empty()) {
    text += "Nothing is evicted, nothing waits, no service is without endpoints.\n";
  } else {
    // Outages are sorted by severity and length, pods by priority: the first ones are the worst.
    text += alerts > 0 ? fmt::format("Users see it: {} outage{}, the longest {}.\n", alerts, alerts == 1 ? "" : "s", span(answer.outages.front()->length())) : "No user sees it.\n";
    if (!answer.lost.empty()) text += fmt::format("{} pod{} evicted, the most important with priority {}.\n", answer.lost.size(), answer.lost.size() == 1 ? " is" : "s are", answer.lost.front().priority);
    text += answer.pending.empty() ? "Every pod finds a place.\n" : fmt::format("{} pod{} no place.\n", answer.pending.size(), answer.pending.size() == 1 ? " finds" : "s find");
  }
  text += "\n";
  for (const std::string& one : with.changes.changed) text += fmt::format("  changed    {}\n", one);
  for (const std::string& one : with.changes.made) text += fmt::format("  made       {}\n", one);
  for (const std::string& one : with.changes.untouched) text += fmt::format("  untouched  {}: it is there already\n", one);
  const auto more = [&](std::size_t count) {
    if (count > kShown) text += fmt::format("  and {} more\n", count - kShown);
  };
  if (!answer.outages.empty()) text += fmt::format("Outages that the other run has not: {}\n", answer.outages.size());
  for (std::size_t i = 0; i < std::min(answer.outages.size(), kShown); ++i) {
    const chaos::Outage& outage = *answer.outages[i];
    text += fmt::format("  {:6}  {} {} for {}{}\n", chaos::to_string(outage.severity), outage.subject, chaos::to_string(outage.kind), span(outage.length()), outage.open ? ", and still so" : "");
    if (i < 3) {
      for (std::size_t s = 0; s < std::min<std::size_t>(outage.why.steps.size(), 4); ++s) {
        const chaos::CauseStep& step = outage.why.steps[s];
        text += fmt::format("            {} {}  {}\n", s == 0 ? "why" : " ← ", span(step.time.time_since_epoch()), step.message);
      }
    }
  }
  more(answer.outages.size());
  if (!answer.pending.empty()) text += fmt::format("Pods without a place at the end: {}\n", answer.pending.size());
  for (std::size_t i = 0; i < std::min(answer.pending.size(), kShown); ++i) text += fmt::format("  priority {:>10}  {}: {}\n", answer.pending[i].priority, answer.pending[i].name, answer.pending[i].message);
  more(answer.pending.size());
  if (!answer.lost.empty()) text += fmt::format("Pods that were taken from their nodes: {}\n", answer.lost.size());
  for (std::size_t i = 0; i < std::min(answer.lost.size(), kShown); ++i) {
    const Lost& lost = answer.lost[i];
    text += fmt::format("  priority {:>10}  {} on {}: {}{}\n", lost.priority, lost.name, lost.node, lost.reason, lost.owner.empty() ? " (nobody makes it anew)" : "");
  }
  more(answer.lost.size());
  if (!answer.fewer.empty()) text += "Fewer ready pods at the end\n";
  for (std::size_t i = 0; i < std::min(answer.fewer.size(), kShown); ++i) text += fmt::format("  {}: {} instead of {}\n", std::get<0>(answer.fewer[i]), std::get<2>(answer.fewer[i]), std::get<1>(answer.fewer[i]));
  more(answer.fewer.size());
  return text;
}

std::string json_of(const std::vector<std::string>& asked, const LoadedScenario& loaded, const Side& without, const Side& with, const Answer& answer) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  using analysis::field;
  using analysis::key;
  const auto list = [&](std::string_view name, const std::vector<std::string>& values) {
    key(writer, name);
    writer.StartArray();
    for (const std::string& value : values) analysis::text(writer, value);
    writer.EndArray();
  };
  writer.StartObject();
  field(writer, "schemaVersion", std::uint64_t{1});
  field(writer, "scenario", loaded.name);
  list("asked", asked);
  key(writer, "eventLogHash");
  writer.StartObject();
  field(writer, "without", without.outcome.event_log_hash);
  field(writer, "with", with.outcome.event_log_hash);
  writer.EndObject();
  list("changed", with.changes.changed);
  list("made", with.changes.made);
  list("untouched", with.changes.untouched);
  key(writer, "outages");
  writer.StartArray();
  for (const chaos::Outage* outage : answer.outages) {
    writer.StartObject();
    field(writer, "kind", chaos::to_string(outage->kind));
    field(writer, "severity", chaos::to_string(outage->severity));
    field(writer, "subject", outage->subject);
    field(writer, "start", outage->start);
    field(writer, "length", outage->length());
    field(writer, "open", outage->open);
    key(writer, "why");
    analysis::write_why(writer, outage->why);
    writer.EndObject();
  }
  writer.EndArray();
  key(writer, "pending");
  writer.StartArray();
  for (const Pending& pending : answer.pending) {
    writer.StartObject();
    field(writer, "pod", pending.name);
    field(writer, "priority", std::int64_t{pending.priority});
    field(writer, "message", pending.message);
    writer.EndObject();
  }
  writer.EndArray();
  key(writer, "evicted");
  writer.StartArray();
  for (const Lost& lost : answer.lost) {
    writer.StartObject();
    field(writer, "pod", lost.name);
    field(writer, "node", lost.node);
    field(writer, "reason", lost.reason);
    field(writer, "priority", std::int64_t{lost.priority});
    field(writer, "priorityClass", lost.priority_class);
    field(writer, "madeAnew", !lost.owner.empty());
    writer.EndObject();
  }
  writer.EndArray();
  key(writer, "fewerReady");
  writer.StartArray();
  for (const auto& [workload, before, now] : answer.fewer) {
    writer.StartObject();
    field(writer, "workload", workload);
    field(writer, "without", before);
    field(writer, "with", now);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

int what_if(const Arguments& arguments) {
  if (arguments.lose.empty() && arguments.drain.empty() && arguments.scale.empty() && arguments.faults.empty() && arguments.apply.empty()) {
    return wrong("nothing to ask", "  --lose node/worker-1, --lose zone/a, --drain worker-1, --scale Deployment/shop/web=6, --apply FILE or --fault '{kind: ...}'");
  }
  const LoadedScenario loaded = load_scenario(arguments.scenario, arguments.overrides, Telling::kErrors);
  if (loaded.spec == nullptr) return kWrongInput;
  const std::uint64_t seed = arguments.seed.value_or(loaded.seed);
  const sim::SimTime at(*sim::parse_duration(arguments.at));
  const sim::SimTime until = at + *sim::parse_duration(arguments.lasting);
  std::vector<std::string> asked;
  std::vector<std::string> overrides = arguments.overrides;
  const auto add_fault = [&](const std::string& yaml) { overrides.push_back(fmt::format("faults.what-if-{}={}", overrides.size() - arguments.overrides.size() + 1, yaml)); };

  sim::scenario::Diagnostics diagnostics;
  Manifests manifests;
  sim::Interner scratch(loaded.spec->names.get());
  for (const std::string& path : arguments.apply) {
    for (const std::string& file : path == "-" ? std::vector<std::string>{path} : sim::scenario::expand_path(path, sim::scenario::Place{}, diagnostics)) {
      const auto document = sim::scenario::load_file(file, diagnostics);
      if (document == nullptr) continue;
      sim::scenario::ManifestSet unused;
      for (const sim::scenario::Node& root : document->roots()) sim::scenario::decode(root, scratch, diagnostics, unused);
      if (unused.size() == 0 && !diagnostics.has_errors()) diagnostics.error_in(file, "holds no Kubernetes object");
      manifests.documents.push_back(document);
    }
    asked.push_back("apply " + path);
  }
  if (diagnostics.has_errors()) {
    diagnostics.print(stderr);
    return kWrongInput;
  }
  Progress progress(arguments.quiet);
  progress.update(0.0, "the run as it is");
  const Side without = run_side(*loaded.spec, seed, at, until, nullptr);
  if (without.outcome.end == sim::RunEnd::kStopped) return kInterrupted;
  std::string problem;
  for (const std::string& text : arguments.lose) {
    const auto fault = loss_fault(text, *without.outcome.world, arguments.at, problem);
    if (!fault) return wrong("--lose " + text + ": " + problem);
    add_fault(*fault);
    asked.push_back("lose " + text);
  }
  for (const std::string& node : arguments.drain) {
    add_fault(fmt::format("{{kind: drain, at: {}, target: {{nodes: [\"{}\"]}}}}", arguments.at, node));
    asked.push_back("drain " + node);
  }
  for (const std::string& text : arguments.scale) {
    const auto fault = scale_fault(text, arguments.at, problem);
    if (!fault) return wrong("--scale: " + problem);
    add_fault(*fault);
    asked.push_back("scale " + text);
  }
  for (const std::string& text : arguments.faults) {
    add_fault(text);
    asked.push_back("fault " + text);
  }
  LoadedScenario changed = loaded;
  if (overrides.size() > arguments.overrides.size()) {
    changed = load_scenario(arguments.scenario, overrides, Telling::kErrors);
    if (changed.spec == nullptr) return kWrongInput;
  }
  progress.update(0.5, "the run with it");
  const Side with = run_side(*changed.spec, seed, at, until, manifests.documents.empty() ? nullptr : &manifests);
  progress.finish();
  if (with.outcome.end == sim::RunEnd::kStopped) return kInterrupted;
  if (!with.refused.empty()) return wrong("a pod of the manifests would be refused: " + with.refused);
  const Answer answer = compare(without, with);
  const std::string output = arguments.format == "json" ? json_of(asked, loaded, without, with, answer) : text_of(asked, with, answer, arguments);
  std::fwrite(output.data(), 1, output.size(), stdout);
  return kOk;
}

}  // namespace

void add_what_if_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("what-if", "What becomes of a cluster when a node or zone goes, or a change is applied: who is evicted, who finds no place, which services go");
  const auto many = [&](const char* name, std::vector<std::string>& to, const char* help, const char* text) {
    command->add_option(name, to, help)->take_all()->expected(1)->allow_extra_args(false)->option_text(text);
  };
  const auto is_span = [](const std::string& text) {
    const auto span = sim::parse_duration(text);
    return span && *span >= sim::SimDuration::zero() ? std::string() : "'" + text + "' is no time (like 90s or 2h30m)";
  };
  command->add_option("scenario", arguments->scenario, "Scenario file, for example one that squall import made")->required()->option_text(" ");
  many("--lose", arguments->lose, "It goes down at once and stays down: node/NAME, zone/NAME, rack/NAME, region/NAME, power-feed/NAME, switch/NAME", "WHAT");
  many("--drain", arguments->drain, "This node is drained", "NODE");
  many("--scale", arguments->scale, "KIND/NAMESPACE/NAME=N, like Deployment/shop/web=6", "WHAT");
  many("--apply", arguments->apply, "Manifests, as kubectl apply -f takes them: files, folders, patterns; - reads standard input", "FILE");
  many("--fault", arguments->faults, "Any fault of docs/faults.md, in YAML: '{kind: node-hang, at: 1m, target: {pool: workers, count: 1}}'", "YAML");
  command->add_option("--at", arguments->at, "When, from the start of the run (default: 1m)")->option_text("TIME")->check(is_span);
  command->add_option("--for", arguments->lasting, "How long it is looked at (default: 30m)")->option_text("TIME")->check(is_span);
  command->add_option("--seed", arguments->seed, "Seed of both runs (default: run.seed of the scenario)")->check(is_seed)->option_text("N");
  add_overrides(*command, arguments->overrides);
  command->add_option("--format", arguments->format, "text for people (the default), json for programs")->check(CLI::IsMember({"text", "json"}))->option_text("text|json");
  command->add_flag("-q,--quiet", arguments->quiet, "No progress");
  command->footer("The scenario is run twice with the same luck, as it is and with what is asked; what differs is told. The exit code is 0 whatever comes out.\n\n"
                  "Examples: squall what-if cluster.yaml --lose node/worker-1\n"
                  "          squall what-if cluster.yaml --lose zone/eu-1a --for 1h --format json\n"
                  "          squall what-if cluster.yaml --apply new-release.yaml      (will it evict anything important?)\n"
                  "          squall what-if cluster.yaml --scale Deployment/shop/web=60 --drain worker-3");
  command->callback([arguments, &exit_code] { exit_code = what_if(*arguments); });
}

}  // namespace cli
