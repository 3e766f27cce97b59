/// Looks for a combination and timing of faults that breaks an expectation, and shrinks what it finds.
///
/// 1. The space: list_actions() x interesting_instants(), equal nodes once (symmetry.hpp). survey() says what is searched before anything is.
/// 2. Exhaustively: all sets of 1 fault, of 2, ... up to K, as long as all of them together are no more than HuntOptions::exhaustive_max; else all
///    single faults at the most telling instants.
/// 3. At random beyond: plans that reached new states, or came near a bound, are varied (a fault more or less, another element, another moment, among them
///    the moments at which the plan's own faults had consequences; another length), those that brought more new states more often.
/// 4. What breaks an expectation that no part of it breaks is a finding. Findings are told apart by (expectation, kinds along the chain of causes).
/// 5. Each is shrunk: fewest faults, then the shortest, then the latest start at which the expectation is still broken, and run under several seeds.
///
/// Deterministic: what is found depends on the scenario, the seed and the number of tries only, not on time, nor on the number of jobs. Tries are made in
/// batches of fixed size; one that is stopped in the middle of a batch counts those of its tries that have no gap before them.
///
/// Leaves out: faults that come more than once; two faults of one element at one instant when one includes the other.
/// Checked by: tests/chaos/hunt_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "chaos/hunt/action.hpp"
#include "chaos/hunt/instants.hpp"
#include "chaos/hunt/trial_runner.hpp"
#include "sim/scenario/scenario.hpp"

namespace chaos::hunt {

struct HuntProgress {
  const char* stage = "";  // "single faults", "pairs", "at random", "shrinking"
  std::uint64_t tries = 0;
  std::uint64_t tries_of_stage = 0;
  std::uint64_t stage_total = 0;  // 0: no end
  std::size_t states = 0;
  std::size_t findings = 0;
};

struct HuntOptions {
  std::size_t faults = 2;  // at most, at once
  ActionChoice choice;
  std::optional<SimDuration> from;  // of the faults; absent: the end of the warm-up
  std::optional<SimDuration> to;    // absent: the end of the run
  std::uint64_t seed = 1;
  std::optional<std::uint64_t> tries_max;  // absent: until stopped
  std::uint64_t exhaustive_max = 5000;
  std::size_t instants_max = 32;
  std::size_t findings_max = 10;   // that are shrunk
  std::size_t verify_seeds = 10;
  RunnerOptions runner;
  /// Time is up: the search ends, and what was found is shrunk.
  std::function<bool()> time_is_up;
  /// Ctrl-C: everything ends.
  std::function<bool()> stop;
  std::function<void(const HuntProgress&)> progress;
};

/// What is searched.
struct Survey {
  std::vector<Action> actions;
  Instants instants;
  std::map<std::string, std::size_t> kinds;         // actions by kind
  std::vector<std::string> kinds_left_out;
  std::vector<std::vector<std::string>> equal_nodes;  // classes of more than one; of each no more than K are tried
  std::size_t actions_tried = 0;                      // without equals
  std::vector<std::uint64_t> combinations;            // of 1, 2 ... K faults
  std::size_t exhaustive_faults = 0;                  // up to so many all combinations are tried
  SimDuration from{};
  SimDuration to{};
  std::vector<std::size_t> broken_already;            // expectations that the scenario breaks as it is: not searched for
  std::vector<Broken> broken_how;                     // in words
};

struct Finding {
  Trial found;             // as it was found first
  Trial minimal;           // after shrinking; empty: it was not (see `shrunk`)
  bool shrunk = false;
  std::uint64_t at_try = 0;
  std::size_t expectation = 0;
  std::string signature;
  std::string crash;       // Squall itself came to no end; expectation does not count then
  std::uint64_t hits = 1;  // tries of this make
  std::vector<Broken> broken;  // by the minimal trial (else the found one), under the hunt's seed
  std::vector<Why> whys;       // beside `broken`
  std::string hash;            // its event-log hash
  std::size_t seeds_tried = 0;
  std::size_t seeds_failed = 0;  // of them break the expectation
};

struct HuntResult {
  std::vector<Finding> findings;  // the fewest faults first
  std::uint64_t tries = 0;
  std::uint64_t shrink_tries = 0;
  std::uint64_t forked = 0;
  std::uint64_t events = 0;  // simulated by children in all
  std::size_t states = 0;    // features seen that the clean run does not have
  std::size_t left_out = 0;  // findings beyond findings_max: told, not shrunk
  bool exhausted = false;    // all combinations of Survey::exhaustive_faults were tried
  bool interrupted = false;
  bool nothing_to_break = false;  // the scenario breaks all of its expectations by itself, or has none
  std::map<std::string, std::uint64_t> not_injected;  // kinds of faults that matched nothing or failed, how often
};

class Hunter {
 public:
  /// The scenario has passed check_scenario(), and outlives it.
  Hunter(const sim::scenario::ScenarioSpec& scenario, HuntOptions options);
  ~Hunter();

  /// Runs the scenario as it is, and says what there is to search.
  const Survey& survey();
  HuntResult hunt();

  const Plan& plan() const { return plan_; }
  const std::vector<Action>& actions() const { return survey_.actions; }
  /// Names of the scenario's own faults.
  const std::vector<std::string>& taken_names() const { return taken_names_; }

 private:
  struct Corpus;
  bool is_canonical(const Trial& trial) const;
  std::vector<Trial> enumerate(std::size_t count) const;
  bool batch(const std::vector<Trial>& trials, HuntResult& result);
  void learn(const Trial& trial, const TrialResult& outcome, HuntResult& result);
  bool is_pointless(const Trial& trial) const;
  bool time_is_up() const;
  void exhaustive(HuntResult& result);
  void at_random(HuntResult& result);
  Trial vary(sim::RandomStream& random);
  void shrink(HuntResult& result);
  std::vector<std::size_t> count_outcomes(const std::vector<Trial>& trials, const std::vector<std::uint64_t>& seeds, const Finding& finding, HuntResult& result);
  void shrink_one(Finding& finding, HuntResult& result);
  void report(const HuntResult& result) const;

  const sim::scenario::ScenarioSpec& scenario_;
  HuntOptions options_;
  Plan plan_;
  std::vector<std::string> taken_names_;
  Survey survey_;
  bool surveyed_ = false;
  std::vector<std::size_t> class_of_;  // of each action's node: which class of equal nodes; kNone: of no node
  std::vector<std::size_t> rank_of_;   // its place in that class
  std::unique_ptr<TrialRunner> runner_;
  std::set<std::uint64_t> states_;     // features of the clean run, and of all tries
  std::size_t clean_states_ = 0;
  std::set<std::string> tried_;
  std::map<std::vector<std::uint32_t>, std::set<std::size_t>> breaks_;  // by set of actions: expectations that they break
  std::map<std::string, std::size_t> by_signature_;                     // index of the finding
  std::unique_ptr<Corpus> corpus_;
  const char* stage_ = "";
  std::uint64_t stage_done_ = 0;
  std::uint64_t stage_total_ = 0;
  std::size_t findings_told_ = 0;  // while they are being sorted
};

}  // namespace chaos::hunt
