/// Machines: power, boot, network reach, CPU, memory, disk, NIC. One host runs one kubelet (a node) or is the physical host of VMs.
///
/// States: off -> booting -> up -> (hung) ; power loss and crash go to off at once, a reboot goes through booting.
/// A hung host has power and link, but nothing on it runs (kernel livelock or panic without reboot). A host without power boots by itself when
/// the power returns, unless a person or crash() had switched it off. A VM hangs and dies with its physical host and boots after it.
///
/// Records, subject "host/NAME": HostCrashed, HostPoweredOff, HostHung, HostReset, HostBooting, HostUp, HostNetworkLost, HostNetworkRestored,
/// HostPartitioned.
///
/// Source: boot times and laws from reference platform 11.2 (bare-metal reboot lognormal 8 min sigma 0.35, VM 40 s sigma 0.4, kubelet and
///         containerd 45 s sigma 0.5 after boot). Leaves out: see docs/models/host.md.
/// Checked by: tests/models/host_test.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/host/disk_streams.hpp"
#include "sim/models/host/kernel.hpp"
#include "sim/models/topology/topology.hpp"

namespace sim::host {

struct HostId {
  std::uint32_t value = UINT32_MAX;
  constexpr explicit operator bool() const { return value != UINT32_MAX; }
  friend constexpr auto operator<=>(HostId, HostId) = default;
};

enum class Machine : std::uint8_t { kBareMetal, kVm };
enum class HostState : std::uint8_t { kOff, kBooting, kUp, kHung };
const char* to_string(HostState state);

struct BootTime {
  SimDuration median{};
  double sigma = 0.0;  // of the lognormal; 0: always the median
};

/// Who gets a disk that more want than it can (the block layer's scheduler).
enum class DiskScheduler : std::uint8_t {
  kNone,        ///< NVMe's default: by requests in flight
  kMqDeadline,  ///< the default of a disk with one queue: the same, reads before writes
  kBfq,         ///< by weight
};

/// What happens when a host's memory is exhausted and nothing is left to reclaim.
enum class MemoryExhaustion : std::uint8_t {
  kOomKill,  ///< the kernel kills the process with the highest score, after a stall
  kHang,     ///< the host livelocks in reclaim until it is reset (the watchdog or a person reboots it)
};

struct HostSpec {
  std::string name;
  Machine machine = Machine::kBareMetal;
  double cpu_cores = 8;
  std::int64_t memory_bytes = 32ll << 30;
  std::int64_t disk_bytes = 200ll << 30;
  std::int64_t image_disk_bytes = 0;  // a disk of its own for images and containers' writable layers (imagefs); 0: they are on the first one
  SimDuration disk_fsync_median{std::chrono::microseconds(300)};  // local NVMe/SSD with PLP: lognormal sigma 0.6 (platform 6.4)
  double disk_fsync_sigma = 0.6;
  double disk_bytes_per_second = 500e6;  // of the disk that the system, etcd and the pods' own files share
  double disk_operations_per_second = 0.0;  // of the same; 0: bytes alone bound it
  DiskScheduler disk_scheduler = DiskScheduler::kNone;
  double nic_bits_per_second = 10e9;
  BootTime boot{};           // firmware and OS; Machine's default when zero
  BootTime kubelet_start{};  // from OS up to kubelet and runtime ready; default 45 s, 0.5
  MemoryExhaustion memory_exhaustion = MemoryExhaustion::kOomKill;
  SimDuration oom_stall{std::chrono::seconds(30)};        // reclaim stalls before the OOM killer acts: nothing on the host makes progress
  SimDuration hang_reset_after{std::chrono::minutes(10)};  // kHang: until the host is reset and reboots; zero: never by itself
  KernelConfig kernel{};
};

class Hosts {
 public:
  Hosts(Engine& engine, EventLog& log, const Randomness& random, topology::Topology& topology);

  /// The topology element of the same name (kind host or VM) must exist. The host starts up (state kUp).
  HostId add(HostSpec spec);
  HostId find(std::string_view name) const;
  std::size_t size() const { return hosts_.size(); }
  const HostSpec& spec(HostId id) const { return hosts_[id.value].spec; }
  HostState state(HostId id) const { return hosts_[id.value].state; }
  bool is_running(HostId id) const { return state(id) == HostState::kUp; }
  topology::ElementId element(HostId id) const { return hosts_[id.value].element; }
  /// Link up, switch up, not partitioned away (and running or hung): the outside world (users, an external control plane, a registry
  /// elsewhere) is in partition 0.
  bool has_network(HostId id) const;
  /// Two running hosts reach each other: both have a link, neither is stalled, and they are in the same partition. A running host reaches itself
  /// without any of these.
  bool reachable(HostId a, HostId b) const;
  std::uint32_t partition(HostId id) const { return hosts_[id.value].partition; }
  /// How often it has booted since the start: 0 for a host that never went down.
  std::uint32_t boots(HostId id) const { return hosts_[id.value].boots; }
  /// From OS up to kubelet and runtime ready, in this boot: every caller gets the same value.
  SimDuration kubelet_start_time(HostId id) const;
  /// Last cause of a change of state, power or network: why it is as it is.
  CauseId last_cause(HostId id) const { return hosts_[id.value].cause; }

