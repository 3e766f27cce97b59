/// What images consist of: layers, by digest, with their size as transferred and as unpacked. Images share layers; a node fetches each layer once.
///
/// An image of which only a size is known is cut into layers of its own: kLayersAssumed of them, each half as large as the one before (base first), so that
/// downloading and unpacking overlap as they do for real images.
///
/// Source:     OCI image-spec (manifest, layers by digest); reference platform 8.3 (median 8 layers; unpacked 2.5 to 3 times the transfer size).
/// Leaves out: manifests and configs (some kilobytes), platforms of an image index, zstd:chunked and lazy pulling.
/// Checked by: tests/models/registry/image_catalogue_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sim/core/symbol.hpp"

namespace sim::registry {

/// "harbor.example:5000/platform/nova-api:2024.1" in its parts, as containerd resolves it: "nginx" is docker.io/library/nginx:latest.
struct ImageReference {
  std::string host;
  std::string repository;
  std::string object;  // tag or digest
};
/// Source: github.com/distribution/reference normalize.go (splitDockerDomain).
ImageReference parse_image(std::string_view image);

struct LayerId {
  std::uint32_t value = UINT32_MAX;
  friend constexpr auto operator<=>(LayerId, LayerId) = default;
};
struct Layer {
  std::string digest;
  std::int64_t bytes = 0;     // as transferred (compressed)
  std::int64_t unpacked = 0;  // on the disk of a node
};
struct Image {
  Symbol name;  // normalised
  ImageReference reference;
  std::vector<LayerId> layers;  // base first
  std::int64_t bytes = 0;       // sum of the layers, as transferred: what runtimes report
};

/// A layer as a scenario gives it. Layers of the same digest are the same.
struct LayerConfig {
  std::string digest;          // empty: of this image alone
  std::int64_t bytes = 0;
  std::int64_t unpacked = 0;   // 0: by the ratio
};

class ImageCatalogue {
 public:
  static constexpr std::size_t kLayersAssumed = 8;
  static constexpr double kUnpackedRatio = 2.7;

  ImageCatalogue(const Interner& names, std::int64_t default_bytes) : names_(names), default_bytes_(default_bytes) {}

  void set_bytes(Symbol image, std::int64_t bytes) { sizes_[image] = bytes; }
  /// Before the image is first asked for.
  void set_layers(Symbol image, std::vector<LayerConfig> layers) { given_[image] = std::move(layers); }

  /// Known from the first question on; the reference stays valid.
  const Image& image(Symbol name);
  const Layer& layer(LayerId id) const { return layers_[id.value]; }
  std::size_t layer_count() const { return layers_.size(); }

 private:
  LayerId add_layer(const LayerConfig& config, std::string_view own);

  const Interner& names_;
  std::int64_t default_bytes_;
  std::map<Symbol, std::int64_t> sizes_;
  std::map<Symbol, std::vector<LayerConfig>> given_;
  std::map<Symbol, Image> images_;
  std::vector<Layer> layers_;
  std::unordered_map<std::string, LayerId> by_digest_;  // look-up only
};

}  // namespace sim::registry
