// Metadata servers: who takes over a rank, when, and what its clients feel. Times from MDSMonitor.cc: beacons every 4 s, grace 15 s, looks every 5 s.
#include <gtest/gtest.h>

#include "sim/models/ceph/views/views.hpp"
#include "tests/models/ceph/lab.hpp"

namespace sim::ceph {
namespace {

using namespace std::chrono_literals;

struct FsShape {
  int active = 1;
  int mdss = 2;
  bool standby_replay = true;
  int wanted = 1;
};

/// Six hosts with OSDs; "myfs" with its metadata servers on h3, h4, h5; clients are on h6 and h7, which carry nothing else.
struct FsLab : Lab {
  explicit FsLab(FsShape shape = {}, std::uint64_t seed = 1) : Lab({.hosts = 8, .osds_per_host = 2, .mons = 3, .mgrs = 2, .racks = 0, .seed = seed}) {
    for (const char* name : {"myfs-metadata", "myfs-data0"}) {
      PoolConfig pool;
      pool.name = name;
      pool.pg_num = 16;
      pool.stored_bytes = 10ll << 30;
      pool.writes_per_second = 20.0;
      config.pools.push_back(pool);
    }
    std::erase_if(config.osds, [](const OsdConfig& osd) { return osd.host == "h6" || osd.host == "h7"; });
    config.file_systems.push_back({"myfs", "myfs-metadata", {"myfs-data0"}, shape.active, shape.standby_replay, shape.wanted});
    for (int i = 0; i < shape.mdss; ++i) config.mdss.push_back({fmt::format("myfs-{}", static_cast<char>('a' + i)), "myfs", fmt::format("h{}", 3 + i % 3)});
    config.daemons_start_with_host = false;
    start();
    // Past the first minute, in which a young quorum is patient.
    run(120s);
  }
  FileSystems& fs() { return cluster->file_systems(); }
  const FileSystems::Mds& mds(std::string_view name) { return fs().mdss()[*fs().find_mds(name)]; }
  std::string stat() {
    std::string text = mds_stat_text(*cluster);
    text.pop_back();
    return text;
  }
  std::string codes() {
    std::string text;
    for (const HealthCheck& check : health_checks(*cluster)) text += (text.empty() ? "" : " ") + check.code;
    return text;
  }
  std::optional<SimDuration> until_served(SimDuration limit = 10min) {
    return until([&] { return fs().serves(0); }, limit);
  }
};

TEST(FileSystems, ARunningFileSystemIsQuietAndTellsSo) {
  FsLab lab;
  EXPECT_TRUE(lab.fs().serves(0));
  EXPECT_EQ(lab.stat(), "myfs:1 {0=myfs-a=up:active} 1 up:standby-replay");
  EXPECT_EQ(lab.codes(), "");
  EXPECT_NE(status_text(*lab.cluster).find("    mds: 1/1 daemons up, 1 hot standby\n"), std::string::npos);
  EXPECT_NE(status_text(*lab.cluster).find("    volumes: 1/1 healthy\n"), std::string::npos);
  const std::uint64_t before = lab.engine.stats().executed;
  lab.run(1h);
  EXPECT_EQ(lab.engine.stats().executed, before);  // nothing ticks
}

// Silent from the instant of death: the last beacon was up to 4 s before, 15 s of grace, the leader looks every 5 s, commits a second apart.
TEST(FileSystems, AStandbyThatFollowsTakesOverAfterTheGrace) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    FsLab lab({}, seed);
    lab.cluster->kill_mds("myfs-a", Kill::kSilent, "test");
    EXPECT_FALSE(lab.fs().serves(0));
    EXPECT_EQ(lab.stat(), "myfs:1 {0=myfs-a=up:active} 1 up:standby-replay");  // nobody has noticed
    const auto noticed = lab.until([&] { return lab.records("MdsFailover") == 1; }, 5min);
    ASSERT_TRUE(noticed);
    EXPECT_GE(*noticed, 11s);
    EXPECT_LE(*noticed, 15s + 5s + 2s);
    EXPECT_EQ(lab.stat(), "myfs:1/1 {0=myfs-b=up:replay}");
    EXPECT_EQ(lab.codes(), "FS_DEGRADED MDS_INSUFFICIENT_STANDBY");
    const auto served = lab.until_served();
    ASSERT_TRUE(served);
    EXPECT_GE(*served, 3s);   // reconnect, rejoin, active: a commit each
    EXPECT_LE(*served, 8s);
    EXPECT_EQ(lab.stat(), "myfs:1 {0=myfs-b=up:active}");
    EXPECT_EQ(lab.chain_of("FsAvailable"), "FsAvailable < MdsActive < MdsFailover < MdsLaggy < MdsStopped");
  }
}

