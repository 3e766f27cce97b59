#include "sim/models/kubernetes/controllers/node_lifecycle_controller.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

// A record about a zone names at most this many dead nodes as its causes.
constexpr std::size_t kCausesMax = 32;
// How long the grid remembers looks that lasted. A heartbeat is reported missing at most a few lease periods after its last renewal.
constexpr SimDuration kGridMemory = 10min;

/// GetZoneKey: region and zone, the older labels when the newer ones are absent.
Symbol zone_key(const Node& node, const WellKnown& known, Interner& names) {
  const auto label = [&](Symbol key, Symbol beta) { return node.meta.labels.find(key).value_or(node.meta.labels.find(beta).value_or(Symbol{})); };
  const Symbol region = label(known.region, known.region_beta);
  const Symbol zone = label(known.zone, known.zone_beta);
  if (!region && !zone) return Symbol{};
  if (!region) return zone;
  return names.intern(names.text(region) + ":" + names.text(zone));
}

/// No kubelet has ever said anything about it.
bool is_never_posted(const Node& node) { return node.ready == ConditionStatus::kUnknown && !node.ready_reason; }

}  // namespace

const char* to_string(ZoneState state) {
  switch (state) {
    case ZoneState::kInitial: return "Initial";
    case ZoneState::kNormal: return "Normal";
    case ZoneState::kFullDisruption: return "FullDisruption";
    case ZoneState::kPartialDisruption: return "PartialDisruption";
  }
  return "";
}

ZoneState compute_zone_state(std::size_t ready, std::size_t not_ready, double unhealthy_threshold) {
  if (ready == 0 && not_ready > 0) return ZoneState::kFullDisruption;
  const double share = static_cast<double>(not_ready) / static_cast<double>(std::max<std::size_t>(1, ready + not_ready));
  if (not_ready > 2 && share >= unhealthy_threshold) return ZoneState::kPartialDisruption;
  return ZoneState::kNormal;
}

// ---- LookGrid -----------------------------------------------------------------------------------------------------

SimTime LookGrid::first_at_or_after(SimTime t) const {
  std::size_t index = segments_.size() - 1;
  while (index > 0 && segments_[index].first > t) --index;
  const Segment& segment = segments_[index];
  if (t <= segment.first) return segment.first;
  const SimDuration::rep looks = ((t - segment.first) + period_ - SimDuration{1}) / period_;
  const SimTime look = segment.first + looks * period_;
  if (look > segment.last_look) return segments_[index + 1].first;
  return look;
}

void LookGrid::look_lasted(SimTime began, SimTime ended) {
  segments_.back().last_look = began;
  segments_.push_back(Segment{ended + period_, kEndOfTime});
  std::size_t old = 0;
  while (old + 1 < segments_.size() && segments_[old + 1].first < ended - kGridMemory) ++old;
  segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(old));
}

// ---- start and stop -----------------------------------------------------------------------------------------------

NodeLifecycleController::NodeLifecycleController(const ControllerContext& context, HeartbeatSource& heartbeats,
                                                 const ControllerManagerConfig& config, NodeLifecycleTiming timing)
    : engine_(context.engine),
      log_(context.log),
      api_(context.api),
      client_(context.client()),
      known_(context.api.well_known()),
      heartbeats_(heartbeats),
      config_(config),
      timing_(timing),
      budget_(context),
      workers_(std::max<std::size_t>(1, timing.workers)),
      look_timer_(context.engine) {
  heartbeats_.on_heartbeat([this](Ref<Node> node) { on_heartbeat(node); });
  client_.on_availability([this] {
    if (!running_ || !client_.writable()) return;
    const std::set<Ref<Node>> retry = std::exchange(no_schedule_retry_, {});
    for (const Ref<Node> node : retry) no_schedule_pass(node);
  });
}

NodeLifecycleController::~NodeLifecycleController() { stop(); }

