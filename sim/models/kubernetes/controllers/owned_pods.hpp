/// The pods of each controller, as its informer's index gives them: a change of one pod costs the same however many there are.
///
/// Counts follow the watch events (one watch latency late) and the controller's own writes (at once), which is what expectations are for in
/// the real controllers.
///
/// Checked by: tests/models/kubernetes/controllers/owned_pods_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "sim/models/kubernetes/api/api_server.hpp"

namespace sim::k8s {

struct ObjectRefHash {
  std::size_t operator()(const ObjectRef& ref) const noexcept {
    std::uint64_t value = (std::uint64_t{ref.generation} << 32 | ref.slot) + static_cast<std::uint64_t>(ref.kind);
    value *= 0x9e3779b97f4a7c15ull;
    return static_cast<std::size_t>(value ^ (value >> 29));
  }
};

class OwnedPods {
 public:
  /// Looks after the pods whose controlling owner is of this kind.
  OwnedPods(ApiServer& api, Kind owner_kind) : api_(api), owner_kind_(owner_kind) {}

  struct Counts {
    std::int64_t total = 0;   ///< objects that exist
    std::int64_t active = 0;  ///< not Succeeded, not Failed, not being deleted
    std::int64_t ready = 0;   ///< active and Ready
  };
  /// Whom a change of a pod concerns; `before` only when the pod has another owner now.
  struct Concerned {
    ObjectRef owner;
    ObjectRef before;
  };

  /// Lists everything anew.
  void rebuild();
  void clear();
  /// Takes note of a watch event about a pod, or of a write of one's own.
  Concerned take(const WatchEvent& event);
  Concerned refresh(Ref<Pod> pod);
  /// Drops what is known of an owner that is gone.
  void forget(ObjectRef owner) { groups_.erase(owner); }

  Counts counts(ObjectRef owner) const;
  /// The owner of the event's pod, as it is now.
  ObjectRef owner_of(const WatchEvent& event) const;
  /// Calls visit(Ref<Pod>, const Pod&) for each pod of the owner, in the order of creation. The pods may change meanwhile, but none be added.
  template <class Visit>
  void for_each(ObjectRef owner, Visit&& visit) const {
    const auto group = groups_.find(owner);
    if (group == groups_.end()) return;
    for (std::size_t i = 0; i < group->second.pods.size(); ++i) {
      const Ref<Pod> ref = group->second.pods[i];
      const Pod* pod = api_.get(ref);
      if (pod != nullptr && entries_[ref.slot].generation == ref.generation && entries_[ref.slot].owner == owner) visit(ref, *pod);
    }
  }

  /// What made active pods of this owner go since they were last replaced, oldest first: the causes of their replacements.
  /// Empty causes are left out.
  std::vector<CauseId> take_vacancies(ObjectRef owner);
  /// Puts one back.
  void add_vacancy(ObjectRef owner, CauseId cause) { vacate(groups_[owner], cause); }

  /// Pods of the namespace without a controlling owner that are neither ended nor ending.
  const std::set<Ref<Pod>>& orphans(Symbol ns) const;
  bool is_orphan(Ref<Pod> pod) const;

 private:
  struct Entry {
    std::uint32_t generation = 0;
    ObjectRef owner;
    bool active = false;
    bool ready = false;
  };
  struct Group {
    std::vector<Ref<Pod>> pods;  // some may be gone: see `dead`
    std::size_t dead = 0;
    Counts counts;
    std::vector<CauseId> vacancies;
  };
  Entry& entry_of(Ref<Pod> pod);
  void drop(Ref<Pod> pod, Entry& entry);
  void vacate(Group& group, CauseId cause);
  ObjectRef owner_in(const Pod& pod) const;

  ApiServer& api_;
  Kind owner_kind_;
  std::vector<Entry> entries_;  // by slot of the pod
  std::unordered_map<ObjectRef, Group, ObjectRefHash> groups_;  // look-up only
  std::map<Symbol, std::set<Ref<Pod>>> orphans_;
};

}  // namespace sim::k8s
