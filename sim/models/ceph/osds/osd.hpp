/// One OSD: its process and disk as they are, and what the map and the monitors know of it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "sim/core/engine.hpp"
#include "sim/models/ceph/osds/laggy.hpp"
#include "sim/models/host/hosts.hpp"

namespace sim::ceph {

enum class OsdProcess : std::uint8_t {
  kStopped,
  kStarting,  ///< mounts its store
  kBooting,   ///< wants to be marked up
  kRunning,   ///< as far as it knows it is up
};
enum class Disk : std::uint8_t {
  kGood,
  kStuck,   ///< operations do not return
  kFailed,  ///< errors; what was on it is gone
};
/// How a daemon ends.
enum class Kill : std::uint8_t {
  kCrash,   ///< its host lives on and refuses connections: peers know within a second
  kSilent,  ///< nobody answers for it (its pod and address are gone)
  kStop,    ///< SIGTERM: it tells the monitors itself
};

enum class Fullness : std::uint8_t { kNone, kNearfull, kBackfillfull, kFull };

struct Osd {
  int id = 0;
  std::string name;  // "osd.3"
  host::HostId host;
  std::size_t location = 0;  // index into the config's hosts
  std::string device_class;
  bool is_rotational = true;
  std::int64_t capacity = 0;
  std::int64_t other_used = 0;
  std::int64_t pg_used = 0;
  double bandwidth = 0.0;
  bool is_on_system_disk = false;  // its disk is the first one of its host

  // As it is.
  OsdProcess process = OsdProcess::kStopped;
  Disk disk = Disk::kGood;
  bool answers_pings = true;  // false: its threads hang on the disk
  double slow_factor = 1.0;
  double shared_factor = 1.0;  // how many times longer clients wait, because others use its disk too
  std::uint32_t starts = 0;
  bool fresh_process = true;  // has not been up since it started
  bool refused = false;       // its process ended and its host refuses connections
  SimTime silent_since{};     // since when it answers no pings
  CauseId cause{};            // of its last change
  std::deque<SimTime> markdowns;  // while it was alive
  Timer timer;                // start, suicide, or the stop of pings

  // As the map has it, beside crush::OsdMap.
  std::uint32_t up_from = 0;
  std::uint32_t up_thru = 0;
  std::uint32_t down_at = 0;
  bool known_dead = false;   // dead_epoch: its read leases need not be waited for
  bool auto_out = false;
  std::uint32_t old_weight = 0;
  std::uint32_t lost_at = 0;  // epoch; 0: not declared lost
  bool noout = false;
  SimTime down_stamp{};
  SimTime out_clock{};        // from when the down-out interval counts
  SimTime map_changed{};      // up, down
  Laggy laggy;
  CauseId map_cause{};
  Fullness fullness = Fullness::kNone;

  double latency_factor() const { return slow_factor * shared_factor; }
  std::int64_t used() const { return other_used + pg_used; }
  double used_ratio() const { return capacity == 0 ? 0.0 : static_cast<double>(used()) / static_cast<double>(capacity); }
};

}  // namespace sim::ceph
