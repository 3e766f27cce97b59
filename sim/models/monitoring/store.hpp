/// What the exporters expose: series whose values are steps (or slopes) in time, each with its cause.
///
/// Nothing is sampled here: a Prometheus works out what it scraped, and when, from the steps. A series belongs to a target.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/monitoring/promql/evaluator.hpp"

namespace sim::monitoring {

using promql::LabelsId;
using promql::LabelTable;
using promql::Millis;
using SeriesId = std::uint32_t;

struct Step {
  SimTime at{};
  bool present = true;
  double value = 0.0;
  double slope = 0.0;  // per millisecond
  CauseId cause{};
};

/// Of a series at an instant: the newest step that is not after it; null before the first.
inline const Step* step_at(const std::vector<Step>& steps, SimTime at) {
  // The newest are asked for most.
  for (std::size_t i = steps.size(); i > 0 && i + 4 > steps.size(); --i) {
    if (steps[i - 1].at <= at) return &steps[i - 1];
  }
  const auto after = std::upper_bound(steps.begin(), steps.end(), at, [](SimTime t, const Step& step) { return t < step.at; });
  return after == steps.begin() ? nullptr : &*(after - 1);
}

/// Something that is scraped.
struct Target {
  std::string job;
  std::string instance;
  LabelsId labels;           // job, instance, namespace, service ...: of `up`
  host::HostId host;         // where it runs; HostId{}: nowhere in particular, always reached
  bool works = true;         // the process answers, whoever can reach it
  bool exists = true;        // service discovery knows it
  CauseId cause{};           // why it is as it is
};
using TargetId = std::uint32_t;

class Store {
 public:
  struct Series {
    LabelsId labels;
    TargetId target = 0;
    std::vector<Step> steps;
    bool retired = false;
  };

  Store(Engine& engine, LabelTable& labels, std::int64_t start_unix_seconds) : engine_(engine), labels_(labels), start_millis_(start_unix_seconds * 1000) {}

  LabelTable& labels() { return labels_; }
  Millis millis(SimTime at) const { return start_millis_ + at.time_since_epoch().count() / 1'000'000; }
  SimTime time(Millis at) const { return SimTime{SimDuration((at - start_millis_) * 1'000'000)}; }

  // Targets
  TargetId add_target(Target target);
  const Target& target(TargetId id) const { return targets_[id]; }
  std::size_t target_count() const { return targets_.size(); }
  /// Changes whether it works or exists; tells who listens.
  void set_target(TargetId id, bool works, bool exists, host::HostId host);
  void on_target(std::function<void(TargetId)> listener) { target_listeners_.push_back(std::move(listener)); }

  // Series
  bool is_wanted(const std::string& metric) const { return all_wanted_ || wanted_.contains(metric); }
  void want(std::set<std::string> metrics, bool all) {
    wanted_ = std::move(metrics);
    all_wanted_ = all;
  }
  SeriesId series(LabelsId labels, TargetId target);
  void set(SeriesId id, double value, double slope = 0.0);
  void end(SeriesId id);
  const Series& at(SeriesId id) const { return series_[id]; }
  std::size_t size() const { return series_.size(); }
  const std::vector<SeriesId>& of_metric(Symbol metric);
  const std::vector<SeriesId>& all() const { return all_; }
  /// Changes when series were forgotten: lists of them are to be made anew.
  std::uint64_t generation() const { return generation_; }
  void on_change(std::function<void(SeriesId)> listener) { listeners_.push_back(std::move(listener)); }
  /// Series that ended longer ago than any rule looks back are forgotten.
  void keep_ended_for(SimDuration window) { keep_ = window; }
  /// Listeners are told nothing of what is set before start().
  void start() { started_ = true; }

 private:
  void step(SeriesId id, Step step);
  void retire();

  Engine& engine_;
  LabelTable& labels_;
  std::int64_t start_millis_;
  std::vector<Target> targets_;
  std::vector<Series> series_;
  std::unordered_map<std::uint64_t, SeriesId> index_;               // look-up only
  std::map<Symbol, std::vector<SeriesId>> by_metric_;
  std::vector<SeriesId> all_;
  std::set<std::string> wanted_;
  bool all_wanted_ = false;
  bool started_ = false;
  SimDuration keep_{std::chrono::hours(1)};
  std::size_t retire_at_ = 4096;
  std::uint64_t generation_ = 0;
  std::vector<std::function<void(TargetId)>> target_listeners_;
  std::vector<std::function<void(SeriesId)>> listeners_;
};

}  // namespace sim::monitoring
