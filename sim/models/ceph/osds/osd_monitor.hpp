/// The OSD map and its changes: requests gather, a commit of the monitors turns them into the next epoch.
///
/// A request is looked at when it is committed, not when it is made: what no longer holds by then is dropped, what still waits for something
/// (a booting OSD under noup, a daemon that reaches no monitor) stays. Without a quorum everything stays, as daemons ask the next leader again.
///
/// Records, subject "osd/ID": OsdDown, OsdUp, OsdOut, OsdIn, OsdLost; "ceph/osdmap": OsdmapFlag. OsdMarkdownRefused when the up ratio forbids it.
///
/// Source:     Ceph 18.2 src/mon/OSDMonitor.cc (can_mark_down, can_mark_out, prepare_boot, prepare_pgtemp, prepare_alive); platform 2.1, 2.2.
/// Leaves out: upmap and the balancer, pg_num changes, primary affinity, blocklists, flags of single hosts and classes.
/// Checked by: tests/models/ceph/osd_failure_test.cpp, ceph_cluster_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/ceph/context.hpp"
#include "sim/models/ceph/crush/osd_map.hpp"
#include "sim/models/ceph/monitors/monitors.hpp"
#include "sim/models/ceph/osds/osd.hpp"

namespace sim::ceph {

struct MapRequest {
  enum class Kind : std::uint8_t { kDown, kBoot, kOut, kIn, kReweight, kLost, kUpThru, kPgTemp, kFlag, kFullness, kNoout } kind;
  int osd = -1;
  std::uint32_t pg = 0;       // kPgTemp: index of the PG
  std::uint32_t epoch = 0;    // kUpThru: wanted; kPgTemp: interval that asked
  std::uint32_t weight = 0;   // kReweight
  bool on = false;            // kDown: known dead; kOut: by the monitors themselves; kFlag, kNoout: set
  Fullness fullness = Fullness::kNone;
  std::vector<int> osds{};    // kPgTemp; empty: none
  std::string text{};         // kFlag: its name; kDown: why
  CauseId cause{};
};

/// What an epoch changed.
struct EpochChange {
  std::vector<int> osds;            // up, down or lost
  std::vector<int> went_out;        // weight 0
  bool weights = false;             // some other weight: any PG can map anew
  std::vector<std::uint32_t> pgs;   // pg_temp
  std::vector<std::uint32_t> up_thru;  // OSDs
  bool flags = false;
  bool fullness = false;
};

class OsdMonitor {
 public:
  OsdMonitor(const Context& context, Monitors& monitors, std::vector<Osd>& osds, crush::OsdMap& map);

  void request(MapRequest request);
  /// Daemons that could not be heard may be heard now.
  void retry();
  bool has_flag(std::string_view flag) const;
  /// Flags that `ceph osd set` knows and the model acts on.
  static bool is_known_flag(std::string_view flag);

  bool is_up(int osd) const { return map_.is_up(osd); }
  bool is_in(int osd) const { return map_.is_in(osd); }
  std::uint32_t epoch() const { return map_.epoch; }
  std::size_t up_count() const;
  std::size_t in_count() const;
  SimTime last_in_change() const { return in_changed_; }
  SimTime last_up_change() const { return up_changed_; }

  /// Whether a daemon's process lives and reaches the monitors: asked for every request of a daemon.
  std::function<bool(int osd)> is_heard;
  /// Whether a booting OSD hears enough of its peers.
  std::function<bool(int osd)> is_healthy;
  /// Index of a PG to its id in the map, for pg_temp; and whether it is still in the interval that asked.
  std::function<crush::PgId(std::uint32_t pg)> pg_id;
  std::function<std::uint32_t(std::uint32_t pg)> interval_of;
  /// The new epoch is in force.
  std::function<void(const EpochChange&)> on_epoch;

 private:
  void commit();
  /// True when the request is done with (applied or void); false: it waits on.
  bool apply(MapRequest& request, EpochChange& change);
  bool mark_down(MapRequest& request, EpochChange& change);
  bool boot(MapRequest& request, EpochChange& change);
  void mark_out(MapRequest& request, EpochChange& change);

  Context context_;
  Monitors& monitors_;
  std::vector<Osd>& osds_;
  crush::OsdMap& map_;
  std::vector<MapRequest> pending_;
  bool changed_ = false;
  SimTime in_changed_{};
  SimTime up_changed_{};
};

}  // namespace sim::ceph
