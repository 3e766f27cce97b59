/// Which losses a Ceph cluster survives: every combination of up to k failed nodes, racks, disks and monitors, what it stops, what it loses, for how long.
///
/// The combinations are enumerated, not drawn. For each, the placement of every PG (CRUSH, all OSDs in) says what is left of it:
///
///   paused    a member is gone: writes wait until the monitors have marked it down
///   stopped   fewer members than min_size are left, or the gone ones cannot be marked down: no quorum, or fewer than mon_osd_min_up_ratio stay up
///   held      stopped, and too few members are left to rebuild the rest from; the data stand on hosts that are down
///   lost      too few copies are left at all: the others were on failed disks
///
/// A failed node or rack is down, its disks are whole; a failed disk is empty. All of a combination fails at one instant, with the cluster clean before,
/// and nobody repairs anything. So what an OSD that is marked out and filled elsewhere gains for the next failure is not counted: probabilities are
/// upper bounds where the data heal faster than the element is repaired.
///
/// Source:     reference platform 1.2 (quorum), 2.1 to 2.7 (markdown, down to out, min_size, loss, backfill), 11.2 (failure rates); Ceph 18.2 as in sim/models/ceph.
/// Leaves out: failures that are not independent (but through a rack or another place), planned maintenance, managers, full disks in the closed
///             estimate, Rook's replacement of monitors, clients' own redundancy. See docs/survive.md.
/// Checked by: tests/analysis/survival_test.cpp: tables by hand, every answer against a run of the simulated cluster, probabilities against a Markov chain.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/models/ceph/config.hpp"

namespace analysis {

enum class ElementClass : std::uint8_t { kNode, kRack, kDisk, kMon };
inline constexpr std::size_t kElementClasses = 4;
/// "node", "rack", "disk", "mon".
const char* to_string(ElementClass kind);

inline constexpr double kHoursPerYear = 8760.0;

/// Means in hours. Works and broken in turn, each time on its own.
struct MeanTimes {
  double to_failure = 0.0;
  double to_repair = 0.0;
  /// Share of the time in which it is broken, in the long run.
  double unavailability() const { return to_repair / (to_failure + to_repair); }
};

/// What the rates are without `--mttf` and `--mttr`: the reference's distributions (platform 11.2), reduced to their means.
/// A lognormal of median m and sigma s has the mean m exp(s^2 / 2).
struct FailureRates {
  /// A year and node: 0.5 crashes (reboot 8 min, sigma 0.35; 2 % stuck for 1 to 4 h; kubelet 45 s, sigma 0.5: 12.4 min), 0.1 hangs (30 min, sigma 0.9,
  /// and a reboot: 57.3 min), 0.05 broken parts (8 h, sigma 1, and a reboot: 803.7 min). 0.65 in all; (6.2 + 5.7 + 40.2) min / 0.65 = 80 min.
  MeanTimes node{kHoursPerYear / 0.65, 80.0 / 60.0};
  /// A year and rack: 0.065 of its switch (70 % 10 min, sigma 1.2; 30 % 4 h, sigma 0.7: 106 min), 0.035 of its power (1 to 6 h: 210 min).
  MeanTimes rack{kHoursPerYear / 0.1, 143.0 / 60.0};
  /// 1.5 % a year (SSD and NVMe: 0.9 %); swapped after 24 h, sigma 0.7: 30.7 h.
  MeanTimes hdd{kHoursPerYear / 0.015, 30.66};
  MeanTimes ssd{kHoursPerYear / 0.009, 30.66};
  /// The process alone. Once a year is a proposed value; 30 s until a killed daemon is back was measured under Kubernetes (platform 2.1).
  MeanTimes mon{kHoursPerYear, 30.0 / 3600.0};
};

/// What can fail on its own.
struct SurvivalElement {
  ElementClass kind = ElementClass::kNode;
  std::string name;
  std::vector<std::size_t> hosts;  // indices into ClusterConfig::hosts: what goes down with it
  std::vector<int> disks;          // whose data are gone
  std::vector<std::size_t> mons;   // processes that end
  MeanTimes times;
};

/// A rack, or whatever else takes hosts with it.
struct Place {
  std::string name;
  std::vector<std::size_t> hosts;  // empty: nothing goes down with it alone, but may with another one (two power feeds)
};
/// The racks of the configuration, by name.
std::vector<Place> racks_of(const sim::ceph::ClusterConfig& config);

struct ElementChoice {
  bool nodes = true;
  bool racks = true;
  bool disks = true;
  bool mons = true;
};
/// In the order of the classes; nodes and disks as configured, places as given.
std::vector<SurvivalElement> survival_elements(const sim::ceph::ClusterConfig& config, const ElementChoice& choice, const FailureRates& rates,
                                               const std::vector<Place>& places);

/// How many sets of at most `faults` of `elements` there are; the largest number when it does not fit.
std::uint64_t combinations_of(std::size_t elements, std::size_t faults);
inline constexpr std::uint64_t kCombinationsMax = 300'000;

inline constexpr sim::SimDuration kNeverBack = sim::SimDuration::max();

struct PoolEffect {
  std::uint32_t paused = 0;   // PGs; each of the four holds those of the next one
  std::uint32_t stopped = 0;
  std::uint32_t held = 0;
  std::uint32_t lost = 0;
  /// From the failure until every PG answers writes, without anybody's help; kNeverBack: not by itself. 0: nothing happened to it.
  sim::SimDuration back{};
};

struct Combination {
  std::vector<std::uint32_t> elements;  // ascending indices into Survival::elements
  bool quorum = true;
  bool simulated = false;  // `back` comes from a run of the cluster, not from the closed estimate
  double probability = 0.0;  // of just these being broken, at any instant
  std::vector<PoolEffect> pools;

