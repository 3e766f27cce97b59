// The section `monitoring:` and files of rules: what is read, and what is told of what is wrong, with its place.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sim/models/monitoring/monitoring.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/monitoring_builder.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/world_builder.hpp"

namespace sim::scenario {
namespace {

namespace fs = std::filesystem;

const std::string kHead = R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
pools: {cp: {count: 1, controlPlane: true}}
objects:
- {apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}, ports: [{port: 80}]}}
)";

std::string told(const std::string& section) {
  Diagnostics diagnostics;
  read_scenario_text("s.yaml", kHead + section, {}, diagnostics);
  return diagnostics.format();
}

struct Folder {
  Folder() : path(fs::temp_directory_path() / ("squall-rules-" + std::to_string(::getpid()))) { fs::create_directories(path); }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name) << text;
    return (path / name).string();
  }
  fs::path path;
};

TEST(MonitoringSection, BuildsWhatItSays) {
  Diagnostics diagnostics;
  const auto spec = read_scenario_text("s.yaml", kHead + R"(monitoring:
  rules: [general, kubernetes]
  prometheus:
    p: {outside: true, scrapeInterval: 15s, evaluationInterval: 1m}
  alertmanagers:
    main:
      outside: true
      groupWait: 10s
      receivers:
        pager: {matchers: ["severity = critical", 'team=~"a|b"'], tells: alert, via: shop/web}
        rest: {}
  deadMansSwitches: {beat: {interval: 1m, window: 4m}}
  probes: {shop: {service: shop/web, failures: 5}}
)", {}, diagnostics);
  ASSERT_TRUE(spec) << diagnostics.format();
  const auto world = build_world(*spec, 1);
  ASSERT_NE(world->monitoring, nullptr);
  const monitoring::MonitoringConfig& config = world->monitoring->config();
  EXPECT_EQ(config.rules->groups().size(), 2u);
  EXPECT_EQ(config.prometheus.at(0).timing.scrape_interval, std::chrono::seconds(15));
  EXPECT_EQ(config.prometheus.at(0).timing.evaluation_interval, std::chrono::minutes(1));
  EXPECT_EQ(config.prometheus.at(0).alertmanager, "main");
  const monitoring::AlertmanagerConfig& manager = config.alertmanagers.at(0).config;
  EXPECT_EQ(manager.group_wait, std::chrono::seconds(10));
  ASSERT_EQ(manager.receivers.size(), 2u);
  ASSERT_EQ(manager.receivers[0].matchers.size(), 2u);
  EXPECT_EQ(manager.receivers[0].matchers[0].name, "severity");
  EXPECT_EQ(manager.receivers[0].matchers[0].value, "critical");
  EXPECT_EQ(manager.receivers[0].matchers[1].kind, promql::Matcher::Kind::kRegex);
  EXPECT_EQ(manager.receivers[0].matchers[1].value, "a|b");
  EXPECT_EQ(manager.receivers[0].via, "shop/web");
  EXPECT_EQ(config.dead_mans_switches.at(0).config.window, std::chrono::minutes(4));
  EXPECT_EQ(config.probes.at(0).failures, 5);
}

struct WrongCase {
  const char* section;
  const char* place;
  const char* says;
};
TEST(MonitoringSection, SaysWhatIsWrongAndWhere) {
  const WrongCase cases[] = {
      {"monitoring: {rules: [kubernets]}\n", "s.yaml:6:22", "did you mean 'kubernetes'?"},
      {"monitoring: {prometheus: {p: {}}}\n", "s.yaml:6:", "statefulSet: namespace/name, or outside: true"},
      {"monitoring: {prometheus: {p: {outside: true}}}\n", "s.yaml:6:1", "no Alertmanager that would tell anybody"},
      {"monitoring: {prometheus: {p: {statefulSet: a/b}}, alertmanagers: {m: {outside: true}}}\n", "s.yaml:6:44", "there is no StatefulSet 'a/b'"},
      {"monitoring: {probes: {x: {service: shop/wep}}}\n", "s.yaml:6:36", "did you mean 'shop/web'?"},
      {"monitoring: {prometheus: {p: {outside: true, alertmanager: mian}}, alertmanagers: {main: {outside: true}}}\n", "s.yaml:6:60", "did you mean 'main'?"},
      {"monitoring: {alertmanagers: {m: {outside: true, receivers: {r: {matchers: [critical]}}}}}\n", "s.yaml:6:76", "'critical' is no matcher"},
      {"monitoring: {alertmanagers: {m: {outside: true}}, deadMansSwitches: {d: {alert: Nothing}}}\n", "s.yaml:6:", "no rule makes the alert 'Nothing'"},
      {"monitoring: {alertmanagers: {m: {outside: true}}, deadMansSwitches: {d: {interval: 5m, window: 5m}}}\n", "s.yaml:6:", "would page all the time"},
      {"monitoring: {scrapeIntervall: 5s}\n", "s.yaml:6:14", "unknown key 'scrapeIntervall'"},
      {"monitoring: {rules: [no/such/file.yaml]}\n", "s.yaml:6:22", "no/such/file.yaml"},
  };
  for (const WrongCase& c : cases) {
    SCOPED_TRACE(c.section);
    const std::string text = told(c.section);
    EXPECT_NE(text.find(c.place), std::string::npos) << text;
    EXPECT_NE(text.find(c.says), std::string::npos) << text;
  }
}

