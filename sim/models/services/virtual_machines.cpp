#include "sim/models/services/virtual_machines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sim::services {

using host::HostState;

namespace {

/// So many times a lease is looked at while nobody renews it.
constexpr int kLeaseSteps = 24;

}  // namespace

VirtualMachines::VirtualMachines(Engine& engine, EventLog& log, host::Hosts& hosts, Services* services, std::vector<VmPoolConfig> pools)
    : engine_(engine), log_(log), hosts_(hosts), services_(services) {
  for (VmPoolConfig& config : pools) {
    Pool pool;
    for (const host::HostId host : config.hosts) {
      Place place;
      place.host = host;
      place.count = config.per_host;
      pool.places.push_back(place);
    }
    pool.config = std::move(config);
    pools_.push_back(std::move(pool));
  }
}

void VirtualMachines::start() {
  hosts_.on_change([this](const host::Hosts::Change& change) { host_changed(change); });
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    const VmPoolConfig& config = pools_[i].config;
    // A control plane that is still coming up has set up the network of these VMs long ago: what it needs is looked at from its first answer on.
    if (!config.volumes.empty()) services_->on_provider(config.volumes, [this, i] { volumes_changed(i); });
    if (!config.gateway.empty()) services_->on_provider(config.gateway, [this, i] { gateway_changed(i); });
    if (!config.dhcp.empty()) services_->on_provider(config.dhcp, [this, i] { dhcp_changed(i); });
    recount(i);
  }
  if (services_ == nullptr) return;
  services_->on_operation([this](std::size_t operation) {
    for (std::size_t i = 0; i < pools_.size(); ++i) {
      if (services_->operation(operation).name != pools_[i].config.operation || !services_->operation_status(operation).up) continue;
      for (std::size_t place = 0; place < pools_[i].places.size(); ++place) {
        if (pools_[i].places[place].wanted) bring_back(i, place);
      }
    }
  });
}

std::size_t VirtualMachines::find(std::string_view name) const {
  const auto found = std::find_if(pools_.begin(), pools_.end(), [&](const Pool& pool) { return pool.config.name == name; });
  return found == pools_.end() ? SIZE_MAX : static_cast<std::size_t>(found - pools_.begin());
}

std::vector<std::int64_t> VirtualMachines::by_host(std::size_t pool) const {
  std::vector<std::int64_t> result;
  for (const Place& place : pools_[pool].places) result.push_back(place.count);
  return result;
}

void VirtualMachines::host_changed(const host::Hosts::Change& change) {
  using What = host::Hosts::Change::What;
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    Pool& pool = pools_[i];
    for (std::size_t p = 0; p < pool.places.size(); ++p) {
      Place& place = pool.places[p];
      if (place.host != change.host) continue;
      switch (change.what) {
        case What::kHung:
          if (place.count > 0) record(pool, "VmsFrozen", fmt::format("{} VMs on {} make no progress: their host hangs", place.count, hosts_.spec(place.host).name));
          break;
        case What::kDown:
        case What::kBooting: died(i, place); break;
        case What::kUp:
          if (place.alive || place.count == 0 || place.elsewhere) break;
          if (pool.config.start_on_boot || pool.config.start_after) {
            engine_.cancel(place.timer);
            place.timer = engine_.after(pool.config.start_after.value_or(SimDuration{}), [this, i, p] {
              pools_[i].places[p].wanted = true;
              bring_back(i, p);
            });
          }
          break;
        case What::kNetwork: break;
      }
      const ScopedCause because(engine_, place.alive ? CauseId{} : place.cause);
      recount(i);
    }
  }
}

void VirtualMachines::died(std::size_t index, Place& place) {
  Pool& pool = pools_[index];
  if (!place.alive) return;
  place.alive = false;
  if (place.count == 0) return;
  place.cause = record(pool, "VmsDied", fmt::format("{} VMs died with {}", place.count, hosts_.spec(place.host).name));
  if (!pool.config.evacuate_after) return;
  const ScopedCause because(engine_, place.cause);
  const auto number = static_cast<std::size_t>(&place - pool.places.data());
  engine_.cancel(place.timer);
  place.timer = engine_.after(*pool.config.evacuate_after, [this, index, number] {
    Place& it = pools_[index].places[number];
    if (it.alive || hosts_.is_running(it.host)) return;
    it.wanted = it.elsewhere = true;
    bring_back(index, number);
  });
}

bool VirtualMachines::is_possible(const Pool& pool) const {
  if (pool.config.operation.empty()) return true;
  const std::size_t operation = services_->find_operation(pool.config.operation);
  return operation != SIZE_MAX && services_->operation_status(operation).up;
}

