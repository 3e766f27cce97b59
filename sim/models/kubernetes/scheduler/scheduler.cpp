#include "sim/models/kubernetes/scheduler/scheduler.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>

#include "sim/models/kubernetes/scheduler/cycle_trace.hpp"
#include "sim/models/kubernetes/scheduler/plugins/scheduling_gates.hpp"
#include "sim/models/kubernetes/scheduler/schedule_all.hpp"
#include "sim/models/kubernetes/scheduler/scheduler_state.hpp"

namespace sim::k8s {

using scheduling::Action;
using scheduling::Decision;
using scheduling::kNoNode;
using scheduling::NodeIndex;
using scheduling::PodInfo;
using scheduling::PodSlot;
using scheduling::QueueConfig;
using scheduling::QueuedPod;
using scheduling::SchedulerState;

namespace {

/// Makes a cause current, also the absence of one: the timer of the scheduling loop was set by some other pod's event.
class ExactCause {
 public:
  ExactCause(Engine& engine, CauseId cause) : engine_(engine), before_(engine.cause()) { engine.set_cause(cause); }
  ~ExactCause() { engine_.set_cause(before_); }
  ExactCause(const ExactCause&) = delete;
  ExactCause& operator=(const ExactCause&) = delete;

 private:
  Engine& engine_;
  CauseId before_;
};

/// A pod on 5,000 cordoned nodes has one reason in 5,000 places: a few say enough.
constexpr std::size_t kContributingMax = 8;

constexpr SimDuration kBindPoll = std::chrono::seconds(1);       // of VolumeBinding's PreBind

}  // namespace

struct Scheduler::Impl {
  struct Binding {
    Ref<Pod> ref;
    NodeIndex node = kNoNode;
    Symbol node_name;
    CauseId cause{};
    std::uint32_t attempts = 0;
    bool volumes_written = false;  // VolumeBinding's PreBind waits for the claims
    SimTime volumes_since{};
    bool look_pending = false;
  };
  struct Failure {
    Ref<Pod> ref;
    std::string message;
  };

  Impl(Engine& engine_in, EventLog& log_in, const Randomness& random_in, ApiServer& api_in, SchedulerConfig config_in, ApiClient& client_in)
      : engine(engine_in),
        log(log_in),
        random(random_in),
        api(api_in),
        client(client_in),
        config(config_in),
        cycle_timer(engine_in),
        flush_timer(engine_in) {}

  SimTime now() const { return engine.now(); }

  void start() {
    running = true;
    ++session;
    started = now();
    next_call = SimTime::min();
    free_at = now();
    const QueueConfig queue_config{config.pod_initial_backoff, config.pod_max_backoff, std::chrono::minutes(5)};
    state.emplace(api, random, queue_config, config.percentage_of_nodes_to_score);
    if (config.profiles != nullptr) state->cycle.set_profiles(*config.profiles);
    // Lists arrive in the order of etcd's keys: by namespace and name.
    const auto& names = api.names();
    std::vector<Ref<Node>> nodes = api.all<Node>().refs();
    std::sort(nodes.begin(), nodes.end(), [&](Ref<Node> a, Ref<Node> b) { return names.text(api.get(a)->meta.name) < names.text(api.get(b)->meta.name); });
    for (const Ref<Node> ref : nodes) state->cache.add_node(ref, *api.get(ref));
    std::vector<Ref<Pod>> pods = api.all<Pod>().refs();
    std::sort(pods.begin(), pods.end(), [&](Ref<Pod> a, Ref<Pod> b) {
      const ObjectMeta& left = api.get(a)->meta;
      const ObjectMeta& right = api.get(b)->meta;
      return left.ns != right.ns ? names.text(left.ns) < names.text(right.ns) : names.text(left.name) < names.text(right.name);
    });
    for (const Ref<Pod> ref : pods) {
      const ExactCause because(engine, api.get(ref)->meta.cause);
      take_over(ref, *api.get(ref));
    }
    kick();
    arm_flush();
  }

  void stop() {
    running = false;
    cycle_timer.cancel();
    flush_timer.cancel();
    bindings.clear();
    state.reset();
  }

  // ---- events ----

