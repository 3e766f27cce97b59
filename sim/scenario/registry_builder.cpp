#include "sim/scenario/registry_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/check.hpp"
#include "sim/models/kubernetes/api/admission.hpp"
#include "sim/models/network/network.hpp"
#include "sim/models/registry/registries.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/lookups.hpp"
#include "sim/scenario/scenario.hpp"

namespace sim::scenario {

namespace {

using registry::Part;
using registry::RegistryKind;

constexpr double kBitsPerByte = 8.0;
constexpr double kPvcBytesPerSecond = 500e6;  // reference platform 8.3: 200 to 1000 MB/s of one RBD volume

/// Without a warm-up: what is up by then was up before.
constexpr SimDuration kStartUp = std::chrono::minutes(2);

/// Keys that say nothing without `registries:`, and those that say nothing with it.
constexpr std::pair<std::string_view, std::string_view> kOnlyWith[] = {
    {"images", "layers"},           {"images", "peerToPeer"},
    {"images", "unpackRate"},       {"kubelet", "imageMaximumGCAge"},
    {"images", "pinned"},           {"kubelet", "maxParallelImagePulls"},
    {"kubelet", "registryPullQPS"}, {"kubelet", "registryBurst"},
    {"kubelet", "imageGCHighThresholdPercent"}, {"kubelet", "imageGCLowThresholdPercent"},
    {"kubelet", "imageMinimumGCAge"}, {"kubelet", "maxConcurrentDownloads"},
    {"kubelet", "imagePullProgressTimeout"}, {"kubelet", "discardUnpackedLayers"}};
constexpr std::pair<std::string_view, std::string_view> kOnlyWithout[] = {{"images", "registryService"}, {"images", "registryBandwidth"}};

/// The Services of a registry with the part that each is, in the order in which a request meets them.
std::vector<std::pair<Part, const Reference*>> parts_of(const RegistrySpec& spec) {
  std::vector<std::pair<Part, const Reference*>> parts;
  const auto add = [&](Part part, const Reference& service) {
    if (!service.text.empty()) parts.emplace_back(part, &service);
  };
  add(Part::kIngress, spec.ingress);
  if (spec.kind == RegistryKind::kHarbor) {
    add(Part::kCore, spec.core);
    add(Part::kDatabase, spec.postgresql);
    add(Part::kRedis, spec.redis);
    add(Part::kRegistry, spec.registry);
  } else if (spec.kind == RegistryKind::kDistribution) {
    add(Part::kRegistry, spec.service);
  }
  if (spec.storage) add(Part::kStorage, spec.storage->service);
  return parts;
}

class Checker {
 public:
  Checker(const ScenarioSpec& spec, Diagnostics& diagnostics) : spec_(spec), diagnostics_(diagnostics) {
    for (const RegistrySpec& registry : spec.registries) hosts_.push_back(registry.name);
  }

  void run() {
    const Node root = spec_.document ? spec_.document->root() : Node{};
    for (const auto& [section, key] : spec_.has_registries ? std::span<const std::pair<std::string_view, std::string_view>>(kOnlyWithout)
                                                           : std::span<const std::pair<std::string_view, std::string_view>>(kOnlyWith)) {
      const Node node = root.find(section).find(key);
      if (node.is_null()) continue;
      Diagnostic& d = diagnostics_.error(node, fmt::format("{}.{} says nothing {} the section 'registries'", section, key, spec_.has_registries ? "beside" : "without"));
      if (spec_.has_registries) {
        d.hint = key == "registryService" ? "the registry is an entry of 'registries': {kind: distribution, service: namespace/name}"
                                          : "what a registry sends is its 'bandwidth'";
      } else {
        d.hint = "'registries: {}' is enough: every registry is then outside and up";
      }
    }
    for (const RegistrySpec& registry : spec_.registries) check(registry);
    cycles_of_caches();
    network();
  }

