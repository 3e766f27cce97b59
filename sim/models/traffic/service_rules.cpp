#include "sim/models/traffic/service_rules.hpp"

#include <algorithm>

namespace sim::traffic {

using k8s::Endpoints;
using k8s::Pod;
using k8s::Ref;

ServiceRules::ServiceRules(Engine& engine, k8s::ApiServer& api, const ProxyConfig& config) : engine_(engine), api_(api), config_(config) {}

ServiceRules::~ServiceRules() {
  if (watching_) api_.unwatch(*this);
}

std::size_t ServiceRules::follow(Symbol ns, Symbol service) {
  for (std::size_t i = 0; i < services_.size(); ++i) {
    if (services_[i].ns == ns && services_[i].name == service) return i;
  }
  Service added;
  added.ns = ns;
  added.name = service;
  services_.push_back(std::move(added));
  return services_.size() - 1;
}

void ServiceRules::start() {
  for (Service& service : services_) service.rules = eligible(api_.get(api_.find<Endpoints>(service.ns, service.name)));
  api_.watch({k8s::Kind::kEndpoints}, *this);
  watching_ = true;
}

SimTime ServiceRules::next_run() {
  const SimTime now = engine_.now();
  if (has_run_ && now < run_begin_) return run_begin_;  // it is due, and takes this up as well
  run_begin_ = has_run_ ? std::max(now, run_end_ + config_.between_runs()) : now;
  run_end_ = run_begin_ + config_.sync_time;
  has_run_ = true;
  return run_begin_;
}

ServiceRules::Rules ServiceRules::eligible(const Endpoints* endpoints) const {
  auto pods = std::make_shared<std::vector<Ref<Pod>>>();
  if (endpoints != nullptr) {
    for (const Endpoints::Address& address : endpoints->addresses) {
      if (address.ready) pods->push_back(address.pod);
    }
    if (pods->empty()) {
      for (const Endpoints::Address& address : endpoints->addresses) {
        const Pod* pod = api_.get(address.pod);
        if (address.terminating && pod != nullptr && pod->ready) pods->push_back(address.pod);
      }
    }
  }
  return pods;
}

void ServiceRules::on_event(const k8s::WatchEvent& event) {
  const bool deleted = event.type == k8s::WatchEvent::Type::kDeleted;
  const Endpoints* object = deleted ? &event.last_state<Endpoints>() : api_.get(event.ref<Endpoints>());
  if (object == nullptr) return;
  const SimTime begin = next_run();  // whatever Service it is: a run takes up the changes of all
  for (std::size_t i = 0; i < services_.size(); ++i) {
    Service& service = services_[i];
    if (service.ns != object->meta.ns || service.name != object->meta.name || service.run_is_due) continue;
    service.run_is_due = true;
    engine_.at(begin, [this, i, alive = std::weak_ptr<const void>(alive_)] {
      if (!alive.expired()) run(i);
    });
  }
}

void ServiceRules::run(std::size_t index) {
  Service& service = services_[index];
  service.run_is_due = false;
  Rules next = eligible(api_.get(api_.find<Endpoints>(service.ns, service.name)));
  engine_.after(config_.sync_time, [this, index, next = std::move(next), alive = std::weak_ptr<const void>(alive_)] {
    if (alive.expired() || *services_[index].rules == *next) return;
    services_[index].rules = next;
    if (listener_) listener_(index);
  });
}

}  // namespace sim::traffic
