/// Registries as nodes meet them: who is asked for an image, in which order, what the answer is and how long it takes, and over which links the bytes come.
///
/// A Harbor answers while an endpoint of its core, its registry and its PostgreSQL serves, and of its storage where that is a Service of its own; a
/// volume that hangs hangs the pods that mount it, and with them their requests. A core that starts needs Redis; one that runs does not. All requests go
/// through core; blobs come from the registry's pod through core's, or from the storage itself where it redirects.
///
/// Records, subject "Registry/HOST": RegistryDown, RegistryUp, RateLimited.
///
/// Source:     reference platform 8.1, 8.2, 8.3; containerd core/remotes/docker/resolver.go (order of hosts, which error is told), docs/hosts.md.
/// Leaves out: pushes, DNS and certificates, image pull secrets (a fault stands for them), vulnerability scans that block pulls, replication between
///             registries, the time that a cache takes to fill beside its bandwidth. A miss of a pull-through cache is fetched once, however many ask.
/// Checked by: tests/models/registry/registries_test.cpp, tests/chaos/registry_test.cpp.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/kubernetes/kubelet/node_images.hpp"
#include "sim/models/kubernetes/proxy/service_watch.hpp"
#include "sim/models/network/network.hpp"
#include "sim/models/registry/image_catalogue.hpp"
#include "sim/models/registry/registry_config.hpp"

namespace sim::registry {

using k8s::ServiceWatch;

class NodeStore;

enum class Answer : std::uint8_t {
  kOk,
  kRefused,
  kSilent,       ///< no packet comes back: the dial time-out
  kHangs,        ///< accepted, but nothing comes: until the runtime gives the pull up
  kDenied,       ///< 401
  kNotFound,     ///< 404
  kTooMany,      ///< 429
  kServerError,  ///< 500, 502, 503
};

/// Where the bytes of a pull come from.
struct Route {
  std::vector<k8s::Ref<k8s::Pod>> pods;  // each must serve
  std::size_t registry = SIZE_MAX;
  std::uint32_t peer = UINT32_MAX;  // another node
  bool from_pieces = false;
  network::Network::Links links;
  double limit = SharedBandwidth::kNoLimit;
};
enum class RouteState : std::uint8_t { kOpen, kBroken, kStalled };

struct Attempt {
  Answer answer = Answer::kOk;
  SimDuration after{};  // until the answer
  std::string error;    // of the request, as the runtime words it
  CauseId cause{};
  Route route;
};

/// A pull that is over.
struct PullEnd {
  SimTime at{};
  SimDuration took{};  // waiting included
  std::size_t source = SIZE_MAX;  // whom it came from, or who was asked last: a registry, or Registries::kPeers
  bool pulled = false;
  CauseId cause{};  // why it failed, or why there was a pull
};

/// How often nodes were served.
struct PullCounts {
  std::uint64_t pulled = 0;
  std::uint64_t failed = 0;
  SimDuration longest{};  // of those that went well, waiting included
  std::uint64_t bytes = 0;
};

class Registries final : public k8s::kubelet::ImageService {
 public:
  Registries(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, k8s::ApiServer& api, k8s::Kubelets& kubelets,
             network::Network& network, const k8s::ImagePolicy& policy, std::unique_ptr<ImageCatalogue> catalogue, RegistriesConfig config);
  ~Registries() override;
  Registries(const Registries&) = delete;
  Registries& operator=(const Registries&) = delete;

  /// Hears of every change from now on.
  void start();

  std::unique_ptr<k8s::kubelet::NodeImages> make(const NodeContext& node, const k8s::kubelet::NodeImages::Hooks& hooks) override;
  std::int64_t bytes(Symbol image) const override { return catalogue_->image(image).bytes; }

  // ---- for people and observers
  std::size_t size() const { return registries_.size(); }
  const std::string& host(std::size_t registry) const { return registries_[registry].config.host; }
  /// The registry of this host; SIZE_MAX when the scenario does not name it.
  std::size_t find(std::string_view host) const;
  /// Pulls from it can go well (of an image that it holds).
  bool serves(std::size_t registry) const { return registries_[registry].told_up; }
  bool is_observed(std::size_t registry) const;
  /// Called when serves() changed; the current cause explains it.
  void on_change(std::function<void(std::size_t registry, bool serves)> listener) { listeners_.push_back(std::move(listener)); }
  const PullCounts& counts(std::size_t registry) const { return registries_[registry].counts; }
  /// Of all nodes, whoever served them.
  const PullCounts& counts() const { return counts_; }
  /// In the order in which they ended.
  const std::vector<PullEnd>& pulls() const { return pulls_; }
  /// Why it serves or not, as last recorded.
  CauseId cause(std::size_t registry) const { return registries_[registry].cause; }

  // ---- faults; each call is undone by one with `on` false
  enum class Fault : std::uint8_t { kDown, kRefused, kDenied, kTooMany };
  void set_fault(std::size_t registry, Fault fault, bool on);
  /// It sends no more than this; the lowest of several counts.
  void set_slow(std::size_t registry, double bytes_per_second, SimDuration latency, bool on);
  void set_missing(std::size_t registry, const std::string& pattern, bool on);

