// The fields of `kernel` of a machine pool, and the refusal of `swap`.
#include "sim/scenario/memory_spec.hpp"

#include "sim/core/check.hpp"
#include "sim/scenario/scenario_fields.hpp"

namespace sim::scenario {

host::KernelConfig KernelSpec::resolve() const {
  const host::KernelConfig* found = host::find_kernel_profile(profile);
  SIM_CHECK(found != nullptr, "the reader takes known profiles only");
  host::KernelConfig kernel = *found;
  kernel.min_free_bytes = min_free.value_or(kernel.min_free_bytes);
  kernel.watermark_scale_factor = watermark_scale_factor.value_or(kernel.watermark_scale_factor);
  kernel.pinned_share = pinned_share.value_or(kernel.pinned_share);
  kernel.dying_slab = dying_slab.value_or(kernel.dying_slab);
  kernel.leaked_per_cgroup = leaked_per_cgroup.value_or(kernel.leaked_per_cgroup);
  kernel.kmem_caches = kmem_caches.value_or(kernel.kmem_caches);
  kernel.pid_max = pid_max.value_or(kernel.pid_max);
  kernel.dirty_background_ratio = dirty_background_ratio.value_or(kernel.dirty_background_ratio);
  kernel.dirty_ratio = dirty_ratio.value_or(kernel.dirty_ratio);
  kernel.file_reclaim_rate = file_reclaim_rate.value_or(kernel.file_reclaim_rate);
  kernel.slab_reclaim_rate = slab_reclaim_rate.value_or(kernel.slab_reclaim_rate);
  kernel.running_files = running_files.value_or(kernel.running_files);
  return kernel;
}

void describe(Fields<KernelSpec>& fields) {
  std::vector<std::pair<std::string, std::string_view>> profiles;
  for (const host::KernelConfig& one : host::kernel_profiles()) profiles.emplace_back(std::string(one.profile), one.profile);
  fields.title("What the kernel does with the memory of containers that are gone (docs/models/memory.md).")
      .choice("profile", &KernelSpec::profile, std::move(profiles), "The kernel, by name. What follows changes it.")
      .bytes("minFree", &KernelSpec::min_free, "vm.min_free_kbytes: below it processes reclaim memory themselves.")
      .default_text("4 * sqrt(memory in KiB) KiB")
      .add("watermarkScaleFactor", &KernelSpec::watermark_scale_factor, 1, 3000, "vm.watermark_scale_factor: ten-thousandths of memory between two watermarks.")
      .default_text("10")
      .fraction("pinnedShare", &KernelSpec::pinned_share, "Of the memory cgroups that are removed: something keeps them as dying ones.")
      .default_text("90%")
      .bytes("dyingSlab", &KernelSpec::dying_slab, "Unreclaimable slab that a dying memory cgroup holds (beside 2 KiB for each CPU).")
      .default_text("the profile's")
      .bytes("leakPerCgroup", &KernelSpec::leaked_per_cgroup, "Slab that each removed memory cgroup leaves until the next boot.")
      .default_text("the profile's")
      .add("kmemCaches", &KernelSpec::kmem_caches, 1, 100'000, "rhel7-3.10: slab caches, each with an array over all accounted memory cgroups that must be found in one piece when it grows (else: cannot allocate memory).")
      .default_text("116")
      .custom("kmemLimit", TypeInfo{.kind = TypeInfo::Kind::kBytes}, "Refused: there is no such limit. When memory cgroups can be made no more follows from their number and from the memory that they leave.",
              [](Node node, KernelSpec&, Reader& reader) {
                Diagnostic& d = reader.diagnostics.error(node, "kmemLimit is no longer a key: the kernel has no such limit");
                d.hint = "take it away; leakPerCgroup says how much each memory cgroup leaves";
                return false;
              })
      .fraction("dirtyBackgroundRatio", &KernelSpec::dirty_background_ratio, "vm.dirty_background_ratio: from this share of available memory on dirty pages are written to disk at once.")
      .default_text("10%")
      .fraction("dirtyRatio", &KernelSpec::dirty_ratio, "vm.dirty_ratio: half-way to this share who writes waits for the disk.")
      .default_text("20%")
      .add("pidMax", &KernelSpec::pid_max, 1000, 4'194'304, "kernel.pid_max: processes and threads that the machine can run.")
      .default_text("4194304; rhel7: 32768")
      .bytes_per_second("reclaimRate", &KernelSpec::file_reclaim_rate, "How fast clean page cache is reclaimed.")
      .default_text("2GB/s")
      .bytes_per_second("slabReclaimRate", &KernelSpec::slab_reclaim_rate, "How fast dentries and inodes are reclaimed.")
      .default_text("200MB/s")
      .bytes("runningFiles", &KernelSpec::running_files, "Programs that run: when nothing else is left to reclaim, these go, and are read again at once.")
      .default_text("64Mi")
      .rule([](const KernelSpec& to, Node node, Reader& reader) {
        const auto positive = [&](std::string_view key, const std::optional<double>& value) {
          if (value && *value <= 0.0) reader.diagnostics.error(node.find(key), "must be more than 0");
        };
        positive("reclaimRate", to.file_reclaim_rate);
        const double background = to.dirty_background_ratio.value_or(host::KernelConfig{}.dirty_background_ratio);
        const double limit = to.dirty_ratio.value_or(host::KernelConfig{}.dirty_ratio);
        // The kernel takes half of it then; nobody means that.
        if (background >= limit) reader.diagnostics.error(node, "dirtyBackgroundRatio must be lower than dirtyRatio");
        positive("slabReclaimRate", to.slab_reclaim_rate);
      });
}

}  // namespace sim::scenario
