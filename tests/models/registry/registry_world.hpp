/// A few nodes that pull from registries: the kubelets' world with a network and registries in it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/models/network/network.hpp"
#include "sim/models/registry/node_store.hpp"
#include "sim/models/registry/registries.hpp"
#include "tests/models/kubernetes/kubelet_world.hpp"

namespace sim::registry::test {

struct RegistryWorld : k8s::test::KubeletWorld {
  explicit RegistryWorld(std::uint64_t seed = 1) : KubeletWorld(seed) {
    catalogue = std::make_unique<ImageCatalogue>(names, 100'000'000);
    before_nodes = [this] {
      network = std::make_unique<network::Network>(engine, hosts, topology, network_config);
      registries = std::make_unique<Registries>(engine, log, random, hosts, api, *kubelets, *network, config, std::move(catalogue), registries_config);
      kubelets->use(*registries);
    };
  }
  /// The kubelets go last: their stores were made by the registries.
  ~RegistryWorld() { registries.reset(); }

  void start_all() {
    start();
    registries->start();
  }

  /// Exact: 100 ms to the first byte, and 100 MB/s in all.
  RegistryConfig& add_registry(std::string host, RegistryKind kind = RegistryKind::kExternal) {
    RegistryConfig registry;
    registry.host = std::move(host);
    registry.kind = kind;
    registry.latency = std::chrono::milliseconds(100);
    registry.latency_sigma = 0.0;
    registry.bytes_per_second = 100e6;
    registries_config.registries.push_back(std::move(registry));
    return registries_config.registries.back();
  }
  void set_layers(std::string_view image, std::vector<LayerConfig> layers) { catalogue->set_layers(names.intern(image), std::move(layers)); }
  k8s::Pod pod_of(std::string_view name, std::string_view image, k8s::PullPolicy policy = k8s::PullPolicy::kIfNotPresent) {
    return pod(name, [&](k8s::PodSpec& spec) {
      spec.containers[0].image = names.intern(image);
      spec.containers[0].pull_policy = policy;
    });
  }
  std::string message(CauseId id) const { return id ? std::string(log.message(log.at(id))) : std::string(); }
  NodeStore& store(k8s::Ref<k8s::Node> node) { return static_cast<NodeStore&>(*kubelets->images_of(node)); }
  bool has(k8s::Ref<k8s::Node> node, std::string_view image) { return store(node).has(names.find(image)); }

  std::unique_ptr<ImageCatalogue> catalogue;
  network::NetworkConfig network_config;
  RegistriesConfig registries_config;
  std::unique_ptr<network::Network> network;
  std::unique_ptr<Registries> registries;
};

}  // namespace sim::registry::test
