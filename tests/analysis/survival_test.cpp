#include "analysis/survival.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/markov.hpp"
#include "sim/core/random.hpp"
#include "sim/core/statistics.hpp"
#include "sim/models/ceph/ceph_cluster.hpp"

namespace analysis {
namespace {

using namespace std::chrono_literals;
using sim::ceph::ClusterConfig;
using sim::ceph::PoolConfig;

struct Shape {
  int hosts = 3;
  int osds_per_host = 2;
  int mons = 3;
  int racks = 0;  // 0: none; else hosts go round robin
};

ClusterConfig cluster_of(const Shape& shape) {
  ClusterConfig config;
  for (int h = 0; h < shape.hosts; ++h) {
    const std::string name = fmt::format("h{}", h);
    config.hosts.push_back({name, shape.racks > 0 ? fmt::format("r{}", h % shape.racks) : std::string()});
    for (int o = 0; o < shape.osds_per_host; ++o) {
      sim::ceph::OsdConfig osd;
      osd.host = name;
      config.osds.push_back(osd);
    }
  }
  for (int m = 0; m < shape.mons; ++m) config.mons.push_back({std::string(1, static_cast<char>('a' + m)), fmt::format("h{}", m % shape.hosts)});
  config.mgrs.push_back({"x", "h0"});
  return config;
}

PoolConfig pool_of(int size, int min_size, const std::string& domain = "host", std::uint32_t pgs = 64) {
  PoolConfig pool;
  pool.name = "rbd";
  pool.size = size;
  pool.min_size = min_size;
  pool.pg_num = pgs;
  pool.failure_domain = domain;
  pool.stored_bytes = 8ll << 30;
  return pool;
}
PoolConfig erasure_pool(int k, int m, const std::string& domain = "host") {
  PoolConfig pool = pool_of(3, 0, domain);
  pool.erasure = true;
  pool.k = k;
  pool.m = m;
  return pool;
}

Survival survive_static(const ClusterConfig& config, const ElementChoice& choice, std::size_t faults, bool nodes_destroyed = false, const FailureRates& rates = {}) {
  SurvivalOptions options;
  options.faults = faults;
  options.nodes_destroyed = nodes_destroyed;
  options.simulate_max = 0;
  return survive(config, survival_elements(config, choice, rates, racks_of(config)), options);
}

constexpr ElementChoice kNodes{true, false, false, false};
constexpr ElementChoice kRacks{false, true, false, false};
constexpr ElementChoice kDisks{false, false, true, false};
constexpr ElementChoice kMons{false, false, false, true};

/// How many combinations of just so many failures do what.
struct Counts {
  std::size_t all = 0;
  std::size_t no_quorum = 0;
  std::size_t stop = 0;
  std::size_t lose = 0;
  friend bool operator==(const Counts&, const Counts&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Counts& c) {
    return out << c.all << " combinations: " << c.no_quorum << " without quorum, " << c.stop << " stop I/O, " << c.lose << " lose data";
  }
};
Counts count(const Survival& survival, std::size_t faults) {
  Counts counts;
  for (const Combination& one : survival.combinations) {
    if (one.elements.size() != faults) continue;
    ++counts.all;
    counts.no_quorum += one.quorum ? 0u : 1u;
    counts.stop += one.stops() ? 1u : 0u;
    counts.lose += one.loses() ? 1u : 0u;
  }
  return counts;
}

// By hand. Mons on the first hosts, OSDs on all, enough PGs that every set of hosts carries one.
// N hosts, M mons: a pair of mon hosts breaks a quorum of 3 (needs 2), not one of 5 (needs 3) or 7 (needs 4); C(n, k) combinations in all.
// size 3, min 2: two hosts down leave one copy of some PG, so every pair stops I/O. size 3, min 1: a pair leaves one copy, enough, while there is a quorum.
struct TableCase {
  const char* name;
  Shape shape;
  int size;
  int min_size;
  std::size_t faults;
  bool destroyed;
  Counts want;
};
const TableCase kTable[] = {
    {"3 nodes, any 1", {3, 2, 3, 0}, 3, 2, 1, false, {3, 0, 0, 0}},
    {"3 nodes, any 2: no quorum, 1 of 3 copies", {3, 2, 3, 0}, 3, 2, 2, false, {3, 3, 3, 0}},
    {"3 nodes, all 3: down, not lost", {3, 2, 3, 0}, 3, 2, 3, false, {1, 1, 1, 0}},
    {"3 nodes, all 3 burnt", {3, 2, 3, 0}, 3, 2, 3, true, {1, 1, 1, 1}},
    {"3 nodes, 2 burnt: one copy is left", {3, 2, 3, 0}, 3, 2, 2, true, {3, 3, 3, 0}},
    {"5 nodes, 5 mons, any 1", {5, 2, 5, 0}, 3, 2, 1, false, {5, 0, 0, 0}},
    {"5 nodes, 5 mons, any 2: quorum, some PG below min_size", {5, 2, 5, 0}, 3, 2, 2, false, {10, 0, 10, 0}},
    {"5 nodes, 3 mons, any 2: 3 pairs of mon hosts", {5, 2, 3, 0}, 3, 2, 2, false, {10, 3, 10, 0}},
    {"5 nodes, 5 mons, any 3", {5, 2, 5, 0}, 3, 2, 3, false, {10, 10, 10, 0}},
    {"5 nodes, min_size 1, any 2", {5, 2, 5, 0}, 3, 1, 2, false, {10, 0, 0, 0}},
    {"5 nodes, min_size 1, 3 mons: without a quorum nothing is marked down", {5, 2, 3, 0}, 3, 1, 2, false, {10, 3, 3, 0}},
    {"7 nodes, 5 mons, any 2", {7, 2, 5, 0}, 3, 2, 2, false, {21, 0, 21, 0}},
    {"7 nodes, 5 mons, any 3: C(5,3) = 10 take the quorum", {7, 2, 5, 0}, 3, 2, 3, false, {35, 10, 35, 0}},
    {"7 nodes, 7 mons, any 3 burnt", {7, 2, 7, 0}, 3, 2, 3, true, {35, 0, 35, 35}},
    {"7 nodes, size 4, min 2, any 2", {7, 2, 5, 0}, 4, 2, 2, false, {21, 0, 0, 0}},
};

TEST(Survival, TablesByHandOfNodes) {
  for (const TableCase& c : kTable) {
    SCOPED_TRACE(c.name);
    ClusterConfig config = cluster_of(c.shape);
    config.pools.push_back(pool_of(c.size, c.min_size, "host", 256));
    EXPECT_EQ(count(survive_static(config, kNodes, c.faults, c.destroyed), c.faults), c.want);
  }
}

TEST(Survival, FailureDomainHostAgainstRack) {
  // 6 hosts in 3 racks, two each. By host a PG may have two of its three copies in one rack: a rack alone stops it. By rack it has one in each.
  ClusterConfig config = cluster_of({.hosts = 6, .osds_per_host = 2, .mons = 3, .racks = 3});
  config.pools.push_back(pool_of(3, 2, "host", 256));
  EXPECT_EQ(count(survive_static(config, kRacks, 1), 1), (Counts{3, 0, 3, 0}));
  config.pools[0] = pool_of(3, 2, "rack", 256);
  EXPECT_EQ(count(survive_static(config, kRacks, 1), 1), (Counts{3, 0, 0, 0}));
  EXPECT_EQ(count(survive_static(config, kRacks, 2), 2), (Counts{3, 3, 3, 0}));
  // By rack two hosts of one rack never hold two copies of a PG: of the 15 pairs the 3 within a rack are harmless.
  // Mons stand on h0, h1, h2, one a rack: the 3 pairs of these have no quorum.
  EXPECT_EQ(count(survive_static(config, kNodes, 2), 2), (Counts{15, 3, 12, 0}));
}

TEST(Survival, ErasureCode) {
  // 4 + 2 on 6 hosts: every PG has a chunk on each. min_size 5: one host may go, two stop I/O, and three leave fewer than k.
  ClusterConfig config = cluster_of({.hosts = 6, .osds_per_host = 1, .mons = 5});
  config.pools.push_back(erasure_pool(4, 2));
  const Survival down = survive_static(config, kNodes, 3);
  EXPECT_EQ(count(down, 1), (Counts{6, 0, 0, 0}));
  EXPECT_EQ(count(down, 2), (Counts{15, 0, 15, 0}));
  EXPECT_EQ(count(down, 3), (Counts{20, 10, 20, 0}));  // C(5,3) of the mons' hosts
  for (const Combination& one : down.combinations) EXPECT_EQ(one.pools[0].held, one.elements.size() == 3 ? 64u : 0u);
  const Survival burnt = survive_static(config, kDisks, 3);
  EXPECT_EQ(count(burnt, 2), (Counts{15, 0, 15, 0}));
  EXPECT_EQ(count(burnt, 3), (Counts{20, 0, 20, 20}));
}

TEST(Survival, DisksLoseWhatNoOtherDiskHas) {
  // 3 hosts with 2 disks: a PG is one disk of each host. Of the C(6,3) = 20 triples the 8 with one disk a host can hold all copies of a PG.
  ClusterConfig config = cluster_of({});
  config.pools.push_back(pool_of(3, 2, "host", 256));
  const Survival survival = survive_static(config, kDisks, 3);
  EXPECT_EQ(count(survival, 1), (Counts{6, 0, 0, 0}));
  EXPECT_EQ(count(survival, 2), (Counts{15, 0, 12, 0}));  // not the 3 pairs within a host
  EXPECT_EQ(count(survival, 3), (Counts{20, 0, 20, 8}));
  // The share: 256 PGs over 8 triples; each PG is lost by just one of them.
  std::uint32_t lost = 0;
  for (const Combination& one : survival.combinations) lost += one.elements.size() == 3 ? one.pools[0].lost : 0u;
  EXPECT_EQ(lost, 256u);
}

TEST(Survival, MonitorsAloneStopNothingUntilAnOsdGoesToo) {
  ClusterConfig config = cluster_of({});
  config.pools.push_back(pool_of(3, 2));
  EXPECT_EQ(count(survive_static(config, kMons, 3), 2), (Counts{3, 3, 0, 0}));
  ElementChoice choice = kMons;
  choice.disks = true;
  const Survival survival = survive_static(config, choice, 3);
  for (const Combination& one : survival.combinations) {
    const auto mons = std::count_if(one.elements.begin(), one.elements.end(), [&](std::uint32_t e) { return survival.elements[e].kind == ElementClass::kMon; });
    if (mons == 2 && one.elements.size() == 3) {
      EXPECT_FALSE(one.quorum);
      EXPECT_EQ(one.pools[0].stopped, one.pools[0].paused);
      EXPECT_GT(one.pools[0].stopped, 0u);
      EXPECT_EQ(one.pools[0].back, kNeverBack);
    }
  }
}

TEST(Survival, WhatIsShortFromTheStartIsSaid) {
  // 3 copies on different hosts, and only 1 host: min_size 2 is never reached.
  ClusterConfig config = cluster_of({.hosts = 1, .osds_per_host = 3, .mons = 1});
  config.pools.push_back(pool_of(3, 2));
  const Survival survival = survive_static(config, kDisks, 1);
  EXPECT_EQ(survival.combinations[0].pools[0].stopped, 64u);
  EXPECT_NEAR(survival.pools[0].io.unavailability + survival.beyond, 1.0, 1e-12);
}

TEST(Survival, MinUpRatioKeepsOsdsUpInTheMap) {
  // 10 hosts with one OSD, 5 mons on the first ones; the last 8 ... of 10 OSDs may be marked down while 3 or more of 10 are up: 8 marks, not 9.
  ClusterConfig config = cluster_of({.hosts = 10, .osds_per_host = 1, .mons = 1});
  config.pools.push_back(pool_of(2, 1, "host", 64));
  const auto stopped = [&](std::size_t disks) {
    std::vector<SurvivalElement> elements = survival_elements(config, kDisks, {}, {});
    elements.erase(elements.begin(), elements.end() - static_cast<std::ptrdiff_t>(disks));
    SurvivalOptions options;
    options.faults = disks;
    options.simulate_max = 0;
    const Survival survival = survive(config, elements, options);
    return survival.combinations.back().pools[0];
  };
  const PoolEffect eight = stopped(8);
  EXPECT_EQ(eight.stopped, eight.lost);  // with min_size 1 only what is gone stops
  const PoolEffect nine = stopped(9);
  EXPECT_EQ(nine.stopped, nine.paused);
  EXPECT_GT(nine.stopped, nine.lost);
}

TEST(Survival, CombinationsAreCounted) {
  EXPECT_EQ(combinations_of(21, 2), 1u + 21u + 210u);
  EXPECT_EQ(combinations_of(5, 9), 32u);
  EXPECT_EQ(combinations_of(0, 2), 1u);
  EXPECT_GT(combinations_of(100'000, 9), kCombinationsMax);
  ClusterConfig config = cluster_of({.hosts = 4, .osds_per_host = 3, .mons = 3, .racks = 2});
  config.pools.push_back(pool_of(3, 2));
  const Survival survival = survive_static(config, {}, 3);
  EXPECT_EQ(survival.elements.size(), 4u + 2u + 12u + 3u);
  EXPECT_EQ(survival.combinations.size(), combinations_of(21, 3));
}

TEST(Survival, RedundantPlacesTakeTheirHostsTogether) {
  // Two power feeds: either is enough for h0 and h1; both gone, both hosts are.
  ClusterConfig config = cluster_of({.hosts = 4, .osds_per_host = 2, .mons = 1});
  config.mons[0].host = "h3";
  config.pools.push_back(pool_of(3, 2, "host", 128));
  const std::vector<Place> feeds = {{"feed-1", {}}, {"feed-2", {}}};
  SurvivalOptions options;
  options.simulate_max = 0;
  options.hosts_lost = [](const std::vector<std::size_t>&) { return std::vector<std::size_t>{0, 1}; };
  const Survival survival = survive(config, survival_elements(config, kRacks, {}, feeds), options);
  EXPECT_EQ(count(survival, 1), (Counts{2, 0, 0, 0}));
  EXPECT_EQ(count(survival, 2), (Counts{1, 0, 1, 0}));
}

TEST(Survival, TimesAreMarkdownThenOutThenCopying) {
  // 6 hosts, 5 mons: a pair of hosts stops some PGs until they are copied from their last copy, 600 s later. A triple takes all copies of some PG.
  ClusterConfig config = cluster_of({.hosts = 6, .osds_per_host = 2, .mons = 5});
  config.osd.min_in_ratio = 0.5;
  config.pools.push_back(pool_of(3, 2, "host", 64));
  SurvivalOptions options;
  options.faults = 2;
  const Survival simulated = survive(config, survival_elements(config, kNodes, {}, {}), options);
  EXPECT_TRUE(simulated.complete);
  const Survival estimated = survive_static(config, kNodes, 2);
  for (std::size_t i = 0; i < simulated.combinations.size(); ++i) {
    const Combination& one = simulated.combinations[i];
    const PoolEffect& pool = one.pools[0];
    const PoolEffect& guess = estimated.combinations[i].pools[0];
    SCOPED_TRACE(simulated.name_of(one));
    if (one.elements.empty()) continue;
    EXPECT_TRUE(one.simulated);
    EXPECT_FALSE(estimated.combinations[i].simulated);
    if (one.elements.size() == 1) {
      EXPECT_EQ(pool.stopped, 0u);
      EXPECT_GT(pool.back, 20s);
      EXPECT_LT(pool.back, 50s);
      EXPECT_LT(guess.back, 50s);
    } else {
      EXPECT_GT(pool.back, 620s);
      EXPECT_LT(pool.back, 40min);
      // The estimate is a rule of thumb: within a factor of two of the run.
      EXPECT_GT(guess.back, pool.back / 2);
      EXPECT_LT(guess.back, pool.back * 2);
    }
  }
}

TEST(Survival, WhatIsNeverMarkedOutNeverComesBack) {
  ClusterConfig config = cluster_of({.hosts = 6, .osds_per_host = 2, .mons = 5, .racks = 3});
  config.pools.push_back(pool_of(3, 2, "host", 64));
  config.osd.min_in_ratio = 0.0;
  SurvivalOptions options;
  options.faults = 1;
  options.horizon = 24h;
  const auto first_rack = [&] { return survive(config, survival_elements(config, kRacks, {}, racks_of(config)), options).combinations[1]; };
  EXPECT_GT(first_rack().pools[0].stopped, 0u);
  EXPECT_EQ(first_rack().pools[0].back, kNeverBack);  // mon_osd_down_out_subtree_limit rack: a whole rack is not marked out
  options.simulate_max = 0;
  EXPECT_EQ(first_rack().pools[0].back, kNeverBack);
  config.osd.down_out_subtree_limit = "root";
  EXPECT_NE(first_rack().pools[0].back, kNeverBack);
  options.simulate_max = 10;
  EXPECT_NE(first_rack().pools[0].back, kNeverBack);
  config.osd.min_in_ratio = 1.1;  // nothing is ever marked out
  EXPECT_EQ(first_rack().pools[0].back, kNeverBack);
  options.simulate_max = 0;
  EXPECT_EQ(first_rack().pools[0].back, kNeverBack);
}

TEST(Survival, ThreadsDoNotChangeIt) {
  ClusterConfig config = cluster_of({.hosts = 4, .osds_per_host = 1, .mons = 3});
  config.pools.push_back(pool_of(3, 2, "host", 16));
  SurvivalOptions options;
  options.horizon = 2h;
  const auto backs = [&](std::size_t jobs) {
    options.jobs = jobs;
    std::vector<std::int64_t> all;
    for (const Combination& one : survive(config, survival_elements(config, kNodes, {}, {}), options).combinations) all.push_back(one.pools[0].back.count());
    return all;
  };
  EXPECT_EQ(backs(1), backs(3));
}

/// Random small clusters, and random damage up to half of them: what the enumeration says of each is what the cluster does.
TEST(SurvivalProperty, TheEnumerationAgreesWithTheSimulatedCluster) {
  std::size_t stops = 0;
  std::size_t losses = 0;
  std::size_t quorums_lost = 0;
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    sim::RandomStream draw(seed, "test/survival", "cluster");
    const auto pick = [&](int low, int high) { return static_cast<int>(draw.uniform_int(low, high)); };
    Shape shape{pick(3, 7), pick(1, 3), pick(1, 5), 0};
    shape.mons = std::min(shape.mons, shape.hosts);
    if (draw.chance(0.4)) shape.racks = pick(2, 3);
    ClusterConfig config = cluster_of(shape);
    const int size = pick(2, 4);
    config.pools.push_back(pool_of(size, pick(1, size), draw.chance(0.7) ? "host" : "osd", 32));
    if (draw.chance(0.5)) {
      config.pools.push_back(erasure_pool(2, pick(1, 2), draw.chance(0.5) ? "host" : "osd"));
      config.pools.back().name = "ec";
      config.pools.back().pg_num = 16;
    }
    const bool burnt = draw.chance(0.3);
    const std::vector<SurvivalElement> all = survival_elements(config, {}, {}, racks_of(config));
    std::vector<SurvivalElement> chosen;
    for (int i = pick(1, 4); i > 0; --i) chosen.push_back(all[static_cast<std::size_t>(pick(0, static_cast<int>(all.size()) - 1))]);
    SurvivalOptions options;
    options.faults = chosen.size();
    options.nodes_destroyed = burnt;
    options.simulate_max = 0;
    const Survival survival = survive(config, chosen, options);
    const Combination& told = survival.combinations.back();
    ASSERT_EQ(told.elements.size(), chosen.size());
    // The damage, put together here anew.
    Damage damage;
    for (const SurvivalElement& element : chosen) {
      damage.hosts.insert(damage.hosts.end(), element.hosts.begin(), element.hosts.end());
      damage.disks.insert(damage.disks.end(), element.disks.begin(), element.disks.end());
      damage.mons.insert(damage.mons.end(), element.mons.begin(), element.mons.end());
      if (element.kind != ElementClass::kNode || !burnt) continue;
      for (std::size_t osd = 0; osd < config.osds.size(); ++osd) {
        if (config.osds[osd].host == config.hosts[element.hosts[0]].host) damage.disks.push_back(static_cast<int>(osd));
      }
    }
    // Later than the slowest markdown (900 s without enough reporters), and nothing is marked out.
    config.osd.down_out_interval = sim::SimDuration::zero();
    const SimulatedLoss seen = simulate_loss(config, damage, seed, 40min, nullptr, 40min);
    SCOPED_TRACE(fmt::format("seed {}: {} hosts, {} OSDs, {} mons, {} racks; {}", seed, shape.hosts, config.osds.size(), shape.mons, shape.racks, survival.name_of(told)));
    EXPECT_EQ(told.quorum, seen.quorum);
    quorums_lost += told.quorum ? 0u : 1u;
    for (std::size_t p = 0; p < config.pools.size(); ++p) {
      SCOPED_TRACE(config.pools[p].name);
      EXPECT_EQ(told.pools[p].paused, seen.paused[p]);
      EXPECT_EQ(told.pools[p].lost, seen.lost[p]);
      std::size_t down = 0;
      std::vector<bool> is_down(config.osds.size(), false);
      for (std::size_t osd = 0; osd < config.osds.size(); ++osd) {
        is_down[osd] = std::find(damage.disks.begin(), damage.disks.end(), static_cast<int>(osd)) != damage.disks.end() ||
                       std::any_of(damage.hosts.begin(), damage.hosts.end(), [&](std::size_t h) { return config.hosts[h].host == config.osds[osd].host; });
        down += is_down[osd] ? 1u : 0u;
      }
      // Beyond the up ratio the enumeration says "at most".
      if (static_cast<double>(config.osds.size() - down + 1) / static_cast<double>(config.osds.size()) >= config.osd.min_up_ratio) {
        EXPECT_EQ(told.pools[p].stopped, seen.stopped[p]);
      } else {
        EXPECT_GE(told.pools[p].stopped, seen.stopped[p]);
      }
      stops += told.pools[p].stopped > 0 ? 1u : 0u;
      losses += told.pools[p].lost > 0 ? 1u : 0u;
    }
  }
  // The draws reach what is to be compared.
  EXPECT_GT(stops, 20u);
  EXPECT_GT(losses, 5u);
  EXPECT_GT(quorums_lost, 5u);
}

TEST(SurvivalProbability, ProductFormIsTheChains) {
  // 3 unequal nodes with a monitor and two disks each, and all 2^3 states: nothing is beyond the enumeration.
  ClusterConfig config = cluster_of({});
  config.pools.push_back(pool_of(3, 2, "host", 64));
  std::vector<SurvivalElement> elements = survival_elements(config, kNodes, {}, {});
  std::vector<MachineRates> machines;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    elements[i].times = {500.0 + 300.0 * static_cast<double>(i), 10.0 + 7.0 * static_cast<double>(i)};
    machines.push_back({1.0 / elements[i].times.to_failure, 1.0 / elements[i].times.to_repair});
  }
  SurvivalOptions options;
  options.faults = 3;
  options.simulate_max = 0;
  const Survival survival = survive(config, elements, options);
  EXPECT_EQ(survival.beyond, 0.0);
  const ChainFigures chain = chain_of_machines(machines, [](std::uint32_t broken) { return std::popcount(broken) < 2; });
  EXPECT_NEAR(1.0 - survival.quorum.unavailability, chain.availability, 1e-12);
  EXPECT_NEAR(1.0 - survival.pools[0].io.unavailability, chain.availability, 1e-12);
  EXPECT_NEAR(survival.quorum.per_year, chain.failures * kHoursPerYear, 1e-9);
  double total = 0.0;
  for (const Combination& one : survival.combinations) total += one.probability;
  EXPECT_NEAR(total, 1.0, 1e-12);
  // With one failure enumerated, the rest is said to be beyond, and is what two or three broken nodes have.
  options.faults = 1;
  const Survival less = survive(config, elements, options);
  EXPECT_EQ(less.quorum.unavailability, 0.0);
  EXPECT_NEAR(less.beyond, survival.quorum.unavailability, 1e-12);
}

/// The same small cluster, working and broken for exponential spans, in the simulator: CephCluster with its elections, markdowns and peering.
struct Life {
  explicit Life(const ClusterConfig& config, std::uint64_t seed) : random(seed) {
    for (const sim::ceph::HostConfig& host : config.hosts) {
      topology.add(sim::topology::ElementKind::kHost, host.host);
      sim::host::HostSpec machine;
      machine.name = host.host;
      machine.boot = {1s, 0.0};
      machine.kubelet_start = {1s, 0.0};
      ids.push_back(hosts.add(machine));
      streams.push_back(random.stream("test/life", host.host));
    }
    cluster = std::make_unique<sim::ceph::CephCluster>(engine, log, random, hosts, config);
    cluster->start();
    cluster->on_quorum([this](bool has) { quorum.set(engine.now(), has ? 1.0 : 0.0); });
    cluster->on_io([this](const sim::ceph::Pg&, bool) { io.set(engine.now(), cluster->pool_available("rbd") ? 1.0 : 0.0); });
  }
  void live(std::size_t host, double mttf_hours, double mttr_hours) {
    engine.after(sim::from_seconds(3600.0 * streams[host].exponential(mttf_hours)), [=, this] {
      hosts.crash(ids[host]);
      engine.after(sim::from_seconds(3600.0 * streams[host].exponential(mttr_hours)), [=, this] {
        hosts.power_on(ids[host]);
        live(host, mttf_hours, mttr_hours);
      });
    });
  }

