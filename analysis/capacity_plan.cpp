#include "analysis/capacity_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <set>

#include "analysis/parallel.hpp"
#include "chaos/harness.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/lookups.hpp"
#include "sim/scenario/scenario.hpp"

namespace analysis {

namespace {

namespace scenario = sim::scenario;

/// Steps of one node in search of a design that meets what simulation tells, when the search's own do not.
constexpr std::size_t kStepsMax = 8;
constexpr std::size_t kFirstLook = 4;

/// What one run contributes.
struct Sample {
  bool is_complete = false;
  std::vector<std::pair<std::string, double>> availability;  // by service
  std::vector<double> lengths;                               // of outages that count, seconds
  double longest = 0.0;
  bool held = true;
  bool pending_at_end = false;
  std::optional<chaos::Outage> worst;
  std::uint64_t seed = 0;
};

class Race {
 public:
  Race(const std::vector<PlanInput>& inputs, const PlanOptions& options, CapacityPlan& plan) : inputs_(inputs), options_(options), plan_(plan) {}

  void run() {
    for (std::size_t d = 0; d < plan_.designs.size(); ++d) {
      if (plan_.designs[d].placement.is_good) add(d);
    }
    race();
  }
  /// One more design, after the race of the others.
  bool run_alone(std::size_t design) {
    add(design);
    race();
    return plan_.designs[design].meets();
  }

 private:
  struct Entry {
    std::size_t design = 0;
    std::shared_ptr<const scenario::ScenarioSpec> spec;
    std::vector<Sample> samples;
    bool is_over = false;
  };
  const scenario::CapacityPlanSpec& wish(const Entry& entry) const { return inputs_[plan_.designs[entry.design].variant].plan; }

  void add(std::size_t d) {
    const PlanDesign& design = plan_.designs[d];
    entries_.push_back({d, plan_.variants[design.variant].ground->with(design.counts), {}, false});
  }
  bool is_stopped() const { return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed); }

  Sample simulate(const Entry& entry, std::uint64_t seed) const {
    chaos::RunOptions run;
    run.stop = options_.stop;
    run.until = sim::SimTime(wish(entry).horizon.value_or(entry.spec->run.until));
    run.keep_world = true;  // for who waits at the end
    const chaos::RunOutcome outcome = chaos::run_scenario(*entry.spec, seed, run);
    Sample sample;
    sample.seed = seed;
    sample.is_complete = outcome.end != sim::RunEnd::kStopped;
    sample.held = outcome.verdict.held;
    std::set<std::string> wanted;
    for (const scenario::Reference& service : wish(entry).services) wanted.insert("Service/" + scenario::split_service(service.text).full());
    const auto counts = [&](const std::string& subject) { return wanted.empty() ? subject.starts_with("Service/") : wanted.contains(subject); };
    for (const chaos::AvailabilityStats& stats : outcome.verdict.services) {
      if (counts(stats.subject)) sample.availability.emplace_back(stats.subject, stats.availability);
    }
    for (const chaos::Outage& outage : outcome.verdict.outages) {
      if (!sample.worst || std::pair{outage.severity, outage.length()} > std::pair{sample.worst->severity, sample.worst->length()}) sample.worst = outage;
      if (outage.kind != chaos::OutageKind::kServiceDown || !counts(outage.subject)) continue;
      const double length = sim::seconds(outage.length());
      sample.lengths.push_back(length);
      sample.longest = std::max(sample.longest, length);
    }
    outcome.world->api.all<sim::k8s::Pod>().for_each([&](sim::k8s::Ref<sim::k8s::Pod>, const sim::k8s::Pod& pod) {
      if (pod.is_active() && !pod.node_name) sample.pending_at_end = true;
    });
    return sample;
  }