  bool is_touched() const;
  bool stops() const;
  bool loses() const;
};

/// Long-run figures of one thing that works or not. What lies beyond the enumeration is in `Survival::beyond`.
struct LongRun {
  double unavailability = 0.0;  // enumerated combinations in which it does not work
  double per_year = 0.0;        // how often it begins not to work
};

struct SurvivalPool {
  std::string name;
  std::uint32_t pg_num = 0;
  int size = 0;
  int min_size = 0;
  int needed = 0;  // copies that rebuild the data
  bool erasure = false;
  std::string failure_domain;
  LongRun io;        // some PG is stopped
  double losses_per_year = 0.0;
};

struct Survival {
  std::size_t faults = 0;
  std::vector<SurvivalElement> elements;
  std::vector<SurvivalPool> pools;
  std::size_t hosts = 0;
  std::size_t osds = 0;
  std::size_t mons = 0;
  std::size_t mons_needed = 0;
  bool nodes_destroyed = false;
  /// Fewest failures first, then in the order of the elements; the first one is the empty set.
  std::vector<Combination> combinations;
  LongRun quorum;
  double beyond = 0.0;  // probability that more than `faults` elements are broken at once
  std::size_t touched = 0;    // combinations in which some PG waits or stops
  std::size_t simulated = 0;
  bool complete = true;  // false: stopped before all runs were made; the others are estimated

