/// disk-slow: the disk of an etcd member gets slower by a factor. Over the election timeout that costs leadership; below it, only time.
///
/// Source: reference platform 6.4 (fsync and the leader's election timeout).
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct DiskSlow : FaultSpec {
  NodeTarget target;
  double factor = 10.0;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
    if (problems.any() || !target.leader_of.empty()) return;
    sim::World& world = environment.world();
    sim::RandomStream unused;
    NodeTarget all = target;
    all.count.reset();
    for (sim::k8s::Ref<sim::k8s::Node> node : all.resolve(environment, unused)) {
      if (member_on(world.control_plane, world.kubelets.host_of(node))) return;
    }
    problems.error("no etcd member runs on the target's nodes; other disks are not modelled");
  }
};

void describe(Fields<DiskSlow>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long; without it, for ever.");
  fields.add("target", &DiskSlow::target, "Nodes with an etcd member.").required()
      .add("factor", &DiskSlow::factor, 1.0, 1e6, "How many times longer each fsync takes.");
}

class DiskSlowInjection : public NodeInjection {
 public:
  DiskSlowInjection(InjectionContext context, const DiskSlow& spec) : NodeInjection(std::move(context), spec.target), spec_(spec) {
    for (sim::host::HostId host : hosts_) {
      if (const std::optional<std::size_t> member = member_on(world().control_plane, host)) members_.push_back(*member);
    }
  }
  std::vector<std::string> targets() const override {
    std::vector<std::string> subjects;
    for (std::size_t member : members_) subjects.push_back("etcd/" + world().hosts.spec(world().control_plane.member_host(member)).name);
    return subjects;
  }
  void inject() override {
    for (std::size_t member : members_) context_.environment.slow_disk(member, spec_.factor, false);
  }
  void end() override {
    for (std::size_t member : members_) context_.environment.slow_disk(member, spec_.factor, true);
  }

 private:
  const DiskSlow& spec_;
  std::vector<std::size_t> members_;
};

std::unique_ptr<Injection> DiskSlow::make(InjectionContext context) const {
  return std::make_unique<DiskSlowInjection>(std::move(context), *this);
}

}  // namespace

void add_disk_slow(FaultKinds& kinds) {
  kinds.add<DiskSlow>("disk-slow", "The disk of an etcd member is slower by a factor.");
}

}  // namespace chaos
