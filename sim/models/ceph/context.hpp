/// What every part of a Ceph cluster is given: the world's services and the cluster's configuration.
#pragma once

#include <string_view>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/ceph/config.hpp"
#include "sim/models/ceph/network.hpp"
#include "sim/models/host/hosts.hpp"

namespace sim::ceph {

struct Context {
  Engine& engine;
  EventLog& log;
  const Randomness& random;
  const host::Hosts& hosts;
  Network& network;
  const ClusterConfig& config;

  SimDuration draw(const Spread& spread, std::string_view purpose, std::string_view entity) const {
    if (spread.sigma == 0.0) return spread.median;
    return random.stream(purpose, entity).lognormal(spread.median, spread.sigma);
  }
};

/// The first instant of the grid `anchor` + k * `period` (any integer k) that is not before `when`.
inline SimTime grid_at_or_after(SimTime anchor, SimDuration period, SimTime when) {
  const std::int64_t gap = (when - anchor).count();
  const std::int64_t step = period.count();
  std::int64_t k = gap / step;
  if (gap > 0 && gap % step != 0) ++k;
  return anchor + SimDuration(k * step);
}
/// The last instant of the grid that is not after `when`.
inline SimTime grid_at_or_before(SimTime anchor, SimDuration period, SimTime when) {
  const SimTime next = grid_at_or_after(anchor, period, when);
  return next == when ? next : next - period;
}

}  // namespace sim::ceph
