/// pods-pending: nobody waits too long, or not too many at once.
#include <fmt/format.h>

#include "chaos/checks/check_files.hpp"
#include "chaos/target.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct PodsPending : Expectation {
  std::string ns;
  std::map<std::string, std::string> selector;
  std::optional<SimDuration> longest;
  std::optional<std::int64_t> at_most;

  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  void check(const Preview& preview, Problems& problems) const override {
    sim::World& world = preview.world;
    if (selector.empty() && ns.empty()) return;
    if (!any_pod_can_match(world, world.names.intern(ns), to_selector(selector, world.names))) {
      problems.error(fmt::format("no pod or pod template {}{}{}", ns.empty() ? "" : fmt::format("in namespace '{}' ", ns),
                                 selector.empty() ? "exists" : "has the labels ", describe_selector(selector)));
    }
  }
};

void describe(Fields<PodsPending>& fields) {
  describe_window(fields);
  fields.add("namespace", &PodsPending::ns, "Only pods of this namespace.")
      .add("selector", &PodsPending::selector, "Only pods with these labels.")
      .add("longest", &PodsPending::longest, "No pod is Pending for longer than this (within the window).")
      .add("atMost", &PodsPending::at_most, 0, 1'000'000'000, "No more than so many pods are Pending at the same time.")
      .rule([](const PodsPending& e, sim::scenario::Node node, sim::scenario::Reader& reader) {
        if (!e.longest && !e.at_most) reader.diagnostics.error(node, fmt::format("expectation '{}' has no bound: give longest or atMost", e.name));
      });
}

class PodsPendingCheck : public Check {
 public:
  PodsPendingCheck(sim::World& world, const PodsPending& spec, SimTime window_begin)
      : spec_(spec),
        observer_(world.api, filter(world, spec), spec.longest.value_or(SimDuration::max()), window_begin, spec.to ? SimTime{} + *spec.to : SimTime::max()) {}
  void start() override { observer_.start(); }

  void judge(const Judgement& run, ExpectationResult& result) override {
    result.subject = spec_.selector.empty() ? "pods" : "pods " + describe_selector(spec_.selector);
    if (!spec_.ns.empty()) result.subject += " in " + spec_.ns;
    if (spec_.longest) result.measures.push_back(longest(run, result));
    if (spec_.at_most) {
      result.measures.push_back(measure_highest("atMost", observer_.count(), static_cast<double>(*spec_.at_most), result.from, result.to));
    }
  }

 private:
  static PodFilter filter(sim::World& world, const PodsPending& spec) {
    PodFilter filter;
    filter.ns = world.names.intern(spec.ns);
    if (!spec.selector.empty()) filter.selector = to_selector(spec.selector, world.names);
    return filter;
  }

  Measure longest(const Judgement& run, const ExpectationResult& result) const {
    Measure measure;
    measure.name = "longest";
    measure.unit = Unit::kSeconds;
    measure.comparison = Comparison::kAtMost;
    measure.bound = sim::seconds(*spec_.longest);
    SimDuration most{};
    for (const PendingSpan& span : observer_.spans(run.ended)) {
      const SimTime begin = std::max(span.start, result.from);
      const SimTime end = std::min(span.end, result.to);
      if (end - begin > *spec_.longest) {
        const SimTime broken = begin + *spec_.longest;
        if (!measure.first_violation || broken < *measure.first_violation) measure.first_violation = broken;
      }
      if (end - begin > most) {
        most = end - begin;
        measure.cause = span.cause;
      }
    }
    // Waits within the bound are not kept one by one, only how long the longest was within the window.
    most = std::max(most, observer_.longest(run.ended));
    measure.measured = sim::seconds(most);
    measure.held = most <= *spec_.longest;
    if (!measure.held) measure.excess = sim::seconds(most - *spec_.longest);
    return measure;
  }

  const PodsPending& spec_;
  PendingObserver observer_;
};

std::unique_ptr<Check> PodsPending::make(sim::World& world, SimTime window_begin) const {
  return std::make_unique<PodsPendingCheck>(world, *this, window_begin);
}

}  // namespace

void add_pods_pending(ExpectationKinds& kinds) {
  kinds.add<PodsPending>("pods-pending", "No pod is Pending for too long, or not too many are at once.");
}

}  // namespace chaos
