/// fault-completes: a fault that has work to do (a drain, a maintenance) does all of it, in time. Of a fault that lasts: it has ended.
#include <fmt/format.h>

#include <algorithm>

#include "chaos/checks/check_files.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct FaultCompletes : Expectation {
  std::string fault;
  std::optional<SimDuration> within;

  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  void check(const Preview& preview, Problems& problems) const override {
    if (std::find(preview.fault_names.begin(), preview.fault_names.end(), fault) == preview.fault_names.end()) {
      problems.unknown("fault", fault, preview.fault_names);
    }
  }
};

void describe(Fields<FaultCompletes>& fields) {
  fields.add("fault", &FaultCompletes::fault, "Name of the fault. Of a repeated one, every injection counts.").required()
      .add("within", &FaultCompletes::within, "At most this long after its injection. Without it: before the end of the run.");
}

class FaultCompletesCheck : public Check {
 public:
  explicit FaultCompletesCheck(const FaultCompletes& spec) : spec_(spec) {}

  void judge(const Judgement& run, ExpectationResult& result) override {
    result.subject = "Fault/" + spec_.fault;
    Measure open = count("unfinished");
    Measure failed = count("failed");
    Measure longest;
    longest.name = "within";
    longest.unit = Unit::kSeconds;
    longest.comparison = Comparison::kAtMost;
    longest.bound = spec_.within ? sim::seconds(*spec_.within) : 0.0;
    SimDuration most{};
    bool any = false;
    for (const FaultRun& fault : run.faults) {
      if (fault.name != spec_.fault && !fault.name.starts_with(spec_.fault + "#")) continue;
      any = true;
      if (fault.failed) add(failed, fault.ended.value_or(run.ended), fault.cause);
      if (!fault.ended) add(open, run.ended, fault.cause);
      const SimDuration length = fault.ended.value_or(run.ended) - fault.injected;
      if (length <= most) continue;
      most = length;
      longest.cause = fault.cause;
      if (spec_.within && length > *spec_.within && !longest.first_violation) longest.first_violation = fault.injected + *spec_.within;
    }
    if (!any) {
      result.not_judged = "the fault was not injected before the end of the run";
      return;
    }
    result.measures.push_back(failed);
    if (!spec_.within) {
      result.measures.push_back(open);
      return;
    }
    longest.measured = sim::seconds(most);
    longest.held = most <= *spec_.within;
    if (!longest.held) longest.excess = longest.measured - longest.bound;
    // Not over yet, and its time not either: nobody knows.
    if (longest.held && !open.held) result.measures.push_back(open);
    result.measures.push_back(longest);
  }

 private:
  static Measure count(std::string name) {
    Measure measure;
    measure.name = std::move(name);
    measure.unit = Unit::kCount;
    measure.comparison = Comparison::kAtMost;
    return measure;
  }
  static void add(Measure& measure, SimTime at, CauseId cause) {
    measure.measured += 1.0;
    measure.excess += 1.0;
    measure.held = false;
    if (!measure.first_violation) {
      measure.first_violation = at;
      measure.cause = cause;
    }
  }
  const FaultCompletes& spec_;
};

std::unique_ptr<Check> FaultCompletes::make(sim::World&, SimTime) const { return std::make_unique<FaultCompletesCheck>(*this); }

}  // namespace

void add_fault_completes(ExpectationKinds& kinds) {
  kinds.add<FaultCompletes>("fault-completes", "A drain, a maintenance or another fault is over, without failure and in time.");
}

}  // namespace chaos
