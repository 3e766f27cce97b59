#include "chaos/outages/service_observer.hpp"

#include <algorithm>
#include <iterator>

namespace chaos {

using sim::Symbol;
using sim::k8s::Endpoints;
using sim::k8s::Pod;
using sim::k8s::Ref;
using sim::k8s::Service;
using sim::k8s::WatchEvent;

// ---- ServiceHistory -----------------------------------------------------------------------------------------------

Signal ServiceHistory::share() const {
  Signal signal;
  for (const Step& step : steps) {
    signal.set(step.at, step.listed == 0 ? 0.0 : static_cast<double>(step.serving) / static_cast<double>(step.listed), step.cause);
  }
  return signal;
}

Signal ServiceHistory::serving() const {
  Signal signal;
  for (const Step& step : steps) signal.set(step.at, static_cast<double>(step.serving), step.cause);
  return signal;
}

std::vector<CauseId> LossWalk::until(SimTime at) {
  for (; next_ < history_.steps.size() && history_.steps[next_].at <= at; ++next_) {
    const ServiceHistory::Step& step = history_.steps[next_];
    for (std::int32_t lost = step.serving; lost < serving_; ++lost) open_.push_back(step.cause);
    for (std::int32_t won = serving_; won < step.serving && !open_.empty(); ++won) open_.pop_front();
    serving_ = step.serving;
  }
  // More would not be read; of many the newest matter.
  constexpr std::size_t kMax = 32;
  std::vector<CauseId> losses;
  for (auto cause = open_.rbegin(); cause != open_.rend() && losses.size() < kMax; ++cause) {
    if (*cause && std::find(losses.begin(), losses.end(), *cause) == losses.end()) losses.push_back(*cause);
  }
  std::reverse(losses.begin(), losses.end());
  return losses;
}

// ---- ServiceObserver ----------------------------------------------------------------------------------------------

ServiceObserver::ServiceObserver(sim::k8s::ApiServer& api, IsServing is_serving) : api_(api), is_serving_(std::move(is_serving)) {}

ServiceObserver::~ServiceObserver() {
  if (watching_) api_.unwatch(*this);
}

void ServiceObserver::start() {
  api_.watch({sim::k8s::Kind::kService, sim::k8s::Kind::kEndpoints}, *this);
  watching_ = true;
  for (Ref<Service> ref : api_.all<Service>().refs()) service_changed(ref);
  for (Ref<Endpoints> ref : api_.all<Endpoints>().refs()) endpoints_changed(api_.all<Endpoints>().at(ref), false);
}

ServiceObserver::Tracked& ServiceObserver::tracked(Symbol ns, Symbol name) {
  const auto [place, is_new] = services_.try_emplace(Key{ns, name});
  if (is_new) {
    place->second.history.ns = ns;
    place->second.history.name = name;
    place->second.history.created = api_.engine().now();
  }
  return place->second;
}

void ServiceObserver::service_changed(Ref<Service> ref) {
  const Service* service = api_.get(ref);
  if (service == nullptr) return;
  Tracked& place = tracked(service->meta.ns, service->meta.name);
  place.history.has_selector = service->has_selector;
  place.history.deleted = false;
  if (place.history.steps.empty()) note(place);
}

void ServiceObserver::endpoints_changed(const Endpoints& endpoints, bool deleted) {
  Tracked& place = tracked(endpoints.meta.ns, endpoints.meta.name);
  // Several changes come in one batch, and the first of them shows the newest state: a large Service that starts would be read anew for each pod.
  const std::uint64_t version = deleted ? 0 : endpoints.meta.resource_version;
  if (version != 0 && version == place.version) return;
  place.version = version;
  if (!deleted && !endpoints.addresses.empty()) place.history.had_address = true;
  static const std::vector<Endpoints::Address> kNone;
  const std::vector<Endpoints::Address>& now = deleted ? kNone : endpoints.addresses;
  // Most of a large Service stays as it was: only what lies between the common beginning and the common end is looked at.
  const auto begin = std::mismatch(place.seen.begin(), place.seen.end(), now.begin(), now.end());
  const auto end = std::mismatch(place.seen.rbegin(), std::make_reverse_iterator(begin.first), now.rbegin(), std::make_reverse_iterator(begin.second));
  const std::vector<Ref<Pod>> before = ready_pods(begin.first, end.first.base());
  const std::vector<Ref<Pod>> after = ready_pods(begin.second, end.second.base());
  std::vector<Ref<Pod>> gone;
  std::vector<Ref<Pod>> come;
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(), std::back_inserter(gone));
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(come));
  for (const Ref<Pod> pod : gone) {
    const auto listed = place.find(pod);
    place.serving -= listed->serving ? 1 : 0;
    place.listed.erase(listed);
    unlink(pod, &place);
  }
  for (const Ref<Pod> pod : come) {
    const bool serving = is_serving_(pod);
    place.serving += serving ? 1 : 0;
    place.listed.insert(place.find(pod), Listed{pod, serving});
    of_pod_[pod_key(pod)].push_back(&place);
  }
  place.seen = now;
  note(place);
}

