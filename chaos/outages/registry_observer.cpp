#include "chaos/outages/registry_observer.hpp"

#include "sim/models/registry/registries.hpp"
#include "sim/models/world.hpp"

namespace chaos {

void RegistryObserver::start() {
  if (!world_.registries) return;
  const sim::registry::Registries& registries = *world_.registries;
  for (std::size_t i = 0; i < registries.size(); ++i) {
    if (registries.is_observed(i)) histories_.push_back(RegistryHistory{registries.host(i), i, {}});
  }
  world_.registries->on_change([this, alive = std::weak_ptr<bool>(alive_)](std::size_t index, bool serves) {
    if (alive.expired()) return;
    for (RegistryHistory& registry : histories_) {
      if (registry.index != index || (registry.serves.empty() && !serves)) continue;
      registry.serves.set(world_.engine.now(), serves ? 1.0 : 0.0, world_.engine.cause());
    }
  });
}

void RegistryObserver::look() {
  for (RegistryHistory& registry : histories_) {
    if (registry.serves.empty() && world_.registries->serves(registry.index)) registry.serves.set(world_.engine.now(), 1.0, world_.engine.cause());
  }
}

const RegistryHistory* RegistryObserver::find(std::string_view host) const {
  for (const RegistryHistory& registry : histories_) {
    if (registry.host == host) return &registry;
  }
  return nullptr;
}

CauseId RegistryObserver::cause(const RegistryHistory& registry) const { return world_.registries->cause(registry.index); }

}  // namespace chaos
