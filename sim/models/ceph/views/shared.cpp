#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

namespace {

/// Three significant digits at most, as Ceph's byte_u_t and si_u_t: "512 MiB", "1.5 TiB".
std::string scaled(double value, double step, const std::array<const char*, 7>& units, bool space) {
  std::size_t unit = 0;
  while (value >= step && unit + 1 < units.size()) {
    value /= step;
    ++unit;
  }
  const int digits = unit == 0 || value >= 100.0 ? 0 : value >= 10.0 ? 0 : 1;
  std::string number = fmt::format("{:.{}f}", value, digits);
  if (digits > 0 && number.ends_with(".0")) number.resize(number.size() - 2);
  return number + (space ? " " : "") + units[unit];
}

}  // namespace

std::string si_bytes(double bytes) { return scaled(bytes, 1024.0, {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}, true); }

std::string si_count(double count) {
  if (count < 1000.0) return fmt::format("{:.0f}", count);
  static constexpr std::array<const char*, 4> kUnits = {"k", "M", "G", "T"};
  std::size_t unit = 0;
  double value = count / 1000.0;
  while (value >= 1000.0 && unit + 1 < kUnits.size()) {
    value /= 1000.0;
    ++unit;
  }
  return fmt::format("{:.2f}{}", value, kUnits[unit]);
}

std::string since_text(SimDuration age) {
  const std::int64_t s = age / std::chrono::seconds(1);
  if (s < 120) return fmt::format("{}s", s);
  if (s < 120 * 60) return fmt::format("{}m", s / 60);
  if (s < 48 * 3600) return fmt::format("{}h", s / 3600);
  if (s < 14 * 86'400) return fmt::format("{}d", s / 86'400);
  if (s < 12 * 7 * 86'400) return fmt::format("{}w", s / (7 * 86'400));
  return fmt::format("{}M", s / (30 * 86'400));
}

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
