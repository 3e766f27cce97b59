#include "sim/models/ceph/osds/down_out.hpp"

#include <algorithm>

namespace sim::ceph {

DownOut::DownOut(const Context& context, Monitors& monitors, OsdMonitor& osd_monitor, std::vector<Osd>& osds)
    : context_(context), monitors_(monitors), osd_monitor_(osd_monitor), osds_(osds), held_(osds.size(), false) {
  for (std::size_t i = 0; i < osds.size(); ++i) timers_.emplace_back(context_.engine);
}

bool DownOut::subtree_is_down(const Osd& osd) const {
  const std::string& level = context_.config.osd.down_out_subtree_limit;
  const HostConfig& place = context_.config.hosts[osd.location];
  if (level.empty() || (level == "rack" && place.rack.empty())) return false;
  return std::none_of(osds_.begin(), osds_.end(), [&](const Osd& other) {
    const bool inside = level == "host" ? other.location == osd.location : level == "rack" ? context_.config.hosts[other.location].rack == place.rack : level == "root";
    return inside && osd_monitor_.is_up(other.id);
  });
}

SimTime DownOut::due(const Osd& osd) const {
  const OsdOptions& options = context_.config.osd;
  SimTime at = osd.out_clock + options.down_out_interval;
  if (options.adjust_down_out_interval) at += from_seconds(osd.laggy.grace_s(options, options.down_out_interval));
  return monitors_.tick_at_or_after(at);
}

void DownOut::update() {
  for (Osd& osd : osds_) {
    const auto index = static_cast<std::size_t>(osd.id);
    if (osd_monitor_.is_up(osd.id) || !osd_monitor_.is_in(osd.id) || !monitors_.has_quorum() || context_.config.osd.down_out_interval == SimDuration::zero() ||
        osd.noout || osd_monitor_.has_flag("noout")) {
      timers_[index].cancel();
      held_[index] = false;
      continue;
    }
    const bool down = subtree_is_down(osd);
    // The clock runs anew from the last tick at which the whole subtree was down.
    if (held_[index] && !down) osd.out_clock = std::max(osd.out_clock, context_.engine.now());
    held_[index] = down;
    if (down) {
      timers_[index].cancel();
      continue;
    }
    if (timers_[index].is_pending()) continue;
    const ScopedCause because(context_.engine, osd.map_cause);
    const int id = osd.id;
    timers_[index].set_at(std::max(due(osd), context_.engine.now()), [this, id] { check(id); });
  }
}

void DownOut::check(int id) {
  const Osd& osd = osds_[static_cast<std::size_t>(id)];
  if (osd_monitor_.is_up(id) || !osd_monitor_.is_in(id)) return;
  const SimTime at = due(osd);
  if (at > context_.engine.now()) {
    timers_[static_cast<std::size_t>(id)].set_at(at, [this, id] { check(id); });
    return;
  }
  // May be refused for mon_osd_min_in_ratio, and is then asked for again after the next change of the map.
  osd_monitor_.request({.kind = MapRequest::Kind::kOut, .osd = id, .on = true});
}

}  // namespace sim::ceph
