#include "sim/models/kubernetes/scheduler/plugins/image_locality.hpp"

#include <algorithm>

namespace sim::k8s::scheduling {

namespace {
constexpr std::int64_t kMebibyte = 1024 * 1024;
constexpr std::int64_t kThresholdMin = 23 * kMebibyte;
constexpr std::int64_t kThresholdMaxPerContainer = 1000 * kMebibyte;
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
  return !images_.empty();
}

std::int64_t ImageLocality::score(NodeIndex node) const {
  std::int64_t sum = 0;
  for (const Known& image : images_) {
    if (image.state->is_on(node)) sum += image.worth;
  }
  const std::int64_t most = kThresholdMaxPerContainer * containers_;
  return kMaxNodeScore * (std::clamp(sum, kThresholdMin, most) - kThresholdMin) / (most - kThresholdMin);
}

}  // namespace sim::k8s::scheduling
