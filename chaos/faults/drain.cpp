/// drain: kubectl drain of some nodes, all at the same time; its work is done when every pod that was to go is gone.
///
/// With a duration the nodes are uncordoned when it is over; a drain that still goes on then is broken off.
#include <fmt/format.h>

#include <memory>

#include "chaos/faults/drain_fields.hpp"
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"
#include "sim/models/kubernetes/controllers/drain.hpp"

namespace chaos {
namespace {

using sim::k8s::Drain;
using sim::k8s::DrainResult;
using sim::k8s::Node;
using sim::k8s::Ref;
using sim::scenario::Fields;

struct DrainFault : FaultSpec {
  NodeTarget target;
  DrainFields drain;

  Lasting lasting() const override { return Lasting::kWork; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override { target.check(environment, problems); }
};

void describe(Fields<DrainFault>& fields) {
  describe_schedule(fields);
  fields.add("duration", &FaultSpec::duration, "When it is over the nodes are uncordoned; without it they stay cordoned.");
  fields.add("target", &DrainFault::target, "Which nodes; all of them at the same time.").required()
      .add("drain", &DrainFault::drain, "Options of kubectl drain.");
}

class DrainInjection : public NodeInjection {
 public:
  DrainInjection(InjectionContext context, const DrainFault& spec) : NodeInjection(std::move(context), spec.target), spec_(spec) {}

  void inject() override {
    running_ = nodes_.size();
    for (Ref<Node> node : nodes_) {
      context_.environment.hold(FaultEnvironment::Held::kCordon, {node.slot, node.generation});
      drains_.push_back(std::make_unique<Drain>(world().api, node, spec_.drain.options()));
      drains_.back()->start([this](const DrainResult& result) { ended(result); });
    }
  }
  void end() override {
    drains_.clear();
    for (Ref<Node> node : nodes_) {
      if (!context_.environment.release(FaultEnvironment::Held::kCordon, {node.slot, node.generation})) continue;
      context_.environment.when_writable(alive_, [this, node] { sim::k8s::uncordon(world().api, node, "end of fault " + context_.name); });
    }
  }

 private:
  void ended(const DrainResult& result) {
    if (result.outcome != DrainResult::Outcome::kDone) {
      ++failed_;
      if (first_failure_.empty()) first_failure_ = describe_result(world(), result);
    }
    if (--running_ > 0) return;
    if (failed_ == 0) {
      finished(false, "done");
    } else {
      finished(true, fmt::format("{} of {} nodes not drained: {}", failed_, nodes_.size(), first_failure_));
    }
  }

  const DrainFault& spec_;
  std::vector<std::unique_ptr<Drain>> drains_;
  std::size_t running_ = 0;
  std::size_t failed_ = 0;
  std::string first_failure_;
};

std::unique_ptr<Injection> DrainFault::make(InjectionContext context) const {
  return std::make_unique<DrainInjection>(std::move(context), *this);
}

}  // namespace

void add_drain(FaultKinds& kinds) {
  kinds.add<DrainFault>("drain", "kubectl drain: nodes are cordoned and their pods evicted, as their budgets allow.");
}

}  // namespace chaos