void NodeLifecycleController::start() {
  if (running_) return;
  running_ = true;
  ++term_;
  started_ = engine_.now();
  grid_ = LookGrid(started_, config_.node_monitor_period);
  look_began_ = SimTime::min();
  pods_.list(api_);
  client_.watch({Kind::kNode, Kind::kPod}, *this);
  api_.all<Node>().for_each([&](Ref<Node> ref, const Node&) { add_node(ref, true); });
  schedule_look();
}

void NodeLifecycleController::stop() {
  if (!running_) return;
  running_ = false;
  ++term_;
  api_.unwatch(*this);
  look_timer_.cancel();
  looking_ = false;
  nodes_.clear();
  due_.clear();
  dirty_.clear();
  deferred_.clear();
  no_schedule_retry_.clear();
  tainted_.clear();
  zones_.clear();
  pods_.clear();
}

template <class Action>
void NodeLifecycleController::request(Action&& action) {
  const SimDuration takes = budget_.take() + timing_.request_time;
  engine_.after(takes, [this, term = term_, action = std::forward<Action>(action)] {
    if (term == term_) action();
  });
}

NodeLifecycleController::NodeState* NodeLifecycleController::state_of(Ref<Node> node) {
  if (node.slot >= nodes_.size() || nodes_[node.slot].node != node) return nullptr;
  return &nodes_[node.slot];
}

CauseId NodeLifecycleController::why(Ref<Node> node) const {
  if (node.slot < condition_cause_.size() && condition_cause_[node.slot]) return condition_cause_[node.slot];
  if (node.slot < heartbeat_cause_.size() && heartbeat_cause_[node.slot]) return heartbeat_cause_[node.slot];
  const Node* object = api_.get(node);
  return object == nullptr ? CauseId{} : object->meta.cause;
}

// ---- what it hears ------------------------------------------------------------------------------------------------

void NodeLifecycleController::on_heartbeat(Ref<Node> node) {
  if (heartbeat_cause_.size() <= node.slot) heartbeat_cause_.resize(node.slot + 1);
  heartbeat_cause_[node.slot] = engine_.cause();
  if (!running_) return;
  NodeState* state = state_of(node);
  if (state == nullptr) return;
  if (looking_) {
    deferred_.insert(node);  // when the next looks will be is known only at the end of this one
    return;
  }
  refresh_due(*state, started_);
  schedule_look();
}

void NodeLifecycleController::on_event(const WatchEvent& event) {
  if (event.is<Pod>()) {
    pods_.on_event(api_, event);
    return;
  }
  const Ref<Node> ref = event.ref<Node>();
  if (event.type == WatchEvent::Type::kDeleted) {
    NodeState* state = state_of(ref);
    if (state == nullptr) return;
    const Node& last = event.last_state<Node>();
    log_.record("RemovingNode", api_.subject(last), fmt::format("Node {} event: Removing Node {} from Controller", api_.names().text(last.meta.name), api_.names().text(last.meta.name)));
    clear_due(*state);
    uncount(*state);
    dequeue(*state);
    dirty_.erase(ref);
    tainted_.erase(ref);
    *state = NodeState{};
    zones_changed_ = true;
    schedule_look();
    return;
  }
  const Node* node = api_.get(ref);
  if (node == nullptr) return;
  if (event.type == WatchEvent::Type::kAdded) {
    if (state_of(ref) == nullptr) {
      add_node(ref, false);
      schedule_look();
    }
    return;
  }
  NodeState* state = state_of(ref);
  if (state == nullptr) return;
  if (has_no_execute(*node)) {
    tainted_.insert(ref);
  } else {
    tainted_.erase(ref);
  }
  if (has(event.changes, Change::kConditions)) {
    if (condition_cause_.size() <= ref.slot) condition_cause_.resize(ref.slot + 1);
    condition_cause_[ref.slot] = event.cause;
    if (node->ready != state->seen) want_look(ref);
  }
  if (has(event.changes, Change::kLabels)) want_look(ref);
  if (has(event.changes, Change::kTaints)) {
    // Somebody else took our taint off, or put one on: the next look sets it right.
    const bool is_ready = node->ready == ConditionStatus::kTrue;
    if (is_ready == has_no_execute(*node)) want_look(ref);
  }
  if (has(event.changes, Change::kConditions | Change::kTaints | Change::kSpec)) no_schedule_pass(ref);
}