TEST(FileSystems, AStandbyThatDoesNotFollowReplaysTheJournalFirst) {
  SimDuration followed{}, cold{};
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    for (const bool follows : {true, false}) {
      FsLab lab({.standby_replay = follows}, seed);
      EXPECT_EQ(lab.stat(), follows ? "myfs:1 {0=myfs-a=up:active} 1 up:standby-replay" : "myfs:1 {0=myfs-a=up:active} 1 up:standby");
      lab.cluster->kill_mds("myfs-a", Kill::kSilent, "test");
      const auto served = lab.until_served();
      ASSERT_TRUE(served);
      (follows ? followed : cold) += *served / 20;
    }
  }
  EXPECT_GE(cold - followed, 2s);
  EXPECT_LE(cold - followed, 12s);
}

// Source: drop_mds() needs a replacement; without one the dead server stays in the map, laggy, and the file system counts as up.
TEST(FileSystems, WithoutAStandbyTheDeadServerStaysInTheMapUntilItStartsAgain) {
  FsLab lab({.mdss = 1, .wanted = 0});
  lab.cluster->kill_mds("myfs-a", Kill::kCrash, "test");
  lab.run(10min);
  EXPECT_FALSE(lab.fs().serves(0));
  EXPECT_EQ(lab.records("MdsLaggy"), 1u);
  EXPECT_EQ(lab.stat(), "myfs:1 {0=myfs-a=up:active(laggy or crashed)}");
  EXPECT_EQ(lab.codes(), "");
  EXPECT_NE(status_text(*lab.cluster).find("mds: 1/1 daemons up\n"), std::string::npos);
  EXPECT_NE(fs_status_text(*lab.cluster).find("active(laggy)"), std::string::npos);
  lab.cluster->start_mds("myfs-a", "h5");
  const auto served = lab.until_served();
  ASSERT_TRUE(served);
  EXPECT_GE(*served, 5s);
  EXPECT_LE(*served, 60s);
  EXPECT_EQ(lab.stat(), "myfs:1 {0=myfs-a=up:active}");
  EXPECT_EQ(lab.records("MdsRemoved"), 1u);  // its former self
}

TEST(FileSystems, AServerThatIsStoppedSaysSo) {
  FsLab lab({.mdss = 1, .wanted = 1});
  lab.cluster->kill_mds("myfs-a", Kill::kStop, "test");
  lab.run(3s);
  EXPECT_EQ(lab.stat(), "myfs:0/1, 1 failed");
  EXPECT_EQ(lab.codes(), "FS_DEGRADED FS_WITH_FAILED_MDS MDS_ALL_DOWN MDS_INSUFFICIENT_STANDBY");
  const std::string detail = health_text(*lab.cluster, true);
  for (const char* line : {"[WRN] FS_DEGRADED: 1 filesystem is degraded\n    fs myfs is degraded\n", "[WRN] FS_WITH_FAILED_MDS: 1 filesystem has a failed mds daemon\n    fs myfs has 1 failed mds\n",
                           "[ERR] MDS_ALL_DOWN: 1 filesystem is offline\n    fs myfs is offline because no MDS is active for it.\n",
                           "[WRN] MDS_INSUFFICIENT_STANDBY: insufficient standby MDS daemons available\n    have 0; want 1 more\n"}) {
    EXPECT_NE(detail.find(line), std::string::npos) << detail;
  }
  EXPECT_NE(status_text(*lab.cluster).find("mds: 0/1 daemons up (1 failed)\n"), std::string::npos);
  EXPECT_NE(status_text(*lab.cluster).find("volumes: 0/1 healthy, 1 failed\n"), std::string::npos);
}

