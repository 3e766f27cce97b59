/// Whom a fault hits: nodes, pods.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "chaos/fault.hpp"

namespace chaos {

/// Which of those that match, when only some are wanted.
enum class Pick : std::uint8_t { kFirst, kRandom };

/// Nodes that satisfy everything that is given; at least one thing is.
struct NodeTarget {
  std::vector<std::string> nodes;               // by name
  std::string pool;                             // of the scenario
  std::map<std::string, std::string> selector;  // labels of the Node objects
  std::string in;                               // everything that stands in (or needs) this element of the topology
  std::string leader_of;                        // the node whose member leads: etcd, kube-scheduler, kube-controller-manager
  std::optional<std::int64_t> count;            // only so many
  Pick pick = Pick::kFirst;

  bool is_given() const;
  /// In the order of the Node objects' creation; of `nodes`, in the order given there. Random choices keep that order.
  std::vector<sim::k8s::Ref<sim::k8s::Node>> resolve(FaultEnvironment& environment, sim::RandomStream& random) const;
  /// Says what matches nothing. `needs_host`: a Node object without a machine will not do.
  void check(FaultEnvironment& environment, Problems& problems) const;
};

/// Pods that satisfy everything that is given; at least one thing is.
struct PodTarget {
  std::string ns = "default";
  std::vector<std::string> pods;  // by name
  std::map<std::string, std::string> selector;
  std::string node;               // those bound to it
  std::optional<std::int64_t> count;
  Pick pick = Pick::kFirst;

  bool is_given() const;
  /// Active pods, by name.
  std::vector<sim::k8s::Ref<sim::k8s::Pod>> resolve(FaultEnvironment& environment, sim::RandomStream& random) const;
  /// Pods may come and go: only what can never match is an error (no pod and no template with such labels, no such name).
  void check(FaultEnvironment& environment, Problems& problems) const;
};

/// matchLabels of names that this world may not have yet.
sim::k8s::LabelSelector to_selector(const std::map<std::string, std::string>& labels, sim::Interner& names);
/// Some pod or pod template of this world matches (in the namespace; empty: in any).
bool any_pod_can_match(sim::World& world, sim::Symbol ns, const sim::k8s::LabelSelector& selector);
std::string describe_selector(const std::map<std::string, std::string>& labels);  // "app=web,tier=front"
/// Keeps `count` of `all` by `pick`, in their order.
template <class T>
void choose(std::vector<T>& all, std::optional<std::int64_t> count, Pick pick, sim::RandomStream& random) {
  if (!count || static_cast<std::size_t>(*count) >= all.size()) return;
  const auto wanted = static_cast<std::size_t>(*count);
  if (pick == Pick::kRandom) {
    std::vector<std::size_t> order(all.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    random.shuffle(order.size(), [&](std::size_t a, std::size_t b) { std::swap(order[a], order[b]); });
    order.resize(wanted);
    std::vector<bool> chosen(all.size(), false);
    for (std::size_t i : order) chosen[i] = true;
    std::vector<T> kept;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (chosen[i]) kept.push_back(all[i]);
    }
    all = std::move(kept);
  }
  all.resize(wanted);
}

/// Names of all nodes.
std::vector<std::string> node_names(sim::World& world);
/// Index of the control-plane member on this host.
std::optional<std::size_t> member_on(sim::k8s::ControlPlane& control_plane, sim::host::HostId host);
/// "etcd" ...; empty when it is none of them.
std::optional<sim::k8s::Component> parse_component(const std::string& text);

void describe(sim::scenario::Fields<NodeTarget>& fields);
void describe(sim::scenario::Fields<PodTarget>& fields);

/// What hits nodes: chooses them, and knows their machines.
class NodeInjection : public Injection {
 public:
  NodeInjection(InjectionContext context, const NodeTarget& target);
  std::vector<std::string> targets() const override;

 protected:
  sim::World& world() const { return context_.environment.world(); }

  InjectionContext context_;
  std::vector<sim::k8s::Ref<sim::k8s::Node>> nodes_;
  std::vector<sim::host::HostId> hosts_;  // of those nodes that have a machine, in their order
  /// Gone with this injection: what waits for the API in its name is dropped then.
  std::shared_ptr<const void> alive_ = std::make_shared<int>(0);
};

/// What hits pods.
class PodInjection : public Injection {
 public:
  PodInjection(InjectionContext context, const PodTarget& target);
  std::vector<std::string> targets() const override;

 protected:
  sim::World& world() const { return context_.environment.world(); }

  InjectionContext context_;
  std::vector<sim::k8s::Ref<sim::k8s::Pod>> pods_;
  std::shared_ptr<const void> alive_ = std::make_shared<int>(0);
};

}  // namespace chaos