void NodeLifecycleController::add_node(Ref<Node> ref, bool is_listed) {
  const Node& node = *api_.get(ref);
  if (nodes_.size() <= ref.slot) nodes_.resize(ref.slot + 1);
  NodeState& state = nodes_[ref.slot];
  state = NodeState{};
  state.node = ref;
  if (!is_listed) {
    if (ref.slot < condition_cause_.size()) condition_cause_[ref.slot] = CauseId{};
    const CauseId record = api_.record(ref, "RegisteredNode", fmt::format("Node {} event: Registered Node {} in Controller", api_.names().text(node.meta.name), api_.names().text(node.meta.name)));
    engine_.set_cause(record);
  }
  if (has_no_execute(node)) tainted_.insert(ref);
  // A new leader takes every pod for new, and marks those on a node that is not ready (processPod).
  state.needs_mark = is_listed && node.ready != ConditionStatus::kTrue && !is_never_posted(node);
  // A node that never posted a status is given its start-up grace from its creation; any other is as good as seen now.
  refresh_due(state, is_never_posted(node) ? node.meta.created : engine_.now());
  dirty_.insert(ref);
  no_schedule_pass(ref);
}

// ---- looks --------------------------------------------------------------------------------------------------------

void NodeLifecycleController::clear_due(NodeState& state) {
  if (state.due == kEndOfTime) return;
  due_.erase({state.due, state.node});
  state.due = kEndOfTime;
}

/// Works out when a node without heartbeat will be found out; nothing for one that renews its lease or is known to be lost.
void NodeLifecycleController::refresh_due(NodeState& state, SimTime probe_not_before) {
  clear_due(state);
  const Node* node = api_.get(state.node);
  if (node == nullptr) return;
  const bool never_posted = is_never_posted(*node);
  if (node->ready == ConditionStatus::kUnknown && !never_posted) return;
  const Heartbeat beat = heartbeats_.heartbeat(state.node);
  if (beat.renewing) return;
  if (never_posted) {
    state.probe = node->meta.created;
  } else {
    const SimTime renewed = std::max(beat.last_renewal, SimTime{});
    state.probe = std::max({renewed <= started_ ? started_ : grid_.first_at_or_after(renewed), probe_not_before, started_});
  }
  const SimDuration grace = never_posted ? timing_.startup_grace : config_.node_monitor_grace_period;
  // The original asks for strictly later than the grace period, but each of its looks takes a moment, so that the look a whole number of
  // periods later counts as later.
  state.due = grid_.first_at_or_after(std::max(state.probe + grace, engine_.now()));
  due_.insert({state.due, state.node});
}

void NodeLifecycleController::want_look(Ref<Node> node) {
  dirty_.insert(node);
  schedule_look();
}

void NodeLifecycleController::schedule_look() {
  if (looking_ || !running_) return;
  SimTime next = kEndOfTime;
  // What is due in a look that could not write, or has become due at this very instant, waits for the one after it.
  const SimTime soonest = look_began_ == engine_.now() ? engine_.now() + SimDuration{1} : engine_.now();
  if (!dirty_.empty() || zones_changed_) next = grid_.first_at_or_after(soonest);
  if (!due_.empty()) next = std::min(next, grid_.first_at_or_after(std::max(due_.begin()->first, soonest)));
  if (next == kEndOfTime) {
    look_timer_.cancel();
    return;
  }
  const CauseId before = engine_.cause();
  engine_.set_cause(CauseId{});  // a look has many reasons: each node brings its own
  look_timer_.set_at(next, [this] { look(); });
  engine_.set_cause(before);
}

