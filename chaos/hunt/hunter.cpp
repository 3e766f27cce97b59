#include "chaos/hunt/hunter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "chaos/hunt/coverage.hpp"
#include "chaos/hunt/symmetry.hpp"
#include "chaos/live_run.hpp"
#include "sim/core/check.hpp"
#include "sim/core/hash.hpp"
#include "sim/models/world.hpp"

namespace chaos::hunt {

namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kBatch = 128;
constexpr std::size_t kRandomBatch = 64;
/// With too many combinations for all of them, single faults are tried at so many instants.
constexpr std::size_t kSweepInstants = 2;
constexpr std::size_t kCorpusMax = 512;
constexpr std::uint64_t kMany = 1'000'000'000'000;
constexpr SimDuration kSecond{std::chrono::seconds(1)};

std::vector<std::uint32_t> actions_of(const Trial& trial) {
  std::vector<std::uint32_t> all;
  for (const PlannedFault& fault : trial) all.push_back(fault.action);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::string key_of(const Trial& trial) {
  std::string key;
  for (const PlannedFault& fault : trial) key += fmt::format("{}@{}+{};", fault.action, fault.at.count(), fault.length ? fault.length->count() : -1);
  return key;
}

/// n over k, no more than kMany.
std::uint64_t choose(std::uint64_t n, std::uint64_t k) {
  std::uint64_t result = 1;
  for (std::uint64_t i = 1; i <= k; ++i) {
    if (n < i) return 0;
    result = result * (n - k + i) / i;
    if (result > kMany) return kMany;
  }
  return result;
}

/// Calls visit(subset) for all subsets of `all` that are neither empty nor whole.
template <class Visit>
void for_each_part(const std::vector<std::uint32_t>& all, Visit&& visit) {
  const std::size_t whole = (std::size_t{1} << all.size()) - 1;
  for (std::size_t mask = 1; mask < whole; ++mask) {
    std::vector<std::uint32_t> part;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if ((mask >> i) & 1) part.push_back(all[i]);
    }
    visit(part);
  }
}

}  // namespace

/// Plans that brought something new, to be varied.
struct Hunter::Corpus {
  struct Entry {
    Trial trial;
    std::uint64_t worth = 0;
    std::uint64_t chosen = 0;
    std::vector<SimDuration> moments;  // at which its faults had consequences
    std::uint64_t energy() const { return std::max<std::uint64_t>(worth * 16 / (1 + chosen), 1); }
  };
  std::vector<Entry> entries;

  void add(Entry entry) {
    entries.push_back(std::move(entry));
    if (entries.size() <= kCorpusMax) return;
    const auto least = std::min_element(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.energy() < b.energy(); });
    entries.erase(least);
  }
};

Hunter::Hunter(const sim::scenario::ScenarioSpec& scenario, HuntOptions options)
    : scenario_(scenario), options_(std::move(options)), corpus_(std::make_unique<Corpus>()) {
  sim::scenario::Diagnostics diagnostics;
  plan_ = read_plan(scenario, diagnostics);
  SIM_CHECK(!diagnostics.has_errors(), "a scenario that is hunted in has passed check_scenario()");
  for (const auto& fault : plan_.faults) taken_names_.push_back(fault->name);
}

Hunter::~Hunter() = default;

