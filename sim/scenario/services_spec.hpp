/// The sections `services:` and `vms:` of a scenario: the services of a platform, what they need of each other, and the VMs that it runs.
///
/// Checked by: tests/scenario/services_section_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/models/services/config.hpp"
#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/reference.hpp"

namespace sim::scenario {

struct ServiceMatchSpec {
  std::string ns;
  std::map<std::string, std::string> labels;
};

struct CacheSpec {
  std::string name;  // of the service whose answers are kept
  Place where;
  Reference in;
  SimDuration lasts = services::CacheConfig{}.lasts;
};

struct OperationSpec {
  std::string name;
  Place where;
  std::vector<Reference> needs;
  std::vector<Reference> uses;
};

struct ServiceSpec {
  std::string name;
  Place where;
  std::string like;
  Reference service;
  std::optional<ServiceMatchSpec> match;
  services::Mode mode = services::Mode::kStateless;
  std::int64_t members_min = 1;
  std::vector<Reference> needs;
  std::vector<Reference> uses;
  std::vector<CacheSpec> caches;
  SimDuration reconnect{};
  std::vector<Reference> waits_for;
  SimDuration wait_poll = services::ServiceConfig{}.wait_poll;
  std::optional<SimDuration> start_up;
  std::optional<double> start_up_sigma;
  std::optional<SimDuration> stop_time;
  services::ProbeDepth readiness = services::ProbeDepth::kProcess;
  services::ProbeDepth liveness = services::ProbeDepth::kProcess;
  std::vector<Reference> probes_need;
  bool host_datapath = false;
  std::optional<services::QuorumConfig> quorum;
  std::optional<services::BrokerConfig> broker;
  std::optional<services::ElectionConfig> election;
  struct Proxy {
    Reference backend;
    SimDuration monitor_interval = services::ProxyConfig{}.monitor_interval;
    SimDuration connect_timeout = services::ProxyConfig{}.connect_timeout;
  };
  std::optional<Proxy> proxy;
  std::vector<OperationSpec> operations;
};

struct VmPoolSpec {
  std::string name;
  Place where;
  std::vector<Reference> pools;
  std::int64_t per_node = 20;
  Reference volumes;
  Reference gateway;
  Reference dhcp;
  SimDuration lease{std::chrono::hours(24)};
  Reference operation;
  bool start_on_boot = false;
  std::optional<SimDuration> start_after;
  std::optional<SimDuration> evacuate_after;
};

/// Who needs a Service, of `behaviours[].needs`: services without a name.
struct NeedySpec {
  k8s::LabelSelector selector;
  bool has_selector = false;
  Symbol ns;
  std::vector<std::string> needs;
};

struct ServicesSpec {
  std::vector<ServiceSpec> services;
  std::vector<VmPoolSpec> vms;
  std::vector<NeedySpec> needy;
};

}  // namespace sim::scenario
