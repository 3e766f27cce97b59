/// OSDs that have no disk of their own: they work on the first disk of their host, beside the system, etcd, the pods' files and image pulls.
///
/// Each is two streams on that disk (host/disk_streams.hpp): what clients write to it, one request at a time, and what is copied for recovery and backfill, which keeps
/// osd_recovery_max_active objects in flight. So an fsync of etcd waits behind those, and recovery and clients wait for the others.
///
/// Source:     src/common/options/osd.yaml.in of Ceph 18.2: osd_recovery_max_active_hdd 3, _ssd 10; objects of 4 MiB, requests of 512 KiB (max_sectors_kb).
/// Leaves out: BlueStore's own write-ahead log and compaction, scrubs, partitions of one disk for several OSDs (each is a stream of its own).
/// Checked by: tests/models/ceph/system_disks_test.cpp.
#pragma once

#include <functional>
#include <limits>
#include <vector>

#include "sim/models/ceph/context.hpp"
#include "sim/models/ceph/osds/osd.hpp"

namespace sim::ceph {

class SystemDisks {
 public:
  SystemDisks(host::Hosts& hosts, std::vector<Osd>& osds);

  bool any() const { return !disks_.empty(); }
  bool has(int osd) const { return find(osd) != nullptr; }
  /// What clients take of it, in bytes and in operations a second.
  void set_clients(int osd, double bytes_per_second, double operations);
  /// What copies from and to it would take.
  void set_copying(int osd, double bytes_per_second);
  /// What they get of that; infinite for an OSD with a disk of its own.
  double copying_gets(int osd) const;

  std::function<void()> on_share;    // copies get more or less
  std::function<void()> on_latency;  // Osd::shared_factor of some changed

 private:
  struct Disk {
    int osd = 0;
    host::DiskStreams::Id clients = 0;
    host::DiskStreams::Id copying = 0;
    double wants = 0;
    double gets = 0;
  };
  const Disk* find(int osd) const;
  Disk* find(int osd) { return const_cast<Disk*>(static_cast<const SystemDisks*>(this)->find(osd)); }

  host::Hosts& hosts_;
  std::vector<Osd>& osds_;
  std::vector<Disk> disks_;  // by OSD
};

}  // namespace sim::ceph
