/// The services of a platform: which pods are their members, how these work together (mode.hpp), what they need of each other at start and while they
/// run, what can be done with them. One mechanism for a single pod that needs a database (behaviours[].needs) and for all of OpenStack.
///
/// A member answers when its process is up, its own cluster lets it, and everything that it needs is there. One that does not answer runs on, and its probes
/// notice what they look at: Kubernetes keeps listing a pod whose database is gone as ready, and clients get no answer.
///
/// Records, subject "platform/NAME": PlatformServiceDown, PlatformServiceDegraded, PlatformServiceUp, BridgedByCache, CacheExpired, and those of the modes;
/// subject "operation/NAME": OperationImpossible, OperationDegraded, OperationPossible; subject "Service/NAMESPACE/NAME" of Services that are needed by that
/// name: DependencyDown, DependencyUp; of pods: WaitsForDependencies.
///
/// Source:     reference platform 7.4 (dependencies of OpenStack's services), 7.5 (what fails when a component is down); kubernetes-entrypoint (a gate looks at the
///             ready endpoints that the API lists, every 2 s).
/// Leaves out: docs/models/services.md.
/// Checked by: tests/chaos/services_test.cpp, tests/chaos/ceph_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"
#include "sim/models/services/config.hpp"
#include "sim/models/services/mode.hpp"

namespace sim::network {
class PodNetwork;
}

namespace sim::services {

/// The thing that "kubernetes-api" names: the API can be written.
inline constexpr std::string_view kKubernetesApi = "kubernetes-api";

/// How a service or an operation is.
struct Status {
  bool up = false;
  std::string degraded;  // why it does not work as it should; empty: it does, or it is down
  CauseId cause{};       // the record of the last change
  SimTime since{};
};

struct MemberView {
  std::string name;
  std::string state;
  bool answers = false;
  host::HostId host;
};

class Services final : public k8s::Watcher {
 public:
  Services(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, k8s::ApiServer& api, k8s::Kubelets& kubelets, ServicesConfig config);
  ~Services() override;
  Services(const Services&) = delete;
  Services& operator=(const Services&) = delete;

  /// Something outside of the pods that services need, by the name that they call it. Before start().
  void add_external(const std::string& name, bool up);
  /// It came or went; the current cause explains it. `why`: for people, when it went.
  void set_external(const std::string& name, bool up);
  /// What is done to the network of pods counts from now on: who reaches whom among members, and what they need.
  void use(network::PodNetwork& pods);
  /// Hears of every change from now on. Before the kubelets start.
  void start();

  /// Those that have a name, in the order of the configuration.
  std::size_t size() const { return named_.size(); }
  const ServiceConfig& config(std::size_t service) const { return groups_[named_[service]]->config; }
  const Status& status(std::size_t service) const { return groups_[named_[service]]->status; }
  /// What the members agree on: "primary, 3 of 3 synced". Empty where there is nothing to agree on.
  std::string state(std::size_t service) const { return groups_[named_[service]]->mode->state(); }
  /// What a person must do. Empty: nothing.
  std::string outstanding(std::size_t service) const { return groups_[named_[service]]->mode->outstanding(); }
  std::vector<MemberView> members(std::size_t service) const;
  /// Everything that it needs and does not get now.
  std::vector<std::string> missing(std::size_t service) const;
  std::size_t find(std::string_view name) const;  // SIZE_MAX: none
  /// A service, a Service or an external thing, by the name that needs call it, answers now; and the record of its last change.
  bool is_up(std::string_view name) const;
  CauseId cause_of(std::string_view name) const;
  /// Called after each change of is_up(name).
  void on_provider(std::string_view name, std::function<void()> listener);

  std::size_t operation_count() const { return operations_.size(); }
  const OperationConfig& operation(std::size_t i) const { return *operations_[i].config; }
  const std::string& operation_owner(std::size_t i) const { return groups_[operations_[i].group]->config.name; }
  const Status& operation_status(std::size_t i) const { return operations_[i].status; }
  std::size_t find_operation(std::string_view name) const;

  /// Called after each change of a service's (an operation's) status, with its record as the current cause.
  void on_change(std::function<void(std::size_t service)> listener) { listeners_.push_back(std::move(listener)); }
  void on_operation(std::function<void(std::size_t operation)> listener) { operation_listeners_.push_back(std::move(listener)); }

  void on_event(const k8s::WatchEvent& event) override;

