#include "sim/scenario/monitoring_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>

#include "sim/models/monitoring/monitoring.hpp"
#include "sim/models/monitoring/promql/evaluator.hpp"
#include "sim/models/monitoring/promql/parser.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/scenario.hpp"

namespace sim::scenario {

using monitoring::Rule;
using monitoring::RuleGroup;
using monitoring::RuleSet;

namespace {

// ---- Rule files -----------------------------------------------------------------------------------------------------

class RuleFileReader {
 public:
  RuleFileReader(RuleSet& to, Diagnostics& diagnostics) : to_(to), diagnostics_(diagnostics) {}

  void document(Node root) {
    if (root.find("kind").text() == "PrometheusRule") {
      groups(root.find("spec"), "PrometheusRule's spec");
    } else if (root.find("kind").text() == "List" || root.find("kind").text() == "PrometheusRuleList") {
      const Node items = root.find("items");
      for (std::size_t i = 0; i < items.size() && items.is_sequence(); ++i) document(items.item(i));
    } else if (!root.find("groups").is_null()) {
      groups(root, "rule file");
    } else if (!root.find("kind").is_null()) {
      diagnostics_.warning(root, fmt::format("{} is no PrometheusRule: it is left out", root.find("kind").describe()));
    } else {
      Diagnostic& d = diagnostics_.error(root, "no rules");
      d.expected = "a PrometheusRule, or a map with 'groups'";
      d.found = root.describe();
    }
  }

 private:
  void unknown_keys(Node node, std::string_view what, const std::vector<std::string>& known) {
    for (std::size_t i = 0; i < node.size() && node.is_map(); ++i) {
      const std::string key(node.key(i).text());
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      Diagnostic& d = diagnostics_.error(node.key(i), fmt::format("unknown key '{}' in a {}", key, what));
      d.expected = fmt::format("one of: {}", fmt::join(known, ", "));
      d.hint = did_you_mean(key, known);
    }
  }

  /// A duration of Prometheus' ("5m", "1h30m", 0).
  SimDuration duration(Node node) {
    if (node.is_null()) return {};
    const std::optional<promql::Millis> millis = promql::parse_duration(node.text());
    if (millis) return SimDuration(*millis * 1'000'000);
    Diagnostic& d = diagnostics_.error(node, fmt::format("{} is no duration of Prometheus", node.describe()));
    d.expected = "a duration such as 5m or 1h30m";
    return {};
  }

  void groups(Node node, std::string_view what) {
    unknown_keys(node, what, {"groups"});
    const Node list = node.find("groups");
    if (!list.is_sequence()) {
      Diagnostic& d = diagnostics_.error(list ? list : node, "no list of groups");
      d.expected = "groups: [{name, rules}]";
      return;
    }
    for (std::size_t i = 0; i < list.size(); ++i) group(list.item(i));
  }

  void group(Node node) {
    unknown_keys(node, "group of rules", {"name", "interval", "limit", "query_offset", "labels", "rules", "partial_response_strategy"});
    RuleGroup result;
    result.name = std::string(node.find("name").text());
    if (result.name.empty()) diagnostics_.error(node, "a group of rules needs a name");
    result.interval = duration(node.find("interval"));
    for (const char* key : {"limit", "query_offset"}) {
      if (!node.find(key).is_null()) diagnostics_.error(node.find_key(key), fmt::format("'{}' of a group is not supported", key));
    }
    const std::vector<std::pair<std::string, std::string>> shared = labels(node.find("labels"));
    const Node rules = node.find("rules");
    for (std::size_t i = 0; i < rules.size() && rules.is_sequence(); ++i) {
      std::optional<Rule> one = rule(rules.item(i));
      if (!one) continue;
      for (const auto& label : shared) {
        if (std::none_of(one->labels.begin(), one->labels.end(), [&](const auto& own) { return own.first == label.first; })) one->labels.push_back(label);
      }
      result.rules.push_back(std::move(*one));
    }
    to_.add(std::move(result));
  }

