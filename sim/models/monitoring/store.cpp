#include "sim/models/monitoring/store.hpp"

#include <cmath>

namespace sim::monitoring {

TargetId Store::add_target(Target target) {
  target.cause = engine_.cause();
  targets_.push_back(std::move(target));
  const auto id = static_cast<TargetId>(targets_.size() - 1);
  for (const auto& listener : target_listeners_) listener(id);
  return id;
}

void Store::set_target(TargetId id, bool works, bool exists, host::HostId host) {
  Target& target = targets_[id];
  if (target.works == works && target.exists == exists && target.host == host) return;
  target.works = works;
  target.exists = exists;
  target.host = host;
  target.cause = engine_.cause();
  for (const auto& listener : target_listeners_) listener(id);
}

SeriesId Store::series(LabelsId labels, TargetId target) {
  const std::uint64_t key = (std::uint64_t{target} << 32) | labels.value;
  const auto [place, is_new] = index_.try_emplace(key, static_cast<SeriesId>(series_.size()));
  if (!is_new) return place->second;
  const SeriesId id = place->second;
  series_.push_back(Series{labels, target, {}, false});
  by_metric_[labels_.value(labels, labels_.name_label())].push_back(id);
  all_.push_back(id);
  if (all_.size() >= retire_at_) retire();
  return id;
}

void Store::step(SeriesId id, Step step) {
  std::vector<Step>& steps = series_[id].steps;
  if (!steps.empty()) {
    const Step& last = steps.back();
    // The same line goes on.
    const double goes_on = last.value + last.slope * (static_cast<double>((step.at - last.at).count()) / 1e6);
    if (last.present == step.present && (!step.present || (last.slope == step.slope && (last.slope == 0.0 ? last.value == step.value : std::abs(goes_on - step.value) < 1e-3)))) return;
    if (last.at == step.at) steps.pop_back();
  } else if (!step.present) {
    return;
  }
  steps.push_back(step);
  if (!started_) return;
  for (const auto& listener : listeners_) listener(id);
}

void Store::set(SeriesId id, double value, double slope) { step(id, Step{engine_.now(), true, value, slope, engine_.cause()}); }
void Store::end(SeriesId id) { step(id, Step{engine_.now(), false, 0.0, 0.0, engine_.cause()}); }

const std::vector<SeriesId>& Store::of_metric(Symbol metric) { return by_metric_[metric]; }

void Store::retire() {
  const SimTime now = engine_.now();
  const auto is_old = [&](SeriesId id) {
    const Series& one = series_[id];
    return !one.steps.empty() && !one.steps.back().present && now - one.steps.back().at > keep_;
  };
  for (const SeriesId id : all_) {
    if (!is_old(id)) continue;
    series_[id].retired = true;
    index_.erase((std::uint64_t{series_[id].target} << 32) | series_[id].labels.value);
    std::vector<Step>().swap(series_[id].steps);
  }
  for (auto& [metric, list] : by_metric_) std::erase_if(list, [&](SeriesId id) { return series_[id].retired; });
  ++generation_;
  std::erase_if(all_, [&](SeriesId id) { return series_[id].retired; });
  retire_at_ = std::max<std::size_t>(4096, all_.size() * 2);
}

}  // namespace sim::monitoring
