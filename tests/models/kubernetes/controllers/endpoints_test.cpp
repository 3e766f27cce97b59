// Endpoints of Services, and the records of losing the last one.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "sim/models/kubernetes/controllers/node_controllers.hpp"
#include "tests/models/kubernetes/controllers/node_test_world.hpp"

namespace sim::k8s {
namespace {

class EndpointsOfServices : public ::testing::Test {
 protected:
  void SetUp() override { node = world.add_node("w1"); }
  void begin() {
    controller = make_endpoints_controller(world.context());
    controller->start();
    run_for(1s);
  }
  Ref<Service> add_service(std::string_view name, std::string_view app, bool publish_not_ready = false) {
    Service service;
    service.meta.ns = world.api.well_known().ns_default;
    service.meta.name = world.sym(name);
    service.has_selector = true;
    service.selector = world.select(app);
    service.publish_not_ready = publish_not_ready;
    return world.api.create(std::move(service));
  }
  void run_for(SimDuration span) { world.engine.run_until(world.engine.now() + span); }
  const Endpoints* endpoints(std::string_view name) { return world.api.get(world.api.find<Endpoints>(world.api.well_known().ns_default, world.sym(name))); }
  /// "web-0:ready web-1:terminating web-2:notready"
  std::string shown(std::string_view name) {
    std::string text;
    for (const Endpoints::Address& a : endpoints(name)->addresses) {
      if (!text.empty()) text += ' ';
      text += world.names.text(world.api.get(a.pod)->meta.name) + ":" + (a.terminating ? "terminating" : a.ready ? "ready" : "notready");
    }
    return text;
  }
  void set_ready(Ref<Pod> pod, bool ready, CauseId cause = {}) {
    const ScopedCause because(world.engine, cause);
    world.api.update(pod, Change::kReady, [&](Pod& p) { p.ready = ready; });
  }

