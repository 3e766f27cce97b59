/// What depends on what in the physical world: regions, zones, racks, power feeds, switches, hosts, VMs.
///
/// A directed graph (Boost.Graph, in the .cpp) with one vertex for each aspect (power, network) of each element: an element
/// needs its parents. A need belongs to a redundancy group: the element keeps the aspect while at least one parent of each of
/// its groups has it (two power feeds in one group: either is enough). Failing an element takes the aspect from it, and from
/// everything whose groups are exhausted. A switch forwards only while it has power.
///
/// Records: PowerLost, PowerRestored, NetworkLost, NetworkRestored, subject "rack/rack-a"; each caused by what took or gave it back,
/// with every exhausted alternative as a contributing cause. Hosts and VMs have records of their own (sim/models/host) unless they are
/// failed directly here.
///
/// Source: reference platform 11, 12. Leaves out: partial capacity (a switch that drops half of its packets), cooling.
/// Checked by: tests/models/topology_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"

namespace sim::topology {

enum class ElementKind : std::uint8_t { kRegion, kZone, kRack, kPowerFeed, kSwitch, kHost, kVm };
const char* to_string(ElementKind kind);  // "rack", "power-feed", ...
std::optional<ElementKind> parse_element_kind(std::string_view text);

struct ElementId {
  std::uint32_t value = UINT32_MAX;
  constexpr explicit operator bool() const { return value != UINT32_MAX; }
  friend constexpr auto operator<=>(ElementId, ElementId) = default;
};

/// What an element can lose.
enum class Aspect : std::uint8_t { kPower, kNetwork };

class Topology {
 public:
  Topology(Engine& engine, EventLog& log);
  ~Topology();

  /// `name` is unique among all elements ("rack-a", "feed-1", "w17"). ElementId{} when it is taken.
  ElementId add(ElementKind kind, std::string_view name);
  ElementId find(std::string_view name) const;
  /// `child` needs `parent` for `aspect`. Needs of the same `group` number are alternatives. Fails (false) on a cycle.
  bool depend(ElementId child, ElementId parent, Aspect aspect, int group);
  /// A physical or logical place (node in rack in zone in region): power and network both, no alternative. False on a cycle.
  bool place(ElementId child, ElementId parent);

  ElementKind kind(ElementId id) const;
  const std::string& name(ElementId id) const;
  std::size_t size() const;
  std::vector<ElementId> all() const;
  /// Every element that needs `id`, directly or not, in breadth-first order.
  std::vector<ElementId> dependents(ElementId id) const;
  /// Everything that the loss of `id` alone would take the aspect from (redundancy counted), `id` included.
  std::vector<ElementId> blast_radius(ElementId id, Aspect aspect) const;
  /// The nearest element of `kind` that `id` is placed in (itself included).
  ElementId enclosing(ElementId id, ElementKind kind) const;
  /// The elements that are placed directly in `id`, in the order of place().
  std::vector<ElementId> placed_in(ElementId id) const;

  /// The element itself breaks (or is switched off): takes `aspect` from it until restore(). A power feed or a rack loses power,
  /// a switch the network; failing a host's power is a crash. Consequences carry the current cause. Nestable: two
  /// failures need two restores; a restore without a failure does nothing.
  void fail(ElementId id, Aspect aspect);
  void restore(ElementId id, Aspect aspect);
  bool has(ElementId id, Aspect aspect) const;
  /// The records that explain why `id` has the aspect or not, the last change first, then whatever else had to fail for it.
  /// Empty when it never changed.
  std::vector<CauseId> reasons(ElementId id, Aspect aspect) const;

  /// Called for each element whose aspect changed: power before network, parents before what needs them; the current cause explains it.
  /// All elements have their new state by then.
  void on_change(std::function<void(ElementId, Aspect, bool has)> listener);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sim::topology
