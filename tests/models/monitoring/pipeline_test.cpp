// Alertmanager, dead man's switch and probes, by hand; the built-in rules.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/models/monitoring/alertmanager.hpp"
#include "sim/models/monitoring/outside.hpp"

namespace {

using namespace std::chrono_literals;
using namespace sim::monitoring;
using sim::CauseId;
using sim::SimDuration;
using sim::SimTime;

SimTime at(SimDuration t) { return SimTime{} + t; }

ReceiverConfig receiver(std::string name, std::string severity, Tells tells) {
  ReceiverConfig config;
  config.name = std::move(name);
  if (!severity.empty()) config.matchers.push_back({sim::promql::Matcher::Kind::kEqual, "severity", std::move(severity)});
  config.tells = tells;
  return config;
}

struct Pipeline {
  explicit Pipeline(std::function<void(AlertmanagerConfig&)> change = {}) {
    AlertmanagerConfig config;
    config.receivers = {receiver("pager", "critical", Tells::kAlert), receiver("tickets", "warning", Tells::kNotice)};
    if (change) change(config);
    manager = std::make_unique<Alertmanager>(engine, log, labels, config, told);
    p1 = std::make_unique<Prometheus>(engine, random, store, rules, "p1", PrometheusTiming{}, *manager);
    p2 = std::make_unique<Prometheus>(engine, random, store, rules, "p2", PrometheusTiming{}, *manager);
  }
  Prometheus::Alert alert(std::string_view name, std::string_view severity, std::string_view ns = "shop", std::string_view pod = "a") {
    return Prometheus::Alert{labels.intern({{"alertname", name}, {"severity", severity}, {"namespace", ns}, {"pod", pod}}), nullptr, {}};
  }
  void fire(SimDuration when, const Prometheus::Alert& a, const Prometheus* from = nullptr) {
    engine.at(at(when), [this, a, from] { manager->firing(from == nullptr ? *p1 : *from, a); });
  }
  void resolve(SimDuration when, const Prometheus::Alert& a, const Prometheus* from = nullptr) {
    engine.at(at(when), [this, a, from] { manager->resolved(from == nullptr ? *p1 : *from, a); });
  }
  /// "630 pager High over 900"
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (const Notification& note : told) {
      all.push_back(fmt::format("{:.0f} {} {}{}", sim::seconds(note.at), note.receiver, note.by, note.over ? fmt::format(" over {:.0f}", sim::seconds(*note.over)) : ""));
    }
    return all;
  }
  using Lines = std::vector<std::string>;

  sim::Engine engine;
  sim::Interner names;
  sim::EventLog log{engine, names};
  sim::Randomness random{1};
  LabelTable labels;
  Store store{engine, labels, 0};
  RuleSet rules;
  std::vector<Notification> told;
  std::unique_ptr<Alertmanager> manager;
  std::unique_ptr<Prometheus> p1;
  std::unique_ptr<Prometheus> p2;
};

TEST(AlertmanagerTest, GroupWaitThenGroupInterval) {
  Pipeline p;
  p.fire(600s, p.alert("High", "critical"));
  p.fire(620s, p.alert("Low", "critical"));      // joins the first message
  p.fire(700s, p.alert("Late", "critical"));     // waits for the next turn: 630 + 300
  p.resolve(1000s, p.alert("High", "critical"));  // told at the turn after that
  p.engine.run_until(at(1h));
  EXPECT_EQ(p.lines(), (Pipeline::Lines{"640 pager High over 1240", "640 pager Low", "940 pager Late"}));
}

TEST(AlertmanagerTest, RoutesBySeverityAndTellsNobodyOfTheRest) {
  Pipeline p;
  p.fire(10s, p.alert("A", "warning"));
  p.fire(10s, p.alert("B", "info"));
  p.fire(10s, p.alert("C", "critical"));
  p.engine.run_until(at(1h));
  EXPECT_EQ(p.lines(), (Pipeline::Lines{"50 tickets A", "50 pager C"}));
  EXPECT_EQ(p.told[0].tells, Tells::kNotice);
  EXPECT_EQ(p.told[1].tells, Tells::kAlert);
  EXPECT_EQ(p.told[0].object, "Pod/shop/a");
}

