/// Recording and alerting rules, as Prometheus reads them from rule files.
///
/// Source: prometheus v3.13 model/rulefmt, rules/alerting.go, rules/group.go.
/// Leaves out: templates in labels (a label with `{{` keeps its text) and annotations, `limit`, `query_offset`.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/models/monitoring/promql/ast.hpp"

namespace sim::monitoring {

struct Rule {
  std::string name;  // of the alert, or of the recorded metric
  bool is_alert = true;
  std::string expression;
  SimDuration hold{};         // for
  SimDuration keep_firing{};  // keep_firing_for
  std::vector<std::pair<std::string, std::string>> labels;
  std::string where;  // "file:line", for messages

  // Filled by RuleSet::add().
  std::shared_ptr<const promql::Expr> expr;
  /// Why it is not evaluated; empty: it is.
  std::string left_out;
  /// Metrics that it needs and nobody here exports: then it never fires, or not as it would.
  std::vector<std::string> not_modelled;

  /// A selector of the expression and for how long a sample matters to it.
  struct Need {
    std::string metric;  // empty: any
    promql::Millis window = 0;
  };
  std::vector<Need> needs;
  std::string severity() const;
};

struct RuleGroup {
  std::string name;
  SimDuration interval{};  // zero: the Prometheus' evaluation interval
  std::vector<Rule> rules;
};

/// All rules of one Prometheus, parsed.
class RuleSet {
 public:
  /// Parses the expressions. What cannot be read or is not supported stays, and is not evaluated: see Rule::left_out.
  void add(RuleGroup group);
  /// After the last add(): says of each rule which of its metrics nobody exports or records.
  void check_metrics();
  const std::vector<RuleGroup>& groups() const { return groups_; }
  /// Metrics that some rule asks for; `all` when a selector names none.
  std::set<std::string> wanted(bool& all) const;

 private:
  std::vector<RuleGroup> groups_;
  std::uint32_t next_selector_ = 0;
};

/// The metrics that Squall exports, in alphabetical order.
const std::vector<std::string>& exported_metrics();

/// Built-in groups: "kubernetes", "nodes", "etcd", "ceph", "general". Empty when there is none of the name.
const std::vector<std::string>& built_in_rule_names();
std::vector<RuleGroup> built_in_rules(const std::string& name, const std::string& ceph_job);

}  // namespace sim::monitoring
