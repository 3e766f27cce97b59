/// A changed spec, whoever brings it: a client of the API server, or a manifest that is applied. The new object's spec becomes the old one's, which keeps its
/// status and its selector (a workload's cannot be changed). An unchanged template stays the one that pods were made of.
#pragma once

#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::k8s {

void take_spec(Deployment& to, const Deployment& from);
void take_spec(ReplicaSet& to, const ReplicaSet& from);
void take_spec(StatefulSet& to, const StatefulSet& from);
void take_spec(DaemonSet& to, const DaemonSet& from);
void take_spec(CronJob& to, const CronJob& from);
void take_spec(PodDisruptionBudget& to, const PodDisruptionBudget& from);

}  // namespace sim::k8s
