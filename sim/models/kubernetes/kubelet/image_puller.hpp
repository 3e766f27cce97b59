/// The images of one node, and the pulls of those that are missing: one at a time in the order asked (serializeImagePulls), or all at once
/// sharing the bandwidth.
///
/// Source:     reference kubernetes 3.6 (images/puller.go), platform 8.2, 8.3.
/// Leaves out: layers shared between images, the registry's own uplink shared by many nodes, pull QPS (5/s), secrets, disk use
///             and image garbage collection: see models/registry. The registry is looked at when a pull begins and when it ends, not in between.
/// Checked by: tests/models/kubernetes/kubelet_images_test.cpp.
#pragma once

#include <deque>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/models/kubernetes/kubelet/node_images.hpp"

namespace sim::k8s::kubelet {

class ImagePuller final : public NodeImages {
 public:
  ImagePuller(Engine& engine, const Hooks& hooks, double bytes_per_second, bool serialize)
      : engine_(engine), hooks_(hooks), bytes_per_second_(bytes_per_second), serialize_(serialize) {}
  ~ImagePuller() override { ImagePuller::interrupt(); }
  ImagePuller(const ImagePuller&) = delete;
  ImagePuller& operator=(const ImagePuller&) = delete;

  bool has(Symbol image) const override;
  void add(Symbol image) override;
  const std::vector<Symbol>& images() const override { return images_; }
  void pull(Symbol image, Waiter waiter) override;
  void forget(Waiter waiter) override;
  void interrupt() override;
  void freeze(bool frozen) override;

 private:
  struct Pull {
    Symbol image;
    CauseId cause{};
    double bytes_left = 0.0;
    SimTime fails_at = kEndOfTime;
    std::vector<Waiter> waiters;
  };
  void begin_next();
  void advance();
  void arm();
  void on_timer();

  Engine& engine_;
  const Hooks& hooks_;
  double bytes_per_second_;
  bool serialize_;
  bool frozen_ = false;
  std::vector<Symbol> images_;  // in the order of arrival
  std::vector<Pull> active_;
  std::deque<Pull> queue_;
  SimTime advanced_at_{};
  TimerId timer_{};
};

}  // namespace sim::k8s::kubelet