 private:
  void known(const Reference& host) {
    if (host.text.empty() || std::find(hosts_.begin(), hosts_.end(), host.text) != hosts_.end()) return;
    Diagnostic& d = diagnostics_.error(host.where, fmt::format("there is no registry '{}'", host.text));
    if (!hosts_.empty()) d.expected = fmt::format("one of: {}", fmt::join(hosts_, ", "));
    d.hint = did_you_mean(host.text, hosts_);
  }

  void check(const RegistrySpec& registry) {
    for (const auto& [part, service] : parts_of(registry)) {
      const std::string full = split_service(service->text).full();
      expect_service(spec_.objects, spec_.ceph, *spec_.names, full, service->where, diagnostics_);
    }
    known(registry.upstream);
    for (const Reference& mirror : registry.mirrors) {
      known(mirror);
      if (mirror.text.empty()) diagnostics_.error(mirror.where, "a mirror without a name").expected = "the host of a registry";
      if (mirror.text == registry.name) diagnostics_.error(mirror.where, fmt::format("'{}' is no mirror of itself: it is asked anyway, last", mirror.text));
      if (mirror.text == "_default") diagnostics_.error(mirror.where, "'_default' is no registry that could be asked");
    }
    if (registry.upstream.text == "_default") diagnostics_.error(registry.upstream.where, "'_default' is no registry that could be asked");
    if (registry.storage && registry.storage->kind == RegistryStorageSpec::Kind::kPvc) claim(registry);
  }

  /// A registry that is said to keep its blobs on a volume has one.
  void claim(const RegistrySpec& registry) {
    const Reference& service = registry.kind == RegistryKind::kHarbor ? registry.registry : registry.service;
    const Manifest<k8s::Service>* found = find_service(spec_.objects, *spec_.names, split_service(service.text));
    if (found == nullptr) return;  // told
    bool any = false;
    for_each_workload_of(spec_.objects, *spec_.names, found->object, [&](const Workload& workload) {
      any = any || !workload.pod->volumes.empty() || (workload.claim_templates != nullptr && !workload.claim_templates->empty());
    });
    if (any) return;
    diagnostics_.error(service.where, fmt::format("registry '{}': storage is of kind pvc, but nothing behind Service '{}' mounts a claim", registry.name, service.text)).hint =
        "kind: filesystem is the disk of the pods' nodes";
  }

  void cycles_of_caches() {
    for (const RegistrySpec& registry : spec_.registries) {
      std::string at = registry.name;
      for (std::size_t steps = 0; steps <= spec_.registries.size(); ++steps) {
        const auto found = std::find_if(spec_.registries.begin(), spec_.registries.end(), [&](const RegistrySpec& one) { return one.name == at; });
        if (found == spec_.registries.end() || found->upstream.text.empty()) break;
        at = found->upstream.text;
        if (at != registry.name) continue;
        diagnostics_.error(registry.upstream.where, fmt::format("registry '{}' is a cache of itself, by way of its upstream", registry.name));
        return;
      }
    }
  }

  void network() {
    if (!spec_.network) return;
    const Place where = spec_.place_of("network");
    if (!spec_.has_registries && !(spec_.network->carries_ceph && spec_.ceph)) {
      diagnostics_.error(where, "nothing crosses this network: image pulls do with the section 'registries', and Ceph's recovery with 'ceph' and carriesCeph: true");
    }
    if (spec_.network->carries_ceph && !spec_.ceph) diagnostics_.error(where, "carriesCeph: there is no Ceph in this scenario");
    std::vector<std::string> places;
    for (const ElementSpec& element : spec_.topology) {
      using K = topology::ElementKind;
      if (element.kind == K::kRack || element.kind == K::kZone || element.kind == K::kRegion) places.push_back(element.name);
    }
    for (const NetworkSpec::Uplink& uplink : spec_.network->uplinks) {
      if (uplink.bits_per_second <= 0.0) diagnostics_.error(uplink.element.where, fmt::format("the uplink of '{}' carries nothing", uplink.element.text));
      if (std::find(places.begin(), places.end(), uplink.element.text) != places.end()) continue;
      Diagnostic& d = diagnostics_.error(uplink.element.where, fmt::format("there is no rack, zone or region '{}' in 'topology'", uplink.element.text));
      d.hint = did_you_mean(uplink.element.text, places);
    }
  }

