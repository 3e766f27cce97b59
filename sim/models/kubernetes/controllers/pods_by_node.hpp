/// Which pods are bound to which node, kept up to date from watch events, so that a controller that acts on one node looks at that
/// node's pods only.
///
/// Leaves out: nothing; a pod never changes its node. Checked by: the tests of the controllers that use it.
#pragma once

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "sim/models/kubernetes/api/api_server.hpp"

namespace sim::k8s {

class PodsByNode {
 public:
  /// Forgets all, and lists anew.
  void list(const ApiServer& api) {
    pods_.clear();
    api.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) {
      if (pod.node_name) pods_[pod.node_name].push_back(ref);
    });
  }
  void clear() { pods_.clear(); }

  /// Takes in an event of a Pod. True when the pod is newly known to be bound to a node.
  bool on_event(const ApiServer& api, const WatchEvent& event) {
    const Ref<Pod> ref = event.ref<Pod>();
    if (event.type == WatchEvent::Type::kDeleted) {
      remove(ref, event.last_state<Pod>().node_name);
      return false;
    }
    if (event.type == WatchEvent::Type::kModified && !has(event.changes, Change::kBinding)) return false;
    const Pod* pod = api.get(ref);
    if (pod == nullptr || !pod->node_name) return false;
    // A pod that was bound before its first event arrived comes twice.
    std::vector<Ref<Pod>>& own = pods_[pod->node_name];
    if (std::find(own.begin(), own.end(), ref) != own.end()) return false;
    own.push_back(ref);
    return true;
  }

  /// In the order in which they were bound.
  const std::vector<Ref<Pod>>& on(Symbol node_name) const {
    static const std::vector<Ref<Pod>> kNone;
    const auto found = pods_.find(node_name);
    return found == pods_.end() ? kNone : found->second;
  }

 private:
  void remove(Ref<Pod> ref, Symbol node_name) {
    const auto found = pods_.find(node_name);
    if (found == pods_.end()) return;
    std::erase(found->second, ref);
    if (found->second.empty()) pods_.erase(found);
  }

  std::unordered_map<Symbol, std::vector<Ref<Pod>>> pods_;  // look-up only
};

}  // namespace sim::k8s
