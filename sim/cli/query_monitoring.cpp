#include "sim/cli/query_monitoring.hpp"

#include <fmt/format.h>

#include "sim/models/monitoring/monitoring.hpp"
#include "sim/models/world.hpp"

namespace cli {

using sim::monitoring::Notification;
using sim::monitoring::Prometheus;
using sim::monitoring::Rule;
using sim::monitoring::RuleGroup;
using sim::monitoring::Tells;

bool is_monitoring_word(std::string_view word) { return word == "metrics" || word == "rules" || word == "alerts" || word == "notifications"; }

std::string metrics_text(sim::World& world, std::int64_t start_unix_seconds) {
  return sim::monitoring::exposition(world, start_unix_seconds, world.monitoring ? world.monitoring->config().exporters : sim::monitoring::ExporterConfig{});
}

sim::k8s::views::TextTable monitoring_table(const sim::World& world, std::string_view word) {
  sim::k8s::views::TextTable table;
  const sim::monitoring::Monitoring& monitoring = *world.monitoring;
  const auto since = [](sim::SimTime at) { return sim::humanize(at.time_since_epoch()); };
  if (word == "notifications") {
    table.columns = {"AT", "CLASS", "RECEIVER", "SEVERITY", "WHAT", "UNTIL"};
    for (const Notification& note : monitoring.notifications()) {
      if (note.at > world.engine.now()) continue;
      const char* tells = note.tells == Tells::kAlert ? "alert" : note.tells == Tells::kNotice ? "notice" : "nobody";
      table.rows.push_back({since(note.at), tells, note.receiver, note.severity, note.subject, note.over ? since(*note.over) : ""});
    }
    return table;
  }
  if (word == "alerts") {
    table.columns = {"PROMETHEUS", "STATE", "ALERT", "SINCE"};
    for (const Prometheus* prometheus : monitoring.prometheis()) {
      for (const Prometheus::Active& active : prometheus->active()) {
        table.rows.push_back({prometheus->name(), active.is_firing ? "firing" : "pending", monitoring.text(active.labels), since(active.since)});
      }
    }
    return table;
  }
  table.columns = {"GROUP", "RULE", "STATE", "NOTE"};
  const std::vector<const Prometheus*> all = monitoring.prometheis();
  for (const RuleGroup& group : monitoring.config().rules->groups()) {
    for (const Rule& rule : group.rules) {
      std::string state = rule.is_alert ? "inactive" : "recorded";
      std::string note;
      if (!rule.left_out.empty()) {
        state = "not evaluated";
        note = rule.where + ": " + rule.left_out;
      } else if (!rule.not_modelled.empty()) {
        // Some of its metrics may be there all the same: then it can fire by the rest of its expression.
        note = fmt::format("not modelled: {}", fmt::join(rule.not_modelled, ", "));
        if (rule.is_alert) state = "inactive";
      }
      for (const Prometheus* prometheus : all) {
        if (const auto failed = prometheus->failures().find(&rule); failed != prometheus->failures().end()) {
          state = "failed";
          note = failed->second;
        }
        for (const Prometheus::Active& active : prometheus->active()) {
          if (active.rule == &rule && state != "firing") state = active.is_firing ? "firing" : "pending";
        }
      }
      table.rows.push_back({group.name, rule.name, state, note});
    }
  }
  return table;
}

}  // namespace cli
