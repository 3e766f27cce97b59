/// Whether Ceph has a quorum of monitors, whether each of its pools answers writes, its file systems metadata requests and its object stores requests,
/// and what was lost for good, over time.
///
/// Checked by: tests/chaos/ceph_test.cpp, cephfs_test.cpp, rgw_test.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chaos/outages/signal.hpp"
#include "sim/models/world.hpp"

namespace chaos {

struct CephPoolHistory {
  std::string name;
  Signal serves;   // share of its PGs that answer writes
  Signal latency;  // seconds that a write to its slowest PG takes
};

/// A file system or an object store.
struct CephServiceHistory {
  std::string name;
  Signal serves;  // share of its ranks that answer; share of its requests that are answered
};

class CephObserver {
 public:
  explicit CephObserver(sim::World& world);
  ~CephObserver();
  CephObserver(const CephObserver&) = delete;
  CephObserver& operator=(const CephObserver&) = delete;
  /// Hears of every change from now on. Nothing happens in a world without Ceph.
  void start();
  void look();

  bool present() const;
  const Signal& quorum() const { return quorum_; }
  const std::vector<CephPoolHistory>& pools() const { return pools_; }
  const CephPoolHistory* pool(std::string_view name) const;
  const std::vector<CephServiceHistory>& file_systems() const { return file_systems_; }
  const CephServiceHistory* file_system(std::string_view name) const;
  const std::vector<CephServiceHistory>& object_stores() const { return object_stores_; }
  const CephServiceHistory* object_store(std::string_view name) const;
  /// Acknowledged writes that no OSD holds any more.
  std::uint64_t lost_writes() const;

 private:
  void look_at_latency();
  void look_at_file_system(std::size_t fs);
  void look_at_object_store(std::size_t store);

  sim::World& world_;
  Signal quorum_;
  std::vector<CephServiceHistory> file_systems_;
  std::vector<CephServiceHistory> object_stores_;
  std::vector<CephPoolHistory> pools_;
  std::vector<std::int64_t> blocked_;  // PGs of each pool that do not answer
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace chaos
