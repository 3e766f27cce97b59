#include "analysis/survival.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "analysis/parallel.hpp"
#include "sim/core/check.hpp"
#include "sim/models/ceph/placement_groups/pg.hpp"

namespace analysis {

namespace {

using sim::SimDuration;
using sim::ceph::ClusterConfig;
using sim::ceph::kNoOsd;

constexpr std::uint32_t kWeightIn = 0x10000;
// Of the closed estimate, seconds. A silent OSD: its last answered ping is 0 to 6 s old, the report waits 0 to 5 s, the map and peering 2 s (platform 2.1, 2.5).
constexpr double kReportSeconds = 3.0 + 2.5 + 2.0;
constexpr double kRefusedSeconds = 3.0;  // a daemon whose host refuses connections is down in 1 to 2 s; then peering
// The monitors' tick after the down-out interval (0 to 5 s), and peering.
constexpr double kOutSeconds = 2.5 + 2.0;
constexpr double kSlotUse = 0.6;  // of the disks' time while one backfill slot each is filled and emptied (platform 2.7, proposed)

void add_sorted(std::vector<std::size_t>& to, const std::vector<std::size_t>& from) { to.insert(to.end(), from.begin(), from.end()); }
template <class T>
void make_set(std::vector<T>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
}

/// All of the analysis that needs only the placement.
class Analysis {
 public:
  Analysis(const ClusterConfig& config, const std::vector<SurvivalElement>& elements, const SurvivalOptions& options)
      : config_(config), elements_(elements), options_(options), placement_(config), needed_mons_(config.mons.size() / 2 + 1),
        location_(config.osds.size()), seen_(placement_.pgs(), 0) {
    for (std::size_t i = 0; i < config.osds.size(); ++i) {
      const auto host = std::find_if(config.hosts.begin(), config.hosts.end(), [&](const sim::ceph::HostConfig& one) { return one.host == config.osds[i].host; });
      location_[i] = static_cast<std::size_t>(host - config.hosts.begin());
    }
    osds_on_.resize(config.hosts.size());
    for (std::size_t i = 0; i < location_.size(); ++i) osds_on_[location_[i]].push_back(static_cast<int>(i));
    mons_on_.resize(config.hosts.size());
    for (std::size_t m = 0; m < config.mons.size(); ++m) {
      for (std::size_t h = 0; h < config.hosts.size(); ++h) {
        if (config.hosts[h].host == config.mons[m].host) mons_on_[h].push_back(m);
      }
    }
    // What does not work with nothing broken: PGs that CRUSH gives fewer members than min_size.
    short_.resize(placement_.pools().size());
    for (std::size_t pg = 0; pg < placement_.pgs(); ++pg) {
      const Placement::PoolFacts& pool = placement_.pools()[placement_.pool_of(pg)];
      const std::size_t members = count(pg, [](int) { return true; });
      if (members >= pool.min_size) continue;
      PoolEffect& effect = short_[placement_.pool_of(pg)];
      ++effect.paused;
      ++effect.stopped;
      effect.held += members < pool.needed ? 1 : 0;
      effect.back = kNeverBack;
    }
  }

  const Placement& placement() const { return placement_; }
  std::size_t needed_mons() const { return needed_mons_; }

  Damage damage_of(const std::vector<std::uint32_t>& combination) const {
    Damage damage;
    std::vector<std::size_t> places;
    for (const std::uint32_t index : combination) {
      const SurvivalElement& element = elements_[index];
      if (element.kind == ElementClass::kRack) places.push_back(index);
      add_sorted(damage.hosts, element.hosts);
      damage.disks.insert(damage.disks.end(), element.disks.begin(), element.disks.end());
      add_sorted(damage.mons, element.mons);
      if (element.kind == ElementClass::kNode && options_.nodes_destroyed) {
        for (const std::size_t host : element.hosts) damage.disks.insert(damage.disks.end(), osds_on_[host].begin(), osds_on_[host].end());
      }
    }
    if (places.size() > 1 && options_.hosts_lost) add_sorted(damage.hosts, options_.hosts_lost(places));
    make_set(damage.hosts);
    make_set(damage.disks);
    // A monitor that died with its host need not be killed again.
    for (const std::size_t host : damage.hosts) {
      for (const std::size_t mon : mons_on_[host]) std::erase(damage.mons, mon);
    }
    make_set(damage.mons);
    return damage;
  }

