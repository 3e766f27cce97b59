/// What a service of a platform is made of, needs and does: what a scenario says of it.
///
/// Source:     reference platform 7; the defaults of each mode are cited in its header, those of known software in templates.cpp.
/// Checked by: tests/chaos/services_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/models/kubernetes/api/labels.hpp"

namespace sim::services {

/// How the members of a service work together.
enum class Mode : std::uint8_t {
  kStateless,  ///< each for itself
  kQuorum,     ///< Galera: one primary component, decided by weights
  kRaft,       ///< a majority of the members, with a leader
  kLeader,     ///< one of them works, the others stand by
  kBroker,     ///< RabbitMQ: a cluster with a partition policy
  kProxy,      ///< hands on to one member of another service (MaxScale)
};
const char* to_string(Mode mode);

/// What a probe looks at.
enum class ProbeDepth : std::uint8_t {
  kProcess,  ///< only that the process answers
  kState,    ///< also that its own cluster lets it answer (wsrep_ready)
  kNeeds,    ///< also that everything it needs is there
};

/// Mode quorum.
struct QuorumConfig {
  SimDuration suspect_timeout{std::chrono::seconds(5)};
  SimDuration check_period{std::chrono::milliseconds(500)};
  std::map<std::string, std::string> weights;  // by pod name; others 1
  std::int64_t gcache_bytes = 128ll << 20;
  double write_rate = 200.0 * 1024;            // bytes of write sets a second
  double write_sets_per_second = 50.0;
  std::int64_t flow_control_limit = 16;
  std::int64_t data_bytes = 5ll << 30;
  double transfer_rate = 100.0 * 1024 * 1024;  // of a state transfer
  bool start_script = false;                   // after a total loss every replica reports, then the most advanced one bootstraps
  SimDuration start_script_ttl{std::chrono::seconds(60)};
  std::optional<SimDuration> bootstrap_after;  // a person does it, so long after the last primary component was lost; absent: nobody
};

enum class PartitionPolicy : std::uint8_t { kIgnore, kPauseMinority, kAutoheal };

/// Mode broker.
struct BrokerConfig {
  PartitionPolicy partition_handling = PartitionPolicy::kIgnore;
  SimDuration net_ticktime{std::chrono::seconds(60)};
  bool quorum_queues = false;
  SimDuration restart_time{std::chrono::seconds(10)};  // of the application inside a running node
  SimDuration rpc_timeout{std::chrono::seconds(60)};   // calls that were under way on a lost member
  std::optional<SimDuration> repair_after;             // a person, so long after it cannot mend itself; absent: nobody
};

/// Modes raft and leader.
struct ElectionConfig {
  SimDuration time{std::chrono::seconds(5)};  // from the loss of the leader until the next one works
};

/// Mode proxy.
struct ProxyConfig {
  std::string backend;  // a service of mode quorum
  SimDuration monitor_interval{std::chrono::seconds(2)};
  SimDuration connect_timeout{std::chrono::seconds(3)};
};

/// The answers of a needed service are kept in another one: while it is away, what is kept is good for `lasts`.
struct CacheConfig {
  std::string of;  // the needed service
  std::string in;
  SimDuration lasts{std::chrono::seconds(300)};
};

struct OperationConfig {
  std::string name;
  std::vector<std::string> needs;  // beside the service that offers it
  std::vector<std::string> uses;   // slower without
};

/// Names in `needs` and the like: a service of the section, or a Service as namespace/name, or something outside that the world's builder provides
/// (ceph-pool:NAME, ceph-quorum, kubernetes-api).
struct ServiceConfig {
  std::string name;  // empty: pods that need something, and are no service of their own (behaviours[].needs)
  Mode mode = Mode::kStateless;
  // its members: the pods behind a Service, or pods by labels
  Symbol service_ns;
  Symbol service;
  Symbol ns;
  std::optional<k8s::LabelSelector> selector;
  std::int64_t members_min = 1;
  std::vector<std::string> needs;
  std::vector<std::string> uses;
  std::vector<CacheConfig> caches;
  SimDuration reconnect{};  // a member finds back to what it needs within this
  std::vector<std::string> waits_for;
  SimDuration wait_poll{std::chrono::seconds(2)};
  ProbeDepth readiness = ProbeDepth::kProcess;
  ProbeDepth liveness = ProbeDepth::kProcess;
  std::vector<std::string> probes_need;
  bool host_datapath = false;  // what it set up lives in the kernel of its host, and works on without its process
  QuorumConfig quorum;
  BrokerConfig broker;
  ElectionConfig election;
  ProxyConfig proxy;
  std::vector<OperationConfig> operations;
};

struct ServicesConfig {
  std::vector<ServiceConfig> services;
};

}  // namespace sim::services
