#include "sim/models/ceph/osds/osd_monitor.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace sim::ceph {

namespace {

// What `ceph osd set` takes and this model acts on ("pause" sets pauserd and pausewr; "full" is set by the monitors alone).
constexpr std::array<std::string_view, 9> kFlags = {"nobackfill", "nodown", "noin", "noout", "norebalance", "norecover", "noup", "pauserd", "pausewr"};

}  // namespace

OsdMonitor::OsdMonitor(const Context& context, Monitors& monitors, std::vector<Osd>& osds, crush::OsdMap& map)
    : context_(context), monitors_(monitors), osds_(osds), map_(map) {
  monitors_.on_commit = [this] { commit(); };
}

bool OsdMonitor::is_known_flag(std::string_view flag) { return std::find(kFlags.begin(), kFlags.end(), flag) != kFlags.end(); }

bool OsdMonitor::has_flag(std::string_view flag) const { return std::find(map_.flags.begin(), map_.flags.end(), flag) != map_.flags.end(); }

std::size_t OsdMonitor::up_count() const {
  return static_cast<std::size_t>(std::count_if(osds_.begin(), osds_.end(), [this](const Osd& osd) { return map_.is_up(osd.id); }));
}
std::size_t OsdMonitor::in_count() const {
  return static_cast<std::size_t>(std::count_if(osds_.begin(), osds_.end(), [this](const Osd& osd) { return map_.is_in(osd.id); }));
}

void OsdMonitor::request(MapRequest request) {
  request.cause = context_.engine.cause();
  for (MapRequest& waiting : pending_) {
    const bool same = waiting.kind == request.kind && waiting.osd == request.osd && waiting.pg == request.pg && waiting.text == request.text;
    if (same && (request.kind != MapRequest::Kind::kDown || waiting.on == request.on)) {
      waiting = std::move(request);
      monitors_.propose();
      return;
    }
  }
  pending_.push_back(std::move(request));
  monitors_.propose();
}

void OsdMonitor::retry() {
  if (!pending_.empty()) monitors_.propose();
}

void OsdMonitor::commit() {
  EpochChange change;
  changed_ = false;
  std::vector<MapRequest> taken = std::move(pending_);
  pending_.clear();
  ++map_.epoch;
  std::vector<MapRequest> waiting;
  for (MapRequest& request : taken) {
    const ScopedCause because(context_.engine, request.cause);
    if (!apply(request, change)) waiting.push_back(std::move(request));
  }
  if (!changed_) --map_.epoch;
  pending_.insert(pending_.begin(), std::make_move_iterator(waiting.begin()), std::make_move_iterator(waiting.end()));
  if (changed_ && on_epoch) on_epoch(change);
}

