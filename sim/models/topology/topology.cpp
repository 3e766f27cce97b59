#include "sim/models/topology/topology.hpp"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/breadth_first_search.hpp>
#include <limits>
#include <map>
#include <unordered_map>

#include <fmt/format.h>

#include "sim/core/check.hpp"

namespace sim::topology {

namespace {

struct NamedKind {
  ElementKind kind;
  const char* name;
};
constexpr NamedKind kKinds[] = {
    {ElementKind::kRegion, "region"}, {ElementKind::kZone, "zone"}, {ElementKind::kRack, "rack"}, {ElementKind::kPowerFeed, "power-feed"},
    {ElementKind::kSwitch, "switch"}, {ElementKind::kHost, "host"}, {ElementKind::kVm, "vm"},
};

/// One aspect of one element.
struct VertexState {
  bool has = true;
  std::uint32_t failures = 0;  // of its own, nested
  std::vector<CauseId> reasons;
};
struct Need {
  std::int64_t group = 0;
  bool placement = false;
};
// Edges point from what needs to what is needed. Parallel edges are kept apart by their groups.
using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, VertexState, Need>;
using Vertex = Graph::vertex_descriptor;

constexpr std::size_t kAspects = 2;
constexpr Aspect kBothAspects[] = {Aspect::kPower, Aspect::kNetwork};

Vertex vertex_of(ElementId id, Aspect aspect) { return id.value * kAspects + static_cast<std::size_t>(aspect); }
ElementId element_of(Vertex vertex) { return ElementId{static_cast<std::uint32_t>(vertex / kAspects)}; }
Aspect aspect_of(Vertex vertex) { return static_cast<Aspect>(vertex % kAspects); }

}  // namespace

const char* to_string(ElementKind kind) {
  for (const NamedKind& known : kKinds) {
    if (known.kind == kind) return known.name;
  }
  return "";
}

std::optional<ElementKind> parse_element_kind(std::string_view text) {
  for (const NamedKind& known : kKinds) {
    if (text == known.name) return known.kind;
  }
  return std::nullopt;
}

struct Topology::Impl {
  struct Element {
    ElementKind kind;
    std::string name;
  };

  Impl(Engine& engine_in, EventLog& log_in) : engine(engine_in), log(log_in) {}

  Engine& engine;
  EventLog& log;
  Graph graph;
  std::vector<Element> elements;
  std::unordered_map<std::string, std::uint32_t> index;  // look-up only
  std::vector<std::function<void(ElementId, Aspect, bool)>> listeners;
  std::int64_t next_single_group = std::numeric_limits<std::int64_t>::min();  // below every int: never a caller's group

  /// Whether `from` needs `target`, directly or not. Walks upwards, where the graph is narrow.
  bool needs(Vertex from, Vertex target) const {
    std::vector<Vertex> open{from};
    std::vector<Vertex> seen{from};
    while (!open.empty()) {
      const Vertex vertex = open.back();
      open.pop_back();
      if (vertex == target) return true;
      for (const auto& edge : boost::make_iterator_range(boost::out_edges(vertex, graph))) {
        const Vertex parent = boost::target(edge, graph);
        if (std::find(seen.begin(), seen.end(), parent) != seen.end()) continue;
        seen.push_back(parent);
        open.push_back(parent);
      }
    }
    return false;
  }

  /// False on a cycle. A need that is there already is not doubled.
  bool connect(Vertex child, Vertex parent, Need need) {
    if (needs(parent, child)) return false;
    for (const auto& edge : boost::make_iterator_range(boost::out_edges(child, graph))) {
      if (boost::target(edge, graph) == parent && graph[edge].group == need.group) return true;
    }
    boost::add_edge(child, parent, need, graph);
    return true;
  }

