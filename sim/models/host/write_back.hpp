/// Dirty pages of one host: what is written lands in memory first, and goes to disk later; who writes faster than the disk waits for it in the end.
///
/// With dirty pages D, writers that would write W a second, and a disk that takes B of it:
/// - Below the background threshold pages are written when they are old (30 s): D grows to what is written in that time.
/// - From there on the flushers write as fast as the disk takes it. If that is enough D stays; otherwise it grows by W - B.
/// - Half-way between the two thresholds writers are made to wait, so that they write as much as the disk does: B.
/// The thresholds are shares of the memory that could be dirty: free pages and page cache. All of it is straight lines; nothing ticks.
///
/// Source:     mm/page-writeback.c (global_dirtyable_memory, domain_dirty_limits, dirty_freerun_ceiling, balance_dirty_pages), Documentation/admin-guide/sysctl/vm.rst
///             (dirty_background_ratio 10, dirty_ratio 20, dirty_expire_centisecs 3000); reference platform 9.1.
/// Leaves out: limits of single devices and memory cgroups (bdi, cgroup write-back), dirty_bytes, the flushers' wake-ups of 5 s, journals of file systems (an
///             fsync that waits for other files' data), the smoothness of the throttling (here it sets in at once).
/// Checked by: tests/models/write_back_test.cpp.
#pragma once

#include <cstdint>

#include "sim/core/time.hpp"
#include "sim/models/host/kernel.hpp"

namespace sim::host {

class WriteBack {
 public:
  explicit WriteBack(const KernelConfig& kernel) : kernel_(kernel) {}

  /// From now on: what writers would like to write (bytes a second), what the disk takes of it, and the memory that could be dirty.
  void set(SimTime now, double wanted, double disk, double dirtyable);
  /// A boot: what was not written is lost.
  void reset();

  double dirty(SimTime now) const { return state(now).dirty; }
  /// What really gets into memory a second: less than is wanted when writers wait.
  double inflow(SimTime now) const { return state(now).inflow; }
  /// What goes to disk a second.
  double outflow(SimTime now) const { return state(now).outflow; }
  bool throttles(SimTime now) const { return state(now).throttles; }
  /// When one of these takes another course; kEndOfTime: never.
  SimTime next_change(SimTime now) const;
  double wanted() const { return wanted_; }
  double background() const { return background_; }
  /// From here on writers wait.
  double ceiling() const { return ceiling_; }

 private:
  struct State {
    double dirty = 0;
    double inflow = 0;
    double outflow = 0;
    double lasts = 0;  // seconds from now on; infinite: for ever
    bool throttles = false;
  };
  /// One step of the way: how it goes on from so much.
  State course(double dirty) const;
  State state(SimTime now) const;

  KernelConfig kernel_;
  SimTime since_{};
  double dirty_ = 0;  // at since_
  double wanted_ = 0;
  double disk_ = 0;
  double background_ = 0;
  double ceiling_ = 0;
};

}  // namespace sim::host