  void on_pod(const WatchEvent& event) {
    const Ref<Pod> ref = event.ref<Pod>();
    if (event.type == WatchEvent::Type::kDeleted) {
      pod_gone(ref);
      return;
    }
    constexpr auto kConcerning = static_cast<std::uint32_t>(Change::kSpec | Change::kLabels | Change::kBinding | Change::kPhase | Change::kDeletion | Change::kScheduling);
    if (event.type == WatchEvent::Type::kModified && (static_cast<std::uint32_t>(event.changes) & kConcerning) == 0) return;
    const Pod* pod = api.get(ref);
    if (pod != nullptr) take_over(ref, *pod);
  }

  /// Brings cache and queue to what the pod now is.
  void take_over(Ref<Pod> ref, const Pod& pod) {
    const PodInfo* known = state->cache.find_pod(ref);
    if (pod.is_terminal()) {
      pod_gone(ref);  // its resources are free from now on, not only when the object goes
    } else if (pod.node_name) {
      take_over_assigned(ref, pod, known);
    } else if (state->cycle.schedules(*pod.spec)) {
      take_over_pending(ref, pod, known);
    }
  }

  void take_over_assigned(Ref<Pod> ref, const Pod& pod, const PodInfo* known) {
    if (known != nullptr && known->state == PodInfo::State::kAssigned) {
      state->cache.assign(ref, pod, pod.node_name);
      update_labels(ref, pod, *known);
      if (pod.meta.is_deleting()) state->cache.set_terminating(ref.slot);
      return;
    }
    // The confirmation of what was assumed, or somebody else's binding.
    forget_binding(ref.slot);
    state->queue.remove(ref.slot);
    state->cache.assign(ref, pod, pod.node_name);
    if (pod.meta.is_deleting()) state->cache.set_terminating(ref.slot);
    state->fire_pod(Action::kPodAdd, ref.slot, now(), engine.cause());
  }

  void update_labels(Ref<Pod> ref, const Pod& pod, const PodInfo& known) {
    const Labels before = state->cache.index().labels(known.identity);
    if (before == pod.meta.labels) return;
    state->cache.relabel(ref.slot, pod.meta.labels);
    const scheduling::PodView old_view{ref, pod.meta.ns, &before, pod.spec.get(), true};
    const scheduling::PodView new_view{ref, pod.meta.ns, &pod.meta.labels, pod.spec.get(), true};
    scheduling::ClusterEvent event;
    event.action = Action::kPodLabel;
    event.pod_before = &old_view;
    event.pod_after = &new_view;
    state->fire(event, now(), engine.cause());
  }

  void take_over_pending(Ref<Pod> ref, const Pod& pod, const PodInfo* known) {
    if (known != nullptr && known->state == PodInfo::State::kAssumed) {
      // Deleted while its binding is under way: what it holds is free at once, and the binding will fail.
      if (!pod.meta.is_deleting()) return;
      forget_binding(ref.slot);
      state->queue.remove(ref.slot);
      state->fire_pod(Action::kPodDelete, ref.slot, now(), engine.cause());
      state->cache.unassume(ref.slot);
      return;
    }
    const bool is_new = known == nullptr;
    const std::shared_ptr<const PodSpec> spec_before = is_new ? nullptr : known->spec;
    const Labels labels_before = is_new ? Labels{} : state->cache.index().labels(known->identity);
    state->cache.put_pending(ref, pod);
    take_over_nomination(ref, pod);
    state->queue.add(ref, pod.spec->priority, scheduling::scheduling_gates::is_gated(*pod.spec), now(), engine.cause());
    if (!is_new) {
      const scheduling::PodView old_view{ref, pod.meta.ns, &labels_before, spec_before.get(), false};
      const scheduling::PodView new_view{ref, pod.meta.ns, &pod.meta.labels, pod.spec.get(), false};
      scheduling::ClusterEvent event;
      event.pod_before = &old_view;
      event.pod_after = &new_view;
      if (labels_before != pod.meta.labels) {
        event.action = Action::kPodLabel;
        state->fire(event, now(), engine.cause());
      }
      if (spec_before->tolerations != pod.spec->tolerations) {
        event.action = Action::kPodToleration;
        state->fire(event, now(), engine.cause());
      }
    }
    kick();
  }

