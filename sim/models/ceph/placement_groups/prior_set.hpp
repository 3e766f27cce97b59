/// Which OSDs a PG must hear before it may go active: everybody who could have taken writes since it was last started.
///
/// Plain functions of the past intervals and the map; no time passes here.
///
/// Source:     Ceph 18.2 src/osd/osd_types.cc PastIntervals::check_new_interval, PriorSet; reference platform 2.5 (2, 3).
/// Checked by: tests/models/ceph/peering_test.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

#include "sim/models/ceph/placement_groups/pg.hpp"

namespace sim::ceph {

struct PriorSet {
  std::vector<int> probe;       // to be asked, ascending
  std::vector<int> blocked_by;  // down, and what they may hold is nowhere else; ascending
  bool pg_down = false;
};

/// `is_up(osd)`; `lost_at(osd)`: the epoch in which it was declared lost, or 0; `needed`: how many members of an interval rebuild its data (1, or k).
template <class IsUp, class LostAt>
PriorSet prior_set(const Pg& pg, std::size_t needed, IsUp&& is_up, LostAt&& lost_at) {
  std::set<int> probe;
  std::set<int> blocked_by;
  PriorSet prior;
  for (const std::vector<int>* set : {&pg.up, &pg.acting}) {
    for (const int osd : *set) {
      if (osd != kNoOsd) probe.insert(osd);
    }
  }
  for (const PastInterval& interval : pg.past) {
    if (interval.last < pg.last_epoch_started || !interval.maybe_rw) continue;
    std::size_t there = 0;
    bool any_down = false;
    for (const int osd : interval.acting) {
      if (osd == kNoOsd) continue;
      if (is_up(osd)) {
        probe.insert(osd);
        ++there;
      } else if (lost_at(osd) > interval.first) {
        ++there;  // whatever it held is given up
      } else {
        any_down = true;
      }
    }
    if (there >= needed || !any_down) continue;
    prior.pg_down = true;
    for (const int osd : interval.acting) {
      if (osd != kNoOsd && !is_up(osd) && lost_at(osd) <= interval.first) blocked_by.insert(osd);
    }
  }
  prior.probe.assign(probe.begin(), probe.end());
  prior.blocked_by.assign(blocked_by.begin(), blocked_by.end());
  return prior;
}

}  // namespace sim::ceph