const Survey& Hunter::survey() {
  if (surveyed_) return survey_;
  surveyed_ = true;
  Survey& survey = survey_;
  survey.from = options_.from.value_or(scenario_.run.warm_up);
  survey.to = std::min(options_.to.value_or(scenario_.run.until), scenario_.run.until);
  survey.kinds_left_out = kinds_left_out();

  RunOptions run_options;
  LiveRun clean(scenario_, plan_, options_.seed, run_options);
  const Coverage coverage(clean.world());
  const sim::RunEnd end = clean.advance(clean.until());
  const RunOutcome outcome = clean.finish(end);
  sim::World& world = *outcome.world;
  const std::vector<std::uint64_t> features = coverage.features(outcome.verdict, strain_of(outcome.verdict));
  states_.insert(features.begin(), features.end());
  clean_states_ = states_.size();
  for (std::size_t i = 0; i < outcome.verdict.expectations.size(); ++i) {
    const ExpectationResult& expectation = outcome.verdict.expectations[i];
    if (expectation.held) continue;
    survey.broken_already.push_back(i);
    std::string how = expectation.not_judged;
    for (const Measure& measure : expectation.measures) {
      if (!measure.held && how.empty()) how = fmt::format("{} {}", measure.name, format_figure(measure.unit, measure.measured));
    }
    survey.broken_how.push_back({i, "", "", std::move(how)});
  }
  survey.instants = interesting_instants(world.log, survey.from, survey.to, options_.instants_max);
  std::set<std::string> classes;
  for (const sim::EventLog::Record& record : world.log.records()) classes.insert(fmt::format("{} {}", world.log.kind(record), kind_of_subject(world.log.subject(record))));

  // What the scenario's reader, or the world as it is before the start, would refuse is no fault of this scenario.
  survey.actions = list_actions(world, scenario_, options_.choice);
  {
    const std::unique_ptr<sim::World> fresh = LiveRun::build(scenario_, options_.seed);
    FaultEnvironment environment(*fresh, scenario_.nodes_of_pools());
    std::erase_if(survey.actions, [&](const Action& action) {
      std::string error;
      const auto specs = read_trial({action}, {PlannedFault{0, survey.from, action.length}}, {}, error);
      sim::scenario::Diagnostics diagnostics;
      for (const auto& spec : specs) {
        Problems problems(diagnostics, spec->where, spec->name);
        spec->check(environment, problems);
      }
      return !error.empty() || diagnostics.has_errors();
    });
  }
  for (const Action& action : survey.actions) ++survey.kinds[action.kind];

  // Equal at every instant that is tried.
  std::map<std::string, std::string> signature;
  std::vector<std::string> order;
  std::vector<SimDuration> moments;
  for (const Instant& instant : survey.instants.chosen) moments.push_back(instant.at);
  std::sort(moments.begin(), moments.end());
  {
    LiveRun again(scenario_, plan_, options_.seed, run_options);
    for (const SimDuration at : moments) {
      again.advance(SimTime(at));
      for (NodeSignature& one : node_signatures(again.world(), scenario_)) {
        const auto [place, is_new] = signature.try_emplace(one.node);
        if (is_new) order.push_back(one.node);
        place->second += fmt::format("{:x}|", sim::fnv1a(one.signature));
      }
    }
  }
  std::map<std::string, std::size_t> class_of_text;
  std::map<std::string, std::pair<std::size_t, std::size_t>> class_of_node;  // class, rank
  std::vector<std::vector<std::string>> members;
  for (const std::string& node : order) {
    const auto [place, is_new] = class_of_text.try_emplace(signature[node], members.size());
    if (is_new) members.emplace_back();
    class_of_node[node] = {place->second, members[place->second].size()};
    members[place->second].push_back(node);
  }
  for (const auto& one : members) {
    if (one.size() > 1) survey.equal_nodes.push_back(one);
  }
  for (const Action& action : survey.actions) {
    const auto found = class_of_node.find(action.node);
    class_of_.push_back(action.node.empty() || found == class_of_node.end() ? kNone : found->second.first);
    rank_of_.push_back(action.node.empty() || found == class_of_node.end() ? 0 : found->second.second);
  }

  runner_ = std::make_unique<TrialRunner>(scenario_, plan_, survey_.actions, options_.runner);
  runner_->set_known_classes({classes.begin(), classes.end()});

  const std::uint64_t instants = survey.instants.chosen.size();
  for (const std::size_t rank : rank_of_) survey.actions_tried += rank < options_.faults ? 1 : 0;
  std::uint64_t total = 0;
  for (std::size_t k = 1; k <= options_.faults; ++k) {
    std::uint64_t different = 0;
    for (const std::size_t rank : rank_of_) different += rank < k ? 1 : 0;
    std::uint64_t combinations = choose(different * instants, k);
    // Of few, those that are equal to others are counted out.
    if (combinations <= options_.exhaustive_max * 8) combinations = enumerate(k).size();
    survey.combinations.push_back(combinations);
    total += combinations;
    if (total <= options_.exhaustive_max && survey.exhaustive_faults + 1 == k) survey.exhaustive_faults = k;
  }
  return survey_;
}

