// A Prometheus that evaluates only when something can differ, against one that evaluates every rule at every instant; and timelines by hand.
#include "sim/models/monitoring/prometheus.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/core/event_log.hpp"

namespace {

using namespace std::chrono_literals;
using sim::SimDuration;
using sim::SimTime;
using sim::monitoring::LabelsId;
using sim::monitoring::LabelTable;
using sim::monitoring::Prometheus;
using sim::monitoring::PrometheusTiming;
using sim::monitoring::Rule;
using sim::monitoring::RuleGroup;
using sim::monitoring::RuleSet;
using sim::monitoring::Store;
using sim::monitoring::Target;

SimTime at(SimDuration t) { return SimTime{} + t; }

/// What an Alertmanager would hear, a line each.
struct Heard final : Prometheus::Listener {
  Heard(sim::Engine& the_engine, LabelTable& the_labels) : engine(the_engine), labels(the_labels) {}
  void firing(const Prometheus&, const Prometheus::Alert& alert) override { note("firing", alert, ""); }
  void resolved(const Prometheus&, const Prometheus::Alert& alert) override { note("resolved", alert, ""); }
  void silent(const Prometheus&, const Prometheus::Alert& alert, SimTime ends) override {
    note("silent", alert, fmt::format(" until {:.3f}", sim::seconds(ends)));
  }
  void note(const char* what, const Prometheus::Alert& alert, const std::string& more) {
    lines.push_back(fmt::format("{:.3f} {} {}{}", sim::seconds(engine.now()), what, labels.text(alert.labels), more));
  }
  sim::Engine& engine;
  LabelTable& labels;
  std::vector<std::string> lines;
};

Rule alert(std::string name, std::string expression, SimDuration hold = {}, SimDuration keep = {}) {
  Rule rule;
  rule.name = std::move(name);
  rule.expression = std::move(expression);
  rule.hold = hold;
  rule.keep_firing = keep;
  return rule;
}
Rule record(std::string name, std::string expression) {
  Rule rule = alert(std::move(name), std::move(expression));
  rule.is_alert = false;
  return rule;
}

struct World {
  explicit World(std::uint64_t seed) : random(seed), store(engine, labels, 1'000'000) { store.want({}, true); }
  sim::Engine engine;
  LabelTable labels;
  sim::Randomness random;
  Store store;