  std::string name_of(const Combination& combination) const;
};

struct SimulatedLoss;

struct SurvivalOptions {
  std::size_t faults = 2;
  bool nodes_destroyed = false;
  /// Runs of the simulated cluster at most; when the combinations that touch data are more, those that stop I/O; when they are more too, none.
  std::size_t simulate_max = 256;
  sim::SimDuration horizon{std::chrono::hours(24 * 7)};  // of a run: what is not back by then is never back
  std::uint64_t seed = 1;
  std::size_t jobs = 1;
  const std::atomic<bool>* stop = nullptr;
  /// Of the runs; from one thread at a time.
  std::function<void(std::size_t done, std::size_t total)> progress;
  /// Hosts that go down when all these places (indices into the elements) fail, for places that stand in for each other. Empty: the union of theirs.
  std::function<std::vector<std::size_t>(const std::vector<std::size_t>& places)> hosts_lost;
  /// Who makes the runs of the cluster where it is not this process alone: called once, with how many there are and what makes each (from several
  /// threads); the losses in their order. Those that are not `complete` stay estimates. Empty: this process, on `jobs` threads.
  std::function<std::vector<SimulatedLoss>(std::size_t runs, const std::function<SimulatedLoss(std::size_t)>& simulate)> share;
};

/// The configuration must be free of CephCluster::problems(), and combinations_of(...) within kCombinationsMax.
Survival survive(const sim::ceph::ClusterConfig& config, std::vector<SurvivalElement> elements, const SurvivalOptions& options);

/// What fails, reduced to what the cluster sees of it.
struct Damage {
  std::vector<std::size_t> hosts;  // ascending
  std::vector<int> disks;          // failed, ascending
  std::vector<std::size_t> mons;   // killed, ascending
  friend auto operator<=>(const Damage&, const Damage&) = default;
};

/// One run of the cluster: all the damage at one instant, then nobody's help.
struct SimulatedLoss {
  std::vector<sim::SimDuration> back;       // by pool, as PoolEffect::back
  std::vector<std::uint32_t> paused;        // by pool: PGs that take no writes at once
  std::vector<std::uint32_t> stopped;       // by pool: PGs that take none at `look`
  std::vector<std::uint32_t> lost;          // by pool: PGs with fewer whole copies, on up or down OSDs, than rebuild them
  bool quorum = true;                       // at `look`
  bool complete = true;                     // false: the stop flag was raised
  friend bool operator==(const SimulatedLoss&, const SimulatedLoss&) = default;
};
/// One line of text, without its end, for another process. Reading: false when it is none, or not of so many pools.
std::string loss_line(const SimulatedLoss& loss);
bool read_loss_line(const std::string& line, std::size_t pools, SimulatedLoss& loss);
/// `look` after the failure: later than any markdown, before anything is marked out.
SimulatedLoss simulate_loss(const sim::ceph::ClusterConfig& config, const Damage& damage, std::uint64_t seed, sim::SimDuration horizon,
                            const std::atomic<bool>* stop = nullptr, sim::SimDuration look = std::chrono::minutes(5));

/// Where CRUSH puts every PG while nothing is down or out, and its answers for other weights.
class Placement {
 public:
  explicit Placement(const sim::ceph::ClusterConfig& config);
  ~Placement();
  Placement(const Placement&) = delete;
  Placement& operator=(const Placement&) = delete;

  struct PoolFacts {
    std::uint32_t pg_num = 0;
    std::size_t size = 0;
    std::size_t min_size = 0;
    std::size_t needed = 0;
    double shard_bytes = 0.0;
    std::uint32_t first_pg = 0;
  };
  const std::vector<PoolFacts>& pools() const { return pools_; }
  std::size_t pgs() const { return members_.size(); }
  std::size_t pool_of(std::size_t pg) const { return pool_of_[pg]; }
  /// By slot; a slot that CRUSH could not fill is ceph::kNoOsd.
  const std::vector<int>& members(std::size_t pg) const { return members_[pg]; }
  const std::vector<std::uint32_t>& pgs_of(int osd) const { return by_osd_[static_cast<std::size_t>(osd)]; }
  /// The same with these weights (0x10000 in, 0 out).
  std::vector<int> members_with(std::size_t pg, const std::vector<std::uint32_t>& weights) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::vector<PoolFacts> pools_;
  std::vector<std::size_t> pool_of_;
  std::vector<std::vector<int>> members_;
  std::vector<std::vector<std::uint32_t>> by_osd_;
};

}  // namespace analysis
