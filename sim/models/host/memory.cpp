#include "sim/models/host/memory.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "sim/core/check.hpp"
#include "sim/core/math.hpp"

namespace sim::host {

namespace {

constexpr std::int64_t kKiB = 1024;

// Since 5.9 page cache alone pins, with either version of cgroups; how large the structures are was measured on 6.18 (v1), 6.12 and 6.1 (v2). Before 5.9 every cgroup had its own copies of the slab caches that it used, 0.2 to 2 MB in all (reference platform 9.2): the least of that.
constexpr std::array<KernelConfig, 8> kProfiles = {{
    {},
    {.profile = "linux-6.12-cgroup-v2", .dying_slab = 12'001, .dying_percpu = 1'860},
    {.profile = "linux-6.1-cgroup-v2", .dying_slab = 15'053, .dying_percpu = 1'990},
    {.profile = "linux-6.x-cgroup-v1", .cgroup_version = 1},
    {.profile = "linux-5.4-cgroup-v1", .cgroup_version = 1, .dying_slab = 16 * kKiB, .slab_pins = false},
    {.profile = "linux-4.19-cgroup-v1", .cgroup_version = 1, .dying_slab = 200 * kKiB, .slab_pins = true},
    {.profile = "rhel7-3.10",
     .cgroup_version = 1,
     .slab_pins = true,
     .ids_stay = true,
     .kmem_never_freed = true,
     .leaked_per_cgroup = 164 * kKiB,  // 500 kB a pod of one container
     .has_writeback_throttling = false,
     .pid_max = 32'768},
    {.profile = "rhel7-3.10-nokmem", .cgroup_version = 1, .ids_stay = true, .has_writeback_throttling = false, .pid_max = 32'768},
}};

/// A kernel that keeps something keeps at least this many cgroups from its boot on: slices and services of the system.
constexpr double kSystemCgroups = 50;

/// memcg_caches_array_size
double array_for(double cgroups) { return std::clamp(2.0 * std::ceil(cgroups), 4.0, static_cast<double>(kCgroupIdsMax)); }

std::int64_t to_bytes(double amount) { return static_cast<std::int64_t>(std::floor(amount)); }

}  // namespace

std::span<const KernelConfig> kernel_profiles() { return kProfiles; }

const KernelConfig* find_kernel_profile(std::string_view name) {
  const auto found = std::find_if(kProfiles.begin(), kProfiles.end(), [&](const KernelConfig& one) { return one.profile == name; });
  return found == kProfiles.end() ? nullptr : &*found;
}

Watermarks watermarks(const KernelConfig& kernel, std::int64_t total) {
  constexpr std::int64_t kMinFreeLeast = 128 * kKiB;
  constexpr std::int64_t kMinFreeMost = 262'144 * kKiB;
  Watermarks marks;
  const double total_kib = static_cast<double>(total) / static_cast<double>(kKiB);
  marks.min = kernel.min_free_bytes > 0
                  ? kernel.min_free_bytes
                  : std::clamp(static_cast<std::int64_t>(std::sqrt(16.0 * total_kib)) * kKiB, kMinFreeLeast, kMinFreeMost);
  const auto scaled = static_cast<std::int64_t>(static_cast<__int128_t>(total) * kernel.watermark_scale_factor / 10'000);
  const std::int64_t step = std::max(marks.min / 4, scaled);
  marks.low = marks.min + step;
  marks.high = marks.low + step;
  return marks;
}

HostMemory::HostMemory(const KernelConfig& kernel, std::int64_t total, double cpus)
    : kernel_(kernel),
      total_(total),
      cpus_(cpus),
      dying_bytes_(kernel.dying_slab + to_bytes(static_cast<double>(kernel.dying_percpu) * cpus)),
      marks_(watermarks(kernel, total)) {
  reset();
}

void HostMemory::reset() {
  set(State{});
  slab_ = slab_rate_ = leaked_ = 0;
  slab_since_ = SimTime{};
  write_rate_ = dirty_ = disk_rate_ = 0;
  dying_by_files_ = dying_by_active_ = dying_by_objects_ = dying_for_ever_ = removed_ = kmem_array_ = 0;
  settled_once_ = false;
}

void HostMemory::set(const State& state) {
  inactive_file_ = state.inactive_file;
  active_file_ = state.active_file;
  objects_ = state.slab;
  base_slab_ = state.unreclaimable;
  base_percpu_ = state.percpu;
  live_ = state.cgroups > 0 ? state.cgroups : kSystemCgroups;
}

// ---- what containers do

std::int64_t HostMemory::cgroups_left() const {
  const double held = kernel_.ids_stay ? live_ + dying() : live_;
  return std::max<std::int64_t>(0, kCgroupIdsMax - static_cast<std::int64_t>(std::ceil(held)));
}

double HostMemory::accounted() const { return std::max(0.0, live_ - kSystemCgroups) + dying(); }

bool HostMemory::refuses_cgroups(SimTime now, std::int64_t count) const {
  if (!kernel_.kmem_never_freed) return false;
  const double needed = accounted() + static_cast<double>(count);
  if (needed <= kmem_array_) return false;
  constexpr double kPointer = 8.0;
  constexpr double kHeader = 16.0;
  constexpr double kPage = 4096.0;
  constexpr int kCostlyOrder = 3;  // up to here the page allocator does not give up
  const double bytes = kPointer * array_for(needed) + kHeader;
  int order = 0;
  while (kPage * static_cast<double>(1 << order) < bytes) ++order;
  if (order <= kCostlyOrder) return false;
  const double pages = static_cast<double>(total_) / kPage;
  const double pieces = pages / static_cast<double>(1 << order);
  const double unmovable = std::min(1.0, static_cast<double>(unreclaimable(now)) / static_cast<double>(total_));
  if (unmovable >= 1.0) return true;
  // Pieces that have no page of slab in them; each cache needs one.
  const double free_of_slab = pieces * math::exp(math::log(1.0 - unmovable) * static_cast<double>(1 << order));
  return free_of_slab < static_cast<double>(kernel_.kmem_caches);
}

bool HostMemory::make_cgroups(std::int64_t count) {
  if (cgroups_left() < count) return false;
  live_ += static_cast<double>(count);
  if (accounted() > kmem_array_) kmem_array_ = array_for(accounted());
  return true;
}

void HostMemory::remove_cgroups(std::int64_t count, bool keeps_pages, bool keeps_objects) {
  const auto number = static_cast<double>(count);
  live_ = std::max(0.0, live_ - number);
  removed_ += number;
  leaked_ += number * static_cast<double>(kernel_.leaked_per_cgroup);
  if (kernel_.kmem_never_freed) {
    dying_for_ever_ += number;
    return;
  }
  const double pinned = number * kernel_.pinned_share;
  if (keeps_objects && kernel_.slab_pins) {
    dying_by_objects_ += pinned;
  } else if (keeps_pages) {
    const double files = inactive_file_ + active_file_;
    const double by_active = files > 0 ? pinned * active_file_ / files : 0.0;
    dying_by_active_ += by_active;
    dying_by_files_ += pinned - by_active;
  }
}

void HostMemory::add_files(std::int64_t bytes, double active_share) {
  const auto amount = static_cast<double>(bytes);
  active_file_ += amount * active_share;
  inactive_file_ += amount * (1.0 - active_share);
}

void HostMemory::add_written(SimTime now) {
  if (write_rate_ > 0.0) inactive_file_ += write_rate_ * seconds(now - write_since_);
  write_since_ = now;
}

void HostMemory::set_writing(SimTime now, double bytes_per_second, double dirty, double disk_rate) {
  add_written(now);
  write_rate_ = bytes_per_second;
  dirty_ = dirty;
  disk_rate_ = disk_rate;
}

void HostMemory::remove_files(std::int64_t bytes, std::int64_t cgroups) {
  inactive_file_ = std::max(0.0, inactive_file_ - static_cast<double>(bytes));
  dying_by_files_ = std::max(0.0, dying_by_files_ - static_cast<double>(cgroups));
}

void HostMemory::add_objects(std::int64_t bytes) { objects_ += static_cast<double>(bytes); }

// ---- what goes wrong

double HostMemory::slab_at(SimTime now) const {
  return std::max(0.0, slab_ + slab_rate_ * seconds(now - slab_since_));
}

void HostMemory::grow_slab(SimTime now, double bytes_per_second) {
  slab_ = slab_at(now);
  slab_since_ = now;
  slab_rate_ += bytes_per_second;
  // What several faults add and take away again leaves no crumbs of rounding.
  if (std::abs(slab_rate_) < 1e-3) slab_rate_ = 0.0;
}

void HostMemory::drop_caches(DropCaches what) {
  if (what != DropCaches::kSlab) {
    inactive_file_ = std::min(dirty_, inactive_file_ + active_file_);
    active_file_ = 0;
    dying_by_files_ = dying_by_active_ = 0;
  }
  if (what != DropCaches::kPageCache) {
    objects_ = 0;
    dying_by_objects_ = 0;
  }
}

// ---- figures

double HostMemory::first_pool() const {
  return inactive_file_ + objects_ + (dying_by_files_ + dying_by_objects_) * static_cast<double>(dying_bytes_);
}

double HostMemory::second_pool() const { return active_file_ + dying_by_active_ * static_cast<double>(dying_bytes_); }

void HostMemory::shrink_inactive(double share) {
  const double left = 1.0 - share;
  inactive_file_ *= left;
  objects_ *= left;
  dying_by_files_ *= left;
  dying_by_objects_ *= left;
}

std::int64_t HostMemory::unreclaimable(SimTime now) const {
  return to_bytes(base_slab_ + base_percpu_ + slab_at(now) + leaked_ + dying_for_ever_ * static_cast<double>(dying_bytes_));
}

std::int64_t HostMemory::reclaimable() const { return to_bytes(first_pool() + second_pool()); }

std::int64_t HostMemory::held(SimTime now) const { return unreclaimable(now) + reclaimable(); }

SimDuration HostMemory::settle(SimTime now, std::int64_t anonymous) {
  add_written(now);
  double free = static_cast<double>(total_ - anonymous - held(now));
  const double free_before = settled_once_ ? free_before_ : free;
  const double elapsed = settled_once_ ? seconds(now - settled_) : 0.0;
  SimDuration stall{};
  if (free < static_cast<double>(marks_.low)) {
    const double need = static_cast<double>(marks_.high) - free;
    const double fallen = free_before - free;
    const double files = inactive_file_ + active_file_;
    const double dirty_share = files > 0 ? std::min(1.0, dirty_ / files) : 0.0;
    double file_taken = 0;
    double slab_taken = 0;
    double left = need;
    if (const double pool = first_pool(); pool > 0) {
      const double share = std::min(1.0, left / pool);
      file_taken += inactive_file_ * share;
      slab_taken += objects_ * share;
      shrink_inactive(share);
      left -= pool * share;
    }
    if (const double pool = second_pool(); left > 0 && pool > 0) {
      const double share = std::min(1.0, left / pool);
      file_taken += active_file_ * share;
      active_file_ *= 1.0 - share;
      dying_by_active_ *= 1.0 - share;
      left -= pool * share;
    }
    // What kswapd had time for, and what was free above the least, costs nobody anything; the rest is waited for by those who allocate.
    const double taken = file_taken + slab_taken;
    if (taken > 0 && fallen > 0) {
      const double written = disk_rate_ > 0.0 ? file_taken * dirty_share / disk_rate_ : 0.0;
      const double work = file_taken / kernel_.file_reclaim_rate + slab_taken / kernel_.slab_reclaim_rate + written;
      const double must = fallen - std::max(0.0, free_before - static_cast<double>(marks_.min));
      const double waited = std::min(1.0, std::max(0.0, must) / need) * work - elapsed;
      if (waited > 0) stall = from_seconds(waited);
    }
    free = static_cast<double>(total_ - anonymous - held(now));
  }
  settled_once_ = true;
  settled_ = now;
  free_before_ = free;
  return stall;
}

Meminfo HostMemory::meminfo(SimTime now, std::int64_t anonymous) const {
  Meminfo info;
  const double percpu_each = static_cast<double>(kernel_.dying_percpu) * cpus_;
  info.total = total_;
  info.cached = to_bytes(inactive_file_ + active_file_);
  info.active_file = to_bytes(active_file_);
  info.dirty = to_bytes(std::min(dirty_, inactive_file_ + active_file_));
  info.sreclaimable = to_bytes(objects_);
  info.sunreclaim = to_bytes(base_slab_ + slab_at(now) + leaked_ + dying() * static_cast<double>(kernel_.dying_slab));
  info.slab = info.sreclaimable + info.sunreclaim;
  info.percpu = to_bytes(base_percpu_ + dying() * percpu_each);
  info.free = std::max<std::int64_t>(0, total_ - anonymous - held(now));
  info.dying = static_cast<std::int64_t>(std::llround(dying()));
  info.cgroups = static_cast<std::int64_t>(std::llround(live_ + dying()));
  // si_mem_available(): what is free above the reserves, and of page cache and reclaimable slab what reclaim may take before it hurts. The reserve of all
  // zones is their high watermark.
  const std::int64_t files = info.cached;
  const std::int64_t objects = info.sreclaimable;
  info.available = std::max<std::int64_t>(
      0, info.free - marks_.high + (files - std::min(files / 2, marks_.low)) + (objects - std::min(objects / 2, marks_.low)));
  return info;
}

// ---- pressure

void Psi::set(SimTime now, double level) {
  before_ = at(now);
  since_ = now;
  level_ = level;
}

Psi::Averages Psi::at(SimTime now) const {
  const double span = seconds(now - since_);
  const auto forget = [&](double before, double memory) { return level_ + (before - level_) * math::exp(-span / memory); };
  Averages averages = before_;
  averages.avg10 = forget(before_.avg10, 10);
  averages.avg60 = forget(before_.avg60, 60);
  averages.avg300 = forget(before_.avg300, 300);
  averages.total = before_.total + from_seconds(level_ * span);
  return averages;
}

}  // namespace sim::host
