/// disk-fill: files that no pod owns fill the first disk of some nodes: an audit log without rotation, core dumps, a backup that somebody forgot. No eviction
/// gives that room back.
///
/// Source: reference kubernetes 3.9 (the signals), 4.16 (etcd writes or dies).
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

enum class AtEnd : std::uint8_t { kRemoved, kKept };

struct DiskFill : FaultSpec {
  NodeTarget target;
  std::int64_t amount = 0;  // at once
  double rate = 0.0;        // bytes per second
  std::int64_t up_to = 0;
  AtEnd at_end = AtEnd::kRemoved;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
    if (amount <= 0 && rate <= 0.0) problems.error("nothing fills: give 'amount', or 'rate'");
    if (up_to > 0 && rate <= 0.0) problems.error("'upTo' says nothing without 'rate'");
    if (up_to > 0 && up_to < amount) problems.error("'upTo' is less than 'amount'");
  }
};

void describe(Fields<DiskFill>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "After it nothing more is written, and somebody cleans up (see atEnd). Without it, for ever.");
  fields.add("target", &DiskFill::target, "Which nodes.").required()
      .bytes("amount", &DiskFill::amount, "What is there at once, for example 50Gi.")
      .bytes_per_second("rate", &DiskFill::rate, "How fast it grows, for example 20Mi/s.")
      .bytes("upTo", &DiskFill::up_to, "It grows no further than this.")
      .default_text("until the disk is full")
      .choice("atEnd", &DiskFill::at_end, {{"removed", AtEnd::kRemoved}, {"kept", AtEnd::kKept}}, "What becomes of the files when the fault ends.");
}

class DiskFillInjection : public NodeInjection {
 public:
  DiskFillInjection(InjectionContext context, const DiskFill& spec) : NodeInjection(std::move(context), spec.target), spec_(spec) {}
  void inject() override {
    for (const sim::k8s::Ref<sim::k8s::Node> node : nodes_) {
      numbers_.push_back(world().kubelets.fill_disk(node, spec_.amount, spec_.rate, spec_.up_to));
    }
  }
  void end() override {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (spec_.at_end == AtEnd::kRemoved) world().kubelets.clear_disk(nodes_[i], numbers_[i]);
      else world().kubelets.stop_filling_disk(nodes_[i], numbers_[i]);
    }
  }

 private:
  const DiskFill& spec_;
  std::vector<std::uint64_t> numbers_;  // of each node's files
};

std::unique_ptr<Injection> DiskFill::make(InjectionContext context) const {
  return std::make_unique<DiskFillInjection>(std::move(context), *this);
}

}  // namespace

void add_disk_fill(FaultKinds& kinds) {
  kinds.add<DiskFill>("disk-fill", "Files that no pod owns fill the disk of nodes: logs without rotation, core dumps, a forgotten backup.");
}

}  // namespace chaos
