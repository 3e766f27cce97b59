/// What the scheduler knows of the cluster: nodes with what is asked of them, pods on nodes (assumed ones included),
/// images, topology values, nominations.
///
/// Source: pkg/scheduler/backend/cache/cache.go, pkg/scheduler/framework/types.go (NodeInfo), nominator.go;
///         reference kubernetes 1.3, 1.4.
/// Leaves out: in-place resize (pod requests are those of the spec), declared features.
/// Checked by: tests/models/kubernetes/scheduler/{node_tree,plugins,schedule_one,scheduler}_test.cpp.
///
/// A scheduling cycle takes no virtual time here, so the cache is its own snapshot. Only the list of nodes keeps the
/// snapshot's habit: a changed zone label moves a node in the tree at once, in the list when a node next comes or goes.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/scheduler/domain_sums.hpp"
#include "sim/models/kubernetes/scheduler/framework.hpp"
#include "sim/models/kubernetes/scheduler/node_tree.hpp"
#include "sim/models/kubernetes/scheduler/pod_index.hpp"

namespace sim::k8s::scheduling {

struct HostPort {
  Symbol ip;  // empty: all addresses
  std::int32_t port = 0;
  Protocol protocol = Protocol::kTcp;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};
/// Host ports of main containers and sidecars.
std::vector<HostPort> host_ports(const PodSpec& spec);

/// What the pods of a node ask for, together.
struct NodeLoad {
  Resources requested;
  std::int64_t nonzero_cpu_milli = 0;  // 100m for a container that asks for no cpu
  std::int64_t nonzero_memory = 0;     // 200 MiB for one that asks for no memory
  std::int64_t pods = 0;
  std::vector<HostPort> ports;

  void add(const PodSpec& spec);
  void remove(const PodSpec& spec);
};

/// What of a Node object matters to scheduling.
struct NodeView {
  Labels labels;
  std::vector<Taint> taints;
  bool unschedulable = false;
  Resources allocatable;
};

/// A slot of the API server's pod table.
using PodSlot = std::uint32_t;

struct NodeInfo {
  Ref<Node> ref;
  Symbol name;
  NodeView view;
  NodeLoad load;
  ZoneKey zone;
  std::vector<PodSlot> pods;
  std::vector<PodSlot> nominated;  // pods that preempted here and wait
  std::vector<Symbol> images;      // sorted
  bool live = false;
};

/// A pod that the scheduler knows: pending, assumed or on a node.
struct PodInfo {
  enum class State : std::uint8_t { kUnknown, kPending, kAssumed, kAssigned };
  Ref<Pod> ref;
  std::shared_ptr<const PodSpec> spec;
  Symbol ns;
  Symbol name;
  std::uint64_t uid = 0;
  IdentityId identity = 0;
  TermListId terms = 0;
  NodeIndex node = kNoNode;       // assumed or assigned; kNoNode also when its Node object is gone
  Symbol node_name;
  NodeIndex nominated = kNoNode;
  State state = State::kUnknown;
  bool terminating = false;

  std::int32_t priority() const { return spec->priority; }
  bool is_on_node() const { return state == State::kAssumed || state == State::kAssigned; }
};

struct ImageState {
  std::int64_t bytes = 0;  // as the first node that reported it says
  std::uint32_t nodes = 0;
  std::vector<std::uint64_t> on_node;  // bit set by NodeIndex
  bool is_on(NodeIndex node) const { return node / 64 < on_node.size() && ((on_node[node / 64] >> (node % 64)) & 1) != 0; }
};

/// The values of one topology key, numbered: domain_of[node] is kNoDomain where the node lacks the label.
struct TopologyColumn {
  static constexpr std::uint32_t kNoDomain = scheduling::kNoDomain;
  Symbol key;
  std::vector<std::uint32_t> domain_of;
  std::vector<std::uint32_t> nodes_in;  // by domain
  std::vector<std::uint32_t> free_domains;
  std::unordered_map<std::uint32_t, std::uint32_t> domain_of_value;  // look-up only
  std::vector<Symbol> values;                                        // by domain
  std::size_t domains() const { return values.size(); }
  std::uint32_t domain(NodeIndex node) const { return node < domain_of.size() ? domain_of[node] : kNoDomain; }
};
using ColumnId = std::uint32_t;

class Cache {
 public:
  explicit Cache(const ApiServer& api);
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // ---- nodes ----
  NodeIndex find(Symbol name) const;
  const NodeInfo& node(NodeIndex index) const { return nodes_[index]; }
  /// One past the largest index in use.
  std::size_t index_end() const { return nodes_.size(); }
  std::size_t node_count() const { return node_count_; }
  /// Nodes in the order of visits.
  const std::vector<NodeIndex>& order();
  /// Changes whenever anything about the node changes that a node-local plugin looks at.
  std::uint32_t generation(NodeIndex index) const { return generations_[index]; }
  const std::vector<std::uint32_t>& generations() const { return generations_; }
  NodeIndex add_node(Ref<Node> ref, const Node& object);
  /// Takes over what changed; the view as it was before, when scheduling properties differ.
  std::optional<NodeView> update_node(NodeIndex index, Ref<Node> ref, const Node& object);
  /// Its pods stay known, without a node.
  void remove_node(NodeIndex index);

