#include "sim/models/topology/topology.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/core/random.hpp"

namespace sim::topology {
namespace {

std::vector<std::string> names_of(const Topology& topology, const std::vector<ElementId>& ids) {
  std::vector<std::string> names;
  for (const ElementId id : ids) names.push_back(topology.name(id));
  return names;
}
using Names = std::vector<std::string>;

/// A zone with two racks; each rack has a switch and two hosts; both feeds power each rack.
struct Site : ::testing::Test {
  Engine engine;
  Interner interner;
  EventLog log{engine, interner};
  Topology topology{engine, log};
  ElementId zone = topology.add(ElementKind::kZone, "zone-1");
  ElementId feed1 = topology.add(ElementKind::kPowerFeed, "feed-1");
  ElementId feed2 = topology.add(ElementKind::kPowerFeed, "feed-2");
  ElementId rack_a = topology.add(ElementKind::kRack, "rack-a");
  ElementId rack_b = topology.add(ElementKind::kRack, "rack-b");
  ElementId switch_a = topology.add(ElementKind::kSwitch, "switch-a");
  ElementId a1 = topology.add(ElementKind::kHost, "a1");
  ElementId a2 = topology.add(ElementKind::kHost, "a2");
  ElementId b1 = topology.add(ElementKind::kHost, "b1");
  ElementId vm = topology.add(ElementKind::kVm, "vm-1");
  std::vector<std::string> heard;

