// The fields of `registries:`, `network:`, and of `images:` and `kubelet:` as far as they concern pulls.
#include <fmt/format.h>

#include "sim/scenario/registry_fields.hpp"

namespace sim::scenario {

namespace {

using registry::RegistryKind;

void refuse(const Reference& given, std::string_view key, std::string_view kinds, Reader& reader) {
  if (!given.text.empty()) reader.diagnostics.error(given.where, fmt::format("'{}' is for kind: {}", key, kinds));
}
void require(const Reference& given, std::string_view key, std::string_view why, Node node, Reader& reader) {
  if (given.text.empty()) reader.diagnostics.error(node, fmt::format("a {} needs '{}'", why, key)).expected = "a Service: namespace/name";
}

}  // namespace

void describe(Fields<RegistryStorageSpec>& fields) {
  using K = RegistryStorageSpec::Kind;
  fields.title("Where a registry in the cluster keeps its blobs.")
      .choice("kind", &RegistryStorageSpec::kind, {{"pvc", K::kPvc}, {"s3", K::kS3}, {"filesystem", K::kFilesystem}},
              "pvc: a volume that the registry's pods mount; s3: an object store; filesystem: the disks of the pods' nodes.")
      .add("service", &RegistryStorageSpec::service, "Of kind s3: the Service (namespace/name) of an object store in this cluster. Without it the store is outside and always up.")
      .add("redirect", &RegistryStorageSpec::redirect, "Of kind s3: nodes fetch blobs from the store itself. false: through the registry (disableredirect).")
      .bytes_per_second("bandwidth", &RegistryStorageSpec::bytes_per_second, "What the storage reads in all.")
      .default_text("500MB/s for pvc, otherwise no limit")
      .rule([](const RegistryStorageSpec& to, Node node, Reader& reader) {
        if (to.kind == K::kS3) return;
        refuse(to.service, "service", "s3", reader);
        if (!node.find("redirect").is_null()) reader.diagnostics.error(node.find("redirect"), "'redirect' is for kind: s3");
      });
}

void describe(Fields<RateLimitSpec>& fields) {
  fields.title("How many pulls a registry allows; all nodes share one address.")
      .add("pulls", &RateLimitSpec::pulls, 1, 1'000'000'000, "So many manifests may be fetched within `per`.")
      .add("per", &RateLimitSpec::per, "The window.")
      .rule([](const RateLimitSpec& to, Node node, Reader& reader) {
        if (to.per <= SimDuration::zero()) reader.diagnostics.error(node.find("per"), "must be longer than 0s");
      });
}

void describe(Fields<RegistrySpec>& fields) {
  fields.title("A registry, by the host with which image names begin (docker.io for names without one). `_default` stands for every host without an entry.")
      .choice("kind", &RegistrySpec::kind,
              {{"harbor", RegistryKind::kHarbor}, {"distribution", RegistryKind::kDistribution}, {"external", RegistryKind::kExternal},
               {"unreachable", RegistryKind::kUnreachable}},
              "harbor and distribution run in this cluster; external is outside and up; unreachable never answers (a site without a way to the outside).")
      .add("core", &RegistrySpec::core, "Harbor's core: its Service (namespace/name).")
      .add("registry", &RegistrySpec::registry, "Harbor's registry: its Service.")
      .add("postgresql", &RegistrySpec::postgresql, "Harbor's database: its Service. No pull goes well without it.")
      .add("redis", &RegistrySpec::redis, "Harbor's Redis: its Service. Core does not start without it, but runs on.")
      .add("ingress", &RegistrySpec::ingress, "The Service through which nodes reach Harbor or the registry. Without it they reach it directly.")
      .add("service", &RegistrySpec::service, "Of kind distribution: its Service (namespace/name).")
      .add("storage", &RegistrySpec::storage, "Where it keeps its blobs. Without it: a volume or disk of its pods.")
      .bytes_per_second("bandwidth", &RegistrySpec::bytes_per_second, "What it sends in all, beside what network cards and `network` allow.")
      .default_text("no limit")
      .bytes_per_second("connectionBandwidth", &RegistrySpec::connection_bytes_per_second, "What one connection carries; a pull has kubelet.maxConcurrentDownloads.")
      .default_text("no limit")
      .add("latency", &RegistrySpec::latency, "Token and manifest, before the first blob: median.")
      .add("latencySigma", &RegistrySpec::latency_sigma, 0.0, 5.0, "Lognormal spread of it; 0: always the median.")
      .add("rateLimit", &RegistrySpec::rate_limit, "Pulls that it allows. Docker Hub: 100 within 6h for one address, 200 with a free account.")
      .add("images", &RegistrySpec::images, "Patterns (* and ?) of full image names that it holds. Without it: every image that it is asked for.")
      .add("upstream", &RegistrySpec::upstream, "It is a pull-through cache of this registry: what it does not have, it fetches there.")
      .add("cached", &RegistrySpec::cached, "Patterns of full image names that the cache has at the start.")
      .add("mirrors", &RegistrySpec::mirrors, "Registries that nodes ask first, in this order (containerd's hosts.toml); this one is asked last.")
      .rule([](const RegistrySpec& to, Node node, Reader& reader) {
        const bool is_harbor = to.kind == RegistryKind::kHarbor;
        const bool is_inside = is_harbor || to.kind == RegistryKind::kDistribution;
        if (is_harbor) {
          require(to.core, "core", "Harbor", node, reader);
          require(to.registry, "registry", "Harbor", node, reader);
          require(to.postgresql, "postgresql", "Harbor", node, reader);
          require(to.redis, "redis", "Harbor", node, reader);
        } else {
          refuse(to.core, "core", "harbor", reader);
          refuse(to.registry, "registry", "harbor", reader);
          refuse(to.postgresql, "postgresql", "harbor", reader);
          refuse(to.redis, "redis", "harbor", reader);
        }
        if (to.kind == RegistryKind::kDistribution) require(to.service, "service", "registry in the cluster", node, reader);
        else refuse(to.service, "service", "distribution", reader);
        if (!is_inside) {
          refuse(to.ingress, "ingress", "harbor or distribution", reader);
          if (to.storage) reader.diagnostics.error(node.find("storage"), "'storage' is for kind: harbor or distribution");
        }
        if (to.upstream.text.empty() && !to.cached.empty()) reader.diagnostics.error(node.find("cached"), "'cached' is for a cache: it needs 'upstream'");
        if (to.name == "_default" && is_inside) reader.diagnostics.error(node.find("kind"), "'_default' is no registry of its own: put the registry under its host's name, and that into 'mirrors'");
      });
}

void describe(Fields<LayerSpec>& fields) {
  fields.title("A layer of an image.")
      .add("digest", &LayerSpec::digest, "Layers of the same digest are the same, in all images. Without it: of this image alone.")
      .bytes("size", &LayerSpec::size, "As transferred (compressed).")
      .required()
      .bytes("unpacked", &LayerSpec::unpacked, "On a node's disk.")
      .default_text("2.7 times the size");
}

void describe(Fields<NetworkSpec>& fields) {
  fields.title("Bandwidth that machines share, beside their network cards. Image pulls cross it (see `registries`), and Ceph's recovery where it is asked for.")
      .custom("uplinks", Codec<std::map<std::string, std::string>>::type(), "Of racks, zones and regions, by name: what their machines have together to all others, each direction: rack-1: 40Gbit/s.",
              [](Node node, NetworkSpec& to, Reader& reader) {
                if (!detail::expect_map(node, "uplinks", reader)) return false;
                bool good = true;
                for (std::size_t i = 0; i < node.size(); ++i) {
                  NetworkSpec::Uplink uplink;
                  uplink.element = Reference{std::string(node.key(i).text()), node.key(i).place()};
                  if (detail::read_bit_rate(node.value(i), uplink.bits_per_second, reader)) to.uplinks.push_back(std::move(uplink));
                  else good = false;
                }
                return good;
              })
      .bits_per_second("internet", &NetworkSpec::internet_bits_per_second, "The site's way to everything outside, each direction.")
      .default_text("no limit")
      .add("carriesCeph", &NetworkSpec::carries_ceph, "Recovery and backfill of Ceph, and what its clients write, share network cards (and uplinks) with image pulls.");
}

}  // namespace sim::scenario
