// The fields of the sections `services:` and `vms:`.
#include <fmt/format.h>

#include "sim/models/services/templates.hpp"
#include "sim/scenario/scenario_fields.hpp"

namespace sim::scenario {

using services::Mode;
using services::PartitionPolicy;
using services::ProbeDepth;

namespace {

const std::vector<std::pair<std::string, ProbeDepth>> kDepths = {{"process", ProbeDepth::kProcess}, {"state", ProbeDepth::kState}, {"needs", ProbeDepth::kNeeds}};

std::string template_names() {
  std::string text;
  for (const services::Template& one : services::templates()) text += (text.empty() ? "" : ", ") + std::string(one.name);
  return text;
}

constexpr std::string_view kNames = "a service of this section, a Service as namespace/name, ceph-quorum, ceph-pool:NAME or kubernetes-api";

}  // namespace

void describe(Fields<ServiceMatchSpec>& fields) {
  fields.title("Which pods.")
      .add("namespace", &ServiceMatchSpec::ns, "Only this namespace.")
      .add("labels", &ServiceMatchSpec::labels, "Only pods with all of these labels.");
}

void describe(Fields<CacheSpec>& fields) {
  fields.title("What a service gave is kept elsewhere: while it is away, that is good for a while.")
      .add("in", &CacheSpec::in, "The service that keeps it; what it holds is gone when it does not answer.")
      .required()
      .add("for", &CacheSpec::lasts, "How long it is good (keystonemiddleware token_cache_time).");
}

void describe(Fields<OperationSpec>& fields) {
  fields.title("Something that users do with a service.")
      .add("needs", &OperationSpec::needs, fmt::format("What must answer beside the service that offers it: {}.", kNames))
      .add("uses", &OperationSpec::uses, "Without these it works, but not as it should.");
}

void describe(Fields<services::QuorumConfig>& fields) {
  using Q = services::QuorumConfig;
  fields.title("Galera.")
      .add("suspectTimeout", &Q::suspect_timeout, "A member that is silent for so long is evicted (evs.suspect_timeout); no commit goes through until then.")
      .add("checkPeriod", &Q::check_period, "How often that is looked at (evs.inactive_check_period).")
      .add("weights", &Q::weights, "pc.weight by pod name; 1 for all others.")
      .bytes("gcache", &Q::gcache_bytes, "Write sets that a donor keeps (gcache.size): who missed more fetches everything.")
      .bytes_per_second("writeRate", &Q::write_rate, "Write sets in all.")
      .add("writeSetsPerSecond", &Q::write_sets_per_second, 0.001, 1e6, "Commits.")
      .add("flowControlLimit", &Q::flow_control_limit, 1, 1'000'000, "Write sets that may wait on one member before all pause (gcs.fc_limit).")
      .bytes("dataSize", &Q::data_bytes, "What a state transfer copies.")
      .bytes_per_second("transferRate", &Q::transfer_rate, "Speed of a state transfer.")
      .add("startScript", &Q::start_script,
           "After a loss of all members the start script of openstack-helm waits until every replica has reported, and lets the most advanced one bootstrap. "
           "false: Galera's own pc.recovery, and a person where that does not do.")
      .add("startScriptTtl", &Q::start_script_ttl, "For how long all of them must have been there.")
      .add("bootstrapAfter", &Q::bootstrap_after, "A person bootstraps the most advanced member that runs, so long after the primary component was lost. Without it nobody does.");
}

void describe(Fields<services::BrokerConfig>& fields) {
  using B = services::BrokerConfig;
  fields.title("RabbitMQ.")
      .choice("partitionHandling", &B::partition_handling,
              {{"ignore", PartitionPolicy::kIgnore}, {"pause_minority", PartitionPolicy::kPauseMinority}, {"autoheal", PartitionPolicy::kAutoheal}},
              "What nodes do that do not see each other (cluster_partition_handling).")
      .add("netTicktime", &B::net_ticktime, "A silent node is missed after 75 % to 125 % of this (net_ticktime).")
      .add("quorumQueues", &B::quorum_queues, "Queues are replicated by Raft, and need a majority. false: classic queues, each on one node.")
      .add("restartTime", &B::restart_time, "How long RabbitMQ takes to start again inside a running node.")
      .add("rpcTimeout", &B::rpc_timeout, "Calls that waited on a lost node fail after this (rpc_response_timeout).")
      .add("repairAfter", &B::repair_after, "A person repairs what does not mend itself (restarts one side of a split, forces a node up) after so long. Without it nobody does.");
}

void describe(Fields<services::ElectionConfig>& fields) {
  fields.title("Of a leader.").add("time", &services::ElectionConfig::time, "From the loss of a leader until the next one works.");
}

void describe(Fields<ServiceSpec::Proxy>& fields) {
  using P = ServiceSpec::Proxy;
  fields.title("A proxy in front of another service.")
      .add("backend", &P::backend, "The service that it hands on to.")
      .required()
      .add("monitorInterval", &P::monitor_interval, "How often it looks at each member (monitor_interval).")
      .add("connectTimeout", &P::connect_timeout, "What a member that does not refuse costs (backend_connect_timeout).");
}

void describe(Fields<ServiceSpec>& fields) {
  using S = ServiceSpec;
  fields.title("A service of the platform: its members, how they work together, what they need.")
      .add("like", &S::like, fmt::format("Begins with what is known of this software: {}. What stands here goes before it, value by value.", template_names()))
      .add("service", &S::service, "Its members are the pods behind this Service (namespace/name), and clients reach those that the API lists as ready.")
      .add("match", &S::match, "Its members are the pods with these labels; clients reach them without a Service.")
      .choice("mode", &S::mode,
              {{"stateless", Mode::kStateless}, {"quorum", Mode::kQuorum}, {"raft", Mode::kRaft}, {"leader", Mode::kLeader}, {"broker", Mode::kBroker}, {"proxy", Mode::kProxy}},
              "How its members work together: each for itself; a primary component (Galera); a majority with a leader; one of them at a time; a cluster with a partition policy (RabbitMQ); each handing on to one member of another service.")
      .add("minMembers", &S::members_min, 1, 100'000, "It answers while at least so many members do.")
      .add("needs", &S::needs, fmt::format("Without these its members answer nobody: {}.", kNames))
      .add("uses", &S::uses, "Without these it answers, but not as it should.")
      .named("caches", &S::caches, "cached service", "Needed services whose answers are kept elsewhere, by name.")
      .add("reconnect", &S::reconnect, "When something needed is back, each member finds it within this, and not sooner than its own back-off says.")
      .add("waitsFor", &S::waits_for, "Its pods' containers do not start before these have a ready endpoint in the API (init containers that wait).")
      .add("waitPoll", &S::wait_poll, "How often that is looked at (kubernetes-entrypoint: 2s).")
      .add("startUp", &S::start_up, "From the start of the containers until the process is up (see behaviours).")
      .default_text("2s")
      .add("startUpSigma", &S::start_up_sigma, 0.0, 5.0, "Lognormal spread of startUp.")
      .default_text("0.3")
      .add("stopTime", &S::stop_time, "From SIGTERM until the process has ended.")
      .default_text("1s")
      .choice("readiness", &S::readiness, kDepths,
              "What its readiness probes see: only the process; also that its own cluster lets it answer; also that what it needs is there.")
      .choice("liveness", &S::liveness, kDepths, "What its liveness probes see, in the same words. More than the process lets Kubernetes restart what a restart does not mend.")
      .add("probesNeed", &S::probes_need, "Both probes fail without these, though the process is well: a name that they resolve (kube-system/kube-dns).")
      .add("hostDatapath", &S::host_datapath, "What it set up lives in the kernel of its host and works on while its pod restarts; members are hosts then.")
      .add("quorum", &S::quorum, "Of mode quorum.")
      .add("broker", &S::broker, "Of mode broker.")
      .add("election", &S::election, "Of modes raft and leader.")
      .add("proxy", &S::proxy, "Of mode proxy.")
      .named("operations", &S::operations, "operation", "What users do with it, by name.");
}

void describe(Fields<VmPoolSpec>& fields) {
  using V = VmPoolSpec;
  fields.title("Virtual machines of tenants.")
      .add("pools", &V::pools, "Machine pools on whose nodes they run.")
      .required()
      .add("perNode", &V::per_node, 0, 100'000, "How many on each.")
      .add("volumes", &V::volumes, "What their disks need: ceph-pool:NAME. Without it: the disk of their host.")
      .add("gateway", &V::gateway, "What their traffic to the outside needs: a service. Without it: nothing.")
      .add("dhcp", &V::dhcp, "Who renews their addresses: a service. Without it: they are fixed.")
      .add("lease", &V::lease, "Of an address; renewed at half of it.")
      .add("operation", &V::operation, "The operation that it takes to start one again. Without it: always possible.")
      .add("startOnBoot", &V::start_on_boot, "They start with their host (resume_guests_state_on_host_boot).")
      .add("startAfter", &V::start_after, "A person starts them so long after their host has booted. Without it, and without startOnBoot: nobody does.")
      .add("evacuateAfter", &V::evacuate_after, "They are started on other hosts so long after their own died. Without it: not.")
      .rule([](const V& vms, Node node, Reader& reader) {
        if (vms.evacuate_after && vms.volumes.text.empty()) {
          reader.diagnostics.error(node.find("evacuateAfter"), "VMs whose disks are on their host cannot be started elsewhere").expected = "volumes: ceph-pool:NAME";
        }
        if (vms.start_on_boot && vms.start_after) reader.diagnostics.error(node.find("startAfter"), "startOnBoot and startAfter exclude each other");
        if (vms.lease <= SimDuration::zero()) reader.diagnostics.error(node.find("lease"), "a lease must be longer than 0s");
      });
}

}  // namespace sim::scenario
