/// Which pods of a ReplicaSet are deleted first when there are too many.
///
/// Source: pkg/controller/controller_utils.go ActivePodsWithRanks.Less, podutil.IsPodReady (reference chapter 2.2).
/// Leaves out: phase Unknown. Equal pods are told apart by a random number of the pod's own in place of its UID, which is random in Kubernetes.
/// Checked by: tests/models/kubernetes/controllers/replica_set_test.cpp.
#pragma once

#include <cstdint>

#include "sim/core/time.hpp"
#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::k8s {

struct RankedPod {
  Ref<Pod> ref;
  const Pod* pod = nullptr;
  std::int64_t deletion_cost = 0;  // annotation controller.kubernetes.io/pod-deletion-cost
  std::int64_t rank = 0;           // active pods of the same controller's ReplicaSets on its node
  std::uint64_t tie_break = 0;
};

/// A strict weak order at the instant `now`.
bool dies_before(const RankedPod& a, const RankedPod& b, SimTime now);

}  // namespace sim::k8s
