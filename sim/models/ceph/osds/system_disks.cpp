#include "sim/models/ceph/osds/system_disks.hpp"

#include <algorithm>

namespace sim::ceph {

namespace {

constexpr double kObjectsHdd = 3.0;  // osd_recovery_max_active_hdd
constexpr double kObjectsSsd = 10.0;
constexpr double kObjectBytes = 4.0 * 1024 * 1024;
constexpr double kRequestBytes = 512.0 * 1024;
constexpr double kSlowest = 50.0;  // times: as an fsync beside direct streams

}  // namespace

SystemDisks::SystemDisks(host::Hosts& hosts, std::vector<Osd>& osds) : hosts_(hosts), osds_(osds) {
  for (const Osd& osd : osds_) {
    if (!osd.is_on_system_disk) continue;
    const std::size_t index = disks_.size();
    const int id = osd.id;
    Disk disk;
    disk.osd = id;
    disk.clients = hosts_.disks().add(osd.host, osd.name + " (clients)", [this, id](const host::DiskStreams::Share& share) {
      // An operation waits for what others have in the disk.
      const double factor = share.utilisation >= 1.0 - 1.0 / kSlowest ? kSlowest : 1.0 / (1.0 - share.utilisation);
      Osd& one = osds_[static_cast<std::size_t>(id)];
      if (one.shared_factor == factor) return;
      one.shared_factor = factor;
      if (on_latency) on_latency();
    });
    disk.copying = hosts_.disks().add(osd.host, osd.name + " (recovery)", [this, index](const host::DiskStreams::Share& share) {
      if (disks_[index].gets == share.gets) return;
      disks_[index].gets = share.gets;
      if (on_share) on_share();
    });
    disks_.push_back(disk);
  }
}

const SystemDisks::Disk* SystemDisks::find(int osd) const {
  const auto found = std::lower_bound(disks_.begin(), disks_.end(), osd, [](const Disk& disk, int id) { return disk.osd < id; });
  return found == disks_.end() || found->osd != osd ? nullptr : &*found;
}

void SystemDisks::set_clients(int osd, double bytes_per_second, double operations) {
  const Disk* disk = find(osd);
  if (disk == nullptr) return;
  host::DiskStreams::Stream stream;
  stream.wants = bytes_per_second;
  stream.operations = operations;
  if (bytes_per_second <= 0.0 && operations <= 0.0) osds_[static_cast<std::size_t>(osd)].shared_factor = 1.0;
  hosts_.disks().set(disk->clients, stream);
}

void SystemDisks::set_copying(int osd, double bytes_per_second) {
  Disk* disk = find(osd);
  if (disk == nullptr) return;
  disk->wants = bytes_per_second;
  host::DiskStreams::Stream stream;
  stream.wants = bytes_per_second;
  if (bytes_per_second > 0.0) {
    stream.queued = (osds_[static_cast<std::size_t>(osd)].is_rotational ? kObjectsHdd : kObjectsSsd) * kObjectBytes;
    stream.weight = stream.queued / kRequestBytes;
  }
  // Until the disk says otherwise it has all of it.
  if (!(stream == hosts_.disks().stream(disk->copying))) disk->gets = bytes_per_second;
  hosts_.disks().set(disk->copying, stream);
}

double SystemDisks::copying_gets(int osd) const {
  const Disk* disk = find(osd);
  return disk == nullptr || disk->wants <= 0.0 ? std::numeric_limits<double>::infinity() : disk->gets;
}

}  // namespace sim::ceph
