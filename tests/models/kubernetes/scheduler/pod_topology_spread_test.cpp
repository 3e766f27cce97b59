// Values: reference kubernetes 1.6 and 11 (produced by the real v1.36.3 code).
#include "sim/models/kubernetes/scheduler/plugins/pod_topology_spread.hpp"

#include <gtest/gtest.h>

#include "tests/models/kubernetes/scheduler/fixtures.hpp"

namespace sim::k8s::scheduling::test {
namespace {

using Scores = std::vector<std::int64_t>;

struct Spread : Cluster {
  TopologySpreadConstraint constraint(std::string_view key, std::int64_t max_skew, bool hard) {
    TopologySpreadConstraint result;
    result.max_skew = max_skew;
    result.topology_key = name(key);
    result.do_not_schedule = hard;
    result.selector = selector({{"app", "web"}});
    return result;
  }
  void zones(std::initializer_list<int> pods_per_zone) {
    int zone = 0;
    for (const int pods : pods_per_zone) {
      const std::string letter(1, static_cast<char>('a' + zone++));
      node("n" + letter, {.zone = letter});
      for (int i = 0; i < pods; ++i) pod("web-" + letter + std::to_string(i), spec(), {{"app", "web"}}, "n" + letter);
    }
  }
  std::vector<NodeIndex> all(SchedulerState& state) { return state.cache.order(); }
};
constexpr std::string_view kZone = "topology.kubernetes.io/zone";
constexpr std::string_view kHost = "kubernetes.io/hostname";

TEST(PodTopologySpread, ScoreOfOneSoftZoneConstraint) {
  Spread c;
  c.zones({2, 1, 0});
  PodSpec spec = c.spec();
  spec.topology_spread = {c.constraint(kZone, 1, false)};
  const Ref<Pod> pod = c.pod("p", spec, {{"app", "web"}});
  const auto state = c.state();
  PodTopologySpread& spread = state->cycle.spread();
  ASSERT_TRUE(spread.pre_score(state->cache.pod(pod.slot), c.all(*state)));
  EXPECT_EQ(spread.raw_scores(), (Scores{3, 2, 0}));
  EXPECT_EQ(spread.scores(c.all(*state)), (Scores{0, 33, 100}));
}

TEST(PodTopologySpread, SystemDefaultsFollowTheService) {
  Spread c;
  c.zones({2, 1, 0});
  Service service;
  service.meta.ns = c.name("default");
  service.meta.name = c.name("web");
  service.has_selector = true;
  service.selector = c.selector({{"app", "web"}});
  c.api.create(std::move(service));
  const Ref<Pod> pod = c.pod("p", c.spec(), {{"app", "web"}, {"extra", "1"}});
  const Ref<Pod> other = c.pod("q", c.spec(), {{"app", "db"}});
  const auto state = c.state();
  PodTopologySpread& spread = state->cycle.spread();
  ASSERT_TRUE(spread.pre_score(state->cache.pod(pod.slot), c.all(*state)));
  EXPECT_EQ(spread.raw_scores(), (Scores{12, 9, 6}));
  EXPECT_EQ(spread.scores(c.all(*state)), (Scores{50, 75, 100}));
  EXPECT_FALSE(spread.pre_score(state->cache.pod(other.slot), c.all(*state))) << "no Service, no controller: no default spreading";
  EXPECT_FALSE(spread.pre_filter(state->cache.pod(pod.slot))) << "the defaults do not forbid anything";
}

TEST(PodTopologySpread, SystemDefaultsFollowTheReplicaSetAndNotAJob) {
  Spread c;
  c.zones({1, 0});
  ReplicaSet set;
  set.meta.ns = c.name("default");
  set.meta.name = c.name("web-1");
  set.selector = c.selector({{"app", "web"}});
  const Ref<ReplicaSet> set_ref = c.api.create(std::move(set));
  Job job;
  job.meta.ns = c.name("default");
  job.meta.name = c.name("job");
  job.selector = c.selector({{"app", "web"}});
  const Ref<Job> job_ref = c.api.create(std::move(job));
  const Ref<Pod> of_set = c.pod("p", c.spec(), {{"app", "web"}});
  const Ref<Pod> of_job = c.pod("q", c.spec(), {{"app", "web"}});
  c.api.update(of_set, Change::kOwners, [&](Pod& p) { p.meta.owners = {OwnerReference{ApiServer::untyped(set_ref), 1, true}}; });
  c.api.update(of_job, Change::kOwners, [&](Pod& p) { p.meta.owners = {OwnerReference{ApiServer::untyped(job_ref), 2, true}}; });
  const auto state = c.state();
  EXPECT_TRUE(state->cycle.spread().pre_score(state->cache.pod(of_set.slot), c.all(*state)));
  EXPECT_FALSE(state->cycle.spread().pre_score(state->cache.pod(of_job.slot), c.all(*state)));
}

TEST(PodTopologySpread, ANodeWithoutAZoneStillSpreadsOverHostsByDefault) {
  Spread c;
  c.zones({1, 0});
  c.node("plain");
  Service service;
  service.meta.ns = c.name("default");
  service.meta.name = c.name("web");
  service.has_selector = true;
  service.selector = c.selector({{"app", "web"}});
  c.api.create(std::move(service));
  const Ref<Pod> pod = c.pod("p", c.spec(), {{"app", "web"}});
  const auto state = c.state();
  // Order: na nb plain. Three zone values with "": ln 5; hosts: ln 5. na: 1.609 + 2 + 1.609 + 4 = 9.2; nb 6; plain 2.
  std::vector<NodeIndex> nodes = {state->cache.find(c.name("na")), state->cache.find(c.name("nb")), state->cache.find(c.name("plain"))};
  ASSERT_TRUE(state->cycle.spread().pre_score(state->cache.pod(pod.slot), nodes));
  EXPECT_EQ(state->cycle.spread().raw_scores(), (Scores{9, 6, 2}));
}

struct FilterCase {
  std::string_view name;
  std::initializer_list<int> pods;
  std::int64_t max_skew, min_domains;
  bool pod_matches;
  std::string_view verdicts;  // per zone: . fits, x refused
};

TEST(PodTopologySpread, FilterOfOneHardZoneConstraint) {
  const FilterCase cases[] = {
      {"3, 2, 2 and maxSkew 1", {3, 2, 2}, 1, 1, true, "x.."},
      {"minDomains 4 of 3: the minimum is 0", {3, 2, 2}, 1, 4, true, "xxx"},
      {"minDomains met", {3, 2, 2}, 1, 3, true, "x.."},
      {"a pod that does not match itself adds nothing", {3, 2, 2}, 1, 1, false, "..."},
      {"maxSkew 2", {3, 2, 2}, 2, 1, true, "..."},
      {"an empty zone is the minimum", {1, 1, 0}, 1, 1, true, "xx."},
      {"nothing anywhere", {0, 0, 0}, 1, 1, true, "..."},
  };
  for (const FilterCase& t : cases) {
    SCOPED_TRACE(t.name);
    Spread c;
    c.zones(t.pods);
    PodSpec spec = c.spec();
    spec.topology_spread = {c.constraint(kZone, t.max_skew, true)};
    spec.topology_spread.front().min_domains = t.min_domains;
    const Ref<Pod> pod = t.pod_matches ? c.pod("p", spec, {{"app", "web"}}) : c.pod("p", spec, {{"app", "x"}});
    const auto state = c.state();
    PodTopologySpread& spread = state->cycle.spread();
    ASSERT_TRUE(spread.pre_filter(state->cache.pod(pod.slot)));
    std::string verdicts;
    for (const NodeIndex node : c.all(*state)) verdicts += spread.filter(node) == kFits ? '.' : 'x';
    EXPECT_EQ(verdicts, t.verdicts);
  }
}

TEST(PodTopologySpread, TerminatingPodsAndOtherNamespacesAreNotCounted) {
  Spread c;
  c.zones({1, 0});
  c.pod("elsewhere", c.spec(), {{"app", "web"}}, "nb", "other");
  const Ref<Pod> first = c.api.find<Pod>(c.name("default"), c.name("web-a0"));
  PodSpec spec = c.spec();
  spec.topology_spread = {c.constraint(kZone, 1, true)};
  const Ref<Pod> pod = c.pod("p", spec, {{"app", "web"}});
  const auto state = c.state();
  PodTopologySpread& spread = state->cycle.spread();
  const NodeIndex a = state->cache.find(c.name("na"));
  ASSERT_TRUE(spread.pre_filter(state->cache.pod(pod.slot)));
  EXPECT_EQ(spread.filter(a), kStatusSpread);
  state->cache.set_terminating(first.slot);
  ASSERT_TRUE(spread.pre_filter(state->cache.pod(pod.slot)));
  EXPECT_EQ(spread.filter(a), kFits);
}

TEST(PodTopologySpread, NodesWithoutTheKeyAreRefusedAndPoliciesDecideWhichNodesCount) {
  Spread c;
  c.zones({1, 0});
  c.node("plain");
  c.node("tainted", {.zone = "c", .taints = {Taint{c.name("k"), c.name("v"), TaintEffect::kNoSchedule}}});
  PodSpec spec = c.spec();
  spec.topology_spread = {c.constraint(kZone, 1, true)};
  spec.topology_spread.front().min_domains = 3;
  const Ref<Pod> ignore = c.pod("ignore", spec, {{"app", "web"}});
  spec.topology_spread.front().honor_node_taints = true;
  const Ref<Pod> honor = c.pod("honor", spec, {{"app", "web"}});
  spec.topology_spread.front().min_domains = 1;
  spec.topology_spread.front().max_skew = 1;
  spec.node_selector = c.labels({{kZone, "a"}});
  const Ref<Pod> selective = c.pod("selective", spec, {{"app", "web"}});
  const auto state = c.state();
  PodTopologySpread& spread = state->cycle.spread();
  const NodeIndex a = state->cache.find(c.name("na"));
  const NodeIndex b = state->cache.find(c.name("nb"));
  ASSERT_TRUE(spread.pre_filter(state->cache.pod(ignore.slot)));
  EXPECT_EQ(spread.filter(state->cache.find(c.name("plain"))), kStatusSpreadMissingLabel);
  EXPECT_EQ(spread.filter(b), kFits);
  EXPECT_EQ(spread.filter(a), kStatusSpread);
  ASSERT_TRUE(spread.pre_filter(state->cache.pod(honor.slot)));
  EXPECT_EQ(spread.filter(a), kStatusSpread) << "zone c is not a domain: 2 of 3 domains, the minimum is 0";
  ASSERT_TRUE(spread.pre_filter(state->cache.pod(selective.slot)));
  EXPECT_EQ(spread.filter(a), kFits) << "zone b is not a domain for a pod that cannot go there";
}

TEST(PodTopologySpread, MatchLabelKeysNarrowTheSelector) {
  Spread c;
  c.zones({0, 0});
  c.pod("old", c.spec(), {{"app", "web"}, {"rev", "1"}}, "na");
  PodSpec spec = c.spec();
  spec.topology_spread = {c.constraint(kZone, 1, true)};
  const Ref<Pod> wide = c.pod("wide", spec, {{"app", "web"}, {"rev", "2"}});
  spec.topology_spread.front().match_label_keys = {c.name("rev")};
  const Ref<Pod> narrow = c.pod("narrow", spec, {{"app", "web"}, {"rev", "2"}});
  const auto state = c.state();
  const NodeIndex a = state->cache.find(c.name("na"));
  ASSERT_TRUE(state->cycle.spread().pre_filter(state->cache.pod(wide.slot)));
  EXPECT_EQ(state->cycle.spread().filter(a), kStatusSpread);
  ASSERT_TRUE(state->cycle.spread().pre_filter(state->cache.pod(narrow.slot)));
  EXPECT_EQ(state->cycle.spread().filter(a), kFits);
}

TEST(PodTopologySpread, ShiftIsWhatAddingAndRemovingWouldDo) {
  Spread c;
  c.zones({2, 1});
  PodSpec spec = c.spec();
  spec.topology_spread = {c.constraint(kHost, 1, true)};
  const Ref<Pod> pod = c.pod("p", spec, {{"app", "web"}});
  const Ref<Pod> first = c.api.find<Pod>(c.name("default"), c.name("web-a0"));
  const auto state = c.state();
  PodTopologySpread& spread = state->cycle.spread();
  const NodeIndex a = state->cache.find(c.name("na"));
  ASSERT_TRUE(spread.pre_filter(state->cache.pod(pod.slot)));
  EXPECT_EQ(spread.filter(a), kStatusSpread);
  spread.shift(state->cache.pod(first.slot), a, -1);
  EXPECT_EQ(spread.filter(a), kFits);
  spread.shift(state->cache.pod(first.slot), a, 1);
  EXPECT_EQ(spread.filter(a), kStatusSpread);
}

TEST(PodTopologySpread, DefaultConstraintsOfAConfiguration) {
  Spread c;
  c.zones({1, 0});
  Service service;
  service.meta.ns = c.name("default");
  service.meta.name = c.name("web");
  service.has_selector = true;
  service.selector = c.selector({{"app", "web"}});
  c.api.create(std::move(service));
  const Ref<Pod> served = c.pod("p", c.spec(), {{"app", "web"}});
  const Ref<Pod> bare = c.pod("q", c.spec(), {{"app", "db"}});
  const auto state = c.state();
  PodTopologySpread& spread = state->cycle.spread();
  const NodeIndex a = state->cache.find(c.name("na"));
  EXPECT_FALSE(spread.pre_filter(state->cache.pod(served.slot))) << "the system's defaults only score";
  std::vector<TopologySpreadConstraint> constraints = {c.constraint(kZone, 1, true)};
  constraints.front().selector.reset();
  spread.set_defaults(&constraints);
  ASSERT_TRUE(spread.pre_filter(state->cache.pod(served.slot)));
  EXPECT_EQ(spread.filter(a), kStatusSpread) << "the selector is the Service's";
  EXPECT_EQ(spread.filter(state->cache.find(c.name("nb"))), kFits);
  EXPECT_FALSE(spread.pre_filter(state->cache.pod(bare.slot))) << "nothing selects it";
}

TEST(PodTopologySpread, AnEmptySelectorCountsNobodyButCountsWhoIsTakenOff) {
  // countPodsMatchSelector knows that an empty selector counts 0; updateWithPod does not, so a dry run goes below 0 and may make room.
  Spread c;
  c.zones({1, 0});
  PodSpec spec = c.spec();
  spec.topology_spread = {c.constraint(kZone, 1, true)};
  spec.topology_spread.front().selector = LabelSelector{};
  const Ref<Pod> pod = c.pod("p", spec, {{"app", "web"}});
  const Ref<Pod> first = c.api.find<Pod>(c.name("default"), c.name("web-a0"));
  const auto state = c.state();
  PodTopologySpread& spread = state->cycle.spread();
  const NodeIndex a = state->cache.find(c.name("na"));
  const NodeIndex b = state->cache.find(c.name("nb"));
  ASSERT_TRUE(spread.pre_filter(state->cache.pod(pod.slot)));
  EXPECT_EQ(spread.filter(a), kFits);
  EXPECT_EQ(spread.filter(b), kFits);
  spread.shift(state->cache.pod(first.slot), a, -1);
  EXPECT_EQ(spread.filter(a), kFits) << "-1 of its own, +1 for itself, the minimum is -1";
  EXPECT_EQ(spread.filter(b), kStatusSpread) << "0, +1 for itself, the minimum is -1";
}

TEST(PodTopologySpread, Hints) {
  Spread c;
  c.zones({1, 0});
  PodSpec spec = c.spec();
  spec.topology_spread = {c.constraint(kZone, 1, true)};
  const Ref<Pod> ref = c.pod("p", spec, {{"app", "web"}});
  const auto state = c.state();
  PodTopologySpread& spread = state->cycle.spread();
  const PodInfo& pod = state->cache.pod(ref.slot);
  const Labels web = c.labels({{"app", "web"}});
  const Labels db = c.labels({{"app", "db"}});
  PodView bound{Ref<Pod>{77, 1}, c.name("default"), &web, spec.affinity ? nullptr : pod.spec.get(), true};
  ClusterEvent event{Action::kPodDelete, nullptr, nullptr, Symbol{}, &bound, nullptr};
  EXPECT_TRUE(spread.is_worth_retrying(pod, event));
  bound.labels = &db;
  EXPECT_FALSE(spread.is_worth_retrying(pod, event));
  bound.labels = &web;
  bound.ns = c.name("other");
  EXPECT_FALSE(spread.is_worth_retrying(pod, event));
  NodeView plain;
  NodeView zoned;
  zoned.labels = c.labels({{kZone, "z"}});
  EXPECT_FALSE(spread.is_worth_retrying(pod, ClusterEvent{Action::kNodeAdd, nullptr, &plain, Symbol{}, nullptr, nullptr}));
  EXPECT_TRUE(spread.is_worth_retrying(pod, ClusterEvent{Action::kNodeAdd, nullptr, &zoned, Symbol{}, nullptr, nullptr}));
  EXPECT_TRUE(spread.is_worth_retrying(pod, ClusterEvent{Action::kNodeDelete, &zoned, nullptr, Symbol{}, nullptr, nullptr}));
  EXPECT_TRUE(spread.is_worth_retrying(pod, ClusterEvent{Action::kNodeLabel, &plain, &zoned, Symbol{}, nullptr, nullptr}));
  EXPECT_FALSE(spread.is_worth_retrying(pod, ClusterEvent{Action::kNodeLabel, &zoned, &zoned, Symbol{}, nullptr, nullptr}));
}

}  // namespace
}  // namespace sim::k8s::scheduling::test