TEST(FileSystems, AStopWithAStandbyCostsSecondsOnly) {
  FsLab lab;
  lab.cluster->kill_mds("myfs-a", Kill::kStop, "test");
  const auto served = lab.until_served();
  ASSERT_TRUE(served);
  EXPECT_LE(*served, 9s);
}

TEST(FileSystems, AClientThatIsAwayHoldsUpTheReconnectForAtMost45Seconds) {
  SimDuration all_back{}, one_away{};
  for (const bool away : {false, true}) {
    FsLab lab;
    const auto here = lab.fs().open_session(0, 0, lab.ids[6], "h6");
    const auto other = lab.fs().open_session(0, 0, lab.ids[7], "h7");
    EXPECT_NE(fs_status_text(*lab.cluster).find("myfs - 2 clients\n====\n"), std::string::npos);
    lab.cluster->kill_mds("myfs-a", Kill::kSilent, "test");
    if (away) lab.hosts.set_partition(lab.ids[7], 7);
    const auto served = lab.until_served();
    ASSERT_TRUE(served);
    (away ? one_away : all_back) = *served;
    EXPECT_FALSE(lab.fs().is_evicted(here));
    EXPECT_EQ(lab.fs().is_evicted(other), away);
    EXPECT_EQ(lab.fs().sessions(0), away ? 1u : 2u);
  }
  EXPECT_GE(one_away - all_back, 43s);
  EXPECT_LE(one_away - all_back, 47s);
}

TEST(FileSystems, AClientThatComesBackInTimeIsNotEvicted) {
  FsLab lab;
  const auto session = lab.fs().open_session(0, 0, lab.ids[7], "h7");
  lab.hosts.set_partition(lab.ids[7], 7);
  lab.cluster->kill_mds("myfs-a", Kill::kSilent, "test");
  lab.until([&] { return lab.mds("myfs-b").state == MdsState::kReconnect; }, 5min);
  lab.run(20s);
  EXPECT_EQ(lab.mds("myfs-b").state, MdsState::kReconnect);
  EXPECT_NE(health_text(*lab.cluster, true).find("fs myfs mds.myfs-b rank 0 is reconnecting to clients"), std::string::npos);
  lab.hosts.set_partition(lab.ids[7], 0);
  const auto served = lab.until_served();
  ASSERT_TRUE(served);
  EXPECT_LE(*served, 8s);
  EXPECT_FALSE(lab.fs().is_evicted(session));
}

TEST(FileSystems, ASilentClientIsEvictedAfterFiveMinutes) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    FsLab lab({}, seed);
    const auto session = lab.fs().open_session(0, 0, lab.ids[7], "h7");
    lab.hosts.set_partition(lab.ids[7], 7);
    const auto evicted = lab.until([&] { return lab.fs().is_evicted(session); }, 10min);
    ASSERT_TRUE(evicted);
    EXPECT_GE(*evicted, 280s);  // the last renewal was up to 20 s before
    EXPECT_LE(*evicted, 305s);
    EXPECT_EQ(lab.chain_of("MdsClientEvicted"), "MdsClientEvicted < HostPartitioned");
    EXPECT_EQ(lab.fs().sessions(0), 0u);
    // Being reachable again does not help it.
    lab.hosts.set_partition(lab.ids[7], 0);
    lab.run(10min);
    EXPECT_TRUE(lab.fs().is_evicted(session));
  }
}

