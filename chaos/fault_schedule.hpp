/// Sets the faults of a scenario going in one world, at their times, and keeps book of them.
///
/// Each injection writes FaultInjected (subject Fault/NAME, no cause: it is a root); what follows from it is caused by that. Its end writes
/// FaultEnded. One that matches nothing writes FaultNotInjected.
/// Checked by: tests/chaos/faults_test.cpp.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "chaos/fault.hpp"
#include "chaos/verdict.hpp"

namespace chaos {

class FaultSchedule {
 public:
  /// The specs outlive it.
  FaultSchedule(sim::World& world, std::vector<std::shared_ptr<const FaultSpec>> faults,
                std::map<std::string, std::vector<std::string>> pools);
  /// Before the world starts to run; at time 0.
  void start();

  /// In the order of injection.
  std::vector<FaultRun> runs() const;
  FaultEnvironment& environment() { return environment_; }

 private:
  struct Occurrence {
    FaultRun run;
    Lasting lasting = Lasting::kInstant;
    std::unique_ptr<Injection> injection;
    sim::Timer end;
  };
  void plan(const std::shared_ptr<const FaultSpec>& spec, std::int64_t number);
  void inject(const FaultSpec& spec, std::int64_t number);
  void release(Occurrence& occurrence);
  CauseId ended(Occurrence& occurrence, std::string outcome, bool failed);

  sim::World& world_;
  std::vector<std::shared_ptr<const FaultSpec>> faults_;
  FaultEnvironment environment_;
  std::deque<Occurrence> occurrences_;  // a deque: timers and callbacks refer to its elements
};

/// "Node/w1, Node/w2 and 5 more".
std::string shortened(const std::vector<std::string>& subjects);

}  // namespace chaos
