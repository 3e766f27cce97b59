#include "analysis/cluster_generator.hpp"

#include <gtest/gtest.h>

#include "sim/models/kubernetes/scheduler/schedule_all.hpp"
#include "sim/scenario/manifests.hpp"

namespace analysis {
namespace {

TEST(ClusterGenerator, TheSameSeedGivesTheSameText) {
  const GeneratedCluster a = generate_k8s_sims(20, 50, 7);
  const GeneratedCluster b = generate_k8s_sims(20, 50, 7);
  const GeneratedCluster c = generate_k8s_sims(20, 50, 8);
  EXPECT_EQ(a.nodes, b.nodes);
  EXPECT_EQ(a.pods, b.pods);
  EXPECT_NE(a.pods, c.pods);
}

TEST(ClusterGenerator, MoreOfThemKeepTheSizesOfTheFirst) {
  const GeneratedCluster few = generate_k8s_sims(5, 10, 1);
  const GeneratedCluster many = generate_k8s_sims(50, 100, 1);
  EXPECT_EQ(many.nodes.substr(0, few.nodes.size()), few.nodes);
  EXPECT_EQ(many.pods.substr(0, few.pods.size()), few.pods);
}

TEST(ClusterGenerator, ReadsAndSchedules) {
  using namespace sim;
  const GeneratedCluster cluster = generate_k8s_sims(120, 700, 1);
  Engine engine;
  Interner names;
  EventLog log(engine, names);
  k8s::ApiServer api(engine, log, names);
  scenario::Diagnostics diagnostics;
  scenario::ManifestReader reader(names, diagnostics);
  const auto nodes = scenario::load_text("nodes.yaml", cluster.nodes, diagnostics);
  const auto pods = scenario::load_text("pods.yaml", cluster.pods, diagnostics);
  ASSERT_NE(nodes, nullptr);
  ASSERT_NE(pods, nullptr);
  reader.decode(*nodes);
  reader.decode(*pods);
  scenario::store(reader.finish(), api);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.format();
  const k8s::ScheduleResult result = k8s::schedule_all(api, k8s::SchedulerConfig{}, Randomness(1));
  EXPECT_EQ(result.nodes, 120u);
  EXPECT_EQ(result.pods.size(), 700u);
  EXPECT_GT(result.scheduled, 650u) << "most fit";
}

}  // namespace
}  // namespace analysis
