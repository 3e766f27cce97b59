#include "sim/models/kubernetes/scheduler/cache.hpp"

#include <algorithm>

#include "sim/core/check.hpp"

namespace sim::k8s::scheduling {

namespace {

/// What a pod adds to NonZeroRequested. With pod-level requests the defaults stand in only for a resource that nothing in the pod names, not for
/// each container that leaves it out (getNonMissingContainerRequests).
bool any_container(const PodSpec& spec, bool Container::*names_it) {
  const auto has = [&](const Container& container) { return container.*names_it; };
  return std::any_of(spec.containers.begin(), spec.containers.end(), has) || std::any_of(spec.init_containers.begin(), spec.init_containers.end(), has);
}
std::int64_t nonzero_cpu(const PodSpec& spec) {
  if (!spec.pod_level_requests) return spec.nonzero_cpu_milli;
  const bool named = spec.pod_level_requests->cpu_milli != 0 || spec.overhead.cpu_milli != 0 || any_container(spec, &Container::has_cpu_request);
  return named ? spec.requests.cpu_milli : spec.nonzero_cpu_milli;
}
std::int64_t nonzero_memory(const PodSpec& spec) {
  if (!spec.pod_level_requests) return spec.nonzero_memory;
  const bool named = spec.pod_level_requests->memory != 0 || spec.overhead.memory != 0 || any_container(spec, &Container::has_memory_request);
  return named ? spec.requests.memory : spec.nonzero_memory;
}

template <class Use>
void for_each_host_port(const PodSpec& spec, Use&& use) {
  const auto look = [&](const Container& container) {
    for (const ContainerPort& port : container.ports) {
      if (port.host_port > 0) use(HostPort{port.host_ip, port.host_port, port.protocol});
    }
  };
  for (const Container& container : spec.init_containers) {
    if (container.is_sidecar) look(container);
  }
  for (const Container& container : spec.containers) look(container);
}

}  // namespace

std::vector<HostPort> host_ports(const PodSpec& spec) {
  std::vector<HostPort> ports;
  for_each_host_port(spec, [&](const HostPort& port) { ports.push_back(port); });
  return ports;
}

void NodeLoad::add(const PodSpec& spec) {
  requested.add(spec.requests);
  nonzero_cpu_milli += nonzero_cpu(spec);
  nonzero_memory += scheduling::nonzero_memory(spec);
  ++pods;
  // A set, as in upstream's HostPortInfo: of two pods with the same port (both bound by hand) the first that goes frees it for both.
  for_each_host_port(spec, [&](const HostPort& port) {
    if (std::find(ports.begin(), ports.end(), port) == ports.end()) ports.push_back(port);
  });
}

void NodeLoad::remove(const PodSpec& spec) {
  requested.subtract(spec.requests);
  nonzero_cpu_milli -= nonzero_cpu(spec);
  nonzero_memory -= scheduling::nonzero_memory(spec);
  --pods;
  for_each_host_port(spec, [&](const HostPort& port) {
    const auto place = std::find(ports.begin(), ports.end(), port);
    if (place != ports.end()) ports.erase(place);
  });
}

Cache::Cache(const ApiServer& api) : api_(api), index_(api) {}

NodeIndex Cache::find(Symbol name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? kNoNode : found->second;
}

const std::vector<NodeIndex>& Cache::order() {
  if (order_is_stale_) {
    order_ = tree_.list();
    order_is_stale_ = false;
  }
  return order_;
}

NodeIndex Cache::add_node(Ref<Node> ref, const Node& object) {
  NodeIndex index = static_cast<NodeIndex>(nodes_.size());
  if (free_nodes_.empty()) {
    // Not doubled: unused places would cost as much as the nodes themselves.
    if (nodes_.size() == nodes_.capacity()) nodes_.reserve(std::max<std::size_t>(api_.all<Node>().slot_count(), nodes_.size() + nodes_.size() / 8 + 1));
    nodes_.emplace_back();
    generations_.push_back(0);
  } else {
    index = free_nodes_.back();
    free_nodes_.pop_back();
  }
  NodeInfo& node = nodes_[index];
  node.ref = ref;
  node.name = object.meta.name;
  node.live = true;
  node.view = NodeView{object.meta.labels, object.taints, object.unschedulable, object.allocatable};
  node.zone = zone_of(object.meta.labels, api_.well_known());
  tree_.add(index, node.zone);
  by_name_[node.name] = index;
  order_is_stale_ = true;
  ++topology_version_;
  ++node_count_;
  touch(index);
  for (TopologyColumn& column : columns_) set_domain(column, index, object.meta.labels.find(column.key));
  set_images(index, object.images);
  const auto waiting = without_node_.find(node.name);
  if (waiting != without_node_.end()) {
    const std::vector<PodSlot> slots = std::move(waiting->second);
    without_node_.erase(waiting);
    for (const PodSlot slot : slots) attach(pods_[slot], index);
  }
  return index;
}

std::optional<NodeView> Cache::update_node(NodeIndex index, Ref<Node> ref, const Node& object) {
  NodeInfo& node = nodes_[index];
  node.ref = ref;
  set_images(index, object.images);
  NodeView& view = node.view;
  if (view.labels == object.meta.labels && view.taints == object.taints && view.unschedulable == object.unschedulable &&
      view.allocatable == object.allocatable) {
    return std::nullopt;
  }
  NodeView before = std::move(view);
  view = NodeView{object.meta.labels, object.taints, object.unschedulable, object.allocatable};
  touch(index);
  if (before.labels != view.labels || before.taints != view.taints) ++topology_version_;
  if (before.labels != view.labels) {
    for (TopologyColumn& column : columns_) set_domain(column, index, view.labels.find(column.key));
    const ZoneKey zone = zone_of(view.labels, api_.well_known());
    if (zone != node.zone) {
      tree_.remove(index, node.zone);
      node.zone = zone;
      tree_.add(index, zone);
    }
  }
  return before;
}

void Cache::remove_node(NodeIndex index) {
  NodeInfo& node = nodes_[index];
  set_images(index, {});
  const std::vector<PodSlot> pods = node.pods;
  for (const PodSlot slot : pods) {
    PodInfo& pod = pods_[slot];
    detach(pod);
    without_node_[node.name].push_back(slot);
  }
  const std::vector<PodSlot> nominated = node.nominated;
  for (const PodSlot slot : nominated) nominate(slot, kNoNode);
  for (TopologyColumn& column : columns_) set_domain(column, index, std::nullopt);
  tree_.remove(index, node.zone);
  by_name_.erase(node.name);
  order_is_stale_ = true;
  ++topology_version_;
  --node_count_;
  node = NodeInfo{};
  touch(index);
  free_nodes_.push_back(index);
}

const PodInfo* Cache::find_pod(Ref<Pod> ref) const {
  if (!ref || ref.slot >= pods_.size()) return nullptr;
  const PodInfo& pod = pods_[ref.slot];
  return pod.state != PodInfo::State::kUnknown && pod.ref == ref ? &pod : nullptr;
}

PodInfo& Cache::entry(Ref<Pod> ref, const Pod& object) {
  if (ref.slot >= pods_.size()) pods_.resize(std::max<std::size_t>(ref.slot + 1, api_.all<Pod>().slot_count()));
  PodInfo& pod = pods_[ref.slot];
  // A slot that another pod had: its deletion was seen, or is still on its way and concerns the past.
  if (pod.state != PodInfo::State::kUnknown && pod.ref != ref) remove_pod(ref.slot);
  if (pod.state == PodInfo::State::kUnknown) {
    pod.ref = ref;
    pod.uid = object.meta.uid;
    pod.ns = object.meta.ns;
    pod.name = object.meta.name;
    pod.spec = object.spec;
    pod.identity = index_.acquire(object.meta.ns, object.meta.labels);
    pod.terminating = object.meta.is_deleting();
  }
  return pod;
}

const PodInfo& Cache::put_pending(Ref<Pod> ref, const Pod& object) {
  PodInfo& pod = entry(ref, object);
  if (pod.state == PodInfo::State::kUnknown) {
    pod.state = PodInfo::State::kPending;
  } else if (pod.state == PodInfo::State::kPending) {
    pod.spec = object.spec;
    relabel(ref.slot, object.meta.labels);
    pod.terminating = object.meta.is_deleting();
  }
  return pod;
}

void Cache::attach(PodInfo& pod, NodeIndex index) {
  NodeInfo& node = nodes_[index];
  pod.node = index;
  pod.node_name = node.name;
  pod.terms = index_.acquire_terms(pod.ns, index_.labels(pod.identity), pod.spec->affinity.get());
  node.pods.push_back(pod.ref.slot);
  node.load.add(*pod.spec);
  touch(index);
  index_.pod_added(pod.identity, pod.terms, index, pod.terminating);
  ++priorities_[pod.priority()];
  ++pods_on_nodes_;
}

void Cache::detach(PodInfo& pod) {
  NodeInfo& node = nodes_[pod.node];
  // The last takes its place: pods on a node have no order of their own.
  const auto place = std::find(node.pods.begin(), node.pods.end(), pod.ref.slot);
  SIM_CHECK(place != node.pods.end(), "a pod is listed on its node");
  *place = node.pods.back();
  node.pods.pop_back();
  node.load.remove(*pod.spec);
  touch(pod.node);
  index_.pod_removed(pod.identity, pod.terms, pod.node, pod.terminating);
  index_.release_terms(pod.terms);
  pod.terms = 0;
  pod.node = kNoNode;
  const auto priority = priorities_.find(pod.priority());
  if (--priority->second == 0) priorities_.erase(priority);
  --pods_on_nodes_;
}

void Cache::assign(Ref<Pod> ref, const Pod& object, Symbol node_name) {
  PodInfo& pod = entry(ref, object);
  if (pod.is_on_node() && pod.node_name == node_name) {
    pod.state = PodInfo::State::kAssigned;
    // Every update takes the pod off and puts it there again, as upstream's: a host port that another pod freed by going is taken again.
    if (pod.node != kNoNode && !host_ports(*pod.spec).empty()) {
      nodes_[pod.node].load.remove(*pod.spec);
      nodes_[pod.node].load.add(*pod.spec);
      touch(pod.node);
    }
    return;
  }
  if (pod.is_on_node()) unassume(ref.slot);  // bound elsewhere than assumed: the API server is right
  nominate(ref.slot, kNoNode);
  pod.state = PodInfo::State::kAssigned;
  const NodeIndex index = find(node_name);
  if (index == kNoNode) {
    pod.node_name = node_name;
    without_node_[node_name].push_back(ref.slot);
  } else {
    attach(pod, index);
  }
}

void Cache::assume(PodSlot slot, NodeIndex node) {
  PodInfo& pod = pods_[slot];
  SIM_CHECK(pod.state == PodInfo::State::kPending, "only a pending pod is assumed");
  nominate(slot, kNoNode);
  pod.state = PodInfo::State::kAssumed;
  attach(pod, node);
}

void Cache::unassume(PodSlot slot) {
  PodInfo& pod = pods_[slot];
  if (pod.node != kNoNode) {
    detach(pod);
  } else {
    const auto waiting = without_node_.find(pod.node_name);
    if (waiting != without_node_.end()) {
      std::erase(waiting->second, slot);
      if (waiting->second.empty()) without_node_.erase(waiting);
    }
  }
  pod.node_name = Symbol{};
  pod.state = PodInfo::State::kPending;
}

void Cache::set_terminating(PodSlot slot) {
  PodInfo& pod = pods_[slot];
  if (pod.terminating) return;
  pod.terminating = true;
  if (pod.node != kNoNode) index_.pod_terminates(pod.identity, pod.node);
}

void Cache::relabel(PodSlot slot, const Labels& labels) {
  PodInfo& pod = pods_[slot];
  if (index_.labels(pod.identity) == labels) return;
  const IdentityId after = index_.acquire(pod.ns, labels);
  if (pod.node != kNoNode) {
    index_.pod_removed(pod.identity, 0, pod.node, pod.terminating);
    index_.pod_added(after, 0, pod.node, pod.terminating);
  }
  index_.release(pod.identity);
  pod.identity = after;
}

void Cache::remove_pod(PodSlot slot) {
  PodInfo& pod = pods_[slot];
  if (pod.is_on_node()) unassume(slot);
  nominate(slot, kNoNode);
  index_.release(pod.identity);
  pod = PodInfo{};
}

void Cache::nominate(PodSlot slot, NodeIndex node) {
  PodInfo& pod = pods_[slot];
  if (pod.nominated == node) return;
  if (pod.nominated != kNoNode) {
    std::erase(nodes_[pod.nominated].nominated, slot);
    --nominated_count_;
  }
  pod.nominated = node;
  if (node != kNoNode) {
    nodes_[node].nominated.push_back(slot);
    ++nominated_count_;
  }
}

std::optional<std::int32_t> Cache::lowest_priority() const {
  if (priorities_.empty()) return std::nullopt;
  return priorities_.begin()->first;
}

const ImageState* Cache::image(Symbol name) const {
  const auto found = images_.find(name);
  return found == images_.end() ? nullptr : &found->second;
}

void Cache::set_images(NodeIndex index, const std::vector<NodeImage>& images) {
  NodeInfo& node = nodes_[index];
  std::vector<Symbol> after;
  after.reserve(images.size());
  for (const NodeImage& image : images) after.push_back(image.image);
  std::sort(after.begin(), after.end());
  after.erase(std::unique(after.begin(), after.end()), after.end());
  if (after == node.images) return;
  for (const Symbol image : node.images) {
    if (std::binary_search(after.begin(), after.end(), image)) continue;
    ImageState& state = images_[image];
    state.on_node[index / 64] &= ~(std::uint64_t{1} << (index % 64));
    if (--state.nodes == 0) images_.erase(image);
  }
  for (const NodeImage& image : images) {
    ImageState& state = images_[image.image];
    if (state.nodes == 0) state.bytes = image.bytes;
    if (state.is_on(index)) continue;
    if (state.on_node.size() <= index / 64) state.on_node.resize(index / 64 + 1);
    state.on_node[index / 64] |= std::uint64_t{1} << (index % 64);
    ++state.nodes;
  }
  node.images = std::move(after);
}

ColumnId Cache::column(Symbol topology_key) {
  for (ColumnId id = 0; id < columns_.size(); ++id) {
    if (columns_[id].key == topology_key) return id;
  }
  columns_.emplace_back();
  TopologyColumn& column = columns_.back();
  column.key = topology_key;
  for (NodeIndex index = 0; index < nodes_.size(); ++index) {
    if (nodes_[index].live) set_domain(column, index, nodes_[index].view.labels.find(topology_key));
  }
  return static_cast<ColumnId>(columns_.size() - 1);
}

void Cache::set_domain(TopologyColumn& column, NodeIndex index, std::optional<Symbol> value) {
  if (column.domain_of.size() <= index) column.domain_of.resize(index + 1, TopologyColumn::kNoDomain);
  const std::uint32_t before = column.domain_of[index];
  if (before != TopologyColumn::kNoDomain) {
    if (value && column.values[before] == *value) return;
    if (--column.nodes_in[before] == 0) {
      column.domain_of_value.erase(column.values[before].value);
      column.free_domains.push_back(before);
    }
    column.domain_of[index] = TopologyColumn::kNoDomain;
  }
  if (!value) return;
  const auto found = column.domain_of_value.find(value->value);
  std::uint32_t domain = 0;
  if (found != column.domain_of_value.end()) {
    domain = found->second;
  } else if (!column.free_domains.empty()) {
    domain = column.free_domains.back();
    column.free_domains.pop_back();
    column.values[domain] = *value;
    column.domain_of_value.emplace(value->value, domain);
  } else {
    domain = static_cast<std::uint32_t>(column.values.size());
    column.values.push_back(*value);
    column.nodes_in.push_back(0);
    column.domain_of_value.emplace(value->value, domain);
  }
  ++column.nodes_in[domain];
  column.domain_of[index] = domain;
}

}  // namespace sim::k8s::scheduling
