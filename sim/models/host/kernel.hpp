/// What a kernel does with the memory of containers that are gone, by the kernel's name: profiles that a scenario picks from and changes.
///
/// A memory cgroup that is removed stays ("dying") while something is charged to it that outlives its processes: page cache, and on old kernels
/// slab objects. It holds slab and per-CPU memory of its own, which no process owns and which `free` shows as neither free nor available.
///
/// With kernel memory accounting on 3.10 every accounted cgroup has a number below 65,535, and every slab cache an array over these numbers. When the numbers
/// outgrow the arrays, all of them are made anew, twice as large, each in one piece of memory: 64 KiB from 3,071 cgroups on, 128 KiB from 6,143, 256 KiB from
/// 12,287, 512 KiB from 24,575, 1 MiB from 49,151 (orders 4 to 8, which the page allocator does not insist on). Until then mkdir works; when
/// one array finds no piece, it fails (ENOMEM), and so does every later one until the arrays could grow. Pages of slab cannot be moved, so that a
/// piece is there for the taking only where none of its pages is slab.
///
/// Source:     reference platform 9.2; the figures of linux-6.x are measured (docs/models/memory.md), those of other kernels are what operators reported.
///             mm/memcontrol.c of 3.10 (memcg_update_cache_sizes, memcg_caches_array_size, memcg_update_cache_size, MEMCG_CACHES_MAX_SIZE), mm/page_alloc.c
///             (PAGE_ALLOC_COSTLY_ORDER); its failure as seen on such a kernel: moby/moby#31037 (page allocation failure: order:4), #37722 (116 caches,
///             3.2 GB of slab), kubernetes/kubernetes#96701 (mkdir: cannot allocate memory after a day, gone with a reboot).
/// Leaves out: grouping of pages by mobility (slab is taken to lie at random), allocations of a container's own that fail ("SLUB: Unable to allocate memory
///             on node -1"), huge pages, NUMA, swap, per-zone watermarks (one zone holds all memory).
/// Checked by: tests/models/host_memory_test.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sim::host {

struct KernelConfig {
  std::string_view profile = "linux-6.x-cgroup-v2";
  int cgroup_version = 2;
  // One dying memory cgroup holds:
  std::int64_t dying_slab = 12'646;         // bytes of unreclaimable slab (12.35 KiB)
  std::int64_t dying_percpu = 2'098;        // bytes for each CPU (2.05 KiB)
  double pinned_share = 0.9;                // of the cgroups that are removed: something keeps them
  bool slab_pins = false;                   // dentries and inodes keep it too, not page cache alone (before 5.9)
  bool ids_stay = false;                    // it keeps its 16-bit id to its end (before 4.8): 65,535 at most, dead or alive
  bool kmem_never_freed = false;            // kernel memory accounting keeps it for ever (3.10 of RHEL 7)
  std::int64_t leaked_per_cgroup = 0;       // bytes of slab caches that each removed cgroup leaves for ever (the same bug)
  std::int64_t kmem_caches = 116;           // slab caches of the kernel (as slabtop counts them on such a machine), each with an array over all accounted cgroups
  // Watermarks and reclaim
  std::int64_t min_free_bytes = 0;          // vm.min_free_kbytes; 0: by the kernel's formula
  std::int64_t watermark_scale_factor = 10; // ten-thousandths of memory between two watermarks
  double file_reclaim_rate = 2e9;           // bytes a second that reclaim frees of clean page cache
  double slab_reclaim_rate = 200e6;         // ... of dentries and inodes, under the shrinkers' locks
  // Dirty pages (admin-guide/sysctl/vm.rst): shares of available memory
  double dirty_background_ratio = 0.10;     // from here on flushers write
  double dirty_ratio = 0.20;                // from here on who writes waits for the disk
  double dirty_expire_seconds = 30.0;       // older pages are written in any case
  bool has_writeback_throttling = true;     // blk-wbt (since 4.10): write-back leaves the disk's queue short
  std::int64_t pid_max = 4'194'304;         // processes and threads (systemd's setting on 64 bit)
  std::int64_t running_files = 64ll << 20;  // programs and libraries that run: the last file pages to go, and at once wanted back
};

inline constexpr std::int64_t kCgroupIdsMax = 65'535;  // MEM_CGROUP_ID_MAX

/// The profiles, the newest kernel first.
std::span<const KernelConfig> kernel_profiles();
/// Null when there is none of this name.
const KernelConfig* find_kernel_profile(std::string_view name);

}  // namespace sim::host