TEST(RuleFiles, AreReadAsUsersHaveThem) {
  const Folder folder;
  const std::string path = folder.write("rules.yaml", R"(apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: mine, namespace: monitoring}
spec:
  groups:
  - name: a
    interval: 1m
    labels: {team: sea}
    rules:
    - record: job:up:sum
      expr: sum by (job) (up)
    - alert: Down
      expr: |
        job:up:sum
          < 1
      for: 1h30m
      keep_firing_for: 5m
      labels: {severity: critical}
      annotations: {summary: "{{ $labels.job }} is down"}
    - alert: Slow
      expr: histogram_quantile(0.99, rate(request_seconds_bucket[5m])) > 1
    - alert: Native
      expr: histogram_avg(up) > 1
---
groups:
- name: b
  rules:
  - alert: Plain
    expr: up == 0
)");
  monitoring::RuleSet rules;
  Diagnostics diagnostics;
  read_rule_file(path, {}, rules, diagnostics);
  rules.check_metrics();
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.format();
  ASSERT_EQ(rules.groups().size(), 2u);
  const monitoring::RuleGroup& a = rules.groups()[0];
  EXPECT_EQ(a.interval, std::chrono::minutes(1));
  ASSERT_EQ(a.rules.size(), 4u);
  EXPECT_FALSE(a.rules[0].is_alert);
  EXPECT_EQ(a.rules[1].hold, std::chrono::minutes(90));
  EXPECT_EQ(a.rules[1].keep_firing, std::chrono::minutes(5));
  EXPECT_EQ(a.rules[1].severity(), "critical");
  EXPECT_TRUE(a.rules[1].not_modelled.empty());
  EXPECT_EQ(a.rules[2].not_modelled, std::vector<std::string>{"request_seconds_bucket"});
  EXPECT_NE(a.rules[3].left_out.find("histogram_avg is not supported"), std::string::npos);
  // Not an error, but told, where it stands.
  EXPECT_NE(diagnostics.format().find("rules.yaml:23:13: warning: the rule 'Native' is not evaluated: the function histogram_avg is not supported"), std::string::npos)
      << diagnostics.format();
}

/// Who tries a rule out must learn that it is silent for want of its metric, not because all is well.
TEST(RuleFiles, AlertsOverMetricsThatNobodyExportsAreTold) {
  const Folder folder;
  const std::string rules = R"(groups:
- name: a
  rules:
  - {record: mine, expr: my_total / 2}
  - {alert: Known, expr: up == 0}
  - {alert: Direct, expr: my_own_metric > 5 or up == 0}
  - {alert: Recorded, expr: mine > 5}
)";
  const std::string path = folder.write("rules.yaml", rules);
  const std::string text = told("monitoring: {rules: [" + path + "]}\n");
  EXPECT_NE(text.find("s.yaml:6:22: warning: 2 of 3 alerts of these files ask for metrics that Squall does not export, and never fire, or not as they would: "
                      "Direct (my_own_metric), Recorded (mine)"),
            std::string::npos)
      << text;
  const std::string known = folder.write("known.yaml", "groups: [{name: a, rules: [{alert: Known, expr: up == 0}]}]\n");
  EXPECT_EQ(told("monitoring: {rules: [" + known + "]}\n"), "");
}

TEST(RuleFiles, SayWhatIsWrongAtItsPlace) {
  const Folder folder;
  const std::string path = folder.write("rules.yaml", R"(groups:
- name: a
  rules:
  - alert: One
    expr: up ==
    for: 5 minutes
  - alert: Two
    expr: |
      up
        == on(job) rat(up[5m])
  - record: three
    expr: up
    for: 5m
  - expr: up
  - alert: Five
    exp: up
)");
  monitoring::RuleSet rules;
  Diagnostics diagnostics;
  read_rule_file(path, {}, rules, diagnostics);
  const std::string text = diagnostics.format();
  for (const char* wanted : {"rules.yaml:5:16: error: the rule 'One' is no PromQL: unexpected end of input", "rules.yaml:6:10: error: '5 minutes' is no duration of Prometheus",
                             "rules.yaml:10:20: error: the rule 'Two' is no PromQL: unknown function with name \"rat\"",
                             "rules.yaml:13:5: error: 'for' has no place in a recording rule", "a rule needs 'alert' or 'record'", "did you mean 'expr'?"}) {
    EXPECT_NE(text.find(wanted), std::string::npos) << wanted << "\n" << text;
  }
}

}  // namespace
}  // namespace sim::scenario