  // What breaks it and mends it. Each writes a record (HostCrashed, HostPoweredOff, HostHung, HostBooting, HostUp ...) with the current cause.
  void crash(HostId id);                 ///< dies at once; stays off until power_on() (or reboot())
  void power_off(HostId id);             ///< the same, in the words of a person who pulled the plug
  void power_on(HostId id);              ///< boots; without power (or with its physical host down) as soon as that is back
  void reboot(HostId id);                ///< down now, boots at once; a host that is off boots
  void hang(HostId id, std::string_view why);  ///< an up host; resets itself after spec.hang_reset_after
  void reset(HostId id);                 ///< hung or up: reboots; otherwise nothing
  /// Puts the host into network partition number `partition`; hosts of different partitions do not reach each other. 0 is where all start.
  /// The VMs of a physical host go with it.
  void set_partition(HostId id, std::uint32_t partition);
  /// Beside partitions: packets between two machines do not get through, although both have their network (models/network). HostId{} is the outside.
  void set_link_filter(std::function<bool(HostId, HostId)> is_cut) { is_cut_ = std::move(is_cut); }
  bool has_link_filter() const { return static_cast<bool>(is_cut_); }
  /// What the filter says about this host may have changed; told as kNetwork. The current cause becomes the host's last one when it is `worse`.
  void links_changed(HostId id, bool worse);

  /// Nothing on an up host makes progress for a while (reclaim): it answers nobody, and nobody on it does anything. Told as kNetwork. The current
  /// cause becomes the host's last one. A host that goes down is not stalled any more.
  void set_stalled(HostId id, bool stalled);
  bool is_stalled(HostId id) const { return hosts_[id.value].is_stalled; }
  /// How many times longer everything on the host takes, at least 1: memory pressure, or more work than cores. After a boot 1.
  void set_slowdown(HostId id, double factor);
  double slowdown(HostId id) const { return hosts_[id.value].slowdown; }
  /// How many times longer an fsync takes because others use the disk, at least 1. After a boot 1. Told as a slowdown.
  void set_fsync_factor(HostId id, double factor);
  double fsync_factor(HostId id) const { return hosts_[id.value].fsync_factor; }
  /// Who works on first disks beside the pods.
  DiskStreams& disks() { return disks_; }
  const DiskStreams& disks() const { return disks_; }
  void on_slowdown(std::function<void(HostId)> listener) { slowdown_listeners_.push_back(std::move(listener)); }

  struct Change {
    enum class What : std::uint8_t { kDown, kHung, kBooting, kUp, kNetwork } what;
    HostId host;
  };
  /// Called after each change, with its record as the current cause, in the order of registration. A change that a listener makes is told
  /// to all listeners after the one that it heard of. kNetwork is told of running and hung hosts only.
  void on_change(std::function<void(const Change&)> listener) { listeners_.push_back(std::move(listener)); }

 private:
  struct Host {
    HostSpec spec;
    topology::ElementId element;
    HostState state = HostState::kUp;
    std::uint32_t partition = 0;
    std::uint32_t boots = 0;
    CauseId cause{};
    TimerId timer{};
    bool wants_on = true;  // boots as soon as it can
    bool has_link = true;  // the topology's network
    bool is_stalled = false;
    double slowdown = 1.0;
    double fsync_factor = 1.0;
  };
  void on_topology(topology::ElementId element, topology::Aspect aspect, bool has);
  CauseId record(HostId id, std::string_view kind, std::string_view message);
  HostId physical_host(HostId id) const;
  std::vector<HostId> vms_of(HostId id) const;
  bool can_run(HostId id) const;
  void go_down(HostId id, std::string_view kind, std::string_view message);
  void start_boot(HostId id);
  void finish_boot(HostId id, SimDuration took);
  void notify(Change::What what, HostId id);

  struct Pending {
    Change change;
    CauseId cause;
  };
  Engine& engine_;
  EventLog& log_;
  const Randomness& random_;
  topology::Topology& topology_;
  std::vector<Host> hosts_;
  DiskStreams disks_;
  std::unordered_map<std::string, std::uint32_t> by_name_;  // look-up only
  std::vector<HostId> by_element_;                          // indexed by ElementId; HostId{} where there is no host
  std::deque<Pending> pending_;
  bool notifying_ = false;
  std::vector<std::function<void(const Change&)>> listeners_;
  std::function<bool(HostId, HostId)> is_cut_;
  std::vector<std::function<void(HostId)>> slowdown_listeners_;
};

}  // namespace sim::host