  struct Share {
    double now = 1.0;
    sim::SimTime since{};
    double sum = 0.0;
    void set(sim::SimTime time, double value) {
      sum += now * sim::seconds(time - since);
      now = value;
      since = time;
    }
  };
  sim::Engine engine;
  sim::Interner names;
  sim::EventLog log{engine, names};
  sim::Randomness random;
  sim::topology::Topology topology{engine, log};
  sim::host::Hosts hosts{engine, log, random, topology};
  std::vector<sim::host::HostId> ids;
  std::vector<sim::RandomStream> streams;
  std::unique_ptr<sim::ceph::CephCluster> cluster;
  Share quorum;
  Share io;
};

TEST(SurvivalProbability, TheSimulatedClusterAgreesWithTheChainAndTheEnumeration) {
  // 500 h up, 50 h broken: the tens of seconds of elections and markdowns are a share of 1e-5 and less, far within the interval.
  constexpr double kMttf = 500.0;
  constexpr double kMttr = 50.0;
  constexpr double kHours = 10'000.0;
  constexpr int kSeeds = 60;
  ClusterConfig config = cluster_of({.hosts = 3, .osds_per_host = 1, .mons = 3});
  config.pools.push_back(pool_of(3, 2, "host", 4));
  config.pools[0].stored_bytes = 1 << 20;
  config.daemon_start_after_boot = {1s, 0.0};
  std::vector<SurvivalElement> elements = survival_elements(config, kNodes, {}, {});
  for (SurvivalElement& element : elements) element.times = {kMttf, kMttr};
  SurvivalOptions options;
  options.faults = 3;
  options.simulate_max = 0;
  const Survival survival = survive(config, elements, options);
  const double chain = k_of_n_availability(2, 3, 1.0 / kMttf, 1.0 / kMttr, 3);
  EXPECT_NEAR(1.0 - survival.quorum.unavailability, chain, 1e-12);
  EXPECT_NEAR(1.0 - survival.pools[0].io.unavailability, chain, 1e-12);

  sim::Tally quorum;
  sim::Tally io;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Life life(config, seed);
    for (std::size_t host = 0; host < 3; ++host) life.live(host, kMttf, kMttr);
    const sim::SimTime end(sim::from_seconds(3600.0 * kHours));
    life.engine.run_until(end);
    life.quorum.set(end, 0.0);
    life.io.set(end, 0.0);
    quorum.add(life.quorum.sum / (3600.0 * kHours));
    io.add(life.io.sum / (3600.0 * kHours));
  }
  const sim::ConfidenceInterval quorum_interval = sim::mean_interval(quorum, 0.999);
  const sim::ConfidenceInterval io_interval = sim::mean_interval(io, 0.999);
  EXPECT_TRUE(quorum_interval.contains(chain)) << quorum_interval.low << " to " << quorum_interval.high << ", chain " << chain;
  EXPECT_TRUE(io_interval.contains(chain)) << io_interval.low << " to " << io_interval.high << ", chain " << chain;
  EXPECT_LT(quorum_interval.high - quorum_interval.low, 0.01) << "an interval that wide proves nothing";
}

}  // namespace
}  // namespace analysis