  Site() {
    for (const ElementId rack : {rack_a, rack_b}) {
      EXPECT_TRUE(topology.place(rack, zone));
      EXPECT_TRUE(topology.depend(rack, feed1, Aspect::kPower, 1));
      EXPECT_TRUE(topology.depend(rack, feed2, Aspect::kPower, 1));
    }
    EXPECT_TRUE(topology.place(switch_a, rack_a));
    EXPECT_TRUE(topology.place(a1, rack_a));
    EXPECT_TRUE(topology.place(a2, rack_a));
    EXPECT_TRUE(topology.place(b1, rack_b));
    EXPECT_TRUE(topology.place(vm, a1));
    for (const ElementId host : {a1, a2}) EXPECT_TRUE(topology.depend(host, switch_a, Aspect::kNetwork, 1));
    topology.on_change([this](ElementId id, Aspect aspect, bool has) {
      heard.push_back(std::string(has ? "+" : "-") + (aspect == Aspect::kPower ? "power " : "network ") + topology.name(id));
    });
  }
  Names kinds_of_log() const {
    Names kinds;
    for (const EventLog::Record& record : log.records()) kinds.push_back(log.kind(record) + " " + log.subject(record));
    return kinds;
  }
};

TEST_F(Site, OneFeedOfTwoIsEnough) {
  topology.fail(feed1, Aspect::kPower);
  EXPECT_TRUE(topology.has(rack_a, Aspect::kPower));
  EXPECT_TRUE(topology.has(a1, Aspect::kPower));
  EXPECT_EQ(heard, Names{"-power feed-1"});

  heard.clear();
  topology.fail(feed2, Aspect::kPower);
  for (const ElementId id : {rack_a, rack_b, switch_a, a1, a2, b1, vm}) EXPECT_FALSE(topology.has(id, Aspect::kPower)) << topology.name(id);
  EXPECT_TRUE(topology.has(zone, Aspect::kPower));
  EXPECT_EQ(heard.front(), "-power feed-2");

  topology.restore(feed1, Aspect::kPower);
  for (const ElementId id : {rack_a, rack_b, switch_a, a1, a2, b1, vm}) EXPECT_TRUE(topology.has(id, Aspect::kPower)) << topology.name(id);
}

TEST_F(Site, ASwitchForwardsOnlyWithPower) {
  topology.fail(rack_a, Aspect::kPower);
  EXPECT_FALSE(topology.has(switch_a, Aspect::kNetwork));
  EXPECT_FALSE(topology.has(a1, Aspect::kNetwork));
  EXPECT_TRUE(topology.has(b1, Aspect::kPower));
  EXPECT_TRUE(topology.has(b1, Aspect::kNetwork));
}

TEST_F(Site, PowerIsToldBeforeNetworkAndParentsBeforeChildren) {
  topology.fail(rack_a, Aspect::kPower);
  const auto place = [this](const std::string& what) { return std::find(heard.begin(), heard.end(), what) - heard.begin(); };
  ASSERT_EQ(heard.size(), 9u);  // power: rack, switch, 2 hosts, VM; network: switch, 2 hosts, VM
  EXPECT_EQ(heard.front(), "-power rack-a");
  EXPECT_LT(place("-power a1"), place("-power vm-1"));
  EXPECT_LT(place("-power vm-1"), place("-network switch-a"));
  EXPECT_LT(place("-network switch-a"), place("-network a1"));
  EXPECT_LT(place("-network a1"), place("-network vm-1"));
}

TEST_F(Site, NestedFailuresNeedAsManyRestores) {
  topology.fail(a1, Aspect::kPower);
  topology.fail(a1, Aspect::kPower);
  topology.restore(a1, Aspect::kPower);
  EXPECT_FALSE(topology.has(a1, Aspect::kPower));
  topology.restore(a1, Aspect::kPower);
  EXPECT_TRUE(topology.has(a1, Aspect::kPower));
  topology.restore(a1, Aspect::kPower);  // nothing failed: no debt is built up
  topology.fail(a1, Aspect::kPower);
  EXPECT_FALSE(topology.has(a1, Aspect::kPower));
}

TEST_F(Site, AHostThatFailedItselfStaysDownWhenItsRackReturns) {
  topology.fail(a1, Aspect::kPower);
  topology.fail(rack_a, Aspect::kPower);
  topology.restore(rack_a, Aspect::kPower);
  EXPECT_FALSE(topology.has(a1, Aspect::kPower));
  EXPECT_FALSE(topology.has(vm, Aspect::kPower));
  EXPECT_TRUE(topology.has(a2, Aspect::kPower));
  // ... and the other way round.
  topology.fail(rack_a, Aspect::kPower);
  topology.restore(a1, Aspect::kPower);
  EXPECT_FALSE(topology.has(a1, Aspect::kPower));
  topology.restore(rack_a, Aspect::kPower);
  EXPECT_TRUE(topology.has(a1, Aspect::kPower));
}

TEST_F(Site, BothItsOwnFailureAndItsRacksExplainADeadHost) {
  topology.fail(rack_a, Aspect::kPower);
  EXPECT_EQ(topology.reasons(a1, Aspect::kPower).size(), 1u);
  topology.fail(a1, Aspect::kPower);
  ASSERT_EQ(topology.reasons(a1, Aspect::kPower).size(), 2u);
  EXPECT_EQ(log.subject(log.at(topology.reasons(a1, Aspect::kPower)[0])), "rack/rack-a");
  EXPECT_EQ(log.subject(log.at(topology.reasons(a1, Aspect::kPower)[1])), "host/a1");
}

TEST_F(Site, BlastRadiusCountsRedundancy) {
  EXPECT_EQ(names_of(topology, topology.blast_radius(feed1, Aspect::kPower)), Names{"feed-1"});
  EXPECT_EQ(names_of(topology, topology.blast_radius(switch_a, Aspect::kNetwork)), (Names{"switch-a", "a1", "vm-1", "a2"}));
  EXPECT_EQ(names_of(topology, topology.blast_radius(a1, Aspect::kPower)), (Names{"a1", "vm-1"}));
  EXPECT_EQ(topology.blast_radius(zone, Aspect::kPower).size(), 8u);  // all but the feeds
  topology.fail(feed2, Aspect::kPower);
  EXPECT_EQ(names_of(topology, topology.blast_radius(feed1, Aspect::kPower)), Names{"feed-1"}) << "alone: whatever else has failed";
}

TEST_F(Site, DependentsInBreadthFirstOrder) {
  EXPECT_EQ(names_of(topology, topology.dependents(rack_a)), (Names{"switch-a", "a1", "a2", "vm-1"}));
  EXPECT_EQ(names_of(topology, topology.dependents(vm)), Names{});
  EXPECT_EQ(topology.dependents(feed1).size(), 7u);
}

TEST_F(Site, Places) {
  EXPECT_EQ(topology.enclosing(vm, ElementKind::kHost), a1);
  EXPECT_EQ(topology.enclosing(vm, ElementKind::kZone), zone);
  EXPECT_EQ(topology.enclosing(vm, ElementKind::kVm), vm);
  EXPECT_FALSE(topology.enclosing(vm, ElementKind::kRegion));
  EXPECT_EQ(names_of(topology, topology.placed_in(rack_a)), (Names{"switch-a", "a1", "a2"}));
}

TEST_F(Site, CyclesAndTakenNamesAreRefused) {
  EXPECT_FALSE(topology.place(zone, vm));
  EXPECT_FALSE(topology.depend(feed1, a1, Aspect::kPower, 1));
  EXPECT_FALSE(topology.depend(a1, a1, Aspect::kPower, 1));
  EXPECT_FALSE(topology.add(ElementKind::kRack, "a1"));
  EXPECT_EQ(topology.find("nobody"), ElementId{});
  EXPECT_TRUE(topology.has(feed1, Aspect::kPower)) << "a refused edge changes nothing";
}

TEST_F(Site, EveryConsequenceNamesItsCause) {
  const CauseId storm = log.record("Storm", "site/x", "a storm");
  {
    const ScopedCause because(engine, storm);
    topology.fail(feed1, Aspect::kPower);
  }
  std::vector<std::vector<CauseId>> chains;
  topology.on_change([&](ElementId id, Aspect aspect, bool) {
    if (id == a1 && aspect == Aspect::kPower) chains.push_back(log.chain(engine.cause()));
  });
  topology.fail(feed2, Aspect::kPower);
  // Feed 2 felled the rack; that feed 1 was gone already contributed.
  ASSERT_EQ(chains.size(), 1u);
  const Names subjects{"PowerLost rack/rack-a", "PowerLost power-feed/feed-2"};
  ASSERT_EQ(chains[0].size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const EventLog::Record& record = log.at(chains[0][i]);
    EXPECT_EQ(log.kind(record) + " " + log.subject(record), subjects[i]);
  }
  const std::vector<CauseId> contributing = log.contributing(chains[0][0]);
  ASSERT_EQ(contributing.size(), 1u);
  EXPECT_EQ(log.chain(contributing[0]).back(), storm);
}

TEST(TopologyKinds, ReadBackWhatTheyPrint) {
  for (const ElementKind kind : {ElementKind::kRegion, ElementKind::kZone, ElementKind::kRack, ElementKind::kPowerFeed, ElementKind::kSwitch,
                                 ElementKind::kHost, ElementKind::kVm}) {
    EXPECT_EQ(parse_element_kind(to_string(kind)), kind);
  }
  EXPECT_FALSE(parse_element_kind("cloud"));
}

// Against a plain evaluation of the definition, over random graphs and random failures.
TEST(TopologyProperty, AgreesWithTheDefinition) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Engine engine;
    Interner interner;
    EventLog log(engine, interner);
    Topology topology(engine, log);
    RandomStream random(seed, "test", "topology");
    struct Edge {
      std::uint32_t child, parent;
      int group;
    };
    std::vector<Edge> edges;
    const std::uint32_t count = 12;
    for (std::uint32_t i = 0; i < count; ++i) topology.add(ElementKind::kRack, "e" + std::to_string(i));
    for (int i = 0; i < 25; ++i) {
      const Edge edge{static_cast<std::uint32_t>(random.uniform_int(0, count - 1)), static_cast<std::uint32_t>(random.uniform_int(0, count - 1)),
                      static_cast<int>(random.uniform_int(0, 1))};
      if (topology.depend(ElementId{edge.child}, ElementId{edge.parent}, Aspect::kPower, edge.group)) edges.push_back(edge);
    }
    std::vector<int> failures(count, 0);
    std::vector<bool> told(count, true);
    topology.on_change([&](ElementId id, Aspect, bool has) {
      EXPECT_NE(told[id.value], has) << "only changes are told";
      told[id.value] = has;
    });
    for (int step = 0; step < 60; ++step) {
      const auto target = static_cast<std::uint32_t>(random.uniform_int(0, count - 1));
      if (failures[target] > 0 && random.chance(0.6)) {
        topology.restore(ElementId{target}, Aspect::kPower);
        --failures[target];
      } else {
        topology.fail(ElementId{target}, Aspect::kPower);
        ++failures[target];
      }
      // The greatest fixed point: lost spreads until nothing changes.
      std::vector<bool> has(count);
      for (std::uint32_t i = 0; i < count; ++i) has[i] = failures[i] == 0;
      for (bool again = true; again;) {
        again = false;
        for (const Edge& edge : edges) {
          if (!has[edge.child]) continue;
          bool alternative = false;
          for (const Edge& other : edges) alternative |= other.child == edge.child && other.group == edge.group && has[other.parent];
          if (!alternative) {
            has[edge.child] = false;
            again = true;
          }
        }
      }
      for (std::uint32_t i = 0; i < count; ++i) {
        ASSERT_EQ(topology.has(ElementId{i}, Aspect::kPower), has[i]) << "element " << i << " step " << step;
        ASSERT_EQ(told[i], has[i]);
      }
    }
  }
}

}  // namespace
}  // namespace sim::topology
