/// Whether each service of the platform answers, whether each operation can be done, how many VMs run and can be reached, over time.
///
/// Checked by: tests/chaos/services_test.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chaos/outages/signal.hpp"
#include "sim/models/world.hpp"

namespace chaos {

struct PlatformHistory {
  std::string name;
  Signal up;      // 1 while it answers (can be done)
  Signal fully;   // 0 while it answers, but not as it should
  std::optional<SimTime> first_up;
};
struct VmHistory {
  std::string name;
  Signal running;    // share of its VMs
  Signal reachable;  // ... from outside
};

class PlatformObserver {
 public:
  explicit PlatformObserver(sim::World& world);
  PlatformObserver(const PlatformObserver&) = delete;
  PlatformObserver& operator=(const PlatformObserver&) = delete;
  /// Hears of every change from now on. Nothing happens in a world without services.
  void start();

  const std::vector<PlatformHistory>& services() const { return services_; }
  const std::vector<PlatformHistory>& operations() const { return operations_; }
  const std::vector<VmHistory>& vms() const { return vms_; }
  const PlatformHistory* service(std::string_view name) const;
  const PlatformHistory* operation(std::string_view name) const;
  const VmHistory* vms(std::string_view name) const;
  /// From when on it counts: the end of the warm-up; without one, when it was first there (what starts is not out).
  static SimTime counts_from(const PlatformHistory& history, SimTime warm_up_end);

 private:
  void note(PlatformHistory& history, bool up, bool fully);
  sim::World& world_;
  std::vector<PlatformHistory> services_;
  std::vector<PlatformHistory> operations_;
  std::vector<VmHistory> vms_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace chaos
