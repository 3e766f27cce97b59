#include "sim/models/kubernetes/views/machines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace sim::k8s::views {

namespace {

std::string mebibytes(std::int64_t bytes) { return fmt::format("{}Mi", bytes >> 20); }

std::string percent(double part, double whole) { return whole <= 0.0 ? std::string("0%") : fmt::format("{}%", static_cast<std::int64_t>(100.0 * part / whole)); }

/// As df -h: one decimal below ten.
std::string short_size(std::int64_t bytes) {
  constexpr std::string_view kUnits = "KMGTP";
  double value = static_cast<double>(bytes) / 1024.0;
  std::size_t unit = 0;
  while (value >= 1024.0 && unit + 1 < kUnits.size()) {
    value /= 1024.0;
    ++unit;
  }
  // df rounds up.
  if (value < 10.0 && unit > 0) return fmt::format("{:.1f}{}", std::ceil(value * 10.0) / 10.0, kUnits[unit]);
  return fmt::format("{}{}", static_cast<std::int64_t>(std::ceil(value)), kUnits[unit]);
}

/// Nodes, or pods by namespace, in the order of their names.
template <class T>
std::vector<Ref<T>> sorted(const ApiServer& api) {
  std::vector<Ref<T>> all;
  api.all<T>().for_each([&](Ref<T> ref, const T&) { all.push_back(ref); });
  const auto name = [&](Ref<T> ref) {
    const ObjectMeta& meta = api.all<T>().at(ref).meta;
    return std::pair<const std::string&, const std::string&>(api.names().text(meta.ns), api.names().text(meta.name));
  };
  std::sort(all.begin(), all.end(), [&](Ref<T> a, Ref<T> b) { return name(a) < name(b); });
  return all;
}

TextTable top_nodes(const ApiServer& api, const Kubelets& kubelets) {
  TextTable table;
  table.columns = {"NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"};
  for (const Ref<Node> ref : sorted<Node>(api)) {
    const Node& node = api.all<Node>().at(ref);
    const std::string& name = api.names().text(node.meta.name);
    if (kubelets.meminfo(ref).total == 0) {
      table.rows.push_back({name, "<unknown>", "<unknown>", "<unknown>", "<unknown>"});
      continue;
    }
    const double milli = 1000.0 * kubelets.cpu_used(ref);
    const auto memory = static_cast<double>(kubelets.memory_used(ref));
    table.rows.push_back({name, fmt::format("{:.0f}m", milli), percent(milli, static_cast<double>(node.allocatable.cpu_milli)),
                          mebibytes(kubelets.memory_used(ref)), percent(memory, static_cast<double>(node.allocatable.memory))});
  }
  return table;
}

TextTable top_pods(const ApiServer& api, const Kubelets& kubelets, const std::string& name_space) {
  TextTable table;
  table.columns = {"NAMESPACE", "NAME", "CPU(cores)", "MEMORY(bytes)"};
  for (const Ref<Pod> ref : sorted<Pod>(api)) {
    const Pod& pod = api.all<Pod>().at(ref);
    const std::string& ns = api.names().text(pod.meta.ns);
    if ((!name_space.empty() && ns != name_space) || !kubelets.is_really_running(ref)) continue;
    table.rows.push_back({ns, api.names().text(pod.meta.name), fmt::format("{:.0f}m", 1000.0 * kubelets.cpu_used(ref)), mebibytes(kubelets.memory_used(ref))});
  }
  return table;
}

TextTable free_of_all(const ApiServer& api, const Kubelets& kubelets) {
  TextTable table;
  table.columns = {"NODE", "TOTAL", "USED", "FREE", "BUFF/CACHE", "AVAILABLE", "DIRTY", "SLAB", "SUNRECLAIM", "PERCPU", "DYING CGROUPS", "PSI AVG10"};
  for (const Ref<Node> ref : sorted<Node>(api)) {
    const std::string& name = api.names().text(api.all<Node>().at(ref).meta.name);
    const host::Meminfo info = kubelets.meminfo(ref);
    if (info.total == 0) {
      table.rows.push_back({name, "down", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"});
      continue;
    }
    table.rows.push_back({name, mebibytes(info.total), mebibytes(info.total - info.available), mebibytes(info.free), mebibytes(info.cached + info.sreclaimable),
                          mebibytes(info.available), mebibytes(info.dirty), mebibytes(info.slab), mebibytes(info.sunreclaim), mebibytes(info.percpu),
                          fmt::format("{}", info.dying), fmt::format("{:.2f}", 100.0 * kubelets.memory_pressure(ref).avg10)});
  }
  return table;
}

TextTable df_of_all(const ApiServer& api, const Kubelets& kubelets) {
  TextTable table;
  table.columns = {"NODE", "FILESYSTEM", "SIZE", "USED", "AVAIL", "USE%", "IUSE%", "IMAGES", "PODS", "ENDED", "OTHER"};
  const auto use = [](std::int64_t available, std::int64_t capacity) {
    // As df: rounded up.
    return capacity <= 0 ? std::string("-") : fmt::format("{}%", (100 * (capacity - available) + capacity - 1) / capacity);
  };
  for (const Ref<Node> ref : sorted<Node>(api)) {
    const std::string& name = api.names().text(api.all<Node>().at(ref).meta.name);
    const kubelet::DiskStats disk = kubelets.disk(ref);
    const std::vector<std::string> parts = {short_size(disk.images), short_size(disk.pods), short_size(disk.dead), short_size(disk.other)};
    const auto row = [&](std::string filesystem, std::int64_t capacity, std::int64_t available, std::int64_t inodes, std::int64_t inodes_free, bool all) {
      std::vector<std::string> cells = {name, std::move(filesystem), short_size(capacity), short_size(capacity - available), short_size(available),
                                        use(available, capacity), use(inodes_free, inodes)};
      for (const std::string& part : parts) cells.push_back(all ? part : std::string("-"));
      table.rows.push_back(std::move(cells));
    };
    row("nodefs", disk.nodefs_capacity, disk.nodefs_available, disk.nodefs_inodes, disk.nodefs_inodes_free, true);
    if (disk.has_imagefs) row("imagefs", disk.imagefs_capacity, disk.imagefs_available, disk.imagefs_inodes, disk.imagefs_inodes_free, false);
  }
  return table;
}

}  // namespace

const std::vector<std::string_view>& machine_views() {
  static const std::vector<std::string_view> views = {"top nodes", "top pods", "free", "df"};
  return views;
}

std::optional<TextTable> machine_view(const ApiServer& api, const Kubelets& kubelets, std::string_view words, const std::string& name_space) {
  if (words == "top nodes" || words == "top node") return top_nodes(api, kubelets);
  if (words == "top pods" || words == "top pod") return top_pods(api, kubelets, name_space);
  if (words == "free") return free_of_all(api, kubelets);
  if (words == "df") return df_of_all(api, kubelets);
  return std::nullopt;
}

}  // namespace sim::k8s::views
