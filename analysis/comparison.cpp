#include "analysis/comparison.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "sim/core/statistics.hpp"

namespace analysis {

namespace {

using chaos::AvailabilityStats;
using chaos::Outage;
using chaos::Unit;
using chaos::Verdict;

const AvailabilityStats* find(const std::vector<AvailabilityStats>& list, const std::string& subject) {
  for (const AvailabilityStats& stats : list) {
    if (stats.subject == subject) return &stats;
  }
  return nullptr;
}

/// Users saw it, for a minute at least. Without monitoring nobody was told of it.
bool is_seen(const Outage& outage) { return outage.severity == chaos::Severity::kAlert && outage.length() >= std::chrono::minutes(1); }
std::optional<sim::SimDuration> alerted_after(const Outage& outage) { return outage.detection ? outage.detection->alerted_after : std::nullopt; }

double longest_outage(const Verdict& verdict, bool services) {
  sim::SimDuration longest{};
  for (const AvailabilityStats& stats : services ? verdict.services : verdict.components) longest = std::max(longest, stats.longest);
  return sim::seconds(longest);
}

double service_down_seconds(const Verdict& verdict) {
  double sum = 0.0;
  for (const AvailabilityStats& stats : verdict.services) sum += sim::seconds(stats.down);
  return sum;
}

class Collector {
 public:
  Collector(const std::vector<std::vector<Replication>>& runs, std::size_t pairs) : runs_(runs), pairs_(pairs) {}

  template <class Value>
  void add(std::vector<ComparedFigure>& figures, std::string name, Unit unit, bool more_is_better, Value&& value) const {
    ComparedFigure figure;
    figure.name = std::move(name);
    figure.unit = unit;
    figure.more_is_better = more_is_better;
    for (const std::vector<Replication>& scenario : runs_) {
      std::vector<double>& column = figure.values.emplace_back();
      for (std::size_t i = 0; i < pairs_; ++i) column.push_back(value(scenario[i].outcome.verdict));
    }
    for (std::size_t s = 0; s < figure.values.size(); ++s) {
      figure.each.push_back(estimate(figure.values[s]));
      std::vector<double> differences;
      for (std::size_t i = 0; i < pairs_; ++i) differences.push_back(figure.values[s][i] - figure.values[0][i]);
      figure.difference.push_back(estimate(differences));
      figure.verdict.push_back(s == 0 ? "" : in_words(differences, figure.difference.back(), more_is_better));
    }
    figures.push_back(std::move(figure));
  }

 private:
  static std::string in_words(const std::vector<double>& differences, const Estimate& difference, bool more_is_better) {
    if (std::all_of(differences.begin(), differences.end(), [](double d) { return d == 0.0; })) return "equal";
    if (!difference.has_interval) return (difference.mean > 0) == more_is_better ? "better (one pair only)" : "worse (one pair only)";
    if (difference.low <= 0.0 && difference.high >= 0.0) return "no difference shown";
    return (difference.mean > 0) == more_is_better ? "better" : "worse";
  }

