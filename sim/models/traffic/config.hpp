/// What users ask of a Service, and how kube-proxy works: the sections `traffic:` and `kubeProxy:` of a scenario.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/symbol.hpp"
#include "sim/core/time.hpp"
#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::traffic {

/// kube-proxy on every node. Defaults: reference kubernetes 5.1, 5.2.
struct ProxyConfig {
  enum class Mode : std::uint8_t { kIptables, kNftables, kIpvs } mode = Mode::kIptables;
  std::optional<SimDuration> min_sync;                   // from the end of one run to the next; absent: 1 s, of ipvs 0
  SimDuration sync_time{std::chrono::milliseconds(100)};  // of one run (a partial sync: 10 to 100 ms)

  SimDuration between_runs() const { return min_sync ? *min_sync : mode == Mode::kIpvs ? SimDuration{} : SimDuration(std::chrono::seconds(1)); }
};

/// Looks at the nodes through which requests come in, and sends none to those that do not answer.
struct LoadBalancerConfig {
  SimDuration interval{std::chrono::seconds(10)};
  std::int64_t unhealthy_threshold = 3;
  std::int64_t healthy_threshold = 2;
};

struct RateChange {
  SimDuration at{};
  double requests_per_second = 0.0;
};

struct FlowConfig {
  std::string name;
  Symbol ns;
  Symbol service;
  double requests_per_second = 0.0;
  std::vector<RateChange> later;  // by time
  SimDuration service_time{};
  std::int64_t workers = 1;
  SimDuration timeout{};
  std::int64_t retries = 0;
  double acceptable = 0.99;  // share of requests below which somebody calls it an outage
  std::vector<k8s::Ref<k8s::Node>> entries;
  std::optional<LoadBalancerConfig> load_balancer;  // absent: the clients are on those nodes themselves
};

}  // namespace sim::traffic
