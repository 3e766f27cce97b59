/// host-memory: the machines keep enough memory, as `free` shows it (MemAvailable), or as their kubelets see it (memory.available, which knows nothing of
/// the kernel's own).
///
/// Between two things that happen on a machine its memory changes linearly, so that the lowest value is at one of them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "chaos/checks/check_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::k8s::Node;
using sim::k8s::Ref;
using sim::scenario::Fields;

struct HostMemoryExpectation : Expectation {
  std::map<std::string, std::string> selector;
  std::vector<std::string> nodes;
  std::optional<std::int64_t> available;
  std::optional<std::int64_t> kubelet_available;

  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  void check(const Preview& preview, Problems& problems) const override {
    sim::World& world = preview.world;
    for (const std::string& node : nodes) {
      if (!world.api.find<Node>(sim::Symbol{}, world.names.find(node))) problems.unknown("node", node, node_names(world));
    }
    if (problems.any() || (selector.empty() && nodes.empty())) return;
    bool any = false;
    world.api.all<Node>().for_each([&](Ref<Node> ref, const Node&) { any = any || is_meant(world, ref); });
    if (!any) problems.error(fmt::format("no node has the labels {}", describe_selector(selector)));
  }
  bool is_meant(sim::World& world, Ref<Node> ref) const {
    const Node* node = world.api.get(ref);
    if (node == nullptr) return false;
    if (!nodes.empty() && std::find(nodes.begin(), nodes.end(), world.names.text(node->meta.name)) == nodes.end()) return false;
    return selector.empty() || to_selector(selector, world.names).matches(node->meta.labels, world.names);
  }
};

void describe(Fields<HostMemoryExpectation>& fields) {
  describe_window(fields);
  fields.add("selector", &HostMemoryExpectation::selector, "Only nodes with these labels.")
      .add("nodes", &HostMemoryExpectation::nodes, "Only these nodes.")
      .bytes("available", &HostMemoryExpectation::available, "Each has at least so much as `free` shows it (MemAvailable) while it runs.")
      .bytes("kubeletAvailable", &HostMemoryExpectation::kubelet_available, "Each has at least so much as its kubelet sees it (memory.available).")
      .rule([](const HostMemoryExpectation& e, sim::scenario::Node node, sim::scenario::Reader& reader) {
        if (!e.available && !e.kubelet_available) {
          reader.diagnostics.error(node, fmt::format("expectation '{}' has no bound: give available or kubeletAvailable", e.name));
        }
      });
}

class HostMemoryCheck : public Check {
 public:
  HostMemoryCheck(sim::World& world, const HostMemoryExpectation& spec) : world_(world), spec_(spec) {}

  void start() override {
    world_.api.all<Node>().for_each([&](Ref<Node> ref, const Node& node) {
      if (spec_.is_meant(world_, ref)) seen_.emplace(node.meta.name.value, Seen{ref, {}});
    });
    world_.kubelets.on_memory([this, alive = std::weak_ptr<char>(alive_)](Ref<Node> ref) {
      if (alive.expired()) return;
      const Node* node = world_.api.get(ref);
      const auto found = node == nullptr ? seen_.end() : seen_.find(node->meta.name.value);
      if (found != seen_.end()) look(found->second);
    });
  }

  void judge(const Judgement& run, ExpectationResult& result) override {
    result.subject = spec_.selector.empty() ? "nodes" : "nodes " + describe_selector(spec_.selector);
    for (auto& [name, one] : seen_) look(one);
    if (spec_.available) result.measures.push_back(lowest("available", &Sample::available, *spec_.available, result, run));
    if (spec_.kubelet_available) result.measures.push_back(lowest("kubeletAvailable", &Sample::kubelet, *spec_.kubelet_available, result, run));
  }

 private:
  struct Sample {
    SimTime at{};
    double available = 0;
    double kubelet = 0;
    CauseId cause{};
    bool first = false;  // after a time in which the machine did not run
  };
  struct Seen {
    Ref<Node> node;
    std::vector<Sample> samples;
    bool was_down = true;
  };

