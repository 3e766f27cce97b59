/// Pod garbage collection: pods whose node is gone, pods that terminate on a node that is out of service, too many finished pods,
/// and terminating pods that were never scheduled.
///
/// The original looks every 20 s. Here a pass is an event only while there is something to do; its instants stay on the 20 s grid that
/// begins when the controller starts.
///
/// Source:     pkg/controller/podgc/gc_controller.go (reference 2.9).
/// Leaves out: the time that a pass takes. So the third pass, 40 s after the first, finds the quarantine over, as nearly always happens.
/// Checked by: tests/models/kubernetes/controllers/pod_gc_test.cpp.
#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "sim/models/kubernetes/controllers/controller_manager.hpp"
#include "sim/models/kubernetes/controllers/node_controllers.hpp"
#include "sim/models/kubernetes/controllers/pods_by_node.hpp"

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

constexpr SimDuration kPeriod = 20s;      // gcCheckPeriod
constexpr SimDuration kQuarantine = 40s;  // quarantineTime

class PodGcController final : public Controller, public Watcher {
 public:
  PodGcController(const ControllerContext& context, const ControllerManagerConfig& config)
      : engine_(context.engine), api_(context.api), client_(context.client()), threshold_(config.terminated_pod_gc_threshold), budget_(context), pass_(context.engine) {}
  ~PodGcController() override { stop(); }

  std::string_view name() const override { return "pod-garbage-collector-controller"; }