  void race() {
    std::size_t rounds = 1;
    std::size_t most = 0;
    for (const Entry& entry : entries_) most = std::max(most, static_cast<std::size_t>(wish(entry).replications));
    for (std::size_t n = kFirstLook; n < most; n *= 2) ++rounds;
    const double alpha = 1.0 - inputs_.front().plan.confidence;
    // Three objectives have intervals; designs that are added later look on their own.
    const double each = alpha / (static_cast<double>(std::max<std::size_t>(1, entries_.size())) * 3.0 * static_cast<double>(rounds));
    plan_.confidence_each = plan_.confidence_each > 0.0 ? std::max(plan_.confidence_each, 1.0 - each) : 1.0 - each;
    for (std::size_t n = std::min(kFirstLook, most);; n = std::min(n * 2, most)) {
      struct Task {
        std::size_t entry;
        std::uint64_t seed;
      };
      std::vector<Task> tasks;
      for (std::size_t e = 0; e < entries_.size(); ++e) {
        if (entries_[e].is_over) continue;
        const std::size_t until = std::min(n, static_cast<std::size_t>(wish(entries_[e]).replications));
        for (std::size_t i = entries_[e].samples.size(); i < until; ++i) tasks.push_back({e, options_.first_seed + i});
      }
      std::vector<Sample> samples(tasks.size());
      std::atomic<std::size_t> done{0};
      std::mutex telling;
      for_each_task(
          tasks.size(), options_.jobs,
          [&](std::size_t t) {
            samples[t] = simulate(entries_[tasks[t].entry], tasks[t].seed);
            const std::size_t so_far = ++done;
            if (!options_.progress) return;
            const std::lock_guard<std::mutex> lock(telling);
            options_.progress(static_cast<double>(so_far) / static_cast<double>(tasks.size()), fmt::format("{} of {} runs, up to {} of each design", so_far, tasks.size(), n));
          },
          options_.stop);
      for (std::size_t t = 0; t < tasks.size(); ++t) {
        std::vector<Sample>& of = entries_[tasks[t].entry].samples;
        // Only a beginning of the series counts: what was stopped leaves no gap behind which others stand.
        if (samples[t].is_complete && of.size() == tasks[t].seed - options_.first_seed) of.push_back(std::move(samples[t]));
      }
      judge(n >= most);
      if (is_stopped()) plan_.is_complete = false;
      if (n >= most || is_stopped()) break;
    }
    entries_.clear();
  }

  void judge(bool is_last) {
    double cheapest_sure = 1e300;
    for (Entry& entry : entries_) {
      if (entry.samples.empty()) continue;
      PlanDesign& design = plan_.designs[entry.design];
      if (!entry.is_over || !design.runs) design.runs = evaluate(entry, is_last);
      if (design.runs->missed.empty() && design.runs->is_sure) cheapest_sure = std::min(cheapest_sure, design.cost);
    }
    for (Entry& entry : entries_) {
      PlanDesign& design = plan_.designs[entry.design];
      if (entry.is_over || entry.samples.empty() || is_last) continue;
      const bool is_lost = !design.runs->missed.empty() && design.runs->is_sure;
      const bool is_dearer = wish(entry).needs_runs() && design.cost > cheapest_sure;
      entry.is_over = is_lost || is_dearer;
      design.runs->is_out = entry.is_over;
    }
  }

