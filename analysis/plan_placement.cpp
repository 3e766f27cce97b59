#include "analysis/plan_placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "sim/core/check.hpp"
#include "sim/models/kubernetes/scheduler/plugins/node_affinity.hpp"
#include "sim/models/kubernetes/scheduler/schedule_all.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/world_builder.hpp"
#include "sim/scenario/yaml_text.hpp"

namespace analysis {

namespace {

namespace k8s = sim::k8s;
namespace scenario = sim::scenario;

/// What kubeadm's static pods of a control-plane node ask for: 250m + 200m + 100m + 100m.
constexpr std::int64_t kStaticPodsCpuMilli = 650;

/// It looks for a place anew, wherever it was. A dump's spec names the node as well, and a new pod of its owner would not.
void unbind(k8s::Pod& pod) {
  pod.node = {};
  pod.node_name = pod.nominated_node = sim::Symbol{};
  pod.phase = k8s::PodPhase::kPending;
  if (!pod.spec->node_name) return;
  auto spec = std::make_shared<k8s::PodSpec>(*pod.spec);
  spec->node_name = sim::Symbol{};
  pod.spec = std::move(spec);
}

std::string node_name(const scenario::PoolSpec& pool, std::int64_t number) {
  const std::string pattern = pool.node_name.empty() ? pool.name + "-{n}" : pool.node_name;
  const std::size_t open = pattern.find('{');
  const std::size_t close = pattern.find('}', open == std::string::npos ? 0 : open);
  if (open == std::string::npos || close == std::string::npos) return pattern;
  const std::string inside = pattern.substr(open + 1, close - open - 1);
  const int width = inside.size() > 2 ? std::stoi(inside.substr(2)) : 1;  // the reader has checked the pattern
  return pattern.substr(0, open) + fmt::format("{:0{}}", number, width) + pattern.substr(close + 1);
}

scenario::PoolSpec pool_of(const scenario::InstanceType& type, const scenario::ScenarioSpec& spec) {
  scenario::PoolSpec pool;
  pool.name = type.name;
  pool.count = 0;
  pool.cpu_milli = k8s::parse_quantity_milli(type.cpu).value_or(0);
  pool.memory = k8s::parse_quantity(type.memory).value_or(0);
  if (!type.ephemeral_storage.empty()) pool.disk = k8s::parse_quantity(type.ephemeral_storage).value_or(0);
  if (!type.pods.empty()) pool.pods = k8s::parse_quantity(type.pods).value_or(0);
  for (const auto& [name, amount] : type.other) pool.resources[name] = amount;
  pool.machine = sim::host::Machine::kVm;
  pool.labels["node.kubernetes.io/instance-type"] = type.name;
  if (!type.architecture.empty()) pool.labels["kubernetes.io/arch"] = type.architecture;
  if (!type.os.empty()) pool.labels["kubernetes.io/os"] = type.os;
  pool.labels["karpenter.sh/capacity-type"] = type.capacity_type;
  for (const std::string& zone : type.zones) {
    const bool is_there = std::any_of(spec.topology.begin(), spec.topology.end(), [&](const scenario::ElementSpec& e) { return e.name == zone; });
    if (is_there) pool.racks.push_back(scenario::Reference{zone, {}});
  }
  return pool;
}

}  // namespace

PlanGround::PlanGround(const scenario::ScenarioSpec& given, const scenario::CapacityPlanSpec& plan, const std::vector<scenario::InstanceType>& types) : plan_(plan), types_(types) {
  auto base = std::make_shared<scenario::ScenarioSpec>(given);
  auto names = std::make_shared<sim::Interner>(given.names.get());
  for (const scenario::PlanPoolSpec& planned : plan.pools) {
    const auto found = std::find_if(base->pools.begin(), base->pools.end(), [&](const scenario::PoolSpec& pool) { return pool.name == planned.name; });
    SIM_CHECK(found != base->pools.end(), "the reader has looked up every planned pool");
    pools_.push_back({planned.name, planned.price, planned.least, planned.most});
    position_.push_back(static_cast<std::size_t>(found - base->pools.begin()));
  }
  for (const scenario::InstanceType& type : types) {
    pools_.push_back({type.name, type.price, 0, plan.instance_types->most});
    position_.push_back(base->pools.size());
    base->pools.push_back(pool_of(type, given));
  }
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    scenario::PoolSpec& pool = base->pools[position_[i]];
    std::vector<std::string> all;
    for (std::int64_t n = 1; n <= pools_[i].most; ++n) {
      all.push_back(node_name(pool, n));
      names->intern(all.back());
    }
    names_.push_back(std::move(all));
    pool.count = 0;
    pool.machine_names.clear();
  }
  if (plan.existing == scenario::CapacityPlanSpec::Nodes::kDrop) {
    const sim::Symbol role = names->find("node-role.kubernetes.io/control-plane");
    const sim::Symbol old_role = names->find("node-role.kubernetes.io/master");
    std::set<std::uint32_t> kept;
    for (const scenario::PoolSpec& pool : base->pools) {
      for (const std::string& name : pool.machine_names) kept.insert(names->find(name).value);
    }
    std::erase_if(base->objects.nodes, [&](const scenario::Manifest<k8s::Node>& m) {
      const bool is_control_plane = (role && m.object.meta.labels.has(role)) || (old_role && m.object.meta.labels.has(old_role));
      if (is_control_plane) kept.insert(m.object.meta.name.value);
      return !is_control_plane;
    });
    std::erase_if(base->objects.pods, [&](const scenario::Manifest<k8s::Pod>& m) {
      const k8s::OwnerReference* owner = m.object.meta.controller();
      return m.object.node_name && !kept.contains(m.object.node_name.value) && owner != nullptr && owner->owner.kind == k8s::Kind::kDaemonSet;
    });
    for (scenario::Manifest<k8s::Pod>& m : base->objects.pods) {
      if (!m.object.node_name || kept.contains(m.object.node_name.value) || m.object.is_terminal()) continue;
      unbind(m.object);
    }
  }
  base->names = names;
  base_ = std::move(base);
}

