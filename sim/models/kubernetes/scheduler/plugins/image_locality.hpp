/// ImageLocality: a node that has the pod's images scores more, the larger they are and the more nodes have them.
///
/// Source: framework/plugins/imagelocality/image_locality.go (reference kubernetes 1.6).
/// Leaves out: image volumes.
/// Checked by: tests/models/kubernetes/scheduler/plugins_test.cpp.
#pragma once

#include <vector>

#include "sim/models/kubernetes/scheduler/cache.hpp"

namespace sim::k8s::scheduling {

class ImageLocality {
 public:
  /// Looks up the pod's images. False: no node has any of them, so every node scores 0.
  bool prepare(const PodSpec& pod, const Cache& cache);
  std::int64_t score(NodeIndex node) const {
    if (by_images_.empty()) return score_one_by_one(node);
    std::size_t there = 0;
    for (std::size_t i = 0; i < images_.size(); ++i) there |= std::size_t{images_[i].state->is_on(node)} << i;
    return by_images_[there];
  }

 private:
  struct Known {
    const ImageState* state;
    std::int64_t worth;  // its size, scaled by the share of nodes that have it
  };
  std::int64_t score_of(std::int64_t worth) const;
  std::int64_t score_one_by_one(NodeIndex node) const;

  std::vector<Known> images_;
  std::vector<std::int64_t> by_images_;  // by which of few images are there (bit i: image i); empty when they are many
  std::int64_t containers_ = 0;
};

}  // namespace sim::k8s::scheduling
