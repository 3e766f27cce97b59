/// How full OSDs are, in the map: nearfull, backfillfull, full; and which pools take no writes for it.
///
/// One OSD that is up, in and full stops the writes of every pool whose rule can choose it.
///
/// Source:     Ceph 18.2 OSDService::recalc_full_state, OSDMap::get_full_pools, OSDMonitor::encode_pending; reference platform 2.3.
/// Leaves out: quotas of pools; a rule's reach is taken from its device class (all rules here begin at the root).
/// Checked by: tests/models/ceph/ceph_cluster_test.cpp.
#pragma once

#include <vector>

#include "sim/models/ceph/placement_groups/placement_groups.hpp"

namespace sim::ceph {

class FullnessWatch {
 public:
  FullnessWatch(const Context& context, OsdMonitor& osd_monitor, PlacementGroups& pgs, std::vector<Osd>& osds);
  /// The bytes on an OSD changed.
  void usage_changed(int osd);
  /// The map's idea of it changed, or who is up and in.
  void map_changed();

 private:
  Context context_;
  OsdMonitor& osd_monitor_;
  PlacementGroups& pgs_;
  std::vector<Osd>& osds_;
};

}  // namespace sim::ceph