std::shared_ptr<const scenario::ScenarioSpec> PlanGround::with(const Counts& counts) const {
  auto spec = std::make_shared<scenario::ScenarioSpec>(*base_);
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    scenario::PoolSpec& pool = spec->pools[position_[i]];
    pool.count = counts[i];
    pool.machine_names.assign(names_[i].begin(), names_[i].begin() + counts[i]);
  }
  return spec;
}

std::string PlanGround::yaml(const Counts& counts) const {
  std::string text = "pools:\n";
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    const bool is_type = i >= plan_.pools.size();
    if (!is_type) {
      text += fmt::format("  {}: {{count: {}}}\n", scenario::yaml_quoted(pools_[i].name), counts[i]);
      continue;
    }
    if (counts[i] == 0) continue;
    const scenario::PoolSpec& pool = base_->pools[position_[i]];
    const scenario::InstanceType& type = types_[i - plan_.pools.size()];
    text += fmt::format("  {}:\n    count: {}\n    machine: vm\n    cpu: \"{}\"\n    memory: \"{}\"\n", scenario::yaml_quoted(pool.name), counts[i], type.cpu, type.memory);
    if (!type.ephemeral_storage.empty()) text += fmt::format("    disk: \"{}\"\n", type.ephemeral_storage);
    text += fmt::format("    pods: {}\n", pool.pods);
    if (!pool.resources.empty()) {
      text += "    resources:\n";
      for (const auto& [name, amount] : pool.resources) text += fmt::format("      {}: {}\n", scenario::yaml_quoted(name), scenario::yaml_quoted(amount));
    }
    text += "    labels:\n";
    for (const auto& [name, value] : pool.labels) text += fmt::format("      {}: {}\n", scenario::yaml_quoted(name), scenario::yaml_quoted(value));
    if (!pool.racks.empty()) {
      text += "    racks: [";
      for (std::size_t r = 0; r < pool.racks.size(); ++r) text += (r > 0 ? ", " : "") + scenario::yaml_quoted(pool.racks[r].text);
      text += "]\n";
    }
  }
  return text;
}

namespace {

/// One world at time 0 with the pods of its workloads, in the order of their creation.
class Board {
 public:
  explicit Board(const scenario::ScenarioSpec& spec) : spec_(placement_spec(spec)), world_(scenario::build_world(*spec_, spec.run.seed)) {
    k8s::expand_workloads(world_->api);
    const sim::Symbol mirror = world_->names.find("kubernetes.io/config.mirror");
    for (const k8s::Ref<k8s::Pod> ref : world_->api.all<k8s::Pod>().refs()) {
      const k8s::Pod& pod = *world_->api.get(ref);
      if (!pod.is_active()) continue;
      const k8s::OwnerReference* owner = pod.meta.controller();
      const bool stays = (owner != nullptr && owner->owner.kind == k8s::Kind::kDaemonSet) || (mirror && pod.meta.annotations.has(mirror));
      pods_.push_back({ref, pod.meta.uid, stays});
    }
    std::sort(pods_.begin(), pods_.end(), [](const Entry& a, const Entry& b) { return a.uid < b.uid; });
  }

  struct Entry {
    k8s::Ref<k8s::Pod> ref;
    std::uint64_t uid = 0;
    bool stays = false;  // a DaemonSet's or a static pod: it goes with its node
  };
  const std::vector<Entry>& pods() const { return pods_; }
  sim::World& world() { return *world_; }
  const sim::World& world() const { return *world_; }
  std::string name_of(const Entry& entry) const {
    const k8s::Pod* pod = world_->api.get(entry.ref);
    return pod == nullptr ? std::string() : world_->names.text(pod->meta.ns) + "/" + world_->names.text(pod->meta.name);
  }