bool Hunter::is_canonical(const Trial& trial) const {
  // Of equal nodes the first is taken first, then the second, and so on.
  std::map<std::size_t, std::size_t> used;
  for (const PlannedFault& fault : trial) {
    const std::size_t of = class_of_[fault.action];
    if (of == kNone) continue;
    std::size_t& next = used[of];
    if (rank_of_[fault.action] > next) return false;
    if (rank_of_[fault.action] == next) ++next;
  }
  return true;
}

std::vector<Trial> Hunter::enumerate(std::size_t count) const {
  // One of each kind, then the second of each, and so on: who has little time has seen every kind.
  std::vector<std::pair<std::size_t, std::uint32_t>> order;  // place within its kind, action
  std::map<std::string, std::size_t> of_kind;
  for (std::uint32_t i = 0; i < survey_.actions.size(); ++i) {
    if (rank_of_[i] < count) order.emplace_back(of_kind[survey_.actions[i].kind]++, i);
  }
  std::sort(order.begin(), order.end());
  // In the order of the instants' ranks: the most telling first.
  std::vector<PlannedFault> singles;
  for (const Instant& instant : survey_.instants.chosen) {
    for (const auto& entry : order) singles.push_back({entry.second, instant.at, survey_.actions[entry.second].length});
  }
  std::vector<Trial> all;
  Trial trial;
  const auto extend = [&](const auto& self, std::size_t from) -> void {
    if (trial.size() == count) {
      Trial sorted = trial;
      sort(sorted);
      if (actions_of(sorted).size() == count && is_canonical(sorted)) all.push_back(std::move(sorted));
      return;
    }
    for (std::size_t i = from; i < singles.size(); ++i) {
      trial.push_back(singles[i]);
      self(self, i + 1);
      trial.pop_back();
    }
  };
  extend(extend, 0);
  return all;
}

bool Hunter::time_is_up() const { return (options_.time_is_up && options_.time_is_up()) || (options_.stop && options_.stop()); }

void Hunter::report(const HuntResult& result) const {
  if (!options_.progress) return;
  options_.progress({stage_, result.tries, stage_done_, stage_total_, states_.size() - clean_states_, std::max(result.findings.size(), findings_told_)});
}

bool Hunter::is_pointless(const Trial& trial) const {
  const std::vector<std::uint32_t> actions = actions_of(trial);
  std::set<std::size_t> broken(survey_.broken_already.begin(), survey_.broken_already.end());
  for_each_part(actions, [&](const std::vector<std::uint32_t>& part) {
    const auto found = breaks_.find(part);
    if (found != breaks_.end()) broken.insert(found->second.begin(), found->second.end());
  });
  return broken.size() >= plan_.expectations.size();
}

void Hunter::learn(const Trial& trial, const TrialResult& outcome, HuntResult& result) {
  ++result.tries;
  ++stage_done_;
  result.events += outcome.events;
  for (const std::string& what : outcome.not_injected) ++result.not_injected[what.substr(0, what.find(':'))];

  const auto note = [&](const std::string& signature, std::size_t expectation, const std::string& crash) {
    const auto [place, is_new] = by_signature_.try_emplace(signature, result.findings.size());
    if (!is_new) {
      Finding& known = result.findings[place->second];
      ++known.hits;
      // The fewest faults tell most.
      if (trial.size() >= known.found.size()) return;
      known.found = trial;
      known.broken = outcome.broken;
      known.hash = outcome.hash;
      return;
    }
    Finding finding;
    finding.found = trial;
    finding.at_try = result.tries;
    finding.expectation = expectation;
    finding.signature = signature;
    finding.crash = crash;
    finding.broken = outcome.broken;
    finding.hash = outcome.hash;
    result.findings.push_back(std::move(finding));
  };

  if (!outcome.crash.empty()) {
    note("crash " + outcome.crash, kNone, outcome.crash);
    return;
  }
  const std::vector<std::uint32_t> actions = actions_of(trial);
  std::set<std::size_t> known(survey_.broken_already.begin(), survey_.broken_already.end());
  for_each_part(actions, [&](const std::vector<std::uint32_t>& part) {
    const auto found = breaks_.find(part);
    if (found != breaks_.end()) known.insert(found->second.begin(), found->second.end());
  });
  std::set<std::size_t>& breaks = breaks_[actions];
  std::set<std::size_t> told;
  for (const Broken& one : outcome.broken) {
    if (known.contains(one.expectation)) continue;
    breaks.insert(one.expectation);
    // The first broken measure of an expectation stands for it.
    if (told.insert(one.expectation).second) note(fmt::format("{}: {} ({})", plan_.expectations[one.expectation]->name, one.measure, one.signature), one.expectation, {});
  }

  std::uint64_t fresh = 0;
  for (const std::uint64_t feature : outcome.features) fresh += states_.insert(feature).second ? 1 : 0;
  // How near it came to a bound that it does not break: what leads there is worth going on from.
  double strain = 0.0;
  for (std::size_t i = 0; i < outcome.strain.size(); ++i) {
    if (!known.contains(i) && outcome.strain[i] < 1.0) strain = std::max(strain, outcome.strain[i]);
  }
  const auto near = static_cast<std::uint64_t>(std::clamp(strain, 0.0, 1.0) * 4.0);
  if (fresh == 0 && near < 2) return;
  Corpus::Entry entry;
  entry.trial = trial;
  entry.worth = std::bit_width(fresh) + near;
  for (const Reaction& reaction : outcome.reactions) {
    for (const SimDuration beside : {-kBeside, kBeside}) {
      const SimDuration at{std::chrono::floor<std::chrono::milliseconds>(reaction.at) + beside};
      if (at >= survey_.from && at < survey_.to) entry.moments.push_back(at);
    }
  }
  corpus_->add(std::move(entry));
}

