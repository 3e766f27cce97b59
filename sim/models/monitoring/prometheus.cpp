#include "sim/models/monitoring/prometheus.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sim::monitoring {

using promql::Origin;
using promql::Sample;

namespace {

constexpr SimDuration kLookback{std::chrono::minutes(5)};
/// A rule whose `for` is shorter is not restored after a restart (rules/manager.go: forGracePeriod); a longer one fires so long after it at the earliest.
constexpr SimDuration kForGrace{std::chrono::minutes(10)};
constexpr SimDuration kOutageTolerance{std::chrono::hours(1)};

SimTime floor_millis(SimTime t) { return SimTime{SimDuration(t.time_since_epoch().count() / 1'000'000 * 1'000'000)}; }

}  // namespace

SimTime Prometheus::Grid::at_or_before(SimTime t) const {
  const std::int64_t gap = (t - offset).count();
  std::int64_t k = gap / interval.count();
  if (gap < 0 && gap % interval.count() != 0) --k;
  return offset + k * interval;
}
SimTime Prometheus::Grid::at_or_after(SimTime t) const {
  const SimTime before = at_or_before(t);
  return before == t ? t : before + interval;
}

Prometheus::Prometheus(Engine& engine, const Randomness& random, Store& store, const RuleSet& rules, std::string name, PrometheusTiming timing,
                       Listener& listener)
    : engine_(engine), random_(random), store_(store), rules_(rules), name_(std::move(name)), timing_(timing), listener_(listener) {
  evaluator_ = std::make_unique<promql::Evaluator>(store_.labels(), *this, timing_.evaluation_interval.count() / 1'000'000);
  Interner& names = store_.labels().names();
  for (const RuleGroup& group : rules_.groups()) {
    GroupRun run;
    run.group = &group;
    run.interval = group.interval > SimDuration::zero() ? group.interval : timing_.evaluation_interval;
    const SimDuration offset = random_.stream("monitoring/rule-offset", name_ + "/" + group.name).uniform(SimDuration{}, run.interval - SimDuration(1));
    run.grid = Grid{floor_millis(SimTime{} + offset), run.interval};
    run.timer = Timer(engine_);
    for (const Rule& rule : group.rules) {
      RuleRun one;
      one.rule = &rule;
      for (const Rule::Need& need : rule.needs) {
        interests_[names.intern(need.metric)].push_back(Interest{groups_.size(), run.rules.size(), need.window});
        one.window = std::max(one.window, SimDuration(need.window * 1'000'000));
      }
      run.rules.push_back(std::move(one));
    }
    groups_.push_back(std::move(run));
  }
}

Prometheus::~Prometheus() { *alive_ = false; }

void Prometheus::start() {
  started_ = true;
  ingest_.push_back(Ingest{engine_.now(), state_ == State::kWorks, engine_.cause()});
  for (TargetId id = 0; id < store_.target_count(); ++id) target_changed(id);
  store_.on_target([this, alive = std::weak_ptr<bool>(alive_)](TargetId id) {
    if (!alive.expired()) target_changed(id);
  });
  store_.on_change([this, alive = std::weak_ptr<bool>(alive_)](monitoring::SeriesId id) {
    if (!alive.expired()) shared_changed(id);
  });
  everything_changed(engine_.now() + timing_.scrape_interval);
  for (std::size_t i = 0; i < groups_.size(); ++i) wake(i, engine_.now());
}

// ---- Samples --------------------------------------------------------------------------------------------------------

bool Prometheus::ingests_at(SimTime t) const {
  if (t < data_since_) return false;
  for (std::size_t i = ingest_.size(); i > 0; --i) {
    if (ingest_[i - 1].at <= t) return ingest_[i - 1].works;
  }
  return false;
}

const Prometheus::Grid& Prometheus::grid_of(promql::SampleSource::SeriesId series) const {
  if ((series & kOwn) == 0) return targets_[store_.at(series).target].grid;
  const OwnSeries& own = own_[series & ~kOwn];
  return own.is_up ? targets_[own.of].grid : groups_[own.of].grid;
}

