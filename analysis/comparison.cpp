#include "analysis/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "sim/core/inference.hpp"

namespace analysis {

namespace {

using chaos::Outage;
using chaos::Unit;

/// Index of a figure, or none.
std::optional<std::size_t> find(const ScenarioResults& results, const std::string& name) {
  const auto& figures = results.shape().figures;
  const auto found = std::find_if(figures.begin(), figures.end(), [&](const Figure& f) { return f.name == name; });
  if (found == figures.end()) return std::nullopt;
  return static_cast<std::size_t>(found - figures.begin());
}

DifferenceTests test(const std::vector<double>& differences, bool is_share, bool more_is_better) {
  DifferenceTests tests;
  std::vector<double> better = differences;
  if (!more_is_better) std::for_each(better.begin(), better.end(), [](double& d) { d = -d; });
  tests.effect = sim::paired_effect(better);
  tests.signs = sim::sign_test(tests.effect.more, tests.effect.less);
  tests.signed_ranks = sim::signed_rank_test(differences);
  tests.mean = is_share ? tests.signs : sim::paired_t_test(differences);
  sim::Tally tally;
  for (const double difference : differences) tally.add(difference);
  if (tally.variance() > 0.0) tests.standardised = tally.mean() / tally.standard_deviation();
  return tests;
}

void judge(ComparedFigure& figure, double level) {
  std::vector<double> p;
  for (std::size_t s = 1; s < figure.tests.size(); ++s) p.push_back(figure.tests[s].mean);
  const std::vector<double> adjusted = sim::holm(p);
  for (std::size_t s = 1; s < figure.tests.size(); ++s) {
    DifferenceTests& tests = figure.tests[s];
    tests.adjusted = adjusted[s - 1];
    const Estimate& difference = figure.difference[s];
    const std::size_t pairs = figure.values[s].size();
    const sim::PairedEffect& effect = tests.effect;
    const bool is_better = (difference.mean > 0) == figure.more_is_better;
    std::string& verdict = figure.verdict[s];
    std::string& remark = figure.remark[s];
    if (effect.more + effect.less == 0) {
      verdict = "equal";
      continue;
    }
    if (pairs < 2) {
      verdict = is_better ? "better (one pair only)" : "worse (one pair only)";
      continue;
    }
    if (tests.adjusted > level) {
      verdict = "no difference shown";
      if (tests.mean <= level) remark = fmt::format("one in {} comparisons may look like this by chance", p.size());
      continue;
    }
    verdict = is_better ? "better" : "worse";
    remark = fmt::format("{} of {} pairs, {}", is_better ? effect.more : effect.less, pairs, std::string_view(effect.size) == "none" ? "next to no" : effect.size);
    remark += " effect";
    if (!figure.is_share && tests.signed_ranks > level) remark += "; a few runs decide it";
  }
}

class Collector {
 public:
  Collector(const std::vector<ScenarioResults>& results, std::size_t pairs, double confidence, double level)
      : results_(results), pairs_(pairs), confidence_(confidence), level_(level) {}

  /// Only of what every scenario has: nothing is 0 because it does not exist.
  void add(std::vector<ComparedFigure>& figures, const Figure& what) const {
    ComparedFigure figure;
    figure.name = what.name;
    figure.unit = what.unit;
    figure.more_is_better = what.more_is_better;
    figure.is_share = what.is_share;
    for (const ScenarioResults& scenario : results_) {
      const std::optional<std::size_t> index = find(scenario, what.name);
      if (!index) return;
      const std::vector<double>& column = scenario.column(*index);
      figure.values.emplace_back(column.begin(), column.begin() + static_cast<std::ptrdiff_t>(pairs_));
    }
    for (std::size_t s = 0; s < figure.values.size(); ++s) {
      figure.each.push_back(what.is_share ? estimate_share(figure.values[s], confidence_) : estimate(figure.values[s], confidence_));
      std::vector<double> differences;
      for (std::size_t i = 0; i < pairs_; ++i) differences.push_back(figure.values[s][i] - figure.values[0][i]);
      figure.difference.push_back(estimate(differences, confidence_));
      if (what.is_share && s > 0 && pairs_ > 1) {
        const sim::PairedEffect effect = sim::paired_effect(differences);
        const sim::ConfidenceInterval interval = sim::paired_share_interval(effect.less, effect.more, pairs_, confidence_);
        figure.difference.back() = {interval.estimate, interval.low, interval.high, true};
      }
      figure.tests.push_back(s == 0 ? DifferenceTests{} : test(differences, what.is_share, what.more_is_better));
    }
    figure.verdict.resize(figure.values.size());
    figure.remark.resize(figure.values.size());
    judge(figure, level_);
    figures.push_back(std::move(figure));
  }