  const ScenarioSpec& spec_;
  Diagnostics& diagnostics_;
  std::vector<std::string> hosts_;
};

registry::RegistryConfig config_of(const RegistrySpec& spec, Interner& names) {
  registry::RegistryConfig config;
  config.host = spec.name;
  config.kind = spec.kind;
  for (const auto& [part, service] : parts_of(spec)) {
    const ServiceName name = split_service(service->text);
    config.parts.push_back({part, names.intern(name.ns), names.intern(name.name)});
  }
  config.bytes_per_second = spec.bytes_per_second.value_or(config.bytes_per_second);
  config.connection_bytes_per_second = spec.connection_bytes_per_second.value_or(config.connection_bytes_per_second);
  if (spec.storage) {
    const bool is_pvc = spec.storage->kind == RegistryStorageSpec::Kind::kPvc;
    config.storage_bytes_per_second = spec.storage->bytes_per_second.value_or(is_pvc ? kPvcBytesPerSecond : SharedBandwidth::kNoLimit);
    config.redirects = spec.storage->kind == RegistryStorageSpec::Kind::kS3 && spec.storage->redirect;
  }
  config.latency = spec.latency;
  config.latency_sigma = spec.latency_sigma;
  if (spec.rate_limit) config.rate_limit = registry::RateLimit{spec.rate_limit->pulls, spec.rate_limit->per};
  config.images = spec.images;
  config.upstream = spec.upstream.text;
  config.cached = spec.cached;
  for (const Reference& mirror : spec.mirrors) config.mirrors.push_back(mirror.text);
  return config;
}

}  // namespace

void check_registries(const ScenarioSpec& spec, Diagnostics& diagnostics) { Checker(spec, diagnostics).run(); }

void make_registries(const ScenarioSpec& spec, World& world) {
  if (!spec.has_registries && !spec.network) return;
  network::NetworkConfig network;
  if (spec.network) {
    if (spec.network->internet_bits_per_second) network.internet_bytes_per_second = *spec.network->internet_bits_per_second / kBitsPerByte;
    for (const NetworkSpec::Uplink& uplink : spec.network->uplinks) network.uplinks.emplace_back(uplink.element.text, uplink.bits_per_second / kBitsPerByte);
    network.carries_ceph = spec.network->carries_ceph;
  }
  world.network = std::make_unique<network::Network>(world.engine, world.hosts, world.topology, std::move(network));
  if (!spec.has_registries) return;

  const RegistryImagesSpec& images = spec.images.with_registries;
  auto catalogue = std::make_unique<registry::ImageCatalogue>(world.names, spec.images.default_bytes);
  // An image that no manifest names is pulled by nobody.
  for (const auto& [image, bytes] : spec.images.sizes) {
    if (const Symbol name = spec.names->find(k8s::normalised_image(image))) catalogue->set_bytes(name, bytes);
  }
  for (const auto& [image, layers] : images.layers) {
    const Symbol name = spec.names->find(k8s::normalised_image(image));
    if (!name) continue;
    std::vector<registry::LayerConfig> list;
    for (const LayerSpec& layer : layers) list.push_back({layer.digest, layer.size, layer.unpacked});
    catalogue->set_layers(name, std::move(list));
  }
  registry::RegistriesConfig config;
  for (const RegistrySpec& registry : spec.registries) config.registries.push_back(config_of(registry, world.names));
  config.peers = images.peers;
  config.unpack_bytes_per_second = images.unpack_bytes_per_second;
  if (spec.images.preloaded) config.running_until = SimTime{} + (spec.run.warm_up > SimDuration::zero() ? spec.run.warm_up : kStartUp);
  for (const std::string& image : images.pinned) config.pinned.push_back(world.names.intern(k8s::normalised_image(image)));
  world.registries = std::make_unique<registry::Registries>(world.engine, world.log, world.random, world.hosts, world.api, world.kubelets, *world.network,
                                                            spec.kubelet, std::move(catalogue), std::move(config));
  world.kubelets.use(*world.registries);
}

}  // namespace sim::scenario
