/// The sections `registries:` and `network:` of a scenario, and what `images:` says beside sizes.
///
/// Checked by: tests/scenario/registry_fields_test.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/models/registry/registry_config.hpp"
#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/reference.hpp"

namespace sim::scenario {

struct RegistryStorageSpec {
  enum class Kind : std::uint8_t { kPvc, kS3, kFilesystem } kind = Kind::kPvc;
  Reference service;  // of an object store in the cluster
  bool redirect = true;
  std::optional<double> bytes_per_second;
};

struct RateLimitSpec {
  std::int64_t pulls = 100;
  SimDuration per{std::chrono::hours(6)};
};

struct RegistrySpec {
  std::string name;  // the host
  Place where;
  registry::RegistryKind kind = registry::RegistryKind::kExternal;
  Reference ingress, core, registry, postgresql, redis;  // Services "namespace/name"
  Reference service;                                     // of a plain registry
  std::optional<RegistryStorageSpec> storage;
  std::optional<double> bytes_per_second;
  std::optional<double> connection_bytes_per_second;
  SimDuration latency = registry::RegistryConfig{}.latency;
  double latency_sigma = registry::RegistryConfig{}.latency_sigma;
  std::optional<RateLimitSpec> rate_limit;
  std::optional<std::vector<std::string>> images;
  Reference upstream;
  std::vector<std::string> cached;
  std::vector<Reference> mirrors;
};

struct LayerSpec {
  std::string digest;
  std::int64_t size = 0;
  std::int64_t unpacked = 0;
};

/// What `images:` says for registry scenarios.
struct RegistryImagesSpec {
  std::map<std::string, std::vector<LayerSpec>> layers;
  registry::PeerMode peers = registry::PeerMode::kNone;
  double unpack_bytes_per_second = registry::RegistriesConfig{}.unpack_bytes_per_second;
  std::int64_t disk_used = 0;
  std::vector<std::string> pinned;
};

struct NetworkSpec {
  struct Uplink {
    Reference element;
    double bits_per_second = 0;
  };
  std::vector<Uplink> uplinks;
  std::optional<double> internet_bits_per_second;
  bool carries_ceph = false;
};

}  // namespace sim::scenario
