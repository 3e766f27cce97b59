#include "sim/models/kubernetes/views/get.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sim::k8s::views {

namespace {

struct Resource {
  std::string_view plural;
  std::vector<std::string_view> aliases;
};

const std::vector<Resource>& known() {
  static const std::vector<Resource> kResources{
      {"nodes", {"node", "no"}},
      {"pods", {"pod", "po"}},
      {"deployments", {"deployment", "deploy", "deployments.apps"}},
      {"replicasets", {"replicaset", "rs", "replicasets.apps"}},
      {"statefulsets", {"statefulset", "sts", "statefulsets.apps"}},
      {"daemonsets", {"daemonset", "ds", "daemonsets.apps"}},
      {"jobs", {"job", "jobs.batch"}},
      {"cronjobs", {"cronjob", "cj", "cronjobs.batch"}},
      {"endpoints", {"ep"}},
      {"poddisruptionbudgets", {"poddisruptionbudget", "pdb"}},
  };
  return kResources;
}

class Lister {
 public:
  Lister(const ApiServer& api, const GetOptions& options, TextTable& table) : api_(api), names_(api.names()), options_(options), table_(table) {}

  template <class T, class Row>
  void list(std::vector<std::string> columns, Row&& row) {
    columns.insert(columns.begin(), "NAME");
    if constexpr (!std::is_same_v<T, Node>) columns.insert(columns.begin(), "NAMESPACE");
    columns.push_back("AGE");
    table_.columns = std::move(columns);
    api_.all<T>().for_each([&](Ref<T>, const T& object) {
      const std::string& ns = names_.text(object.meta.ns);
      if (!options_.name_space.empty() && ns != options_.name_space) return;
      std::vector<std::string> cells;
      if constexpr (!std::is_same_v<T, Node>) cells.push_back(ns);
      cells.push_back(names_.text(object.meta.name));
      for (std::string& cell : row(object)) cells.push_back(std::move(cell));
      cells.push_back(human_duration(options_.now - object.meta.created));
      table_.rows.push_back(std::move(cells));
    });
    std::sort(table_.rows.begin(), table_.rows.end());
  }

 private:
  const ApiServer& api_;
  const Interner& names_;
  const GetOptions& options_;
  TextTable& table_;
};

std::string node_status(const Node& node) {
  std::string text = node.ready == ConditionStatus::kTrue ? "Ready" : "NotReady";
  return node.unschedulable ? text + ",SchedulingDisabled" : text;
}

std::string node_roles(const Node& node, const Interner& names) {
  constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
  std::vector<std::string> roles;
  for (const auto& [key, value] : node.meta.labels) {
    const std::string& text = names.text(key);
    if (text.starts_with(kPrefix) && text.size() > kPrefix.size()) roles.push_back(text.substr(kPrefix.size()));
  }
  if (roles.empty()) return "<none>";
  std::sort(roles.begin(), roles.end());
  return fmt::format("{}", fmt::join(roles, ","));
}

std::string budget_bound(const std::optional<IntOrPercent>& bound) {
  if (!bound) return "N/A";
  return bound->percent ? fmt::format("{}%", bound->value) : fmt::format("{}", bound->value);
}

}  // namespace

std::string pod_status(const Pod& pod, const Interner& names) {
  std::string status = pod.reason ? names.text(pod.reason) : std::string(to_string(pod.phase));
  bool initializing = false;
  for (std::size_t i = 0; i < pod.init_containers.size(); ++i) {
    const ContainerStatus& container = pod.init_containers[i];
    const bool is_sidecar = pod.spec->init_containers[i].is_sidecar;
    if (container.state == ContainerState::kTerminated && container.exit_code == 0) continue;
    if (is_sidecar && container.started) continue;
    if (container.state == ContainerState::kTerminated) {
      status = container.reason ? fmt::format("Init:{}", names.text(container.reason)) : fmt::format("Init:ExitCode:{}", container.exit_code);
    } else if (container.state == ContainerState::kWaiting && container.reason && names.text(container.reason) != "PodInitializing") {
      status = fmt::format("Init:{}", names.text(container.reason));
    } else {
      status = fmt::format("Init:{}/{}", i, pod.init_containers.size());
    }
    initializing = true;
    break;
  }
  if (!initializing) {
    bool has_running = false;
    for (std::size_t i = pod.containers.size(); i-- > 0;) {
      const ContainerStatus& container = pod.containers[i];
      if (container.state == ContainerState::kWaiting && container.reason) {
        status = names.text(container.reason);
      } else if (container.state == ContainerState::kTerminated) {
        status = container.reason ? names.text(container.reason) : fmt::format("ExitCode:{}", container.exit_code);
      } else if (container.ready && container.state == ContainerState::kRunning) {
        has_running = true;
      }
    }
    if (status == "Completed" && has_running) status = pod.ready ? "Running" : "NotReady";
  }
  if (pod.meta.is_deleting() && !pod.is_terminal()) return "Terminating";
  return status;
}

