/// Requests of users to Services: whether they are answered, and how soon. "All pods are Running" is not "the service works".
///
/// Between two changes (rules of kube-proxy, pods that serve or do not, machines, slowdowns, the rate) everything is in its steady state, computed in closed form (RequestMix): no
/// request is an event.
///
/// Source:     reference kubernetes 5.1, 5.2, 7.1; ServerQueue and RequestMix name theirs.
/// Leaves out: see docs/models/traffic.md.
/// Checked by: tests/chaos/traffic_test.cpp.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/control_plane/control_plane.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"
#include "sim/models/traffic/config.hpp"
#include "sim/models/traffic/request_mix.hpp"
#include "sim/models/traffic/service_rules.hpp"

namespace sim::traffic {

class Traffic {
 public:
  /// From `at` on, until the next step.
  struct Step {
    SimTime at{};
    RequestMix mix;
    std::size_t endpoints = 0;  // that the nodes' rules have, and of them
    std::size_t serving = 0;    // those that serve
    CauseId cause{};
  };
  struct Systems {
    Engine& engine;
    EventLog& log;
    Interner& names;
    k8s::ApiServer& api;
    host::Hosts& hosts;
    k8s::Kubelets& kubelets;
    k8s::ControlPlane& control_plane;
  };

  Traffic(const Systems& systems, const ProxyConfig& proxy, std::vector<FlowConfig> flows);
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;
  /// After everything else has started.
  void start();

  std::size_t size() const { return flows_.size(); }
  const FlowConfig& config(std::size_t flow) const { return flows_[flow].config; }
  /// In the order of time; empty before the start.
  const std::vector<Step>& steps(std::size_t flow) const { return flows_[flow].steps; }

 private:
  struct Flow {
    FlowConfig config;
    std::size_t service = 0;  // in rules_
    double rate = 0.0;
    std::map<host::HostId, ServiceRules::Rules> frozen;  // of nodes that hear nothing from the API
    std::vector<Step> steps;
    std::vector<ClientGroup> groups;  // of the last step: the same again is no step
    std::vector<double> slowdowns;
    double stepped_rate = -1.0;
    bool is_dirty = false;
    bool has_served = false;
    bool is_failing = false;
  };
  /// A node through which requests come.
  struct Entry {
    k8s::Ref<k8s::Node> node;
    bool has_rules = true;      // kube-proxy runs and has synced since the last boot
    bool in_service = true;     // as load balancers see it
    bool is_cut = false;        // its kube-proxy does not reach the API
    Timer rules_timer;
    Timer health_timer;
    Timer reconnect_timer;
    const LoadBalancerConfig* checks = nullptr;
  };
  struct Met;

  bool is_alive(host::HostId host) const;
  void look_at_host(host::HostId host, bool rebooted);
  void look_at_ways();
  void touch(std::size_t flow);
  void touch_all();
  void recompute(std::size_t flow);
  ClientGroup group_of(const Flow& flow, host::HostId from, std::map<k8s::Ref<k8s::Pod>, std::size_t>& backends, std::vector<double>& slowdowns);
  void tell(Flow& flow);

  Systems systems_;
  ServiceRules rules_;
  std::vector<Flow> flows_;
  std::map<host::HostId, Entry> entries_;
  std::shared_ptr<const void> alive_ = std::make_shared<int>(0);
};

}  // namespace sim::traffic
