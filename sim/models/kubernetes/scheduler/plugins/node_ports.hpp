/// NodePorts: two pods of a node cannot have the same host port.
///
/// Source: framework/plugins/nodeports/node_ports.go, kube-scheduler/framework HostPortInfo (reference kubernetes 1.6).
/// Checked by: tests/models/kubernetes/scheduler/plugins_test.cpp.
#pragma once

#include <span>

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling::node_ports {

/// `any_address` is the symbol of "0.0.0.0".
bool conflict(const HostPort& a, const HostPort& b, Symbol any_address);
StatusId filter(std::span<const HostPort> wanted, const NodeLoad& load, Symbol any_address);

inline constexpr ActionSet kEvents = Action::kPodDelete | Action::kNodeAdd | Action::kNodeTaint;
bool is_worth_retrying(const PodInfo& pod, const ClusterEvent& event, Symbol any_address);

}  // namespace sim::k8s::scheduling::node_ports
