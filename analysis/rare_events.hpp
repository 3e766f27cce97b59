/// Availabilities of many nines, without waiting for the outage.
///
/// A replication is a plain run of the scenario. Each time that something breaks while all was well (an excursion begins, see chaos/failures/life_cycles), the
/// process is forked: copies of it live through the excursion under hazards that are multiplied, so that a second and a third failure come while the first is
/// being repaired. What a copy loses is multiplied with its likelihood ratio; the plain run goes on as if nothing had been. So
///
///   unavailability = (seconds lost outside of excursions + sum over excursions of the mean of weight x seconds lost) / seconds measured
///
/// which has the expectation of the plain estimate for all laws of failure and repair, queues for people and parts included (Nicola et al. 1993). Components
/// whose law has jumps in it (always, empirical, with a longest) run unbiased in the copies.
///
/// The interval is Student's over the replications. It holds when enough copies saw an outage, no weight dominates, and what is lost outside of excursions is
/// little or was often seen: all are told (`hits`, `largest_share`, `outside_share`), and `is_trusted` says when they are too few or too much.
///
/// Source:     Nicola, Shahabuddin, Heidelberger, Glynn 1993; Shahabuddin 1994; Glasserman et al. 1999 (why splitting, which waits for a level to be reached by
///             plain luck, gains little where the first failure is already the last level before the outage: not offered here).
/// Leaves out: outages whose cause is no failure process (faults at fixed times are in every run as they are, and are not hastened), probabilities of
///             expectations, quantiles. What begins an excursion comes as often as it does: an outage that one rare failure makes by itself is not hastened (and
///             not trusted when it is most of the estimate, or when such a failure was in no run).
/// Checked by: tests/analysis/rare_events_test.cpp, tests/cli/rare_events.py, tests/estimates/closed_forms.py; bench/rare_events_bench.cpp against a Markov chain and against plain replication.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/statistics.hpp"
#include "sim/core/time.hpp"

namespace sim::scenario {
struct ScenarioSpec;
}

namespace analysis {

struct RareEventOptions {
  std::string subject;  // "etcd", "Service/shop/web"
  std::uint64_t first_seed = 1;
  std::size_t replications = 30;
  std::size_t jobs = 1;      // processes; the result does not depend on it
  std::size_t copies = 2;    // of each excursion
  double failures = 0.8;     // to be expected in the first mean repair, under bias
  sim::SimDuration settle = std::chrono::minutes(30);
  std::vector<std::string> processes;  // that may be biased; empty: all
  std::optional<sim::SimTime> until;
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::size_t done, std::size_t total)> progress;
};

/// One replication.
struct RareEventRun {
  std::uint64_t seed = 0;
  double unavailability = 0.0;
  double plain = 0.0;            // of the run without the copies
  double outside = 0.0;          // seconds lost outside of excursions
  double in_excursions = 0.0;    // seconds
  double weighted = 0.0;         // seconds, all excursions
  double weighted_square = 0.0;  // of weight x seconds^2: what the variance of plain runs is made of
  double largest = 0.0;          // of `weighted`, by one excursion
  std::uint64_t openers = 0;     // bit i: process i (below 64) broke what began an excursion
  std::uint64_t excursions = 0;
  std::uint64_t copies = 0;
  std::uint64_t hits = 0;        // copies with a loss
  std::uint64_t events = 0;      // of the plain run
  std::uint64_t copied_events = 0;
  bool complete = false;
};

struct RareEvents {
  std::string subject;
  std::string error;        // it could not be done; the rest is empty then
  bool ran_short = false;   // the error: processes died, or could not be forked
  std::vector<RareEventRun> runs;  // complete ones, by seed
  std::vector<std::string> unbiased;  // processes that run as they are
  double length_seconds = 0.0;        // of one run
  double measured_seconds = 0.0;      // of it, after the warm-up
  sim::ConfidenceInterval unavailability;
  sim::ConfidenceInterval plain;   // from the same runs, without the copies
  std::uint64_t excursions = 0;
  std::uint64_t copies = 0;
  std::uint64_t hits = 0;
  double largest_share = 0.0;      // of the estimate, by one excursion
  std::vector<std::string> unseen;  // processes that may be biased, and began no excursion: what one of their failures does by itself is in no run
  double outside_share = 0.0;
  std::uint64_t outside_runs = 0;  // that lost something outside of excursions
  double excursion_share = 0.0;    // of the time
  /// How many times the events of plain replication for an interval as narrow. 0: unknown (nothing was lost).
  double work_saved = 0.0;
  bool complete = true;
  bool is_trusted = false;
};

/// Forks: to be called while the process has one thread. The scenario has passed check_scenario().
RareEvents estimate_rare_events(const sim::scenario::ScenarioSpec& scenario, const RareEventOptions& options);

std::string rare_events_text(const RareEvents& found, const std::string& scenario, bool colour);
std::string rare_events_json(const RareEvents& found, const std::string& scenario);

}  // namespace analysis
