#include "sim/models/host/disk_streams.hpp"

#include "sim/models/host/hosts.hpp"

namespace sim::host {

DiskStreams::Id DiskStreams::add(HostId host, std::string name, std::function<void(const Share&)> told) {
  const auto id = static_cast<Id>(streams_.size());
  streams_.push_back(Entry{host.value, std::move(name), {}, {}, std::move(told)});
  if (of_host_.size() <= host.value) of_host_.resize(host.value + 1);
  of_host_[host.value].push_back(id);
  return id;
}

void DiskStreams::set(Id id, const Stream& stream) {
  Entry& entry = streams_[id];
  if (entry.stream == stream) return;
  entry.stream = stream;
  // Where nobody divides the disk there is nobody to share it with.
  if (listener_) listener_(HostId{entry.host});
}

std::vector<DiskStreams::Id> DiskStreams::active(HostId host) const {
  std::vector<Id> result;
  if (host.value >= of_host_.size()) return result;
  for (const Id id : of_host_[host.value]) {
    const Stream& stream = streams_[id].stream;
    if (stream.wants > 0.0 || stream.operations > 0.0) result.push_back(id);
  }
  return result;
}

std::string DiskStreams::users(HostId host, std::string_view others) const {
  std::string text(others);
  for (const Id id : active(host)) text += (text.empty() ? "" : ", ") + streams_[id].name;
  return text;
}

void DiskStreams::give(Id id, const Share& share) {
  Entry& entry = streams_[id];
  if (entry.share == share) return;
  entry.share = share;
  if (entry.told) entry.told(share);
}

}  // namespace sim::host
