/// The virtual machines of tenants on compute nodes. They need nothing of the control plane to run on: they die with their machine, hang with their
/// volumes, cannot be reached while their gateway or their address is gone, and are brought back by somebody, or by an instance-HA service, once the
/// operation that this takes can be done.
///
/// They are counted, not simulated one by one: those of one host share its fate.
///
/// Records, subject "vms/NAME": VmsDied, VmsFrozen, VmsHang, VmsResumed, VmsStarted, VmsEvacuated, VmsUnreachable, VmsReachable, LeasesExpire, LeasesRenewed.
///
/// Source:     reference platform 7.5: VMs run on; a lease is renewed at half of its time (dhcp_lease_duration 86400); nova starts no guests by itself after
///             a boot (resume_guests_state_on_host_boot false).
/// Leaves out: what is inside a VM, its memory and CPU on the host, live migration, capacity of the hosts that take over, hosts that are fenced.
/// Checked by: tests/chaos/services_test.cpp.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/services/services.hpp"

namespace sim::services {

struct VmPoolConfig {
  std::string name;
  std::vector<host::HostId> hosts;
  std::int64_t per_host = 20;
  std::string volumes;    // what their disks need ("ceph-pool:vms"); empty: the host's own disk
  std::string gateway;    // what their traffic to the outside needs; empty: nothing
  std::string dhcp;       // who renews their addresses; empty: they are fixed
  SimDuration lease{std::chrono::hours(24)};
  std::string operation;  // that brings back what died ("start-vm", "evacuate"); empty: always possible
  bool start_on_boot = false;
  std::optional<SimDuration> start_after;     // a person starts them, so long after their host has booted
  std::optional<SimDuration> evacuate_after;  // started elsewhere, so long after their host died
};

struct VmCount {
  std::int64_t all = 0;
  std::int64_t running = 0;    // and not waiting for a volume
  std::int64_t hanging = 0;    // for a volume, or with their host
  std::int64_t dead = 0;
  std::int64_t reachable = 0;  // running, with network, gateway and address
};

class VirtualMachines {
 public:
  /// `services` may be null when nothing names any.
  VirtualMachines(Engine& engine, EventLog& log, host::Hosts& hosts, Services* services, std::vector<VmPoolConfig> pools);
  VirtualMachines(const VirtualMachines&) = delete;
  VirtualMachines& operator=(const VirtualMachines&) = delete;

  void start();
  std::size_t size() const { return pools_.size(); }
  const VmPoolConfig& config(std::size_t pool) const { return pools_[pool].config; }
  const VmCount& count(std::size_t pool) const { return pools_[pool].count; }
  std::size_t find(std::string_view name) const;  // SIZE_MAX: none
  /// VMs that run on (or died with) a host of the pool, in the order of its hosts.
  std::vector<std::int64_t> by_host(std::size_t pool) const;
  /// Called when a count changed; the current cause explains it.
  void on_change(std::function<void(std::size_t pool)> listener) { listeners_.push_back(std::move(listener)); }

 private:
  struct Place {
    host::HostId host;
    std::int64_t count = 0;
    bool alive = true;      // their processes exist
    bool wanted = false;    // somebody is about to bring them back, once it is possible
    bool elsewhere = false;  // ... on other hosts
    CauseId cause{};         // why they are dead
    TimerId timer{};
  };
  struct Pool {
    VmPoolConfig config;
    std::vector<Place> places;
    VmCount count;
    bool volumes_answer = true;
    bool gateway_works = true;
    SimTime dhcp_gone{};
    bool dhcp_works = true;
    double without_address = 0.0;  // share
    TimerId leases{};
  };

  void host_changed(const host::Hosts::Change& change);
  void died(std::size_t pool, Place& place);
  void bring_back(std::size_t pool, std::size_t place);
  bool is_possible(const Pool& pool) const;
  void volumes_changed(std::size_t pool);
  void gateway_changed(std::size_t pool);
  void dhcp_changed(std::size_t pool);
  void leases_expire(std::size_t pool);
  CauseId record(const Pool& pool, std::string_view kind, std::string_view message) { return log_.record(kind, "vms/" + pool.config.name, message); }
  void recount(std::size_t pool);

  Engine& engine_;
  EventLog& log_;
  host::Hosts& hosts_;
  Services* services_;
  std::vector<Pool> pools_;
  std::vector<std::function<void(std::size_t)>> listeners_;
};

}  // namespace sim::services
