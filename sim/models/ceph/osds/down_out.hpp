/// From down to out: an OSD that stays down loses its place, so that its data are copied elsewhere.
///
/// Not while noout is set, not when fewer than mon_osd_min_in_ratio would stay in, and not while the whole rack (mon_osd_down_out_subtree_limit)
/// around it is down, which also starts the clock anew. Looked at by the leader's tick, so not without a quorum.
///
/// Source:     Ceph 18.2 OSDMonitor::tick, can_mark_out, OSDMap::containing_subtree_is_down; reference platform 2.2.
/// Checked by: tests/models/ceph/osd_failure_test.cpp.
#pragma once

#include <vector>

#include "sim/models/ceph/osds/osd_monitor.hpp"

namespace sim::ceph {

class DownOut {
 public:
  DownOut(const Context& context, Monitors& monitors, OsdMonitor& osd_monitor, std::vector<Osd>& osds);
  /// After an epoch, a flag or a quorum.
  void update();

 private:
  bool subtree_is_down(const Osd& osd) const;
  SimTime due(const Osd& osd) const;
  void check(int osd);

  Context context_;
  Monitors& monitors_;
  OsdMonitor& osd_monitor_;
  std::vector<Osd>& osds_;
  std::vector<Timer> timers_;
  std::vector<bool> held_;  // by its subtree
};

}  // namespace sim::ceph
