/// Whether images can be pulled from each registry of the scenario, over time.
///
/// Checked by: tests/chaos/registry_test.cpp.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chaos/outages/signal.hpp"

namespace sim {
class World;
}

namespace chaos {

struct RegistryHistory {
  std::string host;
  std::size_t index = 0;  // in the world
  Signal serves;          // from when it first did
};

class RegistryObserver {
 public:
  explicit RegistryObserver(sim::World& world) : world_(world) {}
  RegistryObserver(const RegistryObserver&) = delete;
  RegistryObserver& operator=(const RegistryObserver&) = delete;
  /// Hears of every change from now on. Nothing happens in a world without registries.
  void start();
  void look();

  /// In the order of the scenario.
  const std::vector<RegistryHistory>& histories() const { return histories_; }
  const RegistryHistory* find(std::string_view host) const;
  CauseId cause(const RegistryHistory& registry) const;

 private:
  sim::World& world_;
  std::vector<RegistryHistory> histories_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace chaos