LabelsId Prometheus::labels(promql::SampleSource::SeriesId series) const {
  return (series & kOwn) == 0 ? store_.at(series).labels : own_[series & ~kOwn].labels;
}

std::optional<Prometheus::Sampled> Prometheus::sample(promql::SampleSource::SeriesId series, SimTime t) const {
  const auto origin = [&](SimTime at, CauseId cause) { return Origin{store_.millis(at), cause}; };
  const bool is_own = (series & kOwn) != 0;
  const bool is_up = is_own && own_[series & ~kOwn].is_up;
  if (!is_own || is_up) {
    const std::vector<Reach>& reach = targets_[is_own ? own_[series & ~kOwn].of : store_.at(series).target].reach;
    const Reach* now = nullptr;
    for (std::size_t i = reach.size(); i > 0 && now == nullptr; --i) {
      if (reach[i - 1].at <= t) now = &reach[i - 1];
    }
    if (now == nullptr || now->what == Scrape::kNone) return std::nullopt;
    if (is_up) return Sampled{now->what == Scrape::kWorks ? 1.0 : 0.0, 0.0, origin(now->at, now->cause)};
    if (now->what == Scrape::kFails) return std::nullopt;
  }
  const std::vector<Step>& steps = is_own ? own_[series & ~kOwn].steps : store_.at(series).steps;
  const Step* step = step_at(steps, t);
  if (step == nullptr || !step->present) return std::nullopt;
  const double value = step->slope == 0.0 ? step->value : step->value + step->slope * (static_cast<double>((t - step->at).count()) / 1e6);
  return Sampled{value, step->slope, origin(step->at, step->cause)};
}

std::optional<promql::SampleSource::Latest> Prometheus::latest(promql::SampleSource::SeriesId series, Millis at) {
  const Grid& grid = grid_of(series);
  SimTime t = grid.at_or_before(store_.time(at));
  if (!ingests_at(t)) {
    // Back to the last instant at which it took samples: until the look-back is over they are still seen.
    const SimTime oldest = store_.time(at) - kLookback;
    while (t > oldest && !ingests_at(t)) t -= grid.interval;
    if (t <= oldest) return std::nullopt;
  }
  // A sampling interval longer than the look-back leaves gaps.
  if (store_.time(at) - t >= kLookback) return std::nullopt;
  const std::optional<Sampled> found = sample(series, t);
  if (!found) return std::nullopt;
  return Latest{store_.millis(t), found->value, found->slope, found->origin};
}

void Prometheus::range(promql::SampleSource::SeriesId series, Millis from, Millis to, std::vector<promql::Point>& points, Origin& origin, bool& moves) {
  const Grid& grid = grid_of(series);
  const SimTime end = store_.time(to);
  SimTime t = grid.at_or_before(store_.time(from));
  while (store_.millis(t) <= from) t += grid.interval;
  for (; t <= end; t += grid.interval) {
    if (t < SimTime{} || !ingests_at(t)) continue;
    const std::optional<Sampled> found = sample(series, t);
    if (!found) continue;
    points.push_back(promql::Point{store_.millis(t), found->value});
    origin.also(found->origin);
    if (found->slope != 0.0) moves = true;
  }
}

