/// The managers: one active, the others standing by. Without one no statistics of PGs are told, and nothing that lives in it runs (Prometheus
/// exporter, balancer, orchestrator); clients' I/O goes on.
///
/// The active one is dropped at the leader's first tick at which its last beacon is older than mon_mgr_beacon_grace (counted from the
/// leader's election at the earliest); a standby that answers takes its place and needs some time to load its modules.
///
/// Records, subject "mgr/NAME": MgrStarted, MgrStopped, MgrActive, MgrAvailable; "ceph/managers": MgrNoneActive.
///
/// Source:     Ceph 18.2 src/mon/MgrMonitor.cc (tick, drop_active, promote_standby); reference platform 1.5.
/// Leaves out: the blocklisting of the old active one's clients; modules one by one.
/// Checked by: tests/models/ceph/monitors_test.cpp.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/ceph/monitors/monitors.hpp"

namespace sim::ceph {

class Managers {
 public:
  Managers(const Context& context, Monitors& monitors);
  void start();
  void kill(std::size_t mgr, std::string_view why);
  void start_daemon(std::size_t mgr);
  /// `ceph mgr fail`: the active one is dropped with the next commit.
  void fail_active();
  void links_changed();
  void host_down(host::HostId host);
  void host_up(host::HostId host);

  std::size_t size() const { return mgrs_.size(); }
  const std::string& name(std::size_t mgr) const { return mgrs_[mgr].name; }
  host::HostId host(std::size_t mgr) const { return mgrs_[mgr].host; }
  bool is_alive(std::size_t mgr) const { return mgrs_[mgr].runs && context_.hosts.is_running(mgrs_[mgr].host); }
  /// What the map calls active: it can be dead and not yet dropped.
  std::optional<std::size_t> active() const { return active_; }
  SimTime active_since() const { return active_since_; }
  /// The active one lives, reaches the monitors and has loaded its modules.
  bool is_available() const;
  std::vector<std::size_t> standbys() const;
  SimTime inactive_since() const { return inactive_since_; }
  SimTime available_since() const { return available_from_; }
  /// Became available, or no longer is.
  std::function<void(bool)> on_available;

 private:
  struct Mgr {
    std::string name;
    host::HostId host;
    bool runs = true;
    std::uint32_t starts = 0;
    bool heard = true;        // its beacons arrive
    SimTime silent_since{};
    CauseId cause{};
    Timer timer;
  };
  bool is_heard(std::size_t mgr) const { return is_alive(mgr) && (!monitors_.has_quorum() || monitors_.reachable_from(mgrs_[mgr].host)); }
  void update();
  void promote();
  void tell();

  Context context_;
  Monitors& monitors_;
  std::vector<Mgr> mgrs_;
  std::optional<std::size_t> active_;
  SimTime active_since_{};
  SimTime inactive_since_{};
  SimTime available_from_{};
  bool told_available_ = false;
  Timer drop_;
  Timer promote_;
  Timer available_;
};

}  // namespace sim::ceph