  /// `start` and every vertex that needs it, each after everything of the set that it needs itself.
  std::vector<Vertex> downstream(Vertex start) const {
    // Depth first along "is needed by", in reverse order of finishing.
    std::vector<Vertex> finished;
    std::unordered_map<Vertex, bool> seen;  // look-up only
    struct Frame {
      Vertex vertex;
      std::size_t next;
    };
    std::vector<Frame> stack{{start, 0}};
    seen[start] = true;
    while (!stack.empty()) {
      Frame& frame = stack.back();
      const Vertex vertex = frame.vertex;
      // Children are taken last to first, so that the reversed order has them first to last.
      const std::size_t count = boost::in_degree(vertex, graph);
      if (frame.next == count) {
        finished.push_back(vertex);
        stack.pop_back();
        continue;
      }
      // Not std::next, which takes Boost's edge iterators for input iterators and walks.
      const auto edge = *(boost::in_edges(vertex, graph).first + static_cast<std::ptrdiff_t>(count - 1 - frame.next));
      ++frame.next;
      const Vertex child = boost::source(edge, graph);
      if (seen.emplace(child, true).second) stack.push_back({child, 0});
    }
    std::reverse(finished.begin(), finished.end());
    // Power never depends on the network: taking it first keeps the order valid.
    std::stable_partition(finished.begin(), finished.end(), [](Vertex vertex) { return aspect_of(vertex) == Aspect::kPower; });
    return finished;
  }

  /// The parents of `vertex` in groups of which no parent `is_there`.
  template <class IsThere>
  std::vector<Vertex> exhausted(Vertex vertex, IsThere&& is_there) const {
    std::map<std::int64_t, std::vector<Vertex>> groups;
    std::map<std::int64_t, bool> alive;
    for (const auto& edge : boost::make_iterator_range(boost::out_edges(vertex, graph))) {
      const Vertex parent = boost::target(edge, graph);
      const std::int64_t group = graph[edge].group;
      groups[group].push_back(parent);
      alive[group] = alive[group] || is_there(parent);
    }
    std::vector<Vertex> gone;
    for (const auto& [group, parents] : groups) {
      if (!alive[group]) gone.insert(gone.end(), parents.begin(), parents.end());
    }
    return gone;
  }

  const char* lost_or_restored(Aspect aspect, bool has) const {
    if (aspect == Aspect::kPower) return has ? "PowerRestored" : "PowerLost";
    return has ? "NetworkRestored" : "NetworkLost";
  }
  CauseId record(Vertex vertex, bool has, std::string_view why, CauseId cause) {
    const Element& element = elements[element_of(vertex).value];
    const char* what = aspect_of(vertex) == Aspect::kPower ? "power" : "the network";
    const std::string subject = fmt::format("{}/{}", to_string(element.kind), element.name);
    const std::string message = fmt::format("{} {} {} {}{}", to_string(element.kind), element.name, has ? "has" : "lost", what, why);
    return log.record(lost_or_restored(aspect_of(vertex), has), log.names().intern(subject), message, cause);
  }

  struct Changed {
    Vertex vertex;
    CauseId cause;
  };

