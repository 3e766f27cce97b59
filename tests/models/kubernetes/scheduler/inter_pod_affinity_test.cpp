// Values: reference kubernetes 1.6 and 11; situations of the upstream tables
// TestRequiredAffinitySingleNode, TestRequiredAffinityMultipleNodes and TestPreferredAffinity.
#include "sim/models/kubernetes/scheduler/plugins/inter_pod_affinity.hpp"

#include <gtest/gtest.h>

#include "sim/models/kubernetes/api/own_label.hpp"
#include "tests/models/kubernetes/scheduler/fixtures.hpp"

namespace sim::k8s::scheduling::test {
namespace {

using Scores = std::vector<std::int64_t>;
constexpr std::string_view kZone = "topology.kubernetes.io/zone";
constexpr std::string_view kHost = "kubernetes.io/hostname";

struct Affine : Cluster {
  Affine() {
    node("a1", {.zone = "a"});
    node("a2", {.zone = "a"});
    node("b1", {.zone = "b"});
    node("plain", {.has_hostname = false});
  }
  PodSpec with(std::vector<PodAffinityTerm> required, std::vector<PodAffinityTerm> anti = {}, std::vector<PodAffinityTerm> preferred = {},
               std::vector<PodAffinityTerm> preferred_anti = {}) {
    auto affinity = std::make_shared<Affinity>();
    affinity->required_pod_affinity = std::move(required);
    affinity->required_pod_anti_affinity = std::move(anti);
    affinity->preferred_pod_affinity = std::move(preferred);
    affinity->preferred_pod_anti_affinity = std::move(preferred_anti);
    PodSpec result = spec();
    result.affinity = affinity;
    return result;
  }
  /// One letter per node a1 a2 b1 plain: . fits, f affinity, n own anti-affinity, e existing anti-affinity, - skipped.
  std::string verdicts(SchedulerState& state, Ref<Pod> pod) {
    InterPodAffinity& plugin = state.cycle.affinity();
    if (!plugin.pre_filter(state.cache.pod(pod.slot))) return "----";
    std::string text;
    for (const char* node : {"a1", "a2", "b1", "plain"}) {
      switch (plugin.filter(state.cache.find(name(node)))) {
        case kFits: text += '.'; break;
        case kStatusPodAffinity: text += 'f'; break;
        case kStatusPodAntiAffinity: text += 'n'; break;
        case kStatusExistingAntiAffinity: text += 'e'; break;
        default: text += '?';
      }
    }
    return text;
  }
};

TEST(InterPodAffinity, KeysOfOwnLabels) {
  Affine c;
  const auto term = [&](SelectorOperator op) {
    PodAffinityTerm made = c.term(kZone, {{"app", "web"}});
    made.selector->requirements.push_back(own_label(c.name("version"), op));
    return made;
  };
  c.pod("first", c.spec(), {{"app", "web"}, {"version", "1"}}, "a1");
  struct Case {
    std::string_view name;
    PodSpec spec;
    Pairs labels;
    std::string_view verdicts;
  };
  const Case cases[] = {
      {"matchLabelKeys: the same version is refused", c.with({}, {term(SelectorOperator::kIn)}), {{"app", "web"}, {"version", "1"}}, "nn.."},
      {"matchLabelKeys: another version is not", c.with({}, {term(SelectorOperator::kIn)}), {{"app", "web"}, {"version", "2"}}, "...."},
      {"mismatchLabelKeys: the other way round", c.with({}, {term(SelectorOperator::kNotIn)}), {{"app", "web"}, {"version", "2"}}, "nn.."},
      {"a key that the pod lacks is left out", c.with({}, {term(SelectorOperator::kIn)}), {{"app", "web"}}, "nn.."},
  };
  int serial = 0;
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const Ref<Pod> pod = c.pod("p" + std::to_string(serial++), one.spec, one.labels);
    const auto state = c.state();
    EXPECT_EQ(c.verdicts(*state, pod), one.verdicts);
  }
}

TEST(InterPodAffinity, Filter) {
  Affine c;
  c.pod("db", c.spec(), {{"app", "db"}}, "a1");
  c.pod("lonely", c.with({}, {c.term(kHost, {{"app", "noisy"}})}), {{"app", "lonely"}}, "b1");
  struct Case {
    std::string_view name;
    PodSpec spec;
    Pairs labels;
    std::string_view verdicts;
  };
  PodAffinityTerm everywhere = c.term(kZone, {{"app", "db"}});
  everywhere.namespace_selector = LabelSelector{};
  PodAffinityTerm elsewhere = c.term(kZone, {{"app", "db"}});
  elsewhere.namespaces = {c.name("other")};
  PodAffinityTerm nobody = c.term(kZone, {});
  nobody.selector.reset();
  const Case cases[] = {
      {"near the database's zone", c.with({c.term(kZone, {{"app", "db"}})}), {{"app", "web"}}, "..ff"},
      {"on the database's host", c.with({c.term(kHost, {{"app", "db"}})}), {{"app", "web"}}, ".fff"},
      {"not in its zone", c.with({}, {c.term(kZone, {{"app", "db"}})}), {{"app", "web"}}, "nn.."},
      {"not on its host", c.with({}, {c.term(kHost, {{"app", "db"}})}), {{"app", "web"}}, "n..."},
      {"nobody like that, and not itself", c.with({c.term(kZone, {{"app", "gone"}})}), {{"app", "web"}}, "ffff"},
      {"the first of its kind, where the key is", c.with({c.term(kZone, {{"app", "web"}})}), {{"app", "web"}}, "...f"},
      {"one pod must match all terms", c.with({c.term(kZone, {{"app", "db"}}), c.term(kHost, {{"app", "lonely"}})}), {{"app", "web"}}, "ffff"},
      {"both terms by one pod", c.with({c.term(kZone, {{"app", "db"}}), c.term(kHost, {{"app", "db"}})}), {{"app", "web"}}, ".fff"},
      {"an existing pod refuses it", c.spec(), {{"app", "noisy"}}, "..e."},
      {"nothing concerns it", c.spec(), {{"app", "web"}}, "----"},
      {"all namespaces", c.with({everywhere}), {{"app", "web"}}, "..ff"},
      {"another namespace", c.with({elsewhere}), {{"app", "web"}}, "ffff"},
      {"no selector matches nothing", c.with({}, {nobody}), {{"app", "db"}}, "...."},
  };
  int serial = 0;
  for (const Case& t : cases) {
    SCOPED_TRACE(t.name);
    const Ref<Pod> pod = c.pod("p" + std::to_string(serial++), t.spec, t.labels);
    const auto state = c.state();
    EXPECT_EQ(c.verdicts(*state, pod), t.verdicts);
  }
}

TEST(InterPodAffinity, NamespaceSelectorFollowsTheNamespacesLabels) {
  Affine c;
  Namespace ns;
  ns.meta.name = c.name("team");
  ns.meta.labels = c.labels({{"env", "prod"}});
  const Ref<Namespace> ns_ref = c.api.create(std::move(ns));
  c.pod("db", c.spec(), {{"app", "db"}}, "b1", "team");
  PodAffinityTerm term = c.term(kZone, {{"app", "db"}});
  term.namespace_selector = c.selector({{"env", "prod"}});
  const Ref<Pod> pod = c.pod("p", c.with({term}), {{"app", "web"}});
  const auto state = c.state();
  EXPECT_EQ(c.verdicts(*state, pod), "ff.f");
  c.api.update(ns_ref, Change::kLabels, [&](Namespace& object) { object.meta.labels = c.labels({{"env", "test"}}); });
  state->cache.index().namespace_changed(c.name("team"));
  EXPECT_EQ(c.verdicts(*state, pod), "ffff");
}

TEST(InterPodAffinity, TerminatingPodsStillCount) {
  Affine c;
  const Ref<Pod> db = c.pod("db", c.spec(), {{"app", "db"}}, "a1");
  const Ref<Pod> pod = c.pod("p", c.with({}, {c.term(kHost, {{"app", "db"}})}), {{"app", "web"}});
  const auto state = c.state();
  state->cache.set_terminating(db.slot);
  EXPECT_EQ(c.verdicts(*state, pod), "n...");
  state->cache.remove_pod(db.slot);
  EXPECT_EQ(c.verdicts(*state, pod), "....");
}

TEST(InterPodAffinity, PreferencesOfThePod) {
  Affine c;
  c.pod("db", c.spec(), {{"app", "db"}}, "a1");
  c.pod("noisy", c.spec(), {{"app", "noisy"}}, "b1");
  // a: +30, b: -10, plain: 0 -> 100, 100, 0, 25.
  const Ref<Pod> pod = c.pod("p", c.with({}, {}, {c.term(kZone, {{"app", "db"}}, 30)}, {c.term(kZone, {{"app", "noisy"}}, 10)}), {{"app", "web"}});
  const auto state = c.state();
  InterPodAffinity& plugin = state->cycle.affinity();
  ASSERT_TRUE(plugin.pre_score(state->cache.pod(pod.slot)));
  std::vector<NodeIndex> nodes;
  for (const char* node : {"a1", "a2", "b1", "plain"}) nodes.push_back(state->cache.find(c.name(node)));
  EXPECT_EQ(plugin.scores(nodes), (Scores{100, 100, 0, 25}));
}

TEST(InterPodAffinity, RequiredTermsOfOthersAttract) {
  Affine c;
  c.pod("fan", c.with({c.term(kZone, {{"app", "web"}})}), {{"app", "fan"}}, "b1");
  const Ref<Pod> pod = c.pod("p", c.spec(), {{"app", "web"}});
  const Ref<Pod> stranger = c.pod("q", c.spec(), {{"app", "other"}});
  const auto state = c.state();
  InterPodAffinity& plugin = state->cycle.affinity();
  std::vector<NodeIndex> nodes;
  for (const char* node : {"a1", "a2", "b1", "plain"}) nodes.push_back(state->cache.find(c.name(node)));
  ASSERT_TRUE(plugin.pre_score(state->cache.pod(pod.slot)));
  EXPECT_EQ(plugin.scores(nodes), (Scores{0, 0, 100, 0}));
  EXPECT_FALSE(plugin.pre_score(state->cache.pod(stranger.slot)));
}

TEST(InterPodAffinity, EqualScoresAreAllZero) {
  Affine c;
  c.pod("x", c.spec(), {{"app", "db"}}, "a1");
  c.pod("y", c.spec(), {{"app", "db"}}, "b1");
  const Ref<Pod> pod = c.pod("p", c.with({}, {}, {c.term(kZone, {{"app", "db"}}, 5)}), {{"app", "web"}});
  const auto state = c.state();
  InterPodAffinity& plugin = state->cycle.affinity();
  ASSERT_TRUE(plugin.pre_score(state->cache.pod(pod.slot)));
  EXPECT_EQ(plugin.scores({state->cache.find(c.name("a1")), state->cache.find(c.name("b1"))}), (Scores{0, 0}));
}

TEST(InterPodAffinity, Hints) {
  Affine c;
  const Ref<Pod> ref = c.pod("p", c.with({c.term(kZone, {{"app", "db"}})}, {c.term(kHost, {{"app", "noisy"}})}), {{"app", "web"}});
  const auto state = c.state();
  InterPodAffinity& plugin = state->cycle.affinity();
  const PodInfo& pod = state->cache.pod(ref.slot);
  const Labels db = c.labels({{"app", "db"}});
  const Labels noisy = c.labels({{"app", "noisy"}});
  const PodSpec plain = c.spec();
  const PodSpec refuses_web = c.with({}, {c.term(kHost, {{"app", "web"}})});
  PodView view{Ref<Pod>{77, 1}, c.name("default"), &db, &plain, true};
  const auto worth = [&](Action action, const PodView* before, const PodView* after) {
    return plugin.is_worth_retrying(pod, ClusterEvent{action, nullptr, nullptr, Symbol{}, before, after});
  };
  EXPECT_TRUE(worth(Action::kPodAdd, nullptr, &view)) << "what it wants to be near of";
  EXPECT_FALSE(worth(Action::kPodDelete, &view, nullptr));
  PodView hated = view;
  hated.labels = &noisy;
  EXPECT_TRUE(worth(Action::kPodDelete, &hated, nullptr));
  EXPECT_FALSE(worth(Action::kPodAdd, nullptr, &hated));
  EXPECT_TRUE(worth(Action::kPodLabel, &hated, &view));
  PodView hating = view;
  hating.spec = &refuses_web;
  EXPECT_TRUE(worth(Action::kPodDelete, &hating, nullptr)) << "it refused the pod that waits";
  hating.placed = false;
  EXPECT_FALSE(worth(Action::kPodDelete, &hating, nullptr));
}

TEST(InterPodAffinity, HintsKnowNoLabelsOfNamespaces) {
  // What the hint of v1.36.3 says of the same pods: Filter follows the namespace's labels, the hint does not.
  Affine c;
  Namespace team;
  team.meta.name = c.name("team");
  team.meta.labels = c.labels({{"env", "prod"}});
  c.api.create(std::move(team));
  struct Case {
    std::string_view name;
    std::optional<LabelSelector> namespaces;
    bool worth;
  };
  LabelSelector without;
  without.requirements = {c.requirement("env", SelectorOperator::kDoesNotExist, {})};
  const Case cases[] = {{"a label of the other's namespace", c.selector({{"env", "prod"}}), false},
                        {"all namespaces", LabelSelector{}, true},
                        {"the pod's own", std::nullopt, false},
                        {"those without a label", without, true}};
  int serial = 0;
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    PodAffinityTerm term = c.term(kZone, {{"app", "db"}});
    term.namespace_selector = one.namespaces;
    const std::string suffix = std::to_string(serial++);
    const Ref<Pod> near = c.pod("near" + suffix, c.with({term}), {{"app", "db"}});
    const Ref<Pod> apart = c.pod("apart" + suffix, c.with({}, {term}), {{"app", "db"}});
    const Ref<Pod> plain = c.pod("plain" + suffix, c.spec(), {{"app", "db"}}, {}, "team");
    const auto state = c.state();
    const auto worth = [&](Ref<Pod> ref, Action action, const PodView* before, const PodView* after) {
      return state->cycle.affinity().is_worth_retrying(state->cache.pod(ref.slot), ClusterEvent{action, nullptr, nullptr, Symbol{}, before, after});
    };
    const Labels db = c.labels({{"app", "db"}});
    const PodSpec nothing = c.spec();
    const PodSpec refuses = c.with({}, {term});
    const PodView other{Ref<Pod>{77, 1}, c.name("team"), &db, &nothing, true};
    const PodView hating{Ref<Pod>{78, 1}, c.name("default"), &db, &refuses, true};
    EXPECT_EQ(worth(near, Action::kPodAdd, nullptr, &other), one.worth);
    EXPECT_EQ(worth(apart, Action::kPodDelete, &other, nullptr), one.worth);
    EXPECT_EQ(worth(plain, Action::kPodDelete, &hating, nullptr), one.worth);
  }
}

}  // namespace
}  // namespace sim::k8s::scheduling::test
