/// Schedules everything that is pending in an API server, at once: what fits, what stays Pending, and why.
///
/// The scheduler's own queue, hints and back-off decide the order; victims of a preemption vanish at once. The verdict of
/// a pod that stays Pending is that of its last attempt.
///
/// Claims are bound as if volumes could always be made, where anything says where volumes come from (ApiServer::has_storage()).
///
/// Source: reference kubernetes chapter 1. Leaves out: the time that all this takes; controllers that would replace victims.
/// Checked by: tests/models/kubernetes/scheduler/schedule_all_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/core/random.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/scheduler/scheduler.hpp"

namespace sim::k8s::scheduling {
class Cache;
class StatusTable;
struct CycleTrace;
struct Decision;
}  // namespace sim::k8s::scheduling

namespace sim::k8s {

struct PodFate {
  Ref<Pod> pod;         // stale when it was preempted
  Symbol ns;
  Symbol name;
  Symbol node;          // empty: Pending
  std::string message;  // of a pod that is Pending
  bool was_bound = false;   // its manifest said so
  bool was_preempted = false;
};

struct ScheduleResult {
  std::size_t nodes = 0;
  std::vector<PodFate> pods;  // in the order of creation; pods that have ended are not listed
  std::size_t scheduled = 0;  // bound ones included
  std::uint64_t cycles = 0;
};

/// Makes the pods that workloads ask for and that are not there yet: Deployments (with their ReplicaSet), ReplicaSets,
/// StatefulSets, Jobs (parallelism), and one pod per matching node for DaemonSets. Admission is that of the API server.
struct Expansion {
  std::size_t made = 0;
  std::vector<std::string> refused;  // by admission: "Deployment/default/web: no PriorityClass ..."
};
Expansion expand_workloads(ApiServer& api);

/// One scheduling cycle, as it is before its consequences: victims are still on their nodes.
struct ObservedCycle {
  Symbol ns;
  Symbol name;
  std::uint32_t attempt = 0;
  SimTime at{};
  const scheduling::Decision& decision;
  const scheduling::CycleTrace& trace;
  const scheduling::Cache& cache;
  const scheduling::StatusTable& statuses;
};

/// Binds what fits (pods in the API server get their node) and says what became of every pod. `observer` sees every cycle with all that the
/// plugins say, which costs several times the scheduling.
ScheduleResult schedule_all(ApiServer& api, const SchedulerConfig& config, const Randomness& random, const CycleObserver& observer = {});

}  // namespace sim::k8s