TEST(FileSystems, AClientThatIsSilentForLessIsNotEvicted) {
  FsLab lab;
  const auto session = lab.fs().open_session(0, 0, lab.ids[7], "h7");
  lab.hosts.set_partition(lab.ids[7], 7);
  lab.run(270s);
  lab.hosts.set_partition(lab.ids[7], 0);
  lab.run(10min);
  EXPECT_FALSE(lab.fs().is_evicted(session));
  lab.fs().close_session(session);
  EXPECT_EQ(lab.fs().sessions(0), 0u);
}

TEST(FileSystems, WithoutAQuorumNothingIsTakenOverAndServersDeferTheirClients) {
  FsLab lab;
  lab.cluster->kill_mon("a");
  lab.cluster->kill_mon("b");
  lab.run(14s);
  EXPECT_TRUE(lab.fs().serves(0) || lab.fs().mdss()[0].defers);
  lab.run(20s);
  EXPECT_FALSE(lab.fs().serves(0));  // no beacon is answered: MDSRank::_dispatch defers
  EXPECT_EQ(lab.records("MdsDeferring"), 2u);
  EXPECT_EQ(lab.chain_of("FsUnavailable").substr(0, 43), "FsUnavailable < MdsDeferring < MonQuorumLos");
  lab.cluster->kill_mds("myfs-a", Kill::kSilent, "test");
  lab.run(10min);
  EXPECT_EQ(lab.records("MdsFailover"), 0u);
  EXPECT_EQ(lab.records("MdsLaggy"), 0u);
  lab.cluster->start_mon("a");
  const auto served = lab.until_served(5min);
  ASSERT_TRUE(served);
  // The new leader counts beacons from its own beginning, and is patient while its quorum is young and a monitor is down: 60 s.
  EXPECT_GE(*served, 60s);
  EXPECT_LE(*served, 100s);
}

TEST(FileSystems, AQuorumThatComesBackIsEnough) {
  FsLab lab;
  lab.cluster->kill_mon("a");
  lab.cluster->kill_mon("b");
  lab.run(5min);
  EXPECT_FALSE(lab.fs().serves(0));
  lab.cluster->start_mon("a");
  ASSERT_TRUE(lab.until([&] { return lab.cluster->has_quorum(); }, 5min));
  const auto served = lab.until_served(5min);
  ASSERT_TRUE(served);
  EXPECT_LE(*served, 4s);  // at the next beacon
  EXPECT_EQ(lab.records("MdsFailover"), 0u);
}

TEST(FileSystems, MetadataNeedTheirPool) {
  FsLab lab;
  const auto session = lab.fs().open_session(0, 0, lab.ids[6], "h6");
  for (int osd = 0; osd < 8; ++osd) lab.cluster->kill_osd(osd, Kill::kSilent, "test");  // h0 to h3
  lab.run(1s);
  EXPECT_FALSE(lab.fs().serves(0));
  EXPECT_EQ(lab.chain_of("FsUnavailable"), "FsUnavailable < PoolIoBlocked < OsdStopped");
  lab.run(60s);
  // The server itself is well, and says what is not.
  EXPECT_EQ(lab.stat(), "myfs:1 {0=myfs-a=up:active} 1 up:standby-replay");
  const std::string detail = health_text(*lab.cluster, true);
  EXPECT_NE(detail.find("MDS_SLOW_METADATA_IO: 1 MDSs report slow metadata IOs\n    mds.myfs-a(mds.0): 1 slow metadata IOs are blocked > 30 secs, oldest blocked for 61 secs"), std::string::npos) << detail;
  EXPECT_NE(detail.find("MDS_SLOW_REQUEST: 1 MDSs report slow requests"), std::string::npos) << detail;
  // A failover begins and cannot end: the journal cannot be read.
  lab.cluster->kill_mds("myfs-a", Kill::kStop, "test");
  lab.run(60s);
  EXPECT_EQ(lab.stat(), "myfs:1/1 {0=myfs-b=up:replay}");
  for (int osd = 0; osd < 8; ++osd) lab.cluster->start_osd(osd);
  const auto served = lab.until_served();
  ASSERT_TRUE(served);
  EXPECT_FALSE(lab.fs().is_evicted(session));
  EXPECT_EQ(health_text(*lab.cluster, true).find("MDS_SLOW"), std::string::npos);
}