 private:
  const std::vector<ScenarioResults>& results_;
  std::size_t pairs_;
  double confidence_;
  double level_;
};

/// Per scenario and kind the longest outage on a subject that stood without such an outage elsewhere.
std::vector<Distinction> distinctions(const std::vector<ScenarioResults>& results) {
  std::vector<Distinction> found;
  for (std::size_t s = 0; s < results.size(); ++s) {
    const auto is_elsewhere = [&](const OutageKey& key) {
      for (std::size_t other = 0; other < results.size(); ++other) {
        if (other != s && results[other].outages().contains(key)) return true;
      }
      return false;
    };
    // The longest of each kind: "etcd lost quorum" and what it did to the API are two lines of one story.
    std::map<chaos::OutageKind, const ScenarioResults::Longest*> by_kind;
    for (const auto& [key, longest] : results[s].outages()) {
      if (is_elsewhere(key)) continue;
      const ScenarioResults::Longest*& held = by_kind[key.first];
      const auto rank = [](const ScenarioResults::Longest& one) { return std::tuple(-one.longest.outage.length(), one.replication, one.longest.position); };
      if (held == nullptr || rank(longest) < rank(*held)) held = &longest;
    }
    for (const auto& [kind, longest] : by_kind) found.push_back({s, longest->seed, longest->longest.outage});
  }
  // The control plane first: what it loses explains the rest. Then what users see, then by length.
  const auto is_control_plane = [](const Distinction& d) {
    return d.outage.kind == chaos::OutageKind::kEtcdNoQuorum || d.outage.kind == chaos::OutageKind::kApiUnwritable || d.outage.kind == chaos::OutageKind::kApiUnreadable;
  };
  std::stable_sort(found.begin(), found.end(), [&](const Distinction& a, const Distinction& b) {
    if (is_control_plane(a) != is_control_plane(b)) return is_control_plane(a);
    return a.outage.severity != b.outage.severity ? a.outage.severity > b.outage.severity : a.outage.length() > b.outage.length();
  });
  return found;
}

}  // namespace

Comparison compare(const std::vector<std::string>& names, const std::vector<std::string>& files, const std::vector<ScenarioResults>& results, std::size_t pairs,
                   bool complete, double confidence, const Precision* precision) {
  Comparison comparison;
  comparison.names = names;
  comparison.files = files;
  comparison.pairs = pairs;
  comparison.complete = complete;
  comparison.confidence = confidence;
  comparison.precision = precision;
  for (const ScenarioResults& scenario : results) {
    comparison.hashes.push_back(scenario.combined_hash());
    const auto held = std::count(scenario.held().begin(), scenario.held().begin() + static_cast<std::ptrdiff_t>(pairs), true);
    comparison.held.push_back(pairs == 0 ? 0.0 : static_cast<double>(held) / static_cast<double>(pairs));
  }
  if (pairs == 0) return comparison;
  comparison.first_seed = results.front().seeds().front();

  // Whoever looks several times, and stops when they like what they see, needs wider intervals.
  const double each = precision != nullptr ? precision->rule().look_confidence() : confidence;
  const Collector collect(results, pairs, each, 1.0 - each);
  const bool monitored = std::any_of(results.begin(), results.end(), [](const ScenarioResults& one) { return one.monitored(); });
  std::vector<const Figure*> services;
  for (const Figure& figure : results.front().shape().figures) {
    if (figure.name.starts_with("Service/")) services.push_back(&figure);
    else if (!figure.needs_monitoring || monitored) collect.add(comparison.figures, figure);
  }
  std::sort(services.begin(), services.end(), [](const Figure* a, const Figure* b) { return a->name < b->name; });
  for (const Figure* figure : services) collect.add(comparison.figures, *figure);
  comparison.distinctions = distinctions(results);
  return comparison;
}

}  // namespace analysis
