/// Reads PromQL.
///
/// Source: prometheus v3.13 promql/parser (lex.go, generated_parser.y, parse.go: checkAST).
/// Leaves out, each refused by name: native histograms' functions and operators, the modifiers anchored, smoothed and fill, duration expressions,
///         the aggregations limitk and limit_ratio, the operator atan2, trigonometric functions, info, sort_by_label, double_exponential_smoothing,
///         mad_over_time, ts_of_*_over_time.
/// Checked by: tests/models/monitoring/promql_test.cpp; tests/differential/promql (against Prometheus itself).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sim/models/monitoring/promql/ast.hpp"

namespace sim::promql {

struct ParseError {
  std::size_t offset = 0;     // in the text
  std::string message;
  std::string suggestion;     // did you mean
  bool unsupported = false;   // right in Prometheus, but left out here
};

struct Parsed {
  std::unique_ptr<Expr> expr;  // null: see error
  ParseError error;
};

/// `next_selector` numbers the selectors, over all expressions of one evaluator.
Parsed parse(std::string_view text, std::uint32_t& next_selector);

/// "5m", "1h30m", "100ms", "1y": what Prometheus takes for a duration. Empty when it is none.
std::optional<Millis> parse_duration(std::string_view text);

struct Function {
  std::string name;
  std::vector<Type> args;
  int optional = 0;  // so many of the last ones may be left out; -1: the last one may also be repeated
  Type returns = Type::kVector;
  bool supported = true;
};
const std::vector<Function>& functions();

}  // namespace sim::promql
