#include "chaos/outages/platform_observer.hpp"

#include <algorithm>

#include "sim/models/services/services.hpp"
#include "sim/models/services/virtual_machines.hpp"

namespace chaos {

namespace {

template <class History>
const History* find(const std::vector<History>& all, std::string_view name) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const History& history) { return history.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

PlatformObserver::PlatformObserver(sim::World& world) : world_(world) {}

void PlatformObserver::note(PlatformHistory& history, bool up, bool fully) {
  const SimTime now = world_.engine.now();
  history.up.set(now, up ? 1.0 : 0.0, world_.engine.cause());
  history.fully.set(now, up && !fully ? 0.0 : 1.0, world_.engine.cause());
  if (up && !history.first_up) history.first_up = now;
}

void PlatformObserver::start() {
  const std::weak_ptr<bool> alive = alive_;
  if (sim::services::Services* services = world_.services.get()) {
    for (std::size_t i = 0; i < services->size(); ++i) {
      services_.push_back(PlatformHistory{services->config(i).name, {}, {}, {}});
      note(services_.back(), false, false);
    }
    for (std::size_t i = 0; i < services->operation_count(); ++i) {
      operations_.push_back(PlatformHistory{services->operation(i).name, {}, {}, {}});
      note(operations_.back(), false, false);
    }
    services->on_change([this, alive, services](std::size_t i) {
      if (!alive.expired()) note(services_[i], services->status(i).up, services->status(i).degraded.empty());
    });
    services->on_operation([this, alive, services](std::size_t i) {
      if (!alive.expired()) note(operations_[i], services->operation_status(i).up, services->operation_status(i).degraded.empty());
    });
  }
  if (sim::services::VirtualMachines* machines = world_.machines.get()) {
    for (std::size_t i = 0; i < machines->size(); ++i) vms_.push_back(VmHistory{machines->config(i).name, {}, {}});
    machines->on_change([this, alive, machines](std::size_t i) {
      if (alive.expired()) return;
      const sim::services::VmCount& count = machines->count(i);
      const auto share = [&](std::int64_t part) { return count.all == 0 ? 1.0 : static_cast<double>(part) / static_cast<double>(count.all); };
      vms_[i].running.set(world_.engine.now(), share(count.running), world_.engine.cause());
      vms_[i].reachable.set(world_.engine.now(), share(count.reachable), world_.engine.cause());
    });
  }
}

const PlatformHistory* PlatformObserver::service(std::string_view name) const { return find(services_, name); }
const PlatformHistory* PlatformObserver::operation(std::string_view name) const { return find(operations_, name); }
const VmHistory* PlatformObserver::vms(std::string_view name) const { return find(vms_, name); }

SimTime PlatformObserver::counts_from(const PlatformHistory& history, SimTime warm_up_end) {
  if (warm_up_end > SimTime{} || !history.first_up) return warm_up_end;
  return *history.first_up;
}

}  // namespace chaos