const std::vector<promql::SampleSource::SeriesId>& Prometheus::select(const promql::Selector& selector) {
  const auto [place, is_new] = selections_.try_emplace(selector.id);
  Selection& s = place->second;
  Interner& names = store_.labels().names();
  const std::string metric = selector.metric();
  if (is_new) {
    for (const promql::Matcher& matcher : selector.matchers) {
      s.matchers.emplace_back(matcher);
      s.names.push_back(names.intern(matcher.name));
    }
  }
  if (s.generation != store_.generation()) {
    s.found.clear();
    s.seen_shared = s.seen_own = 0;
    s.generation = store_.generation();
  }
  const auto matches = [&](LabelsId id) {
    for (std::size_t i = 0; i < s.matchers.size(); ++i) {
      if (!s.matchers[i](store_.labels().value(id, s.names[i]), names)) return false;
    }
    return true;
  };
  const std::vector<monitoring::SeriesId>& shared = metric.empty() ? store_.all() : store_.of_metric(names.intern(metric));
  for (; s.seen_shared < shared.size(); ++s.seen_shared) {
    if (matches(store_.at(shared[s.seen_shared]).labels)) s.found.push_back(shared[s.seen_shared]);
  }
  if (metric.empty()) {
    for (; s.seen_own < own_.size(); ++s.seen_own) {
      if (matches(own_[s.seen_own].labels)) s.found.push_back(static_cast<std::uint32_t>(s.seen_own) | kOwn);
    }
  } else {
    const std::vector<std::uint32_t>& own = own_by_metric_[names.intern(metric)];
    for (; s.seen_own < own.size(); ++s.seen_own) {
      if (matches(own_[own[s.seen_own]].labels)) s.found.push_back(own[s.seen_own] | kOwn);
    }
  }
  return s.found;
}

/// The newest end of a series that the selector selects, or of the samples of all.
Origin Prometheus::ended(const promql::Selector& selector) {
  Origin origin;
  for (const promql::SampleSource::SeriesId id : select(selector)) {
    const bool is_own = (id & kOwn) != 0;
    const std::vector<Step>& steps = is_own ? own_[id & ~kOwn].steps : store_.at(id).steps;
    if (!steps.empty() && !steps.back().present) origin.also(Origin{store_.millis(steps.back().at), steps.back().cause});
    if (is_own && !own_[id & ~kOwn].is_up) continue;
    const TargetRun& target = targets_[is_own ? own_[id & ~kOwn].of : store_.at(id).target];
    if (target.reach.empty() || target.reach.back().what == Scrape::kWorks) continue;
    origin.also(Origin{store_.millis(target.reach.back().at), target.reach.back().cause});
  }
  if (!ingest_.empty() && !ingest_.back().works) origin.also(Origin{store_.millis(ingest_.back().at), ingest_.back().cause});
  return origin;
}

promql::Result Prometheus::query(const promql::Expr& expr) { return evaluator_->evaluate(expr, store_.millis(floor_millis(engine_.now()))); }

// ---- What changes ---------------------------------------------------------------------------------------------------

std::uint32_t Prometheus::own_series(LabelsId labels, bool is_up, std::uint32_t of) {
  const auto [place, is_new] = own_index_.try_emplace(std::pair{is_up ? UINT32_MAX : of, labels}, static_cast<std::uint32_t>(own_.size()));
  if (is_new) {
    own_.push_back(OwnSeries{labels, is_up, of, {}});
    own_by_metric_[store_.labels().value(labels, store_.labels().name_label())].push_back(place->second);
  }
  return place->second;
}

void Prometheus::target_changed(TargetId id) {
  Interner& names = store_.labels().names();
  while (targets_.size() <= id) {
    const auto next = static_cast<TargetId>(targets_.size());
    const Target& target = store_.target(next);
    TargetRun run;
    const SimDuration offset = 
        random_.stream("monitoring/scrape-offset", name_ + "/" + target.job + "/" + target.instance).uniform(SimDuration{}, timing_.scrape_interval - SimDuration(1));
    run.grid = Grid{floor_millis(SimTime{} + offset), timing_.scrape_interval};
    targets_.push_back(std::move(run));
    own_series(store_.labels().with(target.labels, store_.labels().name_label(), names.intern("up")), true, next);
  }
  const Target& target = store_.target(id);
  const Scrape what = !target.exists ? Scrape::kNone : target.works && (!reaches_ || reaches_(target)) ? Scrape::kWorks : Scrape::kFails;
  std::vector<Reach>& reach = targets_[id].reach;
  if (!reach.empty() && reach.back().what == what) return;
  if (reach.empty() && what == Scrape::kNone) return;
  const CauseId cause = engine_.cause() ? engine_.cause() : target.cause;
  if (!reach.empty() && reach.back().at == engine_.now()) reach.pop_back();
  reach.push_back(Reach{engine_.now(), what, cause});
  if (!started_) return;
  const SimTime sampled = targets_[id].grid.at_or_after(engine_.now());
  changed(names.intern("up"), sampled);
  // All other series of the target end or begin with it.
  std::vector<Symbol> metrics;
  for (const auto& [metric, interested] : interests_) {
    if (metric) metrics.push_back(metric);
  }
  for (const Symbol metric : metrics) {
    for (const monitoring::SeriesId series : store_.of_metric(metric)) {
      if (store_.at(series).target != id) continue;
      changed(metric, sampled);
      break;
    }
  }
}