TEST(FileSystems, SeveralRanksResolveAndRejoinTogether) {
  FsLab lab({.active = 2, .mdss = 4, .wanted = 2});
  EXPECT_EQ(lab.stat(), "myfs:2 {0=myfs-a=up:active,1=myfs-b=up:active} 2 up:standby-replay");
  lab.cluster->kill_mds("myfs-a", Kill::kSilent, "test");
  EXPECT_FALSE(lab.fs().rank_serves(0, 0));
  EXPECT_TRUE(lab.fs().rank_serves(0, 1));
  bool resolved = false;
  const auto served = lab.until([&] {
    resolved = resolved || lab.mds("myfs-c").state == MdsState::kResolve;
    return lab.fs().serves(0);
  }, 5min);
  ASSERT_TRUE(served);
  EXPECT_TRUE(resolved);
  EXPECT_EQ(lab.stat(), "myfs:2 {0=myfs-c=up:active,1=myfs-b=up:active} 1 up:standby-replay");
}

TEST(FileSystems, AServerThatWasCutOffComesBackAsAStandby) {
  FsLab lab;
  lab.hosts.set_partition(lab.ids[3], 7);
  const auto taken = lab.until([&] { return lab.mds("myfs-b").state == MdsState::kActive; }, 5min);
  ASSERT_TRUE(taken);
  EXPECT_EQ(lab.stat(), "myfs:1 {0=myfs-b=up:active}");
  lab.hosts.set_partition(lab.ids[3], 0);
  lab.run(60s);
  EXPECT_EQ(lab.stat(), "myfs:1 {0=myfs-b=up:active} 1 up:standby-replay");
}

TEST(FileSystems, BothOnOneHostIsNoStandby) {
  FsLab lab({.mdss = 2});
  lab.cluster->kill_mds("myfs-b", Kill::kStop, "moved");
  lab.run(5s);
  lab.cluster->start_mds("myfs-b", "h3");
  lab.run(2min);
  EXPECT_EQ(lab.stat(), "myfs:1 {0=myfs-a=up:active} 1 up:standby-replay");
  lab.hosts.crash(lab.ids[3]);
  lab.run(10min);
  EXPECT_FALSE(lab.fs().serves(0));
  EXPECT_EQ(lab.records("MdsFailover"), 0u);
}

TEST(FileSystems, LostMetadataDamageTheRank) {
  FsLab lab;
  // Every copy of some placement groups of the metadata is gone, and their primaries say so.
  const PoolState& pool = lab.cluster->pgs().pools()[1];
  ASSERT_EQ(pool.config.name, "myfs-metadata");
  const std::vector<int> acting = lab.cluster->pgs().pg(pool.first_pg).acting;
  for (const int osd : acting) lab.cluster->fail_disk(osd);
  lab.run(2min);
  for (const int osd : acting) lab.cluster->mark_lost(osd);
  lab.run(20min);
  for (std::uint32_t i = 0; i < lab.cluster->pgs().size(); ++i) lab.cluster->pgs().force_create(i);
  lab.run(30min);
  ASSERT_TRUE(lab.fs().metadata_answers(0)) << lab.all_states();
  lab.cluster->kill_mds("myfs-a", Kill::kStop, "test");
  lab.run(2min);
  EXPECT_EQ(lab.stat(), "myfs:0/1 1 up:standby, 1 damaged") << lab.all_states();
  EXPECT_NE(health_text(*lab.cluster, true).find("[ERR] MDS_DAMAGE: 1 mds daemon damaged\n    fs myfs mds.0 is damaged"), std::string::npos);
}