bool OsdMonitor::apply(MapRequest& request, EpochChange& change) {
  switch (request.kind) {
    case MapRequest::Kind::kDown: return mark_down(request, change);
    case MapRequest::Kind::kBoot: return boot(request, change);
    case MapRequest::Kind::kOut: mark_out(request, change); return true;
    case MapRequest::Kind::kIn:
    case MapRequest::Kind::kReweight: {
      Osd& osd = osds_[static_cast<std::size_t>(request.osd)];
      const bool in = request.kind == MapRequest::Kind::kIn;
      const std::uint32_t weight = in ? (osd.old_weight > 0 ? osd.old_weight : crush::kWeightOne) : request.weight;
      if ((in && map_.is_in(osd.id)) || map_.osd(osd.id).weight == weight) return true;
      map_.set_weight(osd.id, weight);
      osd.auto_out = false;
      osd.old_weight = 0;
      if (!map_.is_up(osd.id)) osd.out_clock = context_.engine.now();
      osd.map_cause = context_.log.record(in ? "OsdIn" : "OsdReweighted", fmt::format("osd/{}", osd.id),
                                          in ? fmt::format("{} marked in", osd.name)
                                             : fmt::format("{} reweighted to {:.4f}", osd.name, static_cast<double>(weight) / 65536.0));
      change.weights = changed_ = true;
      in_changed_ = context_.engine.now();
      return true;
    }
    case MapRequest::Kind::kLost: {
      Osd& osd = osds_[static_cast<std::size_t>(request.osd)];
      if (map_.is_up(osd.id)) return true;  // as `ceph osd lost`: "is not down or doesn't exist"
      osd.lost_at = map_.epoch;
      osd.map_cause = context_.log.record("OsdLost", fmt::format("osd/{}", osd.id), fmt::format("{} declared lost: what only it held is given up", osd.name));
      change.osds.push_back(osd.id);
      changed_ = true;
      return true;
    }
    case MapRequest::Kind::kUpThru: {
      Osd& osd = osds_[static_cast<std::size_t>(request.osd)];
      if (!map_.is_up(osd.id) || osd.up_thru >= request.epoch) return true;
      if (!is_heard(osd.id)) return false;
      osd.up_thru = map_.epoch;
      change.up_thru.push_back(static_cast<std::uint32_t>(osd.id));
      changed_ = true;
      return true;
    }
    case MapRequest::Kind::kPgTemp: {
      if (!map_.is_up(request.osd) || interval_of(request.pg) != request.epoch) return true;
      if (!is_heard(request.osd)) return false;
      const crush::PgId id = pg_id(request.pg);
      const auto found = map_.pg_temp.find(id);
      if (request.osds.empty()) {
        if (found == map_.pg_temp.end()) return true;
        map_.pg_temp.erase(found);
      } else {
        if (found != map_.pg_temp.end() && found->second == request.osds) return true;
        map_.pg_temp[id] = request.osds;
      }
      change.pgs.push_back(request.pg);
      changed_ = true;
      return true;
    }
    case MapRequest::Kind::kFlag: {
      if (has_flag(request.text) == request.on) return true;
      if (request.on) {
        const auto before = [](const std::string& a, const std::string& b) { return crush::osd_map_flag_bit(a).value_or(0) < crush::osd_map_flag_bit(b).value_or(0); };
        map_.flags.insert(std::upper_bound(map_.flags.begin(), map_.flags.end(), request.text, before), request.text);
      } else {
        std::erase(map_.flags, request.text);
      }
      context_.log.record("OsdmapFlag", "ceph/osdmap", fmt::format("{} is {}", request.text, request.on ? "set" : "unset"));
      change.flags = changed_ = true;
      return true;
    }
    case MapRequest::Kind::kFullness: {
      Osd& osd = osds_[static_cast<std::size_t>(request.osd)];
      if (osd.fullness == request.fullness) return true;
      if (!is_heard(osd.id)) return !map_.is_up(osd.id);
      osd.fullness = request.fullness;
      static constexpr std::array<const char*, 4> kKinds = {"OsdSpaceRegained", "OsdNearfull", "OsdBackfillfull", "OsdFull"};
      osd.map_cause = context_.log.record(kKinds[static_cast<std::size_t>(osd.fullness)], fmt::format("osd/{}", osd.id),
                                          fmt::format("{} is {:.1f}% full", osd.name, 100.0 * osd.used_ratio()));
      change.fullness = changed_ = true;
      return true;
    }
    case MapRequest::Kind::kNoout: {
      Osd& osd = osds_[static_cast<std::size_t>(request.osd)];
      if (osd.noout == request.on) return true;
      osd.noout = request.on;
      context_.log.record("OsdmapFlag", fmt::format("osd/{}", osd.id), fmt::format("noout is {} on {}", request.on ? "set" : "unset", osd.name));
      change.flags = changed_ = true;
      return true;
    }
  }
  return true;
}

