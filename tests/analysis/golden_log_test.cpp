#include "analysis/golden_log.hpp"

#include <gtest/gtest.h>

#include "sim/core/event_log.hpp"

namespace analysis {
namespace {

struct World {
  sim::Engine engine;
  sim::Interner names;
  sim::EventLog log{engine, names};

  void at(double seconds, std::string_view kind, std::string_view subject, std::string_view message, std::uint32_t cause = 0) {
    engine.at(sim::SimTime{} + sim::from_seconds(seconds), [] {});
    engine.run_until(sim::SimTime{} + sim::from_seconds(seconds));
    log.record(kind, names.intern(subject), message, sim::CauseId{cause});
  }
  std::string text(std::uint64_t seed = 1) const { return golden_log(log, "small", seed); }
};

TEST(GoldenLog, OneRecordALine) {
  World run;
  run.at(1.5, "FaultInjected", "Fault/crash", "node-crash: Node/w1");
  run.at(60.0, "NodeNotReady", "Node/w1", "a\tb\nc\\d", 1);
  run.log.also_caused_by(sim::CauseId{2}, sim::CauseId{1});
  EXPECT_EQ(run.text(),
            "# squall golden event log, version 1: number, seconds, kind, subject, causes, message\n"
            "# scenario small, seed 1\n"
            "#1\t1.500000000\tFaultInjected\tFault/crash\t-\tnode-crash: Node/w1\n"
            "#2\t60.000000000\tNodeNotReady\tNode/w1\t#1\ta\\tb\\nc\\\\d\n");
}

TEST(GoldenLog, EqualRunsDoNotDiffer) {
  World a;
  a.at(1.0, "HostCrashed", "host/w1", "gone");
  EXPECT_EQ(first_golden_difference(a.text(), a.text()), "");
}

TEST(GoldenLog, TheFirstDifferenceComesWithItsCausesAndWhatThereIsMoreOf) {
  World a;
  a.at(3600, "FaultInjected", "Fault/crash", "node-crash: Node/w1");
  a.at(3640, "NodeNotReady", "Node/w1", "no heartbeat", 1);
  World b;
  b.at(3600, "FaultInjected", "Fault/crash", "node-crash: Node/w1");
  b.at(3650, "NodeNotReady", "Node/w1", "no heartbeat", 1);
  b.at(3950, "TaintManagerEviction", "Pod/shop/web-0", "deleted", 2);
  EXPECT_EQ(first_golden_difference(a.text(), b.text()),
            "the runs part at record 2 of 2 accepted, 3 now\n"
            "  accepted 1h 00m 40s  NodeNotReady Node/w1: no heartbeat\n"
            "  now      1h 00m 50s  NodeNotReady Node/w1: no heartbeat\n"
            "       <-  1h 00m 00s  FaultInjected Fault/crash: node-crash: Node/w1\n"
            "  TaintManagerEviction: 0 accepted, 1 now\n");
  EXPECT_EQ(first_golden_difference(b.text(), a.text()).substr(0, 46), "the runs part at record 2 of 3 accepted, 2 now");
}

TEST(GoldenLog, OneThatEndsEarlier) {
  World a;
  a.at(1.0, "HostCrashed", "host/w1", "gone");
  World b;
  EXPECT_NE(first_golden_difference(a.text(), b.text()).find("now: the log ends here"), std::string::npos);
  EXPECT_NE(first_golden_difference(b.text(), a.text()).find("accepted: the log ends here"), std::string::npos);
}

TEST(GoldenLog, WhatIsNoGoldenLogOrOfAnotherRunSaysSo) {
  World a;
  a.at(1.0, "HostCrashed", "host/w1", "gone");
  EXPECT_NE(first_golden_difference("", a.text()).find("no golden event log"), std::string::npos);
  EXPECT_NE(first_golden_difference("nonsense\nof two lines\n", a.text()).find("no golden event log"), std::string::npos);
  EXPECT_EQ(first_golden_difference(a.text(2), a.text(1)), "what was accepted is of another run: scenario small, seed 2, and this is scenario small, seed 1\n");
}

}  // namespace
}  // namespace analysis
