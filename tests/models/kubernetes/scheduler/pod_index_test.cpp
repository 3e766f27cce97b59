// The index must always agree with counting from scratch.
#include "sim/models/kubernetes/scheduler/pod_index.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/models/kubernetes/scheduler/fixtures.hpp"

namespace sim::k8s::scheduling::test {
namespace {

struct OnNode {
  IdentityId identity = 0;
  TermListId terms = 0;
  NodeIndex node = 0;
  bool terminating = false;
  Symbol ns;
  Labels labels;
};

TEST(PodIndex, CountersAgreeWithCountingFromScratch) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Cluster c;
    PodIndex index(c.api);
    RandomStream random(seed, "test", "pod-index");
    const std::vector<Symbol> spaces = {c.name("x"), c.name("y")};
    const std::vector<Symbol> values = {c.name("1"), c.name("2"), c.name("3")};
    const auto random_labels = [&] {
      Labels labels;
      for (const char* key : {"a", "b"}) {
        if (random.chance(0.7)) labels.set(c.name(key), values[static_cast<std::size_t>(random.uniform_int(0, 2))]);
      }
      return labels;
    };
    std::vector<PodTerm> terms;
    std::vector<OnNode> pods;
    for (int step = 0; step < 300; ++step) {
      const auto action = random.uniform_int(0, 9);
      if (action < 5 || pods.empty()) {
        OnNode pod;
        pod.ns = spaces[static_cast<std::size_t>(random.uniform_int(0, 1))];
        pod.labels = random_labels();
        pod.identity = index.acquire(pod.ns, pod.labels);
        pod.node = static_cast<NodeIndex>(random.uniform_int(0, 7));
        Affinity affinity;
        if (random.chance(0.4)) affinity.required_pod_anti_affinity = {c.term("host", {{"a", "1"}})};
        pod.terms = index.acquire_terms(pod.ns, pod.labels, &affinity);
        index.pod_added(pod.identity, pod.terms, pod.node, false);
        pods.push_back(pod);
      } else if (action < 8) {
        const auto place = static_cast<std::size_t>(random.uniform_int(0, static_cast<std::int64_t>(pods.size()) - 1));
        const OnNode pod = pods[place];
        index.pod_removed(pod.identity, pod.terms, pod.node, pod.terminating);
        index.release_terms(pod.terms);
        index.release(pod.identity);
        pods.erase(pods.begin() + static_cast<std::ptrdiff_t>(place));
      } else if (action == 8) {
        OnNode& pod = pods[static_cast<std::size_t>(random.uniform_int(0, static_cast<std::int64_t>(pods.size()) - 1))];
        if (!pod.terminating) index.pod_terminates(pod.identity, pod.node);
        pod.terminating = true;
      } else {
        PodTerm term;
        for (const Labels::Pair& pair : random_labels()) term.selector.requirements.push_back(Requirement{pair.key, SelectorOperator::kIn, {pair.value}});
        term.namespaces = {spaces[static_cast<std::size_t>(random.uniform_int(0, 1))]};
        terms.push_back(term);
      }
      for (const PodTerm& term : terms) {
        for (const bool skip : {true, false}) {
          std::map<NodeIndex, std::uint32_t> expected;
          for (const OnNode& pod : pods) {
            if (term.matches(pod.ns, pod.labels, c.api) && !(skip && pod.terminating)) ++expected[pod.node];
          }
          std::map<NodeIndex, std::uint32_t> counted;
          for (const auto& [node, count] : index.counts(index.counter({term}, skip))) counted[node] = count;
          ASSERT_EQ(counted, expected) << "step " << step;
        }
      }
      std::map<NodeIndex, std::uint32_t> holders;
      for (const OnNode& pod : pods) {
        if (pod.terms != 0 && pod.ns == spaces[0]) ++holders[pod.node];
      }
      const IdentityId probe = index.acquire(spaces[0], c.labels({{"a", "1"}}));
      std::map<NodeIndex, std::uint32_t> found;
      for (const TermId id : index.terms_matching(probe)) {
        for (const auto& [node, count] : index.term(id).holders) found[node] += count;
      }
      ASSERT_EQ(found, holders) << "step " << step;
      index.release(probe);
    }
    for (const OnNode& pod : pods) {
      index.pod_removed(pod.identity, pod.terms, pod.node, pod.terminating);
      index.release_terms(pod.terms);
      index.release(pod.identity);
    }
    EXPECT_FALSE(index.has_terms()) << "what nobody holds is let go";
  }
}

}  // namespace
}  // namespace sim::k8s::scheduling::test
