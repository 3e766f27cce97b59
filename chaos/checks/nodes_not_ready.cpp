/// nodes-not-ready: never too many nodes NotReady at once, none for too long. As the API says it: a node that was deleted, or was never Ready
/// yet, does not count.
#include <fmt/format.h>

#include <algorithm>

#include "chaos/checks/check_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct NodesNotReady : Expectation {
  std::map<std::string, std::string> selector;
  std::vector<std::string> nodes;
  std::optional<std::int64_t> at_most;
  std::optional<SimDuration> longest;

  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  void check(const Preview& preview, Problems& problems) const override {
    sim::World& world = preview.world;
    for (const std::string& node : nodes) {
      if (!world.api.find<sim::k8s::Node>(sim::Symbol{}, world.names.find(node))) problems.unknown("node", node, node_names(world));
    }
    if (selector.empty()) return;
    const sim::k8s::LabelSelector labels = to_selector(selector, world.names);
    bool any = false;
    world.api.all<sim::k8s::Node>().for_each([&](sim::k8s::Ref<sim::k8s::Node>, const sim::k8s::Node& node) {
      any = any || labels.matches(node.meta.labels, world.names);
    });
    if (!any) problems.error(fmt::format("no node has the labels {}", describe_selector(selector)));
  }
};

void describe(Fields<NodesNotReady>& fields) {
  describe_window(fields);
  fields.add("selector", &NodesNotReady::selector, "Only nodes with these labels.")
      .add("nodes", &NodesNotReady::nodes, "Only these nodes.")
      .add("atMost", &NodesNotReady::at_most, 0, 1'000'000'000, "No more than so many are NotReady at the same time.")
      .add("longest", &NodesNotReady::longest, "None is NotReady for longer than this.")
      .rule([](const NodesNotReady& e, sim::scenario::Node node, sim::scenario::Reader& reader) {
        if (!e.longest && !e.at_most) reader.diagnostics.error(node, fmt::format("expectation '{}' has no bound: give atMost or longest", e.name));
      });
}

class NodesNotReadyCheck : public Check {
 public:
  NodesNotReadyCheck(sim::World& world, const NodesNotReady& spec) : world_(world), spec_(spec) {}

  void judge(const Judgement& run, ExpectationResult& result) override {
    result.subject = "nodes";
    if (!spec_.selector.empty()) result.subject += " " + describe_selector(spec_.selector);
    const sim::k8s::LabelSelector labels = to_selector(spec_.selector, world_.names);
    struct Flip {
      SimTime at;
      int change;
      CauseId cause;
    };
    std::vector<Flip> flips;
    std::optional<Measure> longest;
    for (const NodeHistory& node : run.observers.nodes().histories()) {
      if (!spec_.selector.empty() && !labels.matches(node.labels, world_.names)) continue;
      if (!spec_.nodes.empty() && std::find(spec_.nodes.begin(), spec_.nodes.end(), world_.names.text(node.name)) == spec_.nodes.end()) continue;
      const Signal ready = node.ready();
      if (spec_.at_most) {
        double before = 1.0;
        for (const Signal::Step& step : ready.steps()) {
          if (step.value != before) flips.push_back(Flip{step.at, step.value < before ? 1 : -1, step.cause});
          before = step.value;
        }
      }
      if (spec_.longest) {
        const Measure one = measure_longest("longest", ready, 1.0, *spec_.longest, result.from, result.to);
        const std::optional<SimTime> first = longest ? longest->first_violation : std::nullopt;
        if (!longest || one.measured > longest->measured) longest = one;
        if (first && (!longest->first_violation || *first < *longest->first_violation)) longest->first_violation = first;
        if (one.first_violation && (!longest->first_violation || *one.first_violation < *longest->first_violation)) {
          longest->first_violation = one.first_violation;
        }
      }
    }
    if (spec_.at_most) {
      std::stable_sort(flips.begin(), flips.end(), [](const Flip& a, const Flip& b) { return a.at < b.at; });
      Signal count;
      count.set(SimTime{}, 0.0, CauseId{});
      double now = 0.0;
      for (const Flip& flip : flips) {
        now += flip.change;
        count.set(flip.at, now, flip.cause);
      }
      result.measures.push_back(measure_highest("atMost", count, static_cast<double>(*spec_.at_most), result.from, result.to));
    }
    if (spec_.longest) {
      // Without any node that was ever Ready nothing was NotReady either.
      result.measures.push_back(longest.value_or(measure_longest("longest", Signal{}, 1.0, *spec_.longest, result.from, result.to)));
    }
  }

 private:
  sim::World& world_;
  const NodesNotReady& spec_;
};

std::unique_ptr<Check> NodesNotReady::make(sim::World& world, SimTime) const { return std::make_unique<NodesNotReadyCheck>(world, *this); }

}  // namespace

void add_nodes_not_ready(ExpectationKinds& kinds) {
  kinds.add<NodesNotReady>("nodes-not-ready", "Never too many nodes NotReady at once, none for too long.");
}

}  // namespace chaos