void NodeLifecycleController::look() {
  look_began_ = engine_.now();
  if (!client_.writable()) {
    schedule_look();
    return;
  }
  looking_ = true;
  zones_changed_ = false;
  std::set<Ref<Node>> now_due = std::exchange(dirty_, {});
  for (auto due = due_.begin(); due != due_.end() && due->first <= look_began_; ++due) now_due.insert(due->second);
  look_nodes_.assign(now_due.begin(), now_due.end());
  look_next_ = 0;
  tainted_at_begin_.assign(tainted_.begin(), tainted_.end());
  const std::size_t active = std::min(workers_.size(), look_nodes_.size());
  look_active_ = active;
  if (active == 0) {
    finish_look();
    return;
  }
  for (std::size_t worker = 0; worker < active; ++worker) next_node(worker);
}

void NodeLifecycleController::next_node(std::size_t worker) {
  while (look_next_ < look_nodes_.size()) {
    const Ref<Node> node = look_nodes_[look_next_++];
    if (!handle(worker, node)) return;
  }
  if (--look_active_ == 0) finish_look();
}

bool NodeLifecycleController::handle(std::size_t worker, Ref<Node> ref) {
  NodeState* state = state_of(ref);
  const Node* node = api_.get(ref);
  if (state == nullptr || node == nullptr) return true;
  const ScopedCause because(engine_, why(ref));
  const bool expired = state->due <= look_began_;
  if (expired) clear_due(*state);
  if (expired && !heartbeats_.heartbeat(ref).renewing && (node->ready != ConditionStatus::kUnknown || is_never_posted(*node))) {
    const CauseId stopped = ref.slot < heartbeat_cause_.size() ? heartbeat_cause_[ref.slot] : CauseId{};
    const ScopedCause because_it_stopped(engine_, stopped);
    workers_[worker].node = ref;
    request([this, worker] { mark_unknown(worker); });
    return false;
  }
  settle(*state, *node);
  if (state->needs_mark && node->ready != ConditionStatus::kTrue) return begin_marking(worker, *state);
  state->needs_mark = false;
  return true;
}

void NodeLifecycleController::mark_unknown(std::size_t worker) {
  const Ref<Node> ref = workers_[worker].node;
  NodeState* state = state_of(ref);
  const Node* node = api_.get(ref);
  if (state == nullptr || node == nullptr) {
    next_node(worker);
    return;
  }
  if (!client_.writable()) {
    // Skipped in this look; the next one finds it expired still.
    refresh_due(*state, state->probe);
    next_node(worker);
    return;
  }
  const bool was_ready = node->ready == ConditionStatus::kTrue;
  const bool never_posted = is_never_posted(*node);
  CauseId record = engine_.cause();
  if (was_ready) {
    record = api_.record(ref, "NodeNotReady", fmt::format("Node {} status is now: NodeNotReady", api_.names().text(node->meta.name)));
  } else if (never_posted) {
    record = api_.record(ref, "NodeStatusNeverUpdated", "Kubelet never posted node status.");
  } else {
    record = api_.record(ref, "NodeStatusUnknown", "Kubelet stopped posting node status.");
  }
  const ScopedCause because(engine_, record);
  if (condition_cause_.size() <= ref.slot) condition_cause_.resize(ref.slot + 1);
  condition_cause_[ref.slot] = record;
  // The pressure conditions become Unknown with Ready; their flags stay as the kubelet left them (see wanted_no_schedule).
  api_.update(ref, Change::kConditions, [&](Node& n) {
    n.ready = ConditionStatus::kUnknown;
    n.ready_reason = never_posted ? known_.node_status_never_updated : known_.node_status_unknown;
    n.ready_since = engine_.now();
  });
  settle(*state, *node);
  if (was_ready && !begin_marking(worker, *state)) return;
  next_node(worker);
}

