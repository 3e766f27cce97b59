#include "chaos/outages/service_observer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "chaos/outages/outages.hpp"

namespace chaos {
namespace {

using namespace std::chrono_literals;
using sim::k8s::Change;
using sim::k8s::Endpoints;
using sim::k8s::Pod;
using sim::k8s::Ref;
using sim::k8s::Service;

SimTime at(SimDuration since_start) { return SimTime{} + since_start; }

/// An API with one Service "web"; the test is endpoints controller and kubelet.
struct ServiceObserverTest : testing::Test {
  sim::Engine engine;
  sim::Interner names;
  sim::EventLog log{engine, names};
  sim::k8s::ApiServer api{engine, log, names};
  std::set<Ref<Pod>> serving;
  ServiceObserver observer{api, [this](Ref<Pod> pod) { return serving.contains(pod); }};
  Ref<Endpoints> endpoints;
  SummaryOptions options;

  void SetUp() override {
    api.watch_latency = SimDuration::zero();
    Service service;
    service.meta.ns = names.intern("shop");
    service.meta.name = names.intern("web");
    service.has_selector = true;
    api.create(service);
    Endpoints empty;
    empty.meta.ns = service.meta.ns;
    empty.meta.name = service.meta.name;
    endpoints = api.create(empty);
    options.end = at(1000s);
  }
  Ref<Pod> pod(const char* name) {
    Pod object;
    object.spec = std::make_shared<const sim::k8s::PodSpec>();
    object.meta.ns = names.intern("shop");
    object.meta.name = names.intern(name);
    return api.create(object);
  }
  void run_to(SimDuration time) { engine.run_until(at(time)); }
  void list(std::vector<Ref<Pod>> ready) {
    api.update(endpoints, Change::kStatus, [&](Endpoints& object) {
      object.addresses.clear();
      for (Ref<Pod> one : ready) object.addresses.push_back({one, true, false});
    });
    engine.run_until(engine.now());
  }
  CauseId cause(const char* kind) { return log.record(kind, "Node/n", ""); }
  void set_serving(Ref<Pod> one, bool serves, CauseId why = {}) {
    sim::ScopedCause because(engine, why);
    if (serves) {
      serving.insert(one);
    } else {
      serving.erase(one);
    }
    observer.serving_changed(one, serves);
  }
  const ServiceHistory& history() { return *observer.find(names.find("shop"), names.find("web")); }
};

TEST_F(ServiceObserverTest, ADeadEndpointCostsItsShareUntilTheApiKnows) {
  observer.start();
  const Ref<Pod> a = pod("a");
  const Ref<Pod> b = pod("b");
  set_serving(a, true);
  set_serving(b, true);
  list({a, b});
  run_to(100s);
  const CauseId crash = cause("HostCrashed");
  set_serving(a, false, crash);
  run_to(150s);
  list({b});  // NotReady: the API takes it off the list

  const std::vector<Outage> outages = service_outages(history(), "Service/shop/web", options);
  ASSERT_EQ(outages.size(), 1u);
  EXPECT_EQ(outages[0].kind, OutageKind::kServiceDegraded);
  EXPECT_EQ(outages[0].start, at(100s));
  EXPECT_EQ(outages[0].end, at(150s));
  EXPECT_EQ(outages[0].cause, crash);
  EXPECT_FALSE(outages[0].open);
  const AvailabilityStats stats = service_stats(history(), "Service/shop/web", options);
  EXPECT_DOUBLE_EQ(stats.availability, (100 + 50 * 0.5 + 850) / 1000.0);
  EXPECT_EQ(stats.outages, 0u);
  EXPECT_EQ(stats.degraded, 50s);
  EXPECT_EQ(stats.serving_min, 1);
}

// Lists that grow, shrink, turn over or change a little, of pods that serve or do not: the counts are always those of the newest list.
TEST_F(ServiceObserverTest, CountsWhatTheNewestListSays) {
  observer.start();
  std::vector<Ref<Pod>> pods;
  for (int i = 0; i < 20; ++i) pods.push_back(pod(("p" + std::to_string(i)).c_str()));
  const sim::Randomness random(3);
  sim::RandomStream draw = random.stream("test", "lists");
  std::vector<Ref<Pod>> listed;
  for (int step = 1; step <= 2000; ++step) {
    const Ref<Pod> one = pods[static_cast<std::size_t>(draw.uniform_int(0, 19))];
    const auto place = std::find(listed.begin(), listed.end(), one);
    const std::int64_t what = draw.uniform_int(0, 9);
    if (what < 4) {
      set_serving(one, !serving.contains(one));
    } else if (what < 9) {
      if (place != listed.end()) {
        listed.erase(place);
      } else {
        listed.insert(listed.begin() + draw.uniform_int(0, static_cast<std::int64_t>(listed.size())), one);
      }
      list(listed);
    } else {
      std::reverse(listed.begin(), listed.end());
      if (draw.uniform_int(0, 3) == 0) listed.clear();
      list(listed);
    }
    run_to(std::chrono::seconds(step));
    const auto serves = std::count_if(listed.begin(), listed.end(), [&](Ref<Pod> p) { return serving.contains(p); });
    if (history().steps.empty()) continue;
    ASSERT_EQ(history().steps.back().listed, static_cast<std::int32_t>(listed.size())) << step;
    ASSERT_EQ(history().steps.back().serving, static_cast<std::int32_t>(serves)) << step;
  }
}

TEST_F(ServiceObserverTest, AnOutageNamesTheLossesThatLedToIt) {
  observer.start();
  const Ref<Pod> a = pod("a");
  const Ref<Pod> b = pod("b");
  set_serving(a, true);
  set_serving(b, true);
  list({a, b});
  run_to(100s);
  const CauseId drained = cause("DrainStarted");
  {
    sim::ScopedCause because(engine, drained);
    list({b});
  }
  run_to(200s);
  const CauseId crash = cause("HostCrashed");
  set_serving(b, false, crash);
  run_to(260s);
  const Ref<Pod> c = pod("c");
  set_serving(c, true);
  list({c});

  const std::vector<Outage> outages = service_outages(history(), "Service/shop/web", options);
  ASSERT_EQ(outages.size(), 1u);
  EXPECT_EQ(outages[0].kind, OutageKind::kServiceDown);
  EXPECT_EQ(outages[0].severity, Severity::kAlert);
  EXPECT_EQ(outages[0].cause, crash);
  EXPECT_EQ(outages[0].contributing, (std::vector<CauseId>{drained, crash}));
  EXPECT_EQ(outages[0].length(), 60s);
  const AvailabilityStats stats = service_stats(history(), "Service/shop/web", options);
  EXPECT_EQ(stats.outages, 1u);
  EXPECT_EQ(stats.longest, 60s);
  EXPECT_DOUBLE_EQ(stats.availability, 0.94);
}

TEST_F(ServiceObserverTest, AReplacementMakesGoodTheOldestLoss) {
  observer.start();
  const Ref<Pod> a = pod("a");
  const Ref<Pod> b = pod("b");
  set_serving(a, true);
  set_serving(b, true);
  list({a, b});
  run_to(10s);
  const CauseId first = cause("HostCrashed");
  set_serving(a, false, first);
  run_to(20s);
  const Ref<Pod> c = pod("c");
  set_serving(c, true);
  list({b, c});
  run_to(30s);
  const CauseId second = cause("HostHung");
  set_serving(b, false, second);
  LossWalk losses(history());
  EXPECT_EQ(losses.until(at(15s)), std::vector<CauseId>{first});
  EXPECT_EQ(losses.until(at(30s)), std::vector<CauseId>{second});
}

TEST_F(ServiceObserverTest, WhatStartsIsNotOutUnlessTheWarmUpIsOver) {
  observer.start();
  run_to(50s);
  const Ref<Pod> a = pod("a");
  set_serving(a, true);
  list({a});
  EXPECT_TRUE(service_outages(history(), "s", options).empty());
  EXPECT_EQ(service_stats(history(), "s", options).measured, 950s);
  options.warm_up_end = at(20s);
  const std::vector<Outage> outages = service_outages(history(), "s", options);
  ASSERT_EQ(outages.size(), 1u);
  EXPECT_EQ(outages[0].length(), 30s);
}

TEST_F(ServiceObserverTest, AServiceThatNeverServesIsOutAllTheTime) {
  observer.start();
  EXPECT_TRUE(service_outages(history(), "s", options).empty()) << "nothing stands behind it";
  const Ref<Pod> a = pod("a");
  api.update(endpoints, Change::kStatus, [&](Endpoints& object) { object.addresses.push_back({a, false, false}); });
  engine.run_until(at(1000s));
  const std::vector<Outage> outages = service_outages(history(), "s", options);
  ASSERT_EQ(outages.size(), 1u);
  EXPECT_TRUE(outages[0].open);
  EXPECT_EQ(outages[0].length(), 1000s);
  EXPECT_TRUE(service_stats(history(), "s", options).never_up);
  EXPECT_DOUBLE_EQ(service_stats(history(), "s", options).availability, 0.0);
}

TEST_F(ServiceObserverTest, LaneTellsTheStory) {
  observer.start();
  const Ref<Pod> a = pod("a");
  run_to(5s);
  set_serving(a, true);
  list({a});
  run_to(10s);
  set_serving(a, false, cause("HostCrashed"));
  run_to(20s);
  set_serving(a, true);
  const Lane lane = service_lane(history(), "Service/shop/web", at(30s));
  ASSERT_EQ(lane.intervals.size(), 4u);
  EXPECT_EQ(lane.intervals[0].state, "starting");
  EXPECT_EQ(lane.intervals[1].state, "serving 1");
  EXPECT_EQ(lane.intervals[2].state, "down");
  EXPECT_EQ(lane.intervals[2].severity, Severity::kAlert);
  EXPECT_EQ(lane.intervals[3].end, at(30s));
}

TEST_F(ServiceObserverTest, DeletedServicesEndThere) {
  observer.start();
  const Ref<Pod> a = pod("a");
  set_serving(a, true);
  list({a});
  run_to(100s);
  api.remove(api.find<Service>(names.find("shop"), names.find("web")));
  api.remove(endpoints);
  run_to(200s);
  EXPECT_TRUE(service_outages(history(), "s", options).empty());
  EXPECT_EQ(service_stats(history(), "s", options).measured, 100s);
}

}  // namespace
}  // namespace chaos
