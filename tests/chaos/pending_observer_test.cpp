#include "chaos/outages/pending_observer.hpp"

#include <gtest/gtest.h>

namespace chaos {
namespace {

using namespace std::chrono_literals;
using sim::k8s::Change;
using sim::k8s::Pod;
using sim::k8s::PodPhase;
using sim::k8s::Ref;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

struct PendingObserverTest : testing::Test {
  sim::Engine engine;
  sim::Interner names;
  sim::EventLog log{engine, names};
  sim::k8s::ApiServer api{engine, log, names};

  void SetUp() override { api.watch_latency = SimDuration::zero(); }
  Ref<Pod> pod(const char* name, const char* app = "web") {
    Pod object;
    object.spec = std::make_shared<const sim::k8s::PodSpec>();
    object.meta.ns = names.intern("shop");
    object.meta.name = names.intern(name);
    object.meta.labels.set(names.intern("app"), names.intern(app));
    return api.create(object);
  }
  void phase(Ref<Pod> ref, PodPhase to) {
    api.update(ref, Change::kPhase, [&](Pod& object) { object.phase = to; });
  }
  void run_to(SimDuration time) { engine.run_until(at(time)); }
};

TEST_F(PendingObserverTest, KeepsTheLongWaitsWithTheNewestReason) {
  PendingObserver observer(api, PodFilter{}, 60s);
  observer.start();
  const Ref<Pod> quick = pod("quick");
  const Ref<Pod> slow = pod("slow");
  const Ref<Pod> stuck = pod("stuck");
  run_to(10s);
  phase(quick, PodPhase::kRunning);
  const CauseId why = api.record(slow, "FailedScheduling", "0/3 nodes are available");
  api.update(slow, Change::kScheduling, [](Pod& object) { object.unschedulable = true; });
  run_to(100s);
  api.record(slow, "Scheduled", "");
  phase(slow, PodPhase::kRunning);
  run_to(200s);

  const std::vector<PendingSpan> spans = observer.spans(engine.now());
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(names.text(spans[0].name), "slow");
  EXPECT_EQ(spans[0].cause, why);
  EXPECT_EQ(spans[0].end - spans[0].start, 100s);
  EXPECT_FALSE(spans[0].open);
  EXPECT_EQ(names.text(spans[1].name), "stuck");
  EXPECT_TRUE(spans[1].open);
  EXPECT_EQ(observer.longest(engine.now()), 200s);
  EXPECT_EQ(maximum(observer.count(), at(0s), at(200s))->value, 3.0);
  api.remove(stuck);
  run_to(201s);
  EXPECT_EQ(observer.count().value(), 0.0);
}

TEST_F(PendingObserverTest, TheLongestIsThatOfTheWindow) {
  PendingObserver observer(api, PodFilter{}, 10min, at(20s), at(50s));
  observer.start();
  const Ref<Pod> before = pod("before");
  run_to(30s);
  phase(before, PodPhase::kRunning);  // 10 s of it within the window
  const Ref<Pod> across = pod("across");
  run_to(70s);
  EXPECT_EQ(observer.longest(engine.now()), 20s);
  phase(across, PodPhase::kRunning);
  pod("after");
  run_to(300s);
  EXPECT_EQ(observer.longest(engine.now()), 20s);
}

TEST_F(PendingObserverTest, CountsWhatMatchesAndWhatWasThereBefore) {
  const Ref<Pod> before = pod("before");
  pod("other", "db");
  PodFilter filter;
  filter.ns = names.intern("shop");
  filter.selector = sim::k8s::LabelSelector{{{names.intern("app"), sim::k8s::SelectorOperator::kIn, {names.intern("web")}}}};
  PendingObserver observer(api, filter, 0s);
  observer.start();
  EXPECT_EQ(observer.count().value(), 1.0);
  run_to(5s);
  phase(before, PodPhase::kFailed);
  run_to(6s);
  EXPECT_EQ(observer.count().value(), 0.0);
  ASSERT_EQ(observer.spans(engine.now()).size(), 1u);
  EXPECT_EQ(observer.spans(engine.now())[0].end, at(5s));
}

}  // namespace
}  // namespace chaos
