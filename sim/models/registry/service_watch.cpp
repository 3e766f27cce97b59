#include "sim/models/registry/service_watch.hpp"

#include <algorithm>

namespace sim::registry {

using k8s::Ref;

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
  api_.watch({k8s::Kind::kEndpoints}, *this);
  kubelets_.on_serving([this](Ref<k8s::Pod> pod, bool serving) { serving_changed(pod, serving); });
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

void ServiceWatch::serving_changed(Ref<k8s::Pod> pod, bool serving) {
  for (std::size_t i = 0; i < services_.size(); ++i) {
    Service& service = services_[i];
    const auto found = std::find_if(service.endpoints.begin(), service.endpoints.end(), [pod](const Endpoint& endpoint) { return endpoint.pod == pod; });
    if (found == service.endpoints.end() || found->serves == serving) continue;
    found->serves = serving;
    note(service);
    if (listener_) listener_(i, pod);
  }
}

void ServiceWatch::on_event(const k8s::WatchEvent& event) {
  const bool deleted = event.type == k8s::WatchEvent::Type::kDeleted;
  const k8s::Endpoints* object = deleted ? &event.last_state<k8s::Endpoints>() : api_.get(event.ref<k8s::Endpoints>());
  if (object == nullptr) return;
  for (std::size_t i = 0; i < services_.size(); ++i) {
    Service& service = services_[i];
    if (service.ns != object->meta.ns || service.name != object->meta.name) continue;
    service.endpoints.clear();
    if (!deleted) {
      for (const k8s::Endpoints::Address& address : object->addresses) {
        if (address.ready) service.endpoints.push_back(Endpoint{address.pod, kubelets_.is_serving(address.pod)});
      }
    }
    note(service);
    if (listener_) listener_(i, Ref<k8s::Pod>{});
  }
}

}  // namespace sim::registry
