#include "sim/models/world.hpp"

#include "sim/models/kubernetes/api_load/api_load.hpp"
#include "sim/models/monitoring/monitoring.hpp"
#include "sim/models/network/host_network.hpp"
#include "sim/models/network/network.hpp"
#include "sim/models/network/pod_network.hpp"
#include "sim/models/registry/registries.hpp"
#include "sim/models/rook/rook.hpp"
#include "sim/models/services/services.hpp"
#include "sim/models/services/virtual_machines.hpp"
#include "sim/models/traffic/traffic.hpp"
#include "sim/models/webhooks/webhooks.hpp"

namespace sim {

World::World(WorldConfig config)
    : names(config.names.get()),
      log(engine, names),
      random(config.seed),
      topology(engine, log),
      hosts(engine, log, random, topology),
      api(engine, log, names),
      control_plane(engine, log, random, hosts, api, config.control_plane),
      images(std::move(config.images)),
      storage(api),
      csi_sidecars(engine, api, storage),
      kubelets(engine, log, random, hosts, control_plane, api, config.kubelet, behaviours, images, &storage),
      scheduler_client(api),
      controllers_client(api),
      scheduler(engine, log, random, api, config.scheduler, &scheduler_client),
      controllers(k8s::ControllerContext{engine, log, random, api, &controllers_client, config.controllers.kube_api_qps, static_cast<double>(config.controllers.kube_api_burst)}, kubelets, storage, config.controllers),
      api_load_config_(std::move(config.api_load)) {}

/// A leader that is cut off neither writes nor hears anything, and does not know yet that it leads nobody.
void World::follow_leaders() {
  scheduler_client.set_connected(control_plane.leads(k8s::Component::kScheduler));
  controllers_client.set_connected(control_plane.leads(k8s::Component::kControllerManager));
}

World::~World() = default;

network::PodNetwork& World::network_of_pods() {
  if (pod_network == nullptr) {
    pod_network = std::make_unique<network::PodNetwork>(engine, log, random, api, kubelets);
    if (services) services->use(*pod_network);
  }
  return *pod_network;
}

network::HostNetwork& World::network_of_hosts() {
  if (host_network == nullptr) {
    host_network = std::make_unique<network::HostNetwork>(engine, log, random, hosts, api, control_plane, kubelets, network.get());
    if (rook) {
      std::vector<host::HostId> talkers;
      for (const ceph::Osd& osd : rook->cluster().osds()) talkers.push_back(osd.host);
      host_network->talk(std::move(talkers));
    }
    host_network->on_change([this] {
      network::HostNetwork* machines_network = host_network.get();
      if (machines_network->any()) {
        network_of_pods().use_hosts([machines_network](host::HostId a, host::HostId b) { return machines_network->path(a, b); });
      } else {
        network_of_pods().use_hosts({});
      }
    });
  }
  return *host_network;
}

k8s::api_load::ApiLoad& World::load_of_api_servers() {
  if (api_load == nullptr) {
    if (api_load_config_ == nullptr) api_load_config_ = std::make_shared<k8s::api_load::Config>();
    api_load = std::make_unique<k8s::api_load::ApiLoad>(engine, log, random, hosts, api, control_plane, kubelets, scheduler_client, controllers_client, *api_load_config_);
  }
  return *api_load;
}

void World::start() {
  // The control plane first: a kubelet posts its first status only where it reaches an API server. Leadership is followed only from then on, so
  // that no controller sees the nodes before their kubelets have spoken: it would take the whole cluster for dead.
  control_plane.start();
  csi_sidecars.start();
  if (webhooks) webhooks->start();
  if (services) services->start();
  if (registries) registries->start();
  kubelets.start();
  if (rook) rook->start();
  if (machines) machines->start();
  // The simulated scheduler and controller-manager are one object each, whichever member leads: a new leader starts from lists.
  control_plane.on_leadership([this](k8s::Component component, bool gained) {
    follow_leaders();
    if (!control_plane.is_modelled(component)) return;
    if (component == k8s::Component::kScheduler) {
      gained ? scheduler.start() : scheduler.stop();
    } else if (component == k8s::Component::kControllerManager) {
      gained ? controllers.start() : controllers.stop();
    }
  });
  control_plane.on_reachability([this] { follow_leaders(); });
  follow_leaders();
  const auto works = [this](k8s::Component component) { return control_plane.leads(component) && control_plane.is_modelled(component); };
  if (works(k8s::Component::kScheduler) && !scheduler.is_running()) scheduler.start();
  if (works(k8s::Component::kControllerManager) && !controllers.is_running()) controllers.start();
  if (api_load_config_ != nullptr && !api_load_config_->clients.empty()) load_of_api_servers().start();
  if (traffic) traffic->start();
  if (monitoring) monitoring->start();
}

}  // namespace sim
