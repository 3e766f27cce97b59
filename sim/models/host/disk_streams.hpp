/// Who else works on the first disk of a host, beside the containers and files of its pods: an OSD that has no disk of its own, image pulls. Each says what it would like to
/// have, and hears what it gets; who divides the disk (the node's kubelet model) asks all of them together with its own.
///
/// A disk does so many bytes and, if the scenario says so, so many operations a second: a request takes 1 / operations + size / bytes. So an operation counts as
/// bytes / operations more bytes, and one number says how busy the disk is.
///
/// Source:     service time of a disk: positioning and transfer (Ruemmler and Wilkes, An introduction to disk drive modeling, 1994).
/// Leaves out: seeks that depend on the place, a queue that is sorted (NCQ), writes that cost more than reads.
/// Checked by: tests/models/disk_streams_test.cpp, tests/models/kubernetes/kubelet_shared_disk_test.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sim::host {

struct HostId;

class DiskStreams {
 public:
  struct Stream {
    double wants = 0;      ///< bytes a second
    double operations = 0;  ///< requests a second
    double weight = 1;     ///< requests that it keeps in flight
    double queued = 0;     ///< bytes of them, which an fsync waits for while the stream runs
    friend bool operator==(const Stream&, const Stream&) = default;
  };
  struct Share {
    double gets = 0;         ///< bytes a second of those that it wants
    double utilisation = 0;  ///< of the disk, by everybody else
    friend bool operator==(const Share&, const Share&) = default;
  };
  using Id = std::uint32_t;

  /// A stream that wants nothing yet, by a name for people ("osd.3"). `told` is called whenever its share changes, also from inside set().
  Id add(HostId host, std::string name, std::function<void(const Share&)> told);
  void set(Id id, const Stream& stream);
  const Stream& stream(Id id) const { return streams_[id].stream; }

  // For who divides the disk.
  /// The streams of a host that want something, in the order in which they were added.
  std::vector<Id> active(HostId host) const;
  void give(Id id, const Share& share);
  /// "containers, osd.3": who wants something of the disk, `others` (which may be empty) first.
  std::string users(HostId host, std::string_view others) const;
  const Share& share(Id id) const { return streams_[id].share; }
  /// What somebody wants of this host's disk has changed.
  void on_change(std::function<void(HostId)> listener) { listener_ = std::move(listener); }

  /// What so many operations take of the disk, as bytes. No limit: nothing.
  static double as_bytes(double operations, double bytes_per_second, double operations_per_second) {
    return operations_per_second > 0.0 ? operations * bytes_per_second / operations_per_second : 0.0;
  }

 private:
  struct Entry {
    std::uint32_t host = 0;
    std::string name;
    Stream stream;
    Share share;
    std::function<void(const Share&)> told;
  };
  std::deque<Entry> streams_;
  std::vector<std::vector<Id>> of_host_;
  std::function<void(HostId)> listener_;
};

}  // namespace sim::host