void Prometheus::targets_changed() {
  for (TargetId id = 0; id < targets_.size(); ++id) target_changed(id);
}

void Prometheus::shared_changed(monitoring::SeriesId id) {
  const Store::Series& series = store_.at(id);
  if (series.target >= targets_.size()) return;
  changed(store_.labels().value(series.labels, store_.labels().name_label()), targets_[series.target].grid.at_or_after(engine_.now()));
}

/// Rules that look at the metric are evaluated until its old samples have left their windows.
void Prometheus::changed(Symbol metric, SimTime sampled) {
  const auto mark = [&](const Interest& interest) {
    GroupRun& group = groups_[interest.group];
    RuleRun& run = group.rules[interest.rule];
    run.dirty_until = std::max(run.dirty_until, sampled + SimDuration(interest.window * 1'000'000) + group.interval);
    wake(interest.group, sampled);
  };
  for (const Symbol which : {metric, Symbol{}}) {
    const auto found = interests_.find(which);
    if (found == interests_.end()) continue;
    for (const Interest& interest : found->second) mark(interest);
  }
}

void Prometheus::everything_changed(SimTime sampled) {
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    for (RuleRun& run : groups_[i].rules) {
      run.dirty_until = std::max(run.dirty_until, sampled + std::max(run.window, kLookback) + kLookback + groups_[i].interval);
    }
    wake(i, engine_.now());
  }
}

void Prometheus::set_state(State state, bool keeps_data) {
  if (state_ == state) return;
  const State before = state_;
  state_ = state;
  if (!started_) return;
  ingest_.push_back(Ingest{engine_.now(), state == State::kWorks, engine_.cause()});
  if (state == State::kGone) {
    for (GroupRun& group : groups_) {
      fall_silent(group);
      group.timer.cancel();
      group.stuck = false;
    }
    forget_alerts();
    return;
  }
  if (before == State::kGone) {
    if (!keeps_data) data_since_ = engine_.now();
    // It sends anew from its first evaluation on; what it knew of `for` it finds in its data.
    for (GroupRun& group : groups_) {
      for (RuleRun& run : group.rules) {
        run.fresh = true;
        if (!keeps_data) run.remembered.clear();
      }
    }
  }
  for (GroupRun& group : groups_) {
    if (!group.stuck) continue;
    // The writes come back: the group goes on, and sends what it sent before.
    group.stuck = false;
    for (RuleRun& run : group.rules) {
      for (auto& [labels, alert] : run.active) alert.sent = false;
    }
  }
  everything_changed(engine_.now() + timing_.scrape_interval);
}

void Prometheus::forget_alerts() {
  for (GroupRun& group : groups_) {
    for (RuleRun& run : group.rules) {
      run.remembered.clear();
      for (const auto& [labels, alert] : run.active) run.remembered.emplace(labels, std::pair{alert.active_at, engine_.now()});
      run.active.clear();
      for (const auto& [labels, own] : run.written) write(own, std::nullopt, Origin{});
      run.written.clear();
    }
  }
}