/// processTaintBaseEviction, and the node's place in its zone.
void NodeLifecycleController::settle(NodeState& state, const Node& node) {
  state.seen = node.ready;
  count(state, node);
  const bool not_ready = node.has_taint(known_.not_ready, TaintEffect::kNoExecute);
  const bool unreachable = node.has_taint(known_.unreachable, TaintEffect::kNoExecute);
  switch (node.ready) {
    case ConditionStatus::kTrue:
      dequeue(state);
      if (not_ready || unreachable) remove_no_execute(state.node);
      return;
    case ConditionStatus::kFalse:
      if (unreachable) {
        write_no_execute(state.node);
      } else if (!not_ready) {
        enqueue(state);
      }
      return;
    case ConditionStatus::kUnknown:
      if (is_never_posted(node)) return;
      if (not_ready) {
        write_no_execute(state.node);
      } else if (!unreachable) {
        enqueue(state);
      }
      return;
  }
}

bool NodeLifecycleController::begin_marking(std::size_t worker, NodeState& state) {
  state.needs_mark = false;
  Worker& work = workers_[worker];
  work.node = state.node;
  work.next_pod = 0;
  work.pods.clear();
  for (const Ref<Pod> pod : pods_.on(api_.get(state.node)->meta.name)) {
    const Pod* object = api_.get(pod);
    if (object != nullptr && object->ready) work.pods.push_back(pod);
  }
  if (work.pods.empty()) return true;
  request([this, worker] { mark_next_pod(worker); });
  return false;
}

void NodeLifecycleController::mark_next_pod(std::size_t worker) {
  Worker& work = workers_[worker];
  const Ref<Pod> ref = work.pods[work.next_pod++];
  const Pod* pod = api_.get(ref);
  if (pod != nullptr && pod->ready) {
    if (!client_.writable()) {
      if (NodeState* state = state_of(work.node)) {
        state->needs_mark = true;
        dirty_.insert(work.node);
      }
      next_node(worker);
      return;
    }
    const CauseId record = api_.record(ref, "NodeNotReady", "Node is not ready");
    const ScopedCause because(engine_, record);
    // Reason and message of the condition stay as the kubelet wrote them.
    api_.update(ref, Change::kReady, [&](Pod& p) {
      p.ready = false;
      p.ready_since = engine_.now();
    });
  }
  if (work.next_pod < work.pods.size()) {
    request([this, worker] { mark_next_pod(worker); });
    return;
  }
  next_node(worker);
}

void NodeLifecycleController::finish_look() {
  handle_disruption();
  looking_ = false;
  const SimTime now = engine_.now();
  if (now > look_began_) {
    grid_.look_lasted(look_began_, now);
    const std::set<std::pair<SimTime, Ref<Node>>> waiting = due_;
    for (const auto& [due, node] : waiting) {
      if (NodeState* state = state_of(node)) refresh_due(*state, state->probe);
    }
  }
  const std::set<Ref<Node>> deferred = std::exchange(deferred_, {});
  for (const Ref<Node> node : deferred) {
    if (NodeState* state = state_of(node)) refresh_due(*state, started_);
  }
  schedule_look();
}

// ---- zones --------------------------------------------------------------------------------------------------------

NodeLifecycleController::Zone& NodeLifecycleController::zone(Symbol key) {
  const auto [entry, is_new] = zones_.try_emplace(key);
  if (is_new) {
    entry->second.rate = config_.node_eviction_rate;
    entry->second.token_at = engine_.now();
    entry->second.pass = Timer(engine_);
  }
  return entry->second;
}

void NodeLifecycleController::count(NodeState& state, const Node& node) {
  uncount(state);
  const Symbol key = zone_key(node, known_, api_.names());
  if (key != state.zone) {
    dequeue(state);
    state.zone = key;
  }
  Zone& its_zone = zone(key);
  if (node.meta.labels.has(known_.exclude_disruption)) return;
  state.counted = true;
  state.counted_ready = node.ready == ConditionStatus::kTrue;
  ++(state.counted_ready ? its_zone.ready : its_zone.not_ready);
}

