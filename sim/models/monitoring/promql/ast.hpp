/// The syntax tree of a PromQL expression.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/symbol.hpp"

namespace sim::promql {

using Millis = std::int64_t;  // Prometheus' own unit of time: Unix milliseconds, and spans of them
inline constexpr Millis kNever = std::numeric_limits<Millis>::max();

enum class Type : std::uint8_t { kScalar, kVector, kMatrix, kString };
const char* to_string(Type type);  // "scalar", "instant vector", "range vector", "string"

enum class Op : std::uint8_t {
  kAdd, kSub, kMul, kDiv, kMod, kPow,
  kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual,
  kAnd, kOr, kUnless,
};
constexpr bool is_comparison(Op op) { return op >= Op::kEqual && op <= Op::kGreaterEqual; }
constexpr bool is_set_operation(Op op) { return op >= Op::kAnd; }
const char* to_string(Op op);

enum class Aggregation : std::uint8_t { kSum, kAvg, kMin, kMax, kCount, kGroup, kStddev, kStdvar, kTopk, kBottomk, kQuantile, kCountValues };

struct Matcher {
  enum class Kind : std::uint8_t { kEqual, kNotEqual, kRegex, kNotRegex } kind = Kind::kEqual;
  std::string name;
  std::string value;
};

struct Selector {
  std::vector<Matcher> matchers;  // the metric's name among them, as a matcher of __name__
  Millis range = 0;               // 0: an instant selector
  Millis offset = 0;
  std::optional<Millis> at;       // @ TIME
  std::uint32_t id = 0;           // of the parser's context: sources keep what they found under it
  /// The name that an equality matcher asks for; empty: any.
  std::string metric() const;
};

struct Matching {
  enum class Card : std::uint8_t { kOneToOne, kManyToOne, kOneToMany, kManyToMany } card = Card::kOneToOne;
  bool on = false;
  std::vector<std::string> labels;
  std::vector<std::string> include;
};

struct Expr {
  enum class Kind : std::uint8_t { kNumber, kString, kSelector, kCall, kAggregate, kBinary, kUnary, kParen, kSubquery } kind = Kind::kNumber;
  Type type = Type::kScalar;
  std::size_t begin = 0;  // offset in the text
  double number = 0.0;
  std::string text;  // of a string; name of a function
  Selector selector;
  std::vector<std::unique_ptr<Expr>> args;  // operands; an aggregation's parameter comes last
  Op op = Op::kAdd;
  bool returns_bool = false;
  bool negative = false;  // of a unary operator
  Matching matching;
  Aggregation aggregation = Aggregation::kSum;
  bool without = false;
  std::vector<std::string> grouping;
  Millis step = 0;  // of a subquery; 0: the evaluation interval
  std::uint32_t function = 0;  // index in functions()
};

}  // namespace sim::promql
