#include "chaos/outages/node_observer.hpp"

#include <fmt/format.h>

namespace chaos {

using sim::host::HostId;
using sim::host::HostState;
using sim::k8s::ConditionStatus;
using sim::k8s::Node;
using sim::k8s::Ref;
using sim::k8s::WatchEvent;

const char* to_string(MachineState state) {
  switch (state) {
    case MachineState::kOff: return "off";
    case MachineState::kBooting: return "booting";
    case MachineState::kHung: return "hung";
    case MachineState::kCutOff: return "cut off";
    case MachineState::kUp: return "up";
  }
  return "";
}

std::string NodeState::text() const {
  if (!exists) return "deleted";
  // kubectl writes NotReady for both False and Unknown; the difference (the kubelet says so, or nobody heard of it) is worth keeping.
  const char* api = ready == ConditionStatus::kTrue ? "Ready" : ready == ConditionStatus::kFalse ? "NotReady" : "NotReady (Unknown)";
  std::string words = machine == MachineState::kUp ? api
                      : ready == ConditionStatus::kTrue ? fmt::format("{} (API says Ready)", to_string(machine))
                                                        : std::string(to_string(machine));
  if (cordoned) words += ",SchedulingDisabled";
  return words;
}

Signal NodeHistory::ready() const {
  Signal signal;
  if (!first_ready) return signal;
  for (const Step& step : steps) {
    if (step.at < *first_ready) continue;
    // A deleted node is not missed: what happened to it then was somebody's will (or shows in its pods).
    signal.set(step.at, step.state.is_ready() || !step.state.exists ? 1.0 : 0.0, step.cause);
  }
  return signal;
}

Signal NodeHistory::available() const {
  Signal signal;
  if (!first_ready) return signal;
  for (const Step& step : steps) {
    if (step.at < *first_ready) continue;
    signal.set(step.at, (step.state.is_ready() && step.state.machine == MachineState::kUp) || !step.state.exists ? 1.0 : 0.0, step.cause);
  }
  return signal;
}

Signal NodeHistory::running() const {
  Signal signal;
  for (const Step& step : steps) signal.set(step.at, step.state.machine == MachineState::kUp ? 1.0 : 0.0, step.cause);
  return signal;
}

NodeObserver::NodeObserver(sim::k8s::ApiServer& api, const sim::host::Hosts& hosts, HostOf host_of)
    : api_(api), hosts_(hosts), host_of_(std::move(host_of)) {}

NodeObserver::~NodeObserver() {
  if (watching_) api_.unwatch(*this);
}

void NodeObserver::start() {
  api_.watch({sim::k8s::Kind::kNode}, *this);
  watching_ = true;
  look();
}

void NodeObserver::look() {
  api_.all<Node>().for_each([&](Ref<Node> ref, const Node&) { appeared(ref); });
}

MachineState NodeObserver::machine(HostId host) const {
  if (!host) return MachineState::kUp;
  switch (hosts_.state(host)) {
    case HostState::kOff: return MachineState::kOff;
    case HostState::kBooting: return MachineState::kBooting;
    case HostState::kHung: return MachineState::kHung;
    case HostState::kUp: break;
  }
  return hosts_.has_network(host) ? MachineState::kUp : MachineState::kCutOff;
}

void NodeObserver::appeared(Ref<Node> ref) {
  const Node& node = api_.all<Node>().at(ref);
  if (of_slot_.size() <= ref.slot) of_slot_.resize(ref.slot + 1, kNone);
  const auto [known, is_new] = of_name_.try_emplace(node.meta.name, static_cast<std::uint32_t>(nodes_.size()));
  const std::uint32_t index = known->second;
  of_slot_[ref.slot] = index;
  if (is_new) nodes_.push_back(NodeHistory{node.meta.name, node.meta.labels, std::nullopt, {}});
  const HostId host = host_of_(ref);
  if (host) {
    if (of_host_.size() <= host.value) of_host_.resize(host.value + 1, kNone);
    of_host_[host.value] = index;
  }
  note(index, NodeState{true, node.ready, node.unschedulable, machine(host)});
}

void NodeObserver::note(std::uint32_t index, const NodeState& state) {
  NodeHistory& node = nodes_[index];
  const SimTime now = api_.engine().now();
  if (state.is_ready() && !node.first_ready) node.first_ready = now;
  if (!node.steps.empty()) {
    if (node.steps.back().state == state) return;
    // One step an instant: only the last state of it lasted.
    if (node.steps.back().at == now) {
      node.steps.back() = NodeHistory::Step{now, state, api_.engine().cause()};
      return;
    }
  }
  node.steps.push_back(NodeHistory::Step{now, state, api_.engine().cause()});
}

void NodeObserver::host_changed(HostId host) {
  if (host.value >= of_host_.size() || of_host_[host.value] == kNone) return;
  const std::uint32_t index = of_host_[host.value];
  NodeState state = nodes_[index].steps.back().state;
  state.machine = machine(host);
  note(index, state);
}

void NodeObserver::on_event(const WatchEvent& event) {
  const Ref<Node> ref = event.ref<Node>();
  if (event.type == WatchEvent::Type::kDeleted) {
    const Node& last = event.last_state<Node>();
    if (api_.find<Node>(sim::Symbol{}, last.meta.name) || ref.slot >= of_slot_.size() || of_slot_[ref.slot] == kNone) return;
    NodeState state = nodes_[of_slot_[ref.slot]].steps.back().state;
    state.exists = false;
    note(of_slot_[ref.slot], state);
    return;
  }
  const Node* node = api_.get(ref);
  if (node == nullptr) return;
  if (ref.slot >= of_slot_.size() || of_slot_[ref.slot] == kNone || nodes_[of_slot_[ref.slot]].name != node->meta.name) {
    return appeared(ref);
  }
  const std::uint32_t index = of_slot_[ref.slot];
  NodeState state = nodes_[index].steps.back().state;
  state.exists = true;
  state.ready = node->ready;
  state.cordoned = node->unschedulable;
  note(index, state);
}

}  // namespace chaos
