// Random crashes, hangs, partitions, kills and slow disks, over many seeds: what always holds.
#include <gtest/gtest.h>

#include "tests/models/kubernetes/control_plane_fixture.hpp"

namespace sim::k8s {
namespace {

using namespace std::chrono_literals;

constexpr Component kAll[] = {Component::kEtcd, Component::kApiServer, Component::kScheduler, Component::kControllerManager};

/// The size of the largest set of members that can vote, straight from the hosts.
std::size_t largest_group(const ControlPlaneFixture& world) {
  std::size_t largest = 0;
  for (std::size_t i = 0; i < world.plane.member_count(); ++i) {
    if (!world.plane.is_running(Component::kEtcd, i)) continue;
    std::size_t size = 0;
    for (std::size_t j = 0; j < world.plane.member_count(); ++j) {
      size += world.plane.is_running(Component::kEtcd, j) && world.hosts.reachable(world.cp(i), world.cp(j)) ? 1 : 0;
    }
    largest = std::max(largest, size);
  }
  return largest;
}

void check(const ControlPlaneFixture& world) {
  const std::size_t n = world.plane.member_count();
  const bool quorum = largest_group(world) >= n / 2 + 1;
  ASSERT_EQ(world.plane.has_quorum(), quorum);
  if (world.api.writable()) {
    ASSERT_TRUE(quorum);
    ASSERT_TRUE(world.plane.leader(Component::kEtcd).has_value());
    ASSERT_GT(world.plane.running_count(Component::kApiServer), 0u);
  }
  ASSERT_EQ(world.api.readable(), world.plane.running_count(Component::kApiServer) > 0);
  for (const Component component : {Component::kEtcd, Component::kScheduler, Component::kControllerManager}) {
    if (const auto leader = world.plane.leader(component)) {
      ASSERT_TRUE(world.plane.is_running(component, *leader));
    }
  }
  for (const Component component : {Component::kScheduler, Component::kControllerManager}) {
    if (world.plane.leads(component)) {
      ASSERT_TRUE(world.api.writable());
    }
  }
  if (world.plane.writable_from(world.worker)) {
    ASSERT_TRUE(world.api.writable());
  }
}

void one_fault(ControlPlaneFixture& world, RandomStream& random, std::size_t member) {
  const Component component = kAll[static_cast<std::size_t>(random.uniform_int(0, 3))];
  switch (random.uniform_int(0, 11)) {
    case 0: world.hosts.crash(world.cp(member)); break;
    case 1: world.hosts.power_on(world.cp(member)); break;
    case 2: world.hosts.reboot(world.cp(member)); break;
    case 3: world.hosts.hang(world.cp(member), "test"); break;
    case 4: world.hosts.set_partition(world.cp(member), static_cast<std::uint32_t>(random.uniform_int(0, 2))); break;
    case 5: world.plane.kill(component, member); break;
    case 6: world.plane.stop(component, member); break;
    case 7: world.plane.start_component(component, member); break;
    case 8: world.plane.set_disk_slow(member, random.chance(0.5) ? 1 : 50000); break;
    case 9: world.plane.set_kubelet_running(world.cp(member), random.chance(0.5)); break;
    case 10: world.plane.set_stalled(world.cp(member), random.chance(0.5)); break;
    default:
      if (random.chance(0.3)) {
        world.plane.set_etcd_size(3ll << 30);
      } else {
        world.plane.clear_alarm();
      }
      break;
  }
}

void repair(ControlPlaneFixture& world) {
  for (std::size_t i = 0; i < world.plane.member_count(); ++i) {
    world.hosts.set_partition(world.cp(i), 0);
    world.hosts.reset(world.cp(i));
    world.hosts.power_on(world.cp(i));
    world.plane.set_disk_slow(i, 1);
    world.plane.set_kubelet_running(world.cp(i), true);
    world.plane.set_stalled(world.cp(i), false);
    for (const Component component : kAll) world.plane.start_component(component, i);
  }
  world.plane.clear_alarm();
}

TEST(ControlPlaneProperty, NeverWritableWithoutQuorumNeverTwoLeadersAlwaysBackInTheEnd) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomStream random(seed, "test", "faults");
    const std::size_t members = 1 + 2 * static_cast<std::size_t>(random.uniform_int(0, 3));
    ControlPlaneFixture world(members, seed, random.chance(0.7) ? ControlPlaneConfig{} : any_endpoint());
    for (int step = 0; step < 40; ++step) {
      one_fault(world, random, static_cast<std::size_t>(random.uniform_int(0, static_cast<std::int64_t>(members) - 1)));
      ASSERT_NO_FATAL_FAILURE(check(world));
      const SimTime until = world.engine.now() + random.uniform(0s, random.chance(0.3) ? 10min : 20s);
      while (world.engine.next_event_time() <= until) {
        world.engine.step();
        ASSERT_NO_FATAL_FAILURE(check(world));
      }
      world.engine.run_until(until);
    }
    repair(world);
    // Boot 2 min, kubelet 30 s, at worst one back-off of 300 s, then a lease.
    world.run(15min);
    ASSERT_TRUE(world.api.writable());
    for (const Component component : kAll) ASSERT_EQ(world.plane.running_count(component), members) << to_string(component);
    ASSERT_TRUE(world.plane.leads(Component::kScheduler));
    ASSERT_TRUE(world.plane.leads(Component::kControllerManager));
    ASSERT_TRUE(world.plane.reachable_from(world.worker));
    // Gains and losses take turns: nobody leads beside somebody else.
    for (const Component component : {Component::kScheduler, Component::kControllerManager}) {
      bool leads = true;
      for (const auto& change : world.leadership) {
        if (change.component != component) continue;
        ASSERT_NE(change.gained, leads);
        leads = change.gained;
      }
    }
    // Every mirror pod shows its process.
    world.run(2min);
    for (std::size_t i = 1; i <= members; ++i) {
      for (const Component component : kAll) {
        const Pod* pod = world.pod(std::string(to_string(component)) + "-cp-" + std::to_string(i));
        ASSERT_NE(pod, nullptr);
        ASSERT_TRUE(pod->ready);
      }
    }
    ASSERT_EQ(world.engine.next_event_time(), kEndOfTime) << "a repaired plane costs no events";
  }
}

TEST(ControlPlaneProperty, TheSameSeedGivesTheSameLog) {
  const auto hash = [](std::uint64_t seed) {
    RandomStream random(seed, "test", "faults");
    ControlPlaneFixture world(3, seed);
    for (int step = 0; step < 30; ++step) {
      one_fault(world, random, static_cast<std::size_t>(random.uniform_int(0, 2)));
      world.run(30s);
    }
    return event_log_hash(world.engine, world.log);
  };
  EXPECT_EQ(hash(7), hash(7));
  EXPECT_NE(hash(7), hash(8));
}

// Killing a scheduler moves no draw of etcd's elections: two runs stay comparable.
TEST(ControlPlaneProperty, ElectionsDoNotDependOnOtherFaults) {
  const auto elected_after = [](bool also_kill_scheduler) {
    ControlPlaneFixture world(3, 11);
    if (also_kill_scheduler) world.plane.kill(Component::kScheduler, 1);
    world.run(30s);
    world.hosts.crash(world.cp(*world.plane.leader(Component::kEtcd)));
    world.run_until([&] { return world.plane.leader(Component::kEtcd).has_value(); }, 5s);
    return world.engine.now();
  };
  EXPECT_EQ(elected_after(false), elected_after(true));
}

}  // namespace
}  // namespace sim::k8s
