/// A cluster for tests of controllers: an API server, and one actor that binds pods, makes them Running and Ready after a while, and ends
/// deleted ones after a while. What it does to a pod is decided by plain members that a test sets.
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/core/symbol.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/controllers/controller.hpp"

namespace sim::k8s::test {

class FakeKubelet : public Watcher {
 public:
  FakeKubelet(Engine& engine, ApiServer& api) : engine_(engine), api_(api) { api_.watch({Kind::kPod}, *this); }
  ~FakeKubelet() override { api_.unwatch(*this); }

  SimDuration start_time{std::chrono::seconds(5)};  // from created to Ready
  SimDuration stop_time{std::chrono::seconds(1)};   // from deleted to gone
  /// Where a new pod goes; Symbol{} leaves it Pending.
  std::function<Symbol(const Pod&)> place;
  /// Whether a pod becomes Ready at all.
  std::function<bool(const Pod&)> becomes_ready = [](const Pod&) { return true; };
  /// How long a started pod runs, and with which exit code it ends; empty: for ever.
  std::function<std::optional<std::pair<SimDuration, int>>(const Pod&)> runs_for;
  /// Pods on these nodes are neither started nor ended: the node is dead.
  std::vector<Symbol> dead_nodes;

  void on_event(const WatchEvent& event) override {
    const Ref<Pod> ref = event.ref<Pod>();
    const Pod* pod = api_.get(ref);
    if (pod == nullptr) return;
    if (event.type == WatchEvent::Type::kAdded && !pod->meta.is_deleting()) {
      bind(ref);
      engine_.after(start_time, [this, ref] { started(ref); });
    }
    if (has(event.changes, Change::kDeletion)) {
      engine_.after(stop_time, [this, ref] { stopped(ref); });
    }
  }

  void set_ready(Ref<Pod> ref, bool ready) {
    api_.update(ref, Change::kReady, [&](Pod& p) {
      p.ready = ready;
      p.ready_since = engine_.now();
    });
  }

  void finish(Ref<Pod> ref, int exit_code) {
    const Pod* pod = api_.get(ref);
    if (pod == nullptr || pod->is_terminal()) return;
    const CauseId because = exit_code == 0 ? engine_.cause() : api_.record(ref, "ContainerExited", "exit code " + std::to_string(exit_code));
    const ScopedCause scope(engine_, because);
    api_.update(ref, Change::kPhase | Change::kReady | Change::kContainers, [&](Pod& p) {
      p.phase = exit_code == 0 ? PodPhase::kSucceeded : PodPhase::kFailed;
      p.ready = false;
      p.ready_since = engine_.now();
      ContainerStatus status;
      status.state = ContainerState::kTerminated;
      status.exit_code = exit_code;
      status.finished_at = engine_.now();
      p.containers.assign(1, status);
    });
  }

 private:
  bool is_dead(const Pod& pod) const {
    for (const Symbol node : dead_nodes) {
      if (node == pod.node_name) return true;
    }
    return false;
  }
  void bind(Ref<Pod> ref) {
    const Pod& pod = *api_.get(ref);
    if (pod.node_name) return;
    const Symbol node = place ? place(pod) : api_.names().intern("n1");
    if (!node) return;
    api_.update(ref, Change::kBinding, [&](Pod& p) {
      p.node_name = node;
      p.node = api_.find<Node>(Symbol{}, node);
    });
  }
  void started(Ref<Pod> ref) {
    const Pod* pod = api_.get(ref);
    if (pod == nullptr || pod->meta.is_deleting() || pod->is_terminal() || !pod->node_name || is_dead(*pod)) return;
    const bool ready = becomes_ready(*pod);
    api_.update(ref, Change::kPhase | Change::kReady, [&](Pod& p) {
      p.phase = PodPhase::kRunning;
      p.ready = ready;
      p.ready_since = engine_.now();
    });
    if (!runs_for) return;
    if (const auto run = runs_for(*api_.get(ref))) {
      engine_.after(run->first, [this, ref, code = run->second] { finish(ref, code); });
    }
  }
  void stopped(Ref<Pod> ref) {
    const Pod* pod = api_.get(ref);
    if (pod == nullptr || is_dead(*pod)) return;
    DeleteOptions now;
    now.grace_period_seconds = 0;
    api_.remove(ref, now);
  }

  Engine& engine_;
  ApiServer& api_;
};

struct TestCluster {
  explicit TestCluster(std::uint64_t seed = 1)
      : log(engine, names), random(seed), api(engine, log, names), context{engine, log, random, api}, kubelet(engine, api) {}

  Engine engine;
  Interner names;
  EventLog log;
  Randomness random;
  ApiServer api;
  ControllerContext context;
  FakeKubelet kubelet;
  std::vector<std::unique_ptr<Controller>> controllers;

  void add(std::unique_ptr<Controller> controller) { controllers.push_back(std::move(controller)); }
  void start() {
    for (const auto& controller : controllers) controller->start();
  }
  void stop() {
    for (const auto& controller : controllers) controller->stop();
  }
  void run_for(SimDuration span) { engine.run_until(engine.now() + span); }
  void run_to(SimDuration since_start) { engine.run_until(SimTime{} + since_start); }

  Symbol sym(std::string_view text) { return names.intern(text); }
  Symbol ns() { return api.well_known().ns_default; }

  PodTemplate pod_template(std::string_view app, std::uint64_t hash) {
    auto spec = std::make_shared<PodSpec>();
    Container container;
    container.name = sym("main");
    container.image = sym("image:" + std::to_string(hash));
    spec->containers.push_back(container);
    finish_pod_spec(*spec);
    PodTemplate result;
    result.labels.set(sym("app"), sym(app));
    result.spec = spec;
    result.hash = hash;
    return result;
  }
  LabelSelector selector(std::string_view app) {
    LabelSelector result;
    result.requirements.push_back(Requirement{sym("app"), SelectorOperator::kIn, {sym(app)}});
    return result;
  }
  Ref<Node> add_node(std::string_view name) {
    Node node;
    node.meta.name = sym(name);
    node.meta.labels.set(api.well_known().hostname, sym(name));
    node.ready = ConditionStatus::kTrue;
    return api.create(std::move(node));
  }

  std::vector<Ref<Pod>> pods() const { return api.all<Pod>().refs(); }
  std::int64_t count_pods(const std::function<bool(const Pod&)>& which) const {
    std::int64_t count = 0;
    api.all<Pod>().for_each([&](Ref<Pod>, const Pod& pod) { count += which(pod) ? 1 : 0; });
    return count;
  }
  std::int64_t active_pods() const {
    return count_pods([](const Pod& pod) { return pod.is_active(); });
  }
  Ref<Pod> pod(std::string_view name) { return api.find<Pod>(ns(), sym(name)); }
  /// Records of this kind, as "subject message".
  std::vector<std::string> records(std::string_view kind) const {
    std::vector<std::string> found;
    for (const EventLog::Record& record : log.records()) {
      if (log.kind(record) == kind) found.push_back(log.subject(record) + " " + std::string(log.message(record)));
    }
    return found;
  }
  /// Kinds from this record back to its root.
  std::vector<std::string> chain(CauseId id) const {
    std::vector<std::string> kinds;
    for (const CauseId cause : log.chain(id)) kinds.push_back(log.kind(log.at(cause)));
    return kinds;
  }
};

}  // namespace sim::k8s::test