bool Hunter::batch(const std::vector<Trial>& trials, HuntResult& result) {
  std::vector<TrialRequest> requests;
  for (const Trial& trial : trials) {
    if (options_.tries_max && result.tries + requests.size() >= *options_.tries_max) break;
    requests.push_back({trial, options_.seed, false, false});
  }
  if (requests.empty()) return false;
  std::size_t arrived = 0;
  const std::vector<TrialResult> outcomes = runner_->run(requests, [this] { return time_is_up(); }, [&](std::size_t, const TrialResult&) {
    ++arrived;
    if (!options_.progress) return;
    options_.progress({stage_, result.tries + arrived, stage_done_ + arrived, stage_total_, states_.size() - clean_states_, result.findings.size()});
  });
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].ran) return false;
    learn(requests[i].trial, outcomes[i], result);
  }
  report(result);
  return !time_is_up() && requests.size() == trials.size();
}

void Hunter::exhaustive(HuntResult& result) {
  const bool all = survey_.exhaustive_faults > 0;
  const std::size_t most = std::max<std::size_t>(survey_.exhaustive_faults, 1);
  for (std::size_t k = 1; k <= most; ++k) {
    std::vector<Trial> trials = enumerate(k);
    if (!all) {
      std::set<SimDuration> moments;
      for (std::size_t i = 0; i < survey_.instants.chosen.size() && i < kSweepInstants; ++i) moments.insert(survey_.instants.chosen[i].at);
      std::erase_if(trials, [&](const Trial& trial) { return !moments.contains(trial.front().at); });
    }
    stage_ = k == 1 ? "single faults" : k == 2 ? "pairs of faults" : "sets of faults";
    stage_done_ = 0;
    stage_total_ = trials.size();
    std::vector<Trial> next;
    for (std::size_t i = 0; i < trials.size(); ++i) {
      tried_.insert(key_of(trials[i]));
      if (is_pointless(trials[i])) {
        ++stage_done_;
      } else {
        next.push_back(std::move(trials[i]));
      }
      if (next.size() < kBatch && i + 1 < trials.size()) continue;
      if (!next.empty() && !batch(next, result)) return;
      next.clear();
    }
  }
  result.exhausted = all && survey_.exhaustive_faults == options_.faults;
}

