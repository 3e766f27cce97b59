#include "sim/models/services/dependencies.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sim::services {

using k8s::Ref;

Dependencies::Dependencies(Engine& engine, EventLog& log, k8s::ApiServer& api, k8s::Kubelets& kubelets, const std::vector<k8s::PodBehaviour>& behaviours)
    : engine_(engine), log_(log), api_(api), kubelets_(kubelets), behaviours_(behaviours) {}

Dependencies::~Dependencies() {
  if (watching_) api_.unwatch(*this);
}

void Dependencies::start() {
  for (const k8s::PodBehaviour& behaviour : behaviours_) {
    for (const Need& need : behaviour.needs) services_.try_emplace(need);
  }
  if (services_.empty()) return;
  watching_ = true;
  api_.watch({k8s::Kind::kEndpoints}, *this);
  kubelets_.on_serving([this](Ref<k8s::Pod> pod, bool serving) { pod_changed(pod, serving); });
}

std::set<Dependencies::Need> Dependencies::needs_of(const k8s::Pod& pod) const {
  std::set<Need> needs;
  for (const k8s::PodBehaviour& behaviour : behaviours_) {
    if (behaviour.needs.empty() || (behaviour.ns && behaviour.ns != pod.meta.ns)) continue;
    if (behaviour.selector && !behaviour.selector->matches(pod.meta.labels, api_.names())) continue;
    needs.insert(behaviour.needs.begin(), behaviour.needs.end());
  }
  return needs;
}

void Dependencies::update(Ref<k8s::Pod> ref, const k8s::Pod& pod) {
  const std::set<Need> needs = needs_of(pod);
  if (needs.empty()) return;
  kubelets_.set_lacking(ref, !std::all_of(needs.begin(), needs.end(), [&](const Need& need) { return services_.at(need).serves; }));
}

void Dependencies::pod_changed(Ref<k8s::Pod> ref, bool serving) {
  if (serving) {
    // It has just started: what it needs may not be there.
    if (const k8s::Pod* pod = api_.get(ref); pod != nullptr) update(ref, *pod);
  }
  for (const auto& [need, state] : services_) {
    if (state.endpoints.contains(ref)) look(need);
  }
}

void Dependencies::on_event(const k8s::WatchEvent& event) {
  const bool deleted = event.type == k8s::WatchEvent::Type::kDeleted;
  const k8s::Endpoints* object = deleted ? &event.last_state<k8s::Endpoints>() : api_.get(event.ref<k8s::Endpoints>());
  if (object == nullptr) return;
  const Need need{object->meta.ns, object->meta.name};
  const auto found = services_.find(need);
  if (found == services_.end()) return;
  std::set<Ref<k8s::Pod>>& endpoints = found->second.endpoints;
  endpoints.clear();
  if (!deleted) {
    for (const k8s::Endpoints::Address& address : object->addresses) {
      if (address.ready) endpoints.insert(address.pod);
    }
  }
  look(need);
}

void Dependencies::look(const Need& need) {
  ServiceState& state = services_.at(need);
  const bool serves = std::any_of(state.endpoints.begin(), state.endpoints.end(), [this](Ref<k8s::Pod> pod) { return kubelets_.is_serving(pod); });
  if (serves == state.serves) return;
  state.serves = serves;
  state.cause = log_.record(serves ? "DependencyUp" : "DependencyDown",
                            fmt::format("Service/{}/{}", api_.names().text(need.ns), api_.names().text(need.service)),
                            serves ? fmt::format("{} serves again: what needs it can go on", api_.names().text(need.service))
                                   : fmt::format("no endpoint of {} serves: what needs it answers nobody", api_.names().text(need.service)));
  ScopedCause because(engine_, state.cause);
  tell_dependents(need);
}

void Dependencies::tell_dependents(const Need& need) {
  std::vector<Ref<k8s::Pod>> dependents;
  api_.all<k8s::Pod>().for_each([&](Ref<k8s::Pod> ref, const k8s::Pod& pod) {
    if (needs_of(pod).contains(need)) dependents.push_back(ref);
  });
  for (const Ref<k8s::Pod> ref : dependents) {
    if (const k8s::Pod* pod = api_.get(ref); pod != nullptr) update(ref, *pod);
  }
}

}  // namespace sim::services