  void start() override {
    if (running_) return;
    running_ = true;
    ++term_;
    started_ = engine_.now();
    last_pass_ = SimTime::min();
    pods_.list(api_);
    client_.watch({Kind::kNode, Kind::kPod}, *this);
    api_.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) { note(ref, pod); });
    schedule();
  }

  void stop() override {
    if (!running_) return;
    running_ = false;
    ++term_;
    api_.unwatch(*this);
    pass_.cancel();
    pods_.clear();
    missing_.clear();
    terminated_.clear();
    terminating_.clear();
  }

  void on_event(const WatchEvent& event) override {
    if (event.is<Node>()) {
      on_node(event);
    } else {
      on_pod(event);
    }
    schedule();
  }

 private:
  struct Missing {
    std::optional<SimTime> quarantined;  // the pass that first saw it gone
    CauseId cause{};
  };

  void on_node(const WatchEvent& event) {
    if (event.type == WatchEvent::Type::kDeleted) {
      const Symbol name = event.last_state<Node>().meta.name;
      if (!pods_.on(name).empty()) missing_[name].cause = event.cause;
      return;
    }
    const Node* node = api_.get(event.ref<Node>());
    if (node == nullptr) return;
    if (event.type == WatchEvent::Type::kAdded) missing_.erase(node->meta.name);
    if (!is_out_of_service(*node)) return;
    for (const Ref<Pod> ref : pods_.on(node->meta.name)) {
      const Pod* pod = api_.get(ref);
      if (pod != nullptr && pod->meta.is_deleting()) terminating_.insert(ref);
    }
  }

  void on_pod(const WatchEvent& event) {
    const Ref<Pod> ref = event.ref<Pod>();
    pods_.on_event(api_, event);
    if (event.type == WatchEvent::Type::kDeleted) {
      terminated_.erase(ref);
      terminating_.erase(ref);
      const Symbol node = event.last_state<Pod>().node_name;
      if (pods_.on(node).empty()) missing_.erase(node);
      return;
    }
    if (event.type == WatchEvent::Type::kModified && !has(event.changes, Change::kBinding | Change::kPhase | Change::kDeletion)) return;
    if (const Pod* pod = api_.get(ref)) note(ref, *pod);
  }

  void note(Ref<Pod> ref, const Pod& pod) {
    if (pod.is_terminal()) terminated_.insert(ref);
    if (pod.node_name && !api_.find<Node>(Symbol{}, pod.node_name)) missing_.try_emplace(pod.node_name, Missing{std::nullopt, engine_.cause()});
    if (!pod.meta.is_deleting()) return;
    const Node* node = api_.get(pod.node);
    if (!pod.node_name || (node != nullptr && is_out_of_service(*node))) terminating_.insert(ref);
  }

  bool is_out_of_service(const Node& node) const {
    if (node.ready == ConditionStatus::kTrue) return false;
    return std::any_of(node.taints.begin(), node.taints.end(), [&](const Taint& t) { return t.key == api_.well_known().out_of_service; });
  }

  bool over_threshold() const { return threshold_ > 0 && static_cast<std::int64_t>(terminated_.size()) > threshold_; }

  void schedule() {
    if (!running_ || pass_.is_pending()) return;
    if (missing_.empty() && terminating_.empty() && !over_threshold()) return;
    const SimTime soonest = last_pass_ == engine_.now() ? engine_.now() + SimDuration{1} : engine_.now();
    const SimDuration::rep passes = ((soonest - started_) + kPeriod - SimDuration{1}) / kPeriod;
    const CauseId before = engine_.cause();
    engine_.set_cause(CauseId{});  // each pod brings its own
    pass_.set_at(started_ + passes * kPeriod, [this] { pass(); });
    engine_.set_cause(before);
  }

  void pass() {
    last_pass_ = engine_.now();
    if (client_.writable()) {
      collect_terminated();
      collect_terminating();
      collect_orphans();
    }
    schedule();
  }

  void collect_terminated() {
    if (!over_threshold()) return;
    struct Finished {
      bool evicted;
      SimTime created;
      const std::string* name;
      Ref<Pod> ref;
    };
    const Symbol evicted = api_.names().intern("Evicted");
    std::vector<Finished> all;
    for (const Ref<Pod> ref : terminated_) {
      if (const Pod* pod = api_.get(ref)) all.push_back(Finished{pod->reason == evicted, pod->meta.created, &api_.names().text(pod->meta.name), ref});
    }
    std::sort(all.begin(), all.end(), [](const Finished& a, const Finished& b) {
      if (a.evicted != b.evicted) return a.evicted;
      if (a.created != b.created) return a.created < b.created;
      if (*a.name != *b.name) return *a.name < *b.name;
      return a.ref < b.ref;
    });
    const std::int64_t surplus = static_cast<std::int64_t>(all.size()) - threshold_;
    for (std::int64_t i = 0; i < surplus; ++i) {
      const Ref<Pod> ref = all[static_cast<std::size_t>(i)].ref;
      terminated_.erase(ref);
      collect(ref, Why::kTooMany);
    }
  }

  void collect_terminating() {
    // Once each: what finalizers keep comes back only with another change.
    const std::set<Ref<Pod>> terminating = std::exchange(terminating_, {});
    for (const Ref<Pod> ref : terminating) {
      const Pod* pod = api_.get(ref);
      if (pod == nullptr || !pod->meta.is_deleting()) continue;
      if (!pod->node_name) {
        collect(ref, Why::kNeverScheduled);
        continue;
      }
      const Ref<Node> node = api_.find<Node>(Symbol{}, pod->node_name);
      if (node && is_out_of_service(*api_.get(node))) collect(ref, Why::kOutOfService);
    }
  }

  void collect_orphans() {
    std::vector<Symbol> over;
    for (auto missing = missing_.begin(); missing != missing_.end();) {
      const Symbol name = missing->first;
      if (api_.find<Node>(Symbol{}, name) || pods_.on(name).empty()) {
        missing = missing_.erase(missing);
        continue;
      }
      std::optional<SimTime>& since = missing->second.quarantined;
      if (!since) {
        since = engine_.now();
      } else if (engine_.now() - *since >= kQuarantine) {
        over.push_back(name);
      }
      ++missing;
    }
    for (const Symbol name : over) {
      const ScopedCause because(engine_, missing_[name].cause);
      const std::vector<Ref<Pod>> own = pods_.on(name);
      for (const Ref<Pod> ref : own) collect(ref, Why::kOrphan);
      missing_.erase(name);
    }
  }

  enum class Why : std::uint8_t { kTooMany, kOutOfService, kNeverScheduled, kOrphan };
  static const char* message(Why why) {
    switch (why) {
      case Why::kTooMany: return "PodGC: more finished pods than terminated-pod-gc-threshold";
      case Why::kOutOfService: return "PodGC: terminating on a node that is out of service";
      case Why::kNeverScheduled: return "PodGC: terminating and never scheduled";
      case Why::kOrphan: return "PodGC: node no longer exists";
    }
    return "";
  }

  /// markFailedAndDeletePod: the phase first (controllers react to it), then DELETE with grace 0.
  void collect(Ref<Pod> ref, Why why) {
    const Pod* pod = api_.get(ref);
    if (pod == nullptr) return;
    const ScopedCause because(engine_, engine_.cause() ? engine_.cause() : pod->meta.cause);
    const SimDuration patch = pod->is_terminal() ? SimDuration{} : budget_.take();
    const SimDuration remove = budget_.take();
    engine_.after(patch, [this, ref, why, remove, began = engine_.now(), term = term_] {
      if (term != term_ || api_.get(ref) == nullptr) return;
      if (!client_.writable()) {
        try_again(ref);
        return;
      }
      const CauseId record = api_.record(ref, "DeletionByPodGC", message(why));
      const ScopedCause because_collected(engine_, record);
      if (!api_.get(ref)->is_terminal()) {
        api_.update(ref, Change::kPhase, [&](Pod& p) {
          p.phase = PodPhase::kFailed;
          if (why != Why::kOrphan) return;
          p.disruption_target = true;
          p.disruption_reason = api_.well_known().deletion_by_pod_gc;
        });
      }
      const SimDuration passed = engine_.now() - began;
      engine_.after(remove > passed ? remove - passed : SimDuration{}, [this, ref, term] {
        if (term != term_) return;
        if (!client_.writable()) {
          try_again(ref);
          return;
        }
        DeleteOptions options;
        options.grace_period_seconds = 0;
        api_.remove(ref, options);
      });
    });
  }

  void try_again(Ref<Pod> ref) {
    if (const Pod* pod = api_.get(ref)) note(ref, *pod);
    schedule();
  }

  Engine& engine_;
  ApiServer& api_;
  ApiClient& client_;
  std::int64_t threshold_;
  ClientBudget budget_;
  PodsByNode pods_;
  bool running_ = false;
  std::uint32_t term_ = 0;
  SimTime started_{};
  SimTime last_pass_{SimTime::min()};
  std::map<Symbol, Missing> missing_;  // nodes that pods are bound to and that do not exist
  std::set<Ref<Pod>> terminated_;
  std::set<Ref<Pod>> terminating_;     // to be looked at in the next pass
  Timer pass_;
};

}  // namespace

std::unique_ptr<Controller> make_pod_gc_controller(const ControllerContext& context, const ControllerManagerConfig& config) {
  return std::make_unique<PodGcController>(context, config);
}

std::unique_ptr<Controller> make_pod_gc_controller(const ControllerContext& context, Kubelets&, const ControllerManagerConfig& config) {
  return make_pod_gc_controller(context, config);
}

}  // namespace sim::k8s
