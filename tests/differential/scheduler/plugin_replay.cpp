// usage: plugin_replay < CASES. What Squall's scheduler plugins answer to the questions that upstream's own tests asked (upstream_tables.py).
//
// A case is one line of JSON: {"plugin", "namespace", "pod", "config": a KubeSchedulerConfiguration or absent, "objects": [...] with the pending pod "pod",
// "steps": [{"do": "preFilter"} | {"do": "filter", "node"} | {"do": "shift", "pod", "node", "change"} | {"do": "score", "nodes": [...]} |
// {"do": "gated"} | {"do": "hint", "action", "before": [...], "after": [...], "same": whether the event's pod is the pending one}]}.
// An answer is one line: {"answers": [...]} with an entry for each step, or {"error": "..."} when the objects are none that a cluster could have.
#include <fmt/format.h>

#include <iostream>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/models/kubernetes/scheduler/plugins/node_affinity.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_name.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_ports.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_resources_balanced_allocation.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_unschedulable.hpp"
#include "sim/models/kubernetes/scheduler/plugins/scheduling_gates.hpp"
#include "sim/models/kubernetes/scheduler/plugins/taint_toleration.hpp"
#include "sim/models/kubernetes/scheduler/scheduler_state.hpp"
#include "sim/scenario/manifests.hpp"
#include "sim/scenario/scheduler_configuration.hpp"

namespace {

using namespace sim;
using namespace sim::k8s;
using namespace sim::k8s::scheduling;

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result + "\"";
}

std::string list(const std::vector<std::int64_t>& values) { return fmt::format("[{}]", fmt::join(values, ", ")); }

/// The cluster of some manifests: what an event is made of.
struct Side {
  Side(Interner& names_in, EventLog& log, Engine& engine) : names(names_in), api(engine, log, names_in) {}
  /// What is wrong with the objects; empty when nothing is.
  std::string load(scenario::Node objects) {
    scenario::Diagnostics diagnostics;
    scenario::ManifestReader reader(names, diagnostics);
    for (std::size_t i = 0; i < objects.size(); ++i) reader.decode(objects.item(i));
    const scenario::ManifestSet set = reader.finish();
    for (const scenario::Diagnostic& one : diagnostics.sorted()) {
      if (one.severity == scenario::Severity::kError && one.message.find("is no valid name") == std::string::npos) return one.message;
    }
    scenario::store(set, api);
    return {};
  }
  template <class T>
  Ref<T> first() const {
    const std::vector<Ref<T>> refs = api.all<T>().refs();
    return refs.empty() ? Ref<T>{} : refs.front();
  }
  template <class T>
  const T* object() const {
    return api.get(first<T>());
  }
  Interner& names;
  ApiServer api;
};

/// One case: a cluster, a pod and one plugin.
class Replay {
 public:
  explicit Replay(scenario::Node root) : root_(root), plugin_(root.find("plugin").text()) {}

