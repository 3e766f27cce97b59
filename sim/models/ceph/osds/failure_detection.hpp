/// Who is found to be down, and when: heartbeats between OSDs, their reports, and the monitors' verdict. No heartbeat is an event.
///
/// When a daemon falls silent, or a link breaks, the pings that will miss their answers are computed: the first ping of each peer after that,
/// the end of its grace, the peer's next report. The monitors' verdict is the moment at which reports of enough subtrees are there and the grace
/// (longer for OSDs that were wrongly marked down before) is over. Whatever changes on the way computes it anew.
/// A refused connection is reported at once and one report is enough. Who is silent towards the monitors alone loses its beacon.
///
/// Source:     Ceph 18.2 src/osd/OSD.cc (heartbeat, heartbeat_check, send_failures, ms_handle_refused), src/mon/OSDMonitor.cc (check_failure,
///             handle_osd_timeouts); reference platform 2.1.
/// Leaves out: ticks of one second are rounded into the phase of each OSD's reports; lost single pings; reports that are taken back after the verdict.
/// Checked by: tests/models/ceph/osd_failure_test.cpp.
#pragma once

#include <functional>
#include <vector>

#include "sim/models/ceph/osds/osd_daemons.hpp"

namespace sim::ceph {

class FailureDetection {
 public:
  FailureDetection(const Context& context, Monitors& monitors, OsdMonitor& osd_monitor, OsdDaemons& daemons, std::vector<Osd>& osds);

  /// Links between hosts, processes, the set of up OSDs or the quorum changed.
  void update();
  /// Whether a booting OSD hears enough of the OSDs that are up.
  bool is_healthy(int osd) const;
  /// Whom it sends heartbeats to, ascending.
  std::vector<int> heartbeat_peers(int osd) const;
  /// OSDs that share a PG with this one.
  std::function<std::vector<int>(int osd)> pg_peers;

 private:
  struct Suspect {
    Timer verdict;
    Timer refused;
    Timer beacon;
    std::uint32_t refused_life = 0;  // up_from + 1 of the life whose refused connection was reported
  };
  struct Verdict {
    SimTime at = kEndOfTime;
    std::size_t reporters = 0;
    std::size_t subtrees = 0;
  };
  const OsdOptions& options() const { return context_.config.osd; }
  void update_links();
  bool hears(const Osd& from, const Osd& to) const;
  std::int64_t subtree_of(const Osd& osd) const;
  SimTime first_unanswered_ping(const Osd& reporter, SimTime broken) const;
  SimTime report_at(const Osd& reporter, SimTime unhealthy) const;
  Verdict verdict_on(const Osd& target) const;
  void judge(int osd);
  void check_refused(Osd& osd);
  void check_beacon(Osd& osd);

  Context context_;
  Monitors& monitors_;
  OsdMonitor& osd_monitor_;
  OsdDaemons& daemons_;
  std::vector<Osd>& osds_;
  std::vector<Suspect> suspects_;
  // By host location: since when heartbeats do not pass; kEndOfTime: they do.
  std::vector<SimTime> broken_since_;
  std::vector<SimTime> mon_broken_since_;  // the host reaches no monitor
  std::size_t hosts_ = 0;
};

}  // namespace sim::ceph
