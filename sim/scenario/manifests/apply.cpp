#include "sim/scenario/apply.hpp"

#include <fmt/format.h>

namespace sim::scenario {

using namespace sim::k8s;  // the objects are what this file is about

namespace {

class Applier {
 public:
  Applier(const ManifestSet& set, const std::set<std::string>& keeps_replicas, ApiServer& api) : set_(set), keeps_(keeps_replicas), api_(api) {}

  Applied run() {
    change(set_.nodes, [](const k8s::Node& from, k8s::Node& to, bool) {
      to.unschedulable = from.unschedulable;
      to.taints = from.taints;
    });
    change(set_.deployments, [](const Deployment& from, Deployment& to, bool keeps) {
      if (!keeps) to.replicas = from.replicas;
      to.pod_template = from.pod_template;
      to.recreate = from.recreate;
      to.max_surge = from.max_surge;
      to.max_unavailable = from.max_unavailable;
      to.min_ready_seconds = from.min_ready_seconds;
      to.progress_deadline_seconds = from.progress_deadline_seconds;
      to.revision_history_limit = from.revision_history_limit;
      to.paused = from.paused;
    });
    change(set_.stateful_sets, [](const StatefulSet& from, StatefulSet& to, bool keeps) {
      if (!keeps) to.replicas = from.replicas;
      to.pod_template = from.pod_template;
      to.on_delete = from.on_delete;
      to.partition = from.partition;
      to.min_ready_seconds = from.min_ready_seconds;
    });
    change(set_.replica_sets, [](const ReplicaSet& from, ReplicaSet& to, bool keeps) {
      if (!keeps) to.replicas = from.replicas;
      to.pod_template = from.pod_template;
    });
    change(set_.daemon_sets, [](const DaemonSet& from, DaemonSet& to, bool) {
      to.pod_template = from.pod_template;
      to.on_delete = from.on_delete;
      to.max_unavailable = from.max_unavailable;
      to.max_surge = from.max_surge;
      to.min_ready_seconds = from.min_ready_seconds;
    });
    change(set_.cron_jobs, [](const CronJob& from, CronJob& to, bool) {
      to.schedule = from.schedule;
      to.time_zone = from.time_zone;
      to.starting_deadline_seconds = from.starting_deadline_seconds;
      to.concurrency = from.concurrency;
      to.suspend = from.suspend;
      to.successful_history = from.successful_history;
      to.failed_history = from.failed_history;
      to.job_template = from.job_template;
    });
    change(set_.budgets, [](const PodDisruptionBudget& from, PodDisruptionBudget& to, bool) {
      to.selector = from.selector;
      to.min_available = from.min_available;
      to.max_unavailable = from.max_unavailable;
      to.always_allow_unhealthy = from.always_allow_unhealthy;
    });
    change(set_.priority_classes, [](const PriorityClass& from, PriorityClass& to, bool) {
      to.global_default = from.global_default;
    });
    note_others(set_.pods);
    note_others(set_.jobs);
    note_others(set_.services);
    note_others(set_.claims);
    note_others(set_.volumes);
    note_others(set_.storage_classes);
    StoreOptions options;
    options.nodes = false;
    store(set_, api_, options);
    return std::move(result_);
  }

 private:
  template <class T, class Change>
  void change(const std::vector<Manifest<T>>& list, const Change& assign) {
    for (const Manifest<T>& m : list) {
      const std::string name = api_.names().text(api_.subject(m.object));
      const Ref<T> ref = api_.find<T>(m.object.meta.ns, m.object.meta.name);
      if (!ref) {
        if constexpr (std::is_same_v<T, k8s::Node>) {
          result_.untouched.push_back(name + " (a new machine is a pool of the scenario)");
        } else {
          result_.made.push_back(name);
        }
        continue;
      }
      const CauseId id = api_.record(ref, "Applied", fmt::format("{} was changed by a manifest", name));
      const ScopedCause because(api_.engine(), id);
      constexpr sim::k8s::Change kWhat = std::is_same_v<T, k8s::Node> ? sim::k8s::Change::kSpec | sim::k8s::Change::kTaints | sim::k8s::Change::kLabels : sim::k8s::Change::kSpec;
      api_.update(ref, kWhat, [&](T& to) {
        assign(m.object, to, keeps_.contains(name));
        if constexpr (!std::is_same_v<T, k8s::Node>) to.meta.labels = m.object.meta.labels;
      });
      result_.changed.push_back(name);
    }
  }
  template <class T>
  void note_others(const std::vector<Manifest<T>>& list) {
    for (const Manifest<T>& m : list) {
      const std::string name = api_.names().text(api_.subject(m.object));
      (api_.find<T>(m.object.meta.ns, m.object.meta.name) ? result_.untouched : result_.made).push_back(name);
    }
  }

  const ManifestSet& set_;
  const std::set<std::string>& keeps_;
  ApiServer& api_;
  Applied result_;
};

}  // namespace

Applied apply(const ManifestSet& set, const std::set<std::string>& keeps_replicas, ApiServer& api) { return Applier(set, keeps_replicas, api).run(); }

}  // namespace sim::scenario
