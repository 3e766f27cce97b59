#include "chaos/failures/life_cycles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "sim/core/math.hpp"

namespace chaos {

namespace {

/// Nothing is scheduled beyond: a hard disk's draw may be centuries away, and nanoseconds end after 292 years.
constexpr double kNeverSeconds = 9.0e9;
/// What is wanted of failures while all is well again and settles, as a share of what is wanted during a repair: machines boot, data comes back.
constexpr double kSettlingShare = 0.2;

}  // namespace

std::size_t LifeCycles::add(Crew crew) {
  crews_.push_back(std::move(crew));
  return crews_.size() - 1;
}
std::size_t LifeCycles::add(Spare spare) {
  spares_.push_back(std::move(spare));
  return spares_.size() - 1;
}
std::size_t LifeCycles::add(Component component) {
  components_.push_back(std::move(component));
  return components_.size() - 1;
}
std::size_t LifeCycles::add(Shock shock) {
  shocks_.push_back(std::move(shock));
  return shocks_.size() - 1;
}

void LifeCycles::start() {
  crew_states_.resize(crews_.size());
  spare_states_.resize(spares_.size());
  for (std::size_t i = 0; i < spares_.size(); ++i) {
    spare_states_[i].stock = spares_[i].stock;
    spare_states_[i].deliveries = random_.stream("failure/delivery", spares_[i].name);
  }
  const auto age_of = [&](const std::string& name, const sim::LifetimeLaw& law, Age age, double given) {
    if (age != Age::kStationary) return age == Age::kGiven ? given : 0.0;
    sim::RandomStream random = random_.stream("failure/age", name);
    return law.equilibrium_age(random);
  };
  states_.resize(components_.size());
  for (std::size_t i = 0; i < components_.size(); ++i) {
    const Component& component = components_[i];
    states_[i].clock.random = random_.stream("failure/time", component.name);
    states_[i].repairs = random_.stream("failure/repair", component.name);
    states_[i].clock.timer = sim::Timer(engine_);
    states_[i].repair = sim::Timer(engine_);
    states_[i].strike = sim::Timer(engine_);
    begin_life(i, false, age_of(component.name, component.failure, component.age, component.given_age));
  }
  shock_states_.resize(shocks_.size());
  for (std::size_t i = 0; i < shocks_.size(); ++i) {
    const Shock& shock = shocks_[i];
    shock_states_[i].clock.random = random_.stream("failure/time", shock.name);
    shock_states_[i].spreads = random_.stream("failure/spread", shock.name);
    shock_states_[i].clock.timer = sim::Timer(engine_);
    begin_life(i, true, age_of(shock.name, shock.law, shock.age, shock.given_age));
  }
}

// ---- lives ----------------------------------------------------------------------------------------------------------

void LifeCycles::begin_life(std::size_t index, bool shock, double age) {
  Clock& clock = clock_of(index, shock);
  clock.born = now() - age;
  clock.hazard = law_of(index, shock).cumulative_hazard(age);
  clock.left = clock.random.exponential(1.0);
  schedule(index, shock);
}

void LifeCycles::schedule(std::size_t index, bool shock) {
  Clock& clock = clock_of(index, shock);
  const double when = clock.born + law_of(index, shock).at_hazard(clock.hazard + clock.left / clock.factor);
  if (!(when < kNeverSeconds)) {
    clock.timer.cancel();
    return;
  }
  // A failure is nobody's consequence: it is a root of its own, whatever was going on when it was drawn.
  const sim::CauseId before = engine_.cause();
  engine_.set_cause(sim::CauseId{});
  clock.timer.set_at(std::max(engine_.now(), sim::SimTime(sim::from_seconds(when))), [this, index, shock] { expired(index, shock); });
  engine_.set_cause(before);
}

/// Takes the time up to now off the draw, and notes what it weighs.
void LifeCycles::count(std::size_t index, bool shock) {
  Clock& clock = clock_of(index, shock);
  const double reached = law_of(index, shock).cumulative_hazard(now() - clock.born);
  // At most what is left: the timer stands on a full nanosecond.
  const double passed = std::clamp(reached - clock.hazard, 0.0, clock.left / clock.factor);
  clock.left -= clock.factor * passed;
  clock.hazard += passed;
  log_weight_ += (clock.factor - 1.0) * passed;
}

void LifeCycles::expired(std::size_t index, bool shock) {
  Clock& clock = clock_of(index, shock);
  log_weight_ += (clock.factor - 1.0) * clock.left / clock.factor - sim::math::log(clock.factor);
  clock.left = 0.0;
  if (!shock) return fail(index, std::nullopt);
  begin_life(index, true, 0.0);
  for (const std::size_t member : shocks_[index].members) {
    if (states_[member].broken) continue;
    if (shocks_[index].spread <= 0.0) {
      fail(member, index);
      continue;
    }
    const double after = shock_states_[index].spreads.uniform() * shocks_[index].spread;
    states_[member].strike.set_after(sim::from_seconds(after), [this, member, index] {
      if (!states_[member].broken) fail(member, index);
    });
  }
}

void LifeCycles::fail(std::size_t component, std::optional<std::size_t> shock) {
  State& state = states_[component];
  if (shock) count(component, false);  // its own clock is stopped before its time
  state.clock.timer.cancel();
  state.strike.cancel();
  state.broken = true;
  state.failed_at = now();
  ++broken_;
  broken_here_ += may_bias(components_[component].process) ? 1 : 0;
  ++failures_;
  listener_.failed(component, now() - state.clock.born, shock);
  changed();
  ask_for_spare(component);
}

// ---- repairs --------------------------------------------------------------------------------------------------------

void LifeCycles::ask_for_spare(std::size_t component) {
  const std::optional<std::size_t> spare = components_[component].spare;
  if (!spare) return ask_for_crew(component);
  SpareState& state = spare_states_[*spare];
  // The order goes out with the failure, whether there is one in stock or not.
  ++state.orders;
  const double delivery = spares_[*spare].delivery.draw(state.deliveries);
  std::erase_if(state.under_way, [](const std::unique_ptr<sim::Timer>& timer) { return !timer->is_pending(); });
  if (delivery < kNeverSeconds) {
    state.under_way.push_back(std::make_unique<sim::Timer>(engine_));
    state.under_way.back()->set_after(sim::from_seconds(delivery), [this, index = *spare] { deliver(index); });
  }
  if (state.stock > 0) {
    --state.stock;
    return ask_for_crew(component);
  }
  state.waiting.push_back(component);
  listener_.waits(component, fmt::format("no {} in stock", spares_[*spare].name));
}

void LifeCycles::deliver(std::size_t spare) {
  SpareState& state = spare_states_[spare];
  if (state.waiting.empty()) {
    ++state.stock;
    return;
  }
  const std::size_t component = state.waiting.front();
  state.waiting.pop_front();
  ask_for_crew(component);
}

void LifeCycles::ask_for_crew(std::size_t component) {
  const std::optional<std::size_t> crew = components_[component].crew;
  if (!crew) return work(component);
  CrewState& state = crew_states_[*crew];
  if (state.busy < crews_[*crew].people) {
    ++state.busy;
    return work(component);
  }
  state.waiting.push_back(component);
  listener_.waits(component, fmt::format("crew {} is busy with {} others", crews_[*crew].name, crews_[*crew].people));
}

void LifeCycles::work(std::size_t component) {
  State& state = states_[component];
  const sim::LifetimeLaw& law = components_[component].repair;
  double takes = 0.0;
  // A law without spread would be weighted for nothing.
  if (is_biased_ && may_bias(components_[component].process) && law.at_hazard(0.5) < law.at_hazard(1.5)) {
    const double hazard = state.repairs.exponential(1.0) / rule_->repair_hazard;
    takes = law.at_hazard(hazard);
    log_weight_ += (rule_->repair_hazard - 1.0) * hazard - sim::math::log(rule_->repair_hazard);
  } else {
    takes = law.draw(state.repairs);
  }
  state.work_began = now();
  const std::optional<std::size_t> crew = components_[component].crew;
  if (crew && crews_[*crew].done) takes = crews_[*crew].done(now(), takes) - now();
  if (now() + takes >= kNeverSeconds) return;
  state.repair.set_after(sim::from_seconds(takes), [this, component] { repaired(component); });
}

void LifeCycles::repaired(std::size_t component) {
  State& state = states_[component];
  state.broken = false;
  --broken_;
  broken_here_ -= may_bias(components_[component].process) ? 1 : 0;
  state.clock.factor = 1.0;
  begin_life(component, false, 0.0);
  listener_.repaired(component);
  changed();
  const std::optional<std::size_t> crew = components_[component].crew;
  if (!crew) return;
  CrewState& crew_state = crew_states_[*crew];
  if (crew_state.waiting.empty()) {
    --crew_state.busy;
    return;
  }
  const std::size_t next = crew_state.waiting.front();
  crew_state.waiting.pop_front();
  work(next);
}

// ---- excursions -----------------------------------------------------------------------------------------------------

void LifeCycles::watch_excursions(const BiasRule& rule, std::function<void()> begun, std::function<void()> over) {
  rule_ = rule;
  begun_ = std::move(begun);
  over_ = std::move(over);
  settle_ = sim::Timer(engine_);
  relax_ = sim::Timer(engine_);
}

bool LifeCycles::may_bias(std::size_t process) const {
  return rule_ && (rule_->processes.empty() || (process < rule_->processes.size() && rule_->processes[process]));
}

void LifeCycles::begin_risk(double seconds) {
  risks_.push_back(seconds);
  changed();
}
void LifeCycles::end_risk(double seconds) {
  const auto found = std::find(risks_.begin(), risks_.end(), seconds);
  if (found != risks_.end()) risks_.erase(found);
  changed();
}

void LifeCycles::changed() {
  if (!rule_) return;
  if (broken_here_ + risks_.size() > 0) {
    settle_.cancel();
    if (!in_excursion_) {
      in_excursion_ = true;
      if (begun_) begun_();
    }
  } else if (in_excursion_) {
    settle_.set_after(rule_->settle, [this] {
      in_excursion_ = false;
      if (over_) over_();
    });
  }
  if (is_biased_) set_factors();
}

void LifeCycles::bias(const std::string& luck) {
  log_weight_ = 0.0;
  is_biased_ = true;
  stretch_ = 1.0;
  for (std::size_t i = 0; i < components_.size(); ++i) {
    State& state = states_[i];
    state.clock.random = random_.stream("failure/time", components_[i].name + luck);
    state.repairs = random_.stream("failure/repair", components_[i].name + luck);
    if (state.broken) {
      // Its length is independent of all that was until now.
      if (state.repair.is_pending() && state.work_began >= now()) work(i);
      continue;
    }
    count(i, false);
    state.clock.left = state.clock.random.exponential(1.0);
    schedule(i, false);
  }
  for (std::size_t i = 0; i < shocks_.size(); ++i) {
    ShockState& state = shock_states_[i];
    state.clock.random = random_.stream("failure/time", shocks_[i].name + luck);
    state.spreads = random_.stream("failure/spread", shocks_[i].name + luck);
    count(i, true);
    state.clock.left = state.clock.random.exponential(1.0);
    schedule(i, true);
  }
  for (std::size_t i = 0; i < spares_.size(); ++i) spare_states_[i].deliveries = random_.stream("failure/delivery", spares_[i].name + luck);
  set_factors();
  relax_later();
}

void LifeCycles::relax_later() {
  const double length = length_ > 0.0 ? length_ : sim::seconds(rule_->settle);
  if (length <= 0.0 || length * stretch_ >= kNeverSeconds - now()) return;
  relax_.set_after(sim::from_seconds(length * stretch_), [this] {
    stretch_ *= 2.0;
    set_factors();
    relax_later();
  });
}

void LifeCycles::end_bias() {
  is_biased_ = false;
  relax_.cancel();
  set_factors();
}

double LifeCycles::log_weight() {
  for (std::size_t i = 0; i < components_.size(); ++i) {
    if (!states_[i].broken && states_[i].clock.factor != 1.0) count(i, false);
  }
  for (std::size_t i = 0; i < shocks_.size(); ++i) {
    if (shock_states_[i].clock.factor != 1.0) count(i, true);
  }
  return log_weight_;
}

/// Every process that may be biased gets the same share of the failures that are wanted, and every one of its components the same share of that: where
/// the rates differ by orders of magnitude, the rare way to an outage is looked at as often as the common one.
void LifeCycles::set_factors() {
  double wanted = 0.0;  // failures a second, of all together
  if (is_biased_) {
    double length = 0.0;
    for (std::size_t i = 0; i < components_.size(); ++i) {
      if (states_[i].broken) length = std::max(length, components_[i].repair.mean());
    }
    for (const double risk : risks_) length = std::max(length, risk);
    // What is broken for less than that (it boots again by itself) is as dangerous while it settles.
    const double settle = sim::seconds(rule_->settle);
    if (broken_here_ + risks_.size() > 0) {
      length_ = std::max(length, settle / 10.0);
      wanted = length_ > 0.0 ? rule_->failures / (length_ * stretch_) : 0.0;
    } else {
      wanted = settle > 0.0 ? rule_->failures * kSettlingShare / (settle * stretch_) : 0.0;
    }
  }
  std::vector<std::size_t> sizes;  // by process: what works and may be biased
  const auto note = [&](std::size_t process, const sim::LifetimeLaw& law) {
    if (!may_bias(process) || !law.is_continuous()) return;
    if (sizes.size() <= process) sizes.resize(process + 1, 0);
    ++sizes[process];
  };
  if (is_biased_) {
    for (std::size_t i = 0; i < components_.size(); ++i) {
      if (!states_[i].broken) note(components_[i].process, components_[i].failure);
    }
    for (const Shock& shock : shocks_) note(shock.process, shock.law);
  }
  const auto processes = static_cast<double>(std::count_if(sizes.begin(), sizes.end(), [](std::size_t size) { return size > 0; }));
  const auto factor = [&](std::size_t process, const sim::LifetimeLaw& law) {
    if (wanted <= 0.0 || !may_bias(process) || !law.is_continuous()) return 1.0;
    return std::max(1.0, wanted / (processes * static_cast<double>(sizes[process])) * law.mean());
  };
  const auto apply = [&](std::size_t index, bool shock, double to) {
    Clock& clock = clock_of(index, shock);
    if (clock.factor == to) return;
    count(index, shock);
    clock.factor = to;
    schedule(index, shock);
  };
  for (std::size_t i = 0; i < components_.size(); ++i) {
    if (!states_[i].broken) apply(i, false, factor(components_[i].process, components_[i].failure));
  }
  for (std::size_t i = 0; i < shocks_.size(); ++i) apply(i, true, factor(shocks_[i].process, shocks_[i].law));
}

std::vector<std::size_t> LifeCycles::unbiased_processes() const {
  std::set<std::size_t> found;
  const auto note = [&](std::size_t process, const sim::LifetimeLaw& law) {
    if ((!rule_ || may_bias(process)) && !law.is_continuous()) found.insert(process);
  };
  for (const Component& component : components_) note(component.process, component.failure);
  for (const Shock& shock : shocks_) note(shock.process, shock.law);
  return {found.begin(), found.end()};
}

}  // namespace chaos
