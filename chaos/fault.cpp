#include "chaos/fault.hpp"

#include <algorithm>

namespace chaos {

FaultEnvironment::FaultEnvironment(sim::World& world, std::map<std::string, std::vector<std::string>> pools)
    : world_(world), pools_(std::move(pools)) {}

void FaultEnvironment::when_writable(const std::shared_ptr<const void>& owner, std::function<void()> action) {
  if (world_.api.writable()) return action();
  waiting_.push_back(Waiting{owner, world_.engine.cause(), std::move(action)});
  if (listening_) return;
  listening_ = true;
  world_.api.on_availability([this] {
    if (!world_.api.writable() || waiting_.empty()) return;
    const std::vector<Waiting> due = std::exchange(waiting_, {});
    for (const Waiting& waiting : due) {
      if (waiting.owner.expired()) continue;
      sim::ScopedCause because(world_.engine, waiting.cause);
      waiting.action();
    }
  });
}

void FaultEnvironment::enter_partition(sim::host::HostId host, std::uint32_t partition) {
  partitions_[host].push_back(partition);
  world_.hosts.set_partition(host, partition);
}

void FaultEnvironment::leave_partition(sim::host::HostId host, std::uint32_t partition) {
  std::vector<std::uint32_t>& entered = partitions_[host];
  std::erase(entered, partition);
  world_.hosts.set_partition(host, entered.empty() ? 0 : entered.back());
}

bool FaultEnvironment::release(Held what, HeldThing thing) {
  const auto found = holds_.find({what, thing});
  if (found == holds_.end()) return true;
  if (--found->second > 0) return false;
  holds_.erase(found);
  return true;
}

const std::vector<double>& FaultEnvironment::put(Held what, HeldThing thing, double value) {
  std::vector<double>& values = degrees_[{what, thing}];
  values.push_back(value);
  return values;
}

const std::vector<double>& FaultEnvironment::take_back(Held what, HeldThing thing, double value) {
  std::vector<double>& values = degrees_[{what, thing}];
  const auto found = std::find(values.begin(), values.end(), value);
  if (found != values.end()) values.erase(found);
  return values;
}

void FaultEnvironment::slow_disk(std::size_t member, double factor, bool undo) {
  std::vector<double>& factors = disk_factors_[member];
  if (undo) {
    const auto found = std::find(factors.begin(), factors.end(), factor);
    if (found != factors.end()) factors.erase(found);
  } else {
    factors.push_back(factor);
  }
  double product = 1.0;
  for (double one : factors) product *= one;
  world_.control_plane.set_disk_slow(member, product);
}

}  // namespace chaos