std::optional<std::string_view> resource_of(std::string_view word) {
  for (const Resource& resource : known()) {
    if (word == resource.plural || std::find(resource.aliases.begin(), resource.aliases.end(), word) != resource.aliases.end()) return resource.plural;
  }
  return std::nullopt;
}

std::vector<std::string_view> resources() {
  std::vector<std::string_view> result;
  for (const Resource& resource : known()) result.push_back(resource.plural);
  return result;
}

TextTable get(const ApiServer& api, std::string_view resource, const GetOptions& options) {
  TextTable table;
  Lister lister(api, options, table);
  const Interner& names = api.names();
  using Cells = std::vector<std::string>;
  const auto number = [](std::int64_t value) { return fmt::format("{}", value); };
  if (resource == "nodes") {
    lister.list<Node>({"STATUS", "ROLES"}, [&](const Node& node) { return Cells{node_status(node), node_roles(node, names)}; });
  } else if (resource == "pods") {
    lister.list<Pod>({"READY", "STATUS", "RESTARTS", "NODE"}, [&](const Pod& pod) {
      std::int64_t ready = 0;
      std::uint64_t restarts = 0;
      for (const ContainerStatus& container : pod.containers) {
        ready += container.ready && container.state == ContainerState::kRunning ? 1 : 0;
        restarts += container.restart_count;
      }
      return Cells{fmt::format("{}/{}", ready, pod.spec->containers.size()), pod_status(pod, names), fmt::format("{}", restarts),
                   pod.node_name ? names.text(pod.node_name) : "<none>"};
    });
  } else if (resource == "deployments") {
    lister.list<Deployment>({"READY", "UP-TO-DATE", "AVAILABLE"}, [&](const Deployment& d) {
      return Cells{fmt::format("{}/{}", d.ready_replicas, d.replicas), number(d.updated_replicas), number(d.available_replicas)};
    });
  } else if (resource == "replicasets") {
    lister.list<ReplicaSet>({"DESIRED", "CURRENT", "READY"}, [&](const ReplicaSet& r) {
      return Cells{number(r.replicas), number(r.status_replicas), number(r.ready_replicas)};
    });
  } else if (resource == "statefulsets") {
    lister.list<StatefulSet>({"READY"}, [&](const StatefulSet& s) { return Cells{fmt::format("{}/{}", s.ready_replicas, s.replicas)}; });
  } else if (resource == "daemonsets") {
    lister.list<DaemonSet>({"DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE"}, [&](const DaemonSet& d) {
      return Cells{number(d.desired_scheduled), number(d.current_scheduled), number(d.ready_count), number(d.updated_scheduled), number(d.available_count)};
    });
  } else if (resource == "jobs") {
    lister.list<Job>({"STATUS", "COMPLETIONS"}, [&](const Job& j) {
      const std::string status = j.complete ? "Complete" : j.failed_condition ? "Failed" : j.suspended ? "Suspended" : "Running";
      const std::string completions = j.spec.completions ? fmt::format("{}/{}", j.succeeded, *j.spec.completions)
                                                         : fmt::format("{}/1 of {}", j.succeeded, j.spec.parallelism.value_or(1));
      return Cells{status, completions};
    });
  } else if (resource == "cronjobs") {
    lister.list<CronJob>({"SCHEDULE", "SUSPEND", "LAST SCHEDULE"}, [&](const CronJob& c) {
      return Cells{c.schedule, c.suspend ? "True" : "False", c.last_schedule_time ? human_duration(options.now - *c.last_schedule_time) : "<none>"};
    });
  } else if (resource == "endpoints") {
    lister.list<Endpoints>({"READY", "NOT-READY"}, [&](const Endpoints& e) {
      return Cells{number(e.ready_count()), number(static_cast<std::int64_t>(e.addresses.size()) - e.ready_count())};
    });
  } else if (resource == "poddisruptionbudgets") {
    lister.list<PodDisruptionBudget>({"MIN AVAILABLE", "MAX UNAVAILABLE", "ALLOWED DISRUPTIONS"}, [&](const PodDisruptionBudget& b) {
      return Cells{budget_bound(b.min_available), budget_bound(b.max_unavailable), number(b.disruptions_allowed)};
    });
  }
  return table;
}

}  // namespace sim::k8s::views