void Prometheus::set_connected(bool connected) {
  if (connected_ == connected) return;
  connected_ = connected;
  if (!started_) return;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    GroupRun& group = groups_[i];
    if (!connected) {
      fall_silent(group);
      continue;
    }
    // Alerts that fire are sent again at their next turn.
    SimTime next = kEndOfTime;
    for (RuleRun& run : group.rules) {
      for (auto& [labels, alert] : run.active) {
        if (!alert.is_firing) continue;
        alert.sent = false;
        const SimDuration period = resend_period(group);
        const std::int64_t turns = (engine_.now() - alert.first_sent).count() / period.count() + 1;
        next = std::min(next, alert.first_sent + turns * period);
      }
    }
    if (next != kEndOfTime) {
      for (RuleRun& run : group.rules) run.dirty_until = std::max(run.dirty_until, next + group.interval);
      wake(i, next);
    }
  }
}

// ---- Evaluation -----------------------------------------------------------------------------------------------------

void Prometheus::wake(std::size_t index, SimTime at) {
  if (!started_) return;
  GroupRun& group = groups_[index];
  if (state_ == State::kGone || group.stuck) return;
  SimTime tick = group.grid.at_or_after(std::max(at, engine_.now()));
  // Not twice at one instant.
  if (tick <= group.last && group.last != SimTime{}) tick = group.grid.at_or_after(group.last + SimDuration(1));
  if (group.timer.is_pending() && group.next <= tick) return;
  group.next = tick;
  group.timer.set_at(tick, [this, index] { evaluate(index); });
}

bool Prometheus::is_due(const GroupRun& group, const RuleRun& run, SimTime now) const {
  if (run.fresh || timing_.naive || now <= run.dirty_until) return true;
  const SimDuration margin = 2 * (group.interval + timing_.scrape_interval);
  if (run.moves_at != promql::kNever && store_.time(run.moves_at) <= now + margin) return true;
  for (const auto& [labels, alert] : run.active) {
    if (!alert.is_firing && now - alert.active_at >= run.rule->hold) return true;
    if (alert.keeps_since) return true;
  }
  return false;
}

SimTime Prometheus::next_needed(const GroupRun& group, const RuleRun& run, SimTime now) const {
  if (!run.rule->expr) return kEndOfTime;
  if (run.fresh || timing_.naive || now < run.dirty_until) return now + group.interval;
  SimTime next = kEndOfTime;
  if (run.moves_at != promql::kNever) {
    const SimDuration margin = 2 * (group.interval + timing_.scrape_interval);
    const SimTime turn = store_.time(run.moves_at);
    next = turn <= now + margin + group.interval ? now + group.interval : group.grid.at_or_before(turn - margin);
  }
  for (const auto& [labels, alert] : run.active) {
    if (alert.keeps_since) next = std::min(next, now + group.interval);
    if (!alert.is_firing) next = std::min(next, group.grid.at_or_after(alert.active_at + run.rule->hold));
  }
  return std::max(next, now + group.interval);
}

void Prometheus::evaluate(std::size_t index) {
  GroupRun& group = groups_[index];
  const SimTime now = engine_.now();
  // What is found here is caused by what changed, not by whatever set the timer.
  engine_.set_cause(CauseId{});
  group.last = now;
  for (RuleRun& run : group.rules) {
    if (!run.rule->expr || !is_due(group, run, now)) {
      // What it wrote last time it would write again: there the group stands still.
      if (state_ == State::kBlocked && run.rule->expr && (!run.written.empty() || !run.active.empty())) {
        group.stuck = true;
        fall_silent(group);
        return;
      }
      continue;
    }
    ++evaluations_;
    const bool wrote = run.rule->is_alert ? evaluate_alert(index, run) : evaluate_record(index, run);
    run.fresh = false;
    if (wrote && state_ == State::kBlocked) {
      group.stuck = true;
      fall_silent(group);
      return;
    }
  }
  SimTime next = kEndOfTime;
  for (const RuleRun& run : group.rules) next = std::min(next, next_needed(group, run, now));
  if (next != kEndOfTime) wake(index, next);
}

