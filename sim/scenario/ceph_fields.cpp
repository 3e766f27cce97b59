// The fields of the section `ceph:`. Options of Ceph stand under their own names in `config`.
#include <fmt/format.h>

#include <algorithm>

#include "sim/scenario/scenario_fields.hpp"

namespace sim::scenario {

namespace {

constexpr SimDuration kTimerMin = std::chrono::milliseconds(100);

template <class T>
void describe_nodes(Fields<T>& fields) {
  fields.add("pools", &T::pools, "Machine pools whose nodes they stand on.").add("nodes", &T::nodes, "Nodes by name, beside those of the pools.");
}

template <class T>
void must_stand_somewhere(const T& to, Node node, Reader& reader, std::string_view what) {
  if (!to.pools.empty() || !to.nodes.empty()) return;
  Diagnostic& d = reader.diagnostics.error(node, fmt::format("nobody says on which nodes {} are", what));
  d.expected = "pools: [a machine pool], or nodes: [a node's name]";
}

}  // namespace

void describe(Fields<CephMonSpec>& fields) {
  fields.title("Monitors: one a node, each pinned to its node.")
      .add("count", &CephMonSpec::count, 1, 15, "How many.")
      .add("allowMultiplePerNode", &CephMonSpec::allow_multiple_per_node, "Several may stand on one node.");
  describe_nodes(fields);
  fields.rule([](const CephMonSpec& to, Node node, Reader& reader) { must_stand_somewhere(to, node, reader, "the monitors"); });
}

void describe(Fields<CephMgrSpec>& fields) {
  fields.title("Managers: one is active, the others stand by.").add("count", &CephMgrSpec::count, 1, 5, "How many.");
  describe_nodes(fields);
  fields.rule([](const CephMgrSpec& to, Node node, Reader& reader) { must_stand_somewhere(to, node, reader, "the managers"); });
}

void describe(Fields<CephOsdSpec>& fields) {
  fields.title("Disks of one kind in some nodes: an OSD each.")
      .add("perNode", &CephOsdSpec::per_node, 1, 1000, "Disks in each node.")
      .bytes("size", &CephOsdSpec::size, "Size of one disk.")
      .add("deviceClass", &CephOsdSpec::device_class, "hdd, ssd or nvme, or a class of your own (which is taken for as fast as an ssd).")
      .bytes_per_second("bandwidth", &CephOsdSpec::bandwidth, "What one disk reads or writes in a row.")
      .default_text("150Mi of an hdd, 1200Mi of others")
      .add("onSystemDisk", &CephOsdSpec::on_system_disk,
           "They have no disks of their own, but the first one of their node (its diskBandwidth and diskIops): etcd's fsyncs, image pulls and pods' files wait for clients and recovery, and these for them.")
      .bytes("otherUsed", &CephOsdSpec::other_used, "What is on each disk beside the pools' data.");
  describe_nodes(fields);
  fields.rule([](const CephOsdSpec& to, Node node, Reader& reader) {
    must_stand_somewhere(to, node, reader, "these OSDs");
    if (to.on_system_disk && to.bandwidth > 0.0) {
      Diagnostic& d = reader.diagnostics.error(node.find("bandwidth"), "an OSD on the system's disk is as fast as that disk");
      d.hint = "set diskBandwidth of the nodes' pool";
    }
    if (to.on_system_disk && to.per_node > 1) reader.diagnostics.error(node.find("perNode"), "one OSD a node can be on the system's disk");
    if (to.size == 0) reader.diagnostics.error(node.find("size"), "a disk needs a size above 0");
    if (to.other_used > to.size) reader.diagnostics.error(node.find("otherUsed"), "more is used than the disk holds");
    const bool is_word = !to.device_class.empty() && std::all_of(to.device_class.begin(), to.device_class.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
    if (!is_word) {
      reader.diagnostics.error(node.find("deviceClass"), fmt::format("'{}' is no device class", to.device_class)).expected = "letters, digits, '-', '_' and '.'";
    }
  });
}

void describe(Fields<ErasureSpec>& fields) {
  fields.title("Erasure coding: k data and m coding chunks; any k of them are enough.")
      .add("k", &ErasureSpec::k, 2, 32, "Data chunks.")
      .add("m", &ErasureSpec::m, 1, 32, "Coding chunks.");
}

void describe(Fields<CephPoolSpec>& fields) {
  fields.title("A pool of the Ceph cluster.")
      .add("size", &CephPoolSpec::size, 1, 10, "Copies of each object.")
      .add("minSize", &CephPoolSpec::min_size, 0, 64, "Copies without which there is no I/O; 0: Ceph's default, size - size / 2 (k + 1 with erasure coding).")
      .add("erasureCoded", &CephPoolSpec::erasure, "Erasure coding instead of copies.")
      .add("pgNum", &CephPoolSpec::pg_num, 1, 65'536, "Placement groups.")
      .add("failureDomain", &CephPoolSpec::failure_domain, "No two copies of an object stand in the same: osd, host or rack.")
      .add("deviceClass", &CephPoolSpec::device_class, "Only OSDs of this class.")
      .default_text("any")
      .bytes("stored", &CephPoolSpec::stored, "What users have stored, counted once.")
      .add("writesPerSecond", &CephPoolSpec::writes_per_second, 0.0, 1e9, "Writes of all clients, each to one object.")
      .bytes_per_second("clientBandwidth", &CephPoolSpec::client_bandwidth, "What clients take from the disks all the time.")
      .rule([](const CephPoolSpec& pool, Node node, Reader& reader) {
        if (pool.name.empty()) reader.diagnostics.error(node, "a pool needs a name");
        const bool is_known = pool.failure_domain == "osd" || pool.failure_domain == "host" || pool.failure_domain == "rack";
        if (!is_known) {
          Diagnostic& d = reader.diagnostics.error(node.find("failureDomain"), fmt::format("'{}' is no failure domain", pool.failure_domain));
          d.expected = "osd, host or rack";
        }
        const std::int64_t size = pool.erasure ? pool.erasure->k + pool.erasure->m : pool.size;
        if (pool.erasure && !node.find("size").is_null()) {
          reader.diagnostics.error(node.find("size"), "an erasure-coded pool has k + m chunks and no size of its own");
        }
        if (pool.min_size > size) reader.diagnostics.error(node.find("minSize"), fmt::format("minSize is greater than the pool's {} copies", size));
        if (pool.erasure && pool.min_size != 0 && pool.min_size < pool.erasure->k) {
          reader.diagnostics.error(node.find("minSize"), fmt::format("minSize is less than k = {}: so few chunks cannot be read", pool.erasure->k));
        }
      });
}

void describe(Fields<CephFilesystemSpec>& fields) {
  fields.title("A CephFilesystem of Rook: metadata servers as pods, with a pool for metadata and pools for data.")
      .add("metadataPool", &CephFilesystemSpec::metadata_pool, "One of `pools`.")
      .default_text("NAME-metadata")
      .add("dataPools", &CephFilesystemSpec::data_pools, "Some of `pools`; the first is the default.")
      .default_text("NAME-data0")
      .add("activeCount", &CephFilesystemSpec::active_count, 1, 64, "Ranks: metadata servers that are active at a time.")
      .add("activeStandby", &CephFilesystemSpec::active_standby, "As many again stand by, each following the journal of a rank.")
      .add("antiAffinity", &CephFilesystemSpec::anti_affinity, "No two metadata servers on one node, as in Rook's example; its Helm chart leaves that out.")
      .add("pools", &CephFilesystemSpec::pools, "Machine pools on whose nodes its metadata servers may run; without pools and nodes: anywhere.")
      .add("nodes", &CephFilesystemSpec::nodes, "Nodes by name, beside those of the pools.");
}

void describe(Fields<CephObjectStoreSpec>& fields) {
  fields.title("A CephObjectStore of Rook: gateways (RGW) as pods behind the Service rook-ceph-rgw-NAME.")
      .add("metadataPool", &CephObjectStoreSpec::metadata_pool, "One of `pools`: the bucket indexes.")
      .default_text("NAME.rgw.buckets.index")
      .add("dataPool", &CephObjectStoreSpec::data_pool, "One of `pools`: the objects.")
      .default_text("NAME.rgw.buckets.data")
      .add("instances", &CephObjectStoreSpec::instances, 1, 1000, "Gateways.")
      .add("requestsPerSecond", &CephObjectStoreSpec::requests_per_second, 0.001, 1e9, "Requests of all clients: how soon those that hang take up all places of a gateway.")
      .add("pools", &CephObjectStoreSpec::pools, "Machine pools on whose nodes its gateways may run; without pools and nodes: anywhere.")
      .add("nodes", &CephObjectStoreSpec::nodes, "Nodes by name, beside those of the pools.");
}

void describe(Fields<CephIoTimeoutSpec>& fields) {
  fields.title("Pods that answer nobody, and are unready, while a write to one of their volumes takes longer. A readiness probe's own timeout counts without it.")
      .add("namespace", &CephIoTimeoutSpec::name_space, "Their namespace.")
      .default_text("any")
      .add("labels", &CephIoTimeoutSpec::labels, "Labels that they have.")
      .default_text("any")
      .add("within", &CephIoTimeoutSpec::within, "What one write may take.")
      .required();
}

void describe(Fields<CephOptions>& fields) {
  using O = CephOptions;
  fields.title("Options of Ceph, by Ceph's names (`ceph config set`). Those that are not here are not modelled.")
      .add("mon_lease", &O::mon_lease, "A peon that does not hear of its lease for so long calls an election.")
      .add("mon_election_timeout", &O::mon_election_timeout, "How long an election waits for acknowledgements.")
      .add("mon_mgr_beacon_grace", &O::mon_mgr_beacon_grace, "A manager silent for so long is replaced.")
      .add("osd_heartbeat_grace", &O::osd_heartbeat_grace, "An OSD that does not answer for so long is reported.")
      .add("osd_heartbeat_interval", &O::osd_heartbeat_interval, "Between two pings to a peer.")
      .add("mon_osd_min_down_reporters", &O::mon_osd_min_down_reporters, 1, 1000, "Reporters from so many subtrees mark an OSD down.")
      .add("mon_osd_reporter_subtree_level", &O::mon_osd_reporter_subtree_level, "What a subtree is for that: osd, host or rack.")
      .add("mon_osd_down_out_interval", &O::mon_osd_down_out_interval, "An OSD down for so long is marked out; 0s: never.")
      .add("mon_osd_down_out_subtree_limit", &O::mon_osd_down_out_subtree_limit,
           "When everything in a bucket of this type is down, nothing of it is marked out by itself: host, rack, root.")
      .add("mon_osd_min_in_ratio", &O::mon_osd_min_in_ratio, 0.0, 1.0, "With a smaller share of OSDs in, none is marked out by itself.")
      .add("mon_osd_min_up_ratio", &O::mon_osd_min_up_ratio, 0.0, 1.0, "With a smaller share of OSDs up, none is marked down.")
      .add("osd_max_markdown_count", &O::osd_max_markdown_count, 0, 1000, "An OSD marked down more often than this within osd_max_markdown_period stays down.")
      .add("osd_max_markdown_period", &O::osd_max_markdown_period, "See osd_max_markdown_count.")
      .add("osd_max_backfills", &O::osd_max_backfills, 1, 1000, "Backfills to or from one OSD at a time.")
      .choice("osd_mclock_profile", &O::osd_mclock_profile,
              {{"balanced", ceph::MclockProfile::kBalanced},
               {"high_client_ops", ceph::MclockProfile::kHighClientOps},
               {"high_recovery_ops", ceph::MclockProfile::kHighRecoveryOps}},
              "How disks are shared between clients and recovery.")
      .choice("osd_op_queue", &O::osd_op_queue, {{"mclock_scheduler", ceph::OpQueue::kMclock}, {"wpq", ceph::OpQueue::kWpq}}, "The OSDs' scheduler.")
      .add("mon_osd_nearfull_ratio", &O::mon_osd_nearfull_ratio, 0.0, 1.0, "A disk fuller than this gives a warning.")
      .add("mon_osd_backfillfull_ratio", &O::mon_osd_backfillfull_ratio, 0.0, 1.0, "A disk fuller than this takes no backfill.")
      .add("mon_osd_full_ratio", &O::mon_osd_full_ratio, 0.0, 1.0, "A disk fuller than this stops all writes to its pools.")
      .add("mds_beacon_grace", &O::mds_beacon_grace, "A metadata server silent for so long is laggy, and replaced when a standby is there.")
      .add("mds_beacon_mon_down_grace", &O::mds_beacon_mon_down_grace, "... while a monitor is down or the quorum younger than this, not before so long.")
      .add("mds_reconnect_timeout", &O::mds_reconnect_timeout, "How long a metadata server that takes over waits for clients.")
      .add("rgw_max_concurrent_requests", &O::rgw_max_concurrent_requests, 1, 1'000'000, "Requests that one gateway works on at a time; more are refused with 503.")
      .rule([](const CephOptions& to, Node node, Reader& reader) {
        // Timers of no length would fire for ever, or never.
        const auto at_least = [&](const char* name, SimDuration value, SimDuration least) {
          if (value < least) reader.diagnostics.error(node.find(name), "value out of range").expected = fmt::format("at least {}", format_duration(least));
        };
        at_least("mon_lease", to.mon_lease, kTimerMin);
        at_least("mon_election_timeout", to.mon_election_timeout, kTimerMin);
        at_least("mon_mgr_beacon_grace", to.mon_mgr_beacon_grace, kTimerMin);
        at_least("osd_heartbeat_grace", to.osd_heartbeat_grace, kTimerMin);
        at_least("osd_heartbeat_interval", to.osd_heartbeat_interval, kTimerMin);
        at_least("mds_beacon_grace", to.mds_beacon_grace, kTimerMin);
        if (to.mon_osd_nearfull_ratio > to.mon_osd_backfillfull_ratio || to.mon_osd_backfillfull_ratio > to.mon_osd_full_ratio) {
          Diagnostic& d = reader.diagnostics.error(node, "full ratios out of order");
          d.expected = fmt::format("nearfull ({}) <= backfillfull ({}) <= full ({})", to.mon_osd_nearfull_ratio, to.mon_osd_backfillfull_ratio, to.mon_osd_full_ratio);
        }
      });
}

void describe(Fields<CephSpec>& fields) {
  fields.title("A Ceph cluster as Rook runs it: its daemons are pods on nodes, pinned to them, with PodDisruptionBudgets.")
      .custom("namespace", Codec<std::string>::type(), "Namespace of its pods.",
              [](Node node, CephSpec& to, Reader& reader) { return detail::read_string(node, to.rook.name_space, reader); })
      .default_text("rook-ceph")
      .add("mons", &CephSpec::mons, "Monitors.")
      .required()
      .add("mgrs", &CephSpec::mgrs, "Managers. Without it two, on the monitors' nodes.")
      .named("osds", &CephSpec::osds, "OSDs", "Disks, by a name of yours.")
      .required()
      .named("pools", &CephSpec::pools, "Ceph pool", "Pools, by name.")
      .named("filesystems", &CephSpec::filesystems, "filesystem", "File systems, by name.")
      .named("objectStores", &CephSpec::object_stores, "object store", "Object stores, by name.")
      .add("ioTimeouts", &CephSpec::io_timeouts, "What pods can bear of slow volumes; of several that match the smallest counts.")
      .custom("monOutTimeout", Codec<SimDuration>::type(), "A monitor out of quorum for so long is replaced on another node; 0s: never.",
              [](Node node, CephSpec& to, Reader& reader) { return detail::read_duration(node, to.rook.mon_out_timeout, reader); })
      .default_text("10m")
      .custom("managePodBudgets", Codec<bool>::type(), "Rook keeps PodDisruptionBudgets for monitors and OSDs.",
              [](Node node, CephSpec& to, Reader& reader) { return detail::read_bool(node, to.rook.manage_pod_budgets, reader); })
      .default_text("true")
      .add("config", &CephSpec::config, "Options of Ceph.");
}

}  // namespace sim::scenario
