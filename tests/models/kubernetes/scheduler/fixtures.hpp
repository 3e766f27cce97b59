/// A small cluster in a few lines, for the scheduler's tests.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/models/kubernetes/scheduler/scheduler_state.hpp"

namespace sim::k8s::scheduling::test {

inline constexpr std::int64_t kMi = 1024 * 1024;
inline constexpr std::int64_t kGi = 1024 * kMi;

using Pairs = std::initializer_list<std::pair<std::string_view, std::string_view>>;

struct Cluster {
  Engine engine;
  Interner names;
  EventLog log{engine, names};
  ApiServer api{engine, log, names};
  Randomness random{7};

  Symbol name(std::string_view text) { return names.intern(text); }
  Labels labels(Pairs pairs) {
    Labels result;
    for (const auto& [key, value] : pairs) result.set(name(key), name(value));
    return result;
  }
  LabelSelector selector(Pairs pairs) {
    LabelSelector result;
    for (const auto& [key, value] : pairs) result.requirements.push_back(Requirement{name(key), SelectorOperator::kIn, {name(value)}});
    return result;
  }
  Requirement requirement(std::string_view key, SelectorOperator op, std::initializer_list<std::string_view> values) {
    Requirement result{name(key), op, {}};
    for (const std::string_view value : values) result.values.push_back(name(value));
    return result;
  }
  PodAffinityTerm term(std::string_view topology_key, Pairs match_labels, std::int64_t weight = 0) {
    PodAffinityTerm result;
    result.topology_key = name(topology_key);
    result.selector = selector(match_labels);
    result.weight = weight;
    return result;
  }

  struct NodeOptions {
    std::int64_t cpu = 4000;
    std::int64_t memory = 8 * kGi;
    std::int64_t pods = 110;
    std::string_view zone = "";
    std::vector<Taint> taints = {};
    bool unschedulable = false;
    bool has_hostname = true;
  };
  Ref<Node> node(std::string_view node_name, NodeOptions options) {
    Node object;
    object.meta.name = name(node_name);
    if (options.has_hostname) object.meta.labels.set(api.well_known().hostname, object.meta.name);
    if (!options.zone.empty()) object.meta.labels.set(api.well_known().zone, name(options.zone));
    object.allocatable.cpu_milli = options.cpu;
    object.allocatable.memory = options.memory;
    object.allocatable.pods = options.pods;
    object.capacity = object.allocatable;
    object.taints = std::move(options.taints);
    object.unschedulable = options.unschedulable;
    object.ready = ConditionStatus::kTrue;
    return api.create(std::move(object));
  }
  Ref<Node> node(std::string_view node_name) { return node(node_name, NodeOptions{}); }

  /// A pod's spec with one container.
  PodSpec spec(std::int64_t cpu = 0, std::int64_t memory = 0) {
    PodSpec result;
    Container container;
    container.name = name("main");
    container.image = name("app:1");
    container.requests.cpu_milli = cpu;
    container.requests.memory = memory;
    container.has_cpu_request = cpu != 0;
    container.has_memory_request = memory != 0;
    result.containers.push_back(container);
    result.scheduler_name = api.well_known().default_scheduler;
    return result;
  }
  /// Creates a pod; with a node it is bound from the start.
  Ref<Pod> pod(std::string_view pod_name, PodSpec spec_in, Pairs pod_labels = {}, std::string_view node_name = "", std::string_view ns = "default") {
    finish_pod_spec(spec_in);
    Pod object;
    object.meta.ns = name(ns);
    object.meta.name = name(pod_name);
    object.meta.labels = labels(pod_labels);
    object.spec = std::make_shared<const PodSpec>(std::move(spec_in));
    if (!node_name.empty()) {
      object.node_name = name(node_name);
      object.node = api.find<Node>(Symbol{}, object.node_name);
    }
    return api.create(std::move(object));
  }

  /// Cache, queue and cycle over what the API server has.
  std::unique_ptr<SchedulerState> state() {
    auto result = std::make_unique<SchedulerState>(api, random, QueueConfig{}, 0);
    api.all<Node>().for_each([&](Ref<Node> ref, const Node& object) { result->cache.add_node(ref, object); });
    api.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& object) {
      if (object.node_name) {
        result->cache.assign(ref, object, object.node_name);
      } else {
        result->cache.put_pending(ref, object);
      }
    });
    return result;
  }
  std::string node_of(const SchedulerState& state, const Decision& decision) {
    return decision.node == kNoNode ? std::string("-") : names.text(state.cache.node(decision.node).name);
  }
};

}  // namespace sim::k8s::scheduling::test