void NodeLifecycleController::uncount(NodeState& state) {
  if (!state.counted) return;
  state.counted = false;
  Zone& its_zone = zone(state.zone);
  --(state.counted_ready ? its_zone.ready : its_zone.not_ready);
}

void NodeLifecycleController::handle_disruption() {
  std::map<Symbol, ZoneState> new_states;
  bool all_are_full = true;
  for (auto& [key, one] : zones_) {
    if (one.ready + one.not_ready == 0) {
      one.state = ZoneState::kInitial;  // a zone without nodes is forgotten; its queue holds nobody who counts
      continue;
    }
    const ZoneState state = compute_zone_state(one.ready, one.not_ready, config_.unhealthy_zone_threshold);
    if (state != ZoneState::kFullDisruption) all_are_full = false;
    new_states[key] = state;
  }
  bool all_were_full = true;
  for (const auto& [key, state] : new_states) {
    if (zones_[key].state != ZoneState::kFullDisruption) all_were_full = false;
  }
  if (new_states.empty() || (all_are_full && all_were_full)) return;

  if (all_are_full) {
    // No node answers: more likely it is this controller that is cut off.
    const CauseId record = record_zones("EvictionsSuspended", api_.names().intern("Controller/node-lifecycle-controller"),
                                        "no Node is Ready in any zone: NoExecute taints are removed, no further evictions", std::nullopt);
    const ScopedCause because(engine_, record);
    for (auto& [key, one] : zones_) {
      swap_limiter(one, 0);
      if (new_states.contains(key)) one.state = ZoneState::kFullDisruption;
    }
    // Only taints that were there when this look began: what was tainted during it is overlooked, as in the original.
    for (const Ref<Node> node : tainted_at_begin_) {
      const NodeState* state = state_of(node);
      if (state != nullptr) remove_no_execute(node);
    }
    return;
  }
  if (all_were_full) {
    const CauseId record = log_.record("EvictionsResumed", "Controller/node-lifecycle-controller", "some Nodes are Ready again: probe timestamps of all nodes start anew");
    const ScopedCause because(engine_, record);
    for (NodeState& state : nodes_) {
      if (state.node) refresh_due(state, engine_.now());
    }
    for (const auto& [key, state] : new_states) set_zone(key, zones_[key], state);
    return;
  }
  for (const auto& [key, state] : new_states) {
    Zone& one = zones_[key];
    if (one.state == state) continue;
    const bool worth_a_record = one.state != ZoneState::kInitial || state != ZoneState::kNormal;
    const ZoneState before = one.state;
    set_zone(key, one, state);
    if (worth_a_record) {
      const std::string& name = api_.names().text(key);
      record_zones("ZoneStateChanged", api_.names().intern("Zone/" + (name.empty() ? std::string("default") : name)),
                   fmt::format("{} -> {}: {} of {} nodes not ready, NoExecute taints at {} nodes/s", to_string(before), to_string(state),
                               one.not_ready, one.ready + one.not_ready, one.rate),
                   key);
    }
  }
}

void NodeLifecycleController::set_zone(Symbol key, Zone& one, ZoneState state) {
  one.state = state;
  double rate = config_.node_eviction_rate;
  if (state == ZoneState::kPartialDisruption) {
    const bool is_large = one.ready + one.not_ready > config_.large_cluster_size_threshold;
    rate = is_large ? config_.secondary_node_eviction_rate : 0.0;
  }
  swap_limiter(one, rate);
  schedule_pass(key);
}

/// SwapLimiter: a bucket that was empty (or never full) is replaced by an empty one.
void NodeLifecycleController::swap_limiter(Zone& one, double rate) {
  if (one.rate == rate) return;
  const bool was_full = one.rate > 0 && one.token_at <= engine_.now();
  one.rate = rate;
  one.pass.cancel();  // it was set for the old rate
  if (rate <= 0) return;
  one.token_at = was_full ? engine_.now() : engine_.now() + from_seconds(1.0 / rate);
}