  /// Names of nodes by pod, as pods(); empty: none. Symbols of worlds that are built alike mean the same.
  using Places = std::vector<sim::Symbol>;
  struct Outcome {
    Places places;
    std::uint64_t without = 0;   // workloads' pods and DaemonSets' that have no place
    std::string pod;
    std::string message;
  };
  /// Where a pod is or, of a DaemonSet's, is to be.
  static sim::Symbol home_of(const k8s::Pod& pod) {
    if (pod.node_name || pod.spec->affinity == nullptr || pod.spec->affinity->required_node_terms.empty()) return pod.node_name;
    const k8s::NodeSelectorTerm& term = pod.spec->affinity->required_node_terms.front();
    return !term.match_fields.empty() && !term.match_fields.front().values.empty() ? term.match_fields.front().values.front() : sim::Symbol{};
  }
  /// Puts pods where they were, takes `lost` away, and lets the scheduler place the rest.
  Outcome place(const Places* before, const std::vector<sim::Symbol>& lost) {
    k8s::ApiServer& api = world_->api;
    const auto is_lost = [&](sim::Symbol node) { return node && std::find(lost.begin(), lost.end(), node) != lost.end(); };
    std::vector<bool> gone(pods_.size(), false);
    std::map<k8s::Ref<k8s::Pod>, std::size_t> index;
    for (std::size_t i = 0; i < pods_.size(); ++i) {
      index.emplace(pods_[i].ref, i);
      const sim::Symbol at = before != nullptr ? (*before)[i] : home_of(*api.get(pods_[i].ref));
      if (pods_[i].stays && is_lost(at)) {
        gone[i] = true;
        for (const sim::Symbol finalizer : std::vector<sim::Symbol>(api.get(pods_[i].ref)->meta.finalizers)) api.remove_finalizer(pods_[i].ref, finalizer);
        api.remove(pods_[i].ref, k8s::DeleteOptions{.grace_period_seconds = 0, .uid = std::nullopt});
        continue;
      }
      if (before == nullptr && !is_lost(at)) continue;
      const sim::Symbol to = is_lost(at) ? sim::Symbol{} : at;
      if (to == api.get(pods_[i].ref)->node_name) continue;
      const k8s::Ref<k8s::Node> node = to ? api.find<k8s::Node>(sim::Symbol{}, to) : k8s::Ref<k8s::Node>{};
      api.update(pods_[i].ref, k8s::Change::kBinding, [&](k8s::Pod& pod) {
        if (!to) {
          analysis::unbind(pod);
          return;
        }
        pod.node = node;
        pod.node_name = to;
      });
    }
    for (const sim::Symbol name : lost) api.remove(api.find<k8s::Node>(sim::Symbol{}, name));
    const k8s::ScheduleResult result = k8s::schedule_all(api, spec_->scheduler, world_->random);
    Outcome outcome;
    outcome.places.assign(pods_.size(), sim::Symbol{});
    for (const k8s::PodFate& fate : result.pods) {
      const auto found = index.find(fate.pod);
      if (found == index.end()) continue;
      outcome.places[found->second] = fate.node;
      if (fate.node || gone[found->second]) continue;
      ++outcome.without;
      if (outcome.without > 1) continue;
      outcome.pod = world_->names.text(fate.ns) + "/" + world_->names.text(fate.name);
      outcome.message = fate.message;
    }
    return outcome;
  }

  /// Nobody but DaemonSets' and static pods is bound any more.
  void unbind() {
    for (const Entry& entry : pods_) {
      if (entry.stays || !world_->api.get(entry.ref)->node_name) continue;
      world_->api.update(entry.ref, k8s::Change::kBinding, [](k8s::Pod& pod) { analysis::unbind(pod); });
    }
  }

  /// The elements of a kind that have nodes, with these.
  std::vector<std::pair<std::string, std::vector<sim::Symbol>>> places_of(sim::topology::ElementKind kind) const {
    std::map<std::string, std::vector<sim::Symbol>> by_name;
    world_->api.all<k8s::Node>().for_each([&](k8s::Ref<k8s::Node>, const k8s::Node& node) {
      const sim::topology::ElementId host = world_->topology.find(world_->names.text(node.meta.name));
      const sim::topology::ElementId where = host ? world_->topology.enclosing(host, kind) : sim::topology::ElementId{};
      if (where) by_name[std::string(world_->topology.name(where))].push_back(node.meta.name);
    });
    return {by_name.begin(), by_name.end()};
  }

 private:
  static std::shared_ptr<const scenario::ScenarioSpec> placement_spec(const scenario::ScenarioSpec& spec) {
    auto copy = std::make_shared<scenario::ScenarioSpec>(spec);
    for (scenario::PoolSpec& pool : copy->pools) {
      if (pool.control_plane) pool.reserved.cpu_milli += kStaticPodsCpuMilli;
    }
    return copy;
  }

