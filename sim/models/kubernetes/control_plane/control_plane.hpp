/// The control plane as processes on nodes: etcd members, API servers, schedulers and controller-managers (static pods of
/// the control-plane nodes), with raft quorum and leader leases. Decides when the API can be read and written and who leads.
///
/// Nothing here ticks: heartbeats and lease renewals are computed when somebody can miss them.
///
/// Source: reference kubernetes 1.9, 4.10, 4.16, 7.6; platform 6. Checked by: tests/models/kubernetes/control_plane_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"

namespace sim::k8s {

enum class Component : std::uint8_t { kEtcd, kApiServer, kScheduler, kControllerManager };
inline constexpr std::size_t kComponentCount = 4;
const char* to_string(Component component);  // "etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager"

struct EtcdConfig {
  std::int64_t quota_bytes = 2ll << 30;
  SimDuration election_timeout{std::chrono::milliseconds(1000)};  // real timer uniform in [1, 2) of it
  SimDuration heartbeat_interval{std::chrono::milliseconds(100)};
};
struct ControlPlaneConfig {
  EtcdConfig etcd;
  /// A managed control plane outside of the simulated nodes: always up, always writable.
  bool external = false;
  SimDuration lease_duration{std::chrono::seconds(15)};
  SimDuration renew_deadline{std::chrono::seconds(10)};
  SimDuration retry_period{std::chrono::seconds(2)};
};

class ControlPlane {
 public:
  ControlPlane(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, ApiServer& api, ControlPlaneConfig config);

  /// One member of every component on this host. Call for each control-plane host before start().
  void add_member(host::HostId host);
  /// Everything is up, leaders are elected.
  void start();

  std::size_t member_count() const { return members_.size(); }
  host::HostId member_host(std::size_t member) const { return members_[member].host; }
  bool is_running(Component component, std::size_t member) const;
  std::size_t running_count(Component component) const;
  bool has_quorum() const;
  /// Index of the etcd leader / of the holder of the component's lease; empty during an election.
  std::optional<std::size_t> leader(Component component) const;

  /// A client on `host` gets an answer: it reaches the host of a running API server. Always true for an external control plane whose network the host has.
  bool reachable_from(host::HostId host) const;
  /// ... and the write would succeed.
  bool writable_from(host::HostId host) const { return api_.writable() && reachable_from(host); }
  /// The latency of one etcd commit now: majority fsync plus round trip (drawn from the stream of the write's number).
  SimDuration commit_latency();

  // Faults
  void kill(Component component, std::size_t member);   ///< process dies; its kubelet restarts it with crash-loop back-off
  void stop(Component component, std::size_t member);   ///< dies and stays dead until start_component()
  void start_component(Component component, std::size_t member);
  void set_disk_slow(std::size_t member, double factor);  ///< multiplies the member's fsync; 1 is healthy. Stalls over the election timeout cost leadership.
  void set_etcd_size(std::int64_t bytes);               ///< over the quota: alarm NOSPACE, writes refused
  void clear_alarm();
  /// The kubelet of a member's host came or went: without it a dead component is not restarted.
  void set_kubelet_running(host::HostId host, bool running);

  /// The scheduler (controller-manager) that Squall models does its work only while this is true.
  bool leads(Component component) const { return leader(component).has_value() && api_.writable(); }
  /// Called when a leader of the component is gained (true) or lost (false).
  void on_leadership(std::function<void(Component, bool gained)> listener) { leadership_listeners_.push_back(std::move(listener)); }
  /// Called when reachable_from() may have changed for some host.
  void on_reachability(std::function<void()> listener) { reachability_listeners_.push_back(std::move(listener)); }

 private:
  struct Member {
    host::HostId host;
    // The implementation adds what it needs.
  };
  Engine& engine_;
  EventLog& log_;
  const Randomness& random_;
  host::Hosts& hosts_;
  ApiServer& api_;
  ControlPlaneConfig config_;
  std::vector<Member> members_;
  std::vector<std::function<void(Component, bool)>> leadership_listeners_;
  std::vector<std::function<void()>> reachability_listeners_;
};

}  // namespace sim::k8s
