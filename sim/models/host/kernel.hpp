/// What a kernel does with the memory of containers that are gone, by the kernel's name: profiles that a scenario picks from and changes.
///
/// A memory cgroup that is removed stays ("dying") while something is charged to it that outlives its processes: page cache, and on old kernels
/// slab objects. It holds slab and per-CPU memory of its own, which no process owns and which `free` shows as neither free nor available.
///
/// Source:     reference platform 9.2; the figures of linux-6.x are measured (docs/models/memory.md), those of other kernels are what operators reported.
/// Leaves out: huge pages, NUMA, swap, per-zone watermarks (one zone holds all memory).
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
  std::int64_t kmem_limit = 0;              // with so much leaked every new cgroup fails with "cannot allocate memory"; with less, that share of them
  // Watermarks and reclaim
  std::int64_t min_free_bytes = 0;          // vm.min_free_kbytes; 0: by the kernel's formula
  std::int64_t watermark_scale_factor = 10; // ten-thousandths of memory between two watermarks
  double file_reclaim_rate = 2e9;           // bytes a second that reclaim frees of clean page cache
  double slab_reclaim_rate = 200e6;         // ... of dentries and inodes, under the shrinkers' locks
  std::int64_t running_files = 64ll << 20;  // programs and libraries that run: the last file pages to go, and at once wanted back
};

inline constexpr std::int64_t kCgroupIdsMax = 65'535;  // MEM_CGROUP_ID_MAX

/// The profiles, the newest kernel first.
std::span<const KernelConfig> kernel_profiles();
/// Null when there is none of this name.
const KernelConfig* find_kernel_profile(std::string_view name);

}  // namespace sim::host