  std::shared_ptr<const scenario::ScenarioSpec> spec_;
  std::unique_ptr<sim::World> world_;
  std::vector<Entry> pods_;
};

/// Nodes with what is on them, alike ones in one group.
struct Groups {
  struct Group {
    std::vector<sim::Symbol> nodes;
    std::uint64_t pods = 0;
  };
  std::vector<Group> groups;  // those with pods, the fullest first
};

Groups groups_of(const Board& board, const Board::Places& places) {
  const sim::World& world = board.world();
  std::map<sim::Symbol, std::map<std::string, std::uint64_t>> on_node;
  std::map<sim::Symbol, std::uint64_t> count;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Board::Entry& entry = board.pods()[i];
    const k8s::Pod* pod = world.api.get(entry.ref);
    if (!places[i] || entry.stays || pod == nullptr) continue;
    const k8s::OwnerReference* owner = pod->meta.controller();
    // Pods of one owner are alike; a set's have claims of their own, which follow them.
    ++on_node[places[i]][owner != nullptr ? k8s::to_string(owner->owner.kind) + fmt::format("/{}", owner->uid) : board.name_of(entry)];
    ++count[places[i]];
  }
  std::map<std::string, Groups::Group> by_signature;
  world.api.all<k8s::Node>().for_each([&](k8s::Ref<k8s::Node>, const k8s::Node& node) {
    const auto found = on_node.find(node.meta.name);
    if (found == on_node.end()) return;
    std::string signature;
    for (const auto& [key, value] : node.meta.labels) {
      if (key != world.api.well_known().hostname) signature += world.names.text(key) + "=" + world.names.text(value) + ";";
    }
    for (const k8s::Taint& taint : node.taints) signature += world.names.text(taint.key) + ":" + world.names.text(taint.value) + ";";
    signature += fmt::format("{}/{}/{}|", node.allocatable.cpu_milli, node.allocatable.memory, node.allocatable.pods);
    for (const auto& [owner, pods] : found->second) signature += fmt::format("{}x{};", owner, pods);
    Groups::Group& group = by_signature[signature];
    group.nodes.push_back(node.meta.name);
    group.pods = count[node.meta.name];
  });
  Groups result;
  for (auto& [signature, group] : by_signature) result.groups.push_back(std::move(group));
  std::stable_sort(result.groups.begin(), result.groups.end(), [](const Groups::Group& a, const Groups::Group& b) { return a.pods > b.pods; });
  return result;
}

struct LossOf {
  Loss told;
  std::vector<sim::Symbol> nodes;
};

/// All sets of `size` nodes, alike ones once: first those of the fullest groups.
void node_sets(const Board& board, const Groups& groups, std::size_t size, std::size_t most, std::vector<LossOf>& to) {
  std::vector<std::size_t> taken(groups.groups.size(), 0);
  const std::function<void(std::size_t, std::size_t)> choose = [&](std::size_t from, std::size_t left) {
    if (to.size() >= most) return;
    if (left == 0) {
      LossOf loss;
      for (std::size_t g = 0; g < taken.size(); ++g) {
        for (std::size_t n = 0; n < taken[g]; ++n) {
          loss.nodes.push_back(groups.groups[g].nodes[n]);
          loss.told.what.push_back("node " + board.world().names.text(groups.groups[g].nodes[n]));
          loss.told.nodes.push_back(board.world().names.text(groups.groups[g].nodes[n]));
        }
      }
      to.push_back(std::move(loss));
      return;
    }
    for (std::size_t g = from; g < taken.size(); ++g) {
      if (taken[g] == groups.groups[g].nodes.size()) continue;
      ++taken[g];
      choose(g, left - 1);
      --taken[g];
    }
  };
  choose(0, size);
}

void place_sets(const Board& board, sim::topology::ElementKind kind, std::string_view word, std::size_t size, std::size_t most, std::vector<LossOf>& to) {
  const auto places = board.places_of(kind);
  std::vector<std::size_t> chosen;
  const std::function<void(std::size_t)> choose = [&](std::size_t from) {
    if (to.size() >= most) return;
    if (chosen.size() == size) {
      LossOf loss;
      for (const std::size_t i : chosen) {
        loss.told.what.push_back(fmt::format("{} {}", word, places[i].first));
        for (const sim::Symbol node : places[i].second) {
          loss.nodes.push_back(node);
          loss.told.nodes.push_back(board.world().names.text(node));
        }
      }
      to.push_back(std::move(loss));
      return;
    }
    for (std::size_t i = from; i < places.size(); ++i) {
      chosen.push_back(i);
      choose(i + 1);
      chosen.pop_back();
    }
  };
  choose(0);
}

constexpr std::size_t kLossesMax = 100'000;

/// Every loss that has to be stood.
std::vector<LossOf> losses_to_stand(const Board& board, const Groups& groups, const scenario::PlanSurviveSpec& survive) {
  std::vector<LossOf> losses;
  using K = sim::topology::ElementKind;
  if (survive.racks > 0) place_sets(board, K::kRack, "rack", static_cast<std::size_t>(survive.racks), kLossesMax, losses);
  if (survive.zones > 0) place_sets(board, K::kZone, "zone", static_cast<std::size_t>(survive.zones), kLossesMax, losses);
  if (survive.nodes > 0) node_sets(board, groups, static_cast<std::size_t>(survive.nodes), kLossesMax, losses);
  return losses;
}

Misplaced misplaced(Loss loss, const Board::Outcome& outcome) { return Misplaced{std::move(loss), outcome.pod, outcome.message, outcome.without}; }

bool is_closed(const k8s::Node& node) {
  return node.unschedulable || std::any_of(node.taints.begin(), node.taints.end(), [](const k8s::Taint& taint) { return taint.effect != k8s::TaintEffect::kPreferNoSchedule; });
}

