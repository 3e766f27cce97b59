/// How many endpoints of each Service really serve, of those that the API lists as ready.
///
/// Clients are routed to what the API lists; those of its addresses that do not serve (the node died, nobody noticed yet) cost
/// requests. So the share of requests that succeed is serving / listed, and 0 when nothing is listed.
///
/// Leaves out: the delay until each node's kube-proxy knows of a change (up to 1 s), retries of clients, weights of endpoints.
/// Source: reference kubernetes 5.1, 7.1. Checked by: tests/chaos/service_observer_test.cpp.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "chaos/outages/signal.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"

namespace chaos {

/// Everything that changed about one Service's endpoints, in order; several changes may share an instant.
struct ServiceHistory {
  struct Step {
    SimTime at{};
    std::int32_t serving = 0;
    std::int32_t listed = 0;
    CauseId cause{};
  };
  sim::Symbol ns;
  sim::Symbol name;
  bool has_selector = false;
  SimTime created{};
  bool deleted = false;
  SimTime deleted_at{};
  bool had_address = false;             // ever, ready or not
  std::optional<SimTime> first_served;  // absent: never yet
  std::vector<Step> steps;

  /// serving / listed over time, from its first step.
  Signal share() const;
  Signal serving() const;
};

/// Walks through a history, and knows at each instant the losses of serving endpoints that no later endpoint has made good: all of them led
/// to what is then. A recovery makes good the oldest loss.
class LossWalk {
 public:
  explicit LossWalk(const ServiceHistory& history) : history_(history) {}
  /// `at` is not before that of the call before.
  std::vector<CauseId> until(SimTime at);

 private:
  const ServiceHistory& history_;
  std::size_t next_ = 0;
  std::int32_t serving_ = 0;
  std::deque<CauseId> open_;
};

class ServiceObserver : public sim::k8s::Watcher {
 public:
  using IsServing = std::function<bool(sim::k8s::Ref<sim::k8s::Pod>)>;
  ServiceObserver(sim::k8s::ApiServer& api, IsServing is_serving);
  ~ServiceObserver() override;

  /// Takes over what exists, and watches from now on.
  void start();
  /// To be called when a pod began or ceased to serve; the engine's current cause explains it.
  void serving_changed(sim::k8s::Ref<sim::k8s::Pod> pod, bool serving);

  /// By namespace and name, in alphabetical order.
  std::vector<const ServiceHistory*> histories() const;
  const ServiceHistory* find(sim::Symbol ns, sim::Symbol name) const;

  void on_event(const sim::k8s::WatchEvent& event) override;

 private:
  struct Listed {
    sim::k8s::Ref<sim::k8s::Pod> pod;
    bool serving = false;
  };
  struct Tracked {
    ServiceHistory history;
    std::vector<Listed> listed;  // sorted by pod
    std::int32_t serving = 0;
    std::vector<sim::k8s::Endpoints::Address> seen;  // what `listed` was read from
    std::uint64_t version = 0;                       // of that Endpoints object

    /// Where the pod stands, or where it would.
    std::vector<Listed>::iterator find(sim::k8s::Ref<sim::k8s::Pod> pod) {
      return std::lower_bound(listed.begin(), listed.end(), pod, [](const Listed& l, sim::k8s::Ref<sim::k8s::Pod> p) { return l.pod < p; });
    }
  };
  using Key = std::pair<sim::Symbol, sim::Symbol>;

  Tracked& tracked(sim::Symbol ns, sim::Symbol name);
  void service_changed(sim::k8s::Ref<sim::k8s::Service> ref);
  void endpoints_changed(const sim::k8s::Endpoints& endpoints, bool deleted);
  using AddressPlace = std::vector<sim::k8s::Endpoints::Address>::const_iterator;
  static std::vector<sim::k8s::Ref<sim::k8s::Pod>> ready_pods(AddressPlace from, AddressPlace to);
  void note(Tracked& service);
  void unlink(sim::k8s::Ref<sim::k8s::Pod> pod, Tracked* service);
  static std::uint64_t pod_key(sim::k8s::Ref<sim::k8s::Pod> pod) { return std::uint64_t{pod.slot} << 32 | pod.generation; }

  sim::k8s::ApiServer& api_;
  IsServing is_serving_;
  bool watching_ = false;
  std::map<Key, Tracked> services_;  // addresses of its values are kept: nothing is erased
  std::unordered_map<std::uint64_t, std::vector<Tracked*>> of_pod_;  // look-up only
};

}  // namespace chaos
