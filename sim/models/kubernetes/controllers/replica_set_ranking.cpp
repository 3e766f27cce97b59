#include "sim/models/kubernetes/controllers/replica_set_ranking.hpp"

#include <algorithm>
#include <bit>

namespace sim::k8s {

namespace {

/// floor(log2(age in ns)); -1 for no age. Pods whose ages are in one bucket count as equally old.
int age_bucket(SimTime since, SimTime now) {
  const std::int64_t age = (now - since).count();
  return age <= 0 ? -1 : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(age))) - 1;
}

struct Restarts {
  std::uint32_t regular = 0;
  std::uint32_t sidecar = 0;
};

Restarts restarts_of(const Pod& pod) {
  Restarts most;
  for (const ContainerStatus& status : pod.containers) most.regular = std::max(most.regular, status.restart_count);
  for (std::size_t i = 0; i < pod.init_containers.size() && i < pod.spec->init_containers.size(); ++i) {
    if (pod.spec->init_containers[i].is_sidecar) most.sidecar = std::max(most.sidecar, pod.init_containers[i].restart_count);
  }
  return most;
}

}  // namespace

bool dies_before(const RankedPod& a, const RankedPod& b, SimTime now) {
  const bool a_bound = static_cast<bool>(a.pod->node_name);
  const bool b_bound = static_cast<bool>(b.pod->node_name);
  if (a_bound != b_bound) return !a_bound;
  const bool a_pending = a.pod->phase == PodPhase::kPending;
  const bool b_pending = b.pod->phase == PodPhase::kPending;
  if (a_pending != b_pending) return a_pending;
  if (a.pod->ready != b.pod->ready) return !a.pod->ready;
  if (a.deletion_cost != b.deletion_cost) return a.deletion_cost < b.deletion_cost;
  if (a.rank != b.rank) return a.rank > b.rank;
  if (a.pod->ready && a.pod->ready_since != b.pod->ready_since) {
    const int a_age = age_bucket(a.pod->ready_since, now);
    const int b_age = age_bucket(b.pod->ready_since, now);
    return a_age != b_age ? a_age < b_age : a.tie_break < b.tie_break;
  }
  const Restarts a_restarts = restarts_of(*a.pod);
  const Restarts b_restarts = restarts_of(*b.pod);
  if (a_restarts.regular != b_restarts.regular) return a_restarts.regular > b_restarts.regular;
  if (a_restarts.sidecar != b_restarts.sidecar) return a_restarts.sidecar > b_restarts.sidecar;
  if (a.pod->meta.created != b.pod->meta.created) {
    const int a_age = age_bucket(a.pod->meta.created, now);
    const int b_age = age_bucket(b.pod->meta.created, now);
    return a_age != b_age ? a_age < b_age : a.tie_break < b.tie_break;
  }
  return a.tie_break < b.tie_break;
}

}  // namespace sim::k8s