  /// Brings `start` and what needs it up to date and tells the listeners. `origin` is the record of what was done to `start`.
  void update(Vertex start, CauseId origin) {
    const auto is_there = [this](Vertex parent) { return graph[parent].has; };
    if (graph[start].has == (graph[start].failures == 0 && exhausted(start, is_there).empty())) return;
    std::vector<Changed> changed;
    std::unordered_map<Vertex, CauseId> why_changed;  // look-up only
    for (const Vertex vertex : downstream(start)) {
      VertexState& state = graph[vertex];
      const std::vector<Vertex> gone = exhausted(vertex, is_there);
      const bool has = state.failures == 0 && gone.empty();
      if (has == state.has) continue;
      state.has = has;

      CauseId cause = origin;
      std::vector<CauseId> others;
      std::string why;
      if (vertex != start) {
        // A parent that changed in this pass is the trigger; the rest of an exhausted group failed earlier and contributes.
        const Element* trigger = nullptr;
        for (const auto& edge : boost::make_iterator_range(boost::out_edges(vertex, graph))) {
          const Vertex parent = boost::target(edge, graph);
          const auto found = why_changed.find(parent);
          if (found == why_changed.end() || graph[parent].has != has) continue;
          if (trigger == nullptr) {
            trigger = &elements[element_of(parent).value];
            cause = found->second;
          } else {
            others.push_back(found->second);
          }
        }
        if (!has) {
          for (const Vertex parent : gone) {
            if (!graph[parent].reasons.empty()) others.push_back(graph[parent].reasons.front());
          }
        }
        if (trigger != nullptr) why = fmt::format(" with {} {}", to_string(trigger->kind), trigger->name);
      }
      const ElementKind kind = elements[element_of(vertex).value].kind;
      // A host that falls with its rack writes what that does to it; a second record would only repeat it.
      if (vertex != start && kind != ElementKind::kHost && kind != ElementKind::kVm) {
        cause = record(vertex, has, why, cause);
        for (const CauseId other : others) log.also_caused_by(cause, other);
      }
      state.reasons.assign(1, cause);
      for (const CauseId other : others) {
        if (std::find(state.reasons.begin(), state.reasons.end(), other) == state.reasons.end()) state.reasons.push_back(other);
      }
      why_changed.emplace(vertex, cause);
      changed.push_back({vertex, cause});
    }
    for (const Changed& change : changed) {
      const ScopedCause because(engine, change.cause);
      // By index: a listener may register another one.
      for (std::size_t i = 0; i < listeners.size(); ++i) {
        listeners[i](element_of(change.vertex), aspect_of(change.vertex), graph[change.vertex].has);
      }
    }
  }
};

Topology::Topology(Engine& engine, EventLog& log) : impl_(std::make_unique<Impl>(engine, log)) {}
Topology::~Topology() = default;

ElementId Topology::add(ElementKind kind, std::string_view name) {
  const ElementId id{static_cast<std::uint32_t>(impl_->elements.size())};
  if (!impl_->index.emplace(std::string(name), id.value).second) return ElementId{};
  impl_->elements.push_back({kind, std::string(name)});
  for (std::size_t i = 0; i < kAspects; ++i) boost::add_vertex(impl_->graph);
  if (kind == ElementKind::kSwitch) {
    const bool connected = impl_->connect(vertex_of(id, Aspect::kNetwork), vertex_of(id, Aspect::kPower), {impl_->next_single_group++, false});
    SIM_CHECK(connected, "a new element has no other edges, so no cycle");
  }
  return id;
}

ElementId Topology::find(std::string_view name) const {
  const auto found = impl_->index.find(std::string(name));
  return found == impl_->index.end() ? ElementId{} : ElementId{found->second};
}

bool Topology::depend(ElementId child, ElementId parent, Aspect aspect, int group) {
  const Vertex vertex = vertex_of(child, aspect);
  if (!impl_->connect(vertex, vertex_of(parent, aspect), {group, false})) return false;
  impl_->update(vertex, impl_->engine.cause());
  return true;
}

bool Topology::place(ElementId child, ElementId parent) {
  for (const Aspect aspect : kBothAspects) {
    if (impl_->needs(vertex_of(parent, aspect), vertex_of(child, aspect))) return false;
  }
  for (const auto& edge : boost::make_iterator_range(boost::out_edges(vertex_of(child, Aspect::kPower), impl_->graph))) {
    if (impl_->graph[edge].placement && boost::target(edge, impl_->graph) == vertex_of(parent, Aspect::kPower)) return true;
  }
  for (const Aspect aspect : kBothAspects) {
    const Vertex vertex = vertex_of(child, aspect);
    impl_->connect(vertex, vertex_of(parent, aspect), {impl_->next_single_group++, true});
    impl_->update(vertex, impl_->engine.cause());
  }
  return true;
}

ElementKind Topology::kind(ElementId id) const { return impl_->elements[id.value].kind; }
const std::string& Topology::name(ElementId id) const { return impl_->elements[id.value].name; }
std::size_t Topology::size() const { return impl_->elements.size(); }

std::vector<ElementId> Topology::all() const {
  std::vector<ElementId> ids;
  for (std::uint32_t i = 0; i < impl_->elements.size(); ++i) ids.push_back(ElementId{i});
  return ids;
}

std::vector<ElementId> Topology::dependents(ElementId id) const {
  std::vector<ElementId> order;
  std::vector<bool> seen(impl_->elements.size(), false);
  std::vector<ElementId> open{id};
  seen[id.value] = true;
  for (std::size_t next = 0; next < open.size(); ++next) {
    for (const Aspect aspect : kBothAspects) {
      for (const auto& edge : boost::make_iterator_range(boost::in_edges(vertex_of(open[next], aspect), impl_->graph))) {
        const ElementId child = element_of(boost::source(edge, impl_->graph));
        if (seen[child.value]) continue;
        seen[child.value] = true;
        open.push_back(child);
        order.push_back(child);
      }
    }
  }
  return order;
}

std::vector<ElementId> Topology::blast_radius(ElementId id, Aspect aspect) const {
  const Vertex start = vertex_of(id, aspect);
  std::unordered_map<Vertex, bool> lost;  // look-up only
  std::vector<ElementId> radius;
  for (const Vertex vertex : impl_->downstream(start)) {
    const bool is_lost = vertex == start || !impl_->exhausted(vertex, [&lost](Vertex parent) { return !lost.contains(parent); }).empty();
    if (!is_lost) continue;
    lost.emplace(vertex, true);
    if (aspect_of(vertex) == aspect) radius.push_back(element_of(vertex));
  }
  return radius;
}

ElementId Topology::enclosing(ElementId id, ElementKind kind) const {
  std::vector<ElementId> open{id};
  for (std::size_t next = 0; next < open.size(); ++next) {
    if (impl_->elements[open[next].value].kind == kind) return open[next];
    for (const auto& edge : boost::make_iterator_range(boost::out_edges(vertex_of(open[next], Aspect::kPower), impl_->graph))) {
      if (impl_->graph[edge].placement) open.push_back(element_of(boost::target(edge, impl_->graph)));
    }
  }
  return ElementId{};
}

std::vector<ElementId> Topology::placed_in(ElementId id) const {
  std::vector<ElementId> inside;
  for (const auto& edge : boost::make_iterator_range(boost::in_edges(vertex_of(id, Aspect::kPower), impl_->graph))) {
    if (impl_->graph[edge].placement) inside.push_back(element_of(boost::source(edge, impl_->graph)));
  }
  return inside;
}

void Topology::fail(ElementId id, Aspect aspect) {
  const Vertex vertex = vertex_of(id, aspect);
  VertexState& state = impl_->graph[vertex];
  ++state.failures;
  const CauseId cause = impl_->record(vertex, false, state.has ? "" : ", which it did not have anyway", impl_->engine.cause());
  if (!state.has) state.reasons.push_back(cause);  // should its parents come back: this still holds it down
  impl_->update(vertex, cause);
}

void Topology::restore(ElementId id, Aspect aspect) {
  const Vertex vertex = vertex_of(id, aspect);
  VertexState& state = impl_->graph[vertex];
  if (state.failures == 0) return;
  if (--state.failures > 0) return;
  if (!impl_->exhausted(vertex, [this](Vertex parent) { return impl_->graph[parent].has; }).empty()) return;  // its parents still lack it
  const CauseId cause = impl_->record(vertex, true, " again", impl_->engine.cause());
  impl_->update(vertex, cause);
}

bool Topology::has(ElementId id, Aspect aspect) const { return impl_->graph[vertex_of(id, aspect)].has; }

std::vector<CauseId> Topology::reasons(ElementId id, Aspect aspect) const { return impl_->graph[vertex_of(id, aspect)].reasons; }

void Topology::on_change(std::function<void(ElementId, Aspect, bool)> listener) { impl_->listeners.push_back(std::move(listener)); }

}  // namespace sim::topology