  void look(Seen& one) {
    const sim::host::Meminfo info = world_.kubelets.meminfo(one.node);
    if (info.total == 0) {
      one.was_down = true;
      return;
    }
    Sample sample;
    sample.at = world_.engine.now();
    sample.available = static_cast<double>(info.available);
    sample.kubelet = static_cast<double>(info.total - world_.kubelets.memory_used(one.node));
    sample.cause = world_.engine.cause();
    sample.first = std::exchange(one.was_down, false);
    // Of a line only its ends are needed, and of what stays the same nothing.
    if (!one.samples.empty() && !sample.first) {
      const Sample& last = one.samples.back();
      if (last.available == sample.available && last.kubelet == sample.kubelet) return;
    }
    one.samples.push_back(sample);
  }

  Measure lowest(std::string name, double Sample::*figure, std::int64_t bound, const ExpectationResult& window, const Judgement& run) const {
    Measure measure;
    measure.name = std::move(name);
    measure.unit = Unit::kBytes;
    measure.comparison = Comparison::kAtLeast;
    measure.bound = static_cast<double>(bound);
    measure.measured = std::numeric_limits<double>::infinity();
    const SimTime end = std::min(window.to, run.ended);
    std::uint32_t worst = 0;  // whose figure it is, and when
    SimTime worst_at{};
    std::uint32_t looked_at = 0;
    const auto take = [&](SimTime at, double value, CauseId cause) {
      if (value < measure.measured) {
        measure.measured = value;
        measure.cause = cause;
        worst = looked_at;
        worst_at = at;
      }
      if (value < measure.bound && (!measure.first_violation || at < *measure.first_violation)) measure.first_violation = at;
    };
    for (const auto& [name_of_node, one] : seen_) {
      looked_at = name_of_node;
      const Sample* before = nullptr;
      for (const Sample& sample : one.samples) {
        const bool inside = sample.at >= window.from && sample.at <= end;
        // What stood when the window began, and where the line was when it ended.
        if (before != nullptr && !sample.first) {
          for (const SimTime edge : {window.from, end}) {
            if (before->at < edge && edge < sample.at) {
              const double share = sim::seconds(edge - before->at) / sim::seconds(sample.at - before->at);
              take(edge, before->*figure + share * (sample.*figure - before->*figure), before->cause);
            }
          }
          if (inside && before->*figure >= measure.bound && sample.*figure < measure.bound) {
            // When exactly the line crossed the bound.
            const double share = (before->*figure - measure.bound) / (before->*figure - sample.*figure);
            const SimTime at = std::max(window.from, before->at + sim::from_seconds(share * sim::seconds(sample.at - before->at)));
            if (!measure.first_violation || at < *measure.first_violation) measure.first_violation = at;
          }
        }
        // A line falls for the reason that was there when it began.
        if (inside) take(sample.at, sample.*figure, before != nullptr && !sample.first && before->cause ? before->cause : sample.cause);
        before = &sample;
      }
      if (before != nullptr && before->at < window.from) take(window.from, before->*figure, before->cause);
    }
    if (!std::isfinite(measure.measured)) measure.measured = measure.bound;  // no machine ran in the window: nothing was short
    measure.held = measure.measured >= measure.bound;
    if (measure.held) {
      measure.first_violation.reset();
      return measure;
    }
    measure.excess = measure.bound - measure.measured;
    if (const CauseId grows = kernel_memory_of(world_.names.text(sim::Symbol{worst}), worst_at); grows) measure.also.push_back(std::exchange(measure.cause, grows));
    return measure;
  }

  /// What the kernel holds and nobody owns, as it was last told before then: the pod that took the last bytes has less of a part in it.
  CauseId kernel_memory_of(const std::string& node, SimTime until) const {
    const sim::EventLog& log = world_.log;
    const std::string subject = "Node/" + node;
    CauseId found{};
    for (std::uint32_t id = 1; id <= log.size() && log.at(CauseId{id}).time <= until; ++id) {
      const sim::EventLog::Record& record = log.at(CauseId{id});
      if (log.kind(record) == "KernelMemoryGrows" && log.subject(record) == subject) found = CauseId{id};
    }
    return found;
  }

  sim::World& world_;
  const HostMemoryExpectation& spec_;
  std::map<std::uint32_t, Seen> seen_;  // by the symbol of the node's name
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

std::unique_ptr<Check> HostMemoryExpectation::make(sim::World& world, SimTime) const { return std::make_unique<HostMemoryCheck>(world, *this); }

}  // namespace

void add_host_memory(ExpectationKinds& kinds) {
  kinds.add<HostMemoryExpectation>("host-memory", "Machines keep enough memory, as free shows it or as their kubelets see it.");
}

}  // namespace chaos
