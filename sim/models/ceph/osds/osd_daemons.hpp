/// The processes of the OSDs and their disks: start, crash, stop, stuck and failed disks, and what a daemon does that learns it was marked down.
///
/// A daemon that finds itself marked down while it lives boots again; after more than osd_max_markdown_count of these within
/// osd_max_markdown_period it shuts down and stays so until somebody starts it. A disk that does not answer stops the answers to pings after
/// osd_op_thread_timeout and ends the process after osd_op_thread_suicide_timeout. A failed disk ends it at once, and its data are gone.
///
/// Records, subject "osd/ID": OsdStarted, OsdStopped, OsdDiskStuck, OsdDiskFailed, OsdDiskReplaced, OsdDiskSlow, OsdFlapping.
///
/// Source:     Ceph 18.2 src/osd/OSD.cc (handle_osd_map, start_boot, suicide timeouts); reference platform 2.1.
/// Leaves out: partial media errors (scrub errors), BlueStore's own databases.
/// Checked by: tests/models/ceph/osd_failure_test.cpp.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "sim/models/ceph/osds/osd_monitor.hpp"

namespace sim::ceph {

class OsdDaemons {
 public:
  OsdDaemons(const Context& context, OsdMonitor& monitor, std::vector<Osd>& osds);

  void start_daemon(int osd);
  void kill(int osd, Kill how, std::string_view why);
  void host_down(host::HostId host);
  void host_up(host::HostId host);

  /// Operations of the disk do not return, until free_disk().
  void stick_disk(int osd);
  void free_disk(int osd);
  void fail_disk(int osd);
  /// An empty disk in its place; the daemon can start again.
  void replace_disk(int osd);
  /// Every operation takes `factor` times as long. 1: as it should be.
  void slow_disk(int osd, double factor);

  /// The process lives, its host runs, and its disk answers: it can serve.
  bool is_responsive(int osd) const;
  /// The same but for the disk: its process can speak to others.
  bool is_process_alive(int osd) const;
  /// After an epoch: who was marked down while it lives?
  void map_changed(const std::vector<int>& osds);

  /// An OSD became responsive, or no longer is; the current cause says why.
  std::function<void(int osd)> on_change;
  /// Its process ended by itself (hung on its disk for too long, errors, marked down too often): who runs it may start it again.
  std::function<void(int osd)> on_exit;
  std::function<void(int osd)> on_data_lost;
  std::function<void(int osd)> on_speed;

 private:
  Osd& at(int osd) { return osds_[static_cast<std::size_t>(osd)]; }
  const Osd& at(int osd) const { return osds_[static_cast<std::size_t>(osd)]; }
  CauseId record(Osd& osd, std::string_view kind, std::string_view message);
  void ask_to_boot(Osd& osd);
  /// Its store is mounted.
  void mounted(int osd);
  /// The process ends by itself.
  void die(int osd, Kill how, std::string_view why);

  Context context_;
  OsdMonitor& monitor_;
  std::vector<Osd>& osds_;
};

}  // namespace sim::ceph