std::vector<UseOfResource> use_of(const Board& board, const Board::Places& places) {
  const sim::World& world = board.world();
  std::map<sim::Symbol, k8s::Resources> requested;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const k8s::Pod* pod = world.api.get(board.pods()[i].ref);
    if (!places[i] || pod == nullptr) continue;
    requested[places[i]].add(pod->spec->requests);
    ++requested[places[i]].pods;
  }
  UseOfResource cpu{"cpu", 0, 0};
  UseOfResource memory{"memory", 0, 0};
  UseOfResource pods{"pods", 0, 0};
  std::map<std::string, UseOfResource> other;
  world.api.all<k8s::Node>().for_each([&](k8s::Ref<k8s::Node>, const k8s::Node& node) {
    const auto found = requested.find(node.meta.name);
    // A tainted node counts when somebody who tolerates it is there.
    if (is_closed(node) && found == requested.end()) return;
    const k8s::Resources none;
    const k8s::Resources& wanted = found == requested.end() ? none : found->second;
    cpu.requested += static_cast<double>(wanted.cpu_milli) / 1000.0;
    cpu.allocatable += static_cast<double>(node.allocatable.cpu_milli) / 1000.0;
    memory.requested += static_cast<double>(wanted.memory);
    memory.allocatable += static_cast<double>(node.allocatable.memory);
    pods.requested += static_cast<double>(wanted.pods);
    pods.allocatable += static_cast<double>(node.allocatable.pods);
    for (const k8s::NamedAmount& one : node.allocatable.other) {
      UseOfResource& use = other[world.names.text(one.name)];
      use.name = world.names.text(one.name);
      use.requested += static_cast<double>(wanted.of(one.name));
      use.allocatable += static_cast<double>(one.amount);
    }
  });
  std::vector<UseOfResource> result = {cpu, memory, pods};
  for (auto& [name, use] : other) result.push_back(use);
  return result;
}

}  // namespace

PlacementReport PlanPlacement::look(const Counts& counts, bool in_full) const {
  const std::shared_ptr<const scenario::ScenarioSpec> spec = ground_.with(counts);
  const scenario::CapacityPlanSpec& plan = ground_.plan();
  PlacementReport report;
  Board board(*spec);
  for (const Board::Entry& entry : board.pods()) report.pods += entry.stays ? 0 : 1;
  const Board::Outcome start = board.place(nullptr, {});
  if (start.without > 0) {
    report.first = misplaced({}, start);
    if (!in_full) return report;
  }
  report.use = use_of(board, start.places);
  for (const UseOfResource& use : report.use) {
    if (use.name != "cpu" && use.name != "memory" && use.name != "pods") continue;
    // A sum of exact integers in doubles: no slack is needed but for the share itself.
    if (use.requested > use.allocatable * (1.0 - plan.headroom) * (1.0 + 1e-12) && report.short_of.empty()) report.short_of = use.name;
  }
  if (!report.short_of.empty() && !in_full) return report;
  const Groups groups = groups_of(board, start.places);
  if (in_full) {
    std::uint64_t schedulable = 0;
    board.world().api.all<k8s::Node>().for_each([&](k8s::Ref<k8s::Node>, const k8s::Node&) { ++schedulable; });
    report.nodes = schedulable;
    const auto share = [&](std::uint64_t pods) { return report.pods == 0 ? 0.0 : static_cast<double>(pods) / static_cast<double>(report.pods); };
    if (!groups.groups.empty()) {
      report.largest_node_share = share(groups.groups.front().pods);
      report.largest_node = board.world().names.text(groups.groups.front().nodes.front());
    }
    for (const auto kind : {sim::topology::ElementKind::kZone, sim::topology::ElementKind::kRack}) {
      for (const auto& [name, nodes] : board.places_of(kind)) {
        std::uint64_t pods = 0;
        for (std::size_t i = 0; i < start.places.size(); ++i) {
          if (start.places[i] && !board.pods()[i].stays && std::find(nodes.begin(), nodes.end(), start.places[i]) != nodes.end()) ++pods;
        }
        if (share(pods) <= report.largest_place_share) continue;
        report.largest_place_share = share(pods);
        report.largest_place = fmt::format("{} {}", sim::topology::to_string(kind), name);
      }
    }
  }
  if (report.first || !report.short_of.empty()) return report;

  const auto stands = [&](const Board& now, const Board::Places& places, const Loss& before) {
    for (const LossOf& loss : losses_to_stand(now, groups_of(now, places), plan.survive)) {
      std::vector<sim::Symbol> nodes = loss.nodes;
      for (const std::string& name : before.nodes) {
        const sim::Symbol drained = now.world().names.find(name);
        if (std::find(nodes.begin(), nodes.end(), drained) == nodes.end()) nodes.push_back(drained);
      }
      Board next(*spec);
      ++report.losses;
      const Board::Outcome outcome = next.place(&places, nodes);
      if (outcome.without == 0) continue;
      Loss told = before;
      told.what.insert(told.what.end(), loss.told.what.begin(), loss.told.what.end());
      told.nodes.insert(told.nodes.end(), loss.told.nodes.begin(), loss.told.nodes.end());
      report.first = misplaced(std::move(told), outcome);
      return false;
    }
    return true;
  };
  if (!stands(board, start.places, {})) return report;
  if (plan.survive.during_drain) {
    for (const Groups::Group& group : groups.groups) {
      Board drained(*spec);
      ++report.losses;
      const std::string name = board.world().names.text(group.nodes.front());
      const Loss drain{{"drained node " + name}, {name}};
      const Board::Outcome outcome = drained.place(&start.places, {group.nodes.front()});
      if (outcome.without > 0) {
        report.first = misplaced(drain, outcome);
        return report;
      }
      // Where the drained node's pods went is where the loss finds them.
      if (!stands(drained, outcome.places, drain)) return report;
    }
  }
  report.is_good = true;
  return report;
}

