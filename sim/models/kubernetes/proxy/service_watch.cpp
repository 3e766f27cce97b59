#include "sim/models/kubernetes/proxy/service_watch.hpp"

#include <algorithm>

namespace sim::k8s {

ServiceWatch::~ServiceWatch() {
  if (watching_) api_.unwatch(*this);
}

std::size_t ServiceWatch::follow(Symbol ns, Symbol service) {
  for (std::size_t i = 0; i < services_.size(); ++i) {
    if (services_[i].ns == ns && services_[i].name == service) return i;
  }
  services_.push_back(Service{ns, service, {}, false, {}});
  return services_.size() - 1;
}

void ServiceWatch::start() {
  if (services_.empty()) return;
  watching_ = true;
  api_.watch({Kind::kEndpoints}, *this);
  kubelets_.on_serving([this](Ref<Pod> pod, bool serving) { serving_changed(pod, serving); });
}

bool ServiceWatch::serves(std::size_t service) const {
  const std::vector<Endpoint>& all = services_[service].endpoints;
  return std::any_of(all.begin(), all.end(), [](const Endpoint& endpoint) { return endpoint.serves; });
}

void ServiceWatch::note(Service& service) {
  const bool serves = std::any_of(service.endpoints.begin(), service.endpoints.end(), [](const Endpoint& endpoint) { return endpoint.serves; });
  if (serves == service.served) return;
  service.served = serves;
  service.cause = engine_.cause();
}

void ServiceWatch::serving_changed(Ref<Pod> pod, bool serving) {
  for (std::size_t i = 0; i < services_.size(); ++i) {
    Service& service = services_[i];
    const auto found = std::find_if(service.endpoints.begin(), service.endpoints.end(), [pod](const Endpoint& endpoint) { return endpoint.pod == pod; });
    if (found == service.endpoints.end() || found->serves == serving) continue;
    found->serves = serving;
    note(service);
    if (listener_) listener_(i, pod);
  }
}

void ServiceWatch::on_event(const WatchEvent& event) {
  const bool deleted = event.type == WatchEvent::Type::kDeleted;
  const Endpoints* object = deleted ? &event.last_state<Endpoints>() : api_.get(event.ref<Endpoints>());
  if (object == nullptr) return;
  for (std::size_t i = 0; i < services_.size(); ++i) {
    Service& service = services_[i];
    if (service.ns != object->meta.ns || service.name != object->meta.name) continue;
    service.endpoints.clear();
    if (!deleted) {
      for (const Endpoints::Address& address : object->addresses) {
        if (address.ready) service.endpoints.push_back(Endpoint{address.pod, kubelets_.is_serving(address.pod)});
      }
    }
    note(service);
    if (listener_) listener_(i, Ref<Pod>{});
  }
}

}  // namespace sim::k8s