  // ---- pods ----
  const PodInfo* find_pod(Ref<Pod> ref) const;
  const PodInfo& pod(PodSlot slot) const { return pods_[slot]; }
  /// Makes a pod known as pending, or takes over its new labels and spec.
  const PodInfo& put_pending(Ref<Pod> ref, const Pod& object);
  /// Puts a pod that is known or new on a node (by name; the node may be unknown).
  void assign(Ref<Pod> ref, const Pod& object, Symbol node_name);
  void assume(PodSlot slot, NodeIndex node);
  /// An assumed pod is pending again.
  void unassume(PodSlot slot);
  void confirm(PodSlot slot) { pods_[slot].state = PodInfo::State::kAssigned; }
  void set_terminating(PodSlot slot);
  void relabel(PodSlot slot, const Labels& labels);
  void remove_pod(PodSlot slot);
  void nominate(PodSlot slot, NodeIndex node);  // kNoNode: not any more
  std::size_t nominated_count() const { return nominated_count_; }
  /// The lowest priority of a pod on a node; empty without pods.
  std::optional<std::int32_t> lowest_priority() const;
  std::size_t pods_on_nodes() const { return pods_on_nodes_; }

  // ---- for plugins ----
  PodIndex& index() { return index_; }
  const PodIndex& index() const { return index_; }
  const ImageState* image(Symbol name) const;
  bool has_images() const { return !images_.empty(); }
  ColumnId column(Symbol topology_key);
  const TopologyColumn& topology(ColumnId id) const { return columns_[id]; }
  KeptSums& sums() { return sums_; }
  /// Changes whenever a node comes or goes, or gets other labels or taints.
  std::uint64_t topology_version() const { return topology_version_; }
  const ApiServer& api() const { return api_; }
  /// For a dry run: the node's load may be changed, and must be put back.
  NodeLoad& load_for_dry_run(NodeIndex index) { return nodes_[index].load; }

 private:
  void touch(NodeIndex index) { ++generations_[index]; }
  void attach(PodInfo& pod, NodeIndex node);
  void detach(PodInfo& pod);
  PodInfo& entry(Ref<Pod> ref, const Pod& object);
  void set_images(NodeIndex index, const std::vector<NodeImage>& images);
  void set_domain(TopologyColumn& column, NodeIndex index, std::optional<Symbol> value);

  const ApiServer& api_;
  PodIndex index_;
  NodeTree tree_;
  std::vector<NodeInfo> nodes_;
  std::vector<std::uint32_t> generations_;
  std::vector<NodeIndex> free_nodes_;
  std::unordered_map<Symbol, NodeIndex> by_name_;  // look-up only
  std::vector<NodeIndex> order_;
  bool order_is_stale_ = true;
  std::size_t node_count_ = 0;
  std::vector<PodInfo> pods_;                          // by slot
  std::map<Symbol, std::vector<PodSlot>> without_node_;  // on a node that is not known (yet, or any more)
  std::map<std::int32_t, std::size_t> priorities_;       // of pods on nodes
  std::size_t pods_on_nodes_ = 0;
  std::size_t nominated_count_ = 0;
  std::unordered_map<Symbol, ImageState> images_;  // look-up only
  std::deque<TopologyColumn> columns_;  // a new one moves none
  std::uint64_t topology_version_ = 1;
  KeptSums sums_;
};

}  // namespace sim::k8s::scheduling