  PlanRuns evaluate(const Entry& entry, bool is_last) const {
    const scenario::CapacityPlanSpec& plan = wish(entry);
    const double confidence = plan_.confidence_each;
    PlanRuns runs;
    runs.runs = entry.samples.size();
    std::map<std::string, sim::Tally> by_service;
    std::vector<double> lengths;
    double longest = 0.0;
    for (const Sample& sample : entry.samples) {
      for (const auto& [service, availability] : sample.availability) by_service[service].add(availability);
      lengths.insert(lengths.end(), sample.lengths.begin(), sample.lengths.end());
      longest = std::max(longest, sample.longest);
      runs.held += sample.held ? 1 : 0;
      runs.pending_runs += sample.pending_at_end ? 1 : 0;
      if (sample.worst && (!runs.worst || std::pair{sample.worst->severity, sample.worst->length()} > std::pair{runs.worst->severity, runs.worst->length()})) {
        runs.worst = sample.worst;
        runs.worst_seed = sample.seed;
      }
    }
    runs.longest = sim::from_seconds(longest);
    runs.outages = lengths.size();
    runs.availability = {1.0, 1.0, 1.0};
    const sim::Tally* worst = nullptr;
    for (const auto& [service, tally] : by_service) {
      if (worst != nullptr && tally.mean() >= worst->mean()) continue;
      worst = &tally;
      runs.worst_service = service;
    }
    if (worst != nullptr) {
      runs.availability = sim::mean_interval(*worst, confidence);
      runs.availability.low = std::max(0.0, runs.availability.low);
      runs.availability.high = std::min(1.0, runs.availability.high);
      runs.is_constant = worst->min() == worst->max();
    }
    if (!lengths.empty()) runs.recovery = sim::quantile_interval(lengths, 0.99, confidence);

    const auto objective = [&](const char* name, bool holds, bool is_certain) {
      if (!holds) runs.missed.emplace_back(name);
      // While anything is open a design is neither surely in nor surely out; what is surely missed decides alone.
      if (!is_certain) runs.is_sure = false;
      if (!holds && is_certain) sure_miss_ = true;
    };
    sure_miss_ = false;
    if (plan.availability) {
      const bool has_interval = !runs.is_constant && runs.runs > 1;
      const bool holds = runs.availability.estimate >= *plan.availability;
      objective("availability", holds, has_interval ? (holds ? runs.availability.low >= *plan.availability : runs.availability.high < *plan.availability) : is_last && holds);
    }
    // One counterexample is enough; that there is none in n runs is all that can be said of the other side.
    if (plan.longest_outage) objective("longestOutage", runs.longest <= *plan.longest_outage, runs.longest > *plan.longest_outage || is_last);
    if (plan.recovery) {
      const double bound = sim::seconds(*plan.recovery);
      const bool holds = lengths.empty() || runs.recovery.estimate <= bound;
      const bool is_certain = lengths.empty() ? is_last : runs.recovery.has_interval && (holds ? runs.recovery.high <= bound : runs.recovery.low > bound);
      objective("recovery", holds, is_certain);
    }
    if (plan.expectations) {
      const sim::ConfidenceInterval share = sim::share_interval(runs.held, runs.runs, confidence);
      const bool holds = static_cast<double>(runs.held) >= *plan.expectations * static_cast<double>(runs.runs) - 1e-9;
      objective("expectations", holds, holds ? share.low >= *plan.expectations : share.high < *plan.expectations);
    }
    if (sure_miss_) runs.is_sure = true;
    return runs;
  }

  const std::vector<PlanInput>& inputs_;
  const PlanOptions& options_;
  CapacityPlan& plan_;
  std::vector<Entry> entries_;
  mutable bool sure_miss_ = false;
};

bool has_misfortune(const scenario::ScenarioSpec& spec) { return spec.failures != nullptr || spec.faults.size() > 0; }

std::string names_of_counts(const PlanGround& ground, const Counts& counts) {
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) text += fmt::format("{}{} x {}", text.empty() ? "" : " + ", counts[i], ground.pools()[i].name);
  }
  return text.empty() ? "no nodes" : text;
}

/// The designs of one variant.
class VariantSearch {
 public:
  VariantSearch(const PlanInput& input, std::size_t index, const PlanOptions& options, CapacityPlan& plan)
      : index_(index), options_(options), plan_(plan), ground_(std::make_shared<PlanGround>(*input.scenario, input.plan, input.types)), placement_(*ground_) {
    PlanVariant variant;
    variant.name = input.name;
    variant.description = input.description;
    variant.ground = ground_;
    plan_.variants.push_back(std::move(variant));
  }

