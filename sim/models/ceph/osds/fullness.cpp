#include "sim/models/ceph/osds/fullness.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace sim::ceph {

FullnessWatch::FullnessWatch(const Context& context, OsdMonitor& osd_monitor, PlacementGroups& pgs, std::vector<Osd>& osds)
    : context_(context), osd_monitor_(osd_monitor), pgs_(pgs), osds_(osds) {}

void FullnessWatch::usage_changed(int id) {
  const Osd& osd = osds_[static_cast<std::size_t>(id)];
  const OsdOptions& options = context_.config.osd;
  const double ratio = osd.used_ratio();
  const Fullness level = ratio >= options.full_ratio           ? Fullness::kFull
                         : ratio >= options.backfillfull_ratio ? Fullness::kBackfillfull
                         : ratio >= options.nearfull_ratio     ? Fullness::kNearfull
                                                               : Fullness::kNone;
  if (level != osd.fullness && osd_monitor_.is_up(id)) osd_monitor_.request({.kind = MapRequest::Kind::kFullness, .osd = id, .fullness = level});
}

void FullnessWatch::map_changed() {
  for (PoolState& pool : pgs_.pools()) {
    const auto stops = std::find_if(osds_.begin(), osds_.end(), [&](const Osd& osd) {
      return osd.fullness == Fullness::kFull && osd_monitor_.is_up(osd.id) && osd_monitor_.is_in(osd.id) &&
             (pool.config.device_class.empty() || pool.config.device_class == osd.device_class);
    });
    const bool full = stops != osds_.end();
    if (full == pool.full) continue;
    pool.full = full;
    const ScopedCause of_osd(context_.engine, full ? stops->map_cause : CauseId{});
    const CauseId cause = context_.log.record(full ? "PoolFull" : "PoolWritable", fmt::format("pool/{}", pool.config.name),
                                              full ? fmt::format("pool {} takes no writes: {} is full", pool.config.name, stops->name)
                                                   : fmt::format("pool {} takes writes again", pool.config.name));
    const ScopedCause because(context_.engine, cause);
    for (std::uint32_t i = 0; i < pool.pg_num; ++i) pgs_.refresh(pgs_.pg(pool.first_pg + i));
  }
}

}  // namespace sim::ceph