 private:
  using PodRef = k8s::Ref<k8s::Pod>;
  struct Bridge {
    std::size_t of = 0;
    std::size_t in = 0;
    SimDuration lasts{};
    bool is_holding = false;
    bool is_spent = false;  // nothing good is left of what it held, until `of` answers again
    TimerId expiry{};
  };
  struct Group {
    ServiceConfig config;
    std::vector<std::unique_ptr<Member>> members;
    std::unique_ptr<ModeModel> mode;
    std::vector<std::size_t> needs, uses, waits_for, probes_need;  // providers
    std::vector<Bridge> bridges;
    bool needs_met = false;
    SimTime needs_changed{};
    std::vector<PodRef> waiting;         // at the start gate
    std::vector<std::size_t> proxies;    // groups that hand on to this one
    std::vector<bool> answered;          // by member, as proxies were told last
    std::size_t endpoints = SIZE_MAX;    // provider: the Service behind which the members stand
    std::size_t provider = SIZE_MAX;     // that this group is
    std::size_t named = SIZE_MAX;
    Status status;
  };
  /// Whatever may be needed.
  struct Provider {
    enum class Kind : std::uint8_t { kEndpoints, kGroup, kExternal } kind = Kind::kExternal;
    std::string name;
    Symbol ns, service;             // kEndpoints
    std::set<PodRef> listed;        // kEndpoints: what the API lists as ready
    std::size_t group = SIZE_MAX;   // kGroup
    bool is_needed = false;         // by this name: its changes are recorded
    bool up = false;
    CauseId cause{};
    SimTime since{};
    std::vector<std::size_t> needed_by, used_by, awaited_by, probed_by, operations, shown_by;  // shown_by: groups whose members stand behind it
    std::vector<std::function<void()>> listeners;
  };
  struct Operation {
    const OperationConfig* config = nullptr;
    std::size_t group = 0;
    std::vector<std::size_t> needs, uses;
    Status status;
  };
  struct Membership {
    std::size_t group = 0;
    std::size_t member = 0;
  };

  static std::uint64_t key(PodRef pod) { return std::uint64_t{pod.slot} << 32 | pod.generation; }
  std::size_t provider(const std::string& name);
  std::size_t find_provider(std::string_view name) const;
  void add_group(ServiceConfig config);
  void link(std::size_t group);
  bool selects(const Group& group, const k8s::Pod& pod) const;
  std::int64_t replicas_of(const Group& group) const;

  void process_changed(PodRef pod);
  void serving_changed(PodRef pod);
  std::vector<Membership>& attach(PodRef pod);
  Membership join(std::size_t group, PodRef ref, const k8s::Pod& pod);
  void network_changed(host::HostId host);

  bool is_bridged(const Group& group, std::size_t provider) const;
  void look_at_needs(std::size_t group);
  void connect(std::size_t group, std::size_t member);
  void update(std::size_t group);
  void apply(PodRef pod);
  bool answers(const Group& group, std::size_t member) const;
  bool lets_clients_in(const Group& group, std::size_t member) const;
  void look_at_status(std::size_t group);
  /// One more reason for what is down already, with what led to it.
  /// What keeps a service that is down from coming back is told of it and of all that are down because of it.
  void keeps_down(std::size_t group, CauseId reason);
  void contribute(CauseId down, CauseId reason);
  std::string why_down(const Group& group) const;
  std::string why_degraded(const Group& group) const;
  void look_at_endpoints(std::size_t provider);
  void changed(std::size_t provider, bool up, CauseId cause);
  void look_at_operation(std::size_t operation);

  bool reaches(PodRef from, PodRef to) const;
  double rate_between(PodRef from, PodRef to, double rate) const;
  std::vector<double> clients_of(std::size_t group, const std::vector<std::vector<std::size_t>>& sides) const;
  /// The member finds and reaches somebody who answers, of everything that it needs. Else `why` says what it does not.
  bool reaches_needs(const Group& group, const Member& member, std::string* why) const;
  void look_at_paths(std::size_t group);
  std::string slow_paths(const Group& group) const;

  bool may_start(PodRef pod);
  bool is_gate_open(const Provider& provider) const;
  bool are_gates_open(const Group& group) const;
  void look_at_gates(std::size_t provider);
  void look_at_gate(std::size_t group);

  Engine& engine_;
  EventLog& log_;
  const Randomness& random_;
  host::Hosts& hosts_;
  k8s::ApiServer& api_;
  k8s::Kubelets& kubelets_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<std::size_t> named_;
  std::vector<std::unique_ptr<Provider>> providers_;
  std::map<std::string, std::size_t, std::less<>> provider_of_name_;
  std::vector<Operation> operations_;
  std::unordered_map<std::uint64_t, std::vector<Membership>> memberships_;  // look-up only
  std::vector<std::function<void(std::size_t)>> listeners_;
  std::vector<std::function<void(std::size_t)>> operation_listeners_;
  bool is_started_ = false;
  network::PodNetwork* pod_network_ = nullptr;  // null: nothing is done to it
};

}  // namespace sim::services