std::optional<Misplaced> PlanPlacement::first_loss_that_breaks(const Counts& counts, std::size_t most, std::size_t tries) const {
  const std::shared_ptr<const scenario::ScenarioSpec> spec = ground_.with(counts);
  Board board(*spec);
  const Board::Outcome start = board.place(nullptr, {});
  if (start.without > 0) return misplaced({}, start);
  const Groups groups = groups_of(board, start.places);
  for (std::size_t size = 1; size <= most; ++size) {
    std::vector<LossOf> losses;
    node_sets(board, groups, size, tries, losses);
    place_sets(board, sim::topology::ElementKind::kRack, "rack", size, losses.size() + tries, losses);
    place_sets(board, sim::topology::ElementKind::kZone, "zone", size, losses.size() + tries, losses);
    for (const LossOf& loss : losses) {
      Board next(*spec);
      const Board::Outcome outcome = next.place(&start.places, loss.nodes);
      if (outcome.without > 0) return misplaced(loss.told, outcome);
    }
  }
  return std::nullopt;
}

PlanPlacement::PlanPlacement(const PlanGround& ground) : ground_(ground), bounds_(make_bounds()) {
  const scenario::PlanSurviveSpec& survive = ground_.plan().survive;
  loss_.nodes = survive.nodes + (survive.during_drain ? 1 : 0);
  // With k of Z zones gone, whichever, the rest carries everything; on average over the choices it costs (Z - k) / Z of the whole. That needs every node to be in a zone.
  const auto factor = [&](const std::vector<std::vector<std::string>>& of_pools, std::int64_t lost) {
    std::set<std::string> all;
    for (const std::vector<std::string>& names : of_pools) {
      for (const std::string& name : names) {
        if (name.empty()) return;
        all.insert(name);
      }
    }
    const auto count = static_cast<std::int64_t>(all.size());
    if (lost > 0 && count > lost) loss_.factor = std::max(loss_.factor, static_cast<double>(count) / static_cast<double>(count - lost));
  };
  factor(zones_, survive.zones);
  factor(racks_, survive.racks);
}