  void judge(const Damage& damage, Combination& result) {
    down_.assign(location_.size(), 0);
    destroyed_.assign(location_.size(), 0);
    std::size_t mons_down = damage.mons.size();
    bool silent = false;
    for (const std::size_t host : damage.hosts) {
      mons_down += mons_on_[host].size();
      for (const int osd : osds_on_[host]) {
        down_[static_cast<std::size_t>(osd)] = 1;
        silent = true;
      }
    }
    for (const int disk : damage.disks) down_[static_cast<std::size_t>(disk)] = destroyed_[static_cast<std::size_t>(disk)] = 1;
    result.quorum = config_.mons.size() - mons_down >= needed_mons_;
    result.pools = short_;
    const auto down_count = static_cast<std::size_t>(std::count(down_.begin(), down_.end(), 1));
    if (down_count == 0) return;
    const bool marked = result.quorum && down_count <= markable();

    ++round_;
    touched_.clear();
    for (std::size_t osd = 0; osd < down_.size(); ++osd) {
      if (down_[osd] == 0) continue;
      for (const std::uint32_t pg : placement_.pgs_of(static_cast<int>(osd))) {
        if (std::exchange(seen_[pg], round_) != round_) touched_.push_back(pg);
      }
    }
    stopped_.clear();
    for (const std::uint32_t pg : touched_) {
      const Placement::PoolFacts& pool = placement_.pools()[placement_.pool_of(pg)];
      PoolEffect& effect = result.pools[placement_.pool_of(pg)];
      const std::size_t members = count(pg, [](int) { return true; });
      const std::size_t live = count(pg, [&](int osd) { return down_[static_cast<std::size_t>(osd)] == 0; });
      const std::size_t whole = count(pg, [&](int osd) { return destroyed_[static_cast<std::size_t>(osd)] == 0; });
      if (members < pool.min_size) {  // counted in short_ as far as nothing fails
        effect.held += live < pool.needed && members >= pool.needed ? 1 : 0;
      } else {
        ++effect.paused;
        if (!marked || live < pool.min_size) {
          ++effect.stopped;
          stopped_.push_back(pg);
        }
        effect.held += live < pool.needed ? 1 : 0;
      }
      effect.lost += whole < pool.needed && members >= pool.needed ? 1 : 0;
    }
    estimate(silent, marked, result);
  }

 private:
  template <class Is>
  std::size_t count(std::size_t pg, Is&& is) const {
    std::size_t found = 0;
    for (const int osd : placement_.members(pg)) found += osd != kNoOsd && is(osd) ? 1u : 0u;
    return found;
  }

  /// How many OSDs the monitors mark down before fewer than mon_osd_min_up_ratio are up. Of more, it depends on the order of the reports who stays up;
  /// every PG that has lost a member then counts as stopped.
  std::size_t markable() const {
    const std::size_t all = location_.size();
    std::size_t marks = 0;
    while (marks < all && static_cast<double>(all - marks) / static_cast<double>(all) >= config_.osd.min_up_ratio) ++marks;
    return marks;
  }

  /// From the failure until its OSDs are marked down and the rest has peered.
  double markdown_seconds(bool silent) const {
    if (!silent) return kRefusedSeconds;
    std::set<std::pair<std::size_t, std::string>> reporters;
    for (std::size_t osd = 0; osd < down_.size(); ++osd) {
      if (down_[osd] != 0) continue;
      const std::size_t host = location_[osd];
      const std::string& level = config_.osd.reporter_subtree_level;
      const std::string& rack = config_.hosts[host].rack;
      if (level == "osd") reporters.emplace(osd, "");
      else if (level == "rack" && !rack.empty()) reporters.emplace(0, rack);
      else reporters.emplace(host, "");
    }
    // Too few to report: the daemon's beacon to the monitors times out.
    if (std::ssize(reporters) < config_.osd.min_down_reporters) return sim::seconds(config_.osd.report_timeout);
    return sim::seconds(config_.osd.heartbeat_grace) + kReportSeconds;
  }

