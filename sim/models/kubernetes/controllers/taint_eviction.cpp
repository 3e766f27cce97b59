/// Deletes pods from nodes with NoExecute taints that they do not tolerate, or no longer.
///
/// Source:     pkg/controller/tainteviction/{taint_eviction,timed_workers}.go (reference 2.8).
/// Leaves out: tolerations changed on a running pod (a PodSpec here is immutable); the five tries 10 ms apart: a call to an API that
///             cannot write hangs until it can, as a request with a long timeout does.
/// Checked by: tests/models/kubernetes/controllers/taint_eviction_test.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "sim/models/kubernetes/controllers/node_controllers.hpp"
#include "sim/models/kubernetes/controllers/pods_by_node.hpp"

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

// From the condition's PATCH to the DELETE, in the measured trace of reference 7.8.
constexpr SimDuration kRequestTime = 10ms;

/// When a pod with these tolerations has to leave a node with these NoExecute taints. Empty: never. Zero or less: now.
std::optional<SimDuration> stays_for(const std::vector<Taint>& taints, const std::vector<Toleration>& tolerations) {
  std::optional<std::int64_t> least;
  for (const Taint& taint : taints) {
    const auto match = std::find_if(tolerations.begin(), tolerations.end(), [&](const Toleration& t) { return t.tolerates(taint); });
    if (match == tolerations.end()) return SimDuration{};
    if (match->seconds && (!least || *match->seconds < *least)) least = *match->seconds;
  }
  if (!least) return std::nullopt;
  return std::max<SimDuration>(SimDuration{}, std::chrono::seconds(*least));
}

class TaintEvictionController final : public Controller, public Watcher {
 public:
  explicit TaintEvictionController(const ControllerContext& context) : engine_(context.engine), api_(context.api), client_(context.client()), budget_(context) {
    client_.on_availability([this] {
      if (!running_ || !client_.writable()) return;
      const std::set<Ref<Pod>> waiting = std::exchange(waiting_, {});
      for (const Ref<Pod> ref : waiting) {
        const Pod* pod = api_.get(ref);
        if (pod == nullptr) continue;
        const ScopedCause because(engine_, pod->meta.cause);
        patch_pod(ref);
      }
    });
  }
  ~TaintEvictionController() override { stop(); }

  std::string_view name() const override { return "taint-eviction-controller"; }

  void start() override {
    if (running_) return;
    running_ = true;
    ++term_;
    pods_.list(api_);
    client_.watch({Kind::kNode, Kind::kPod}, *this);
    // Every toleration starts anew: the deadlines of the leader before are lost.
    api_.all<Node>().for_each([&](Ref<Node> ref, const Node& node) {
      const ScopedCause because(engine_, node.meta.cause);
      node_changed(ref, node);
    });
  }

  void stop() override {
    if (!running_) return;
    running_ = false;
    ++term_;
    api_.unwatch(*this);
    for (auto& [pod, work] : work_) engine_.cancel(work.timer);
    work_.clear();
    waiting_.clear();
    tainted_.clear();
    pods_.clear();
  }

  void on_event(const WatchEvent& event) override {
    if (event.is<Node>()) {
      const Ref<Node> ref = event.ref<Node>();
      if (event.type == WatchEvent::Type::kDeleted) {
        tainted_.erase(ref);  // deadlines that run go on running, as in the original
        return;
      }
      if (event.type == WatchEvent::Type::kModified && !has(event.changes, Change::kTaints)) return;
      if (const Node* node = api_.get(ref)) node_changed(ref, *node);
      return;
    }
    const Ref<Pod> ref = event.ref<Pod>();
    if (event.type == WatchEvent::Type::kDeleted) {
      forget(ref);
      pods_.on_event(api_, event);
      return;
    }
    if (!pods_.on_event(api_, event)) return;
    const Pod& pod = *api_.get(ref);
    const auto taints = tainted_.find(pod.node);
    if (taints != tainted_.end()) process(ref, pod, taints->second);
  }

 private:
  struct Work {
    SimTime created{};
    TimerId timer{};
    bool fired = false;  // deletion is under way or done: never a second time
  };

  void node_changed(Ref<Node> ref, const Node& node) {
    std::vector<Taint> taints;
    for (const Taint& taint : node.taints) {
      if (taint.effect == TaintEffect::kNoExecute) taints.push_back(taint);
    }
    const auto known = tainted_.find(ref);
    if (known == tainted_.end() ? taints.empty() : known->second == taints) return;
    if (taints.empty()) {
      tainted_.erase(known);
      cancel_all(node.meta.name);
      return;
    }
    tainted_[ref] = taints;
    const std::vector<Ref<Pod>> own = pods_.on(node.meta.name);
    for (const Ref<Pod> pod : own) {
      if (const Pod* object = api_.get(pod)) process(pod, *object, taints);
    }
  }

