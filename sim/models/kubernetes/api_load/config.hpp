/// What requests cost an API server, and who sends them beside Kubernetes' own components.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/models/kubernetes/flow_control/configuration.hpp"

namespace sim::k8s::api_load {

/// Clients that do the same: each asks, waits for the answer, and asks again `interval` after it asked last (at once when the answer took longer).
struct ClientGroup {
  std::string name;
  std::int64_t clients = 1;
  std::string user;  ///< "system:serviceaccount:NS:NAME" brings its groups with it
  std::vector<std::string> groups;
  std::string verb = "list";
  std::string api_group;
  std::string resource = "pods";
  std::string ns;  ///< empty: of the whole cluster
  SimDuration interval{std::chrono::seconds(1)};
  SimDuration timeout{std::chrono::seconds(60)};  ///< of the client and, where it is shorter than the server's 60 s, of the server
  /// Where a list comes from: the watch cache, or etcd (an exact resourceVersion, a continue token).
  enum class Source : std::uint8_t { kCache, kEtcd } source = Source::kCache;
  std::int64_t limit = 0;  ///< objects of one page; 0: all
  bool has_selector = false;
  std::optional<std::int64_t> objects;  ///< stored of the resource; absent: as many as the cluster has
  std::int64_t object_bytes = 0;        ///< of an object; 0: Config::object_bytes
  bool retries = true;                  ///< after a 429, when its Retry-After is over (client-go, up to 10 times)
};

struct Config {
  std::int64_t max_requests_inflight = 400;
  std::int64_t max_mutating_requests_inflight = 200;
  double cpu_cores = 0;          ///< that one API server may use; 0: its machine's
  std::int64_t memory_bytes = 0;  ///< at which the kernel kills it; 0: 80 % of its machine's
  bool streams_lists = true;     ///< lists are encoded object by object (1.33 and later)
  SimDuration request_cpu{std::chrono::microseconds(500)};
  double list_bytes_per_cpu_second = 50e6;
  std::int64_t object_bytes = 4000;
  std::int64_t base_memory_bytes = 1ll << 30;
  double list_memory_factor = 5;  ///< of a list that is not streamed: its bytes in memory, so many times
  std::vector<ClientGroup> clients;
  flow_control::Configuration flow_control = flow_control::default_configuration();
};

}  // namespace sim::k8s::api_load
