/// The images of one node, and the pulls of those that are missing: one at a time in the order asked (serializeImagePulls), or all at once
/// sharing the bandwidth.
///
/// Source:     reference kubernetes 3.6 (images/puller.go), platform 8.2, 8.3.
/// Leaves out: layers shared between images, the registry's own uplink shared by many nodes, pull QPS (5/s), secrets, disk use
///             and image garbage collection. The registry is looked at when a pull begins and when it ends, not in between.
/// Checked by: tests/models/kubernetes/kubelet_images_test.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/symbol.hpp"

namespace sim::k8s::kubelet {

/// How a registry answers.
enum class RegistryState : std::uint8_t {
  kUp,
  kRefused,  ///< nobody listens (no endpoint): the attempt fails at once
  kSilent,   ///< packets are lost: the attempt fails after the dial time-out of 30 s
};

class ImagePuller {
 public:
  using Waiter = std::uint64_t;  // the caller's name for who waits
  struct Hooks {
    std::function<RegistryState()> registry;
    std::function<std::int64_t(Symbol image)> bytes;
    /// An image that was missing is on the node now, whether or not somebody still waits for it.
    std::function<void(Symbol image)> arrived;
    /// Called once for each waiter when the pull of its image ended.
    std::function<void(Waiter waiter, Symbol image, bool pulled)> done;
  };
  ImagePuller(Engine& engine, const Hooks& hooks, double bytes_per_second, bool serialize)
      : engine_(engine), hooks_(hooks), bytes_per_second_(bytes_per_second), serialize_(serialize) {}
  ~ImagePuller() { interrupt(); }
  ImagePuller(const ImagePuller&) = delete;
  ImagePuller& operator=(const ImagePuller&) = delete;

  bool has(Symbol image) const;
  void add(Symbol image);
  const std::vector<Symbol>& images() const { return images_; }
  /// Asks for an image. With the image on the node only its manifest is looked up (imagePullPolicy Always).
  void pull(Symbol image, Waiter waiter);
  /// The waiter does not care any more; the pull itself goes on.
  void forget(Waiter waiter);
  /// The kubelet or the machine died: nothing is being pulled any more. Images stay.
  void interrupt();
  /// Nothing makes progress for a while (true), or goes on (false).
  void freeze(bool frozen);

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