  std::vector<std::pair<std::string, std::string>> labels(Node node) {
    std::vector<std::pair<std::string, std::string>> result;
    for (std::size_t i = 0; i < node.size() && node.is_map(); ++i) {
      if (node.value(i).is_scalar() || node.value(i).is_null()) result.emplace_back(node.key(i).text(), node.value(i).text());
      else diagnostics_.error(node.value(i), "a label is a string");
    }
    return result;
  }

  std::optional<Rule> rule(Node node) {
    unknown_keys(node, "rule", {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"});
    const Node alert = node.find("alert");
    const Node record = node.find("record");
    const Node expr = node.find("expr");
    if (alert.is_null() == record.is_null()) {
      diagnostics_.error(node, alert.is_null() ? "a rule needs 'alert' or 'record'" : "a rule has 'alert' or 'record', not both");
      return std::nullopt;
    }
    Rule result;
    result.is_alert = !alert.is_null();
    result.name = std::string((result.is_alert ? alert : record).text());
    if (expr.is_null() || !expr.is_scalar()) {
      diagnostics_.error(expr ? expr : node, fmt::format("the rule '{}' has no expression", result.name)).expected = "expr: a PromQL expression";
      return std::nullopt;
    }
    result.expression = std::string(expr.text());
    result.where = expr.place().to_string();
    result.hold = duration(node.find("for"));
    result.keep_firing = duration(node.find("keep_firing_for"));
    if (!result.is_alert) {
      for (const char* key : {"for", "keep_firing_for", "annotations"}) {
        if (!node.find(key).is_null()) diagnostics_.error(node.find_key(key), fmt::format("'{}' has no place in a recording rule", key));
      }
    }
    result.labels = labels(node.find("labels"));
    std::uint32_t ids = 0;
    const promql::Parsed parsed = promql::parse(result.expression, ids);
    if (!parsed.expr) {
      Place place = expr.place();
      // In a block the text begins on the next line; in a plain or quoted scalar, here.
      const std::string_view before = std::string_view(result.expression).substr(0, std::min(parsed.error.offset, result.expression.size()));
      const std::string_view source = place.file ? place.file->text() : std::string_view();
      const std::size_t begin = expr.data()->begin;
      const bool block = begin < source.size() && (source[begin] == '|' || source[begin] == '>');
      const auto lines = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n'));
      const std::size_t in_line = before.size() - (before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1);
      if (block && place.file) {
        place.line += lines + 1;
        const std::string_view line = place.line <= place.file->line_count() ? place.file->line(place.line) : std::string_view();
        const std::size_t indent = line.find_first_not_of(' ');
        // The text's own line has lost the block's indentation, and kept what stands beyond it.
        const std::string_view text_line = std::string_view(result.expression).substr(before.size() - in_line);
        const std::size_t kept = std::min(text_line.find_first_not_of(' '), text_line.size());
        place.column = static_cast<std::uint32_t>((indent == std::string_view::npos ? 0 : indent - std::min(indent, kept)) + in_line + 1);
      } else if (lines == 0) {
        const bool quoted = begin < source.size() && (source[begin] == '"' || source[begin] == '\'');
        place.column += static_cast<std::uint32_t>(in_line) + (quoted ? 1 : 0);
      }
      if (parsed.error.unsupported) {
        diagnostics_.warning(place, fmt::format("the rule '{}' is not evaluated: {}", result.name, parsed.error.message));
      } else {
        Diagnostic& d = diagnostics_.error(place, fmt::format("the rule '{}' is no PromQL: {}", result.name, parsed.error.message));
        if (!parsed.error.suggestion.empty()) d.hint = fmt::format("did you mean '{}'?", parsed.error.suggestion);
      }
    }
    return result;
  }

  RuleSet& to_;
  Diagnostics& diagnostics_;
};

// ---- The section ----------------------------------------------------------------------------------------------------

class Checker {
 public:
  Checker(ScenarioSpec& spec, Diagnostics& diagnostics) : spec_(spec), section_(*spec.monitoring), diagnostics_(diagnostics) {}

  void run() {
    rules();
    std::vector<std::string> managers;
    for (const AlertmanagerSpec& one : section_.alertmanagers) managers.push_back(one.name);
    for (const PrometheusSpec& one : section_.prometheus) {
      stateful_set(one.stateful_set);
      alertmanager(one.alertmanager, one.where, managers, fmt::format("Prometheus '{}'", one.name));
    }
    for (const AlertmanagerSpec& one : section_.alertmanagers) {
      stateful_set(one.stateful_set);
      for (const ReceiverSpec& receiver : one.receivers) {
        if (!receiver.via.text.empty()) service(receiver.via);
        for (const Reference& matcher : receiver.matchers) matcher_of(matcher);
      }
    }
    for (const DeadMansSwitchSpec& one : section_.dead_mans_switches) {
      alertmanager(one.alertmanager, one.where, managers, fmt::format("dead man's switch '{}'", one.name));
      const bool known = std::any_of(section_.rule_set->groups().begin(), section_.rule_set->groups().end(), [&](const RuleGroup& group) {
        return std::any_of(group.rules.begin(), group.rules.end(), [&](const Rule& rule) { return rule.is_alert && rule.name == one.alert; });
      });
      if (!known) {
        diagnostics_.error(one.where, fmt::format("no rule makes the alert '{}' that feeds it", one.alert)).hint = "rules: [general] has Watchdog, which always fires";
      }
    }
    for (const ProbeSpec& one : section_.probes) service(one.service);
    if (!section_.kube_state_metrics.text.empty()) service(section_.kube_state_metrics);
    if (!section_.prometheus.empty() && section_.alertmanagers.empty()) {
      diagnostics_.error(spec_.place_of("monitoring"), "there is a Prometheus, and no Alertmanager that would tell anybody").expected = "alertmanagers: {main: ...}";
    }
  }

  /// "severity=critical"; the quotes around the value may be left out.
  std::optional<promql::Matcher> matcher_of(const Reference& reference) {
    using MatcherKind = promql::Matcher::Kind;
    static constexpr std::pair<std::string_view, MatcherKind> kOperators[] = {
        {"=~", MatcherKind::kRegex}, {"!~", MatcherKind::kNotRegex}, {"!=", MatcherKind::kNotEqual}, {"=", MatcherKind::kEqual}};
    const auto trimmed = [](std::string_view text) {
      while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
      while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
      return text;
    };
    for (const auto& [op, kind] : kOperators) {
      const std::size_t at = reference.text.find(op);
      if (at == std::string::npos || at == 0) continue;
      const std::string_view name = trimmed(std::string_view(reference.text).substr(0, at));
      std::string_view value = trimmed(std::string_view(reference.text).substr(at + op.size()));
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
      promql::Matcher matcher{kind, std::string(name), std::string(value)};
      if (kind == MatcherKind::kRegex || kind == MatcherKind::kNotRegex) {
        if (const std::string wrong = promql::check_pattern(matcher.value); !wrong.empty()) {
          diagnostics_.error(reference.where, fmt::format("regular expression \"{}\": {}", matcher.value, wrong));
          return std::nullopt;
        }
      }
      return matcher;
    }
    diagnostics_.error(reference.where, fmt::format("'{}' is no matcher", reference.text)).expected = "a matcher such as severity=critical or namespace=~\"a|b\"";
    return std::nullopt;
  }

 private:
  void rules() {
    struct FromFiles {
      Place where;
      std::size_t first;
      std::size_t last;
    };
    std::vector<FromFiles> from_files;
    auto set = std::make_shared<RuleSet>();
    const std::vector<std::string>& built_in = monitoring::built_in_rule_names();
    std::vector<Reference> wanted = section_.rules;
    if (wanted.empty()) {
      for (const std::string& name : built_in) wanted.push_back(Reference{name, {}});
    }
    for (const Reference& reference : wanted) {
      if (std::find(built_in.begin(), built_in.end(), reference.text) != built_in.end()) {
        for (RuleGroup& group : monitoring::built_in_rules(reference.text, section_.ceph_job)) set->add(std::move(group));
        continue;
      }
      if (reference.text.find_first_of("/.*") == std::string::npos) {
        Diagnostic& d = diagnostics_.error(reference.where, fmt::format("there are no built-in rules '{}'", reference.text));
        d.expected = fmt::format("one of: {}; or a path of a file", fmt::join(built_in, ", "));
        d.hint = did_you_mean(reference.text, built_in);
        continue;
      }
      const std::size_t first = set->groups().size();
      for (const std::string& path : expand_path(beside(reference, spec_.file), reference.where, diagnostics_)) {
        read_rule_file(path, reference.where, *set, diagnostics_);
      }
      from_files.push_back({reference.where, first, set->groups().size()});
    }
    set->check_metrics();
    for (const FromFiles& files : from_files) silent_rules(files.where, std::span(set->groups()).subspan(files.first, files.last - files.first));
    section_.rule_set = std::move(set);
  }

  /// An alert over a metric that nobody exports is silent for that reason alone, which must not be taken for a result of the run.
  void silent_rules(const Place& where, std::span<const RuleGroup> groups) {
    constexpr std::size_t kNamed = 5;
    std::size_t alerts = 0;
    std::size_t silent = 0;
    std::vector<std::string> named;
    for (const RuleGroup& group : groups) {
      for (const Rule& rule : group.rules) {
        alerts += rule.is_alert ? 1 : 0;
        if (!rule.is_alert || rule.not_modelled.empty()) continue;
        if (++silent <= kNamed) named.push_back(fmt::format("{} ({})", rule.name, fmt::join(rule.not_modelled, ", ")));
      }
    }
    if (silent == 0) return;
    if (silent > kNamed) named.emplace_back("...");
    Diagnostic& d = diagnostics_.warning(where, fmt::format("{} of {} alerts of these files ask for metrics that Squall does not export, and never fire, or not as they would: {}", silent, alerts,
                                                            fmt::join(named, ", ")));
    d.hint = "`squall query SCENARIO rules` lists all of them";
  }

  void stateful_set(const Reference& reference) {
    if (reference.text.empty()) return;
    std::vector<std::string> known;
    const Interner& names = *spec_.names;
    for (const Manifest<k8s::StatefulSet>& m : spec_.objects.stateful_sets) {
      known.push_back(names.text(m.object.meta.ns) + "/" + names.text(m.object.meta.name));
      if (known.back() == reference.text) return;
    }
    diagnostics_.error(reference.where, fmt::format("there is no StatefulSet '{}'", reference.text)).hint = did_you_mean(reference.text, known);
  }

  void service(const Reference& reference) {
    std::vector<std::string> known;
    const Interner& names = *spec_.names;
    for (const Manifest<k8s::Service>& m : spec_.objects.services) {
      known.push_back(names.text(m.object.meta.ns) + "/" + names.text(m.object.meta.name));
      if (known.back() == reference.text) return;
    }
    diagnostics_.error(reference.where, fmt::format("there is no Service '{}'", reference.text)).hint = did_you_mean(reference.text, known);
  }

  void alertmanager(const Reference& reference, const Place& where, const std::vector<std::string>& known, const std::string& whose) {
    if (reference.text.empty()) {
      if (known.size() > 1) diagnostics_.error(where, fmt::format("{} must say which Alertmanager: there are several", whose)).expected = "alertmanager: a name";
      return;
    }
    if (std::find(known.begin(), known.end(), reference.text) != known.end()) return;
    diagnostics_.error(reference.where, fmt::format("there is no Alertmanager '{}'", reference.text)).hint = did_you_mean(reference.text, known);
  }

  ScenarioSpec& spec_;
  MonitoringSpec& section_;
  Diagnostics& diagnostics_;
};

std::int64_t replicas_of(const ScenarioSpec& spec, const std::string& stateful_set) {
  const Interner& names = *spec.names;
  for (const Manifest<k8s::StatefulSet>& m : spec.objects.stateful_sets) {
    if (names.text(m.object.meta.ns) + "/" + names.text(m.object.meta.name) == stateful_set) return m.object.replicas;
  }
  return 0;
}

}  // namespace

void read_rule_file(const std::string& path, const Place&, RuleSet& to, Diagnostics& diagnostics) {
  const std::shared_ptr<const Document> document = load_file(path, diagnostics);
  if (!document) return;
  RuleFileReader reader(to, diagnostics);
  for (const Node root : document->roots()) reader.document(root);
}

void check_monitoring(ScenarioSpec& spec, Diagnostics& diagnostics) {
  if (spec.monitoring) Checker(spec, diagnostics).run();
}

std::unique_ptr<monitoring::Monitoring> make_monitoring(const ScenarioSpec& spec, World& world) {
  const MonitoringSpec& section = *spec.monitoring;
  Diagnostics none;
  ScenarioSpec copy_of_names;  // matchers need no scenario
  monitoring::MonitoringConfig config;
  config.rules = section.rule_set;
  config.start_unix_seconds = spec.run.start_unix_seconds;
  config.exporters.ceph_job = section.ceph_job;
  config.exporters.kube_state_metrics = section.kube_state_metrics.text;
  const auto manager = [&](const Reference& reference) {
    return reference.text.empty() && !section.alertmanagers.empty() ? section.alertmanagers.front().name : reference.text;
  };
  for (const PrometheusSpec& one : section.prometheus) {
    monitoring::PrometheusConfig prometheus;
    prometheus.name = one.name;
    prometheus.stateful_set = one.stateful_set.text;
    prometheus.replicas = replicas_of(spec, one.stateful_set.text);
    prometheus.alertmanager = manager(one.alertmanager);
    prometheus.timing.scrape_interval = one.scrape_interval;
    prometheus.timing.evaluation_interval = one.evaluation_interval;
    config.exporters.poll = std::min(config.exporters.poll, one.scrape_interval);
    config.prometheus.push_back(std::move(prometheus));
  }
  copy_of_names.monitoring = section;
  Checker matchers(copy_of_names, none);
  for (const AlertmanagerSpec& one : section.alertmanagers) {
    monitoring::AlertmanagerPlace place;
    place.stateful_set = one.stateful_set.text;
    place.replicas = replicas_of(spec, one.stateful_set.text);
    place.config.name = one.name;
    place.config.group_by = one.group_by;
    place.config.group_wait = one.group_wait;
    place.config.group_interval = one.group_interval;
    place.config.repeat_interval = one.repeat_interval;
    place.config.inhibit = one.inhibit;
    for (const ReceiverSpec& receiver : one.receivers) {
      monitoring::ReceiverConfig to;
      to.name = receiver.name;
      to.tells = receiver.tells;
      to.delivery = receiver.delivery;
      to.via = receiver.via.text;
      for (const Reference& matcher : receiver.matchers) {
        if (std::optional<promql::Matcher> read = matchers.matcher_of(matcher)) to.matchers.push_back(std::move(*read));
      }
      place.config.receivers.push_back(std::move(to));
    }
    if (one.receivers.empty()) {
      const auto severity = [](std::string name, const char* value, monitoring::Tells tells) {
        monitoring::ReceiverConfig receiver;
        receiver.name = std::move(name);
        receiver.matchers.push_back(promql::Matcher{promql::Matcher::Kind::kEqual, "severity", value});
        receiver.tells = tells;
        return receiver;
      };
      place.config.receivers.push_back(severity("pager", "critical", monitoring::Tells::kAlert));
      place.config.receivers.push_back(severity("tickets", "warning", monitoring::Tells::kNotice));
    }
    config.alertmanagers.push_back(std::move(place));
  }
  for (const DeadMansSwitchSpec& one : section.dead_mans_switches) {
    config.dead_mans_switches.push_back({{one.name, one.alert, one.interval, one.window, one.delivery}, manager(one.alertmanager)});
  }
  for (const ProbeSpec& one : section.probes) {
    config.exporters.probed.push_back(one.service.text);
    config.probes.push_back({one.name, one.service.text, one.interval, one.timeout, one.failures, one.tells, one.delivery});
  }
  return std::make_unique<monitoring::Monitoring>(world, std::move(config));
}

}  // namespace sim::scenario