  void run() {
    PlanVariant& variant = plan_.variants[index_];
    PlanBounds bounds = placement_.bounds();
    if (const std::vector<std::size_t> homeless = bounds.homeless(); !homeless.empty()) {
      variant.homeless = bounds.classes()[homeless.front()].example;
      variant.bound = 0.0;
      variant.is_proven = true;
      return;
    }
    const auto searched = static_cast<std::ptrdiff_t>(ground_->pools().size());
    const auto own = [&](const Counts& counts) { return Counts(counts.begin(), counts.begin() + searched); };
    PlanSearchOptions search;
    search.mix = ground_->plan().mix;
    search.tolerance = ground_->plan().tolerance;
    search.tests_max = options_.tests_max;
    search.loss = placement_.loss_bound();
    search.stop = options_.stop;
    search.may_pass = [&](const Counts& counts) { return placement_.may_survive(bounds, counts); };
    search.passes = [&](const Counts& counts) { return placement_.is_good(own(counts)); };
    search.progress = [&](std::size_t tests, double best, double bound) {
      if (options_.progress) {
        options_.progress(0.0, best > 0.0 ? fmt::format("{}{} placements tried, best so far {:.4g}, nothing below {:.4g}", prefix(), tests, best, bound) : fmt::format("{}{} placements tried, none good yet", prefix(), tests));
      }
    };
    const PlanSearchResult result = search_plan(bounds, search);
    variant.bound = result.bound;
    variant.is_proven = result.is_proven;
    variant.is_found = result.best.has_value();
    variant.tests = result.tests;
    if (result.is_stopped) plan_.is_complete = false;
    if (!result.best) {
      Counts most;
      for (const PlanGround::Pool& pool : ground_->pools()) most.push_back(pool.most);
      const PlacementReport report = placement_.report(most);
      variant.closest = report.first ? fmt::format("with all {} nodes {}{} of the pods have no place; {}: {}", report.nodes, report.first->loss.what.empty() ? "" : fmt::format("and without {} ", fmt::join(report.first->loss.what, ", ")),
                                                   report.first->pods, report.first->pod, report.first->message)
                        : !report.short_of.empty() ? fmt::format("with all {} nodes there is too little headroom of {}", report.nodes, report.short_of)
                                                   : std::string("the largest design passes, but none with fewer different pools was found");
      return;
    }
    add("cheapest", own(*result.best));
    for (const auto& [shape, counts] : result.single) {
      add(fmt::format("{} alone", ground_->pools()[shape].name), own(counts));
    }
    // What one node more buys.
    Counts more = own(*result.best);
    std::size_t at = 0;
    for (std::size_t i = 0; i < more.size(); ++i) {
      if (more[i] > more[at]) at = i;
    }
    if (more[at] < ground_->pools()[at].most) {
      ++more[at];
      add("one node more", more);
    }
  }

  void add(const std::string& label, const Counts& counts) {
    for (const PlanDesign& known : plan_.designs) {
      if (known.variant == index_ && known.counts == counts) return;
    }
    PlanDesign design;
    design.variant = index_;
    design.label = label;
    design.counts = counts;
    for (std::size_t i = 0; i < counts.size(); ++i) design.cost += ground_->pools()[i].price * static_cast<double>(counts[i]);
    if (options_.progress) options_.progress(0.0, fmt::format("{}{}", prefix(), names_of_counts(*ground_, counts)));
    design.placement = placement_.report(counts);
    if (design.placement.is_good && !(options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed))) design.breaks = placement_.first_loss_that_breaks(counts);
    plan_.designs.push_back(std::move(design));
  }

 private:
  std::string prefix() const { return plan_.variants[index_].name.empty() ? std::string() : plan_.variants[index_].name + ": "; }

  std::size_t index_;
  const PlanOptions& options_;
  CapacityPlan& plan_;
  std::shared_ptr<const PlanGround> ground_;
  PlanPlacement placement_;
};

