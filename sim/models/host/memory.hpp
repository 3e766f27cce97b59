/// The kernel's side of one host's memory: page cache, slab, per-CPU memory, dying memory cgroups, watermarks, reclaim. What processes hold is told by
/// the caller (`anonymous`), who knows the containers.
///
/// Nothing ticks. What containers leave behind is added when it happens; reclaim is done in the books when somebody looks (settle()), which gives the
/// same as doing it all along: it takes the same share of every reclaimable kind, so that many small steps and a large one leave the same.
///
/// - Below the low watermark kswapd frees until the high one: inactive page cache, reclaimable slab and the dying cgroups that they keep, in proportion
///   (a dying cgroup's pages are anywhere in the LRU); then active page cache.
/// - Dirty pages go to disk before they are free: reclaim takes them at the disk's rate, and drop_caches leaves them.
/// - A surge that reclaim cannot follow makes the allocating processes reclaim for themselves: settle() says how long they stall.
/// - A removed cgroup stays while it is pinned; with the share of the cache that is dropped goes the same share of them. What the kmem bug keeps stays for ever.
///
/// Source:     mm/page_alloc.c (watermarks, si_mem_available), mm/vmscan.c, mm/memcontrol.c; reference platform 9.1 to 9.4.
/// Leaves out: swap, huge pages, NUMA; the order of pages in the LRU (proportional instead); refaults while file
///             pages remain; the time that reading memory.stat takes with many dying cgroups.
/// Checked by: tests/models/host_memory_test.cpp (measured runs of a real kernel, watermarks by hand, balance of all bytes).
#pragma once

#include <cstdint>

#include "sim/core/time.hpp"
#include "sim/models/host/kernel.hpp"

namespace sim::host {

struct Watermarks {
  std::int64_t min = 0;
  std::int64_t low = 0;
  std::int64_t high = 0;
};
Watermarks watermarks(const KernelConfig& kernel, std::int64_t total);

/// /proc/meminfo and /proc/cgroups, in bytes.
struct Meminfo {
  std::int64_t total = 0;
  std::int64_t free = 0;
  std::int64_t available = 0;
  std::int64_t cached = 0;
  std::int64_t active_file = 0;
  std::int64_t dirty = 0;
  std::int64_t slab = 0;
  std::int64_t sreclaimable = 0;
  std::int64_t sunreclaim = 0;
  std::int64_t percpu = 0;
  std::int64_t cgroups = 0;  // memory cgroups, dying ones included
  std::int64_t dying = 0;
};

enum class DropCaches : std::uint8_t { kPageCache = 1, kSlab = 2, kBoth = 3 };

class HostMemory {
 public:
  HostMemory(const KernelConfig& kernel, std::int64_t total, double cpus);

  /// Boots: nothing of what was is left.
  void reset();
  /// Takes over the state of a running host.
  struct State {
    double inactive_file = 0;
    double active_file = 0;
    double slab = 0;         // reclaimable
    double unreclaimable = 0;  // slab that is the kernel's own
    double percpu = 0;       // the kernel's own
    double cgroups = 0;
  };
  void set(const State& state);

  // ---- what containers do
  /// False when the kernel refuses (`cgroups_left`): nothing is made then.
  bool make_cgroups(std::int64_t count);
  /// They are removed. `keeps_pages`: something of what they read or wrote is still in the page cache, `keeps_objects`: in the slab.
  void remove_cgroups(std::int64_t count, bool keeps_pages, bool keeps_objects);
  /// Files read and written: `active_share` of them more than once.
  void add_files(std::int64_t bytes, double active_share);
  /// Deleted, with all that so many dying cgroups were kept by.
  void remove_files(std::int64_t bytes, std::int64_t cgroups);
  /// Dentries and inodes.
  void add_objects(std::int64_t bytes);
  /// From now on files are written: page cache grows by so much a second, so much of it is dirty (write_back.hpp), and the disk takes so much a second.
  void set_writing(SimTime now, double bytes_per_second, double dirty, double disk_rate);