/// A record whose causes are those of the nodes that are not ready: the first as its cause, the others beside it.
CauseId NodeLifecycleController::record_zones(std::string_view kind, Symbol subject, std::string_view message, std::optional<Symbol> only_zone) {
  std::vector<CauseId> causes;
  for (const NodeState& state : nodes_) {
    if (!state.node || !state.counted || state.counted_ready) continue;
    if (only_zone && state.zone != *only_zone) continue;
    causes.push_back(why(state.node));
    if (causes.size() == kCausesMax) break;
  }
  const CauseId record = log_.record(kind, subject, message, causes.empty() ? engine_.cause() : causes.front());
  for (const CauseId cause : causes) log_.also_caused_by(record, cause);
  return record;
}

// ---- taints -------------------------------------------------------------------------------------------------------

bool NodeLifecycleController::has_no_execute(const Node& node) const {
  return node.has_taint(known_.not_ready, TaintEffect::kNoExecute) || node.has_taint(known_.unreachable, TaintEffect::kNoExecute);
}

std::vector<Symbol> NodeLifecycleController::wanted_no_schedule(const Node& node) const {
  std::vector<Symbol> keys;
  if (node.ready == ConditionStatus::kFalse) keys.push_back(known_.not_ready);
  if (node.ready == ConditionStatus::kUnknown) keys.push_back(known_.unreachable);
  if (node.ready != ConditionStatus::kUnknown) {
    // With Ready the pressure conditions went Unknown too, and only True has a taint.
    if (node.memory_pressure) keys.push_back(known_.memory_pressure);
    if (node.disk_pressure) keys.push_back(known_.disk_pressure);
    if (node.pid_pressure) keys.push_back(known_.pid_pressure);
  }
  if (node.unschedulable) keys.push_back(known_.unschedulable);
  return keys;
}

namespace {

/// The taints of `node` after doNoScheduleTaintingPass.
std::vector<Taint> with_no_schedule(const Node& node, const WellKnown& known, const std::vector<Symbol>& wanted) {
  const std::array<Symbol, 6> ours = {known.not_ready, known.unreachable, known.memory_pressure, known.disk_pressure, known.pid_pressure,
                                      known.unschedulable};
  std::vector<Taint> taints;
  for (const Taint& taint : node.taints) {
    const bool is_ours = taint.effect == TaintEffect::kNoSchedule && std::find(ours.begin(), ours.end(), taint.key) != ours.end();
    const bool stays = std::find(wanted.begin(), wanted.end(), taint.key) != wanted.end();
    if (!is_ours || stays) taints.push_back(taint);
  }
  for (const Symbol key : wanted) {
    if (!node.has_taint(key, TaintEffect::kNoSchedule)) taints.push_back(Taint{key, Symbol{}, TaintEffect::kNoSchedule});
  }
  return taints;
}

}  // namespace

void NodeLifecycleController::no_schedule_pass(Ref<Node> ref) {
  NodeState* state = state_of(ref);
  const Node* node = api_.get(ref);
  // Without conditions there is nothing to say; the taints that it registered with stay until its kubelet has posted.
  if (state == nullptr || node == nullptr || is_never_posted(*node) || state->no_schedule_pending) return;
  if (with_no_schedule(*node, known_, wanted_no_schedule(*node)) == node->taints) return;
  state->no_schedule_pending = true;
  request([this, ref] { write_no_schedule(ref); });
}

void NodeLifecycleController::write_no_schedule(Ref<Node> ref) {
  NodeState* state = state_of(ref);
  const Node* node = api_.get(ref);
  if (state == nullptr || node == nullptr) return;
  state->no_schedule_pending = false;
  if (!client_.writable()) {
    no_schedule_retry_.insert(ref);
    return;
  }
  const std::vector<Symbol> wanted = wanted_no_schedule(*node);
  api_.update(ref, Change::kTaints, [&](Node& n) { n.taints = with_no_schedule(n, known_, wanted); });
}

