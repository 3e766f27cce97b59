#include <gtest/gtest.h>

#include <map>

#include "sim/models/ceph/placement_groups/prior_set.hpp"
#include "tests/models/ceph/lab.hpp"

namespace sim::ceph {
namespace {

using namespace std::chrono_literals;

TEST(PgState, NamesAreJoinedInCephsOrder) {
  EXPECT_EQ(pg_state_name(kPgClean | kPgActive), "active+clean");
  EXPECT_EQ(pg_state_name(kPgDegraded | kPgActive | kPgUndersized | kPgRemapped | kPgBackfilling), "active+undersized+degraded+remapped+backfilling");
  EXPECT_EQ(pg_state_name(kPgPeered | kPgStale | kPgUndersized | kPgDegraded), "stale+undersized+degraded+peered");
  EXPECT_EQ(pg_state_name(kPgRecoveryWait | kPgActive | kPgDegraded), "active+recovery_wait+degraded");
  EXPECT_EQ(pg_state_name(kPgRemapped | kPgBackfillWait | kPgBackfillToofull | kPgActive), "active+remapped+backfill_wait+backfill_toofull");
  EXPECT_EQ(pg_state_name(0), "unknown");
}

struct PriorCase {
  const char* name;
  std::vector<PastInterval> past;
  std::uint32_t started;
  std::vector<int> up;    // OSDs that are up
  std::map<int, std::uint32_t> lost;
  std::size_t needed;
  bool down;
  std::vector<int> blocked_by;
};

TEST(PriorSet, WhoMustBeHeard) {
  const std::vector<int> all{1, 2, 3};
  const PriorCase cases[] = {
      {"nothing happened", {}, 10, {1, 2, 3}, {}, 1, false, {}},
      {"one of the last writers is there", {{10, 20, all, true}}, 10, {3}, {}, 1, false, {}},
      {"the last writer is down", {{10, 20, all, true}, {21, 25, {1, 2}, true}}, 10, {3}, {}, 1, true, {1, 2}},
      {"that interval took no writes", {{10, 20, all, true}, {21, 25, {1}, false}}, 10, {3}, {}, 1, false, {}},
      {"it is older than the last start", {{10, 20, {1, 2}, true}}, 21, {3}, {}, 1, false, {}},
      {"both were declared lost", {{21, 25, {1, 2}, true}}, 10, {3}, {{1, 30}, {2, 30}}, 1, false, {}},
      {"one was declared lost: it counts as heard", {{21, 25, {1, 2}, true}}, 10, {3}, {{1, 30}}, 1, false, {}},
      {"declared lost before that interval", {{21, 25, {1}, true}}, 10, {3}, {{1, 15}}, 1, true, {1}},
      {"erasure: fewer than k there", {{10, 20, {1, 2, 3, 4}, true}}, 10, {3}, {}, 2, true, {1, 2, 4}},
      {"erasure: k there", {{10, 20, {1, 2, 3, kNoOsd}, true}}, 10, {2, 3}, {}, 2, false, {}},
  };
  for (const PriorCase& c : cases) {
    SCOPED_TRACE(c.name);
    Pg pg;
    pg.past = c.past;
    pg.last_epoch_started = c.started;
    pg.up = pg.acting = {3};
    const PriorSet prior = prior_set(
        pg, c.needed, [&](int osd) { return std::find(c.up.begin(), c.up.end(), osd) != c.up.end(); },
        [&](int osd) { return c.lost.contains(osd) ? c.lost.at(osd) : 0u; });
    EXPECT_EQ(prior.pg_down, c.down);
    EXPECT_EQ(prior.blocked_by, c.blocked_by);
  }
}

Shard copy(int osd, std::uint64_t last_update, std::uint32_t started = 10, double backfilled = 1.0, int slot = -1) {
  Shard shard;
  shard.osd = osd;
  shard.slot = slot;
  shard.last_update = last_update;
  shard.last_epoch_started = started;
  shard.backfilled = backfilled;
  return shard;
}

struct ActingCase {
  const char* name;
  std::vector<Shard> infos;
  std::vector<int> up;
  std::vector<int> acting_now;
  bool found;
  std::vector<int> acting;
  std::vector<int> backfill;
  std::vector<int> async;
};

TEST(ChooseActing, Replicated) {
  const ActingCase cases[] = {
      {"all equal", {copy(1, 100), copy(2, 100), copy(3, 100)}, {2, 1, 3}, {2, 1, 3}, true, {2, 1, 3}, {}, {}},
      {"a new member is filled, an old one acts", {copy(1, 100), copy(2, 100), copy(3, 100)}, {4, 1, 2}, {4, 1, 2}, true, {1, 2, 3}, {4}, {}},
      {"a little behind: log recovery in acting", {copy(1, 100), copy(2, 50), copy(3, 100)}, {1, 2, 3}, {1, 2, 3}, true, {1, 2, 3}, {}, {}},
      {"far behind: outside of acting", {copy(1, 1000), copy(2, 500), copy(3, 1000)}, {1, 2, 3}, {1, 2, 3}, true, {1, 3}, {}, {2}},
      {"two far behind: min_size is kept", {copy(1, 1000), copy(2, 500), copy(3, 500)}, {1, 2, 3}, {1, 2, 3}, true, {1, 3}, {}, {2}},
      {"an up primary far behind: the newest copy leads", {copy(1, 1000), copy(2, 500), copy(3, 1000)}, {2, 1, 3}, {2, 1, 3}, true, {1, 3}, {}, {2}},
      {"beyond the log: backfill", {copy(1, 90'000), copy(2, 500), copy(3, 90'000)}, {2, 1, 3}, {2, 1, 3}, true, {1, 3}, {2}, {}},
      {"half filled is no source", {copy(1, 100, 10, 0.5), copy(2, 100)}, {1, 2}, {1, 2}, true, {2}, {1}, {}},
      {"newer start wins over more writes", {copy(1, 200, 5), copy(2, 150, 10)}, {1, 2}, {1, 2}, true, {1, 2}, {}, {}},
      {"only a half filled one knows the last start", {copy(1, 100, 5), copy(2, 150, 10, 0.5)}, {1, 2}, {1, 2}, false, {}, {}, {}},
      {"nobody has anything", {}, {1, 2}, {1, 2}, false, {}, {}, {}},
  };
  for (const ActingCase& c : cases) {
    SCOPED_TRACE(c.name);
    const ActingQuery query{.infos = c.infos, .up = c.up, .acting = c.acting_now, .up_primary = c.up[0], .primary = c.acting_now[0], .size = 3, .min_size = 2, .log_entries = 3000, .force_auth_missing = 100, .async_min_cost = 100};
    const auto choice = choose_acting(query);
    ASSERT_EQ(choice.has_value(), c.found);
    if (!choice) continue;
    EXPECT_EQ(choice->acting, c.acting);
    EXPECT_EQ(choice->backfill, c.backfill);
    EXPECT_EQ(choice->async, c.async);
  }
}

TEST(ChooseActing, ErasureKeepsPositions) {
  const std::vector<Shard> infos{copy(1, 100, 10, 1.0, 0), copy(3, 100, 10, 1.0, 2), copy(4, 100, 10, 1.0, 1)};
  const std::vector<int> up{1, 2, 3};
  const ActingQuery query{.infos = infos, .up = up, .acting = up, .up_primary = 1, .primary = 1, .erasure = true, .size = 3, .min_size = 3, .needed = 2, .log_entries = 3000};
  const auto choice = choose_acting(query);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->acting, (std::vector<int>{1, 4, 3}));  // osd.4 still holds position 1
  EXPECT_EQ(choice->backfill, (std::vector<int>{2}));
}

/// Monitors on hosts of their own, one OSD a host, so that failures hit copies only.
struct Storage : Lab {
  explicit Storage(int osd_hosts, std::uint64_t lab_seed = 1) : Lab({.hosts = osd_hosts, .osds_per_host = 1, .mons = 0, .mgrs = 0, .seed = lab_seed}) {
    for (int i = 0; i < 3; ++i) {
      const std::string name = fmt::format("m{}", i);
      topology.add(topology::ElementKind::kHost, name);
      hosts.add({.name = name});
      config.hosts.push_back({.host = name});
      config.mons.push_back({std::string(1, static_cast<char>('a' + i)), name});
    }
    config.osd.max_markdown_count = 1000;
  }
  void kill(int osd) {
    cluster->kill_osd(osd, Kill::kCrash, "killed");
    run(30s);
  }
  void bring_back(int osd) {
    cluster->start_osd(osd);
    until([&] { return is_up(osd); }, 5min);
    run(30s);
  }
};

TEST(Peering, LastWriterDownBlocksOlderCopies) {
  Storage lab(3);
  lab.config.pools[0].min_size = 1;
  lab.start();
  lab.run(1min);
  lab.kill(0);
  lab.kill(1);  // osd.2 takes writes alone
  EXPECT_EQ(lab.count("active+undersized+degraded"), 32u) << lab.all_states();
  lab.run(1min);
  const Pg& pg = lab.cluster->pgs().pg(0);
  lab.kill(2);
  // Everybody has stopped: the last thing heard of them.
  EXPECT_EQ(lab.count_with(kPgStale), 0u);  // osd.2 cannot be reported by anyone: the map still calls it up
  lab.bring_back(0);
  lab.bring_back(1);
  lab.run(20min);
  EXPECT_EQ(lab.count("down"), 32u) << lab.all_states();
  EXPECT_EQ(pg.blocked_by, std::vector<int>{2});
  EXPECT_EQ(lab.chain_of("PgDown").substr(0, 6), "PgDown");
  lab.bring_back(2);
  EXPECT_TRUE(lab.until([&] { return lab.cluster->all_clean(); }, 1h)) << lab.all_states();
  EXPECT_EQ(lab.records("PgWritesLost"), 0u);
  EXPECT_EQ(pg.head, pg.acked);
}

TEST(Peering, DeclaringTheLastWriterLostGivesItsWritesUp) {
  Storage lab(3);
  lab.config.pools[0].min_size = 1;
  lab.start();
  lab.run(1min);
  lab.kill(0);
  lab.kill(1);
  lab.run(1min);
  lab.cluster->fail_disk(2);
  lab.run(30s);
  lab.bring_back(0);
  lab.bring_back(1);
  lab.run(20min);
  ASSERT_EQ(lab.count("down"), 32u) << lab.all_states();
  lab.cluster->mark_lost(2);
  lab.run(1min);
  EXPECT_EQ(lab.count_with(kPgActive), 32u) << lab.all_states();
  EXPECT_EQ(lab.records("PgWritesLost"), 32u);
}

TEST(Peering, MinSizeTwoNeverLosesToTheSameAccident) {
  Storage lab(3);
  lab.start();
  lab.run(1min);
  lab.kill(0);
  lab.kill(1);
  EXPECT_EQ(lab.count("undersized+degraded+peered"), 32u) << lab.all_states();
  lab.cluster->fail_disk(2);
  lab.run(30s);
  lab.bring_back(0);
  lab.bring_back(1);
  lab.run(20min);
  EXPECT_EQ(lab.count_with(kPgActive), 32u) << lab.all_states();
  EXPECT_EQ(lab.records("PgWritesLost"), 0u);
}

TEST(Peering, AllCopiesDownIsStale) {
  Storage lab(5);
  lab.config.pools[0].size = 1;
  lab.start();
  lab.run(1min);
  const std::uint32_t pgs = static_cast<std::uint32_t>(lab.cluster->pgs().pgs_of(1).size());
  ASSERT_GT(pgs, 0u);
  lab.kill(1);
  EXPECT_EQ(lab.count("stale+active+clean"), pgs) << lab.all_states();
  EXPECT_FALSE(lab.cluster->pool_available("rbd"));
  lab.bring_back(1);
  EXPECT_TRUE(lab.cluster->all_clean()) << lab.all_states();
}

TEST(Peering, NeedsTheMonitors) {
  Storage lab(4);
  lab.start();
  lab.run(1min);
  lab.cluster->kill_mon("a");
  lab.cluster->kill_mon("b");
  lab.run(30s);
  EXPECT_TRUE(lab.cluster->pool_available("rbd"));  // the data path goes on
  lab.cluster->kill_osd(0, Kill::kCrash, "killed");
  lab.run(1h);
  EXPECT_TRUE(lab.is_up(0));
  EXPECT_FALSE(lab.cluster->pool_available("rbd"));
  EXPECT_EQ(lab.count("active+clean"), 32u);
  lab.cluster->start_mon("a");
  EXPECT_TRUE(lab.until([&] { return lab.cluster->pool_available("rbd"); }, 2min)) << lab.all_states();
}

TEST(Peering, ErasureServesWithOneMoreThanK) {
  Storage lab(6);
  PoolConfig& pool = lab.config.pools[0];
  pool.erasure = true;
  pool.k = 4;
  pool.m = 2;
  lab.start();
  EXPECT_EQ(lab.cluster->pgs().pools()[0].min_size, 5u);
  lab.run(1min);
  lab.kill(0);
  EXPECT_EQ(lab.count("active+undersized+degraded"), 32u) << lab.all_states();
  EXPECT_TRUE(lab.cluster->pool_available("rbd"));
  lab.kill(1);
  EXPECT_EQ(lab.count("undersized+degraded+peered"), 32u) << lab.all_states();
  EXPECT_FALSE(lab.cluster->pool_available("rbd"));
  lab.kill(2);
  lab.run(20s);
  EXPECT_EQ(lab.count_with(kPgActive | kPgPeered), 0u) << lab.all_states();  // fewer than k
  lab.bring_back(0);
  lab.bring_back(1);
  lab.bring_back(2);
  EXPECT_TRUE(lab.until([&] { return lab.cluster->all_clean(); }, 2h)) << lab.all_states();
  EXPECT_EQ(lab.records("PgWritesLost"), 0u);
}

TEST(Peering, UnfoundObjectsComeBackWithTheirHolder) {
  // osd.0 is behind; before it has copied anything, everybody who has the newest versions goes.
  Storage lab(3);
  lab.config.pools[0].min_size = 1;
  lab.config.osd.async_recovery_min_cost = 0;
  lab.start();
  lab.run(1min);
  lab.kill(0);
  lab.run(10min);
  lab.cluster->set_flag("norecover", true);
  lab.run(5s);
  lab.bring_back(0);
  // Where osd.0 is the up primary, who has the newest versions is primary until it has caught up (osd_force_auth_primary_missing_objects).
  EXPECT_EQ(lab.count_with(kPgRecoveryWait), 32u) << lab.all_states();
  EXPECT_GT(lab.count("active+recovery_wait+degraded+remapped"), 0u) << lab.all_states();
  lab.kill(1);
  lab.kill(2);
  lab.run(20min);
  lab.cluster->set_flag("norecover", false);
  lab.run(1min);
  EXPECT_GT(lab.count_with(kPgRecoveryUnfound), 0u) << lab.all_states();
  lab.bring_back(1);
  lab.bring_back(2);
  EXPECT_TRUE(lab.until([&] { return lab.cluster->all_clean(); }, 1h)) << lab.all_states();
  EXPECT_EQ(lab.records("PgWritesLost"), 0u);
}

TEST(Peering, ReadsWaitForTheLeasesOfAMemberThatMayStillServeThem) {
  // Cut off and marked down by hand at once: it may go on answering reads until its lease ends.
  Storage lab(4);
  lab.start();
  lab.run(1min);
  lab.hosts.set_partition(lab.ids[0], 1);
  const SimTime cut = lab.engine.now();
  lab.cluster->mark_down(0);
  ASSERT_TRUE(lab.until([&] { return lab.count_with(kPgWait) > 0; }, 10s)) << lab.all_states();
  EXPECT_GT(lab.count("active+undersized+degraded+wait"), 0u) << lab.all_states();
  EXPECT_FALSE(lab.cluster->pool_available("rbd"));
  ASSERT_TRUE(lab.until([&] { return lab.cluster->pool_available("rbd"); }, 1min)) << lab.all_states();
  EXPECT_GE(lab.engine.now() - cut, 16s);  // 0.8 of the grace of 20 s
  EXPECT_LE(lab.engine.now() - cut, 18s);
}

TEST(Peering, ADeadMemberIsNotWaitedFor) {
  Storage lab(4);
  lab.start();
  lab.run(1min);
  lab.cluster->kill_osd(0, Kill::kCrash, "killed");
  const auto took = lab.until([&] { return !lab.is_up(0) && lab.cluster->pool_available("rbd"); }, 1min);
  ASSERT_TRUE(took);
  EXPECT_LE(*took, 10s);
  EXPECT_EQ(lab.count_with(kPgWait), 0u);
}

TEST(Peering, GivenUpAndCreatedAnew) {
  Storage lab(4);
  lab.config.pools[0].size = 1;
  lab.start();
  lab.run(1min);
  const std::uint32_t hit = lab.cluster->pgs().pgs_of(2).front();
  lab.cluster->fail_disk(2);
  EXPECT_GT(lab.records("PgDataLost"), 0u);
  lab.run(15min);
  ASSERT_FALSE(lab.is_in(2));
  EXPECT_EQ(pg_state_name(lab.cluster->pgs().pg(hit).state), "down");
  lab.cluster->mark_lost(2);
  lab.run(1min);
  EXPECT_EQ(pg_state_name(lab.cluster->pgs().pg(hit).state), "incomplete");
  EXPECT_TRUE(lab.cluster->pgs().force_create(hit));
  EXPECT_FALSE(lab.cluster->pgs().force_create(hit));
  lab.run(1min);
  EXPECT_EQ(pg_state_name(lab.cluster->pgs().pg(hit).state), "active+clean");
  EXPECT_GT(lab.cluster->pgs().pg(hit).lost_writes, 0u);
}

// Three hosts, and one is marked out while it is up: CRUSH has two places for three copies, and the third copy serves on where it is. So Ceph shows it:
// active+clean+remapped, a third of all objects misplaced. It must come to rest.
TEST(Peering, WhereCrushFindsTooFewTheFormerMemberServesOn) {
  for (const bool erasure : {false, true}) {
    Lab lab({.hosts = 3, .osds_per_host = 1});
    if (erasure) {
      lab.config.pools[0].erasure = true;
      lab.config.pools[0].k = 2;
      lab.config.pools[0].m = 1;
    }
    lab.start();
    lab.run(1min);
    lab.cluster->mark_out(2);
    lab.run(10min);
    EXPECT_EQ(lab.count("active+clean+remapped"), 32u) << lab.all_states();
    const std::uint32_t epoch = lab.cluster->map().epoch;
    lab.run(1h);
    EXPECT_EQ(lab.cluster->map().epoch, epoch);
    lab.cluster->mark_in(2);
    ASSERT_TRUE(lab.until([&] { return lab.cluster->all_clean(); }, 10min)) << lab.all_states();
  }
}

}  // namespace
}  // namespace sim::ceph