void Prometheus::write(std::uint32_t own, std::optional<double> value, const Origin& origin) {
  std::vector<Step>& steps = own_[own].steps;
  const SimTime now = engine_.now();
  if (!steps.empty() && steps.back().present == value.has_value() && (!value || steps.back().value == *value)) return;
  if (steps.empty() && !value) return;
  if (!steps.empty() && steps.back().at == now) steps.pop_back();
  steps.push_back(Step{now, value.has_value(), value.value_or(0.0), 0.0, origin.cause ? origin.cause : engine_.cause()});
  changed(store_.labels().value(own_[own].labels, store_.labels().name_label()), now);
}

bool Prometheus::evaluate_record(std::size_t index, RuleRun& run) {
  LabelTable& table = store_.labels();
  const promql::Result result = evaluator_->evaluate(*run.rule->expr, store_.millis(engine_.now()));
  if (!result.error.empty()) {
    failures_.try_emplace(run.rule, result.error);
    return false;
  }
  run.moves_at = result.moves_at;
  std::vector<Sample> samples = result.vector;
  if (result.type == promql::Type::kScalar) samples.push_back(Sample{LabelsId{}, result.scalar, result.scalar_slope, {}});
  std::map<LabelsId, std::uint32_t> written;
  for (const Sample& sample : samples) {
    if (sample.slope != 0.0) run.moves_at = store_.millis(engine_.now());
    LabelsId labels = table.with(sample.labels, table.name_label(), table.names().intern(run.rule->name));
    for (const auto& [name, value] : run.rule->labels) labels = table.with(labels, table.names().intern(name), table.names().intern(value));
    const std::uint32_t own = own_series(labels, false, static_cast<std::uint32_t>(index));
    if (!written.emplace(labels, own).second) {
      failures_.try_emplace(run.rule, "vector contains metrics with the same labelset after applying rule labels");
      return false;
    }
    write(own, sample.value, sample.origin);
  }
  bool wrote = !written.empty();
  for (const auto& [labels, own] : run.written) {
    if (written.contains(labels)) continue;
    write(own, std::nullopt, Origin{});
    wrote = true;
  }
  run.written = std::move(written);
  return wrote;
}

SimDuration Prometheus::resend_period(const GroupRun& group) const {
  // Sent again at the first evaluation that is later than the delay: not at the delay itself.
  return (timing_.resend_delay.count() / group.interval.count() + 1) * group.interval;
}

void Prometheus::send(ActiveAlert& alert) {
  if (alert.sent || !connected_) return;
  alert.sent = true;
  alert.first_sent = engine_.now();
  const ScopedCause because(engine_, alert.alert.origin.cause);
  listener_.firing(*this, alert.alert);
}