  NodeTestWorld world;
  Ref<Node> node;
  std::unique_ptr<Controller> controller;
};

TEST_F(EndpointsOfServices, WhoIsListedAndHow) {
  PodOptions unready;
  unready.ready = false;
  PodOptions finished;
  finished.phase = PodPhase::kSucceeded;
  PodOptions other;
  other.app = "db";
  world.add_pod("web-2", node, unready);
  world.add_pod("web-0", node);
  const Ref<Pod> going = world.add_pod("web-1", node);
  world.add_pod("web-3", node, finished);
  world.add_pod("db-0", node, other);
  const Ref<Pod> no_ip = world.add_pod("web-4", node);
  world.api.update(no_ip, Change::kReady, [](Pod& p) { p.ip_serial = 0; });
  world.api.remove(going);
  add_service("web", "web");
  add_service("all", "web", true);
  begin();
  EXPECT_EQ(shown("web"), "web-0:ready web-1:terminating web-2:notready");
  EXPECT_EQ(endpoints("web")->ready_count(), 1);
  EXPECT_EQ(endpoints("all")->ready_count(), 3);  // publishNotReadyAddresses: all of them
}

TEST_F(EndpointsOfServices, FollowsPodsWithinMilliseconds) {
  add_service("web", "web");
  begin();
  EXPECT_EQ(shown("web"), "");
  const Ref<Pod> pod = world.add_pod("web-0", node);
  run_for(20ms);
  EXPECT_EQ(shown("web"), "web-0:ready");
  world.api.remove(pod);  // terminating: it leaves `ready` at the DELETE, not when its containers end
  run_for(20ms);
  EXPECT_EQ(shown("web"), "web-0:terminating");
  DeleteOptions now;
  now.grace_period_seconds = 0;
  world.api.remove(pod, now);
  run_for(20ms);
  EXPECT_EQ(shown("web"), "");
}

TEST_F(EndpointsOfServices, SelectorsAndServicesMayChange) {
  world.add_pod("web-0", node);
  PodOptions other;
  other.app = "db";
  world.add_pod("db-0", node, other);
  begin();
  const Ref<Service> service = add_service("web", "web");
  run_for(1s);
  EXPECT_EQ(shown("web"), "web-0:ready");
  world.api.update(service, Change::kSpec, [&](Service& s) { s.selector = world.select("db"); });
  run_for(1s);
  EXPECT_EQ(shown("web"), "db-0:ready");
  world.api.remove(service);
  run_for(1s);
  EXPECT_EQ(endpoints("web"), nullptr);
}

TEST_F(EndpointsOfServices, LosingTheLastOneNamesEveryReasonSinceAllWereReady) {
  add_service("web", "web");
  const Ref<Pod> a = world.add_pod("web-0", node);
  const Ref<Pod> b = world.add_pod("web-1", node);
  begin();
  const CauseId earlier = world.log.record("Fault", "Fault/earlier", "");
  const CauseId first = world.log.record("Fault", "Fault/first", "");
  const CauseId second = world.log.record("Fault", "Fault/second", "");
  set_ready(a, false, earlier);
  run_for(1s);
  set_ready(a, true);  // all were ready again: the earlier fault is no reason of what follows
  run_for(1s);
  set_ready(a, false, first);
  run_for(10s);
  set_ready(b, false, second);
  run_for(1s);
  const CauseId lost = world.last_record("ServiceHasNoEndpoints");
  ASSERT_TRUE(lost);
  EXPECT_EQ(world.log.subject(world.log.at(lost)), "Service/default/web");
  EXPECT_EQ(world.log.message(world.log.at(lost)), "0 of 2 endpoints ready");
  EXPECT_EQ(world.log.at(lost).cause, second);
  EXPECT_EQ(world.log.contributing(lost), std::vector<CauseId>{first});
  run_for(10s);
  set_ready(b, true);
  run_for(1s);
  EXPECT_EQ(world.records("ServiceHasEndpoints").size(), 1u);
  EXPECT_EQ(world.records("ServiceHasNoEndpoints").size(), 1u);
}

TEST_F(EndpointsOfServices, AServiceThatNeverHadOneLosesNothing) {
  add_service("web", "web");
  begin();
  const Ref<Pod> pod = world.add_pod("web-0", node, PodOptions{.ready = false});
  run_for(1s);
  set_ready(pod, true);
  run_for(1s);
  EXPECT_EQ(world.log.size(), 0u);
}

TEST_F(EndpointsOfServices, WhileNobodyLeadsTheyFreezeAndTheNextLeaderCatchesUp) {
  add_service("web", "web");
  const Ref<Pod> pod = world.add_pod("web-0", node);
  begin();
  controller->stop();
  set_ready(pod, false);
  run_for(60s);
  EXPECT_EQ(shown("web"), "web-0:ready");
  controller->start();
  run_for(1s);
  EXPECT_EQ(shown("web"), "web-0:notready");
  EXPECT_EQ(world.records("ServiceHasNoEndpoints").size(), 1u);
  controller->stop();
  set_ready(pod, true);
  run_for(60s);
  controller->start();
  run_for(1s);
  EXPECT_EQ(world.records("ServiceHasEndpoints").size(), 1u);
}

// 100 Services lose a pod at once: a burst of 30 writes, then 20 a second. What the world began with cost nothing.
TEST_F(EndpointsOfServices, ManyServicesAreWrittenAtTheClientsPace) {
  std::vector<Ref<Pod>> pods;
  for (int i = 0; i < 100; ++i) {
    const std::string app = fmt::format("app-{}", i);
    add_service(app, app);
    pods.push_back(world.add_pod(app + "-0", node, PodOptions{.app = app}));
  }
  begin();
  const auto listed = [&] {
    std::int64_t count = 0;
    world.api.all<Endpoints>().for_each([&](Ref<Endpoints>, const Endpoints& e) { count += e.ready_count(); });
    return count;
  };
  EXPECT_EQ(listed(), 100);
  for (const Ref<Pod> pod : pods) set_ready(pod, false);
  run_for(100ms);
  EXPECT_NEAR(static_cast<double>(listed()), 69, 2);
  run_for(1900ms);
  EXPECT_NEAR(static_cast<double>(listed()), 31, 2);
  run_for(2s);
  EXPECT_EQ(listed(), 0);
}

// Whatever happens in whatever order, what stands there in the end is what one would write down from the pods.
TEST_F(EndpointsOfServices, AfterAnyHistoryTheyAreWhatThePodsSay) {
  const Ref<Service> web = add_service("web", "web");
  add_service("all", "web", true);
  begin();
  const Randomness random(7);
  RandomStream draw = random.stream("test/endpoints", "history");
  for (int step = 0; step < 3000; ++step) {
    const std::string name = fmt::format("web-{}", draw.uniform_int(0, 11));
    const Ref<Pod> pod = world.api.find<Pod>(world.api.well_known().ns_default, world.sym(name));
    const std::int64_t what = draw.uniform_int(0, 9);
    if (!pod) {
      world.add_pod(name, node, PodOptions{.ready = draw.uniform_int(0, 1) == 1});
    } else if (what < 4) {
      set_ready(pod, !world.api.get(pod)->ready);
    } else if (what == 4) {
      world.api.remove(pod);
    } else if (what == 5) {
      DeleteOptions now;
      now.grace_period_seconds = 0;
      world.api.remove(pod, now);
      if (draw.uniform_int(0, 1) == 1) world.add_pod(name, node);  // its successor is there before anybody heard of its end
    } else if (what == 6) {
      world.api.update(pod, Change::kLabels, [&](Pod& p) { p.meta.labels.set(world.sym("app"), world.sym(draw.uniform_int(0, 1) == 1 ? "web" : "db")); });
    } else if (what == 7) {
      world.api.update(pod, Change::kPhase, [&](Pod& p) { p.phase = PodPhase::kFailed; });
    } else if (what == 8 && draw.uniform_int(0, 9) == 0) {
      const Ref<Endpoints> theirs = world.api.find<Endpoints>(world.api.well_known().ns_default, world.sym("web"));
      world.api.update(theirs, Change::kStatus, [](Endpoints& e) { e.addresses.clear(); });  // somebody else's write
      world.api.update(web, Change::kSpec, [](Service&) {});
    } else if (what == 9 && draw.uniform_int(0, 19) == 0) {
      controller->stop();
      controller->start();
    }
    if (draw.uniform_int(0, 2) == 0) run_for(draw.uniform(SimDuration{}, 100ms));
    if (step % 20 != 0) continue;
    run_for(2s);
    std::map<std::string, std::string> expected;
    std::map<std::string, std::string> expected_all;
    world.api.all<Pod>().for_each([&](Ref<Pod>, const Pod& p) {
      if (p.is_terminal() || p.meta.labels.find(world.sym("app")) != world.sym("web")) return;
      const char* going = p.meta.is_deleting() ? "terminating" : nullptr;
      expected[world.names.text(p.meta.name)] = going != nullptr ? going : p.ready ? "ready" : "notready";
      expected_all[world.names.text(p.meta.name)] = going != nullptr ? going : "ready";
    });
    const auto text = [](const std::map<std::string, std::string>& pods) {
      std::string all;
      for (const auto& [pod_name, state] : pods) all += (all.empty() ? "" : " ") + pod_name + ":" + state;
      return all;
    };
    ASSERT_EQ(shown("web"), text(expected)) << "step " << step;
    ASSERT_EQ(shown("all"), text(expected_all)) << "step " << step;
  }
}

TEST_F(EndpointsOfServices, WaitsForAnApiThatWrites) {
  add_service("web", "web");
  const Ref<Pod> pod = world.add_pod("web-0", node);
  begin();
  set_ready(pod, false);
  world.api.set_availability(true, false);
  run_for(60s);
  EXPECT_EQ(shown("web"), "web-0:ready");
  world.api.set_availability(true, true);
  run_for(1s);
  EXPECT_EQ(shown("web"), "web-0:notready");
}

}  // namespace
}  // namespace sim::k8s
