/// The section `ceph:` of a scenario: a Ceph cluster that Rook runs on the nodes.
///
/// Leaves out: several Ceph clusters in one scenario; realms and zones of object stores.
/// Checked by: tests/chaos/ceph_test.cpp, cephfs_test.cpp.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/models/ceph/config.hpp"
#include "sim/models/rook/rook_config.hpp"
#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/reference.hpp"

namespace sim::scenario {

/// Where daemons stand: the nodes of pools, and nodes by name, in this order.
struct CephNodes {
  std::vector<Reference> pools;
  std::vector<Reference> nodes;
};

struct CephMonSpec : CephNodes {
  std::int64_t count = 3;
  bool allow_multiple_per_node = false;
};
struct CephMgrSpec : CephNodes {
  std::int64_t count = 2;
};
/// The same disks in each of some nodes.
struct CephOsdSpec : CephNodes {
  std::string name;
  Place where;
  std::int64_t per_node = 1;
  std::int64_t size = 4ll << 40;
  std::string device_class = "hdd";
  bool on_system_disk = false;
  double bandwidth = 0.0;
  std::int64_t other_used = 0;
};
struct ErasureSpec {
  std::int64_t k = 2;
  std::int64_t m = 1;
};
struct CephPoolSpec {
  std::string name;
  Place where;
  std::int64_t size = 3;
  std::int64_t min_size = 0;
  std::optional<ErasureSpec> erasure;
  std::int64_t pg_num = 32;
  std::string failure_domain = "host";
  std::string device_class;
  std::int64_t stored = 0;
  double writes_per_second = 0.0;
  double client_bandwidth = 0.0;
};

/// A CephFilesystem; where its metadata servers may stand: anywhere when nothing is named.
struct CephFilesystemSpec : CephNodes {
  std::string name;
  Place where;
  Reference metadata_pool;            // empty: NAME-metadata
  std::vector<Reference> data_pools;  // empty: NAME-data0
  std::int64_t active_count = 1;
  bool active_standby = true;
  bool anti_affinity = true;

  std::string metadata_pool_name() const { return metadata_pool.text.empty() ? name + "-metadata" : metadata_pool.text; }
  std::vector<std::string> data_pool_names() const {
    if (data_pools.empty()) return {name + "-data0"};
    std::vector<std::string> names;
    for (const Reference& pool : data_pools) names.push_back(pool.text);
    return names;
  }
};

/// A CephObjectStore.
struct CephObjectStoreSpec : CephNodes {
  std::string name;
  Place where;
  Reference metadata_pool;  // empty: NAME.rgw.buckets.index
  Reference data_pool;      // empty: NAME.rgw.buckets.data
  std::int64_t instances = 1;
  double requests_per_second = 100.0;

  std::string metadata_pool_name() const { return metadata_pool.text.empty() ? name + ".rgw.buckets.index" : metadata_pool.text; }
  std::string data_pool_name() const { return data_pool.text.empty() ? name + ".rgw.buckets.data" : data_pool.text; }
};

/// Pods that answer nobody while a write to one of their volumes takes longer.
struct CephIoTimeoutSpec {
  std::string name_space;
  std::map<std::string, std::string> labels;
  SimDuration within = std::chrono::seconds(1);
};

/// Options by Ceph's names.
struct CephOptions {
  SimDuration mon_lease = ceph::MonOptions{}.lease;
  SimDuration mon_election_timeout = ceph::MonOptions{}.election_timeout;
  SimDuration mon_mgr_beacon_grace = ceph::MonOptions{}.mgr_beacon_grace;
  SimDuration osd_heartbeat_grace = ceph::OsdOptions{}.heartbeat_grace;
  SimDuration osd_heartbeat_interval = ceph::OsdOptions{}.heartbeat_interval;
  std::int32_t mon_osd_min_down_reporters = ceph::OsdOptions{}.min_down_reporters;
  std::string mon_osd_reporter_subtree_level = ceph::OsdOptions{}.reporter_subtree_level;
  SimDuration mon_osd_down_out_interval = ceph::OsdOptions{}.down_out_interval;
  std::string mon_osd_down_out_subtree_limit = ceph::OsdOptions{}.down_out_subtree_limit;
  double mon_osd_min_in_ratio = ceph::OsdOptions{}.min_in_ratio;
  double mon_osd_min_up_ratio = ceph::OsdOptions{}.min_up_ratio;
  std::int32_t osd_max_markdown_count = ceph::OsdOptions{}.max_markdown_count;
  SimDuration osd_max_markdown_period = ceph::OsdOptions{}.max_markdown_period;
  std::int32_t osd_max_backfills = ceph::OsdOptions{}.max_backfills;
  ceph::MclockProfile osd_mclock_profile = ceph::OsdOptions{}.mclock_profile;
  ceph::OpQueue osd_op_queue = ceph::OsdOptions{}.op_queue;
  double mon_osd_nearfull_ratio = ceph::OsdOptions{}.nearfull_ratio;
  double mon_osd_backfillfull_ratio = ceph::OsdOptions{}.backfillfull_ratio;
  double mon_osd_full_ratio = ceph::OsdOptions{}.full_ratio;
  SimDuration mds_beacon_grace = ceph::MdsOptions{}.beacon_grace;
  SimDuration mds_beacon_mon_down_grace = ceph::MdsOptions{}.beacon_mon_down_grace;
  SimDuration mds_reconnect_timeout = ceph::MdsOptions{}.reconnect_timeout;
  std::int64_t rgw_max_concurrent_requests = rook::ObjectStoreConfig{}.max_concurrent_requests;
};

struct CephSpec {
  rook::RookConfig rook;
  CephMonSpec mons;
  std::optional<CephMgrSpec> mgrs;
  std::vector<CephOsdSpec> osds;
  std::vector<CephPoolSpec> pools;
  std::vector<CephFilesystemSpec> filesystems;
  std::vector<CephObjectStoreSpec> object_stores;
  std::vector<CephIoTimeoutSpec> io_timeouts;
  CephOptions config;
};

}  // namespace sim::scenario
