/// What a kubelet asks of its node's container runtime about images: which are there, pull one, what they take of the disk.
///
/// Two models answer: ImagePuller (sizes and one bandwidth a node; scenarios without `registries:`), and registry::NodeStore (layers, registries, mirrors,
/// garbage collection), which an ImageService makes for each node.
///
/// Source: CRI ImageService; reference kubernetes 3.6.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/core/cause.hpp"
#include "sim/core/symbol.hpp"
#include "sim/models/host/hosts.hpp"

namespace sim::k8s::kubelet {

/// How a registry answers.
enum class RegistryState : std::uint8_t {
  kUp,
  kRefused,  ///< nobody listens (no endpoint): the attempt fails at once
  kSilent,   ///< packets are lost: the attempt fails after the dial time-out of 30 s
};

/// How a pull ended.
struct PullResult {
  bool pulled = false;
  std::string message{};  // failed: the runtime's error; pulled: "in 3.2s (5.1s including waiting). Image size: 70254592 bytes." Empty: not known
  CauseId cause{};        // why it failed
};

class NodeImages {
 public:
  using Waiter = std::uint64_t;  // the caller's name for who waits
  struct Hooks {
    std::function<RegistryState()> registry;  // asked by ImagePuller alone
    std::function<std::int64_t(Symbol image)> bytes;
    /// An image that was missing is on the node now, whether or not somebody still waits for it.
    std::function<void(Symbol image)> arrived;
    /// Called once for each waiter when the pull of its image ended. Never from inside pull().
    std::function<void(Waiter waiter, Symbol image, const PullResult& result)> done;
    /// Images were removed.
    std::function<void()> removed;
    /// Some container on the node, ended or not, was made of the image.
    std::function<bool(Symbol image)> in_use;
    /// The file system of the images has more or less room than before.
    std::function<void()> filesystem_changed;
    /// Image pulls write so many bytes a second on the file system of the images from now on.
    std::function<void(double bytes_per_second)> writing;
    /// Bytes on it that are no images.
    std::function<std::int64_t()> beside_images;
  };
  /// The file system that holds images (imagefs; here the same as nodefs). No capacity: not modelled.
  struct Filesystem {
    std::int64_t capacity = 0;
    std::int64_t available = 0;
  };

  virtual ~NodeImages() = default;

  virtual bool has(Symbol image) const = 0;
  /// It is there without having been pulled.
  virtual void add(Symbol image) = 0;
  /// The world begins with a cluster that has been running: a container that starts now runs already, so its image is there. True: nothing is to be pulled.
  virtual bool was_running(Symbol) { return false; }
  /// In the order of arrival.
  virtual const std::vector<Symbol>& images() const = 0;
  /// Asks for an image. With the image on the node only its manifest is looked up (imagePullPolicy Always).
  virtual void pull(Symbol image, Waiter waiter) = 0;
  /// The waiter does not care any more; the pull itself goes on.
  virtual void forget(Waiter waiter) = 0;
  /// The kubelet or the machine died: nothing is being pulled any more. Images stay.
  virtual void interrupt() = 0;
  /// Nothing makes progress for a while (true), or goes on (false).
  virtual void freeze(bool frozen) = 0;
  /// A container was made of the image, or one that was is gone.
  virtual void touch(Symbol) {}
  virtual Filesystem filesystem() const { return {}; }
  /// Bytes of it that images and their parts have.
  virtual std::int64_t bytes_used() const { return 0; }
  /// Others wrote so much that garbage collection may have something to do.
  virtual void filesystem_filled() {}
  /// Removes every image that no container uses (what the eviction manager does under DiskPressure); bytes that came free.
  virtual std::int64_t remove_unused() { return 0; }
  /// Who writes files on the node waits for the disk, so that they come only so many times as fast as they would (1: as fast).
  virtual void set_writer_speed(double) {}
  /// When the next image that no container uses is old enough to be removed; kEndOfTime: there is none.
  virtual SimTime next_unused() const { return kEndOfTime; }
  /// The disk is empty: a machine that was installed anew.
  virtual void wipe() {}
};

/// Makes the images of each node.
class ImageService {
 public:
  struct NodeContext {
    host::HostId host;
    Symbol name;
    Symbol subject;  // of records: "Node/w1"
  };
  virtual ~ImageService() = default;
  /// The hooks outlive what is made.
  virtual std::unique_ptr<NodeImages> make(const NodeContext& node, const NodeImages::Hooks& hooks) = 0;
  /// Size of an image as runtimes report it.
  virtual std::int64_t bytes(Symbol image) const = 0;
};

}  // namespace sim::k8s::kubelet