bool Prometheus::evaluate_alert(std::size_t index, RuleRun& run) {
  LabelTable& table = store_.labels();
  Interner& names = table.names();
  const SimTime now = engine_.now();
  const promql::Result result = evaluator_->evaluate(*run.rule->expr, store_.millis(now));
  if (!result.error.empty()) {
    failures_.try_emplace(run.rule, result.error);
    return false;
  }
  run.moves_at = result.moves_at;
  std::vector<Sample> samples = result.vector;
  if (result.type == promql::Type::kScalar) samples.push_back(Sample{LabelsId{}, result.scalar, 0.0, {}});
  for (auto& [labels, alert] : run.active) alert.seen = false;
  for (const Sample& sample : samples) {
    LabelsId labels = table.without_name(sample.labels);
    for (const auto& [name, value] : run.rule->labels) labels = table.with(labels, names.intern(name), names.intern(value));
    labels = table.with(labels, names.intern("alertname"), names.intern(run.rule->name));
    const auto [place, is_new] = run.active.try_emplace(labels);
    ActiveAlert& alert = place->second;
    if (!is_new && alert.seen) {
      failures_.try_emplace(run.rule, "vector contains metrics with the same labelset after applying alert labels");
      return false;
    }
    alert.seen = true;
    alert.keeps_since.reset();
    if (!is_new) continue;
    alert.alert = Alert{labels, run.rule, sample.origin};
    alert.active_at = now;
    if (const auto known = run.remembered.find(labels); known != run.remembered.end()) {
      const auto [active_at, forgotten] = known->second;
      const SimDuration down = now - forgotten;
      if (run.rule->hold >= kForGrace && down <= kOutageTolerance) {
        // It was pending while nobody looked: the time that it was down does not count, and it waits for the grace at least.
        const SimTime restored = active_at + down;
        const SimDuration left = run.rule->hold - (now - restored);
        alert.active_at = left <= kForGrace ? now - run.rule->hold + kForGrace : restored;
      }
    }
  }
  run.remembered.clear();
  bool wrote = false;
  for (auto it = run.active.begin(); it != run.active.end();) {
    ActiveAlert& alert = it->second;
    if (!alert.seen) {
      bool keeps = false;
      if (alert.is_firing && run.rule->keep_firing > SimDuration::zero()) {
        if (!alert.keeps_since) alert.keeps_since = now;
        keeps = now - *alert.keeps_since < run.rule->keep_firing;
      }
      if (!keeps) {
        if (alert.is_firing && alert.sent && connected_) listener_.resolved(*this, alert.alert);
        if (alert.alerts_series != 0) {
          write(alert.alerts_series - 1, std::nullopt, Origin{});
          wrote = true;
        }
        it = run.active.erase(it);
        continue;
      }
    }
    const bool was_firing = alert.is_firing;
    if (!alert.is_firing && now - alert.active_at >= run.rule->hold) {
      alert.is_firing = true;
      alert.fired_at = now;
    }
    if (alert.is_firing) send(alert);
    if (alert.alerts_series == 0 || was_firing != alert.is_firing) {
      if (alert.alerts_series != 0) write(alert.alerts_series - 1, std::nullopt, Origin{});
      LabelsId labels = table.with(it->first, table.name_label(), names.intern("ALERTS"));
      labels = table.with(labels, names.intern("alertstate"), names.intern(alert.is_firing ? "firing" : "pending"));
      alert.alerts_series = own_series(labels, false, static_cast<std::uint32_t>(index)) + 1;
    }
    write(alert.alerts_series - 1, 1.0, alert.alert.origin);
    wrote = true;
    ++it;
  }
  return wrote;
}

void Prometheus::tell_silent(const GroupRun& group, const ActiveAlert& alert) {
  const SimDuration period = resend_period(group);
  const SimTime last_turn = std::max(group.grid.at_or_before(engine_.now()), alert.first_sent);
  const SimTime last_sent = alert.first_sent + (last_turn - alert.first_sent).count() / period.count() * period;
  listener_.silent(*this, alert.alert, last_sent + 4 * std::max(group.interval, timing_.resend_delay));
}

void Prometheus::fall_silent(GroupRun& group) {
  // Why it is silent: what stopped its samples, whatever woke this group.
  const ScopedCause because(engine_, state_ == State::kWorks || ingest_.empty() ? CauseId{} : ingest_.back().cause);
  for (RuleRun& run : group.rules) {
    for (auto& [labels, alert] : run.active) {
      if (!alert.sent) continue;
      alert.sent = false;
      tell_silent(group, alert);
    }
  }
}

std::vector<Prometheus::Active> Prometheus::active() const {
  std::vector<Active> all;
  for (const GroupRun& group : groups_) {
    for (const RuleRun& run : group.rules) {
      for (const auto& [labels, alert] : run.active) all.push_back(Active{labels, run.rule, alert.is_firing, alert.active_at});
    }
  }
  return all;
}

}  // namespace sim::monitoring
