/// Which pods are selected by which objects (Services, PodDisruptionBudgets), kept up to date from watch events.
///
/// Neither side is scanned when the other changes by one: a selector that demands one exact label is filed under that label, the others
/// under their namespace, and a pod's own labels lead to the few candidates. Only a selector that comes later looks at all pods, once.
///
/// Checked by: tests/models/kubernetes/controllers/selected_pods_test.cpp.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "sim/models/kubernetes/api/api_server.hpp"

namespace sim::k8s {

template <class T>
class SelectedPods {
 public:
  void clear() {
    filed_.clear();
    owners_.clear();
    of_pod_.clear();
  }

  /// Begins to follow `owner`; false when its selection is the same as before. Its pods are found by `list_pods()`, or, with
  /// `look_now`, at once.
  bool set_owner(const ApiServer& api, Ref<T> owner, Symbol ns, const LabelSelector& selector, bool look_now) {
    const auto known = owners_.find(owner);
    if (known != owners_.end()) {
      if (known->second.selector == selector) return false;
      remove_owner(owner);
    }
    owners_[owner] = Owner{ns, selector, {}};
    filed_[key_of(ns, selector)].push_back(owner);
    if (look_now) {
      api.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) {
        if (pod.meta.ns == ns && selector.matches(pod.meta.labels, api.names())) join(owner, ref);
      });
    }
    return true;
  }

  void remove_owner(Ref<T> owner) {
    const auto known = owners_.find(owner);
    if (known == owners_.end()) return;
    const auto filed = filed_.find(key_of(known->second.ns, known->second.selector));
    std::erase(filed->second, owner);
    if (filed->second.empty()) filed_.erase(filed);
    for (const Ref<Pod> pod : known->second.pods) leave_one(pod, owner);
    owners_.erase(known);
  }

  void list_pods(const ApiServer& api) {
    api.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) { match(api, ref, pod); });
  }

  /// Takes in an event of a Pod, then calls visit(Ref<T>) for each owner that selects the pod now or selected it before.
  template <class Visit>
  void on_event(const ApiServer& api, const WatchEvent& event, Visit&& visit) {
    const Ref<Pod> ref = event.ref<Pod>();
    const Pod* pod = api.get(ref);
    std::vector<Ref<T>> before;
    const auto known = of_pod_.find(ref);
    if (known != of_pod_.end()) before = known->second;
    if (event.type == WatchEvent::Type::kDeleted) {
      for (const Ref<T> owner : before) owners_.at(owner).pods.erase(ref);
      of_pod_.erase(ref);
    } else if (pod != nullptr && (event.type == WatchEvent::Type::kAdded || has(event.changes, Change::kLabels))) {
      // One that is gone already when its event arrives stays until its deletion is told: that event knows why.
      for (const Ref<T> owner : before) owners_.at(owner).pods.erase(ref);
      of_pod_.erase(ref);
      match(api, ref, *pod);
      const auto now = of_pod_.find(ref);
      if (now != of_pod_.end()) {
        for (const Ref<T> owner : now->second) {
          if (std::find(before.begin(), before.end(), owner) == before.end()) before.push_back(owner);
        }
      }
    }
    for (const Ref<T> owner : before) visit(owner);
  }

  /// In the order of slots.
  const std::set<Ref<Pod>>& pods(Ref<T> owner) const {
    static const std::set<Ref<Pod>> kNone;
    const auto known = owners_.find(owner);
    return known == owners_.end() ? kNone : known->second.pods;
  }

 private:
  using Key = std::tuple<Symbol, Symbol, Symbol>;  // namespace, label key, label value
  struct Owner {
    Symbol ns;
    LabelSelector selector;
    std::set<Ref<Pod>> pods;
  };

  static Key key_of(Symbol ns, const LabelSelector& selector) {
    for (const Requirement& requirement : selector.requirements) {
      if (requirement.op == SelectorOperator::kIn && requirement.values.size() == 1) return Key{ns, requirement.key, requirement.values.front()};
    }
    return Key{ns, Symbol{}, Symbol{}};
  }

  void match(const ApiServer& api, Ref<Pod> ref, const Pod& pod) {
    match_filed(api, Key{pod.meta.ns, Symbol{}, Symbol{}}, ref, pod);
    for (const Labels::Pair& label : pod.meta.labels) match_filed(api, Key{pod.meta.ns, label.key, label.value}, ref, pod);
  }
  void match_filed(const ApiServer& api, const Key& key, Ref<Pod> ref, const Pod& pod) {
    const auto filed = filed_.find(key);
    if (filed == filed_.end()) return;
    for (const Ref<T> owner : filed->second) {
      if (owners_.at(owner).selector.matches(pod.meta.labels, api.names())) join(owner, ref);
    }
  }
  void join(Ref<T> owner, Ref<Pod> pod) {
    if (owners_.at(owner).pods.insert(pod).second) of_pod_[pod].push_back(owner);
  }
  void leave_one(Ref<Pod> pod, Ref<T> owner) {
    const auto known = of_pod_.find(pod);
    if (known == of_pod_.end()) return;
    std::erase(known->second, owner);
    if (known->second.empty()) of_pod_.erase(known);
  }

  std::map<Key, std::vector<Ref<T>>> filed_;
  std::map<Ref<T>, Owner> owners_;
  std::map<Ref<Pod>, std::vector<Ref<T>>> of_pod_;
};

}  // namespace sim::k8s