TEST(FileSystems, ConfigurationsThatCephWouldRefuse) {
  Lab lab;
  lab.config.file_systems.push_back({"myfs", "meta", {}, 2, true, 0});
  lab.config.mdss.push_back({"myfs-a", "myfs", "h9"});
  lab.config.mdss.push_back({"other-a", "other", ""});
  const std::vector<std::string> problems = CephCluster::problems(lab.config, lab.hosts);
  const std::vector<std::string> want{"mds.myfs-a is on host 'h9', which does not exist", "file system 'myfs' wants 2 active metadata servers and has 1", "file system 'myfs' needs a data pool",
                                      "file system 'myfs': there is no pool 'meta'", "1 metadata servers are for file system 'other', which does not exist"};
  EXPECT_EQ(problems, want);
}

// Whatever fails and comes back, in any order: one server a rank, and all is served in the end.
TEST(FileSystems, EverythingIsServedWhenAllIsMended) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    FsLab lab({.active = 2, .mdss = 5, .wanted = 2}, seed);
    std::vector<FileSystems::SessionId> sessions;
    for (int i = 0; i < 6; ++i) sessions.push_back(lab.fs().open_session(0, i % 2, lab.ids[6 + static_cast<std::size_t>(i) % 2], fmt::format("client{}", i)));
    RandomStream draws = lab.random.stream("test", "faults");
    for (int fault = 0; fault < 25; ++fault) {
      const auto number = static_cast<std::size_t>(draws.uniform_int(0, 4));
      const std::string name = fmt::format("myfs-{}", static_cast<char>('a' + number));
      switch (draws.uniform_int(0, 5)) {
        case 0: lab.cluster->kill_mds(name, Kill::kSilent, "test"); break;
        case 1: lab.cluster->kill_mds(name, Kill::kStop, "test"); break;
        case 2: lab.cluster->start_mds(name, fmt::format("h{}", 3 + number % 3)); break;
        case 3: lab.hosts.set_partition(lab.ids[number + 3], lab.hosts.partition(lab.ids[number + 3]) == 0 ? 9 : 0); break;
        case 4: lab.cluster->kill_mon(number % 2 == 0 ? "a" : "b"); break;
        default: lab.cluster->start_mon(number % 2 == 0 ? "a" : "b"); break;
      }
      lab.run(draws.uniform(SimDuration(1s), SimDuration(90s)));
      std::vector<int> held(2, 0);
      for (const FileSystems::Mds& mds : lab.fs().mdss()) {
        if (mds.in_map && mds.rank >= 0 && mds.state != MdsState::kStandbyReplay) ++held[static_cast<std::size_t>(mds.rank)];
      }
      for (int rank = 0; rank < 2; ++rank) {
        EXPECT_LE(held[static_cast<std::size_t>(rank)], 1);
        EXPECT_EQ(lab.fs().at(0).ranks[static_cast<std::size_t>(rank)].mds.has_value(), held[static_cast<std::size_t>(rank)] == 1);
      }
    }
    for (const auto id : lab.ids) lab.hosts.set_partition(id, 0);
    for (const char* mon : {"a", "b"}) lab.cluster->start_mon(mon);
    for (int i = 0; i < 5; ++i) lab.cluster->start_mds(fmt::format("myfs-{}", static_cast<char>('a' + i)), fmt::format("h{}", 3 + i % 3));
    lab.run(15min);
    EXPECT_TRUE(lab.fs().serves(0)) << lab.stat() << "\n" << health_text(*lab.cluster, true);
    EXPECT_EQ(lab.codes(), "") << lab.stat();
    const std::uint64_t before = lab.engine.stats().executed;
    lab.run(1h);
    EXPECT_EQ(lab.engine.stats().executed, before);
  }
}

}  // namespace
}  // namespace sim::ceph