/// Sorted.
std::vector<Ref<Pod>> ServiceObserver::ready_pods(AddressPlace from, AddressPlace to) {
  std::vector<Ref<Pod>> pods;
  for (; from != to; ++from) {
    if (from->ready) pods.push_back(from->pod);
  }
  std::sort(pods.begin(), pods.end());
  return pods;
}

void ServiceObserver::unlink(Ref<Pod> pod, Tracked* service) {
  const auto found = of_pod_.find(pod_key(pod));
  if (found == of_pod_.end()) return;
  std::erase(found->second, service);
  if (found->second.empty()) of_pod_.erase(found);
}

void ServiceObserver::serving_changed(Ref<Pod> pod, bool serving) {
  const auto found = of_pod_.find(pod_key(pod));
  if (found == of_pod_.end()) return;
  for (Tracked* service : found->second) {
    const auto listed = service->find(pod);
    if (listed == service->listed.end() || listed->pod != pod || listed->serving == serving) continue;
    listed->serving = serving;
    service->serving += serving ? 1 : -1;
    note(*service);
  }
}

void ServiceObserver::note(Tracked& service) {
  ServiceHistory& history = service.history;
  const auto listed = static_cast<std::int32_t>(service.listed.size());
  if (!history.steps.empty() && history.steps.back().serving == service.serving && history.steps.back().listed == listed) return;
  const SimTime now = api_.engine().now();
  history.steps.push_back(ServiceHistory::Step{now, service.serving, listed, api_.engine().cause()});
  if (service.serving > 0 && !history.first_served) history.first_served = now;
}

std::vector<const ServiceHistory*> ServiceObserver::histories() const {
  std::vector<const ServiceHistory*> all;
  for (const auto& [key, service] : services_) all.push_back(&service.history);
  const sim::Interner& names = api_.names();
  std::sort(all.begin(), all.end(), [&](const ServiceHistory* a, const ServiceHistory* b) {
    if (a->ns != b->ns) return names.text(a->ns) < names.text(b->ns);
    return names.text(a->name) < names.text(b->name);
  });
  return all;
}

const ServiceHistory* ServiceObserver::find(Symbol ns, Symbol name) const {
  const auto found = services_.find(Key{ns, name});
  return found == services_.end() ? nullptr : &found->second.history;
}

void ServiceObserver::on_event(const WatchEvent& event) {
  if (event.is<Service>()) {
    if (event.type != WatchEvent::Type::kDeleted) return service_changed(event.ref<Service>());
    const Service& last = event.last_state<Service>();
    // Deleted and made anew within one batch of events: the new one is what counts.
    if (api_.find<Service>(last.meta.ns, last.meta.name)) return;
    Tracked& place = tracked(last.meta.ns, last.meta.name);
    place.history.deleted = true;
    place.history.deleted_at = api_.engine().now();
    return;
  }
  if (!event.is<Endpoints>()) return;
  if (event.type == WatchEvent::Type::kDeleted) {
    const Endpoints& last = event.last_state<Endpoints>();
    if (!api_.find<Endpoints>(last.meta.ns, last.meta.name)) endpoints_changed(last, true);
    return;
  }
  if (const Endpoints* endpoints = api_.get(event.ref<Endpoints>())) endpoints_changed(*endpoints, false);
}

}  // namespace chaos