  std::string run() {
    scenario::ManifestReader reader(names_, diagnostics_);
    const scenario::Node objects = root_.find("objects");
    for (std::size_t i = 0; i < objects.size(); ++i) reader.decode(objects.item(i));
    const scenario::ManifestSet set = reader.finish();
    std::vector<SchedulingProfile> profiles;
    if (root_.find("config")) {
      profiles = *scenario::read_scheduler_configuration(root_.find("config"), names_, scenario::SchedulerPurpose::kDecisions, SchedulerConfig{}, diagnostics_).profiles;
    }
    const std::string wrong = first_error();
    if (!wrong.empty()) return fmt::format("{{\"error\": {}}}", quoted(wrong));
    scenario::store(set, api_);
    state_ = std::make_unique<SchedulerState>(api_, random_, QueueConfig{}, 0);
    Cache& cache = state_->cache;
    api_.all<Node>().for_each([&](Ref<Node> ref, const Node& node) { cache.add_node(ref, node); });
    api_.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) {
      if (pod.node_name) cache.assign(ref, pod, pod.node_name);
      else cache.put_pending(ref, pod);
    });
    if (!profiles.empty()) {
      profile_ = profiles.front();
      state_->cycle.set_profiles(profiles);
    }
    fit_.set_profile(&profile_);
    spread_ = std::make_unique<PodTopologySpread>(cache);
    spread_->set_defaults(profile_.default_constraints ? &*profile_.default_constraints : nullptr);
    affinity_ = std::make_unique<InterPodAffinity>(cache);
    affinity_->set_arguments(profile_.hard_pod_affinity_weight, profile_.ignores_preferred_terms_of_existing_pods);
    restrictions_ = std::make_unique<VolumeRestrictions>(cache);
    limits_ = std::make_unique<NodeVolumeLimits>(cache);
    binding_ = std::make_unique<VolumeBinding>(cache);
    zones_ = std::make_unique<VolumeZone>(cache);
    pod_ = find(root_.find("pod").text());
    if (pod_ == nullptr) return "{\"error\": \"no pod\"}";
    cache.sums().begin_cycle(cache.index_end());
    pre_filter();
    std::string answers;
    const scenario::Node steps = root_.find("steps");
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (i != 0) answers += ", ";
      answers += answer(steps.item(i));
    }
    return fmt::format("{{\"answers\": [{}]}}", answers);
  }

 private:
  /// What no cluster could have. Names that the API server would refuse are taken as they are: they are only compared.
  std::string first_error() const {
    for (const scenario::Diagnostic& one : diagnostics_.sorted()) {
      if (one.severity == scenario::Severity::kError && one.message.find("is no valid name") == std::string::npos) return one.message;
    }
    return {};
  }
  const PodInfo* find(std::string_view name) {
    return state_->cache.find_pod(api_.find<Pod>(names_.intern(root_.find("namespace").text()), names_.intern(std::string(name))));
  }
  bool is(std::string_view plugin) const { return plugin_ == plugin; }

  void pre_filter() {
    if (is("PodTopologySpread")) passes_ = !spread_->pre_filter(*pod_);
    if (is("InterPodAffinity")) passes_ = !affinity_->pre_filter(*pod_);
    if (is("VolumeRestrictions")) refusal_ = restrictions_->pre_filter(*pod_);
    if (is("NodeVolumeLimits")) limits_->pre_filter(*pod_);
    if (is("VolumeBinding")) refusal_ = binding_->pre_filter(*pod_);
    if (is("VolumeZone")) refusal_ = zones_->pre_filter(*pod_);
    if (is("NodeAffinity")) {
      const auto only = node_affinity::node_names(*pod_->spec, api_.well_known(), names_);
      if (only && only->empty()) refusal_ = statuses_.at(kStatusNodeAffinityConflict).reasons.front();
    }
  }

  StatusId filter(NodeIndex index) {
    const PodSpec& spec = *pod_->spec;
    const NodeInfo& node = state_->cache.node(index);
    if (is("NodeUnschedulable")) return node_unschedulable::filter(spec, node.view, api_.well_known());
    if (is("NodeName")) return node_name::filter(spec, node.name);
    if (is("TaintToleration")) return taint_toleration::filter(spec, node.view);
    if (is("NodeAffinity")) return node_affinity::filter(spec, profile_.added_affinity.get(), node.view.labels, node.name, names_);
    if (is("NodePorts")) return node_ports::filter(host_ports(spec), node.load, names_.intern("0.0.0.0"));
    if (is("NodeResourcesFit")) return fit_.filter(spec, node.view.allocatable, node.load, statuses_, names_);
    if (is("VolumeRestrictions")) return restrictions_->filter();
    if (is("NodeVolumeLimits")) return limits_->filter(index, {}, {});
    if (is("VolumeBinding")) return binding_->filter(index);
    if (is("VolumeZone")) return zones_->filter(index);
    if (is("PodTopologySpread")) return passes_ ? kFits : spread_->filter(index);
    return passes_ ? kFits : affinity_->filter(index);
  }

  std::string score(const std::vector<NodeIndex>& nodes) {
    const PodSpec& spec = *pod_->spec;
    const Cache& cache = state_->cache;
    std::vector<std::int64_t> raw;
    std::vector<std::int64_t> after;
    const auto each = [&](auto&& score_of) {
      for (const NodeIndex node : nodes) raw.push_back(score_of(node));
      after = raw;
    };
    if (is("TaintToleration")) {
      each([&](NodeIndex node) { return taint_toleration::intolerable_taints(spec, cache.node(node).view); });
      after = normalised(raw, true);
    } else if (is("NodeAffinity")) {
      const Affinity* added = profile_.added_affinity.get();
      if (!node_affinity::has_preferred(spec, added)) return "{\"skipped\": true}";
      each([&](NodeIndex node) { return node_affinity::preference(spec, added, cache.node(node).view.labels, cache.node(node).name, names_); });
      after = normalised(raw, false);
    } else if (is("NodeResourcesFit")) {
      each([&](NodeIndex node) { return profile_.scoring.score(spec, cache.node(node).view.allocatable, cache.node(node).load, names_); });
    } else if (is("NodeResourcesBalancedAllocation")) {
      if (node_resources_balanced_allocation::is_skipped(spec, profile_.balanced_resources, names_)) return "{\"skipped\": true}";
      each([&](NodeIndex node) {
        return node_resources_balanced_allocation::score(spec, profile_.balanced_resources, cache.node(node).view.allocatable, cache.node(node).load, names_);
      });
    } else if (is("ImageLocality")) {
      const bool any = images_.prepare(spec, cache);
      each([&](NodeIndex node) { return any ? images_.score(node) : 0; });
    } else if (is("PodTopologySpread")) {
      if (!spread_->pre_score(*pod_, nodes)) return "{\"skipped\": true}";
      raw = spread_->raw_scores();
      after = spread_->scores(nodes);
    } else if (is("InterPodAffinity")) {
      if (!affinity_->pre_score(*pod_)) return "{\"skipped\": true}";
      raw = affinity_->raw(nodes);
      after = affinity_->scores(nodes);
    } else {
      return "null";
    }
    return fmt::format("{{\"raw\": {}, \"normalised\": {}}}", list(raw), list(after));
  }

  /// Whether the event is worth another try of the pod, as the scheduler's queue asks when this plugin refused it.
  std::string hint(scenario::Node step) {
    Side before(names_, log_, engine_);
    Side after(names_, log_, engine_);
    for (const auto& [side, key] : {std::pair{&before, "before"}, std::pair{&after, "after"}}) {
      const std::string wrong = side->load(step.find(key));
      if (!wrong.empty()) return fmt::format("{{\"error\": {}}}", quoted(wrong));
    }
    std::optional<ClusterEvent> event = ClusterEvent{};
    NodeView node_before;
    NodeView node_after;
    const auto view_of = [&](const Side& side, NodeView& view) {
      const Node* node = side.object<Node>();
      if (node == nullptr) return static_cast<const NodeView*>(nullptr);
      view = NodeView{node->meta.labels, node->taints, node->unschedulable, node->allocatable};
      event->node_name = node->meta.name;
      return static_cast<const NodeView*>(&view);
    };
    const bool same = step.find("same").as_bool().value_or(false);
    PodView pod_before;
    PodView pod_after;
    const auto pod_of = [&](const Side& side, PodView& view) {
      const Pod* pod = side.object<Pod>();
      if (pod == nullptr) return static_cast<const PodView*>(nullptr);
      view = PodView{same ? pod_->ref : Ref<Pod>{UINT32_MAX, 1}, pod->meta.ns, &pod->meta.labels, pod->spec.get(), pod->node_name || pod->nominated_node};
      return static_cast<const PodView*>(&view);
    };
    static const std::map<std::string_view, Action> kActions = {
        {"nodeAdd", Action::kNodeAdd}, {"nodeDelete", Action::kNodeDelete}, {"nodeAllocatable", Action::kNodeAllocatable}, {"nodeLabel", Action::kNodeLabel},
        {"nodeTaint", Action::kNodeTaint}, {"podAdd", Action::kPodAdd}, {"podDelete", Action::kPodDelete}, {"podLabel", Action::kPodLabel},
        {"podToleration", Action::kPodToleration}};
    const auto action = kActions.find(step.find("action").text());
    if (action != kActions.end()) {
      event->action = action->second;
      event->node_before = view_of(before, node_before);
      event->node_after = view_of(after, node_after);
      event->pod_before = pod_of(before, pod_before);
      event->pod_after = pod_of(after, pod_after);
    } else {
      event = storage_event(step.find("action").text(), before, after);
    }
    static const std::map<std::string_view, Plugin> kPlugins = [] {
      std::map<std::string_view, Plugin> all;
      for (unsigned i = 0; i <= static_cast<unsigned>(Plugin::kImageLocality); ++i) all.emplace(to_string(static_cast<Plugin>(i)), static_cast<Plugin>(i));
      return all;
    }();
    return event && state_->is_worth_retrying(*pod_, set_of(kPlugins.at(plugin_)), *event) ? "{\"queue\": true}" : "{\"queue\": false}";
  }

  /// The scheduler's own reading of what happened to an object: with `before` it is updated, or (without `after`) deleted.
  std::optional<ClusterEvent> storage_event(std::string_view kind, Side& before, Side& after) {
    if (kind == "PersistentVolumeClaim") return storage_event<PersistentVolumeClaim>(before, after);
    if (kind == "PersistentVolume") return storage_event<PersistentVolume>(before, after);
    if (kind == "StorageClass") return storage_event<StorageClass>(before, after);
    if (kind == "VolumeAttachment") return storage_event<VolumeAttachment>(before, after);
    return storage_event<Node>(before, after);  // CSINode
  }
  template <class T>
  std::optional<ClusterEvent> storage_event(Side& before, Side& after) {
    const T* now = after.object<T>();
    StorageEvents events(before.api);
    WatchEvent event;
    event.type = before.object<T>() == nullptr ? WatchEvent::Type::kAdded : now == nullptr ? WatchEvent::Type::kDeleted : WatchEvent::Type::kModified;
    Ref<T> ref = before.first<T>();
    if (event.type == WatchEvent::Type::kAdded) {
      ref = before.api.create(T(*now));
    } else if (event.type == WatchEvent::Type::kModified) {
      before.api.update(ref, Change::kSpec, [&](T& object) {
        T next = *now;
        next.meta.uid = object.meta.uid;
        object = std::move(next);
      });
    }
    event.object = ObjectRef{T::kKind, ref.slot, ref.generation};
    return events.of(event);
  }

  std::string answer(scenario::Node step) {
    const std::string_view what = step.find("do").text();
    const NodeIndex node = step.find("node") ? state_->cache.find(names_.intern(step.find("node").text())) : kNoNode;
    if (what == "preFilter") return refusal_.empty() ? "{\"reasons\": []}" : fmt::format("{{\"reasons\": [{}]}}", quoted(refusal_));
    if (what == "filter") {
      const StatusId id = filter(node);
      const Status& status = statuses_.at(id);
      std::string reasons;
      for (const std::string& reason : status.reasons) reasons += (reasons.empty() ? "" : ", ") + quoted(reason);
      const char* code = status.code == Code::kSuccess ? "Success" : status.code == Code::kUnschedulable ? "Unschedulable" : "UnschedulableAndUnresolvable";
      return fmt::format("{{\"code\": \"{}\", \"reasons\": [{}]}}", code, id == kFits ? "" : reasons);
    }
    if (what == "shift") {
      const PodInfo* other = find(step.find("pod").text());
      const std::int64_t change = step.find("change").as_integer().value_or(0);
      if (is("PodTopologySpread")) spread_->shift(*other, node, change);
      if (is("InterPodAffinity")) affinity_->shift(*other, node, change);
      if (is("VolumeRestrictions")) restrictions_->shift(*other->spec, change);
      // What a plugin's PreFilter found nothing to say about may begin to concern it.
      passes_ = passes_ && !is("InterPodAffinity");
      return "null";
    }
    if (what == "hint") return hint(step);
    if (what == "gated") return scheduling_gates::is_gated(*pod_->spec) ? "{\"gated\": true}" : "{\"gated\": false}";
    std::vector<NodeIndex> nodes;
    for (std::size_t i = 0; i < step.find("nodes").size(); ++i) nodes.push_back(state_->cache.find(names_.intern(step.find("nodes").item(i).text())));
    return score(nodes);
  }

  scenario::Node root_;
  std::string plugin_;
  Engine engine_;
  Interner names_;
  EventLog log_{engine_, names_};
  ApiServer api_{engine_, log_, names_};
  Randomness random_{1};
  scenario::Diagnostics diagnostics_;
  std::unique_ptr<SchedulerState> state_;
  SchedulingProfile profile_;
  StatusTable statuses_;
  NodeResourcesFit fit_{names_};
  ImageLocality images_;
  std::unique_ptr<PodTopologySpread> spread_;
  std::unique_ptr<InterPodAffinity> affinity_;
  std::unique_ptr<VolumeRestrictions> restrictions_;
  std::unique_ptr<NodeVolumeLimits> limits_;
  std::unique_ptr<VolumeBinding> binding_;
  std::unique_ptr<VolumeZone> zones_;
  const PodInfo* pod_ = nullptr;
  std::string refusal_;
  bool passes_ = false;  // PreFilter's Skip
};

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    scenario::Diagnostics diagnostics;
    const auto document = scenario::load_text("case", line, diagnostics);
    if (document == nullptr || diagnostics.has_errors()) {
      fmt::print("{{\"error\": \"no JSON\"}}\n");
      continue;
    }
    fmt::print("{}\n", Replay(document->root()).run());
  }
  return 0;
}
