/// THE list of templates. Sources by the section of reference platform; files of openstack-helm by their path there.
#include "sim/models/services/templates.hpp"

namespace sim::services {

const std::vector<Template>& templates() {
  static const std::vector<Template> list = {
      {"galera", "MariaDB with Galera as its own defaults have it (7.1: evs.suspect_timeout 5 s, gcache.size 128 MiB, gcs.fc_limit 16).",
       "{mode: quorum, readiness: state, startUp: 30s, stopTime: 20s, quorum: {suspectTimeout: 5s, gcache: 128Mi, flowControlLimit: 16}}"},
      {"openstack-helm-mariadb",
       "The chart's Galera (7.1; mariadb/values.yaml: suspect_timeout 30 s; templates/bin/_start.py.tpl: after a total loss all replicas report, leader TTL 60 s; "
       "templates/bin/_health.sh.tpl: both probes ask for wsrep_ready).",
       "{mode: quorum, readiness: state, liveness: state, startUp: 45s, stopTime: 20s, quorum: {suspectTimeout: 30s, gcache: 128Mi, flowControlLimit: 16, startScript: true, startScriptTtl: 60s}}"},
      {"maxscale", "MaxScale with galeramon (7.2: monitor_interval 2 s, backend_connect_timeout 3 s).",
       "{mode: proxy, startUp: 5s, proxy: {monitorInterval: 2s, connectTimeout: 3s}}"},
      {"rabbitmq", "RabbitMQ 3.x as its own defaults have it (7.3: net_ticktime 60 s, cluster_partition_handling ignore, classic queues).",
       "{mode: broker, startUp: 20s, stopTime: 10s, broker: {partitionHandling: ignore, netTicktime: 60s}}"},
      {"openstack-helm-rabbitmq", "The chart's RabbitMQ (7.3; rabbitmq/values.yaml: autoheal; its probes are `rabbitmqctl ping`, which asks the node and not the cluster).",
       "{mode: broker, startUp: 20s, stopTime: 10s, broker: {partitionHandling: autoheal, netTicktime: 60s}}"},
      {"memcached", "memcached: each instance for itself, empty after a restart.", "{mode: stateless, startUp: 1s}"},
      {"stateless-api", "An API server that keeps its state elsewhere; it finds its message queue again within oslo.messaging's longest back-off (7.3: 30 s).",
       "{mode: stateless, startUp: 20s, reconnect: 30s, waitPoll: 2s}"},
      {"worker", "A process that takes its work from a message queue: as stateless-api, without clients of its own.",
       "{mode: stateless, startUp: 20s, reconnect: 30s, waitPoll: 2s}"},
      {"raft", "A replicated state machine: a majority, and a leader (7.3: an election takes a few seconds).", "{mode: raft, startUp: 10s, election: {time: 5s}}"},
      {"active-passive", "One works, the others stand by.", "{mode: leader, startUp: 10s, election: {time: 10s}}"},
      {"l3-ha", "Routers with VRRP (7.5: an advertisement every 2 s, three missed, and skew: 6 to 8 s); they live in the kernels of their hosts, so agents may restart.",
       "{mode: leader, hostDatapath: true, election: {time: 8s}}"},
      {"dhcp", "DHCP agents with two agents a network (7.5): dnsmasq lives on the host, and answers while its agent restarts.", "{mode: stateless, hostDatapath: true}"},
  };
  return list;
}

}  // namespace sim::services
