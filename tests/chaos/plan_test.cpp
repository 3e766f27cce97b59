// What is wrong with `faults` and `expect` is told before the run, with its place and the nearest right word.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "chaos/reference.hpp"
#include "tests/chaos/run_text.hpp"

namespace chaos {
namespace {

using namespace testing_support;

struct WrongCase {
  std::string_view name;
  std::string more;
  std::vector<std::string> says;
};

const WrongCase kWrongCases[] = {
    {"unknown kind", "faults:\n  f: {kind: node-crush, at: 1m, target: {nodes: [w1]}}\n", {"node-crush", "did you mean 'node-crash'?"}},
    {"unknown key", "faults:\n  f: {kind: node-crash, at: 1m, durration: 30s, target: {nodes: [w1]}}\n",
     {"unknown key 'durration' in fault 'f'", "did you mean 'duration'?"}},
    {"time without unit", "faults:\n  f: {kind: node-crash, at: 30, target: {nodes: [w1]}}\n", {"a duration"}},
    {"no time", "faults:\n  f: {kind: node-crash, target: {nodes: [w1]}}\n", {"'at'"}},
    {"unknown node", "faults:\n  f: {kind: node-crash, at: 1m, target: {nodes: [w11]}}\n", {"fault 'f': there is no node 'w11'", "did you mean 'w1'?"}},
    {"unknown pool", "faults:\n  f: {kind: node-crash, at: 1m, target: {pool: worker}}\n", {"there is no pool 'worker'", "did you mean 'workers'?"}},
    {"unknown element", "faults:\n  f: {kind: element-down, at: 1m, elements: [rack-c]}\n", {"there is no topology element 'rack-c'"}},
    {"no target at all", "faults:\n  f: {kind: node-crash, at: 1m, target: {}}\n", {"no target"}},
    {"target that matches nothing", "faults:\n  f: {kind: node-crash, at: 1m, target: {pool: workers, selector: {a: b}}}\n", {"matches no node"}},
    {"no such pods", "faults:\n  f: {kind: pod-kill, at: 1m, target: {namespace: shop, selector: {app: wep}}}\n", {"no pod or pod template", "app=wep"}},
    {"no such pod", "faults:\n  f: {kind: pod-kill, at: 1m, target: {namespace: shop, pods: [bd-0]}}\n", {"'bd-0'", "did you mean 'db-0'?"}},
    {"no etcd there", "faults:\n  f: {kind: disk-slow, at: 1m, target: {nodes: [w1]}}\n", {"no etcd member"}},
    {"no scheduler there", "faults:\n  f: {kind: process-kill, at: 1m, target: {nodes: [w1]}, component: kube-scheduler}\n", {"no kube-scheduler runs on node 'w1'"}},
    {"times without every", "faults:\n  f: {kind: node-reboot, at: 1m, times: 3, target: {nodes: [w1]}}\n", {"'times' needs 'every'"}},
    {"duration of an instant", "faults:\n  f: {kind: node-reboot, at: 1m, duration: 3m, target: {nodes: [w1]}}\n", {"unknown key 'duration'"}},
    {"unknown expectation", "expect:\n  e: {kind: servise, service: web}\n", {"servise", "did you mean 'service'?"}},
    {"unknown service", "expect:\n  e: {kind: service, namespace: shop, service: wep, availability: 99%}\n", {"'wep'", "did you mean 'web'?"}},
    {"no bound", "expect:\n  e: {kind: service, namespace: shop, service: web}\n", {"has no bound"}},
    {"unknown fault", "expect:\n  e: {kind: fault-completes, fault: f}\n", {"there is no fault 'f'"}},
    {"unknown workload", "expect:\n  e: {kind: workload-available, namespace: shop, workload: weeb}\n", {"'weeb'", "did you mean 'web'?"}},
    {"misspelt kind of record", "expect:\n  e: {kind: event, event: NodeNotRaedy, atMost: 0}\n", {"no record has the kind 'NodeNotRaedy'", "did you mean 'NodeNotReady'?"}},
    {"empty window", "expect:\n  e: {kind: component, component: api-read, availability: 99%, from: 5m, to: 5m}\n", {"window is empty"}},
    {"window after the run", "expect:\n  e: {kind: component, component: api-read, availability: 99%, from: 5h}\n", {"its window begins at 5h"}},
};

TEST(Plan, SaysWhatIsWrong) {
  for (const WrongCase& c : kWrongCases) {
    SCOPED_TRACE(c.name);
    const std::string said = problems_of(small_scenario(c.more));
    for (const std::string& part : c.says) EXPECT_NE(said.find(part), std::string::npos) << said;
    EXPECT_NE(said.find("test.yaml:"), std::string::npos) << said;
  }
}

TEST(Plan, AGoodOneHasNoProblems) {
  EXPECT_EQ(problems_of(small_scenario(R"(faults:
  a: {kind: node-crash, at: 1m, duration: 3m, target: {in: rack-a, selector: {squall.dev/pool: workers}, count: 1, pick: random}}
  b: {kind: pod-kill, at: 1m, target: {namespace: shop, pods: [db-0]}}
expect:
  c: {kind: service, namespace: shop, service: web, availability: 50%}
)")),
            "");
}

TEST(Plan, AFaultAfterTheEndIsAWarning) {
  EXPECT_NE(problems_of(small_scenario("faults:\n  f: {kind: node-reboot, at: 5h, target: {nodes: [w1]}}\n")).find("never injected"), std::string::npos);
}

// To bring the files up to date: SQUALL_UPDATE_DOCS is not read here (no environment in tests); the message holds the whole text.
TEST(Reference, FilesAreUpToDate) {
  const auto text_of = [](const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  };
  EXPECT_EQ(text_of(SQUALL_SOURCE_DIR "/docs/faults.md"), faults_reference());
  EXPECT_EQ(text_of(SQUALL_SOURCE_DIR "/docs/expectations.md"), expectations_reference());
}

}  // namespace
}  // namespace chaos