Trial Hunter::vary(sim::RandomStream& random) {
  const auto below = [&random](std::size_t size) { return static_cast<std::size_t>(random.uniform_int(0, static_cast<std::int64_t>(size) - 1)); };
  std::vector<std::uint32_t> usable;
  for (std::uint32_t i = 0; i < survey_.actions.size(); ++i) {
    if (rank_of_[i] < options_.faults) usable.push_back(i);
  }
  // Kinds first: 400 nodes that can be deleted do not outweigh one rack that can fail.
  std::map<std::string, std::vector<std::uint32_t>> by_kind;
  for (const std::uint32_t action : usable) by_kind[survey_.actions[action].kind].push_back(action);
  std::vector<const std::vector<std::uint32_t>*> kinds;
  for (const auto& entry : by_kind) kinds.push_back(&entry.second);
  const auto any_action = [&] {
    const std::vector<std::uint32_t>& of = *kinds[below(kinds.size())];
    return of[below(of.size())];
  };

  Trial trial;
  std::vector<SimDuration> moments;
  if (!corpus_->entries.empty() && !random.chance(0.1)) {
    std::uint64_t total = 0;
    for (const Corpus::Entry& entry : corpus_->entries) total += entry.energy();
    auto left = static_cast<std::uint64_t>(random.uniform_int(0, static_cast<std::int64_t>(total) - 1));
    for (Corpus::Entry& entry : corpus_->entries) {
      if (left < entry.energy()) {
        trial = entry.trial;
        moments = entry.moments;
        ++entry.chosen;
        break;
      }
      left -= entry.energy();
    }
  }
  const auto any_moment = [&]() -> SimDuration {
    // At once with another fault, when the plan had consequences, or when the clean run does something.
    if (!trial.empty() && random.chance(0.3)) return trial[below(trial.size())].at;
    if (!moments.empty() && random.chance(0.5)) return moments[below(moments.size())];
    return survey_.instants.chosen[below(survey_.instants.chosen.size())].at;
  };
  const auto add = [&] {
    const std::uint32_t action = any_action();
    trial.push_back({action, any_moment(), survey_.actions[action].length});
  };
  const std::size_t steps = random.chance(0.3) ? 2 : 1;
  for (std::size_t step = 0; step < steps; ++step) {
    if (trial.empty()) {
      add();
      continue;
    }
    const std::size_t place = below(trial.size());
    // More faults is what the search is about, so that comes up most often.
    const double what = random.uniform();
    if (what < 0.5 && trial.size() < options_.faults) {
      add();
    } else if (what < 0.65) {
      trial[place].action = any_action();
      trial[place].length = survey_.actions[trial[place].action].length;
    } else if (what < 0.85) {
      trial[place].at = any_moment();
    } else if (what < 0.95 && trial[place].length) {
      trial[place].length = random.chance(0.5) ? *trial[place].length * 4 : std::max(*trial[place].length / 4, kSecond);
    } else if (trial.size() > 1) {
      trial.erase(trial.begin() + static_cast<std::ptrdiff_t>(place));
    } else {
      trial[place].at = any_moment();
    }
  }
  sort(trial);
  return trial;
}

void Hunter::at_random(HuntResult& result) {
  sim::RandomStream random(options_.seed, "hunt/vary", scenario_.metadata.name);
  stage_ = "at random";
  stage_done_ = 0;
  stage_total_ = 0;
  // A small space is used up: then nothing new comes for long.
  constexpr std::size_t kFruitless = 20'000;
  for (;;) {
    std::vector<Trial> trials;
    std::size_t fruitless = 0;
    while (trials.size() < kRandomBatch && fruitless < kFruitless) {
      Trial trial = vary(random);
      if (actions_of(trial).size() == trial.size() && is_canonical(trial) && !is_pointless(trial) && tried_.insert(key_of(trial)).second) {
        trials.push_back(std::move(trial));
      } else {
        ++fruitless;
      }
    }
    if (trials.empty() || !batch(trials, result)) return;
  }
}

HuntResult Hunter::hunt() {
  survey();
  HuntResult result;
  result.nothing_to_break = survey_.broken_already.size() >= plan_.expectations.size();
  if (!result.nothing_to_break && !survey_.actions.empty() && !survey_.instants.chosen.empty()) {
    exhaustive(result);
    // All sets of up to K faults are tried at the clean run's moments; at random there are also the moments of what they bring about, and other lengths.
    if (!time_is_up() && (!options_.tries_max || result.tries < *options_.tries_max)) at_random(result);
  }
  result.states = states_.size() - clean_states_;
  result.interrupted = options_.stop && options_.stop();
  shrink(result);
  result.forked = runner_->forked();
  result.interrupted = options_.stop && options_.stop();
  return result;
}

}  // namespace chaos::hunt
