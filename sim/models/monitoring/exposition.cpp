#include "sim/models/monitoring/exposition.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "sim/models/world.hpp"

namespace sim::monitoring {

namespace {

/// `metric{...}` in its two parts.
Exposed split(const std::string& text, double value) {
  const std::size_t brace = text.find('{');
  Exposed one{text.substr(0, brace), brace == std::string::npos ? std::string() : text.substr(brace), value};
  if (one.labels == "{}") one.labels.clear();
  return one;
}

void add_scheduler(const World& world, std::vector<Exposed>& to) {
  const std::optional<std::size_t> leader = world.control_plane.leader(k8s::Component::kScheduler);
  if (!world.scheduler.is_running() || (!leader && !world.control_plane.is_external())) return;
  std::map<std::string, double> pods = {{"active", 0}, {"backoff", 0}, {"gated", 0}, {"unschedulable", 0}};
  for (const k8s::QueueEntry& entry : world.scheduler.queue()) {
    const std::string_view place = entry.place;
    if (place == "inFlight") continue;  // popped: no queue has it
    pods[place == "errorBackoff" ? "backoff" : std::string(place)] += 1;
  }
  const std::string instance = leader ? fmt::format("instance=\"{}:10259\",job=\"kube-scheduler\",", world.hosts.spec(world.control_plane.member_host(*leader)).name) : std::string("job=\"kube-scheduler\",");
  for (const auto& [queue, count] : pods) to.push_back({"scheduler_pending_pods", fmt::format("{{{}queue=\"{}\"}}", instance, queue), count});
}

void add_api_server(const World& world, std::vector<Exposed>& to) {
  const k8s::ApiServer& api = world.api;
  const std::pair<const char*, std::size_t> resources[] = {{"cronjobs.batch", api.all<k8s::CronJob>().size()},
                                                           {"daemonsets.apps", api.all<k8s::DaemonSet>().size()},
                                                           {"deployments.apps", api.all<k8s::Deployment>().size()},
                                                           {"jobs.batch", api.all<k8s::Job>().size()},
                                                           {"namespaces", api.all<k8s::Namespace>().size()},
                                                           {"nodes", api.all<k8s::Node>().size()},
                                                           {"persistentvolumeclaims", api.all<k8s::PersistentVolumeClaim>().size()},
                                                           {"persistentvolumes", api.all<k8s::PersistentVolume>().size()},
                                                           {"poddisruptionbudgets.policy", api.all<k8s::PodDisruptionBudget>().size()},
                                                           {"pods", api.all<k8s::Pod>().size()},
                                                           {"replicasets.apps", api.all<k8s::ReplicaSet>().size()},
                                                           {"services", api.all<k8s::Service>().size()},
                                                           {"statefulsets.apps", api.all<k8s::StatefulSet>().size()}};
  const auto tell = [&](const std::string& instance) {
    for (const auto& [resource, count] : resources) {
      to.push_back({"apiserver_storage_objects", fmt::format("{{instance=\"{}\",job=\"apiserver\",resource=\"{}\"}}", instance, resource), static_cast<double>(count)});
    }
  };
  const k8s::ControlPlane& plane = world.control_plane;
  if (plane.is_external()) {
    tell("kubernetes");
    return;
  }
  for (std::size_t member = 0; member < plane.member_count(); ++member) {
    const host::HostId host = plane.member_host(member);
    const std::string& name = world.hosts.spec(host).name;
    if (!world.hosts.is_running(host)) continue;
    // Counted from the watch cache: without a quorum the last counts stay.
    if (plane.is_running(k8s::Component::kApiServer, member)) tell(name + ":6443");
  }
}

}  // namespace

std::vector<Exposed> exposed(World& world, std::int64_t start_unix_seconds, ExporterConfig config) {
  LabelTable labels;
  Store store(world.engine, labels, start_unix_seconds);
  store.want({}, true);
  Exporters exporters(world, store, std::move(config));
  exporters.expose();
  std::vector<Exposed> all;
  const auto answers = [&](const Target& target) { return target.works && (!target.host || world.hosts.is_running(target.host)); };
  for (const SeriesId id : store.all()) {
    const Store::Series& series = store.at(id);
    if (series.steps.empty() || !series.steps.back().present || !answers(store.target(series.target))) continue;
    all.push_back(split(labels.text(series.labels), series.steps.back().value));
  }
  for (TargetId id = 0; id < store.target_count(); ++id) {
    const Target& target = store.target(id);
    if (!target.exists || target.job.empty()) continue;
    Exposed up = split(labels.text(target.labels), answers(target) ? 1.0 : 0.0);
    up.metric = "up";
    all.push_back(std::move(up));
  }
  add_scheduler(world, all);
  add_api_server(world, all);
  std::sort(all.begin(), all.end(), [](const Exposed& a, const Exposed& b) { return std::tie(a.metric, a.labels) < std::tie(b.metric, b.labels); });
  all.erase(std::unique(all.begin(), all.end(), [](const Exposed& a, const Exposed& b) { return a.metric == b.metric && a.labels == b.labels; }), all.end());
  return all;
}

std::string_view metric_type(std::string_view metric) { return metric.ends_with("_total") && metric != "ceph_pg_total" ? "counter" : "gauge"; }

std::string metric_value(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

std::string prometheus_text(const std::vector<Exposed>& series) {
  std::string text;
  const std::string* metric = nullptr;
  for (const Exposed& one : series) {
    if (metric == nullptr || *metric != one.metric) text += fmt::format("# TYPE {} {}\n", one.metric, metric_type(one.metric));
    metric = &one.metric;
    text += fmt::format("{}{} {}\n", one.metric, one.labels, metric_value(one.value));
  }
  return text;
}

}  // namespace sim::monitoring
