#include "sim/models/kubernetes/control_plane/lease_election.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace sim::k8s {

namespace {
constexpr double kJitter = 1.2;  // leaderelection.go JitterFactor
}

LeaseElection::LeaseElection(Engine& engine, const Randomness& random, std::string name, LeaseTimes times)
    : engine_(engine), random_(random), name_(std::move(name)), times_(times), deadline_(engine), takeover_(engine) {}

void LeaseElection::add_candidate(std::string name) {
  Candidate candidate;
  candidate.name = std::move(name);
  candidates_.push_back(std::move(candidate));
}

void LeaseElection::start() {
  // Everybody has been there for longer than the last renewal is ago.
  for (Candidate& candidate : candidates_) candidate.runs_since = candidate.reaches_since = engine_.now() - times_.retry_period;
  double lowest = 2.0;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (!candidates_[i].runs || !candidates_[i].reaches) continue;
    const double draw = random_.stream("lease/first-leader", fmt::format("{}/{}", name_, candidates_[i].name)).uniform();
    if (draw >= lowest) continue;
    lowest = draw;
    leader_ = i;
  }
  if (!leader_) {
    // Nobody wrote the lease yet: whoever comes first takes it.
    released_ = engine_.now();
    plan_takeover();
    return;
  }
  // Somewhere between two renewals, the last of which was before the run.
  const SimDuration phase = random_.stream("lease/phase", name_).uniform(SimDuration{}, times_.retry_period - SimDuration(1));
  takeover_.cancel();
  is_renewing_ = true;
  anchor_ = renews_from_ = engine_.now() - phase;
}

SimDuration LeaseElection::gap(RandomStream& stream) const {
  return times_.retry_period + from_seconds(seconds(times_.retry_period) * kJitter * stream.uniform());
}

SimTime LeaseElection::last_renewal() const {
  const SimTime now = engine_.now();
  // A grid that begins in the future (the API came back between two tries) has renewed nothing yet.
  if (!is_renewing_ || now < renews_from_) return last_renewal_;
  return anchor_ + (now - anchor_) / times_.retry_period * times_.retry_period;
}

void LeaseElection::new_grid(Candidate& candidate, SimTime from, bool tries_at_once) {
  candidate.gaps = random_.stream("lease/tries", fmt::format("{}/{}#{}", name_, candidate.name, candidate.grids++));
  candidate.grid = from;
  if (!tries_at_once) candidate.grid += from_seconds(candidate.gaps.uniform() * seconds(gap(candidate.gaps)));
}

SimTime LeaseElection::try_at_or_after(const Candidate& candidate, SimTime when) const {
  RandomStream gaps = candidate.gaps;
  SimTime next = candidate.grid;
  while (next < when) next += gap(gaps);
  return next;
}

void LeaseElection::observe(Candidate& candidate) {
  if (candidate.observed || !candidate.runs) return;
  const SimTime look = try_at_or_after(candidate, std::max({last_renewal_, candidate.runs_since, candidate.reaches_since}));
  // It may lie ahead: then it is where the candidate will look if nothing changes until then.
  if (candidate.reaches ? true : look < candidate.reaches_until) candidate.observed = look;
}

void LeaseElection::become_vacant() {
  for (Candidate& candidate : candidates_) {
    candidate.observed.reset();
    if (!candidate.runs) continue;
    // A candidate that ran before the last renewal is anywhere between two tries at that moment.
    if (candidate.runs_since <= last_renewal_) {
      new_grid(candidate, last_renewal_, false);
    } else {
      new_grid(candidate, candidate.runs_since, true);
    }
    observe(candidate);
  }
  plan_takeover();
}

void LeaseElection::plan_takeover() {
  takeover_.cancel();
  if (leader_) return;
  SimTime earliest = kEndOfTime;
  std::size_t winner = 0;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const Candidate& candidate = candidates_[i];
    if (!candidate.runs || !candidate.reaches || (!released_ && !candidate.observed)) continue;
    SimTime ready = released_ ? *released_ : *candidate.observed + times_.lease_duration;
    ready = std::max({ready, candidate.reaches_since, candidate.runs_since, engine_.now()});
    const SimTime at = try_at_or_after(candidate, ready);
    if (at >= earliest) continue;
    earliest = at;
    winner = i;
  }
  const ScopedCause because(engine_, vacant_because_);
  if (earliest != kEndOfTime) takeover_.set_at(earliest, [this, winner] { take(winner); });
}

void LeaseElection::take(std::size_t candidate) {
  takeover_.cancel();
  released_.reset();
  leader_ = candidate;
  is_renewing_ = true;
  anchor_ = renews_from_ = last_renewal_ = engine_.now();
  for (Candidate& other : candidates_) other.observed.reset();
  if (on_gained) on_gained(candidate);
}

void LeaseElection::release() {
  if (leader_ && candidates_[*leader_].reaches) released_ = engine_.now();
}

void LeaseElection::update(std::size_t index, bool runs, bool reaches) {
  Candidate& candidate = candidates_[index];
  if (candidate.runs == runs && candidate.reaches == reaches) return;
  const SimTime now = engine_.now();
  const bool started = runs && !candidate.runs;
  const bool reached = reaches && !candidate.reaches;

  if (leader_ == index && candidate.reaches && !(runs && reaches) && is_renewing_) {
    last_renewal_ = last_renewal();
    is_renewing_ = false;
  }
  // What it saw until now stays seen: a look that was still ahead does not happen.
  if (candidate.observed && *candidate.observed > now && !(runs && reaches)) candidate.observed.reset();
  candidate.runs = runs;
  if (candidate.reaches && !reaches) candidate.reaches_until = now;
  candidate.reaches = reaches;
  if (reached) candidate.reaches_since = now;
  if (started) {
    candidate.runs_since = now;
    candidate.observed.reset();
  }

  if (leader_ == index) {
    if (!runs) {
      deadline_.cancel();
      leader_.reset();
      vacant_because_ = on_lost ? on_lost(index) : CauseId{};
      become_vacant();
    } else if (!reaches) {
      deadline_.set_at(last_renewal_ + times_.renew_deadline, [this, index] {
        if (on_deadline) on_deadline(index);
      });
    } else if (reached && !is_renewing_) {
      const SimDuration behind = now - anchor_;
      const SimTime next = anchor_ + (behind + times_.retry_period - SimDuration(1)) / times_.retry_period * times_.retry_period;
      if (next <= last_renewal_ + times_.renew_deadline) {
        deadline_.cancel();
        is_renewing_ = true;
        renews_from_ = next;
      }
    }
    return;
  }
  if (leader_) return;
  if (runs && (started || reached)) {
    if (started) {
      new_grid(candidate, now, true);
    } else {
      // Its tries went on and failed; where they stand after an outage is anybody's guess.
      new_grid(candidate, now, false);
    }
    observe(candidate);
  }
  plan_takeover();
}

}  // namespace sim::k8s