/// Where they were, or spread over the other hosts; later when it cannot be done now.
void VirtualMachines::bring_back(std::size_t index, std::size_t number) {
  Pool& pool = pools_[index];
  Place& place = pool.places[number];
  if (!place.wanted || place.count == 0 || !is_possible(pool)) return;
  if (!place.elsewhere) {
    if (!hosts_.is_running(place.host)) return;
    place.wanted = false;
    place.alive = true;
    const CauseId id = record(pool, "VmsStarted", fmt::format("{} VMs on {} are started again", place.count, hosts_.spec(place.host).name));
    const ScopedCause because(engine_, id);
    recount(index);
    return;
  }
  std::vector<Place*> takers;
  for (Place& other : pool.places) {
    if (&other != &place && other.alive && hosts_.is_running(other.host) && hosts_.has_network(other.host)) takers.push_back(&other);
  }
  if (takers.empty()) return;
  const std::int64_t moved = std::exchange(place.count, 0);
  for (std::int64_t i = 0; i < moved; ++i) {
    (*std::min_element(takers.begin(), takers.end(), [](const Place* a, const Place* b) { return a->count < b->count; }))->count += 1;
  }
  place.wanted = place.elsewhere = false;
  place.alive = true;  // what comes to it later lives
  const CauseId id = record(pool, "VmsEvacuated", fmt::format("{} VMs of {} are started on {} other hosts", moved, hosts_.spec(place.host).name, takers.size()));
  const ScopedCause because(engine_, id);
  recount(index);
}

void VirtualMachines::volumes_changed(std::size_t index) {
  Pool& pool = pools_[index];
  const bool answer = services_->is_up(pool.config.volumes);
  if (std::exchange(pool.volumes_answer, answer) == answer) return;
  const CauseId id = answer ? record(pool, "VmsResumed", "their volumes answer again") : record(pool, "VmsHang", fmt::format("their volumes do not answer ({}): every VM that touches its disk hangs", pool.config.volumes));
  const ScopedCause because(engine_, id);
  recount(index);
}

void VirtualMachines::gateway_changed(std::size_t index) {
  Pool& pool = pools_[index];
  const bool works = services_->is_up(pool.config.gateway);
  if (std::exchange(pool.gateway_works, works) == works) return;
  const CauseId id = works ? record(pool, "VmsReachable", "their gateway works again") : record(pool, "VmsUnreachable", fmt::format("their gateway ({}) is gone: they run, and nobody outside reaches them", pool.config.gateway));
  const ScopedCause because(engine_, id);
  recount(index);
}

void VirtualMachines::dhcp_changed(std::size_t index) {
  Pool& pool = pools_[index];
  const bool works = services_->is_up(pool.config.dhcp);
  if (std::exchange(pool.dhcp_works, works) == works) return;
  engine_.cancel(std::exchange(pool.leases, TimerId{}));
  if (works) {
    if (pool.without_address <= 0.0) return;
    pool.without_address = 0.0;
    const CauseId id = record(pool, "LeasesRenewed", "addresses are given out again");
    const ScopedCause because(engine_, id);
    recount(index);
    return;
  }
  // Whoever has just renewed keeps its address for all of the lease, whoever was about to for half of it.
  pool.dhcp_gone = engine_.now();
  pool.leases = engine_.after(pool.config.lease / 2 + pool.config.lease / 2 / kLeaseSteps, [this, index] { leases_expire(index); });
}

void VirtualMachines::leases_expire(std::size_t index) {
  Pool& pool = pools_[index];
  const SimDuration half = pool.config.lease / 2;
  const SimDuration beyond = engine_.now() - pool.dhcp_gone - half;
  pool.leases = TimerId{};
  const bool is_first = pool.without_address <= 0.0;
  pool.without_address = std::clamp(seconds(beyond) / seconds(half), 0.0, 1.0);
  CauseId id = engine_.cause();
  if (is_first) id = record(pool, "LeasesExpire", fmt::format("nobody has renewed addresses for {}: VMs begin to lose theirs, all of them within {}", humanize(half), humanize(half)));
  const ScopedCause because(engine_, id);
  if (pool.without_address < 1.0) pool.leases = engine_.after(half / kLeaseSteps, [this, index] { leases_expire(index); });
  recount(index);
}

void VirtualMachines::recount(std::size_t index) {
  Pool& pool = pools_[index];
  VmCount count;
  for (const Place& place : pool.places) {
    count.all += place.count;
    if (!place.alive) {
      count.dead += place.count;
    } else if (!pool.volumes_answer || !hosts_.is_running(place.host)) {
      count.hanging += place.count;
    } else {
      count.running += place.count;
      if (hosts_.has_network(place.host) && pool.gateway_works) count.reachable += place.count;
    }
  }
  count.reachable -= static_cast<std::int64_t>(std::llround(static_cast<double>(count.reachable) * pool.without_address));
  pool.count = count;
  for (const auto& listener : listeners_) listener(index);
}

}  // namespace sim::services