  // ---- for NodeStore
  Engine& engine() { return engine_; }
  EventLog& log() { return log_; }
  const Randomness& random() const { return random_; }
  network::Network& network() { return network_; }
  const host::Hosts& hosts() const { return hosts_; }
  const k8s::ImagePolicy& policy() const { return policy_; }
  const RegistriesConfig& config() const { return config_; }
  ImageCatalogue& catalogue() { return *catalogue_; }
  const Interner& names() const { return log_.names(); }
  static constexpr std::size_t kPeers = SIZE_MAX - 1;
  /// Whom to ask for an image, in this order: registries, or kPeers.
  std::vector<std::size_t> sources(const Image& image);
  /// Asks one of them now. `serial` tells the attempts of a node apart. `with_content`: not only whether the image on the node is still the one.
  Attempt attempt(std::size_t source, const NodeStore& node, const Image& image, std::uint32_t serial, bool with_content);
  RouteState state(const Route& route, const NodeStore& node) const;
  /// Why a route is not open.
  CauseId cause_of(const Route& route, const NodeStore& node) const;
  void pulled(const NodeStore& node, const Route& route, SimDuration took, std::int64_t bytes);
  void failed(std::size_t source, SimDuration took, CauseId cause);
  void holds(const NodeStore& node, Symbol image, bool has);
  /// A pull of pieces begins or ends on the node.
  void pulls_pieces(const NodeStore& node, Symbol image, bool on);
  /// Somebody pulls the image from a registry, so that others can have its pieces.
  bool has_seed(const NodeStore& except, Symbol image) const;

 private:
  struct Slow {
    double bytes_per_second = 0;
    SimDuration latency{};
    CauseId cause{};
  };
  struct Registry {
    RegistryConfig config;
    std::vector<std::size_t> watched;  // of each part: its number in watch_
    std::string shown;                 // host in messages
    SharedBandwidth::LinkId egress;    // unset: no limit yet
    SharedBandwidth::LinkId storage;
    std::map<Fault, std::vector<CauseId>> faults;
    std::vector<Slow> slow;
    std::vector<std::pair<std::string, CauseId>> missing;
    std::set<Symbol> cached;
    std::deque<SimTime> pulls;  // that the rate limit counts
    bool told_limited = false;
    CauseId limited_cause{};
    bool told_up = false;
    bool was_up = false;
    bool told_down = false;
    CauseId cause{};  // of its last change
    PullCounts counts;
  };

  std::size_t add(RegistryConfig config);
  std::size_t registry_for(const std::string& host);
  /// Why no pull from it goes well; empty when they do.
  std::string trouble(const Registry& registry, CauseId& cause) const;
  void look(std::size_t registry);
  void tell_down(std::size_t registry);
  void look_at_users_of(std::size_t service, k8s::Ref<k8s::Pod> pod);
  void reevaluate();
  bool part_serves(const Registry& registry, std::size_t index) const;
  bool is_waiting_for_redis(const Registry& registry, k8s::Ref<k8s::Pod> pod) const;
  /// One hop through a part: the pod that answers, or what is wrong.
  Answer hop(const Registry& registry, std::size_t index, bool is_entry, host::HostId from, RandomStream& draws, Attempt& attempt,
             k8s::Ref<k8s::Pod>& pod) const;
  Attempt ask(std::size_t registry, const std::string& shown, host::HostId node, std::string_view node_name, const Image& image, std::uint32_t serial,
              bool with_content, bool is_mirror);
  Attempt ask_peers(const NodeStore& node, const Image& image, std::uint32_t serial);
  void fail(Attempt& attempt, Answer answer, const std::string& shown, const Image& image, bool is_mirror, std::string_view status = {}) const;
  bool is_over_limit(Registry& registry);
  SharedBandwidth::LinkId egress_of(Registry& registry);
  void set_egress(Registry& registry);
  host::HostId host_of(k8s::Ref<k8s::Pod> pod) const;

  Engine& engine_;
  EventLog& log_;
  const Randomness& random_;
  host::Hosts& hosts_;
  k8s::ApiServer& api_;
  k8s::Kubelets& kubelets_;
  network::Network& network_;
  k8s::ImagePolicy policy_;
  RegistriesConfig config_;
  std::unique_ptr<ImageCatalogue> catalogue_;
  ServiceWatch watch_;
  std::deque<Registry> registries_;
  std::vector<NodeStore*> stores_;  // by node number; owned by the kubelets, which outlive this
  std::map<Symbol, std::vector<std::uint32_t>> holders_;  // nodes that have the image whole, in the order in which they got it
  std::map<Symbol, std::set<std::uint32_t>> seeds_;       // nodes that pull it from a registry while others want its pieces
  std::set<std::pair<std::size_t, k8s::Ref<k8s::Pod>>> waits_for_redis_;  // (Service of core, pod): started without
  std::vector<std::function<void(std::size_t, bool)>> listeners_;
  PullCounts counts_;
  std::vector<PullEnd> pulls_;
  bool started_ = false;
};

}  // namespace sim::registry
