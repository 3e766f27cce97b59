// Shrinking: fewest faults, shortest, latest; each step by runs from the start.
#include <algorithm>
#include <set>

#include "chaos/hunt/hunter.hpp"

namespace chaos::hunt {

namespace {

constexpr SimDuration kSecond{std::chrono::seconds(1)};
/// Seeds that a shrunk plan must not do worse in than the plan that was found; the hunt's own is the first.
constexpr std::size_t kShrinkSeeds = 3;
constexpr std::size_t kExplainedMax = 10;
/// Lengths and times are found to the second, or to a hundredth of what is searched.
SimDuration resolution(SimDuration span) { return std::max(kSecond, SimDuration(std::chrono::floor<std::chrono::seconds>(span / 100))); }
SimDuration whole(SimDuration span) { return std::chrono::floor<std::chrono::seconds>(span); }

/// All faults of `part` are in `whole`, whenever they are.
bool contains(const Trial& whole, const Trial& part) {
  return std::all_of(part.begin(), part.end(), [&](const PlannedFault& fault) {
    return std::any_of(whole.begin(), whole.end(), [&](const PlannedFault& one) { return one.action == fault.action; });
  });
}

bool breaks_it(const Finding& finding, std::size_t expectation) {
  return finding.expectation == expectation || std::any_of(finding.broken.begin(), finding.broken.end(), [&](const Broken& one) { return one.expectation == expectation; });
}

bool same_outcome(const Finding& finding, const TrialResult& outcome) {
  if (!finding.crash.empty()) return !outcome.crash.empty();
  return std::any_of(outcome.broken.begin(), outcome.broken.end(), [&](const Broken& one) { return one.expectation == finding.expectation; });
}

}  // namespace

/// For each trial, in how many of the seeds it has the finding's outcome.
std::vector<std::size_t> Hunter::count_outcomes(const std::vector<Trial>& trials, const std::vector<std::uint64_t>& seeds, const Finding& finding, HuntResult& result) {
  std::vector<TrialRequest> requests;
  for (const Trial& trial : trials) {
    for (const std::uint64_t seed : seeds) requests.push_back({trial, seed, true, false});
  }
  const std::vector<TrialResult> outcomes = runner_->run(requests, options_.stop);
  result.shrink_tries += requests.size();
  std::vector<std::size_t> counts(trials.size(), 0);
  for (std::size_t i = 0; i < outcomes.size(); ++i) counts[i / seeds.size()] += outcomes[i].ran && same_outcome(finding, outcomes[i]) ? 1 : 0;
  stage_done_ = result.shrink_tries;
  report(result);
  return counts;
}

void Hunter::shrink_one(Finding& finding, HuntResult& result) {
  const auto stopped = [&] { return options_.stop && options_.stop(); };
  // Only seeds in which the plan fails as it was found can tell whether a smaller one still does.
  std::vector<std::uint64_t> seeds;
  for (std::size_t i = 0; i < kShrinkSeeds; ++i) {
    const std::uint64_t seed = options_.seed + i;
    if (count_outcomes({finding.found}, {seed}, finding, result).front() == 1) seeds.push_back(seed);
  }
  if (seeds.empty() || seeds.front() != options_.seed || stopped()) return;
  /// Which of them have the finding's outcome still, in all of these seeds.
  const auto still = [&](const std::vector<Trial>& trials) {
    std::vector<std::size_t> which;
    const std::vector<std::size_t> counts = count_outcomes(trials, seeds, finding, result);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] == seeds.size()) which.push_back(i);
    }
    return which;
  };
  const auto holds = [&](Trial trial) {
    sort(trial);
    return !still({std::move(trial)}).empty();
  };

  // Fewest faults. With few of them, taking one away after the other until none can go is what ddmin comes to.
  Trial now = finding.found;
  for (bool smaller = true; smaller && now.size() > 1 && !stopped();) {
    smaller = false;
    std::vector<Trial> without;
    for (std::size_t i = 0; i < now.size(); ++i) {
      without.push_back(now);
      without.back().erase(without.back().begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (const std::vector<std::size_t> which = still(without); !which.empty()) {
      now = without[which.front()];
      smaller = true;
    }
  }

  // Shortest: between what is too short and what is enough.
  for (std::size_t i = 0; i < now.size() && !stopped(); ++i) {
    if (!now[i].length) continue;
    Trial tried = now;
    tried[i].length = kSecond;
    if (holds(tried)) {
      now = tried;
      continue;
    }
    SimDuration too_short = kSecond;
    while (*now[i].length - too_short > resolution(*now[i].length) && !stopped()) {
      tried = now;
      tried[i].length = whole(too_short + (*now[i].length - too_short) / 2);
      if (*tried[i].length <= too_short) break;
      if (holds(tried)) {
        now = tried;
      } else {
        too_short = *tried[i].length;
      }
    }
  }

  // Latest, all of them by the same time first, so that the time between them stays; then each alone. A fault ends before the run does.
  const auto latest = [&](const std::vector<std::size_t>& moved) {
    SimDuration most{SimDuration::max()};
    for (const std::size_t i : moved) most = std::min(most, survey_.to - now[i].length.value_or(SimDuration::zero()) - now[i].at - kSecond);
    const auto shifted = [&](SimDuration by) {
      Trial tried = now;
      for (const std::size_t i : moved) tried[i].at += by;
      return tried;
    };
    most = whole(most);
    if (most < kSecond) return;
    if (holds(shifted(most))) {
      now = shifted(most);
      return;
    }
    SimDuration good{};
    SimDuration bad = most;
    while (bad - good > resolution(most) && !stopped()) {
      const SimDuration middle = whole(good + (bad - good) / 2);
      if (middle <= good) break;
      if (holds(shifted(middle))) {
        good = middle;
      } else {
        bad = middle;
      }
    }
    now = shifted(good);
  };
  std::vector<std::size_t> all(now.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  if (!stopped()) latest(all);
  for (std::size_t i = 0; now.size() > 1 && i < now.size() && !stopped(); ++i) latest({i});
  if (stopped()) return;

  sort(now);
  finding.minimal = std::move(now);
  finding.shrunk = true;
}

void Hunter::shrink(HuntResult& result) {
  std::vector<Finding>& findings = result.findings;
  stage_ = "shrinking";
  stage_done_ = 0;
  stage_total_ = 0;
  findings_told_ = findings.size();
  // Fewest faults first; of these one of each expectation before the second of any.
  std::map<std::size_t, std::size_t> seen;
  std::vector<std::pair<std::size_t, Finding>> order;
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) { return a.found.size() < b.found.size(); });
  for (Finding& finding : findings) {
    const std::size_t turn = seen[finding.expectation]++;
    order.emplace_back(turn, std::move(finding));
  }
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  findings.clear();
  std::vector<Finding> kept;
  std::map<std::vector<std::string>, std::size_t> by_faults;  // what is done, without to whom and when: index in kept
  for (auto& entry : order) {
    Finding& finding = entry.second;
    if (kept.size() >= options_.findings_max || (options_.stop && options_.stop())) {
      // It would most likely shrink to one that is there.
      const auto same = std::find_if(kept.begin(), kept.end(), [&](const Finding& one) { return one.shrunk && contains(finding.found, one.minimal) && breaks_it(one, finding.expectation); });
      if (same != kept.end()) {
        same->hits += finding.hits;
        continue;
      }
      ++result.left_out;
      kept.push_back(std::move(finding));
      continue;
    }
    shrink_one(finding, result);
    const Trial& trial = finding.shrunk ? finding.minimal : finding.found;
    // The same faults that break several expectations, or one by several ways, are one finding.
    std::vector<std::string> faults;
    for (const PlannedFault& fault : trial) faults.push_back(survey_.actions[fault.action].text());
    if (!finding.crash.empty()) faults.push_back(finding.crash);
    const auto [place, is_new] = by_faults.try_emplace(faults, kept.size());
    if (!is_new) {
      kept[place->second].hits += finding.hits;
      continue;
    }
    kept.push_back(std::move(finding));
  }
  std::size_t unshrunk = 0;
  for (Finding& finding : kept) {
    if (options_.stop && options_.stop()) break;
    // Of those that are only listed, the first get their chains of causes; what they break is known from when they were found.
    if (!finding.shrunk && ++unshrunk > kExplainedMax) continue;
    const Trial& trial = finding.shrunk ? finding.minimal : finding.found;
    std::vector<TrialRequest> requests;
    for (std::size_t i = 0; i < std::max<std::size_t>(finding.shrunk ? options_.verify_seeds : 1, 1); ++i) requests.push_back({trial, options_.seed + i, true, i == 0});
    const std::vector<TrialResult> outcomes = runner_->run(requests, options_.stop);
    result.shrink_tries += requests.size();
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i].ran) continue;
      ++finding.seeds_tried;
      finding.seeds_failed += same_outcome(finding, outcomes[i]) ? 1 : 0;
      if (i != 0) continue;
      finding.broken = outcomes[i].broken;
      finding.whys = outcomes[i].whys;
      finding.hash = outcomes[i].hash;
    }
  }
  findings = std::move(kept);
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    const auto faults = [](const Finding& finding) { return (finding.shrunk ? finding.minimal : finding.found).size(); };
    return std::make_pair(!a.shrunk, faults(a)) < std::make_pair(!b.shrunk, faults(b));
  });
}

}  // namespace chaos::hunt