  // ---- what goes wrong, and what people do about it
  /// Unreclaimable slab grows from now on (added to what grows already; negative: less).
  void grow_slab(SimTime now, double bytes_per_second);
  void drop_caches(DropCaches what);

  // ---- figures
  /// Brings the books up to date: reclaims what is needed for the high watermark, if free memory is below the low one.
  /// Returns for how long processes stall in direct reclaim: zero where kswapd can follow.
  SimDuration settle(SimTime now, std::int64_t anonymous);
  /// After settle().
  Meminfo meminfo(SimTime now, std::int64_t anonymous) const;
  /// Kernel memory that no reclaim gives back, and how fast it grows.
  std::int64_t unreclaimable(SimTime now) const;
  double unreclaimable_rate() const { return slab_rate_; }
  /// What the books hold beside free and anonymous memory.
  std::int64_t held(SimTime now) const;
  double dying() const { return dying_by_files_ + dying_by_active_ + dying_by_objects_ + dying_for_ever_; }
  double removed() const { return removed_; }  ///< cgroups, since the boot
  std::int64_t leaked() const { return static_cast<std::int64_t>(leaked_); }
  std::int64_t bytes_per_dying() const { return dying_bytes_; }
  /// How many more can be made.
  std::int64_t cgroups_left() const;
  /// Making so many more fails for want of memory in large enough pieces: ENOMEM.
  bool refuses_cgroups(SimTime now, std::int64_t count) const;
  std::int64_t active_file() const { return static_cast<std::int64_t>(active_file_); }
  std::int64_t reclaimable() const;
  const Watermarks& marks() const { return marks_; }
  const KernelConfig& kernel() const { return kernel_; }
  std::int64_t total() const { return total_; }

 private:
  double first_pool() const;   // inactive page cache, slab, and what they pin
  double second_pool() const;  // active page cache, and what it pins
  void shrink_inactive(double share);
  double accounted() const;  // cgroups with a number of kernel memory accounting
  double slab_at(SimTime now) const;
  void add_written(SimTime now);

  KernelConfig kernel_;
  std::int64_t total_ = 0;
  double cpus_ = 1;
  std::int64_t dying_bytes_ = 0;
  Watermarks marks_;
  // bytes
  double inactive_file_ = 0;
  double active_file_ = 0;
  double objects_ = 0;
  double write_rate_ = 0;  // by which inactive_file_ grows, since write_since_
  SimTime write_since_{};
  double dirty_ = 0;
  double disk_rate_ = 0;
  double base_slab_ = 0;
  double base_percpu_ = 0;
  double slab_ = 0;  // unreclaimable, grown by a fault: at slab_since_
  double slab_rate_ = 0;
  SimTime slab_since_{};
  double leaked_ = 0;
  // cgroups
  double live_ = 0;
  double dying_by_files_ = 0;    // go with inactive page cache
  double dying_by_active_ = 0;   // go with active page cache
  double dying_by_objects_ = 0;  // go with slab
  double dying_for_ever_ = 0;
  double removed_ = 0;
  double kmem_array_ = 0;  // how many accounted cgroups the arrays of the slab caches have room for
  // as of the last settle()
  bool settled_once_ = false;
  SimTime settled_{};
  double free_before_ = 0;
};

/// Pressure stall information: the share of time in which something waits for memory (some), or everything does (full), as averages that forget with
/// 10, 60 and 300 s. Between two changes of the level they are exact.
class Psi {
 public:
  void set(SimTime now, double level);
  struct Averages {
    double avg10 = 0, avg60 = 0, avg300 = 0;
    SimDuration total{};
  };
  Averages at(SimTime now) const;
  double level() const { return level_; }

 private:
  double level_ = 0;
  SimTime since_{};
  Averages before_{};
};

}  // namespace sim::host
