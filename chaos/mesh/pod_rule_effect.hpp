/// An effect that is one rule of the pod network for each target: it holds from the injection until it is taken back.
///
/// Checked by: tests/chaos/mesh_test.cpp (DNSChaos, HTTPChaos).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "chaos/mesh/cluster.hpp"
#include "sim/models/network/pod_network.hpp"
#include "sim/models/world.hpp"

namespace chaos::mesh {

class PodRuleEffect : public Effect {
 public:
  using Effect::Effect;
  std::string apply(const Target& target, const std::vector<Target>&) override {
    if (std::string why = not_running(world(), target); !why.empty()) return why;
    rules_[target.id] = begin(target);
    return {};
  }
  void recover(const Target& target) override {
    const auto found = rules_.find(target.id);
    if (found == rules_.end()) return;
    world().network_of_pods().remove(found->second);
    rules_.erase(found);
  }

 private:
  virtual sim::network::PodNetwork::Id begin(const Target& target) = 0;

  std::map<std::string, sim::network::PodNetwork::Id> rules_;  // by the target's id
};

}  // namespace chaos::mesh
