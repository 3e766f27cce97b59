/// All objects of one kind: slots with generations, found by handle or by (namespace, name).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "sim/core/check.hpp"
#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::k8s {

/// Objects keep their address until they are removed. Iteration is by slot: deterministic, oldest slots first.
template <class T>
class Table {
 public:
  const T* find(Ref<T> ref) const {
    if (!ref || ref.slot >= slots_.size() || slots_[ref.slot].generation != ref.generation || !slots_[ref.slot].live) return nullptr;
    return &slots_[ref.slot].object;
  }
  T* find(Ref<T> ref) { return const_cast<T*>(static_cast<const Table*>(this)->find(ref)); }
  const T& at(Ref<T> ref) const {
    const T* object = find(ref);
    SIM_CHECK(object != nullptr, "a handle that is used as live is live");
    return *object;
  }
  Ref<T> find(Symbol ns, Symbol name) const {
    const auto found = index_.find(key(ns, name));
    return found == index_.end() ? Ref<T>{} : Ref<T>{found->second, slots_[found->second].generation};
  }
  std::size_t size() const { return index_.size(); }
  /// One past the largest slot in use: for arrays indexed by slot.
  std::size_t slot_count() const { return slots_.size(); }

  /// Calls visit(Ref<T>, const T&) for each object. The table must not change meanwhile.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
      if (slots_[slot].live) visit(Ref<T>{slot, slots_[slot].generation}, slots_[slot].object);
    }
  }
  std::vector<Ref<T>> refs() const {
    std::vector<Ref<T>> all;
    all.reserve(index_.size());
    for_each([&](Ref<T> ref, const T&) { all.push_back(ref); });
    return all;
  }

 private:
  friend class ApiServer;
  struct Slot {
    T object{};
    std::uint32_t generation = 0;
    bool live = false;
  };
  static std::uint64_t key(Symbol ns, Symbol name) { return std::uint64_t{ns.value} << 32 | name.value; }

  Ref<T> insert(T object) {
    std::uint32_t slot = 0;
    if (free_.empty()) {
      slot = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    Slot& place = slots_[slot];
    place.object = std::move(object);
    ++place.generation;
    place.live = true;
    index_.emplace(key(place.object.meta.ns, place.object.meta.name), slot);
    return Ref<T>{slot, place.generation};
  }
  T take(Ref<T> ref) {
    Slot& place = slots_[ref.slot];
    index_.erase(key(place.object.meta.ns, place.object.meta.name));
    place.live = false;
    free_.push_back(ref.slot);
    return std::move(place.object);
  }

  std::deque<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::unordered_map<std::uint64_t, std::uint32_t> index_;  // look-up only, never iterated
};

}  // namespace sim::k8s
