#include "chaos/faults/member_injection.hpp"

#include <fmt/format.h>

namespace chaos {

void check_members(const NodeTarget& target, std::string_view what, FaultEnvironment& environment, Problems& problems) {
  target.check(environment, problems);
  if (problems.any()) return;
  sim::World& world = environment.world();
  if (world.control_plane.member_count() == 0 || world.control_plane.is_external()) {
    problems.error(fmt::format("there is no {} here: this scenario has no control-plane nodes", what));
    return;
  }
  sim::RandomStream unused;
  NodeTarget all = target;
  all.count.reset();
  all.leader_of.clear();
  if (!all.is_given()) return;
  bool any = false;
  for (const sim::k8s::Ref<sim::k8s::Node> node : all.resolve(environment, unused)) {
    const bool runs = member_on(world.control_plane, world.kubelets.host_of(node)).has_value();
    any = any || runs;
    if (runs || target.nodes.empty()) continue;
    problems.error(fmt::format("no {} runs on node '{}'", what, world.names.text(world.api.all<sim::k8s::Node>().at(node).meta.name)));
    return;
  }
  if (!any) problems.error(fmt::format("no {} runs on the target's nodes", what));
}

MemberInjection::MemberInjection(InjectionContext context, const NodeTarget& target, std::string what)
    : NodeInjection(std::move(context), target), what_(std::move(what)) {
  for (const sim::host::HostId host : hosts_) {
    if (const std::optional<std::size_t> member = member_on(world().control_plane, host)) members_.push_back(*member);
  }
}

std::vector<std::string> MemberInjection::targets() const {
  std::vector<std::string> subjects;
  for (const std::size_t member : members_) subjects.push_back(fmt::format("{}/{}", what_, world().hosts.spec(world().control_plane.member_host(member)).name));
  return subjects;
}

}  // namespace chaos
