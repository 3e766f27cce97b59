/// What hits members of the control plane, named by their nodes.
#pragma once

#include <string>
#include <vector>

#include "chaos/target.hpp"

namespace chaos {

/// Says what is wrong with a target whose nodes should carry a process of the control plane: of named nodes each one, of a pool or selector one is enough.
void check_members(const NodeTarget& target, std::string_view what, FaultEnvironment& environment, Problems& problems);

class MemberInjection : public NodeInjection {
 public:
  /// `what` is hit on each: "etcd".
  MemberInjection(InjectionContext context, const NodeTarget& target, std::string what);
  std::vector<std::string> targets() const override;  // "etcd/cp-1"

 protected:
  std::string what_;
  std::vector<std::size_t> members_;
};

}  // namespace chaos
