// A disk that slows: writes wait for it wherever it is in the acting set, and pods that cannot wait so long answer nobody.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/models/ceph/views/views.hpp"
#include "sim/models/rook/rook.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

std::string slow(double factor, const std::string& more = {}, const std::string& timeout = "3s") {
  const std::string ceph = R"(  mons: {count: 3, pools: [storage]}
  osds: {data: {pools: [storage], perNode: 2, size: 1Ti, deviceClass: ssd}}
  pools: {rbd: {size: 3, pgNum: 32, stored: 100Gi, writesPerSecond: 50}}
  ioTimeouts: [{namespace: shop, labels: {app: db}, within: )" + timeout + "}]\n";
  return ceph_scenario(fmt::format("faults:\n  slow: {{kind: ceph-disk, at: 10m, duration: 10m, osds: [3], action: slow, factor: {}}}\n", factor) + more, "{until: 1h, warmUp: 5m}", ceph);
}

TEST(SlowDisk, AWriteWaitsForTheSlowestMemberAReadForThePrimary) {
  sim::scenario::Diagnostics diagnostics;
  const auto spec = read(slow(1000.0), diagnostics);
  ASSERT_TRUE(spec) << diagnostics.format();
  RunOptions options;
  options.until = at(15min);
  const RunOutcome outcome = run_scenario(*spec, 1, options);
  const sim::ceph::CephCluster& cluster = outcome.world->rook->cluster();
  std::size_t with = 0;
  for (std::uint32_t i = 0; i < cluster.pgs().size(); ++i) {
    const sim::ceph::Pg& pg = cluster.pgs().pg(i);
    const bool has = std::find(pg.acting.begin(), pg.acting.end(), 3) != pg.acting.end();
    with += has ? 1u : 0u;
    EXPECT_EQ(cluster.write_latency(pg), has ? SimDuration(1s) : SimDuration(1ms));
    EXPECT_EQ(cluster.read_latency(pg), pg.primary == 3 ? SimDuration(1s) : SimDuration(1ms));
  }
  ASSERT_GT(with, 0u);
  const sim::ceph::WriteLatency pool = cluster.write_latency(0);
  EXPECT_EQ(pool.worst, 1s);
  EXPECT_EQ(pool.mean, (SimDuration(1s) * static_cast<std::int64_t>(with) + SimDuration(1ms) * static_cast<std::int64_t>(32 - with)) / 32);
  const std::string perf = sim::ceph::osd_perf_text(cluster);
  EXPECT_TRUE(perf.starts_with("osd  commit_latency(ms)  apply_latency(ms)\n  0                   1                  1\n")) << perf;
  EXPECT_NE(perf.find("\n  3                1000               1000\n"), std::string::npos) << perf;
  EXPECT_NE(sim::ceph::osd_perf_json(cluster).find("{\"id\":3,\"perf_stats\":{\"commit_latency_ms\":1000,"), std::string::npos);
}

TEST(SlowDisk, PodsThatCannotWaitSoLongAnswerNobody) {
  const RunOutcome outcome = run(slow(4000.0));  // 1 ms becomes 4 s
  const Outage* db = find(outcome, OutageKind::kServiceDown, "Service/shop/db");
  ASSERT_NE(db, nullptr) << log_text(outcome);
  EXPECT_EQ(db->start, at(10min));
  EXPECT_GE(db->end, at(20min));
  EXPECT_LE(db->end, at(20min + 100ms));
  std::string chain;
  for (const CauseStep& step : db->why.steps) chain += step.kind + " < ";
  EXPECT_NE(chain.find("VolumesSlow < OsdDiskSlow < FaultInjected < "), std::string::npos) << chain;
  EXPECT_NE(find(outcome, OutageKind::kServiceDown, "Service/shop/web"), nullptr);  // which needs it
  EXPECT_EQ(count(outcome, "VolumesFastAgain"), 1u);
  EXPECT_EQ(count(outcome, "VolumesHang"), 0u);
}

TEST(SlowDisk, WithinTheBoundNobodyNotices) {
  const RunOutcome outcome = run(slow(2900.0));
  EXPECT_TRUE(outcome.verdict.outages.empty()) << log_text(outcome);
}

TEST(SlowDisk, AReadinessProbesTimeoutIsABoundToo) {
  std::string text = slow(1500.0);  // 1.5 s; a probe waits for 1 s
  const std::string mounts = "            volumeMounts: [{name: data, mountPath: /var/lib/db}]\n";
  text.insert(text.find(mounts), "            readinessProbe: {tcpSocket: {port: 5432}}\n");
  const RunOutcome outcome = run(text);
  const Outage* db = find(outcome, OutageKind::kServiceDown, "Service/shop/db");
  ASSERT_NE(db, nullptr) << log_text(outcome);
  EXPECT_EQ(count(outcome, "Unhealthy"), 1u);  // and Kubernetes sees it
}

TEST(SlowDisk, OutOfTheActingSetItIsFeltNoMore) {
  // Its node dies: when the OSD is marked down, its placement groups write to the others, though the disk is as slow as before.
  const RunOutcome outcome = run(slow(4000.0, "  crash: {kind: node-crash, at: 12m, duration: 5m, target: {nodes: [st-2]}}\n"));
  ASSERT_EQ(outcome.world->hosts.spec(outcome.world->rook->cluster().osd(3).host).name, "st-2");
  const auto fast = records(outcome, "VolumesFastAgain");
  ASSERT_EQ(fast.size(), 2u) << log_text(outcome);
  EXPECT_GE(fast[0]->time, at(12min + 11s));
  EXPECT_LE(fast[0]->time, at(12min + 45s));
  const Outage* db = find(outcome, OutageKind::kServiceDown, "Service/shop/db");
  ASSERT_NE(db, nullptr) << log_text(outcome);
  EXPECT_LT(db->end, at(13min)) << log_text(outcome);
  EXPECT_EQ(count(outcome, "VolumesSlow"), 2u);  // and again when the node is back
}

TEST(SlowDisk, ExpectationsLookAtIt) {
  const RunOutcome outcome = run(slow(200.0, "expect:\n  fast: {kind: ceph, pool: rbd, writeLatency: 50ms}\n  bearable: {kind: ceph, pool: rbd, writeLatency: 500ms}\n"));
  ASSERT_EQ(outcome.verdict.expectations.size(), 2u);
  for (const ExpectationResult& result : outcome.verdict.expectations) {
    ASSERT_EQ(result.measures.size(), 1u);
    EXPECT_DOUBLE_EQ(result.measures[0].measured, 0.2);
    EXPECT_EQ(result.held, result.name == "bearable") << result.name;
    if (!result.held) {
      EXPECT_EQ(*result.measures[0].first_violation, at(10min));
    }
  }
  EXPECT_NE(problems_of(slow(10.0, "expect:\n  fast: {kind: ceph, writeLatency: 50ms}\n")).find("has a writeLatency and no pool"), std::string::npos);
}

}  // namespace
}  // namespace chaos
