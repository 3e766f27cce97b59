#include "analysis/survival_output.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <string>

#include "sim/models/ceph/config.hpp"

namespace analysis {
namespace {

using sim::ceph::ClusterConfig;

ClusterConfig three_nodes(int hosts) {
  ClusterConfig config;
  for (int h = 0; h < hosts; ++h) {
    config.hosts.push_back({fmt::format("n{}", h)});
    for (int o = 0; o < 2; ++o) {
      sim::ceph::OsdConfig osd;
      osd.host = config.hosts.back().host;
      config.osds.push_back(osd);
    }
    config.mons.push_back({std::string(1, static_cast<char>('a' + h)), config.hosts.back().host});
  }
  sim::ceph::PoolConfig pool;
  pool.name = "rbd";
  pool.pg_num = 64;
  config.pools.push_back(pool);
  return config;
}

Survival survival_of(const ClusterConfig& config, std::size_t faults, const ElementChoice& choice) {
  SurvivalOptions options;
  options.faults = faults;
  options.simulate_max = 0;
  return survive(config, survival_elements(config, choice, {}, {}), options);
}
constexpr ElementChoice kNodes{true, false, false, false};
constexpr ElementChoice kDisks{false, false, true, false};
constexpr ElementChoice kMons{false, false, false, true};

TEST(SurvivalVerdict, SaysWhatIsSurvivedAndWhatIsNot) {
  const ClusterConfig three = three_nodes(3);
  EXPECT_EQ(survival_verdict(survival_of(three, 1, kNodes)), "Survives any 1 failure: no I/O stops for longer than the failure takes to be noticed. No failure loses data.");
  EXPECT_EQ(survival_verdict(survival_of(three, 2, kNodes)),
            "Survives any 1 failure; not any 2: 3 of 3 pairs stop I/O. Worst: n0 + n1 stops all of rbd, takes the quorum; I/O comes back never without a person. "
            "No 2 failures lose data.");
  EXPECT_EQ(survival_verdict(survival_of(three, 2, kMons)), "Survives any 2 failures: no I/O stops for longer than the failure takes to be noticed. "
                                                            "The quorum falls to 3 of 3 pairs (mon.a + mon.b). No 2 failures lose data.");
  EXPECT_NE(survival_verdict(survival_of(three, 3, kDisks)).find("Data are lost by 8 of 20 triples, for example osd."), std::string::npos);
  EXPECT_NE(survival_verdict(survival_of(three_nodes(1), 1, kDisks)).find("Does not work even with nothing broken: stops all of rbd"), std::string::npos);
  ClusterConfig one_copy = three_nodes(3);
  one_copy.pools[0].size = one_copy.pools[0].min_size = 1;
  EXPECT_NE(survival_verdict(survival_of(one_copy, 1, kNodes)).find("Does not survive every single failure: 3 of 3 failures stop I/O."), std::string::npos);
}

TEST(SurvivalText, TellsEqualsTogetherAndOnlyTheSmallestSets) {
  const Survival survival = survival_of(three_nodes(3), 3, kNodes);
  const std::string text = survival_text({"small", "small.yaml", &survival, {"a note"}}, false, 100);
  EXPECT_NE(text.find("n0 + n1 (and 2 more)"), std::string::npos) << text;
  EXPECT_EQ(text.find("n0 + n1 + n2"), std::string::npos) << "three nodes do what two of them do:\n" << text;
  EXPECT_NE(text.find("note: a note"), std::string::npos);
  EXPECT_NE(text.find("0 of the 7 sets that touch data simulated"), std::string::npos) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(survival_text({"small", "small.yaml", &survival, {}}, true, 100).find('\x1b'), std::string::npos);
}

TEST(SurvivalJson, HoldsWhatWasFound) {
  const Survival survival = survival_of(three_nodes(3), 2, kNodes);
  rapidjson::Document json;
  json.Parse(survival_json({"small", "small.yaml", &survival, {}}).c_str());
  ASSERT_FALSE(json.HasParseError());
  EXPECT_STREQ(json["kind"].GetString(), "survival");
  EXPECT_EQ(json["elements"].Size(), 3u);
  ASSERT_EQ(json["combinations"].Size(), 6u);  // 3 that pause, 3 that stop; the worst first
  const auto& worst = json["combinations"][0];
  EXPECT_EQ(worst["elements"].Size(), 2u);
  EXPECT_FALSE(worst["quorum"].GetBool());
  EXPECT_TRUE(worst["minimal"].GetBool());
  EXPECT_TRUE(worst["pools"][0]["backSeconds"].IsNull());
  EXPECT_EQ(worst["pools"][0]["pgsStopped"].GetUint(), 64u);
  EXPECT_EQ(json["combinationsLeftOut"].GetUint(), 0u);
  EXPECT_EQ(json["groups"][2]["noQuorum"].GetUint(), 3u);
  EXPECT_DOUBLE_EQ(json["longRun"]["quorum"]["unavailability"].GetDouble(), survival.quorum.unavailability);
}

}  // namespace
}  // namespace analysis
