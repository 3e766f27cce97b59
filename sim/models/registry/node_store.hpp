/// The images of one node in registry scenarios: containerd's content and snapshots, the kubelet's queue of pulls, and its garbage collection.
///
/// A pull waits for its turn (one at a time, or so many), needs a token of registryPullQPS, asks its sources in order until one answers, and then fetches
/// the layers that the node lacks. They come as one flow, as wide as max_concurrent_downloads connections; what has come fills the layers in their order
/// and is kept when the pull breaks off. Layers are unpacked one after the other while later ones still come: the end is computed once from the mean rate.
/// A connection that breaks is opened again at once; one that is silent costs the pull after image_pull_progress_timeout without a byte.
///
/// Garbage collection looks every 5 minutes, from when the kubelet began; nothing is scheduled while the disk is not full enough.
///
/// Records: ImagesRemoved (Squall's own word), FreeDiskSpaceFailed, subject "Node/NAME".
///
/// Source:     reference kubernetes 3.6, 3.13, platform 8.2, 8.3; kubelet pkg/kubelet/images/{image_manager,puller,image_gc_manager}.go; containerd
///             docs/cri/config.md, core/remotes/docker/httpreadseeker.go (reopens a broken connection).
/// Leaves out: image volumes, re-verification of credentials of images that are there, the CPU that unpacking takes. What else is on the disk, and who
///             shares its bandwidth, is the kubelet's business (kubelet/node_disk.hpp, contention.cpp): what comes and what is unpacked is written through dirty pages; how
///             fast it comes is looked at when a pull of the node begins or ends, not when the network changes in between.
/// Checked by: tests/models/registry/node_store_test.cpp.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/resource.hpp"
#include "sim/models/registry/registries.hpp"

namespace sim::registry {

class NodeStore final : public k8s::kubelet::NodeImages {
 public:
  NodeStore(Registries& registries, const Hooks& hooks, const k8s::kubelet::ImageService::NodeContext& node, std::uint32_t number);
  ~NodeStore() override;
  NodeStore(const NodeStore&) = delete;
  NodeStore& operator=(const NodeStore&) = delete;

  bool has(Symbol image) const override;
  void add(Symbol image) override;
  bool was_running(Symbol image) override;
  const std::vector<Symbol>& images() const override { return names_; }
  void pull(Symbol image, Waiter waiter) override;
  void forget(Waiter waiter) override;
  void interrupt() override;
  void freeze(bool frozen) override;
  void touch(Symbol image) override;
  Filesystem filesystem() const override;
  std::int64_t bytes_used() const override { return used_; }
  void filesystem_filled() override { look_at_disk(); }
  std::int64_t remove_unused() override;
  SimTime next_unused() const override;
  void wipe() override;
  void set_writer_speed(double speed) override;

  // ---- for Registries
  host::HostId host() const { return node_.host; }
  Symbol name() const { return node_.name; }
  std::uint32_t number() const { return number_; }
  /// A registry, a machine or the network changed: connections may break, or go on.
  void reevaluate();
  void seed_ended(Symbol image);
  /// Bytes flow to here from, or through, this pod.
  bool gets_from(k8s::Ref<k8s::Pod> pod) const {
    return std::any_of(active_.begin(), active_.end(), [pod](const std::unique_ptr<Pull>& pull) {
      const auto& pods = pull->attempt.route.pods;
      return pull->is_flowing && std::find(pods.begin(), pods.end(), pod) != pods.end();
    });
  }

 private:
  enum class Stage : std::uint8_t {
    kAsking,     // a source has been asked
    kFetching,   // bytes flow
    kStalled,    // they do not, and nobody knows why
    kWaiting,    // another pull fetches the layers that are left
    kUnpacking,
  };
  struct Pull {
    std::uint64_t serial = 0;
    Symbol image;
    Waiter waiter = 0;
    bool has_waiter = true;
    CauseId cause{};
    SimTime asked{};
    SimTime began{};
    Stage stage = Stage::kAsking;
    std::vector<std::size_t> sources;
    std::size_t next = 0;
    Attempt attempt;
    std::string error;  // the most telling one so far
    int error_rank = 0;
    CauseId error_cause{};
    std::vector<LayerId> fetching;  // in their order
    double bytes = 0;               // of the flow
    std::int64_t fetched_bytes = 0;  // of all flows of this pull
    SimTime fetch_began{};
    SharedBandwidth::FlowId flow;
    bool is_flowing = false;
    bool is_seed = false;
    SimTime due = kEndOfTime;  // of the timer
    SimDuration left{};        // of it, while frozen
    TimerId timer{};
  };
  struct Held {
    Symbol image;
    SimTime detected{};
    SimTime last_used{};
  };
  struct LayerState {
    LayerId id;
    std::int64_t got = 0;       // bytes of its content
    std::uint32_t images = 0;   // that are here and have it
  };

  LayerState* find_layer(LayerId id);
  const LayerState* find_layer(LayerId id) const { return const_cast<NodeStore*>(this)->find_layer(id); }
  LayerState& layer(LayerId id);
  bool is_content_here(LayerId id) const;
  bool is_complete(const Image& image) const;

  void begin_next();
  void try_next(Pull& pull);
  void on_answer(Pull& pull);
  void fetch(Pull& pull);
  void on_fetched(Pull& pull);
  void on_unpacked(Pull& pull);
  void keep_progress(Pull& pull);
  void reopen(Pull& pull);
  void note_error(Pull& pull, const Attempt& attempt);
  void fail(Pull& pull, std::string error, CauseId cause);
  enum class Arrived : bool { kNo, kYes };
  void end(Pull& pull, const k8s::kubelet::PullResult& result, Arrived arrived);
  void drop_content(const Image& image);
  void set_timer(Pull& pull, SimDuration span);
  void on_timer(std::uint64_t serial);
  Pull* find_pull(std::uint64_t serial);
  std::int64_t fetched(const Pull& pull) const;
  void set_seed(Pull& pull, bool on);

  void insert(Symbol image);
  void erase(Symbol image);
  void filesystem_changed();
  void look_at_disk();
  void collect();
  bool is_removable(const Held& held) const;
  void remove_old_images();
  void look_later(SimTime when);
  void writes_changed();
  void tell_writes();
  std::int64_t remove_images(std::int64_t to_free, std::int64_t& eligible, std::size_t& count);

  Registries& registries_;
  Engine& engine_;
  const Hooks& hooks_;
  k8s::kubelet::ImageService::NodeContext node_;
  std::uint32_t number_;
  std::vector<Symbol> names_;  // in the order of arrival
  std::vector<Held> held_;     // as names_
  std::vector<LayerState> layers_;  // by id
  std::int64_t used_ = 0;           // by images and their parts
  std::vector<std::unique_ptr<Pull>> active_;
  std::vector<std::unique_ptr<Pull>> ended_;  // until the event that ended them is over
  std::deque<std::unique_ptr<Pull>> queue_;
  TokenBucket bucket_;
  bool frozen_ = false;
  std::uint64_t last_serial_ = 0;
  std::uint32_t requests_ = 0;
  std::optional<SimDuration> gc_phase_;
  TimerId gc_timer_{};
  SimTime gc_at_{};
  SimTime kubelet_start_{};  // imageMaximumGCAge counts from it
  bool told_gc_failed_ = false;
  SharedBandwidth::LinkId disk_;      // what pulls may write, when the disk is slower than they are
  double flowing_ = 0;                // bytes a second of all flows, were the disk fast enough
  double writer_speed_ = 1.0;
  TimerId tell_timer_{};
};

}  // namespace sim::registry