TEST(AlertmanagerTest, ResolvedBeforeGroupWaitIsNeverTold) {
  Pipeline p;
  p.fire(10s, p.alert("A", "critical"));
  p.resolve(30s, p.alert("A", "critical"));
  p.engine.run_until(at(1h));
  EXPECT_TRUE(p.told.empty());
}

TEST(AlertmanagerTest, TwoReplicasAreOneAlert) {
  Pipeline p;
  const auto a = p.alert("A", "critical");
  p.fire(10s, a, p.p1.get());
  p.fire(25s, a, p.p2.get());
  p.resolve(100s, a, p.p1.get());  // the other one still sends it
  p.engine.run_until(at(20min));
  EXPECT_EQ(p.lines(), (Pipeline::Lines{"50 pager A"}));
  p.resolve(1201s, a, p.p2.get());
  p.engine.run_until(at(1h));
  // Turns at 40 s + k x 300 s.
  EXPECT_EQ(p.lines(), (Pipeline::Lines{"50 pager A over 1250"}));
}

TEST(AlertmanagerTest, WhatIsNoLongerSentIsTakenForResolved) {
  Pipeline p;
  const auto a = p.alert("A", "critical");
  p.fire(10s, a);
  p.engine.at(at(200s), [&] { p.manager->silent(*p.p1, a, at(430s)); });
  p.engine.run_until(at(1h));
  EXPECT_EQ(p.lines(), (Pipeline::Lines{"50 pager A over 650"}));
  bool unsent = false;
  for (const auto& record : p.log.records()) unsent = unsent || (p.log.kind(record) == "AlertUnsent" && record.time == at(430s));
  EXPECT_TRUE(unsent);
}

TEST(AlertmanagerTest, CriticalInhibitsWarningOfTheSameNameAndNamespace) {
  Pipeline p;
  p.fire(10s, p.alert("A", "critical"));
  p.fire(10s, p.alert("A", "warning"));
  p.fire(10s, p.alert("A", "warning", "pay"));
  p.resolve(900s, p.alert("A", "critical"));
  p.engine.run_until(at(1h));
  // When the critical one is over the warning is told at its group's next turn (40 s + 3 x 300 s).
  EXPECT_EQ(p.lines(), (Pipeline::Lines{"50 pager A over 950", "50 tickets A", "950 tickets A"}));
}

TEST(AlertmanagerTest, ACarrierThatDoesNotServeDelaysTheMessage) {
  Pipeline p([](AlertmanagerConfig& config) { config.receivers[0].via = "chat/bot"; });
  bool carries = false;
  p.manager->set_carrier([&](const std::string& service) { return service == "chat/bot" && carries; });
  p.fire(10s, p.alert("A", "critical"));
  p.engine.at(at(700s), [&] { carries = true; });
  p.engine.run_until(at(1h));
  EXPECT_EQ(p.lines(), (Pipeline::Lines{"950 pager A"}));  // turns at 40, 340, 640, 940 s
}

TEST(AlertmanagerTest, AllInstancesGoneForgetsEverything) {
  Pipeline p;
  const auto a = p.alert("A", "critical");
  p.fire(10s, a);
  p.engine.at(at(100s), [&] { p.manager->set_working(false); });
  p.fire(200s, a);  // nobody hears it
  p.engine.at(at(300s), [&] { p.manager->set_working(true); });
  p.fire(360s, a);
  p.engine.run_until(at(1h));
  EXPECT_EQ(p.lines(), (Pipeline::Lines{"50 pager A", "400 pager A"}));
}

TEST(AlertmanagerTest, NothingTicksWhileNothingChanges) {
  Pipeline p;
  p.fire(10s, p.alert("A", "critical"));
  p.engine.run_until(at(1h));
  // The next thing is the repetition, 12 h after the message, at a turn of the group.
  EXPECT_EQ(p.engine.next_event_time(), at(40s + 12h));
}