  const std::vector<std::vector<Replication>>& runs_;
  std::size_t pairs_;
};

/// Per scenario the longest outage of the worst severity on a subject that stood without such an outage elsewhere.
std::vector<Distinction> distinctions(const std::vector<std::vector<Replication>>& runs, std::size_t pairs) {
  std::vector<Distinction> result;
  for (std::size_t s = 0; s < runs.size(); ++s) {
    std::set<std::pair<int, std::string>> elsewhere;
    for (std::size_t other = 0; other < runs.size(); ++other) {
      if (other == s) continue;
      for (std::size_t i = 0; i < pairs; ++i) {
        for (const Outage& outage : runs[other][i].outcome.verdict.outages) elsewhere.emplace(static_cast<int>(outage.kind), outage.subject);
      }
    }
    // The longest of each kind: "etcd lost quorum" and what it did to the API are two lines of one story.
    std::map<int, Distinction> by_kind;
    for (std::size_t i = 0; i < pairs; ++i) {
      for (const Outage& outage : runs[s][i].outcome.verdict.outages) {
        if (outage.kind == chaos::OutageKind::kNodeDown || outage.kind == chaos::OutageKind::kNodeNotReady) continue;
        if (elsewhere.contains({static_cast<int>(outage.kind), outage.subject})) continue;
        Distinction& held = by_kind[static_cast<int>(outage.kind)];
        if (held.outage.subject.empty() || outage.length() > held.outage.length()) held = Distinction{s, runs[s][i].seed, outage};
      }
    }
    for (auto& [kind, distinction] : by_kind) result.push_back(std::move(distinction));
  }
  // The control plane first: what it loses explains the rest. Then what users see, then by length.
  const auto is_control_plane = [](const Distinction& d) {
    return d.outage.kind == chaos::OutageKind::kEtcdNoQuorum || d.outage.kind == chaos::OutageKind::kApiUnwritable || d.outage.kind == chaos::OutageKind::kApiUnreadable;
  };
  std::stable_sort(result.begin(), result.end(), [&](const Distinction& a, const Distinction& b) {
    if (is_control_plane(a) != is_control_plane(b)) return is_control_plane(a);
    return a.outage.severity != b.outage.severity ? a.outage.severity > b.outage.severity : a.outage.length() > b.outage.length();
  });
  return result;
}

}  // namespace

Estimate estimate(const std::vector<double>& values) {
  Estimate result;
  if (values.empty()) return result;
  sim::Tally tally;
  for (const double value : values) tally.add(value);
  result.mean = result.low = result.high = tally.mean();
  if (values.size() < 2) return result;
  const sim::ConfidenceInterval interval = sim::mean_interval(tally);
  result.low = interval.low;
  result.high = interval.high;
  result.has_interval = true;
  return result;
}

Comparison compare(const std::vector<std::string>& names, const std::vector<std::string>& files, const std::vector<std::vector<Replication>>& replications) {
  Comparison comparison;
  comparison.names = names;
  comparison.files = files;
  const std::size_t asked = replications.empty() ? 0 : replications.front().size();
  for (std::size_t i = 0; i < asked; ++i) {
    bool is_pair = true;
    for (const auto& scenario : replications) is_pair = is_pair && scenario[i].done && scenario[i].outcome.verdict.complete;
    if (!is_pair) break;
    ++comparison.pairs;
  }
  comparison.complete = comparison.pairs == asked;
  if (asked > 0) comparison.first_seed = replications.front().front().seed;
  for (const auto& scenario : replications) {
    comparison.hashes.push_back(combined_hash(scenario));
    double held = 0.0;
    for (std::size_t i = 0; i < comparison.pairs; ++i) held += scenario[i].outcome.verdict.held ? 1.0 : 0.0;
    comparison.held.push_back(comparison.pairs == 0 ? 0.0 : held / static_cast<double>(comparison.pairs));
  }
  if (comparison.pairs == 0) return comparison;

  const Collector collect(replications, comparison.pairs);
  std::vector<ComparedFigure>& figures = comparison.figures;
  for (const AvailabilityStats& component : replications[0][0].outcome.verdict.components) {
    const std::string subject = component.subject;
    collect.add(figures, subject + " availability", Unit::kRatio, true, [&](const Verdict& v) {
      const AvailabilityStats* stats = find(v.components, subject);
      return stats == nullptr ? 0.0 : stats->availability;
    });
  }
  collect.add(figures, "longest outage of a component", Unit::kSeconds, false, [](const Verdict& v) { return longest_outage(v, false); });
  collect.add(figures, "longest outage of a service", Unit::kSeconds, false, [](const Verdict& v) { return longest_outage(v, true); });
  collect.add(figures, "service outages, sum over services", Unit::kSeconds, false, service_down_seconds);
  const bool monitored = std::any_of(replications.begin(), replications.end(), [](const std::vector<Replication>& list) {
    return std::any_of(list.begin(), list.end(), [](const Replication& run) { return run.outcome.verdict.monitored; });
  });
  if (monitored) {
    collect.add(figures, "outages of which no person was told", Unit::kCount, false, [](const Verdict& v) {
      return static_cast<double>(std::count_if(v.outages.begin(), v.outages.end(), [](const Outage& o) { return is_seen(o) && !alerted_after(o); }));
    });
    collect.add(figures, "time in outages before a person was told", Unit::kSeconds, false, [](const Verdict& v) {
      double sum = 0.0;
      for (const Outage& o : v.outages) {
        if (is_seen(o)) sum += sim::seconds(std::min(alerted_after(o).value_or(o.length()), o.length()));
      }
      return sum;
    });
  }
  collect.add(figures, "pods Pending for more than a minute", Unit::kCount, false, [](const Verdict& v) { return static_cast<double>(v.pods_pending_long); });
  collect.add(figures, "longest wait of a Pending pod", Unit::kSeconds, false, [](const Verdict& v) { return sim::seconds(v.pods_pending_longest); });
  collect.add(figures, "node availability", Unit::kRatio, true, [](const Verdict& v) { return v.nodes.availability; });
  collect.add(figures, "objectives all held", Unit::kRatio, true, [](const Verdict& v) { return v.held ? 1.0 : 0.0; });

  // Services that exist on every side, by name.
  std::set<std::string> services;
  for (const AvailabilityStats& stats : replications[0][0].outcome.verdict.services) services.insert(stats.subject);
  for (const auto& scenario : replications) {
    std::set<std::string> here;
    for (const AvailabilityStats& stats : scenario[0].outcome.verdict.services) here.insert(stats.subject);
    std::set<std::string> both;
    std::set_intersection(services.begin(), services.end(), here.begin(), here.end(), std::inserter(both, both.end()));
    services.swap(both);
  }
  for (const std::string& subject : services) {
    collect.add(figures, subject + " availability", Unit::kRatio, true, [&](const Verdict& v) {
      const AvailabilityStats* stats = find(v.services, subject);
      return stats == nullptr ? 0.0 : stats->availability;
    });
  }
  comparison.distinctions = distinctions(replications, comparison.pairs);
  return comparison;
}

}  // namespace analysis
