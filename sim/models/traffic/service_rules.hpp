/// What kube-proxy has programmed on the nodes that hear of everything: the endpoints of a few Services, a little later than the API lists them.
///
/// A change is taken up at once if the last run ended long enough ago (minSyncPeriod), else then; changes in between are taken up together. Endpoints: those that are ready; if there is
/// none, those that are terminating and still ready. All nodes hear of the same changes at the same time, so that one schedule stands for all of them.
///
/// Source:     pkg/proxy/{topology,endpointslicecache}.go, pkg/proxy/runner/bounded_frequency_runner.go (reference kubernetes 5.1, 5.2).
/// Leaves out: topology hints, traffic policies Local, session affinity; sync times that grow with the number of rules; full syncs; conntrack (each request is a new connection).
/// Checked by: tests/models/traffic/service_rules_test.cpp.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/traffic/config.hpp"

namespace sim::traffic {

class ServiceRules final : public k8s::Watcher {
 public:
  using Rules = std::shared_ptr<const std::vector<k8s::Ref<k8s::Pod>>>;

  ServiceRules(Engine& engine, k8s::ApiServer& api, const ProxyConfig& config);
  ~ServiceRules() override;
  ServiceRules(const ServiceRules&) = delete;
  ServiceRules& operator=(const ServiceRules&) = delete;

  /// Before start(). The same Service has the same number.
  std::size_t follow(Symbol ns, Symbol service);
  void start();
  /// Called when other rules are in force; the current cause explains it.
  void on_change(std::function<void(std::size_t service)> listener) { listener_ = std::move(listener); }
  /// Never null.
  const Rules& rules(std::size_t service) const { return services_[service].rules; }

  void on_event(const k8s::WatchEvent& event) override;

 private:
  struct Service {
    Symbol ns;
    Symbol name;
    Rules rules = std::make_shared<const std::vector<k8s::Ref<k8s::Pod>>>();
    bool run_is_due = false;
  };
  /// When the run begins that takes up a change of now.
  SimTime next_run();
  Rules eligible(const k8s::Endpoints* endpoints) const;
  void run(std::size_t service);

  Engine& engine_;
  k8s::ApiServer& api_;
  ProxyConfig config_;
  std::vector<Service> services_;
  std::function<void(std::size_t)> listener_;
  SimTime run_begin_{};  // of the last run, or of the one that is due
  SimTime run_end_{};
  bool has_run_ = false;
  bool watching_ = false;
  std::shared_ptr<const void> alive_ = std::make_shared<int>(0);
};

}  // namespace sim::traffic