struct Outside {
  sim::Engine engine;
  sim::Interner names;
  sim::EventLog log{engine, names};
  sim::Randomness random{1};
  std::vector<Notification> told;
};

TEST(DeadMansSwitchTest, PagesAWindowAfterTheLastMessage) {
  Outside o;
  DeadMansSwitchConfig config;
  config.name = "beat";
  config.interval = 5min;
  config.window = 15min;
  DeadMansSwitch beat(o.engine, o.log, config, 30s, o.told);
  o.engine.at(at(60s), [&] { beat.set_fed(true); });    // messages at 90, 390, 690, 990 s ...
  o.engine.at(at(1000s), [&] { beat.set_fed(false); });
  o.engine.run_until(at(1h));
  ASSERT_EQ(o.told.size(), 1u);
  EXPECT_EQ(o.told[0].at, at(990s + 15min + 10s));
  EXPECT_FALSE(o.told[0].over);
  o.engine.at(at(2h), [&] { beat.set_fed(true); });
  o.engine.run_until(at(3h));
  EXPECT_EQ(o.told[0].over, at(2h + 30s));
  EXPECT_EQ(o.told.size(), 1u);
}

TEST(DeadMansSwitchTest, AShortGapIsNotToldAndSilenceFromTheStartIsNot) {
  Outside o;
  DeadMansSwitchConfig config;
  config.name = "beat";
  config.interval = 1min;
  config.window = 5min;
  DeadMansSwitch beat(o.engine, o.log, config, 30s, o.told);
  o.engine.run_until(at(1h));
  EXPECT_TRUE(o.told.empty());  // it waits for its first message
  beat.set_fed(true);
  o.engine.run_until(at(2h));
  beat.set_fed(false);
  o.engine.run_until(at(2h + 2min));
  beat.set_fed(true);
  o.engine.run_until(at(5h));
  EXPECT_TRUE(o.told.empty());
}

TEST(ProbeTest, TellsAfterItsFailuresInARow) {
  Outside o;
  ProbeConfig config;
  config.name = "shop";
  config.service = "shop/web";
  Probe probe(o.engine, o.log, o.random, config, o.told);
  const SimDuration phase = o.random.stream("monitoring/probe-offset", "shop").uniform(SimDuration{}, 30s - SimDuration(1));
  o.engine.at(at(10min), [&] { probe.set_answers(false); });
  o.engine.at(at(10min + 40s), [&] { probe.set_answers(true); });  // back before the third
  o.engine.at(at(20min), [&] { probe.set_answers(false); });
  o.engine.at(at(30min), [&] { probe.set_answers(true); });
  o.engine.run_until(at(1h));
  ASSERT_EQ(o.told.size(), 1u);
  SimDuration first = phase;
  while (first < 20min) first += 30s;
  EXPECT_EQ(o.told[0].at, at(first + 60s + 10s + 10s));
  ASSERT_TRUE(o.told[0].over);
  EXPECT_GE(*o.told[0].over, at(30min + 10s));
  EXPECT_LE(*o.told[0].over, at(30min + 40s));
}

TEST(BuiltInRules, AllAreUnderstoodAndNeedNothingThatNobodyExports) {
  RuleSet rules;
  for (const std::string& name : built_in_rule_names()) {
    for (RuleGroup& group : built_in_rules(name, "rook-ceph-mgr")) rules.add(std::move(group));
  }
  rules.check_metrics();
  std::size_t count = 0;
  for (const RuleGroup& group : rules.groups()) {
    for (const Rule& rule : group.rules) {
      EXPECT_EQ(rule.left_out, "") << rule.name;
      EXPECT_TRUE(rule.not_modelled.empty()) << rule.name << ": " << fmt::format("{}", fmt::join(rule.not_modelled, ", "));
      EXPECT_EQ(rule.expression.find("\"CEPH\""), std::string::npos);
      ++count;
    }
  }
  EXPECT_EQ(count, 48u);
  EXPECT_TRUE(built_in_rules("no-such", "ceph").empty());
}

}  // namespace
