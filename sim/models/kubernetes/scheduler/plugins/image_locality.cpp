#include "sim/models/kubernetes/scheduler/plugins/image_locality.hpp"

#include <algorithm>

namespace sim::k8s::scheduling {

namespace {
constexpr std::int64_t kMebibyte = 1024 * 1024;
constexpr std::int64_t kThresholdMin = 23 * kMebibyte;
constexpr std::int64_t kThresholdMaxPerContainer = 1000 * kMebibyte;
constexpr std::size_t kTabled = 4;  // of so many images all scores are computed beforehand
}  // namespace

bool ImageLocality::prepare(const PodSpec& pod, const Cache& cache) {
  images_.clear();
  containers_ = static_cast<std::int64_t>(pod.init_containers.size() + pod.containers.size());
  if (!cache.has_images()) return false;
  const auto look = [&](const Container& container) {
    const ImageState* state = cache.image(container.image);
    if (state == nullptr) return;
    const double spread = static_cast<double>(state->nodes) / static_cast<double>(cache.node_count());
    images_.push_back(Known{state, static_cast<std::int64_t>(static_cast<double>(state->bytes) * spread)});
  };
  for (const Container& container : pod.init_containers) look(container);
  for (const Container& container : pod.containers) look(container);
  by_images_.clear();
  if (images_.size() <= kTabled) {
    for (std::size_t there = 0; there < std::size_t{1} << images_.size(); ++there) {
      std::int64_t worth = 0;
      for (std::size_t i = 0; i < images_.size(); ++i) worth += ((there >> i) & 1) != 0 ? images_[i].worth : 0;
      by_images_.push_back(score_of(worth));
    }
  }
  return !images_.empty();
}

std::int64_t ImageLocality::score_of(std::int64_t worth) const {
  const std::int64_t most = kThresholdMaxPerContainer * containers_;
  return kMaxNodeScore * (std::clamp(worth, kThresholdMin, most) - kThresholdMin) / (most - kThresholdMin);
}

std::int64_t ImageLocality::score_one_by_one(NodeIndex node) const {
  std::int64_t worth = 0;
  for (const Known& image : images_) {
    if (image.state->is_on(node)) worth += image.worth;
  }
  return score_of(worth);
}

}  // namespace sim::k8s::scheduling
