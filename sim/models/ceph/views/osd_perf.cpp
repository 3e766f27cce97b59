#include <algorithm>

#include <fmt/format.h>

#include "sim/models/ceph/views/json_writer.hpp"
#include "sim/models/ceph/views/views.hpp"

namespace sim::ceph {

namespace {

/// Of an OSD that is down the manager knows nothing any more.
bool is_told(const CephCluster& cluster, int osd) { return cluster.osd_monitor().is_up(osd); }

}  // namespace

std::string osd_perf_text(const CephCluster& cluster) {
  constexpr std::string_view kCommit = "commit_latency(ms)";
  constexpr std::string_view kApply = "apply_latency(ms)";
  std::string text = fmt::format("{:<3}  {}  {}\n", "osd", kCommit, kApply);
  for (const Osd& osd : cluster.osds()) {
    if (!is_told(cluster, osd.id)) continue;
    const std::int64_t ms = cluster.operation_time(osd.id) / std::chrono::milliseconds(1);
    text += fmt::format("{:>3}  {:>{}}  {:>{}}\n", osd.id, ms, kCommit.size(), ms, kApply.size());
  }
  return text;
}

std::string osd_perf_json(const CephCluster& cluster) {
  JsonWriter json;
  json.open('{').key("osdstats").open('{').key("osd_perf_infos").open('[');
  for (const Osd& osd : cluster.osds()) {
    if (!is_told(cluster, osd.id)) continue;
    const SimDuration time = cluster.operation_time(osd.id);
    const std::int64_t ms = time / std::chrono::milliseconds(1);
    json.open('{').key("id").number(osd.id).key("perf_stats").open('{').key("commit_latency_ms").number(ms).key("apply_latency_ms").number(ms);
    json.key("commit_latency_ns").number(time.count()).key("apply_latency_ns").number(time.count()).close('}').close('}');
  }
  json.close(']').close('}').close('}');
  return json.text();
}

}  // namespace sim::ceph
