/// What always looks on, whether or not anything is expected: services, nodes, the control plane, pods that wait; and the outages,
/// figures and lanes that come of it.
///
/// Everything is noted when it changes; nothing polls. Causes are those that were current at the change.
/// Checked by: tests/chaos/outages_test.cpp.
#pragma once

#include "chaos/outages/ceph_observer.hpp"
#include "chaos/outages/control_plane_observer.hpp"
#include "chaos/outages/node_observer.hpp"
#include "chaos/outages/pending_observer.hpp"
#include "chaos/outages/registry_observer.hpp"
#include "chaos/outages/platform_observer.hpp"
#include "chaos/outages/replicas_observer.hpp"
#include "chaos/outages/service_observer.hpp"
#include "chaos/outages/summary.hpp"
#include "chaos/outages/traffic_history.hpp"
#include "chaos/verdict.hpp"
#include "sim/models/world.hpp"

namespace chaos {

class Observers {
 public:
  Observers(sim::World& world, SimDuration pending_threshold);
  /// Before World::start(): so that nothing is missed.
  void start();
  /// After World::start(), at the same instant.
  void world_started() {
    control_plane_.look();
    nodes_.look();
    ceph_.look();
    registries_.look();
  }

  const ServiceObserver& services() const { return services_; }
  const NodeObserver& nodes() const { return nodes_; }
  const ControlPlaneObserver& control_plane() const { return control_plane_; }
  const PendingObserver& pending() const { return pending_; }
  const CephObserver& ceph() const { return ceph_; }
  const RegistryObserver& registries() const { return registries_; }
  const PlatformObserver& platform() const { return platform_; }
  const ReplicasObserver& replicas() const { return replicas_; }
  sim::World& world() const { return world_; }

 private:
  sim::World& world_;
  ServiceObserver services_;
  NodeObserver nodes_;
  ControlPlaneObserver control_plane_;
  PendingObserver pending_;
  CephObserver ceph_;
  RegistryObserver registries_;
  PlatformObserver platform_;
  ReplicasObserver replicas_;
};

/// From when on a service counts: the end of the warm-up; without one, when it first served (what starts is not out). Later if it
/// was created later. Empty: it does not count at all (no selector, or it never had a pod behind it).
std::optional<SimTime> counts_from(const ServiceHistory& service, SimTime warm_up_end);

/// Fills outages, figures, lanes (of what is observed) and counts of `verdict`.
void summarize(const Observers& observers, const SummaryOptions& options, Verdict& verdict);

/// Leaves at most so many: of each kind its worst, then the worst of all. Returns how many it took away.
std::size_t keep_worst(std::vector<Outage>& outages, std::size_t most);

/// One system each, in its own file.
void summarize_control_plane(const ControlPlaneObserver& observer, const SummaryOptions& options, Verdict& verdict);
void summarize_ceph(const CephObserver& observer, const SummaryOptions& options, Verdict& verdict);
void summarize_registries(const RegistryObserver& observer, const SummaryOptions& options, Verdict& verdict);
void summarize_platform(const PlatformObserver& observer, const SummaryOptions& options, Verdict& verdict);
void summarize_traffic(const sim::World& world, const SummaryOptions& options, Verdict& verdict);
void summarize_services(const ServiceObserver& observer, const sim::Interner& names, const SummaryOptions& options, Verdict& verdict);
void summarize_nodes(const NodeObserver& observer, const sim::Interner& names, const SummaryOptions& options, Verdict& verdict);
void summarize_replicas(const ReplicasObserver& observer, const sim::Interner& names, const SummaryOptions& options, Verdict& verdict);
void summarize_pending(const PendingObserver& observer, const sim::Interner& names, const SummaryOptions& options, Verdict& verdict);

/// The parts of it, pure functions of the histories.
std::vector<Outage> service_outages(const ServiceHistory& service, const std::string& subject, const SummaryOptions& options);
AvailabilityStats service_stats(const ServiceHistory& service, const std::string& subject, const SummaryOptions& options);
Lane service_lane(const ServiceHistory& service, const std::string& subject, SimTime end);
std::vector<Outage> node_outages(const NodeHistory& node, const std::string& subject, const SummaryOptions& options);
Lane node_lane(const NodeHistory& node, const std::string& subject, SimTime end);

}  // namespace chaos
