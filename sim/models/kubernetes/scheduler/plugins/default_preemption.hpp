/// DefaultPreemption: which pods of lower priority would have to go so that this one fits, and on which node that hurts least.
///
/// Source: framework/plugins/defaultpreemption/default_preemption.go, framework/preemption/preemption.go, util/utils.go
///         (reference kubernetes 1.7).
/// Leaves out: extenders, pod groups. Nodes are tried one after the other from a random offset (16 at a time in the real
///             scheduler, which may therefore look at a few more); a last tie goes to the first name (random there).
/// Checked by: tests/models/kubernetes/scheduler/preemption_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/random.hpp"
#include "sim/models/kubernetes/scheduler/cache.hpp"

namespace sim::k8s::scheduling {

/// What a dry run needs of the scheduling cycle: the pod's filters, with pods of a node taken off and put back.
class DryRun {
 public:
  virtual ~DryRun() = default;
  virtual void begin(NodeIndex node) = 0;
  virtual void take_off(PodSlot victim) = 0;
  virtual void put_back(PodSlot victim) = 0;
  virtual StatusId filter() = 0;
  /// Leaves the node and the filters' state as they were at begin().
  virtual void end() = 0;
};

/// A node where pods of lower priority could make room.
struct PreemptionCandidate {
  NodeIndex node = kNoNode;
  Symbol name;
  std::vector<PodSlot> victims;
  std::int64_t budget_violations = 0;
};

struct Preemption {
  NodeIndex node = kNoNode;      // none: nobody is preempted
  std::vector<PodSlot> victims;  // the more important first
  std::string message;           // why not, as it stands behind "preemption: "
  bool clears_nomination = false;
  std::size_t offset = 0;                       // where the dry run began, a random draw
  std::vector<PreemptionCandidate> candidates;  // in the order of the dry run
};

class DefaultPreemption {
 public:
  explicit DefaultPreemption(const Cache& cache) : cache_(cache) {}

  /// `failed` are the verdicts of the cycle, in the order of visits.
  Preemption run(const PodInfo& pod, const std::vector<std::pair<NodeIndex, StatusId>>& failed, const StatusTable& statuses, DryRun& dry_run,
                 RandomStream random, SimTime now) const;

  /// minCandidateNodesPercentage and minCandidateNodesAbsolute.
  void set_candidates(std::int64_t percent, std::int64_t min) {
    candidates_percent_ = percent;
    candidates_min_ = min;
  }
  std::int64_t candidates_wanted(std::int64_t nodes) const;
  const PreemptionCandidate& pick(const std::vector<PreemptionCandidate>& candidates, SimTime now) const;
  /// Of one node, between begin() and end(): kFits when the pod fits without `into.victims`.
  StatusId select_victims(const PodInfo& pod, NodeIndex node, DryRun& dry_run, SimTime now, PreemptionCandidate& into) const;

 private:
  bool is_more_important(PodSlot a, PodSlot b, SimTime now) const;
  std::optional<SimTime> start_of(PodSlot slot) const;
  /// Splits pods, the important ones first, into those whose eviction would break a budget and the others.
  void split_by_budget(const std::vector<PodSlot>& pods, std::vector<PodSlot>& violating, std::vector<PodSlot>& others) const;

  const Cache& cache_;
  std::int64_t candidates_percent_ = 10;
  std::int64_t candidates_min_ = 100;
};

}  // namespace sim::k8s::scheduling