  sim::monitoring::TargetId target(const std::string& job, const std::string& instance) {
    Target one;
    one.job = job;
    one.instance = instance;
    one.labels = labels.intern({{"job", job}, {"instance", instance}});
    return store.add_target(one);
  }
  void set(const std::string& metric, const std::string& instance, sim::monitoring::TargetId id, double value, double slope = 0.0) {
    store.set(store.series(labels.intern({{"__name__", metric}, {"instance", instance}}), id), value, slope);
  }
};

class Detection : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(Detection, IsThatOfAnEvaluatorThatTicks) {
  World world(GetParam());
  RuleSet rules;
  rules.add(RuleGroup{"levels", SimDuration{}, {
      record("level:avg", "avg by (instance) (level)"),
      alert("High", "level > 5", 2min),
      alert("HighAverage", "level:avg > 5 and on (instance) changes(level[5m]) > 1", 1min),
      alert("Flaps", "changes(level[10m]) > 3"),
      alert("Kept", "level > 7", 0s, 3min),
      alert("Rising", "rate(level[4m]) > 0.01", 30s),
      alert("Gone", "absent(level{instance=\"b\"})", 1min),
      alert("Down", "up == 0", 1min),
      alert("Old", "max_over_time(level[2m] offset 3m) >= 8"),
  }});
  rules.add(RuleGroup{"others", 1min, {
      alert("Expires", "life < 1800"),
      alert("Late", "time() - started > 3000", 2min),
      alert("Pending", "ALERTS{alertname=\"High\",alertstate=\"pending\"} == 1", 30s),
      alert("Sub", "max_over_time((level > 6)[3m:30s]) > 0", 1min),
      alert("Watchdog", "vector(1)"),
  }});
  for (const RuleGroup& group : rules.groups()) {
    for (const Rule& rule : group.rules) ASSERT_EQ(rule.left_out, "") << rule.name;
  }
  Heard fast_heard(world.engine, world.labels);
  Heard slow_heard(world.engine, world.labels);
  PrometheusTiming timing;
  timing.scrape_interval = 15s;
  PrometheusTiming naive = timing;
  naive.naive = true;
  Prometheus fast(world.engine, world.random, world.store, rules, "p", timing, fast_heard);
  Prometheus slow(world.engine, world.random, world.store, rules, "p", naive, slow_heard);
  std::vector<sim::monitoring::TargetId> targets;
  for (const char* instance : {"a", "b", "c"}) {
    targets.push_back(world.target("job", instance));
    world.set("level", instance, targets.back(), 1.0);
  }
  world.set("life", "a", targets[0], 5000.0, -0.001);
  world.store.start();
  fast.start();
  slow.start();
  sim::RandomStream draws = world.random.stream("test/changes", "");
  SimTime when = at(1min);
  const SimTime end = at(4h);
  while (when < end) {
    const std::int64_t what = draws.uniform_int(0, 19);
    const auto which = static_cast<std::size_t>(draws.uniform_int(0, 2));
    const auto value = static_cast<double>(draws.uniform_int(0, 10));
    world.engine.at(when, [&, what, which, value] {
      const std::string instance(1, static_cast<char>('a' + which));
      const auto id = targets[which];
      if (what < 10) world.set("level", instance, id, value);
      else if (what < 12) world.store.end(world.store.series(world.labels.intern({{"__name__", "level"}, {"instance", instance}}), id));
      else if (what < 14) world.store.set_target(id, value > 5.0, true, {});
      else if (what == 14) world.store.set_target(id, true, value > 2.0, {});
      else if (what == 15) world.set("life", instance, id, 1800.0 + 200.0 * value, -0.001);
      else if (what == 16) world.set("started", instance, id, 1'000'000.0 + sim::seconds(world.engine.now()) - 2500.0 + 60.0 * value);
      else {
        const auto state = what == 17 ? Prometheus::State::kWorks : what == 18 && value > 6.0 ? Prometheus::State::kBlocked
                           : value > 8.0 ? Prometheus::State::kGone : Prometheus::State::kWorks;
        fast.set_state(state, value > 9.0);
        slow.set_state(state, value > 9.0);
      }
    });
    // Busy times, and quiet ones in which everything settles.
    when += draws.chance(0.1) ? draws.uniform(SimDuration(20min), SimDuration(40min)) : draws.uniform(SimDuration(1s), SimDuration(90s));
  }
  world.engine.run_until(end);
  ASSERT_GT(slow_heard.lines.size(), 20u);
  for (std::size_t i = 0; i < std::min(fast_heard.lines.size(), slow_heard.lines.size()); ++i) {
    ASSERT_EQ(fast_heard.lines[i], slow_heard.lines[i]) << "line " << i << " of seed " << GetParam();
  }
  EXPECT_EQ(fast_heard.lines.size(), slow_heard.lines.size());
  EXPECT_TRUE(slow.failures().empty());
  EXPECT_LT(fast.evaluations(), slow.evaluations());
}
INSTANTIATE_TEST_SUITE_P(Seeds, Detection, ::testing::Range<std::uint64_t>(1, 41));

struct Timeline {
  explicit Timeline(std::vector<Rule> list, SimDuration interval = 30s) : world(1) {
    rules.add(RuleGroup{"g", SimDuration{}, std::move(list)});
    timing.scrape_interval = timing.evaluation_interval = interval;
    heard = std::make_unique<Heard>(world.engine, world.labels);
    prometheus = std::make_unique<Prometheus>(world.engine, world.random, world.store, rules, "p", timing, *heard);
    target = world.target("job", "a");
    world.set("level", "a", target, 0.0);
    world.store.start();
    prometheus->start();
    const SimDuration ns{1};
    scrape = floor_ms(world.random.stream("monitoring/scrape-offset", "p/job/a").uniform(SimDuration{}, interval - ns));
    rule = floor_ms(world.random.stream("monitoring/rule-offset", "p/g").uniform(SimDuration{}, interval - ns));
  }
  static SimDuration floor_ms(SimDuration t) { return SimDuration(t.count() / 1'000'000 * 1'000'000); }
  void level(SimDuration when, double value) {
    world.engine.at(at(when), [this, value] { world.set("level", "a", target, value); });
  }
  std::string line(SimDuration when, const char* what, const char* alert) {
    return fmt::format("{:.3f} {} {{alertname=\"{}\", instance=\"a\"}}", sim::seconds(when), what, alert);
  }
  /// The first evaluation that sees what changed at `when`.
  SimDuration seen(SimDuration when) const {
    SimDuration sampled = scrape;
    while (sampled < when) sampled += timing.scrape_interval;
    SimDuration evaluated = rule;
    while (evaluated < sampled) evaluated += timing.evaluation_interval;
    return evaluated;
  }
  World world;
  RuleSet rules;
  PrometheusTiming timing;
  std::unique_ptr<Heard> heard;
  std::unique_ptr<Prometheus> prometheus;
  sim::monitoring::TargetId target = 0;
  SimDuration scrape{};
  SimDuration rule{};
};

TEST(Prometheus, DetectionTimeIsScrapePlusEvaluationPlusFor) {
  Timeline t({alert("High", "level > 5", 2min)});
  t.level(10min, 9.0);
  t.level(20min, 1.0);
  t.world.engine.run_until(at(1h));
  const std::vector<std::string> wanted = {t.line(t.seen(10min) + 2min, "firing", "High"), t.line(t.seen(20min), "resolved", "High")};
  EXPECT_EQ(t.heard->lines, wanted);
}

TEST(Prometheus, AConditionThatIsFalseOnceBeginsAnew) {
  Timeline t({alert("High", "level > 5", 2min)});
  t.level(10min, 9.0);
  t.level(11min, 1.0);
  t.level(12min, 9.0);
  t.world.engine.run_until(at(30min));
  EXPECT_EQ(t.heard->lines, std::vector<std::string>{t.line(t.seen(12min) + 2min, "firing", "High")});
}

TEST(Prometheus, QuietTimesCostNothing) {
  Timeline t({alert("High", "level > 5", 2min), record("x", "rate(level[5m])")});
  t.world.engine.run_until(at(1h));
  const std::uint64_t before = t.prometheus->evaluations();
  t.world.engine.run_until(at(1000h));
  EXPECT_EQ(t.prometheus->evaluations(), before);
  EXPECT_EQ(t.world.engine.next_event_time(), sim::kEndOfTime);
}

TEST(Prometheus, ABlockedLogIsSilence) {
  // Reference platform 10.3: what fires is not sent again, and nothing new can fire; absent() in a group that has nothing to write still can.
  Timeline t({alert("High", "level > 5"), alert("Down", "up == 0", 1min)});
  t.level(5min, 9.0);
  t.world.engine.at(at(20min), [&] { t.prometheus->set_state(Prometheus::State::kBlocked, true); });
  t.world.engine.at(at(21min), [&] { t.world.store.set_target(t.target, false, true, {}); });
  t.world.engine.at(at(40min), [&] { t.prometheus->set_state(Prometheus::State::kWorks, true); });
  t.world.engine.run_until(at(39min));
  ASSERT_EQ(t.heard->lines.size(), 2u);
  const SimDuration fired = t.seen(5min);
  EXPECT_EQ(t.heard->lines[0], t.line(fired, "firing", "High"));
  // Sent at every third evaluation (the first one later than a minute), for the last time at the one at which the group stood still or before it.
  SimDuration stuck = t.rule;
  while (stuck < 20min) stuck += 30s;
  const SimDuration last = fired + (stuck - fired) / 90s * 90s;
  EXPECT_EQ(t.heard->lines[1], t.line(stuck, "silent", "High") + fmt::format(" until {:.3f}", sim::seconds(last + 4min)));
  t.world.engine.run_until(at(1h));
  // It goes on: the target has been down all the time, so High is over and Down fires a minute after the first evaluation that sees it.
  ASSERT_GE(t.heard->lines.size(), 3u);
  EXPECT_EQ(t.heard->lines.back(), fmt::format("{:.3f} firing {{alertname=\"Down\", instance=\"a\", job=\"job\"}}", sim::seconds(t.seen(40min) + 1min)));
}

TEST(Prometheus, AbsenceCanFireWhereNothingElseIsWritten) {
  Timeline t({alert("Gone", "absent(level)", 1min)});
  t.world.engine.at(at(20min), [&] { t.prometheus->set_state(Prometheus::State::kBlocked, true); });
  t.world.engine.run_until(at(40min));
  // Five minutes of look-back, and then the first evaluation writes ALERTS and stands still: pending for ever.
  EXPECT_TRUE(t.heard->lines.empty());
  Timeline now({alert("Gone", "absent(level)")});
  now.world.engine.at(at(20min), [&] { now.prometheus->set_state(Prometheus::State::kBlocked, true); });
  now.world.engine.run_until(at(40min));
  // Without `for` it is sent once, before the write that never returns.
  ASSERT_GE(now.heard->lines.size(), 2u);
  const std::string& fired = now.heard->lines[now.heard->lines.size() - 2];
  EXPECT_NE(fired.find("firing {alertname=\"Gone\"}"), std::string::npos);
  EXPECT_GE(std::strtod(fired.c_str(), nullptr), 24.0 * 60);
  EXPECT_NE(now.heard->lines.back().find("silent {alertname=\"Gone\"}"), std::string::npos);
}

TEST(Prometheus, ForIsRestoredOverARestart) {
  Timeline t({alert("High", "level > 5", 20min)});
  t.level(5min, 9.0);
  t.world.engine.at(at(15min), [&] { t.prometheus->set_state(Prometheus::State::kGone, true); });
  t.world.engine.at(at(17min), [&] { t.prometheus->set_state(Prometheus::State::kWorks, true); });
  t.world.engine.run_until(at(1h));
  // Ten minutes were left; after a restart it waits for the grace of 10 minutes at least.
  SimDuration first = t.rule;
  while (first < 17min) first += 30s;
  SimDuration sampled = t.scrape;
  while (sampled < 17min) sampled += 30s;
  ASSERT_EQ(t.heard->lines.size(), 1u);
  const double fired = std::strtod(t.heard->lines[0].c_str(), nullptr);
  EXPECT_GE(fired, sim::seconds(first + 10min));
  EXPECT_LE(fired, sim::seconds(first + 11min));
  // With data lost it begins anew.
  Timeline lost({alert("High", "level > 5", 20min)});
  lost.level(5min, 9.0);
  lost.world.engine.at(at(15min), [&] { lost.prometheus->set_state(Prometheus::State::kGone, true); });
  lost.world.engine.at(at(17min), [&] { lost.prometheus->set_state(Prometheus::State::kWorks, false); });
  lost.world.engine.run_until(at(1h));
  EXPECT_EQ(lost.heard->lines, std::vector<std::string>{lost.line(lost.seen(17min) + 20min, "firing", "High")});
}

}  // namespace
