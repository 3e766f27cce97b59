#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

namespace {

/// As many digits behind the point, two at most, as let the whole stay within 7 characters; none for an exact multiple of the unit.
std::string fitting(std::uint64_t value, std::uint64_t step, const std::array<const char*, 7>& units) {
  std::size_t unit = 0;
  std::uint64_t multiple = 1;
  while (value / multiple >= step && unit + 1 < units.size()) {
    multiple *= step;
    ++unit;
  }
  if (value % multiple == 0) return fmt::format("{}{}", value / multiple, units[unit]);
  constexpr std::size_t kWidth = 7;
  std::string text;
  for (int digits = 2; digits >= 0; --digits) {
    text = fmt::format("{:.{}f}{}", static_cast<double>(value) / static_cast<double>(multiple), digits, units[unit]);
    if (text.size() <= kWidth) break;
  }
  return text;
}

std::uint64_t whole(double value) { return value <= 0.0 ? 0 : static_cast<std::uint64_t>(std::llround(value)); }

}  // namespace

std::string si_bytes(double bytes) { return fitting(whole(bytes), 1024, {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"}); }

std::string si_count(double count) { return fitting(whole(count), 1000, {"", "k", "M", "G", "T", "P", "E"}); }

std::string since_text(SimDuration age) {
  const std::int64_t s = age / std::chrono::seconds(1);
  if (age < std::chrono::seconds(2)) return fmt::format("{:.6g}s", std::chrono::duration<double>(age).count());
  if (s < 120) return fmt::format("{}s", s);
  if (s < 120 * 60) return fmt::format("{}m", s / 60);
  if (s < 48 * 3600) return fmt::format("{}h", s / 3600);
  if (s < 14 * 86'400) return fmt::format("{}d", s / 86'400);
  if (s < 12 * 7 * 86'400) return fmt::format("{}w", s / (7 * 86'400));
  if (s < 24 * 30 * 86'400ll) return fmt::format("{}M", s / (30 * 86'400));
  return fmt::format("{}y", s / (365 * 86'400ll));
}

std::int64_t unix_seconds(const CephCluster& cluster, SimTime when) {
  return cluster.config().start_unix_seconds + std::chrono::floor<std::chrono::seconds>(when.time_since_epoch()).count();
}

std::string stamp_text(const CephCluster& cluster, SimTime when) {
  const std::int64_t at = unix_seconds(cluster, when);
  const std::int64_t day = at >= 0 ? at / 86'400 : -((86'399 - at) / 86'400);
  const std::int64_t rest = at - day * 86'400;
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days(day)}};
  const std::int64_t micros = when.time_since_epoch() / std::chrono::microseconds(1) % 1'000'000;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+0000", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), rest / 3600, rest % 3600 / 60, rest % 60, micros);
}

std::string osd_set_text(const std::vector<int>& osds) {
  std::string text = "[";
  for (const int osd : osds) text += fmt::format("{}{}", text.size() > 1 ? "," : "", osd == kNoOsd ? std::string("NONE") : fmt::format("{}", osd));
  return text + "]";
}

std::string weight_text(std::uint32_t fixed) { return fixed == 0 ? "0" : fmt::format("{:.5f}", static_cast<double>(fixed) / crush::kWeightOne); }

std::vector<std::pair<std::string, std::uint32_t>> pgs_by_state(const CephCluster& cluster) {
  std::map<std::uint32_t, std::uint32_t> counts;
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) ++counts[cluster.told_state(cluster.pgs().pg(i))];
  std::vector<std::pair<std::string, std::uint32_t>> states;
  for (const auto& [bits, count] : counts) states.emplace_back(pg_state_name(bits), count);
  std::sort(states.begin(), states.end(), [](const auto& a, const auto& b) { return a.second != b.second ? a.second > b.second : a.first < b.first; });
  return states;
}

DataTotals data_totals(const CephCluster& cluster) {
  DataTotals totals;
  const PlacementGroups& pgs = cluster.pgs();
  for (std::uint32_t i = 0; i < pgs.size(); ++i) {
    const Pg& pg = pgs.pg(i);
    const PoolState& pool = pgs.pool_of(pg);
    const std::uint32_t state = cluster.told_state(pg);
    ++totals.pgs;
    if ((state & kPgUnknown) != 0) {
      ++totals.unknown;
      continue;
    }
    if ((state & kPgActive) == 0) ++totals.inactive;
    totals.objects += pool.objects_per_pg;
    totals.copies += pool.objects_per_pg * static_cast<double>(pool.size);
    totals.degraded += pgs.degraded_objects(pg);
    totals.misplaced += pgs.misplaced_objects(pg);
    if ((state & kPgRecoveryUnfound) != 0) totals.unfound += pgs.unfound_objects(pg);
    totals.stored += pool.shard_bytes * static_cast<double>(pool.needed);
  }
  for (const Osd& osd : cluster.osds()) {
    if (!cluster.osd_monitor().is_in(osd.id)) continue;
    totals.used += static_cast<double>(osd.used());
    totals.capacity += static_cast<double>(osd.capacity);
  }
  return totals;
}

}  // namespace sim::ceph
