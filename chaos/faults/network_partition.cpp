/// network-partition: nodes that the rest cannot reach, and the other way round, while they run on.
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct NetworkPartition : FaultSpec {
  NodeTarget target;
  bool each_alone = false;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override { target.check(environment, problems); }
};

void describe(Fields<NetworkPartition>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long; without it, for ever.");
  fields.add("target", &NetworkPartition::target, "The nodes on the far side.").required()
      .choice("isolate", &NetworkPartition::each_alone, std::vector<std::pair<std::string, bool>>{{"together", false}, {"each", true}},
              "together: they reach each other, but not the rest. each: every one is alone.");
}

class NetworkPartitionInjection : public NodeInjection {
 public:
  NetworkPartitionInjection(InjectionContext context, const NetworkPartition& spec) : NodeInjection(std::move(context), spec.target), spec_(spec) {}

  void inject() override {
    std::uint32_t number = context_.environment.new_partition();
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      if (spec_.each_alone && i > 0) number = context_.environment.new_partition();
      numbers_.push_back(number);
      context_.environment.enter_partition(hosts_[i], number);
    }
  }
  void end() override {
    for (std::size_t i = 0; i < hosts_.size(); ++i) context_.environment.leave_partition(hosts_[i], numbers_[i]);
  }

 private:
  const NetworkPartition& spec_;
  std::vector<std::uint32_t> numbers_;  // by host
};

std::unique_ptr<Injection> NetworkPartition::make(InjectionContext context) const {
  return std::make_unique<NetworkPartitionInjection>(std::move(context), *this);
}

}  // namespace

void add_network_partition(FaultKinds& kinds) {
  kinds.add<NetworkPartition>("network-partition", "Nodes that run on, but that the others do not reach.");
}

}  // namespace chaos
