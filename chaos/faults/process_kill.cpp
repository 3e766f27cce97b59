/// process-kill: a process of the control plane, or a kubelet, dies while its machine runs on.
///
/// Without a duration it is restarted as it would be: a component of the control plane by its kubelet (crash-loop back-off), a kubelet by systemd
/// after 10 s (Restart=always, RestartSec=10 of kubeadm's unit). With one, it stays dead for so long.
#include <fmt/format.h>

#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

using sim::k8s::Component;

constexpr SimDuration kSystemdRestart = std::chrono::seconds(10);

struct ProcessKill : FaultSpec {
  NodeTarget target;
  std::string component;

  bool is_kubelet() const { return component == "kubelet"; }
  Lasting lasting() const override { return duration ? Lasting::kState : Lasting::kInstant; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override {
    target.check(environment, problems);
    if (is_kubelet() || problems.any()) return;
    sim::World& world = environment.world();
    if (world.control_plane.member_count() == 0) {
      problems.error(fmt::format("there is no {} to kill: this scenario has no control-plane nodes", component));
      return;
    }
    // Of named nodes each must have it; of a pool or selector one is enough.
    sim::RandomStream unused;
    NodeTarget all = target;
    all.count.reset();
    all.leader_of.clear();
    if (!all.is_given()) return;
    bool any = false;
    for (sim::k8s::Ref<sim::k8s::Node> node : all.resolve(environment, unused)) {
      const bool runs = member_on(world.control_plane, world.kubelets.host_of(node)).has_value();
      any = any || runs;
      if (!runs && !target.nodes.empty()) {
        problems.error(fmt::format("no {} runs on node '{}'", component, world.names.text(world.api.all<sim::k8s::Node>().at(node).meta.name)));
        return;
      }
    }
    if (!any) problems.error(fmt::format("no {} runs on the target's nodes", component));
  }
};

void describe(Fields<ProcessKill>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "How long it stays dead; without it, it is restarted as on a real node (its kubelet's back-off; a kubelet after 10 s).");
  fields.add("target", &ProcessKill::target, "On which nodes.").required()
      .choice("component", &ProcessKill::component,
              std::vector<std::pair<std::string, std::string>>{{"etcd", "etcd"},
                                                               {"kube-apiserver", "kube-apiserver"},
                                                               {"kube-scheduler", "kube-scheduler"},
                                                               {"kube-controller-manager", "kube-controller-manager"},
                                                               {"kubelet", "kubelet"}},
              "Which process.").required();
}

class ProcessKillInjection : public NodeInjection {
 public:
  ProcessKillInjection(InjectionContext context, const ProcessKill& spec)
      : NodeInjection(std::move(context), spec.target), spec_(spec), component_(parse_component(spec.component)) {
    if (!component_) return;
    for (sim::host::HostId host : hosts_) {
      if (const std::optional<std::size_t> member = member_on(world().control_plane, host)) members_.push_back(*member);
    }
  }
  std::vector<std::string> targets() const override {
    if (!component_) {
      std::vector<std::string> subjects;
      for (const std::string& node : NodeInjection::targets()) subjects.push_back("kubelet of " + node);
      return subjects;
    }
    std::vector<std::string> subjects;
    for (std::size_t member : members_) {
      subjects.push_back(fmt::format("{}/{}", spec_.component, world().hosts.spec(world().control_plane.member_host(member)).name));
    }
    return subjects;
  }
  void inject() override {
    if (!component_) {
      for (sim::k8s::Ref<sim::k8s::Node> node : nodes_) {
        if (spec_.duration) context_.environment.hold(FaultEnvironment::Held::kProcess, kubelet_of(node));
        world().kubelets.kill_kubelet(node, spec_.duration ? SimDuration::zero() : kSystemdRestart);
      }
      return;
    }
    for (std::size_t member : members_) {
      // SIGKILL in both cases: nothing is handed over (etcd's leadership, the scheduler's lease). With a duration it is also kept from coming back.
      world().control_plane.kill(*component_, member);
      if (!spec_.duration) continue;
      context_.environment.hold(FaultEnvironment::Held::kProcess, process_of(member));
      world().control_plane.stop(*component_, member);
    }
  }
  void end() override {
    if (!component_) {
      for (sim::k8s::Ref<sim::k8s::Node> node : nodes_) {
        if (context_.environment.release(FaultEnvironment::Held::kProcess, kubelet_of(node))) world().kubelets.restart_kubelet(node);
      }
      return;
    }
    for (std::size_t member : members_) {
      const bool is_free = context_.environment.release(FaultEnvironment::Held::kProcess, process_of(member));
      if (is_free) world().control_plane.start_component(*component_, member);
    }
  }

 private:
  static FaultEnvironment::HeldThing kubelet_of(sim::k8s::Ref<sim::k8s::Node> node) { return {sim::k8s::kComponentCount, node.slot}; }
  FaultEnvironment::HeldThing process_of(std::size_t member) const { return {static_cast<std::uint64_t>(*component_), member}; }

  const ProcessKill& spec_;
  std::optional<Component> component_;  // empty: the kubelet
  std::vector<std::size_t> members_;
};

std::unique_ptr<Injection> ProcessKill::make(InjectionContext context) const {
  return std::make_unique<ProcessKillInjection>(std::move(context), *this);
}

}  // namespace

void add_process_kill(FaultKinds& kinds) {
  kinds.add<ProcessKill>("process-kill", "A process of the control plane, or a kubelet, dies; its machine and everything else on it run on.");
}

}  // namespace chaos
