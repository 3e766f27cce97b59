/// Sets the faults of a scenario going in one world, at their times, and keeps book of them.
///
/// Each injection writes FaultInjected (subject Fault/NAME, no cause: it is a root); what follows from it is caused by that. Its end writes
/// FaultEnded. One that matches nothing writes FaultNotInjected.
/// Checked by: tests/chaos/faults_test.cpp, mended_test.cpp.
#pragma once

#include <deque>
#include <functional>
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

  /// Before the world starts, after start(): keeps the places in the order of events of `count` more faults, whose times are not known yet.
  void reserve(std::size_t count);
  /// Takes reserved place `place` (from 0; each once, in the order of their times): injects `spec` at its time, which nothing pending comes before.
  /// The run is then, event by event, the run in which `spec` followed the schedule's own faults from the start. Not for a kind that foresees, and
  /// not for one that is repeated.
  void inject_reserved(const std::shared_ptr<const FaultSpec>& spec, std::size_t place);
  /// What is left of the reserved places is given back.
  void release_reserved();

  struct Occurrence;
  /// A fault whose time somebody else decides (failure processes, calendars): now, under `cause`. `finished` is called when a kind that works is done.
  /// Null when nothing matched, or when the kind is over in an instant.
  Occurrence* inject_now(std::shared_ptr<const FaultSpec> spec, std::string name, CauseId cause, std::function<void(bool failed)> finished = {});
  void end_now(Occurrence& occurrence, std::string outcome);

  /// In the order of injection.
  std::vector<FaultRun> runs() const;
  FaultEnvironment& environment() { return environment_; }

  struct Occurrence {
    const FaultSpec* spec = nullptr;
    std::vector<std::string> targets;
    SimTime ends_at = SimTime::max();  // of the timer
    FaultRun run;
    Lasting lasting = Lasting::kInstant;
    std::unique_ptr<Injection> injection;
    sim::Timer end;
    std::shared_ptr<const FaultSpec> kept;  // of inject_now()
    std::function<void(bool failed)> finished;
  };

 private:
  void plan(const std::shared_ptr<const FaultSpec>& spec, std::int64_t number);
  void inject(const FaultSpec& spec, std::int64_t number);
  void inject(const FaultSpec& spec, Occurrence& occurrence, std::string name, CauseId cause, SimTime mended_at);
  void release(Occurrence& occurrence);
  void end_at(Occurrence& occurrence, SimTime when, std::string outcome);
  /// Looks at what somebody has been told since it last looked.
  void look_at_messages();
  CauseId ended(Occurrence& occurrence, std::string outcome, bool failed);

  sim::World& world_;
  std::vector<std::shared_ptr<const FaultSpec>> faults_;
  FaultEnvironment environment_;
  struct Reserved {
    sim::TimerId placeholder;
    std::uint64_t sequence = 0;
  };
  std::vector<Reserved> reserved_;
  std::deque<Occurrence> occurrences_;  // a deque: timers and callbacks refer to its elements
  /// What is known of before it comes.
  struct Foreseen {
    std::shared_ptr<const FaultSpec> spec;
    std::vector<std::string> targets;
    SimTime mended_at = SimTime::max();
    bool averted = false;
  };
  std::vector<Foreseen> foreseen_;
  std::size_t messages_seen_ = 0;
};

/// "Node/w1, Node/w2 and 5 more".
std::string shortened(const std::vector<std::string>& subjects);

}  // namespace chaos
