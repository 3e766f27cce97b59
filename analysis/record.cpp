#include "analysis/record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "sim/core/check.hpp"
#include "sim/core/hash.hpp"

namespace analysis {

namespace {

using chaos::AvailabilityStats;
using chaos::Outage;
using chaos::Unit;
using chaos::Verdict;

/// Users saw it, for a minute at least. Without monitoring nobody was told of it.
bool is_seen(const Outage& outage) { return outage.severity == chaos::Severity::kAlert && outage.length() >= std::chrono::minutes(1); }
std::optional<sim::SimDuration> alerted_after(const Outage& outage) { return outage.detection ? outage.detection->alerted_after : std::nullopt; }

double longest(const std::vector<AvailabilityStats>& list) {
  sim::SimDuration result{};
  for (const AvailabilityStats& stats : list) result = std::max(result, stats.longest);
  return sim::seconds(result);
}

/// The shape that a run has; one object for all runs of the same shape would need a lock, and sharing begins in ScenarioResults.
class Figures {
 public:
  void add(std::string name, Unit unit, bool more_is_better, double value) {
    shape_->figures.push_back({std::move(name), unit, more_is_better, false, false});
    values_.push_back(value);
  }
  Figure& last() { return shape_->figures.back(); }
  void fill(const Verdict& v) {
    for (const AvailabilityStats& stats : v.components) add(stats.subject + " availability", Unit::kRatio, true, stats.availability);
    for (const chaos::RequestStats& stats : v.requests) {
      add(stats.subject + " requests answered", Unit::kRatio, true, stats.success);
      add(stats.subject + " p99", Unit::kSeconds, false, stats.p99);
    }
    add("longest outage of a component", Unit::kSeconds, false, longest(v.components));
    add("longest outage of a service", Unit::kSeconds, false, longest(v.services));
    double down = 0.0;
    for (const AvailabilityStats& stats : v.services) down += sim::seconds(stats.down);
    add("service outages, sum over services", Unit::kSeconds, false, down);
    double untold = 0.0;
    double before_told = 0.0;
    for (const Outage& outage : v.outages) {
      if (!is_seen(outage)) continue;
      untold += alerted_after(outage) ? 0.0 : 1.0;
      before_told += sim::seconds(std::min(alerted_after(outage).value_or(outage.length()), outage.length()));
    }
    add("outages of which no person was told", Unit::kCount, false, untold);
    last().needs_monitoring = true;
    add("time in outages before a person was told", Unit::kSeconds, false, before_told);
    last().needs_monitoring = true;
    add("pods Pending for more than a minute", Unit::kCount, false, static_cast<double>(v.pods_pending_long));
    add("longest wait of a Pending pod", Unit::kSeconds, false, sim::seconds(v.pods_pending_longest));
    add("node availability", Unit::kRatio, true, v.nodes.availability);
    add("objectives all held", Unit::kRatio, true, v.held ? 1.0 : 0.0);
    last().is_share = true;
    for (const AvailabilityStats& stats : v.services) add(stats.subject + " availability", Unit::kRatio, true, stats.availability);
    for (const chaos::ExpectationResult& result : v.expectations) shape_->objectives.push_back(result.name);
  }
  std::shared_ptr<const Shape> shape() { return std::move(shape_); }
  std::vector<double> values() { return std::move(values_); }

 private:
  std::shared_ptr<Shape> shape_ = std::make_shared<Shape>();
  std::vector<double> values_;
};

}  // namespace

Record make_record(std::size_t scenario, std::size_t replication, std::uint64_t seed, const chaos::RunOutcome& outcome) {
  const Verdict& verdict = outcome.verdict;
  SIM_CHECK(verdict.complete, "half a run says nothing of a whole one");
  Record record;
  record.scenario = scenario;
  record.replication = replication;
  record.seed = seed;
  std::from_chars(outcome.event_log_hash.data(), outcome.event_log_hash.data() + outcome.event_log_hash.size(), record.hash, 16);
  record.held = verdict.held;
  record.monitored = verdict.monitored;
  Figures figures;
  figures.fill(verdict);
  record.shape = figures.shape();
  record.values = figures.values();
  for (const chaos::ExpectationResult& result : verdict.expectations) record.objectives_held.push_back(result.held);
  std::map<OutageKey, LongOutage> longest;
  for (std::size_t i = 0; i < verdict.outages.size(); ++i) {
    const Outage& outage = verdict.outages[i];
    // A fault takes nodes down in every run: no story of its own.
    if (outage.kind == chaos::OutageKind::kNodeDown || outage.kind == chaos::OutageKind::kNodeNotReady) continue;
    const auto [place, is_new] = longest.try_emplace({outage.kind, outage.subject});
    if (is_new || outage.length() > place->second.outage.length()) place->second = LongOutage{i, outage};
  }
  for (auto& [key, outage] : longest) record.outages.push_back(std::move(outage));
  return record;
}

void OutageFilter::keep_longer(Record& record) {
  std::erase_if(record.outages, [&](const LongOutage& one) {
    const auto [place, is_new] = longest_.try_emplace({record.scenario, {one.outage.kind, one.outage.subject}}, one.outage.length());
    if (is_new) return false;
    if (one.outage.length() <= place->second) return true;
    place->second = one.outage.length();
    return false;
  });
}

void ScenarioResults::add(Record record) {
  SIM_CHECK(record.replication == size(), "replications come in their order");
  if (empty()) {
    shape_ = record.shape;
    columns_.resize(shape_->figures.size());
    objectives_held_.resize(shape_->objectives.size());
  }
  const bool is_alike = record.shape == shape_ || *record.shape == *shape_;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t at = i;
    if (!is_alike) {
      const auto& figures = record.shape->figures;
      at = static_cast<std::size_t>(std::find_if(figures.begin(), figures.end(), [&](const Figure& f) { return f.name == shape_->figures[i].name; }) - figures.begin());
    }
    columns_[i].push_back(at < record.values.size() ? record.values[at] : 0.0);
  }
  for (std::size_t i = 0; i < objectives_held_.size() && i < record.objectives_held.size(); ++i) objectives_held_[i] += record.objectives_held[i] ? 1 : 0;
  for (LongOutage& one : record.outages) {
    const auto [place, is_new] = outages_.try_emplace({one.outage.kind, one.outage.subject});
    if (is_new || one.outage.length() > place->second.longest.outage.length()) place->second = {record.replication, record.seed, std::move(one)};
  }
  monitored_ = monitored_ || record.monitored;
  held_.push_back(record.held);
  seeds_.push_back(record.seed);
  hashes_.push_back(record.hash);
}

std::string ScenarioResults::combined_hash() const {
  if (hashes_.size() == 1) return fmt::format("{:016x}", hashes_.front());
  std::uint64_t hash = sim::kFnvBasis;
  for (const std::uint64_t one : hashes_) hash = sim::fnv1a(fmt::format("{:016x}", one), hash);
  return fmt::format("{:016x}", hash);
}

}  // namespace analysis