PlanBounds PlanPlacement::make_bounds() {
  // A node of each searched pool in each of its places, to see what it offers and who may run there.
  Counts samples;
  {
    const std::shared_ptr<const scenario::ScenarioSpec> empty = ground_.with(Counts(ground_.pools().size(), 0));
    for (const PlanGround::Pool& pool : ground_.pools()) {
      const auto of_pool = std::find_if(empty->pools.begin(), empty->pools.end(), [&](const scenario::PoolSpec& one) { return one.name == pool.name; });
      samples.push_back(std::min<std::int64_t>(pool.most, std::max<std::int64_t>(1, static_cast<std::int64_t>(of_pool->racks.size()))));
    }
  }
  const std::shared_ptr<const scenario::ScenarioSpec> spec = ground_.with(samples);
  Board board(*spec);
  sim::World& world = board.world();
  std::set<sim::Symbol> asked;
  for (const Board::Entry& entry : board.pods()) {
    for (const k8s::NamedAmount& one : world.api.get(entry.ref)->spec->requests.other) asked.insert(one.name);
  }
  const auto amounts = [&](const k8s::Resources& of, double pods) {
    Amounts result = {static_cast<double>(of.cpu_milli), static_cast<double>(of.memory), static_cast<double>(of.ephemeral_storage), pods};
    for (const sim::Symbol name : asked) result.push_back(static_cast<double>(of.of(name)));
    return result;
  };
  // What DaemonSets, static pods and pods that are bound take of each node.
  std::map<sim::Symbol, k8s::Resources> taken;
  for (const Board::Entry& entry : board.pods()) {
    const k8s::Pod& pod = *world.api.get(entry.ref);
    const sim::Symbol at = entry.stays ? Board::home_of(pod) : pod.node_name;
    if (!at) continue;
    taken[at].add(pod.spec->requests);
    ++taken[at].pods;
  }
  const auto taken_of = [&](sim::Symbol node) {
    const auto found = taken.find(node);
    return found == taken.end() ? k8s::Resources{} : found->second;
  };
  struct Sample {
    PlanShape shape;
    std::vector<k8s::Ref<k8s::Node>> nodes;
    k8s::Resources allocatable;  // the most of any of them
    k8s::Resources taken;        // the least
    bool is_searched = false;
  };
  std::vector<Sample> samples_of;
  const auto add_node = [&](Sample& sample, k8s::Ref<k8s::Node> ref) {
    const k8s::Node& node = *world.api.get(ref);
    const k8s::Resources gone = taken_of(node.meta.name);
    k8s::Resources left = node.allocatable;
    left.subtract(gone);
    Amounts free = amounts(left, static_cast<double>(node.allocatable.pods - gone.pods));
    for (double& amount : free) amount = node.unschedulable ? 0.0 : std::max(0.0, amount);
    if (sample.nodes.empty()) {
      sample.shape.capacity = free;
      sample.allocatable = node.allocatable;
      sample.taken = gone;
    }
    // Whatever any of them offers, the bound grants to all.
    for (std::size_t r = 0; r < free.size(); ++r) sample.shape.capacity[r] = std::max(sample.shape.capacity[r], free[r]);
    sample.taken.cpu_milli = std::min(sample.taken.cpu_milli, gone.cpu_milli);
    sample.taken.memory = std::min(sample.taken.memory, gone.memory);
    sample.taken.pods = std::min(sample.taken.pods, gone.pods);
    sample.nodes.push_back(ref);
  };
  std::set<sim::Symbol> searched;
  for (const PlanGround::Pool& pool : ground_.pools()) {
    const auto of_pool = std::find_if(spec->pools.begin(), spec->pools.end(), [&](const scenario::PoolSpec& one) { return one.name == pool.name; });
    Sample sample{{pool.name, amounts({}, 0.0), pool.price, pool.least, pool.most}, {}, {}, {}, true};
    std::vector<std::string> zones;
    std::vector<std::string> racks;
    for (const std::string& machine : of_pool->machine_names) {
      const sim::Symbol name = world.names.find(machine);
      searched.insert(name);
      add_node(sample, world.api.find<k8s::Node>(sim::Symbol{}, name));
      const auto around = [&](sim::topology::ElementKind kind) {
        const sim::topology::ElementId where = world.topology.enclosing(world.topology.find(machine), kind);
        return where ? std::string(world.topology.name(where)) : std::string();
      };
      zones.push_back(around(sim::topology::ElementKind::kZone));
      racks.push_back(around(sim::topology::ElementKind::kRack));
    }
    zones_.push_back(std::move(zones));
    racks_.push_back(std::move(racks));
    samples_of.push_back(std::move(sample));
  }
  // All other nodes: alike ones are counted together.
  std::map<std::string, std::size_t> alike;
  world.api.all<k8s::Node>().for_each([&](k8s::Ref<k8s::Node> ref, const k8s::Node& node) {
    if (searched.contains(node.meta.name)) return;
    const k8s::Resources gone = taken_of(node.meta.name);
    std::string signature = fmt::format("{}-{}/{}-{}/{}-{}/{}-{}/{};", node.allocatable.cpu_milli, gone.cpu_milli, node.allocatable.memory, gone.memory, node.allocatable.ephemeral_storage,
                                        gone.ephemeral_storage, node.allocatable.pods, gone.pods, node.unschedulable);
    for (const k8s::NamedAmount& one : node.allocatable.other) signature += fmt::format("{}={}-{};", one.name.value, one.amount, gone.of(one.name));
    for (const auto& [key, value] : node.meta.labels) {
      if (key != world.api.well_known().hostname) signature += fmt::format("{}={};", key.value, value.value);
    }
    for (const k8s::Taint& taint : node.taints) signature += fmt::format("{}:{}:{};", taint.key.value, taint.value.value, static_cast<int>(taint.effect));
    const auto [place, is_new] = alike.try_emplace(signature, samples_of.size());
    if (is_new) samples_of.push_back({{world.names.text(node.meta.name), {}, 0.0, 0, 0}, {}, {}, {}, false});
    Sample& sample = samples_of[place->second];
    add_node(sample, ref);
    ++sample.shape.most;
    sample.shape.least = sample.shape.most;
  });

  // Pods by what they ask for and where they may run.
  const auto may_run = [&](const k8s::PodSpec& pod, const Sample& sample) {
    const auto names_a_node = [&](const std::vector<k8s::Requirement>& all) {
      return std::any_of(all.begin(), all.end(), [&](const k8s::Requirement& one) { return one.key == world.api.well_known().hostname || one.key == world.api.well_known().metadata_name; });
    };
    bool is_pinned = pod.node_selector.has(world.api.well_known().hostname);
    if (pod.affinity != nullptr) {
      for (const k8s::NodeSelectorTerm& term : pod.affinity->required_node_terms) is_pinned = is_pinned || names_a_node(term.match_fields) || names_a_node(term.match_expressions);
    }
    // The node that it names may be one that is not among the samples.
    if (is_pinned) return !sample.nodes.empty();
    return std::any_of(sample.nodes.begin(), sample.nodes.end(), [&](k8s::Ref<k8s::Node> ref) {
      const k8s::Node& node = *world.api.get(ref);
      return k8s::scheduling::node_affinity::matches_required(pod, node.meta.labels, node.meta.name, world.names) && std::all_of(node.taints.begin(), node.taints.end(), [&](const k8s::Taint& taint) {
               return taint.effect == k8s::TaintEffect::kPreferNoSchedule || k8s::tolerates(pod.tolerations, taint);
             });
    });
  };
  std::map<std::string, std::size_t> class_of;
  std::vector<PlanClass> classes;
  k8s::Resources wanted;  // of the classes together
  for (const Board::Entry& entry : board.pods()) {
    const k8s::Pod& pod = *world.api.get(entry.ref);
    if (entry.stays || pod.node_name) continue;
    wanted.add(pod.spec->requests);
    ++wanted.pods;
    PlanClass one;
    one.example = board.name_of(entry);
    one.request = amounts(pod.spec->requests, 1.0);
    std::string signature;
    for (const double amount : one.request) signature += fmt::format("{};", amount);
    for (const Sample& sample : samples_of) {
      one.fits.push_back(may_run(*pod.spec, sample));
      signature += one.fits.back() ? '1' : '0';
    }
    if (pod.spec->affinity != nullptr) {
      for (const k8s::PodAffinityTerm& term : pod.spec->affinity->required_pod_anti_affinity) {
        // Only to pods of its own kind: `namespaces` empty means its own.
        if (term.topology_key != world.api.well_known().hostname || !term.namespaces.empty() || term.namespace_selector || !term.selector || !term.selector->matches(pod.meta.labels, world.names)) continue;
        one.per_node = 1;
        const k8s::OwnerReference* owner = pod.meta.controller();
        signature += fmt::format("alone:{}", owner != nullptr ? owner->uid : pod.meta.uid);
        break;
      }
    }
    const auto [place, is_new] = class_of.try_emplace(signature, classes.size());
    if (is_new) classes.push_back(std::move(one));
    ++classes[place->second].count;
  }
  std::vector<PlanShape> shapes;
  for (const Sample& sample : samples_of) shapes.push_back(sample.shape);
  PlanBounds bounds(std::move(shapes), std::move(classes));
  if (ground_.plan().headroom > 0.0) {
    const double usable = 1.0 - ground_.plan().headroom;
    const auto condition = [&](auto amount) {
      std::vector<double> holds;
      for (std::size_t i = 0; i < samples_of.size(); ++i) {
        const Sample& sample = samples_of[i];
        // As use_of() has it: a tainted node on which nobody can be does not count.
        const bool is_open = std::any_of(sample.nodes.begin(), sample.nodes.end(), [&](k8s::Ref<k8s::Node> ref) { return !is_closed(*world.api.get(ref)) || taken.contains(world.api.get(ref)->meta.name); }) ||
                             std::any_of(bounds.classes().begin(), bounds.classes().end(), [&](const PlanClass& one) { return one.fits[i]; });
        holds.push_back(is_open ? usable * static_cast<double>(amount(sample.allocatable)) - static_cast<double>(amount(sample.taken)) : 0.0);
      }
      bounds.require(std::move(holds), static_cast<double>(amount(wanted)));
    };
    condition([](const k8s::Resources& r) { return r.cpu_milli; });
    condition([](const k8s::Resources& r) { return r.memory; });
    condition([](const k8s::Resources& r) { return r.pods; });
  }
  return bounds;
}

