#include "sim/scenario/lookups.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/scenario/ceph_builder.hpp"

namespace sim::scenario {

bool expect_service(const ManifestSet& objects, const std::optional<CephSpec>& ceph, const Interner& names, const std::string& full_name, Place where,
                    Diagnostics& diagnostics) {
  std::vector<std::string> known = ceph ? services_of(*ceph) : std::vector<std::string>();
  if (std::find(known.begin(), known.end(), full_name) != known.end()) return true;
  for (const Manifest<k8s::Service>& m : objects.services) {
    known.push_back(names.text(m.object.meta.ns) + "/" + names.text(m.object.meta.name));
    if (known.back() == full_name) return true;
  }
  diagnostics.error(where, fmt::format("there is no Service '{}'", full_name)).hint = did_you_mean(full_name, known);
  return false;
}

ServiceName split_service(std::string_view text, std::string_view ns) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return ServiceName{std::string(ns), std::string(text)};
  return ServiceName{std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
}

const Manifest<k8s::Service>* find_service(const ManifestSet& objects, const Interner& names, const ServiceName& service) {
  for (const Manifest<k8s::Service>& m : objects.services) {
    if (names.text(m.object.meta.ns) == service.ns && names.text(m.object.meta.name) == service.name) return &m;
  }
  return nullptr;
}

void for_each_workload(const ManifestSet& objects, const std::function<void(const Workload&)>& visit) {
  for (const auto& m : objects.pods) {
    if (m.owners.empty()) visit(Workload{"Pod", m.object.meta.ns, m.object.meta.name, &m.object.meta.labels, m.object.spec.get(), nullptr, m.where});
  }
  const auto templates = [&](std::string_view kind, const auto& list) {
    for (const auto& m : list) {
      if (!m.owners.empty()) continue;
      const k8s::PodTemplate& pods = m.object.pod_template;
      visit(Workload{kind, m.object.meta.ns, m.object.meta.name, &pods.labels, pods.spec.get(), nullptr, m.where});
    }
  };
  templates("Deployment", objects.deployments);
  templates("ReplicaSet", objects.replica_sets);
  for (const auto& m : objects.stateful_sets) {
    const k8s::PodTemplate& pods = m.object.pod_template;
    visit(Workload{"StatefulSet", m.object.meta.ns, m.object.meta.name, &pods.labels, pods.spec.get(), &m.object.claim_templates, m.where});
  }
  templates("DaemonSet", objects.daemon_sets);
  for (const auto& m : objects.jobs) {
    if (!m.owners.empty()) continue;
    const k8s::PodTemplate& pods = m.object.spec.pod_template;
    visit(Workload{"Job", m.object.meta.ns, m.object.meta.name, &pods.labels, pods.spec.get(), nullptr, m.where});
  }
  for (const auto& m : objects.cron_jobs) {
    const k8s::PodTemplate& pods = m.object.job_template.pod_template;
    visit(Workload{"CronJob", m.object.meta.ns, m.object.meta.name, &pods.labels, pods.spec.get(), nullptr, m.where});
  }
}

void for_each_workload_of(const ManifestSet& objects, const Interner& names, const k8s::Service& service, const std::function<void(const Workload&)>& visit) {
  if (!service.has_selector) return;
  for_each_workload(objects, [&](const Workload& workload) {
    if (workload.ns == service.meta.ns && service.selector.matches(*workload.labels, names)) visit(workload);
  });
}

}  // namespace sim::scenario