void mark_front(CapacityPlan& plan) {
  // Better for certain: the difference of two means that lie in each other's intervals says nothing.
  const auto is_less_available = [](const PlanDesign& a, const PlanDesign& b) {
    return a.runs && b.runs && a.runs->availability.estimate < b.runs->availability.estimate && (a.runs->availability.high < b.runs->availability.estimate || a.runs->is_constant) && a.runs->availability.estimate < b.runs->availability.low;
  };
  for (PlanDesign& one : plan.designs) {
    one.is_best_of_its_cost = one.placement.is_good && std::none_of(plan.designs.begin(), plan.designs.end(), [&](const PlanDesign& other) {
      if (!other.placement.is_good) return false;
      const bool no_worse = other.cost <= one.cost && !is_less_available(other, one) && other.placement.largest_node_share <= one.placement.largest_node_share;
      const bool better = other.cost < one.cost || is_less_available(one, other) || other.placement.largest_node_share < one.placement.largest_node_share;
      return no_worse && better;
    });
  }
}

void sort_designs(CapacityPlan& plan) {
  std::stable_sort(plan.designs.begin(), plan.designs.end(), [](const PlanDesign& a, const PlanDesign& b) { return a.cost < b.cost; });
}

}  // namespace

CapacityPlan make_plan(const std::vector<PlanInput>& inputs, const PlanOptions& options) {
  CapacityPlan plan;
  std::vector<std::unique_ptr<VariantSearch>> searches;
  const auto is_stopped = [&] { return options.stop != nullptr && options.stop->load(std::memory_order_relaxed); };
  for (std::size_t v = 0; v < inputs.size(); ++v) {
    searches.push_back(std::make_unique<VariantSearch>(inputs[v], v, options, plan));
    if (!is_stopped()) searches.back()->run();
  }
  if (is_stopped()) plan.is_complete = false;
  sort_designs(plan);
  const bool needs_runs = std::any_of(inputs.begin(), inputs.end(), [](const PlanInput& input) { return input.plan.needs_runs(); });
  const bool can_differ = std::any_of(inputs.begin(), inputs.end(), [](const PlanInput& input) { return has_misfortune(*input.scenario); });
  if (options.runs && (needs_runs || can_differ) && !plan.designs.empty() && !is_stopped()) {
    plan.is_simulated = true;
    Race race(inputs, options, plan);
    race.run();
    const auto any_meets = [&] { return std::any_of(plan.designs.begin(), plan.designs.end(), [](const PlanDesign& d) { return d.meets() && d.runs; }); };
    if (needs_runs && !any_meets() && !is_stopped()) {
      // From the cheapest that carries everything: one node more of each of its pools in turn.
      const auto cheapest = std::find_if(plan.designs.begin(), plan.designs.end(), [](const PlanDesign& d) { return d.placement.is_good; });
      if (cheapest != plan.designs.end()) {
        const std::size_t variant = cheapest->variant;
        Counts counts = cheapest->counts;
        std::vector<std::size_t> used;
        for (std::size_t i = 0; i < counts.size(); ++i) {
          if (counts[i] > 0) used.push_back(i);
        }
        for (std::size_t step = 0; step < kStepsMax && !used.empty() && !is_stopped(); ++step) {
          const std::size_t pool = used[step % used.size()];
          if (counts[pool] >= plan.variants[variant].ground->pools()[pool].most) continue;
          ++counts[pool];
          const std::size_t before = plan.designs.size();
          searches[variant]->add(fmt::format("{} node{} more", step + 1, step == 0 ? "" : "s"), counts);
          if (plan.designs.size() == before) continue;  // it was among them
          plan.is_extended = true;
          if (plan.designs.back().placement.is_good && race.run_alone(plan.designs.size() - 1)) break;
        }
        sort_designs(plan);
      }
    }
  }
  if (is_stopped()) plan.is_complete = false;
  mark_front(plan);
  for (std::size_t d = 0; d < plan.designs.size() && !plan.chosen; ++d) {
    const PlanDesign& design = plan.designs[d];
    if (design.meets() && (design.runs || !needs_runs || !options.runs)) plan.chosen = d;
  }
  if (needs_runs && !options.runs) plan.notes.push_back("without runs: availability, outages, recovery and expectations were not judged");
  if (plan.is_extended) plan.notes.push_back("no design of the search met the objectives: nodes were added to the cheapest in steps, and a cheaper mix may exist");
  return plan;
}

}  // namespace analysis