  void take_over_nomination(Ref<Pod> ref, const Pod& pod) {
    const NodeIndex wanted = pod.nominated_node ? state->cache.find(pod.nominated_node) : kNoNode;
    const PodInfo& info = state->cache.pod(ref.slot);
    // While our own write is on its way the API still says what was before.
    const QueuedPod* queued = state->queue.find(ref.slot);
    if (info.nominated == wanted || (queued != nullptr && queued->preempting)) return;
    if (info.nominated != kNoNode) state->fire_pod(Action::kPodDelete, ref.slot, now(), engine.cause(), info.priority());
    state->cache.nominate(ref.slot, wanted);
  }

  void pod_gone(Ref<Pod> ref) {
    const PodInfo* known = state->cache.find_pod(ref);
    if (known == nullptr) return;
    forget_binding(ref.slot);
    forget_failure(ref.slot);
    state->queue.remove(ref.slot);
    if (known->is_on_node()) {
      state->fire_pod(Action::kPodDelete, ref.slot, now(), engine.cause());
    } else if (known->nominated != kNoNode) {
      state->fire_pod(Action::kPodDelete, ref.slot, now(), engine.cause(), known->priority());
    }
    state->cache.remove_pod(ref.slot);
  }

  void on_node(const WatchEvent& event) {
    const Ref<Node> ref = event.ref<Node>();
    if (event.type == WatchEvent::Type::kDeleted) {
      const NodeIndex known = state->cache.find(event.last_state<Node>().meta.name);
      if (known != kNoNode && state->cache.node(known).ref == ref) state->node_gone(known, now(), engine.cause());
      return;
    }
    const Node* node = api.get(ref);
    if (node != nullptr) state->node_changed(ref, *node, now(), engine.cause());
  }

  // ---- the scheduling loop ----

  /// Runs a cycle soon, when there is a pod to try and none is being tried.
  void kick() {
    if (!running || cycle_timer.is_pending() || !state->queue.can_pop()) return;
    const SimDuration busy = std::max(free_at - now(), SimDuration{0});
    cycle_timer.set_after(busy + config.scheduling_latency, [this] { run_cycle(); });
  }

