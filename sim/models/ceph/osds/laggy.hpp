/// How much longer Ceph waits for an OSD that was wrongly marked down before: it learns how often, and for how long, each OSD is slow.
///
/// Source:     Ceph 18.2 OSDMonitor::prepare_boot, check_failure, tick (mon_osd_laggy_*); reference platform 2.1.
/// Checked by: tests/models/ceph/osd_failure_test.cpp.
#pragma once

#include <algorithm>
#include <cmath>

#include "sim/core/time.hpp"
#include "sim/models/ceph/config.hpp"

namespace sim::ceph {

struct Laggy {
  double probability = 0.0;
  double interval_s = 0.0;

  /// Its process started anew: what it was before counts less.
  void restarted(const OsdOptions& options) {
    probability *= 1.0 - options.laggy_weight;
    interval_s *= 1.0 - options.laggy_weight;
  }
  /// It was alive while it was marked down.
  void was_alive(const OsdOptions& options, SimDuration down_for) {
    const double down_s = std::min(seconds(down_for), seconds(options.laggy_max_interval));
    interval_s = std::floor(down_s) * options.laggy_weight + interval_s * (1.0 - options.laggy_weight);
    probability = options.laggy_weight + probability * (1.0 - options.laggy_weight);
  }
  /// Its part of a grace, `elapsed` after what it is measured from.
  double grace_s(const OsdOptions& options, SimDuration elapsed) const {
    if (probability == 0.0 || interval_s == 0.0) return 0.0;  // also keeps exp() away from most decisions
    return std::pow(0.5, seconds(elapsed) / seconds(options.laggy_halflife)) * interval_s * probability;
  }
};

}  // namespace sim::ceph
