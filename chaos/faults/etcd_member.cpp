/// etcd-member: what a person or a disk does to one member of etcd: a defragmentation that takes long, the loss of its data, or its leadership moved away.
///
/// - defragment: `etcdctl defrag` holds the member's reads and its apply for the duration. Raft goes on, so that it costs no leadership; the API server that asks this
///   member waits, fails its liveness probe after 72 to 82 s and is restarted. A defragmentation of 150 s and more: etcd's own liveness probe ends it.
/// - data-loss: its data directory is gone (a disk replaced, an installer too eager). Its process panics at every start until somebody removes the member and adds it
///   anew, at the end of the fault. Until then one member less counts.
/// - move-leader: `etcdctl move-leader`: without a leader for 20 to 100 ms.
///
/// Source:     etcd server/storage/backend/backend.go (defrag), server/etcdserver (apply), raft log.go (commitTo); reference platform 6.2, 6.3.
/// Leaves out: data loss of a majority (restored from a snapshot, objects go back in time): refused by name; changes of the quorum's size by a removed member.
/// Checked by: tests/chaos/control_plane_faults_test.cpp, tests/models/kubernetes/control_plane_faults_test.cpp.
#include <fmt/format.h>

#include <algorithm>

#include "chaos/faults/fault_files.hpp"
#include "chaos/faults/member_injection.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

enum class Action : std::uint8_t { kDefragment, kDataLoss, kMoveLeader };

struct EtcdMember : FaultSpec {
  NodeTarget target;
  Action action = Action::kDefragment;

  Lasting lasting() const override { return action == Action::kMoveLeader ? Lasting::kInstant : Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    check_members(target, "etcd", environment, problems);
    if (problems.any() || action != Action::kDataLoss) return;
    sim::RandomStream unused;
    if (!target.leader_of.empty()) return;  // one
    std::size_t count = 0;
    for (const sim::k8s::Ref<sim::k8s::Node> node : target.resolve(environment, unused)) {
      count += member_on(environment.world().control_plane, environment.world().kubelets.host_of(node)) ? 1 : 0;
    }
    if (count >= environment.world().control_plane.quorum_size()) {
      problems.error(fmt::format("not modelled: the loss of the data of {} of {} members: a majority is restored from a snapshot, and every object goes back in time", count,
                                 environment.world().control_plane.member_count()));
    }
  }
};

void describe(Fields<EtcdMember>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "Of defragment: how long it takes. Of data-loss: until somebody has removed the member and added it anew; without it, never.");
  fields.add("target", &EtcdMember::target, "Nodes with a member; of move-leader those to which it may go (with leaderOf: etcd, away from it).").required()
      .choice("action", &EtcdMember::action,
              std::vector<std::pair<std::string, Action>>{{"defragment", Action::kDefragment}, {"data-loss", Action::kDataLoss}, {"move-leader", Action::kMoveLeader}},
              "defragment: clients of the member wait. data-loss: it cannot start any more. move-leader: another one leads.")
      .required();
  fields.rule([](const EtcdMember& fault, sim::scenario::Node node, sim::scenario::Reader& reader) {
    if (fault.action == Action::kMoveLeader && fault.duration) reader.diagnostics.error(node.find("duration"), "action move-leader takes no time");
    if (fault.action == Action::kDefragment && !fault.duration) reader.diagnostics.error(node, "how long does the defragmentation take? give 'duration'");
  });
}

class EtcdMemberInjection : public MemberInjection {
 public:
  EtcdMemberInjection(InjectionContext context, const EtcdMember& spec) : MemberInjection(std::move(context), spec.target, "etcd"), spec_(spec) {}
  void inject() override {
    sim::k8s::ControlPlane& plane = world().control_plane;
    if (spec_.action == Action::kMoveLeader) {
      const std::optional<std::size_t> leader = plane.leader(sim::k8s::Component::kEtcd);
      if (spec_.target.leader_of == "etcd") {
        plane.move_etcd_leader(std::nullopt);
        return;
      }
      // One of them that leads already keeps it.
      if (std::any_of(members_.begin(), members_.end(), [&](std::size_t member) { return member == leader; })) return;
      for (const std::size_t member : members_) {
        if (plane.move_etcd_leader(member)) return;
      }
      return;
    }
    for (const std::size_t member : members_) {
      context_.environment.hold(held(), {0, member});
      if (spec_.action == Action::kDefragment) plane.set_defragmenting(member, true);
      if (spec_.action == Action::kDataLoss) plane.lose_etcd_data(member);
    }
  }
  void end() override {
    sim::k8s::ControlPlane& plane = world().control_plane;
    for (const std::size_t member : members_) {
      if (!context_.environment.release(held(), {0, member})) continue;
      if (spec_.action == Action::kDefragment) plane.set_defragmenting(member, false);
      if (spec_.action == Action::kDataLoss) plane.rejoin_etcd(member);
    }
  }

 private:
  FaultEnvironment::Held held() const { return spec_.action == Action::kDefragment ? FaultEnvironment::Held::kDefragmentation : FaultEnvironment::Held::kEtcdData; }
  const EtcdMember& spec_;
};

std::unique_ptr<Injection> EtcdMember::make(InjectionContext context) const { return std::make_unique<EtcdMemberInjection>(std::move(context), *this); }

}  // namespace

void add_etcd_member(FaultKinds& kinds) { kinds.add<EtcdMember>("etcd-member", "A member of etcd defragments its database, loses its data, or hands its leadership over."); }

}  // namespace chaos