bool PlanPlacement::may_survive(const PlanBounds& bounds, const Counts& counts) const {
  const auto is_carried = [&](const Counts& rest) { return bounds.may_carry(rest, PlanBounds::Of::kRest); };
  for (std::size_t s = 0; loss_.nodes > 0 && s < ground_.pools().size(); ++s) {
    if (counts[s] <= 0) continue;
    Counts rest = counts;
    rest[s] = std::max<std::int64_t>(0, counts[s] - loss_.nodes);
    if (!is_carried(rest)) return false;
  }
  const auto without_one = [&](const std::vector<std::vector<std::string>>& of_pools) {
    std::set<std::string> all;
    for (const std::vector<std::string>& names : of_pools) all.insert(names.begin(), names.end());
    all.erase("");
    return std::all_of(all.begin(), all.end(), [&](const std::string& lost) {
      Counts rest = counts;
      for (std::size_t s = 0; s < of_pools.size(); ++s) {
        for (std::int64_t n = 0; n < counts[s] && !of_pools[s].empty(); ++n) rest[s] -= of_pools[s][static_cast<std::size_t>(n) % of_pools[s].size()] == lost ? 1 : 0;
      }
      return is_carried(rest);
    });
  };
  if (ground_.plan().survive.zones > 0 && !without_one(zones_)) return false;
  return ground_.plan().survive.racks == 0 || without_one(racks_);
}

Repacking repack(const scenario::ScenarioSpec& given, const std::vector<std::string>& without) {
  Board board(given);
  board.unbind();
  std::vector<sim::Symbol> lost;
  for (const std::string& name : without) lost.push_back(board.world().names.find(name));
  const Board::Outcome outcome = board.place(nullptr, lost);
  Repacking result;
  for (const Board::Entry& entry : board.pods()) result.pods += entry.stays ? 0 : 1;
  result.pending = outcome.without;
  result.pod = outcome.pod;
  result.message = outcome.message;
  result.use = use_of(board, outcome.places);
  return result;
}

std::vector<std::string> removable_nodes(const scenario::ScenarioSpec& given) {
  const Board board(given);
  const sim::World& world = board.world();
  const sim::Symbol role = world.names.find("node-role.kubernetes.io/control-plane");
  const sim::Symbol old_role = world.names.find("node-role.kubernetes.io/master");
  std::vector<std::pair<std::uint64_t, std::string>> found;
  world.api.all<k8s::Node>().for_each([&](k8s::Ref<k8s::Node>, const k8s::Node& node) {
    if ((role && node.meta.labels.has(role)) || (old_role && node.meta.labels.has(old_role)) || node.unschedulable) return;
    found.emplace_back(node.meta.uid, world.names.text(node.meta.name));
  });
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  for (auto& [uid, name] : found) names.push_back(std::move(name));
  return names;
}

}  // namespace analysis
