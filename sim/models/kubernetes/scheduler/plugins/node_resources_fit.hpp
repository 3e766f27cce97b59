/// NodeResourcesFit: what a pod requests must be free; the emptier node (LeastAllocated over cpu and memory) scores more.
///
/// Source: framework/plugins/noderesources/{fit,least_allocated,resource_allocation}.go (reference kubernetes 1.6).
///         Other scoring strategies: scheduling_profile.hpp.
/// Leaves out: resources handed to DRA, in-place resize.
/// Checked by: tests/models/kubernetes/scheduler/plugins_test.cpp, scheduling_profile_test.cpp.
#pragma once

#include <vector>

#include "sim/models/kubernetes/scheduler/cluster_event.hpp"

namespace sim::k8s::scheduling {

struct SchedulingProfile;  // scheduling_profile.hpp

class NodeResourcesFit {
 public:
  explicit NodeResourcesFit(Interner& names);
  /// Says which extended resources are ignored; null: none. It must outlive the next call.
  void set_profile(const SchedulingProfile* profile) { profile_ = profile; }

  /// Unresolvable when a request alone is more than the node's allocatable.
  StatusId filter(const PodSpec& pod, const Resources& allocatable, const NodeLoad& load, StatusTable& statuses, const Interner& names);
  /// LeastAllocated, 0 to 100. Counts 100m and 200 MiB for containers that request nothing, and ignores pod-level requests.
  static std::int64_t score(const PodSpec& pod, const Resources& allocatable, const NodeLoad& load);

  static constexpr ActionSet kEvents = Action::kPodDelete | Action::kNodeAdd | Action::kNodeAllocatable | Action::kNodeTaint;
  static bool is_worth_retrying(const PodInfo& pod, const ClusterEvent& event);

 private:
  bool is_ignored(Symbol resource, const Interner& names) const;

  const SchedulingProfile* profile_ = nullptr;
  Symbol pods_, cpu_, memory_, ephemeral_storage_;
  std::vector<Symbol> lacking_;  // scratch: no allocation per node
};

}  // namespace sim::k8s::scheduling
