#include "sim/models/monitoring/rules.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/models/monitoring/promql/evaluator.hpp"
#include "sim/models/monitoring/promql/parser.hpp"

namespace sim::monitoring {

using promql::Expr;

namespace {

constexpr promql::Millis kLookback = 300'000;

/// `window` is what subqueries around it add.
void collect(const Expr& expr, promql::Millis window, std::vector<Rule::Need>& needs) {
  if (expr.kind == Expr::Kind::kSelector) {
    const promql::Millis own = expr.selector.range + std::max<promql::Millis>(expr.selector.offset, 0);
    needs.push_back(Rule::Need{expr.selector.metric(), window + own});
  }
  const promql::Millis inner =
      expr.kind == Expr::Kind::kSubquery ? window + expr.selector.range + std::max<promql::Millis>(expr.selector.offset, 0) + kLookback : window;
  for (const auto& arg : expr.args) collect(*arg, inner, needs);
}

/// The first pattern that is not understood.
std::string wrong_pattern(const Expr& expr) {
  for (const promql::Matcher& matcher : expr.selector.matchers) {
    if (matcher.kind != promql::Matcher::Kind::kRegex && matcher.kind != promql::Matcher::Kind::kNotRegex) continue;
    if (std::string wrong = promql::check_pattern(matcher.value); !wrong.empty()) return fmt::format("regular expression \"{}\": {}", matcher.value, wrong);
  }
  for (const auto& arg : expr.args) {
    if (std::string wrong = wrong_pattern(*arg); !wrong.empty()) return wrong;
  }
  return {};
}

/// Line and column of an offset in an expression.
std::string position(const std::string& text, std::size_t offset) {
  std::size_t line = 1;
  std::size_t column = 1;
  for (std::size_t i = 0; i < offset && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++line;
      column = 1;
    } else {
      ++column;
    }
  }
  return fmt::format("{}:{}", line, column);
}

}  // namespace

std::string Rule::severity() const {
  for (const auto& [label, value] : labels) {
    if (label == "severity") return value;
  }
  return {};
}

void RuleSet::add(RuleGroup group) {
  for (Rule& rule : group.rules) {
    promql::Parsed parsed = promql::parse(rule.expression, next_selector_);
    if (!parsed.expr) {
      rule.left_out = fmt::format("{}: {}", position(rule.expression, parsed.error.offset), parsed.error.message);
      if (!parsed.error.suggestion.empty()) rule.left_out += fmt::format(" (did you mean \"{}\"?)", parsed.error.suggestion);
      continue;
    }
    if (parsed.expr->type != promql::Type::kScalar && parsed.expr->type != promql::Type::kVector) {
      rule.left_out = fmt::format("1:1: an expression of type {} is no rule", promql::to_string(parsed.expr->type));
      continue;
    }
    rule.left_out = wrong_pattern(*parsed.expr);
    if (!rule.left_out.empty()) continue;
    collect(*parsed.expr, 0, rule.needs);
    rule.expr = std::move(parsed.expr);
  }
  groups_.push_back(std::move(group));
}

void RuleSet::check_metrics() {
  std::set<std::string> there(exported_metrics().begin(), exported_metrics().end());
  there.insert({"ALERTS", "ALERTS_FOR_STATE", "up"});
  for (const RuleGroup& group : groups_) {
    for (const Rule& rule : group.rules) {
      if (!rule.is_alert) there.insert(rule.name);
    }
  }
  // A recorded metric whose own inputs nobody exports is not there either.
  for (bool changed = true; changed;) {
    changed = false;
    for (RuleGroup& group : groups_) {
      for (Rule& rule : group.rules) {
        rule.not_modelled.clear();
        for (const Rule::Need& need : rule.needs) {
          if (need.metric.empty() || there.contains(need.metric)) continue;
          if (std::find(rule.not_modelled.begin(), rule.not_modelled.end(), need.metric) == rule.not_modelled.end()) rule.not_modelled.push_back(need.metric);
        }
        if (!rule.is_alert && !rule.not_modelled.empty() && there.erase(rule.name) > 0) changed = true;
      }
    }
  }
}

std::set<std::string> RuleSet::wanted(bool& all) const {
  std::set<std::string> names;
  all = false;
  for (const RuleGroup& group : groups_) {
    for (const Rule& rule : group.rules) {
      for (const Rule::Need& need : rule.needs) {
        if (need.metric.empty()) all = true;
        names.insert(need.metric);
      }
    }
  }
  return names;
}

}  // namespace sim::monitoring