  bool subtree_is_down(std::size_t osd) const {
    const std::string& level = config_.osd.down_out_subtree_limit;
    const std::string& rack = config_.hosts[location_[osd]].rack;
    if (level.empty() || (level == "rack" && rack.empty())) return false;
    for (std::size_t other = 0; other < down_.size(); ++other) {
      const bool inside = level == "host" ? location_[other] == location_[osd] : level == "rack" ? config_.hosts[location_[other]].rack == rack : true;
      if (inside && down_[other] == 0) return false;
    }
    return true;
  }

  /// The weights after everything was marked out that may be, in the order of the ids.
  std::vector<std::uint32_t> weights_after_out() const {
    std::vector<std::uint32_t> weights(down_.size(), kWeightIn);
    std::size_t in = down_.size();
    if (config_.osd.down_out_interval == SimDuration::zero()) return weights;
    for (std::size_t osd = 0; osd < down_.size(); ++osd) {
      if (down_[osd] == 0 || subtree_is_down(osd)) continue;
      if (static_cast<double>(in) / static_cast<double>(down_.size()) < config_.osd.min_in_ratio) break;
      weights[osd] = 0;
      --in;
    }
    return weights;
  }

  /// Bytes a second that recovery has of a disk, as Recovery::disk_capacity has it with all up disks at work.
  double recovery_rate(std::size_t osd) const {
    const sim::ceph::OsdConfig& disk = config_.osds[osd];
    const sim::ceph::OsdOptions& options = config_.osd;
    const double bandwidth = disk.bandwidth > 0.0 ? disk.bandwidth : disk.device_class == "hdd" ? options.bandwidth_hdd : options.bandwidth_ssd;
    double clients = 0.0;
    for (std::size_t i = 0; i < config_.pools.size(); ++i) {
      const Placement::PoolFacts& pool = placement_.pools()[i];
      clients += config_.pools[i].client_bytes_per_second * static_cast<double>(pool.size) / static_cast<double>(pool.needed);
    }
    clients /= static_cast<double>(std::max<std::ptrdiff_t>(1, std::count(down_.begin(), down_.end(), 0)));
    const double left = std::max(0.0, bandwidth - clients);
    double share = 0.05;
    if (options.op_queue == sim::ceph::OpQueue::kMclock) {
      switch (options.mclock_profile) {
        case sim::ceph::MclockProfile::kBalanced: share = 0.5; break;
        case sim::ceph::MclockProfile::kHighClientOps: share = 0.4; break;
        case sim::ceph::MclockProfile::kHighRecoveryOps: share = 0.7; break;
      }
    }
    return std::min(std::max(left, share * bandwidth), config_.hosts[location_[osd]].cluster_bytes_per_second);
  }

  /// When I/O is back, by arithmetic: markdown; the down-out interval; then every disk copies what the stopped PGs give it to read and to write.
  void estimate(bool silent, bool marked, Combination& result) {
    const double markdown = markdown_seconds(silent);
    for (std::size_t i = 0; i < result.pools.size(); ++i) {
      PoolEffect& effect = result.pools[i];
      if (effect.paused == 0) continue;
      if (effect.back == kNeverBack) continue;  // does not work with nothing broken
      effect.back = effect.stopped == 0 ? sim::from_seconds(markdown) : !marked || effect.held > 0 ? kNeverBack : SimDuration::zero();
    }
    if (!marked || stopped_.empty()) return;
    const std::vector<std::uint32_t> weights = weights_after_out();
    std::vector<double> bytes(down_.size(), 0.0);
    for (const std::uint32_t pg : stopped_) {
      const std::size_t index = placement_.pool_of(pg);
      const Placement::PoolFacts& pool = placement_.pools()[index];
      PoolEffect& effect = result.pools[index];
      if (effect.back == kNeverBack) continue;
      const std::vector<int> now = placement_.members_with(pg, weights);
      std::size_t up = 0;
      int source = kNoOsd;
      for (const int osd : placement_.members(pg)) {
        if (osd != kNoOsd && down_[static_cast<std::size_t>(osd)] == 0 && source == kNoOsd) source = osd;
      }
      const std::vector<int>& before = placement_.members(pg);
      for (std::size_t slot = 0; slot < now.size(); ++slot) {
        const int osd = now[slot];
        if (osd == kNoOsd || down_[static_cast<std::size_t>(osd)] != 0) continue;
        ++up;
        const bool has_it = config_.pools[index].erasure ? slot < before.size() && before[slot] == osd : std::find(before.begin(), before.end(), osd) != before.end();
        if (has_it) continue;
        bytes[static_cast<std::size_t>(osd)] += pool.shard_bytes;
        if (source != kNoOsd) bytes[static_cast<std::size_t>(source)] += pool.shard_bytes;
      }
      if (up < pool.min_size) effect.back = kNeverBack;
    }
    double copying = 0.0;
    for (std::size_t osd = 0; osd < bytes.size(); ++osd) {
      if (bytes[osd] > 0.0) copying = std::max(copying, bytes[osd] / (recovery_rate(osd) * kSlotUse));
    }
    for (PoolEffect& effect : result.pools) {
      if (effect.stopped == 0 || effect.back == kNeverBack) continue;
      effect.back = sim::from_seconds(markdown + sim::seconds(config_.osd.down_out_interval) + kOutSeconds + copying);
    }
  }

