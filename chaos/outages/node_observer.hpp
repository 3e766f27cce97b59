/// What the API says of each node (Ready, cordoned) and what its machine really does.
///
/// Checked by: tests/chaos/outages_test.cpp.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "chaos/outages/signal.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"

namespace chaos {

/// What a machine really does. The order is that of how well it does.
enum class MachineState : std::uint8_t { kOff, kBooting, kHung, kCutOff, kUp };
const char* to_string(MachineState state);  // "off", "booting", "hung", "cut off", "up"

struct NodeState {
  bool exists = true;
  sim::k8s::ConditionStatus ready = sim::k8s::ConditionStatus::kUnknown;
  bool cordoned = false;
  MachineState machine = MachineState::kUp;
  friend bool operator==(const NodeState&, const NodeState&) = default;
  bool is_ready() const { return exists && ready == sim::k8s::ConditionStatus::kTrue; }
  /// As a person would say it: "Ready", "NotReady,SchedulingDisabled", "off (API says Ready)".
  std::string text() const;
};

struct NodeHistory {
  struct Step {
    SimTime at{};
    NodeState state;
    CauseId cause{};
  };
  sim::Symbol name;
  sim::k8s::Labels labels;              // as they were when the node was first seen
  std::optional<SimTime> first_ready;   // absent: never yet
  std::vector<Step> steps;              // more than one for the nodes to which something happened
  /// 1 while Ready, from when it first was, until the Node object was deleted.
  Signal ready() const;
  /// ... and its machine runs: what is gone is not there, whatever the API still says of it.
  Signal available() const;
  /// 1 while the machine runs and has network, from the start.
  Signal running() const;
};

class NodeObserver : public sim::k8s::Watcher {
 public:
  /// Where a node runs; HostId{} when it has no machine (a Node object that nothing stands behind).
  using HostOf = std::function<sim::host::HostId(sim::k8s::Ref<sim::k8s::Node>)>;
  NodeObserver(sim::k8s::ApiServer& api, const sim::host::Hosts& hosts, HostOf host_of);
  ~NodeObserver() override;
  void start();
  /// Reads every node anew: what the world's start wrote is how it begins, not a change that arrives a watch latency later.
  void look();
  /// To be called after each change of a host's state, power or network; the engine's current cause explains it.
  void host_changed(sim::host::HostId host);

  /// In the order in which the nodes came.
  const std::vector<NodeHistory>& histories() const { return nodes_; }

  void on_event(const sim::k8s::WatchEvent& event) override;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  MachineState machine(sim::host::HostId host) const;
  void appeared(sim::k8s::Ref<sim::k8s::Node> ref);
  void note(std::uint32_t index, const NodeState& state);

  sim::k8s::ApiServer& api_;
  const sim::host::Hosts& hosts_;
  HostOf host_of_;
  bool watching_ = false;
  std::vector<NodeHistory> nodes_;
  std::vector<std::uint32_t> of_slot_;  // Node slot to index in nodes_
  std::vector<std::uint32_t> of_host_;
  std::unordered_map<sim::Symbol, std::uint32_t> of_name_;  // look-up only: a Node that was deleted and registers again goes on in its history
};

}  // namespace chaos
