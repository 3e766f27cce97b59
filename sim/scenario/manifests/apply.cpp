#include "sim/scenario/apply.hpp"

#include <fmt/format.h>

#include "sim/models/kubernetes/api/take_spec.hpp"

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
    const auto scaled = [](const auto& from, auto& to, bool keeps) {
      const auto replicas = to.replicas;
      take_spec(to, from);
      if (keeps) to.replicas = replicas;
    };
    const auto whole = [](const auto& from, auto& to, bool) { take_spec(to, from); };
    change(set_.deployments, scaled);
    change(set_.stateful_sets, scaled);
    change(set_.replica_sets, scaled);
    change(set_.daemon_sets, whole);
    change(set_.cron_jobs, whole);
    change(set_.budgets, whole);
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
