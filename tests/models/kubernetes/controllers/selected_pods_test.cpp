#include "sim/models/kubernetes/controllers/selected_pods.hpp"

#include <gtest/gtest.h>

#include "tests/models/kubernetes/controllers/node_test_world.hpp"

namespace sim::k8s {
namespace {

/// Follows the pods of all services, as a controller does.
struct Follower : Watcher {
  explicit Follower(ApiServer& server) : api(server) { api.watch({Kind::kPod}, *this); }
  void on_event(const WatchEvent& event) override {
    selected.on_event(api, event, [&](Ref<Service> owner) { visited.push_back(owner); });
  }
  ApiServer& api;
  SelectedPods<Service> selected;
  std::vector<Ref<Service>> visited;
};

// Against trying every selector on every pod, over random labels, selectors and changes.
TEST(SelectedPods, AgreesWithTryingAll) {
  NodeTestWorld world;
  RandomStream dice(7, "test/selected-pods", "");
  Follower follower(world.api);
  const Ref<Node> node = world.add_node("w1");
  std::map<Ref<Service>, LabelSelector> selectors;
  std::vector<Ref<Pod>> pods;
  const auto random_selector = [&] {
    LabelSelector selector;
    const std::int64_t count = dice.uniform_int(0, 2);
    for (std::int64_t i = 0; i < count; ++i) {
      Requirement requirement;
      requirement.key = world.sym(fmt::format("k{}", dice.uniform_int(0, 2)));
      requirement.op = static_cast<SelectorOperator>(dice.uniform_int(0, 3));
      if (requirement.op == SelectorOperator::kIn || requirement.op == SelectorOperator::kNotIn) {
        for (std::int64_t v = dice.uniform_int(1, 2); v > 0; --v) requirement.values.push_back(world.sym(fmt::format("v{}", dice.uniform_int(0, 2))));
      }
      selector.requirements.push_back(requirement);
    }
    return selector;
  };
  const auto relabel = [&](Ref<Pod> pod) {
    world.api.update(pod, Change::kLabels, [&](Pod& p) {
      p.meta.labels.set(world.sym(fmt::format("k{}", dice.uniform_int(0, 2))), world.sym(fmt::format("v{}", dice.uniform_int(0, 2))));
    });
  };
  for (int step = 0; step < 2000; ++step) {
    switch (dice.uniform_int(0, 5)) {
      case 0: {
        const Ref<Service> owner{static_cast<std::uint32_t>(dice.uniform_int(0, 9)), 1};
        selectors[owner] = random_selector();
        follower.selected.set_owner(world.api, owner, world.api.well_known().ns_default, selectors[owner], true);
        break;
      }
      case 1: {
        const Ref<Service> owner{static_cast<std::uint32_t>(dice.uniform_int(0, 9)), 1};
        selectors.erase(owner);
        follower.selected.remove_owner(owner);
        break;
      }
      case 2:
      case 3:
        pods.push_back(world.add_pod(fmt::format("p-{}", step), node));
        relabel(pods.back());
        break;
      default:
        if (pods.empty()) break;
        const std::size_t index = static_cast<std::size_t>(dice.uniform_int(0, static_cast<std::int64_t>(pods.size()) - 1));
        if (dice.chance(0.5)) {
          relabel(pods[index]);
        } else {
          DeleteOptions now;
          now.grace_period_seconds = 0;
          world.api.remove(pods[index], now);
          pods.erase(pods.begin() + static_cast<std::ptrdiff_t>(index));
        }
    }
    world.engine.run_until(world.engine.now() + 10ms);
    for (const auto& [owner, selector] : selectors) {
      std::set<Ref<Pod>> want;
      for (const Ref<Pod> pod : pods) {
        if (selector.matches(world.api.get(pod)->meta.labels, world.names)) want.insert(pod);
      }
      ASSERT_EQ(follower.selected.pods(owner), want) << "step " << step;
    }
  }
}

TEST(SelectedPods, OwnersHearOfTheirPodsOnly) {
  NodeTestWorld world;
  Follower follower(world.api);
  const Ref<Service> web{0, 1};
  const Ref<Service> db{1, 1};
  follower.selected.set_owner(world.api, web, world.api.well_known().ns_default, world.select("web"), true);
  follower.selected.set_owner(world.api, db, world.api.well_known().ns_default, world.select("db"), true);
  const Ref<Pod> pod = world.add_pod("web-0", world.add_node("w1"));
  world.engine.run_until(at(1s));
  EXPECT_EQ(follower.visited, std::vector<Ref<Service>>{web});
  follower.visited.clear();
  world.api.update(pod, Change::kLabels, [&](Pod& p) { p.meta.labels.set(world.sym("app"), world.sym("db")); });
  world.engine.run_until(at(2s));
  EXPECT_EQ(follower.visited, (std::vector<Ref<Service>>{web, db}));  // the one it left hears of it too
}

}  // namespace
}  // namespace sim::k8s