void NodeLifecycleController::enqueue(NodeState& state) {
  Zone& its_zone = zone(state.zone);
  if (std::find(its_zone.queue.begin(), its_zone.queue.end(), state.node) != its_zone.queue.end()) return;
  its_zone.queue.push_back(state.node);
  schedule_pass(state.zone);
}

void NodeLifecycleController::dequeue(NodeState& state) {
  const auto found = zones_.find(state.zone);
  if (found != zones_.end()) std::erase(found->second.queue, state.node);
}

void NodeLifecycleController::schedule_pass(Symbol key) {
  Zone& one = zone(key);
  if (one.queue.empty() || one.rate <= 0 || one.pass.is_pending()) return;
  const SimTime ready = std::max(one.token_at, engine_.now() + SimDuration{1});
  const SimDuration::rep passes = ((ready - started_) + timing_.taint_pass - SimDuration{1}) / timing_.taint_pass;
  one.pass.set_at(started_ + passes * timing_.taint_pass, [this, key] { taint_pass(key); });
}

void NodeLifecycleController::taint_pass(Symbol key) {
  Zone& one = zone(key);
  if (one.queue.empty() || one.rate <= 0) return;
  if (one.token_at > engine_.now()) {
    schedule_pass(key);
    return;
  }
  one.token_at = engine_.now() + from_seconds(1.0 / one.rate);  // spent even when the node needs no taint any more
  const Ref<Node> ref = one.queue.front();
  one.queue.pop_front();
  const Node* node = api_.get(ref);
  if (node != nullptr && node->ready != ConditionStatus::kTrue && state_of(ref) != nullptr) {
    if (!client_.writable()) {
      one.queue.push_back(ref);  // failed: tried again with a later token
    } else {
      const ScopedCause because(engine_, why(ref));
      write_no_execute(ref);
    }
  }
  schedule_pass(key);
}

void NodeLifecycleController::write_no_execute(Ref<Node> ref) {
  NodeState* state = state_of(ref);
  if (state == nullptr || state->no_execute_pending) return;
  state->no_execute_pending = true;
  request([this, ref] {
    NodeState* its_state = state_of(ref);
    const Node* node = api_.get(ref);
    if (its_state == nullptr || node == nullptr) return;
    its_state->no_execute_pending = false;
    if (node->ready == ConditionStatus::kTrue) return;
    if (!client_.writable()) {
      want_look(ref);
      return;
    }
    const bool lost = node->ready == ConditionStatus::kUnknown;
    const Symbol add = lost ? known_.unreachable : known_.not_ready;
    const Symbol drop = lost ? known_.not_ready : known_.unreachable;
    const CauseId record = api_.record(ref, "NodeTainted", fmt::format("{}:NoExecute", api_.names().text(add)));
    const ScopedCause because(engine_, record);
    api_.update(ref, Change::kTaints, [&](Node& n) {
      std::erase_if(n.taints, [&](const Taint& t) { return t.key == drop && t.effect == TaintEffect::kNoExecute; });
      if (!n.has_taint(add, TaintEffect::kNoExecute)) n.taints.push_back(Taint{add, Symbol{}, TaintEffect::kNoExecute});
    });
  });
}

/// markNodeAsReachable: both NoExecute taints go, and its place in the queue.
void NodeLifecycleController::remove_no_execute(Ref<Node> ref) {
  request([this, ref] {
    const Node* node = api_.get(ref);
    if (node == nullptr || !has_no_execute(*node)) return;
    if (!client_.writable()) {
      want_look(ref);
      return;
    }
    api_.update(ref, Change::kTaints, [&](Node& n) {
      std::erase_if(n.taints, [&](const Taint& t) {
        return t.effect == TaintEffect::kNoExecute && (t.key == known_.not_ready || t.key == known_.unreachable);
      });
    });
  });
}

}  // namespace sim::k8s
