/// What registries there are, how they are asked, and what they hold.
///
/// Source: Harbor's architecture and chart, containerd docs/hosts.md, Docker Hub's pull limits, Spegel's and Dragonfly's documents; reference platform 8.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/resource.hpp"
#include "sim/core/symbol.hpp"
#include "sim/core/time.hpp"

namespace sim::registry {

enum class RegistryKind : std::uint8_t {
  kHarbor,        ///< core, registry, PostgreSQL and Redis as Services of the cluster
  kDistribution,  ///< one Service of the cluster
  kExternal,      ///< outside: up unless a fault says otherwise
  kUnreachable,   ///< packets to it are dropped (a site without a way to the outside)
};

/// The parts of a registry that runs in the cluster, in the order in which a request meets them.
enum class Part : std::uint8_t { kIngress, kCore, kDatabase, kRedis, kRegistry, kStorage };
const char* to_string(Part part);  // "core"

struct PartConfig {
  Part part = Part::kCore;
  Symbol ns;
  Symbol service;
};

struct RateLimit {
  std::int64_t pulls = 100;
  SimDuration per{std::chrono::hours(6)};
};

struct RegistryConfig {
  std::string host;  // as image names begin with it; "_default": for every host that has no entry of its own
  RegistryKind kind = RegistryKind::kExternal;
  std::vector<PartConfig> parts;
  double bytes_per_second = SharedBandwidth::kNoLimit;             // what it sends in all
  double storage_bytes_per_second = SharedBandwidth::kNoLimit;     // what its storage gives in all
  double connection_bytes_per_second = SharedBandwidth::kNoLimit;  // what one connection carries
  bool redirects = false;  // blobs come from the storage itself, not through the registry
  SimDuration latency{std::chrono::milliseconds(200)};  // token and manifest: median
  double latency_sigma = 0.4;
  std::optional<RateLimit> rate_limit;
  std::optional<std::vector<std::string>> images;  // patterns of those that it holds; absent: all that it is asked for
  std::string upstream;                            // a pull-through cache of this registry
  std::vector<std::string> cached;                 // patterns of what the cache holds at the start
  std::vector<std::string> mirrors;                // asked before it, in this order (hosts.toml)
};

enum class PeerMode : std::uint8_t {
  kNone,
  kImages,  ///< a node serves the images that it has whole (Spegel)
  kPieces,  ///< nodes serve each other pieces while they still pull (Dragonfly)
};

struct RegistriesConfig {
  std::vector<RegistryConfig> registries;
  PeerMode peers = PeerMode::kNone;
  double unpack_bytes_per_second = 150e6;  // unpacked bytes, one image
  std::vector<Symbol> pinned;              // never collected
  SimTime running_until{};                 // containers that start before this run since before the beginning
};

/// `*` and `?` in a pattern stand for anything and for one character.
bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace sim::registry