bool OsdMonitor::mark_down(MapRequest& request, EpochChange& change) {
  Osd& osd = osds_[static_cast<std::size_t>(request.osd)];
  if (!map_.is_up(osd.id) || request.epoch != osd.up_from) return true;  // it is another life that was meant
  if (has_flag("nodown") && request.text != "command") return true;
  // The ratio without this one, as Ceph counts.
  const double up_ratio = static_cast<double>(up_count()) / static_cast<double>(osds_.size());
  if (up_ratio < context_.config.osd.min_up_ratio && request.text != "command") {
    context_.log.record("OsdMarkdownRefused", fmt::format("osd/{}", osd.id),
                        fmt::format("{} stays up in the map: fewer than {:.0f}% are", osd.name, 100.0 * context_.config.osd.min_up_ratio));
    return true;
  }
  map_.set_up(osd.id, false);
  osd.down_at = map_.epoch;
  osd.known_dead = request.on;
  osd.down_stamp = osd.out_clock = osd.map_changed = up_changed_ = context_.engine.now();
  osd.map_cause = context_.log.record("OsdDown", fmt::format("osd/{}", osd.id), fmt::format("{} down: {}", osd.name, request.text));
  if (osd.cause) context_.log.also_caused_by(osd.map_cause, osd.cause);
  change.osds.push_back(osd.id);
  changed_ = true;
  return true;
}

bool OsdMonitor::boot(MapRequest& request, EpochChange& change) {
  Osd& osd = osds_[static_cast<std::size_t>(request.osd)];
  if (osd.process != OsdProcess::kBooting || osd.starts != request.epoch) return true;
  if (has_flag("noup") || !is_heard(osd.id) || !is_healthy(osd.id)) return false;
  if (map_.is_up(osd.id)) {
    // It restarted before anybody noticed: the old life is marked down first, in this epoch, and the new one comes up in the next.
    map_.set_up(osd.id, false);
    osd.down_at = map_.epoch;
    osd.known_dead = true;
    osd.down_stamp = osd.out_clock = osd.map_changed = up_changed_ = context_.engine.now();
    osd.map_cause = context_.log.record("OsdDown", fmt::format("osd/{}", osd.id), fmt::format("{} down: it boots anew", osd.name));
    if (osd.cause) context_.log.also_caused_by(osd.map_cause, osd.cause);
    change.osds.push_back(osd.id);
    changed_ = true;
    monitors_.propose();
    return false;
  }
  if (osd.fresh_process) {
    osd.laggy.restarted(context_.config.osd);
  } else {
    osd.laggy.was_alive(context_.config.osd, context_.engine.now() - osd.down_stamp);
  }
  map_.set_up(osd.id, true);
  osd.up_from = map_.epoch;
  osd.lost_at = 0;
  osd.process = OsdProcess::kRunning;
  osd.fresh_process = false;
  osd.map_changed = up_changed_ = context_.engine.now();
  osd.map_cause = context_.log.record("OsdUp", fmt::format("osd/{}", osd.id), fmt::format("{} up on {}", osd.name, context_.hosts.spec(osd.host).name));
  change.osds.push_back(osd.id);
  changed_ = true;
  if (!map_.is_in(osd.id) && osd.auto_out && context_.config.osd.auto_mark_auto_out_in && !has_flag("noin")) {
    map_.set_weight(osd.id, osd.old_weight > 0 ? osd.old_weight : crush::kWeightOne);
    osd.auto_out = false;
    osd.old_weight = 0;
    change.weights = true;
    in_changed_ = context_.engine.now();
    context_.log.record("OsdIn", fmt::format("osd/{}", osd.id), fmt::format("{} marked in: it boots, and was out for being down only", osd.name));
  }
  return true;
}

void OsdMonitor::mark_out(MapRequest& request, EpochChange& change) {
  Osd& osd = osds_[static_cast<std::size_t>(request.osd)];
  if (!map_.is_in(osd.id)) return;
  if (request.on) {
    const double in_ratio = static_cast<double>(in_count()) / static_cast<double>(osds_.size());
    if (map_.is_up(osd.id) || osd.noout || has_flag("noout") || in_ratio < context_.config.osd.min_in_ratio) return;
  }
  osd.old_weight = map_.osd(osd.id).weight;
  osd.auto_out = request.on;
  map_.set_weight(osd.id, 0);
  in_changed_ = context_.engine.now();
  osd.map_cause = context_.log.record("OsdOut", fmt::format("osd/{}", osd.id),
                                      request.on ? fmt::format("{} marked out: down for {} seconds", osd.name,
                                                               (context_.engine.now() - osd.out_clock) / std::chrono::seconds(1))
                                                 : fmt::format("{} marked out by hand", osd.name));
  change.went_out.push_back(osd.id);
  changed_ = true;
}

}  // namespace sim::ceph