  /// One more request to the API server: how long client-go's token bucket lets it wait. A full bucket holds `burst` tokens, and `qps` come in a second.
  SimDuration wait_for_call() {
    if (config.client_qps <= 0) return SimDuration{0};
    const SimDuration every = std::chrono::nanoseconds(1'000'000'000 / config.client_qps);
    next_call = std::max(next_call, now() - every * config.client_burst) + every;
    return std::max(next_call - now(), SimDuration{0});
  }

  void arm_flush() {
    const SimTime next = state->queue.next_flush(started, now());
    if (next == kEndOfTime) {
      flush_timer.cancel();
    } else if (!flush_timer.is_pending() || next != flush_at) {
      const ExactCause nobody(engine, CauseId{});  // each pod has its own
      flush_at = next;
      flush_timer.set_at(next, [this] {
        state->queue.flush(now());
        kick();
        arm_flush();
      });
    }
  }

  void run_cycle() {
    const QueuedPod* queued = state->queue.pop(now());
    if (queued != nullptr) try_pod(*queued);
    kick();
    arm_flush();
  }

  void try_pod(const QueuedPod& entry) {
    const QueuedPod queued = entry;  // the queue may let go of its own
    const Ref<Pod> ref = queued.ref;
    const Pod* pod = api.get(ref);
    if (pod == nullptr || pod->node_name) {
      state->queue.remove(ref.slot);  // the event that says so is on its way
      return;
    }
    const ExactCause because(engine, cause_of(*pod, queued));
    if (pod->meta.is_deleting()) {
      note_failure(ref, queued, fmt::format("skip schedule deleting pod: {}/{}", api.names().text(pod->meta.ns), api.names().text(pod->meta.name)), nullptr);
      state->queue.remove(ref.slot);
      return;
    }
    const bool is_watched = observer && is_wanted(ref);
    scheduling::CycleTrace trace;
    Decision decision = state->cycle.schedule(ref.slot, now(), queued.attempts, is_watched ? &trace : nullptr);
    if (is_watched) observer(ObservedCycle{pod->meta.ns, pod->meta.name, queued.attempts, now(), decision, trace, state->cache, state->cycle.statuses()});
    if (decision.node == kNoNode) {
      handle_failure(ref, queued, decision);
      return;
    }
    if (!pod->spec->volumes.empty() && api.has_storage()) state->cycle.volume_binding().reserve(ref.slot, decision.node);
    state->cache.assume(ref.slot, decision.node);
    const Symbol node_name = state->cache.node(decision.node).name;
    bindings[ref.slot] = Binding{ref, decision.node, node_name, queued.cause, queued.attempts};
    const std::uint32_t of_session = session;
    engine.after(wait_for_call() + config.binding_latency, [this, ref, of_session] {
      if (running && session == of_session) bind(ref);
    });
  }

  /// Why a pod is tried: at first what made it, later what put it back into the queue.
  static CauseId cause_of(const Pod& pod, const QueuedPod& queued) {
    if (queued.attempts > 1 && queued.cause) return queued.cause;
    return pod.meta.cause ? pod.meta.cause : queued.cause;
  }

  void bind(Ref<Pod> ref) {
    const auto found = bindings.find(ref.slot);
    if (found == bindings.end() || found->second.ref != ref) return;
    const Pod* pod = api.get(ref);
    if (pod == nullptr || pod->node_name) {
      forget_binding(ref.slot);
      return;  // the event that says so is on its way
    }
    if (!client.writable() || pod->meta.is_deleting()) {
      const char* why = pod->meta.is_deleting() ? "pod is being deleted, cannot be assigned to a host" : "the API server does not take writes";
      fail_binding(ref, fmt::format("running Bind plugin \"DefaultBinder\": {}", why));
      return;
    }
    if (!volumes_are_bound(ref, found->second)) return;
    const Binding binding = found->second;
    forget_binding(ref.slot);
    state->queue.remove(ref.slot);
    forget_failure(ref.slot);
    const CauseId before = pod->meta.cause;
    const CauseId id = api.record(ref, "Scheduled", fmt::format("Successfully assigned {}/{} to {}", api.names().text(pod->meta.ns), api.names().text(pod->meta.name),
                                                                api.names().text(binding.node_name)));
    log.also_caused_by(id, before);
    const ScopedCause because(engine, id);
    const Ref<Node> node = api.find<Node>(Symbol{}, binding.node_name);
    api.update(ref, Change::kBinding | Change::kScheduling, [&](Pod& p) {
      p.node = node;
      p.node_name = binding.node_name;
      p.nominated_node = Symbol{};
      p.unschedulable = false;
      p.scheduled_at = now();
    });
  }

  void fail_binding(Ref<Pod> ref, std::string message) {
    forget_binding(ref.slot);
    state->fire_pod(Action::kPodDelete, ref.slot, now(), engine.cause());
    state->cache.unassume(ref.slot);
    Decision decision;
    decision.message = std::move(message);
    decision.preemption.clears_nomination = true;
    const QueuedPod queued = *state->queue.find(ref.slot);
    handle_failure(ref, queued, decision);
    kick();
    arm_flush();
  }

  /// VolumeBinding's PreBind: the wishes are written once, then the claims are looked at every second until they are bound. Here a look is an
  /// event only after a claim changed, at the instant at which the original would look.
  bool volumes_are_bound(Ref<Pod> ref, Binding& binding) {
    const scheduling::VolumeBinding::Reservation* reserved = state->cycle.volume_binding().find(ref.slot);
    if (reserved == nullptr) return true;
    const scheduling::VolumeBinding::Reservation wishes = *reserved;
    if (!binding.volumes_written) {
      binding.volumes_written = true;
      binding.volumes_since = now();
      const ScopedCause because(engine, api.get(ref)->meta.cause);
      for (const auto& [claim_ref, volume_ref] : wishes.statics) {
        const PersistentVolumeClaim* claim = api.get(claim_ref);
        const PersistentVolume* volume = api.get(volume_ref);
        if (claim == nullptr || volume == nullptr || (volume->claim_name && volume->claim_uid != 0 && volume->claim_uid != claim->meta.uid)) continue;
        const ObjectMeta meta = claim->meta;
        api.update(volume_ref, Change::kBinding, [&meta](PersistentVolume& v) {
          v.claim_ns = meta.ns;
          v.claim_name = meta.name;
          v.claim_uid = meta.uid;
        });
      }
      for (const Ref<PersistentVolumeClaim> claim_ref : wishes.dynamics) {
        const PersistentVolumeClaim* claim = api.get(claim_ref);
        if (claim == nullptr || claim->selected_node) continue;
        api.update(claim_ref, Change::kSpec, [&](PersistentVolumeClaim& c) { c.selected_node = binding.node_name; });
      }
      const std::uint32_t of_session = session;
      state->cycle.use_profile_of(*api.get(ref)->spec);
      const SimDuration timeout = state->cycle.profile().bind_timeout;
      engine.after(timeout, [this, ref, of_session, timeout] {
        if (!running || session != of_session) return;
        const auto still = bindings.find(ref.slot);
        if (still == bindings.end() || still->second.ref != ref || !still->second.volumes_written) return;
        if (now() < still->second.volumes_since + timeout) return;  // another try of the same pod
        fail_binding(ref, "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded");
      });
      return false;
    }
    bool all = true;
    const auto look = [&](Ref<PersistentVolumeClaim> claim_ref, bool dynamic) {
      const PersistentVolumeClaim* claim = api.get(claim_ref);
      if (claim != nullptr && claim->is_bound()) return true;
      all = false;
      return claim != nullptr && (!dynamic || claim->selected_node == binding.node_name);
    };
    for (const auto& [claim_ref, volume_ref] : wishes.statics) {
      if (look(claim_ref, false)) continue;
      fail_binding(ref, "running PreBind plugin \"VolumeBinding\": binding volumes: error getting PVC from the cache");
      return false;
    }
    for (const Ref<PersistentVolumeClaim> claim_ref : wishes.dynamics) {
      if (look(claim_ref, true)) continue;
      const PersistentVolumeClaim* claim = api.get(claim_ref);
      fail_binding(ref, claim == nullptr ? std::string("running PreBind plugin \"VolumeBinding\": binding volumes: error getting PVC from the cache")
                                         : fmt::format("running PreBind plugin \"VolumeBinding\": binding volumes: provisioning failed for PVC \"{}\"",
                                                       api.names().text(claim->meta.name)));
      return false;
    }
    return all;
  }

  /// A claim changed: the bindings that wait look at their claims at their next turn.
  void look_at_bindings() {
    for (auto& [slot, binding] : bindings) {
      if (!binding.volumes_written || binding.look_pending) continue;
      binding.look_pending = true;
      const SimDuration since = now() - binding.volumes_since;
      const SimTime turn = binding.volumes_since + (since + kBindPoll - SimDuration(1)) / kBindPoll * kBindPoll;
      engine.at(turn, [this, ref = binding.ref, of_session = session] {
        if (!running || session != of_session) return;
        const auto still = bindings.find(ref.slot);
        if (still == bindings.end() || still->second.ref != ref) return;
        still->second.look_pending = false;
        bind(ref);
      });
    }
  }

  void on_storage(const WatchEvent& event) {
    if (const std::optional<scheduling::ClusterEvent> what = state->storage.of(event)) state->fire(*what, now(), engine.cause());
  }

  void handle_failure(Ref<Pod> ref, const QueuedPod& queued, const Decision& decision) {
    const Symbol nominated_before = api.get(ref)->nominated_node;
    note_failure(ref, queued, decision.message, &decision);
    Symbol nominated = nominated_before;
    if (decision.preemption.node != kNoNode) {
      nominated = state->cache.node(decision.preemption.node).name;
      state->cache.nominate(ref.slot, decision.preemption.node);
    } else if (decision.preemption.clears_nomination) {
      nominated = Symbol{};
      state->cache.nominate(ref.slot, kNoNode);
    }
    const Pod& pod = *api.get(ref);
    const CauseId cause = pod.meta.cause ? pod.meta.cause : queued.cause;
    state->queue.failed(ref.slot, decision.rejectors, now(), cause);
    const ExactCause because(engine, cause);
    const bool changes = !pod.unschedulable || nominated != nominated_before;
    if (changes && client.writable()) {
      free_at = now() + wait_for_call();  // the scheduling loop itself sends it
      api.update(ref, Change::kScheduling, [&](Pod& p) {
        p.unschedulable = true;
        p.nominated_node = nominated;
      });
    }
    if (!decision.preemption.victims.empty()) begin_preemption(ref, decision);
  }

  /// Keeps the message, and records it when it is news.
  void note_failure(Ref<Pod> ref, const QueuedPod& queued, const std::string& message, const Decision* decision) {
    Failure& failure = failures[ref.slot];
    if (failure.ref == ref && failure.message == message) return;
    failure = Failure{ref, message};
    const Pod& pod = *api.get(ref);
    const ExactCause because(engine, pod.meta.cause ? pod.meta.cause : queued.cause);
    const CauseId id = api.record(ref, "FailedScheduling", message);
    log.also_caused_by(id, queued.cause);
    if (decision == nullptr || decision->rejectors == 0) return;  // not about nodes
    // What was done to the nodes that refuse every pod (taints, cordons) is part of the answer.
    std::vector<CauseId> named;
    for (const auto& [node, status] : state->cycle.failed()) {
      if (named.size() >= kContributingMax) break;
      const scheduling::Plugin plugin = state->cycle.statuses().at(status).plugin;
      if (plugin != scheduling::Plugin::kTaintToleration && plugin != scheduling::Plugin::kNodeUnschedulable) continue;
      const Node* object = api.get(state->cache.node(node).ref);
      if (object == nullptr || !object->meta.cause || std::find(named.begin(), named.end(), object->meta.cause) != named.end()) continue;
      named.push_back(object->meta.cause);
      log.also_caused_by(id, object->meta.cause);
    }
  }

  void forget_binding(PodSlot slot) {
    bindings.erase(slot);
    state->cycle.volume_binding().forget(slot);
  }

  void forget_failure(PodSlot slot) { failures.erase(slot); }

  // ---- preemption ----

  struct Victims {
    Ref<Pod> preemptor;
    Symbol node;
    std::vector<Ref<Pod>> pods;
    std::uint32_t session = 0;
  };

  /// The API calls take a moment; meanwhile the preemptor is not retried.
  void begin_preemption(Ref<Pod> preemptor, const Decision& decision) {
    Victims victims;
    victims.preemptor = preemptor;
    victims.node = state->cache.node(decision.preemption.node).name;
    victims.session = session;
    for (const PodSlot slot : decision.preemption.victims) victims.pods.push_back(state->cache.pod(slot).ref);
    state->queue.set_preempting(preemptor.slot, true);
    SimDuration wait{0};
    for (std::size_t i = 0; i < 2 * victims.pods.size(); ++i) wait = wait_for_call();  // of each victim the status, then the deletion
    engine.after(wait + config.binding_latency, [this, victims = std::move(victims)] {
      if (running && session == victims.session) evict(victims);
    });
  }

  void evict(const Victims& victims) {
    const Pod* preemptor = api.get(victims.preemptor);
    state->queue.set_preempting(victims.preemptor.slot, false);
    const NodeIndex node = state->cache.find(victims.node);
    if (preemptor == nullptr) return;
    if (!client.writable()) {
      state->queue.activate(victims.preemptor.slot, now(), engine.cause());
      kick();
      return;
    }
    if (node != kNoNode) {
      // Pods of lower priority that were promised this node look for another.
      const std::vector<PodSlot> promised = state->cache.node(node).nominated;
      for (const PodSlot slot : promised) {
        const PodInfo& info = state->cache.pod(slot);
        if (info.ref == victims.preemptor || info.priority() >= preemptor->spec->priority) continue;
        api.update(info.ref, Change::kScheduling, [](Pod& p) { p.nominated_node = Symbol{}; });
      }
    }
    for (const Ref<Pod> victim : victims.pods) {
      const Pod* pod = api.get(victim);
      if (pod == nullptr || pod->meta.is_deleting()) continue;
      const CauseId id = api.record(victim, "Preempted", fmt::format("Preempted by pod {}/{} on node {}", api.names().text(preemptor->meta.ns),
                                                                     api.names().text(preemptor->meta.name), api.names().text(victims.node)));
      const ScopedCause because(engine, id);
      api.update(victim, Change::kScheduling, [&](Pod& p) {
        p.disruption_target = true;
        p.disruption_reason = api.well_known().preemption_by_scheduler;
      });
      api.remove(victim);
    }
  }

  Engine& engine;
  EventLog& log;
  const Randomness& random;
  ApiServer& api;
  ApiClient& client;
  SchedulerConfig config;
  bool running = false;
  std::uint32_t session = 0;
  SimTime started{};
  SimTime next_call{};  // when the bucket of requests will be full but for `burst` tokens
  SimTime free_at{};    // the loop waits for a request of its own until then
  std::optional<SchedulerState> state;
  std::function<bool(Ref<Pod>)> is_wanted;
  CycleObserver observer;
  Timer cycle_timer;
  Timer flush_timer;
  SimTime flush_at{};
  std::map<PodSlot, Binding> bindings;
  std::map<PodSlot, Failure> failures;
};

Scheduler::Scheduler(Engine& engine, EventLog& log, const Randomness& random, ApiServer& api, SchedulerConfig config, ApiClient* way)
    : impl_(std::make_unique<Impl>(engine, log, random, api, config, way != nullptr ? *way : api.direct_client())) {}

Scheduler::~Scheduler() { impl_->api.unwatch(*this); }

void Scheduler::start() {
  if (impl_->running) return;
  // PodDisruptionBudgets are read when somebody is to be preempted.
  impl_->client.watch({Kind::kPod, Kind::kNode, Kind::kService, Kind::kReplicaSet, Kind::kStatefulSet, Kind::kNamespace,
                       Kind::kStorageClass, Kind::kPersistentVolume, Kind::kPersistentVolumeClaim, Kind::kVolumeAttachment},
                      *this);
  impl_->start();
}

void Scheduler::stop() {
  if (!impl_->running) return;
  impl_->api.unwatch(*this);
  impl_->stop();
}

bool Scheduler::is_running() const { return impl_->running; }

std::string Scheduler::last_failure(Ref<Pod> pod) const {
  const auto found = impl_->failures.find(pod.slot);
  return found != impl_->failures.end() && found->second.ref == pod ? found->second.message : std::string{};
}

std::size_t Scheduler::pending_count() const { return impl_->running ? impl_->state->queue.size() - impl_->bindings.size() : 0; }

void Scheduler::observe(std::function<bool(Ref<Pod>)> wanted, CycleObserver observer) {
  impl_->is_wanted = std::move(wanted);
  impl_->observer = std::move(observer);
}

std::vector<QueueEntry> Scheduler::queue() const {
  std::vector<QueueEntry> entries;
  if (!impl_->running) return entries;
  const auto place_of = [](QueuedPod::Place place) {
    switch (place) {
      case QueuedPod::Place::kInFlight: return "inFlight";
      case QueuedPod::Place::kActive: return "active";
      case QueuedPod::Place::kBackoff: return "backoff";
      case QueuedPod::Place::kErrorBackoff: return "errorBackoff";
      case QueuedPod::Place::kUnschedulable: return "unschedulable";
      case QueuedPod::Place::kGated: return "gated";
    }
    return "";
  };
  impl_->state->queue.for_each([&](const QueuedPod& pod) { entries.push_back({pod.ref, place_of(pod.place), pod.backoff_until, pod.attempts}); });
  const ApiServer& api = impl_->api;
  std::sort(entries.begin(), entries.end(), [&](const QueueEntry& a, const QueueEntry& b) {
    const PodInfo& left = impl_->state->cache.pod(a.pod.slot);
    const PodInfo& right = impl_->state->cache.pod(b.pod.slot);
    return left.ns != right.ns ? api.names().text(left.ns) < api.names().text(right.ns) : api.names().text(left.name) < api.names().text(right.name);
  });
  return entries;
}

void Scheduler::on_event(const WatchEvent& event) {
  if (!impl_->running) return;
  switch (event.object.kind) {
    case Kind::kPod: impl_->on_pod(event); break;
    case Kind::kNode:
      impl_->on_node(event);
      impl_->on_storage(event);  // its CSINode
      break;
    case Kind::kPersistentVolumeClaim:
      impl_->look_at_bindings();
      impl_->on_storage(event);
      break;
    case Kind::kPersistentVolume:
    case Kind::kStorageClass:
    case Kind::kVolumeAttachment: impl_->on_storage(event); break;
    case Kind::kService:
    case Kind::kReplicaSet:
    case Kind::kStatefulSet:
      if (event.type != WatchEvent::Type::kModified || has(event.changes, Change::kSpec)) impl_->state->cycle.spread().forget_selectors();
      return;
    case Kind::kNamespace: {
      const Namespace* ns = impl_->api.get(event.ref<Namespace>());
      const Symbol name = ns != nullptr ? ns->meta.name : event.type == WatchEvent::Type::kDeleted ? event.last_state<Namespace>().meta.name : Symbol{};
      if (name) impl_->state->cache.index().namespace_changed(name);
      return;
    }
    default: return;
  }
  impl_->kick();
  impl_->arm_flush();
}

}  // namespace sim::k8s
