/// One simulated world: everything that a run consists of. No globals: many worlds live in one process, on several threads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/core/symbol.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/control_plane/control_plane.hpp"
#include "sim/models/kubernetes/controllers/controller_manager.hpp"
#include "sim/models/kubernetes/kubelet/behaviour.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"
#include "sim/models/kubernetes/scheduler/scheduler.hpp"
#include "sim/models/kubernetes/volumes/csi_sidecars.hpp"
#include "sim/models/kubernetes/volumes/storage.hpp"
#include "sim/models/topology/topology.hpp"

namespace sim {

namespace k8s::api_load {
class ApiLoad;
struct Config;
}  // namespace k8s::api_load
namespace rook {
class Rook;
}
namespace monitoring {
class Monitoring;
}
namespace network {
class Network;
class PodNetwork;
class HostNetwork;
}  // namespace network
namespace registry {
class Registries;
}
namespace services {
class Services;
class VirtualMachines;
}  // namespace services
namespace traffic {
class Traffic;
}
namespace webhooks {
class Webhooks;
}

struct WorldConfig {
  std::uint64_t seed = 1;
  /// The world's names begin with these: objects that were made with them (a scenario's, decoded once for all of its runs) can be stored as they are.
  std::shared_ptr<const Interner> names;
  k8s::ControlPlaneConfig control_plane;
  k8s::SchedulerConfig scheduler;
  k8s::KubeletConfig kubelet;
  k8s::ImageConfig images;
  k8s::ControllerManagerConfig controllers;
  std::shared_ptr<const k8s::api_load::Config> api_load;  // null: the defaults
};

class World {
 public:
  explicit World(WorldConfig config);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Starts every system: the control plane elects leaders, kubelets register, controllers and scheduler begin.
  void start();

  // In the order in which they are built: each knows only those above it.
  Engine engine;
  Interner names;
  EventLog log;
  Randomness random;
  topology::Topology topology;
  host::Hosts hosts;
  k8s::ApiServer api;
  k8s::ControlPlane control_plane;
  std::vector<k8s::PodBehaviour> behaviours;
  k8s::ImageConfig images;
  k8s::Storage storage;
  k8s::CsiSidecars csi_sidecars;
  k8s::Kubelets kubelets;
  // The ways of the leaders to the API servers that they use.
  k8s::ApiClient scheduler_client;
  k8s::ApiClient controllers_client;
  k8s::Scheduler scheduler;
  k8s::ControllerManager controllers;
  std::unique_ptr<network::Network> network;        // null: bandwidth is not shared in this world
  std::unique_ptr<registry::Registries> registries;  // null: images come by k8s::ImageConfig
  std::unique_ptr<webhooks::Webhooks> webhooks;  // null: every new object is let in
  std::unique_ptr<rook::Rook> rook;  // null: no Ceph in this world
  std::unique_ptr<network::PodNetwork> pod_network;  // null: nobody has disturbed the network of a pod
  /// The same, made when it is first asked for.
  network::PodNetwork& network_of_pods();
  std::unique_ptr<network::HostNetwork> host_network;  // null: nobody has disturbed the network of a machine
  network::HostNetwork& network_of_hosts();
  std::unique_ptr<k8s::api_load::ApiLoad> api_load;  // null: nobody has overloaded the API servers, and no request is simulated
  /// The same, made when it is first asked for.
  k8s::api_load::ApiLoad& load_of_api_servers();
  std::unique_ptr<services::Services> services;           // null: nobody needs anything
  std::unique_ptr<services::VirtualMachines> machines;    // null: no VMs of tenants
  std::unique_ptr<traffic::Traffic> traffic;              // null: nobody asks anything of a Service
  std::unique_ptr<monitoring::Monitoring> monitoring;  // null: nobody looks

 private:
  void follow_leaders();
  std::shared_ptr<const k8s::api_load::Config> api_load_config_;
};

}  // namespace sim