  const ClusterConfig& config_;
  const std::vector<SurvivalElement>& elements_;
  const SurvivalOptions& options_;
  Placement placement_;
  std::size_t needed_mons_;
  std::vector<std::size_t> location_;  // by OSD
  std::vector<std::vector<int>> osds_on_;
  std::vector<std::vector<std::size_t>> mons_on_;
  std::vector<PoolEffect> short_;
  // Of the combination at hand.
  std::vector<char> down_;
  std::vector<char> destroyed_;
  std::vector<std::uint32_t> seen_;
  std::uint32_t round_ = 0;
  std::vector<std::uint32_t> touched_;
  std::vector<std::uint32_t> stopped_;
};

/// Calls `visit` with every ascending choice of `size` of `count` indices.
template <class Visit>
void each_choice(std::size_t count, std::size_t size, Visit&& visit) {
  if (size > count) return;
  std::vector<std::uint32_t> chosen(size);
  for (std::size_t i = 0; i < size; ++i) chosen[i] = static_cast<std::uint32_t>(i);
  for (;;) {
    visit(chosen);
    std::size_t i = size;
    while (i > 0 && chosen[i - 1] == count - size + i - 1) --i;
    if (i == 0) return;
    ++chosen[i - 1];
    for (; i < size; ++i) chosen[i] = chosen[i - 1] + 1;
  }
}

/// Probability that more than `faults` elements are broken at once. Sums of positive terms only: nothing cancels.
double beyond(const std::vector<SurvivalElement>& elements, std::size_t faults) {
  std::vector<double> broken(faults + 1, 0.0);
  broken[0] = 1.0;
  double more = 0.0;
  for (const SurvivalElement& element : elements) {
    const double u = element.times.unavailability();
    more += broken[faults] * u;
    for (std::size_t n = faults; n > 0; --n) broken[n] = broken[n] * (1.0 - u) + broken[n - 1] * u;
    broken[0] *= 1.0 - u;
  }
  return more;
}

/// P(S) = product of u over what is broken, and of 1 - u over the rest. How often something begins not to work: by balance, as often as it ends, and it
/// ends when an element is repaired without which the rest is harmless.
void add_probabilities(Survival& result) {
  std::map<std::vector<std::uint32_t>, std::size_t> index;
  double none = 1.0;
  for (const SurvivalElement& element : result.elements) none *= 1.0 - element.times.unavailability();
  for (std::size_t i = 0; i < result.combinations.size(); ++i) {
    Combination& combination = result.combinations[i];
    combination.probability = none;
    for (const std::uint32_t e : combination.elements) {
      const double u = result.elements[e].times.unavailability();
      combination.probability *= u / (1.0 - u);
    }
    index[combination.elements] = i;
  }
  for (const Combination& combination : result.combinations) {
    std::vector<std::pair<const Combination*, double>> repaired;  // what is left, and the rate of that repair a year
    for (std::size_t i = 0; i < combination.elements.size(); ++i) {
      std::vector<std::uint32_t> rest = combination.elements;
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
      repaired.emplace_back(&result.combinations[index.at(rest)], kHoursPerYear / result.elements[combination.elements[i]].times.to_repair);
    }
    const auto rate_to = [&](auto&& works) {
      double rate = 0.0;
      for (const auto& [rest, per_year] : repaired) rate += works(*rest) ? per_year : 0.0;
      return rate;
    };
    if (!combination.quorum) {
      result.quorum.unavailability += combination.probability;
      result.quorum.per_year += combination.probability * rate_to([](const Combination& rest) { return rest.quorum; });
    }
    for (std::size_t p = 0; p < result.pools.size(); ++p) {
      if (combination.pools[p].stopped > 0) {
        result.pools[p].io.unavailability += combination.probability;
        result.pools[p].io.per_year += combination.probability * rate_to([p](const Combination& rest) { return rest.pools[p].stopped == 0; });
      }
      if (combination.pools[p].lost > 0) {
        result.pools[p].losses_per_year += combination.probability * rate_to([p](const Combination& rest) { return rest.pools[p].lost == 0; });
      }
    }
  }
}

/// Replaces the estimates of some combinations by what the cluster does. Equal damage is run once.
void add_simulations(const ClusterConfig& config, const SurvivalOptions& options, const std::vector<Damage>& damages, Survival& result) {
  const auto choose = [&](auto&& wanted) {
    std::map<Damage, std::vector<std::size_t>> runs;
    for (std::size_t i = 0; i < result.combinations.size(); ++i) {
      if (!damages[i].hosts.empty() || !damages[i].disks.empty()) {
        if (wanted(result.combinations[i])) runs[damages[i]].push_back(i);
      }
    }
    return runs;
  };
  std::map<Damage, std::vector<std::size_t>> chosen = choose([](const Combination& c) { return c.is_touched(); });
  if (chosen.size() > options.simulate_max) chosen = choose([](const Combination& c) { return c.stops(); });
  if (chosen.size() > options.simulate_max || chosen.empty()) return;

  const std::vector<std::pair<Damage, std::vector<std::size_t>>> runs(chosen.begin(), chosen.end());
  const auto simulate = [&](std::size_t run) { return simulate_loss(config, runs[run].first, options.seed, options.horizon, options.stop); };
  std::vector<SimulatedLoss> losses(runs.size());
  if (options.share) {
    losses = options.share(runs.size(), simulate);
    SIM_CHECK(losses.size() == runs.size(), "whoever shares the runs answers for each");
  } else {
    for (SimulatedLoss& loss : losses) loss.complete = false;
    std::mutex report;
    std::size_t done = 0;
    const auto task = [&](std::size_t run) {
      losses[run] = simulate(run);
      const std::lock_guard<std::mutex> lock(report);
      if (losses[run].complete) ++done;
      if (options.progress) options.progress(done, runs.size());
    };
    for_each_task(runs.size(), options.jobs, task, options.stop);
  }
  for (std::size_t run = 0; run < runs.size(); ++run) {
    result.complete = result.complete && losses[run].complete;
    if (!losses[run].complete) continue;
    for (const std::size_t i : runs[run].second) {
      Combination& combination = result.combinations[i];
      combination.simulated = true;
      for (std::size_t p = 0; p < combination.pools.size(); ++p) combination.pools[p].back = losses[run].back[p];
    }
  }
}

}  // namespace

const char* to_string(ElementClass kind) {
  switch (kind) {
    case ElementClass::kNode: return "node";
    case ElementClass::kRack: return "rack";
    case ElementClass::kDisk: return "disk";
    case ElementClass::kMon: return "mon";
  }
  return "";
}

std::vector<Place> racks_of(const ClusterConfig& config) {
  std::map<std::string, std::vector<std::size_t>> racks;
  for (std::size_t i = 0; i < config.hosts.size(); ++i) {
    if (!config.hosts[i].rack.empty()) racks[config.hosts[i].rack].push_back(i);
  }
  std::vector<Place> places;
  for (auto& [name, hosts] : racks) places.push_back({name, std::move(hosts)});
  return places;
}

std::vector<SurvivalElement> survival_elements(const ClusterConfig& config, const ElementChoice& choice, const FailureRates& rates, const std::vector<Place>& places) {
  std::vector<SurvivalElement> elements;
  if (choice.nodes) {
    for (std::size_t i = 0; i < config.hosts.size(); ++i) {
      const auto is_here = [&](const auto& daemon) { return daemon.host == config.hosts[i].host; };
      // A host of managers alone takes nothing with it that is looked at here.
      if (std::none_of(config.osds.begin(), config.osds.end(), is_here) && std::none_of(config.mons.begin(), config.mons.end(), is_here)) continue;
      elements.push_back({ElementClass::kNode, config.hosts[i].host, {i}, {}, {}, rates.node});
    }
  }
  if (choice.racks) {
    for (const Place& place : places) elements.push_back({ElementClass::kRack, place.name, place.hosts, {}, {}, rates.rack});
  }
  if (choice.disks) {
    for (std::size_t i = 0; i < config.osds.size(); ++i) {
      const MeanTimes& times = config.osds[i].device_class == "hdd" ? rates.hdd : rates.ssd;
      elements.push_back({ElementClass::kDisk, fmt::format("osd.{}", i), {}, {static_cast<int>(i)}, {}, times});
    }
  }
  if (choice.mons) {
    for (std::size_t i = 0; i < config.mons.size(); ++i) elements.push_back({ElementClass::kMon, "mon." + config.mons[i].name, {}, {}, {i}, rates.mon});
  }
  return elements;
}

std::uint64_t combinations_of(std::size_t elements, std::size_t faults) {
  constexpr std::uint64_t kTooMany = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t total = 1;
  std::uint64_t of_size = 1;
  for (std::size_t size = 1; size <= std::min(elements, faults); ++size) {
    const std::uint64_t factor = elements - size + 1;
    if (of_size > kTooMany / 4 / factor) return kTooMany;
    of_size = of_size * factor / size;
    total += of_size;
  }
  return total;
}

bool Combination::is_touched() const {
  return std::any_of(pools.begin(), pools.end(), [](const PoolEffect& pool) { return pool.paused > 0; });
}
bool Combination::stops() const {
  return std::any_of(pools.begin(), pools.end(), [](const PoolEffect& pool) { return pool.stopped > 0; });
}
bool Combination::loses() const {
  return std::any_of(pools.begin(), pools.end(), [](const PoolEffect& pool) { return pool.lost > 0; });
}

std::string Survival::name_of(const Combination& combination) const {
  std::string name;
  for (const std::uint32_t index : combination.elements) name += (name.empty() ? "" : " + ") + elements[index].name;
  return name.empty() ? "nothing" : name;
}

Survival survive(const ClusterConfig& config, std::vector<SurvivalElement> elements, const SurvivalOptions& options) {
  SIM_CHECK(combinations_of(elements.size(), options.faults) <= kCombinationsMax, "the caller asked for as many combinations as can be looked at");
  Survival result;
  result.faults = std::min(options.faults, elements.size());
  result.elements = std::move(elements);
  result.hosts = config.hosts.size();
  result.osds = config.osds.size();
  result.mons = config.mons.size();
  result.nodes_destroyed = options.nodes_destroyed;
  Analysis analysis(config, result.elements, options);
  result.mons_needed = analysis.needed_mons();
  for (std::size_t i = 0; i < config.pools.size(); ++i) {
    const Placement::PoolFacts& facts = analysis.placement().pools()[i];
    result.pools.push_back({config.pools[i].name, facts.pg_num, static_cast<int>(facts.size), static_cast<int>(facts.min_size), static_cast<int>(facts.needed),
                            config.pools[i].erasure, config.pools[i].failure_domain, {}, 0.0});
  }
  std::vector<Damage> damages;
  for (std::size_t size = 0; size <= result.faults; ++size) {
    each_choice(result.elements.size(), size, [&](const std::vector<std::uint32_t>& chosen) {
      Combination combination;
      combination.elements = chosen;
      damages.push_back(analysis.damage_of(chosen));
      analysis.judge(damages.back(), combination);
      result.combinations.push_back(std::move(combination));
    });
  }
  result.beyond = beyond(result.elements, result.faults);
  add_probabilities(result);
  if (options.simulate_max > 0) add_simulations(config, options, damages, result);
  for (const Combination& combination : result.combinations) {
    result.touched += combination.is_touched() ? 1u : 0u;
    result.simulated += combination.simulated ? 1u : 0u;
  }
  return result;
}

}  // namespace analysis
