/// A small API server with nodes and pods, for the tests of the node-side controllers.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/controllers/controller.hpp"
#include "sim/models/kubernetes/controllers/node_lifecycle_controller.hpp"

namespace sim::k8s {

using namespace std::chrono_literals;

inline SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

/// Heartbeats that a test stops and brings back.
class FakeHeartbeats final : public HeartbeatSource {
 public:
  Heartbeat heartbeat(Ref<Node> node) const override {
    const auto found = stopped_.find(node);
    return found == stopped_.end() ? Heartbeat{true, SimTime{}} : Heartbeat{false, found->second};
  }
  void on_heartbeat(std::function<void(Ref<Node>)> listener) override { listeners_.push_back(std::move(listener)); }
  void stop(Ref<Node> node, SimTime last_renewal) {
    stopped_[node] = last_renewal;
    for (const auto& listener : listeners_) listener(node);
  }
  void resume(Ref<Node> node) {
    stopped_.erase(node);
    for (const auto& listener : listeners_) listener(node);
  }

 private:
  std::map<Ref<Node>, SimTime> stopped_;
  std::vector<std::function<void(Ref<Node>)>> listeners_;
};

struct PodOptions {
  std::optional<std::int64_t> tolerates_seconds = 300;  // not-ready and unreachable, as admission adds; empty: none of them
  bool tolerates_forever = false;                       // as a DaemonSet's pods
  bool ready = true;
  PodPhase phase = PodPhase::kRunning;
  std::string app = "web";
  ObjectRef owner{};
  std::uint64_t owner_uid = 0;
  std::int64_t grace_seconds = 30;
  bool has_local_storage = false;
};

struct NodeTestWorld {
  Engine engine;
  Interner names;
  EventLog log{engine, names};
  Randomness random{1};
  ApiServer api{engine, log, names};
  FakeHeartbeats heartbeats;

  double client_burst = 30;

  ControllerContext context() {
    ControllerContext context{engine, log, random, api};
    context.client_burst = client_burst;
    return context;
  }
  Symbol sym(std::string_view text) { return names.intern(text); }

  Ref<Node> add_node(std::string_view name, std::string_view zone = "") {
    Node node;
    node.meta.name = sym(name);
    if (!zone.empty()) node.meta.labels.set(api.well_known().zone, sym(zone));
    node.ready = ConditionStatus::kTrue;
    node.ready_reason = api.well_known().kubelet_ready;
    return api.create(std::move(node));
  }

  Ref<Pod> add_pod(std::string_view name, Ref<Node> node, PodOptions options = {}) {
    auto spec = std::make_shared<PodSpec>();
    const auto tolerate = [&](Symbol key, std::optional<std::int64_t> seconds) {
      Toleration toleration;
      toleration.key = key;
      toleration.exists = true;
      toleration.effect = TaintEffect::kNoExecute;
      toleration.seconds = seconds;
      spec->tolerations.push_back(toleration);
    };
    if (options.tolerates_forever || options.tolerates_seconds) {
      const std::optional<std::int64_t> seconds = options.tolerates_forever ? std::nullopt : options.tolerates_seconds;
      tolerate(api.well_known().not_ready, seconds);
      tolerate(api.well_known().unreachable, seconds);
    }
    spec->termination_grace_seconds = options.grace_seconds;
    spec->has_local_storage = options.has_local_storage;
    Pod pod;
    pod.meta.ns = api.well_known().ns_default;
    pod.meta.name = sym(name);
    pod.meta.labels.set(sym("app"), sym(options.app));
    if (options.owner) pod.meta.owners.push_back(OwnerReference{options.owner, options.owner_uid, true});
    pod.spec = std::move(spec);
    pod.phase = options.phase;
    pod.ready = options.ready;
    pod.ip_serial = 1;
    if (node) {
      pod.node = node;
      pod.node_name = api.get(node)->meta.name;
    }
    return api.create(std::move(pod));
  }

  LabelSelector select(std::string_view app) {
    LabelSelector selector;
    selector.requirements.push_back(Requirement{sym("app"), SelectorOperator::kIn, {sym(app)}});
    return selector;
  }

  Ref<ReplicaSet> add_replica_set(std::string_view name, std::int64_t replicas, std::string_view app = "web") {
    ReplicaSet set;
    set.meta.ns = api.well_known().ns_default;
    set.meta.name = sym(name);
    set.replicas = replicas;
    set.selector = select(app);
    return api.create(std::move(set));
  }
  PodOptions of(Ref<ReplicaSet> set, PodOptions options = {}) {
    options.owner = ApiServer::untyped(set);
    options.owner_uid = api.get(set)->meta.uid;
    return options;
  }

  /// Records of a kind, as "seconds subject".
  std::vector<std::string> records(std::string_view kind) {
    std::vector<std::string> found;
    for (const EventLog::Record& record : log.records()) {
      if (log.kind(record) == kind) found.push_back(fmt::format("{:.1f} {}", seconds(record.time), log.subject(record)));
    }
    return found;
  }
  std::vector<double> times(std::string_view kind) {
    std::vector<double> found;
    for (const EventLog::Record& record : log.records()) {
      if (log.kind(record) == kind) found.push_back(seconds(record.time));
    }
    return found;
  }
  /// The kinds of the records from `id` back to its root.
  std::string chain(CauseId id) {
    std::string text;
    for (const CauseId link : log.chain(id)) text += (text.empty() ? "" : " <- ") + log.kind(log.at(link));
    return text;
  }
  CauseId last_record(std::string_view kind) {
    for (std::size_t i = log.size(); i > 0; --i) {
      const CauseId id{static_cast<std::uint32_t>(i)};
      if (log.kind(log.at(id)) == kind) return id;
    }
    return CauseId{};
  }
};

}  // namespace sim::k8s