  void process(Ref<Pod> ref, const Pod& pod, const std::vector<Taint>& taints) {
    const std::optional<SimDuration> stays = stays_for(taints, pod.spec->tolerations);
    if (!stays) {
      cancel(ref);
      return;
    }
    const SimTime now = engine_.now();
    const auto entry = work_.find(ref);
    if (entry != work_.end() && entry->second.fired) return;
    if (*stays > SimDuration{} && entry != work_.end()) {
      // A deadline that runs is kept: it is not put off, and not brought forward either.
      if (entry->second.created < now) return;
      engine_.cancel(entry->second.timer);
    } else {
      cancel(ref);
    }
    Work& work = work_[ref];
    work.created = now;
    if (*stays <= SimDuration{}) {
      fire(ref);
    } else {
      work.timer = engine_.after(*stays, [this, ref] { fire(ref); });
    }
  }

  void cancel(Ref<Pod> ref) {
    const auto entry = work_.find(ref);
    if (entry == work_.end() || entry->second.fired) return;
    engine_.cancel(entry->second.timer);
    work_.erase(entry);
    if (const Pod* pod = api_.get(ref)) {
      api_.record(ref, "TaintManagerEviction",
                  fmt::format("Cancelling deletion of Pod {}/{}", api_.names().text(pod->meta.ns), api_.names().text(pod->meta.name)));
    }
  }

  void cancel_all(Symbol node_name) {
    const std::vector<Ref<Pod>> own = pods_.on(node_name);
    for (const Ref<Pod> pod : own) {
      const auto entry = work_.find(pod);
      // What was already marked stays deleted; a later taint finds the pod terminating.
      if (entry != work_.end() && entry->second.fired) continue;
      cancel(pod);
    }
  }

  void forget(Ref<Pod> ref) {
    const auto entry = work_.find(ref);
    if (entry == work_.end()) return;
    engine_.cancel(entry->second.timer);
    work_.erase(entry);
    waiting_.erase(ref);
  }

  void fire(Ref<Pod> ref) {
    Work& work = work_[ref];
    work.fired = true;
    work.timer = TimerId{};
    const Pod* pod = api_.get(ref);
    if (pod == nullptr) return;
    CauseId record = engine_.cause();
    if (!pod->meta.is_deleting()) {
      record = api_.record(ref, "TaintManagerEviction",
                           fmt::format("Marking for deletion Pod {}/{}", api_.names().text(pod->meta.ns), api_.names().text(pod->meta.name)));
    }
    const ScopedCause because(engine_, record);
    // GET, then the PATCH of the condition.
    const SimDuration get = budget_.take();
    const SimDuration patch = budget_.take();
    later(std::max(get, patch), ref, &TaintEvictionController::patch_pod);
  }

  void later(SimDuration delay, Ref<Pod> ref, void (TaintEvictionController::*step)(Ref<Pod>)) {
    engine_.after(delay, [this, ref, step, term = term_] {
      if (term == term_) (this->*step)(ref);
    });
  }

  void patch_pod(Ref<Pod> ref) {
    const Pod* pod = api_.get(ref);
    if (pod == nullptr) return;
    if (!client_.writable()) {
      waiting_.insert(ref);
      return;
    }
    if (!pod->disruption_target || pod->disruption_reason != api_.well_known().deletion_by_taint_manager) {
      api_.update(ref, Change::kStatus, [&](Pod& p) {
        p.disruption_target = true;
        p.disruption_reason = api_.well_known().deletion_by_taint_manager;
      });
    }
    later(budget_.take() + kRequestTime, ref, &TaintEvictionController::delete_pod);
  }

  void delete_pod(Ref<Pod> ref) {
    if (!client_.writable()) {
      waiting_.insert(ref);
      return;
    }
    api_.remove(ref);
  }

  Engine& engine_;
  ApiServer& api_;
  ApiClient& client_;
  ClientBudget budget_;
  PodsByNode pods_;
  bool running_ = false;
  std::uint32_t term_ = 0;
  std::map<Ref<Node>, std::vector<Taint>> tainted_;
  std::map<Ref<Pod>, Work> work_;
  std::set<Ref<Pod>> waiting_;  // for an API that can write
};

}  // namespace

std::unique_ptr<Controller> make_taint_eviction_controller(const ControllerContext& context) {
  return std::make_unique<TaintEvictionController>(context);
}

}  // namespace sim::k8s
