#include "sim/models/registry/image_catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sim::registry {

ImageReference parse_image(std::string_view image) {
  ImageReference result;
  const std::size_t slash = image.find('/');
  const std::string_view first = image.substr(0, slash);
  const bool is_host = slash != std::string_view::npos &&
                       (first.find_first_of(".:") != std::string_view::npos || first == "localhost" ||
                        std::any_of(first.begin(), first.end(), [](char c) { return c >= 'A' && c <= 'Z'; }));
  result.host = is_host ? std::string(first) : "docker.io";
  if (result.host == "index.docker.io") result.host = "docker.io";
  std::string_view rest = is_host ? image.substr(slash + 1) : image;
  const std::size_t at = rest.find('@');
  if (at != std::string_view::npos) {
    result.object = std::string(rest.substr(at + 1));
    rest = rest.substr(0, at);
  }
  const std::size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos && rest.find('/', colon) == std::string_view::npos) {
    if (result.object.empty()) result.object = std::string(rest.substr(colon + 1));
    rest = rest.substr(0, colon);
  }
  if (result.object.empty()) result.object = "latest";
  result.repository = std::string(rest);
  if (result.host == "docker.io" && result.repository.find('/') == std::string::npos) result.repository = "library/" + result.repository;
  return result;
}

LayerId ImageCatalogue::add_layer(const LayerConfig& config, std::string_view own) {
  const std::string digest = config.digest.empty() ? std::string(own) : config.digest;
  const auto [place, is_new] = by_digest_.try_emplace(digest, LayerId{static_cast<std::uint32_t>(layers_.size())});
  if (is_new) {
    const std::int64_t unpacked = config.unpacked > 0 ? config.unpacked : static_cast<std::int64_t>(static_cast<double>(config.bytes) * kUnpackedRatio);
    layers_.push_back(Layer{digest, config.bytes, unpacked});
  }
  return place->second;
}

const Image& ImageCatalogue::image(Symbol name) {
  const auto [place, is_new] = images_.try_emplace(name);
  Image& image = place->second;
  if (!is_new) return image;
  const std::string& text = names_.text(name);
  image.name = name;
  image.reference = parse_image(text);
  std::vector<LayerConfig> layers;
  if (const auto given = given_.find(name); given != given_.end()) {
    layers = given->second;
  } else {
    const auto size = sizes_.find(name);
    std::int64_t left = size == sizes_.end() ? default_bytes_ : size->second;
    for (std::size_t i = 0; i < kLayersAssumed && left > 0; ++i) {
      const std::int64_t bytes = i + 1 == kLayersAssumed ? left : (left + 1) / 2;
      layers.push_back(LayerConfig{{}, bytes, 0});
      left -= bytes;
    }
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerId id = add_layer(layers[i], fmt::format("{}#{}", text, i + 1));
    // The same layer twice (empty layers are) is fetched and unpacked once.
    if (std::find(image.layers.begin(), image.layers.end(), id) != image.layers.end()) continue;
    image.layers.push_back(id);
    image.bytes += layer(id).bytes;
  }
  return image;
}

}  // namespace sim::registry
