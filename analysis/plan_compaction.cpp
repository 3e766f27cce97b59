#include <fmt/format.h>

#include <algorithm>

#include "analysis/capacity_plan.hpp"
#include "analysis/parallel.hpp"
#include "sim/core/random.hpp"
#include "sim/scenario/scenario.hpp"

namespace analysis {

Compaction compact(const sim::scenario::ScenarioSpec& scenario, const CompactionOptions& options) {
  Compaction result;
  const std::vector<std::string> nodes = removable_nodes(scenario);
  result.nodes = nodes.size();
  const Repacking whole = repack(scenario, {});
  result.pods = whole.pods;
  result.use = whole.use;
  result.pending_with_all = whole.pending;
  result.pending_allowed = static_cast<std::uint64_t>(options.pending_share * static_cast<double>(whole.pods));
  if (whole.pending > result.pending_allowed) return result;
  std::vector<std::size_t> kept(options.orders, nodes.size());
  std::vector<std::string> why(options.orders);
  std::vector<char> is_done(options.orders, 0);
  std::atomic<std::size_t> done{0};
  for_each_task(
      options.orders, options.jobs,
      [&](std::size_t order) {
        std::vector<std::string> out = nodes;
        sim::RandomStream stream(options.first_seed + order, "plan/compact", "order");
        stream.shuffle(out.size(), [&](std::size_t a, std::size_t b) { std::swap(out[a], out[b]); });
        // Taking away [0, low) fits, [0, high) does not.
        std::size_t low = 0;
        std::size_t high = out.size() + 1;
        while (high - low > 1) {
          if (options.stop != nullptr && options.stop->load(std::memory_order_relaxed)) return;
          const std::size_t middle = low + (high - low) / 2;
          if (middle > out.size()) {
            high = middle;
            continue;
          }
          const Repacking packed = repack(scenario, std::vector<std::string>(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(middle)));
          if (packed.pending <= result.pending_allowed) {
            low = middle;
          } else {
            high = middle;
            why[order] = fmt::format("{} of {} pods have no place, the first {}: {}", packed.pending, packed.pods, packed.pod, packed.message);
          }
        }
        kept[order] = out.size() - low;
        is_done[order] = 1;
        const std::size_t so_far = ++done;
        if (options.progress) options.progress(static_cast<double>(so_far) / static_cast<double>(options.orders), fmt::format("{} of {} orders", so_far, options.orders));
      },
      options.stop);
  for (std::size_t i = 0; i < options.orders; ++i) {
    if (is_done[i] == 0) {
      result.is_complete = false;
      continue;
    }
    result.kept.push_back(kept[i]);
    result.bottleneck.push_back(why[i]);
  }
  if (!result.kept.empty()) {
    std::vector<std::size_t> sorted = result.kept;
    std::sort(sorted.begin(), sorted.end());
    result.quantile_90 = sorted[(sorted.size() * 9 + 9) / 10 - 1];
  }
  return result;
}

}  // namespace analysis
