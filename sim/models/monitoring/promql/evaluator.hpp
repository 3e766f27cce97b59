/// Evaluates PromQL at one instant.
///
/// Beside its value each element says when it can change although no sample does (time() runs, a certificate's remaining life shrinks): a value
/// has a slope, a comparison of two of them computes when it turns, and Result::moves_at is the earliest such instant. So whoever asks need not
/// ask again before that, nor before a sample arrives or leaves a window.
///
/// Each element also knows the newest change among the samples that it was made of (Origin), and so why it is there.
///
/// Source: prometheus v3.13 promql/engine.go, functions.go, quantile.go.
/// Leaves out: what the parser leaves out; annotations (warnings beside a result).
/// Checked by: tests/models/monitoring/promql_test.cpp; tests/differential/promql (against Prometheus itself).
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sim/core/cause.hpp"
#include "sim/models/monitoring/promql/ast.hpp"
#include "sim/models/monitoring/promql/labels.hpp"

namespace sim::promql {

/// The newest change that a value rests on.
struct Origin {
  Millis at = std::numeric_limits<Millis>::min();
  CauseId cause{};
  void also(const Origin& other) {
    if (other.at > at) *this = other;
  }
};

struct Point {
  Millis at = 0;
  double value = 0.0;
};

struct Sample {
  LabelsId labels;
  double value = 0.0;
  double slope = 0.0;  // per millisecond
  Origin origin;
};

/// Where samples come from. Series are numbered by the source.
class SampleSource {
 public:
  using SeriesId = std::uint32_t;
  struct Latest {
    Millis at = 0;  // of the sample
    double value = 0.0;
    double slope = 0.0;
    Origin origin;
  };
  virtual ~SampleSource() = default;
  /// The series that the matchers select, whether or not they have samples now. `selector.id` is the same for the same selector.
  virtual const std::vector<SeriesId>& select(const Selector& selector) = 0;
  virtual LabelsId labels(SeriesId series) const = 0;
  /// The newest sample in (at - lookback, at]; none when there is none, or when the series was marked stale after it.
  virtual std::optional<Latest> latest(SeriesId series, Millis at) = 0;
  /// Appends the samples in (from, to], without stale markers. Sets `moves` when the values run although nothing changes.
  virtual void range(SeriesId series, Millis from, Millis to, std::vector<Point>& points, Origin& origin, bool& moves) = 0;
  /// When a series of these matchers last ended: why something is absent.
  virtual Origin ended(const Selector& selector) = 0;
};

struct Result {
  std::string error;  // empty: it went well
  Type type = Type::kVector;
  double scalar = 0.0;
  double scalar_slope = 0.0;
  std::vector<Sample> vector;
  Millis moves_at = kNever;
};

class Evaluator {
 public:
  Evaluator(LabelTable& labels, SampleSource& source, Millis default_step) : labels_(labels), source_(source), default_step_(default_step) {}
  /// The expression's type is scalar or instant vector.
  Result evaluate(const Expr& expr, Millis at);

 private:
  struct Value {
    double scalar = 0.0;
    double slope = 0.0;
    Origin origin;
    std::vector<Sample> vector;
  };
  struct Series {
    LabelsId labels;
    std::vector<Point> points;
    Origin origin;
  };
  struct Failed {
    std::string message;
  };
  using Matrix = std::vector<Series>;

  Value eval(const Expr& expr, Millis at);
  Value selector(const Selector& selector, Millis at);
  Matrix matrix(const Expr& expr, Millis at);
  Millis range_end(const Expr& expr, Millis at) const;
  Value unary(const Expr& expr, Millis at);
  Value binary(const Expr& expr, Millis at);
  Value scalars(const Expr& expr, const Value& left, const Value& right, Millis at);
  Value vector_scalar(const Expr& expr, Value& vector, const Value& scalar, bool swapped, Millis at);
  Value set_operation(const Expr& expr, Value& left, Value& right);
  Value vectors(const Expr& expr, Value& left, Value& right, Millis at);
  Value aggregate(const Expr& expr, Millis at);
  Value ranked(const Expr& expr, Value& vector, double parameter);
  Value call(const Expr& expr, Millis at);
  Value over_time(const Expr& expr, Millis at);
  void note_ends(const Expr& expr, Origin& origin);
  Value label_function(const Expr& expr, Millis at);
  Value absent(const Expr& arg, bool is_absent, const Origin& origin);
  Value histogram_quantile(const Expr& expr, Millis at);
  Value calendar(const Expr& expr, Millis at);

  bool compute(Op op, const Sample& left, const Sample& right, Millis at, Sample& result);
  void moves(Millis at) { moves_at_ = std::min(moves_at_, at); }
  LabelsId signature(const Expr& expr, LabelsId labels);
  LabelsId group(const Expr& expr, LabelsId labels);
  void must_be_unique(const std::vector<Sample>& vector) const;
  static const std::string& string_of(const Expr& expr);
  Symbol label_name(const Expr& expr);
  std::vector<Symbol> symbols(const std::vector<std::string>& names, bool with_metric_name);

  LabelTable& labels_;
  SampleSource& source_;
  Millis default_step_;
  Millis now_ = 0;
  Millis moves_at_ = kNever;
  // What an expression's node makes of a label set; look-up only.
  std::unordered_map<const Expr*, std::unordered_map<std::uint32_t, std::uint32_t>> signatures_;
  std::unordered_map<const Expr*, std::vector<Symbol>> symbols_;
};

/// Whether a pattern that must match from end to end is one that is understood here; empty when it is, else what is wrong.
std::string check_pattern(const std::string& pattern);

/// Matches label values, remembering what it found.
class ValueMatcher {
 public:
  explicit ValueMatcher(const Matcher& matcher);
  ~ValueMatcher();
  ValueMatcher(ValueMatcher&&) noexcept;
  bool operator()(Symbol value, const Interner& names);

 private:
  struct Pattern;
  Matcher::Kind kind_;
  std::string value_;
  std::unique_ptr<Pattern> pattern_;
  std::unordered_map<Symbol, bool> known_;  // look-up only
};

/// $1, ${1}, ${name} of a match of the whole text; empty when it does not match.
std::optional<std::string> replace_pattern(const std::string& pattern, const std::string& text, const std::string& replacement);

double quantile(double q, std::vector<double> values);

}  // namespace sim::promql
