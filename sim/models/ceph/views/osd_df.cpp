#include <algorithm>

#include <fmt/format.h>

#include "sim/models/ceph/views/json_writer.hpp"
#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

namespace {

std::size_t pgs_on(const CephCluster& cluster, int osd) {
  std::size_t count = 0;
  for (const std::uint32_t index : cluster.pgs().pgs_of(osd)) {
    const Pg& pg = cluster.pgs().pg(index);
    const bool here = std::find(pg.acting.begin(), pg.acting.end(), osd) != pg.acting.end() || std::find(pg.up.begin(), pg.up.end(), osd) != pg.up.end();
    if (here) ++count;
  }
  return count;
}

double average_ratio(const CephCluster& cluster) {
  const DataTotals totals = data_totals(cluster);
  return totals.capacity > 0.0 ? totals.used / totals.capacity : 0.0;
}

}  // namespace

std::string osd_df_text(const CephCluster& cluster) {
  std::string text = fmt::format("{:>3} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>6} {:>5} {:>4} {:>7}\n", "ID", "CLASS", "WEIGHT", "REWEIGHT", "SIZE", "RAW USE", "AVAIL", "%USE", "VAR", "PGS", "STATUS");
  const double average = average_ratio(cluster);
  for (const Osd& osd : cluster.osds()) {
    const double reweight = static_cast<double>(cluster.map().osd(osd.id).weight) / crush::kWeightOne;
    const double size = static_cast<double>(osd.capacity);
    const double used = static_cast<double>(osd.used());
    text += fmt::format("{:>3} {:>6} {:>9.5f} {:>9.5f} {:>9} {:>9} {:>9} {:>6.2f} {:>5.2f} {:>4} {:>7}\n", osd.id, osd.device_class, size / (1024.0 * 1024 * 1024 * 1024), reweight, si_bytes(size), si_bytes(used),
                        si_bytes(std::max(0.0, size - used)), 100.0 * osd.used_ratio(), average > 0.0 ? osd.used_ratio() / average : 0.0, pgs_on(cluster, osd.id), cluster.osd_monitor().is_up(osd.id) ? "up" : "down");
  }
  const DataTotals totals = data_totals(cluster);
  text += fmt::format("{:>30} {:>9} {:>9} {:>9} {:>6.2f}\n", "TOTAL", si_bytes(totals.capacity), si_bytes(totals.used), si_bytes(std::max(0.0, totals.capacity - totals.used)), 100.0 * average);
  return text;
}

std::string osd_df_json(const CephCluster& cluster) {
  JsonWriter json;
  const double average = average_ratio(cluster);
  json.open('{').key("nodes").open('[');
  for (const Osd& osd : cluster.osds()) {
    json.open('{').key("id").number(osd.id).key("device_class").string(osd.device_class).key("name").string(osd.name).key("type").string("osd");
    json.key("reweight").real(static_cast<double>(cluster.map().osd(osd.id).weight) / crush::kWeightOne).key("kb").number(osd.capacity / 1024).key("kb_used").number(osd.used() / 1024);
    json.key("kb_avail").number(std::max<std::int64_t>(0, osd.capacity - osd.used()) / 1024).key("utilization").real(100.0 * osd.used_ratio());
    json.key("var").real(average > 0.0 ? osd.used_ratio() / average : 0.0).key("pgs").number(static_cast<std::int64_t>(pgs_on(cluster, osd.id)));
    json.key("status").string(cluster.osd_monitor().is_up(osd.id) ? "up" : "down").close('}');
  }
  const DataTotals totals = data_totals(cluster);
  json.close(']').key("stray").open('[').close(']').key("summary").open('{').key("total_kb").number(static_cast<std::int64_t>(totals.capacity / 1024));
  json.key("total_kb_used").number(static_cast<std::int64_t>(totals.used / 1024)).key("average_utilization").real(100.0 * average).close('}').close('}');
  return json.text();
}

}  // namespace sim::ceph
