#include "sim/models/monitoring/promql/evaluator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "sim/core/math.hpp"
#include "sim/models/monitoring/promql/kahan.hpp"

namespace sim::promql {

namespace {

double power(double x, double y) {
  if (x >= 0.0) return math::pow(x, y);
  const double magnitude = math::pow(-x, y);
  if (std::floor(y) != y) return std::numeric_limits<double>::quiet_NaN();
  return std::fmod(y, 2.0) == 0.0 ? magnitude : -magnitude;
}

}  // namespace

Result Evaluator::evaluate(const Expr& expr, Millis at) {
  Result result;
  result.type = expr.type;
  moves_at_ = kNever;
  now_ = at;
  try {
    Value value = eval(expr, at);
    result.scalar = value.scalar;
    result.scalar_slope = value.slope;
    result.vector = std::move(value.vector);
    if (expr.type == Type::kVector) must_be_unique(result.vector);
  } catch (const Failed& failed) {
    result.error = failed.message;
  }
  result.moves_at = moves_at_;
  return result;
}

void Evaluator::must_be_unique(const std::vector<Sample>& vector) const {
  std::vector<std::uint32_t> ids;
  ids.reserve(vector.size());
  for (const Sample& sample : vector) ids.push_back(sample.labels.value);
  std::sort(ids.begin(), ids.end());
  if (std::adjacent_find(ids.begin(), ids.end()) != ids.end()) throw Failed{"vector cannot contain metrics with the same labelset"};
}

Evaluator::Value Evaluator::eval(const Expr& expr, Millis at) {
  switch (expr.kind) {
    case Expr::Kind::kNumber: {
      Value value;
      value.scalar = expr.number;
      return value;
    }
    case Expr::Kind::kString: return Value{};
    case Expr::Kind::kParen: return eval(*expr.args[0], at);
    case Expr::Kind::kSelector: return selector(expr.selector, at);
    case Expr::Kind::kUnary: return unary(expr, at);
    case Expr::Kind::kBinary: return binary(expr, at);
    case Expr::Kind::kAggregate: return aggregate(expr, at);
    case Expr::Kind::kCall: return call(expr, at);
    case Expr::Kind::kSubquery: break;
  }
  throw Failed{"a range vector has no value of its own"};
}

Evaluator::Value Evaluator::selector(const Selector& selector, Millis at) {
  Value value;
  const Millis when = selector.at.value_or(at) - selector.offset;
  for (const SampleSource::SeriesId series : source_.select(selector)) {
    const std::optional<SampleSource::Latest> latest = source_.latest(series, when);
    if (latest) value.vector.push_back(Sample{source_.labels(series), latest->value, selector.at ? 0.0 : latest->slope, latest->origin});
  }
  return value;
}

Millis Evaluator::range_end(const Expr& expr, Millis at) const { return expr.selector.at.value_or(at) - expr.selector.offset; }

Evaluator::Matrix Evaluator::matrix(const Expr& expr, Millis at) {
  if (expr.kind == Expr::Kind::kParen) return matrix(*expr.args[0], at);
  Matrix result;
  const Millis end = range_end(expr, at);
  const Millis from = end - expr.selector.range;
  if (expr.kind == Expr::Kind::kSelector) {
    bool runs = false;
    for (const SampleSource::SeriesId series : source_.select(expr.selector)) {
      Series one{source_.labels(series), {}, {}};
      source_.range(series, from, end, one.points, one.origin, runs);
      if (!one.points.empty()) result.push_back(std::move(one));
    }
    if (runs) moves(now_);
    return result;
  }
  // A subquery: its steps are multiples of the step in absolute time. Each evaluation sees other ones, so it is asked at every turn.
  moves(now_);
  const Millis step = expr.step > 0 ? expr.step : default_step_;
  Millis first = step * (from / step);
  if (first <= from) first += step;
  std::unordered_map<std::uint32_t, std::size_t> place;  // look-up only
  for (Millis t = first; t <= end; t += step) {
    const Value value = eval(*expr.args[0], t);
    must_be_unique(value.vector);
    for (const Sample& sample : value.vector) {
      const auto [found, is_new] = place.try_emplace(sample.labels.value, result.size());
      if (is_new) result.push_back(Series{sample.labels, {}, {}});
      result[found->second].points.push_back(Point{t, sample.value});
      result[found->second].origin.also(sample.origin);
    }
  }
  return result;
}

std::vector<Symbol> Evaluator::symbols(const std::vector<std::string>& names, bool with_metric_name) {
  std::vector<Symbol> result;
  for (const std::string& name : names) result.push_back(labels_.names().intern(name));
  if (with_metric_name) result.push_back(labels_.name_label());
  std::sort(result.begin(), result.end());
  return result;
}

const std::string& Evaluator::string_of(const Expr& expr) {
  const Expr* inner = &expr;
  while (inner->kind == Expr::Kind::kParen) inner = inner->args[0].get();
  return inner->text;
}

/// A label's name may be any UTF-8 text that is not empty.
Symbol Evaluator::label_name(const Expr& expr) {
  const std::string& name = string_of(expr);
  bool valid = !name.empty();
  for (std::size_t i = 0; valid && i < name.size();) {
    const auto c = static_cast<unsigned char>(name[i]);
    const std::size_t length = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    valid = length != 0 && i + length <= name.size();
    for (std::size_t j = 1; valid && j < length; ++j) valid = (static_cast<unsigned char>(name[i + j]) & 0xc0) == 0x80;
    i += length;
  }
  if (!valid) throw Failed{fmt::format("invalid label name \"{}\"", name)};
  return labels_.names().intern(name);
}

/// The labels by which two sides find each other.
LabelsId Evaluator::signature(const Expr& expr, LabelsId labels) {
  const auto [place, is_new] = signatures_[&expr].try_emplace(labels.value, 0);
  if (is_new) {
    auto [known, first] = symbols_.try_emplace(&expr);
    if (first) known->second = symbols(expr.matching.labels, !expr.matching.on);
    place->second = (expr.matching.on ? labels_.keep(labels, known->second) : labels_.drop(labels, known->second)).value;
  }
  return LabelsId{place->second};
}

LabelsId Evaluator::group(const Expr& expr, LabelsId labels) {
  const auto [place, is_new] = signatures_[&expr].try_emplace(labels.value, 0);
  if (is_new) {
    auto [known, first] = symbols_.try_emplace(&expr);
    if (first) known->second = symbols(expr.grouping, expr.without);
    place->second = (expr.without ? labels_.drop(labels, known->second) : labels_.keep(labels, known->second)).value;
  }
  return LabelsId{place->second};
}

// ---- Operators ------------------------------------------------------------------------------------------------------

Evaluator::Value Evaluator::unary(const Expr& expr, Millis at) {
  Value value = eval(*expr.args[0], at);
  if (!expr.negative) return value;
  value.scalar = -value.scalar;
  value.slope = -value.slope;
  for (Sample& sample : value.vector) {
    sample.value = -sample.value;
    sample.slope = -sample.slope;
    sample.labels = labels_.without_name(sample.labels);
  }
  must_be_unique(value.vector);
  return value;
}

/// False when a comparison does not hold. `result` gets value, slope and origin.
bool Evaluator::compute(Op op, const Sample& left, const Sample& right, Millis at, Sample& result) {
  const double a = left.value;
  const double b = right.value;
  result.value = a;
  result.slope = 0.0;
  result.origin = left.origin;
  result.origin.also(right.origin);
  const bool runs = left.slope != 0.0 || right.slope != 0.0;
  if (is_comparison(op)) {
    if (const double closing = left.slope - right.slope; closing != 0.0) {
      const double wait = (b - a) / closing;
      if (wait == 0.0 || std::isnan(wait)) {
        moves(at);
      } else if (wait > 0.0 && wait < 1e15) {
        moves(at + static_cast<Millis>(wait));
      }
    }
    result.slope = left.slope;
  }
  switch (op) {
    case Op::kAdd:
      result.value = a + b;
      result.slope = left.slope + right.slope;
      return true;
    case Op::kSub:
      result.value = a - b;
      result.slope = left.slope - right.slope;
      return true;
    case Op::kMul:
      result.value = a * b;
      if (left.slope != 0.0 && right.slope != 0.0) moves(at);
      result.slope = left.slope * b + right.slope * a;
      return true;
    case Op::kDiv:
      result.value = a / b;
      if (right.slope != 0.0) moves(at);
      else result.slope = left.slope / b;
      return true;
    case Op::kMod:
      result.value = std::fmod(a, b);
      if (runs) moves(at);
      return true;
    case Op::kPow:
      result.value = power(a, b);
      if (runs) moves(at);
      return true;
    case Op::kEqual: return a == b;
    case Op::kNotEqual: return a != b;
    case Op::kLess: return a < b;
    case Op::kLessEqual: return a <= b;
    case Op::kGreater: return a > b;
    case Op::kGreaterEqual: return a >= b;
    default: return false;
  }
}

Evaluator::Value Evaluator::scalars(const Expr& expr, const Value& left, const Value& right, Millis at) {
  Sample result;
  const bool holds = compute(expr.op, Sample{{}, left.scalar, left.slope, left.origin}, Sample{{}, right.scalar, right.slope, right.origin}, at, result);
  Value value;
  value.scalar = is_comparison(expr.op) ? (holds ? 1.0 : 0.0) : result.value;
  value.slope = is_comparison(expr.op) ? 0.0 : result.slope;
  value.origin = result.origin;
  return value;
}

Evaluator::Value Evaluator::vector_scalar(const Expr& expr, Value& vector, const Value& scalar, bool swapped, Millis at) {
  Value value;
  const Sample other{{}, scalar.scalar, scalar.slope, scalar.origin};
  for (const Sample& sample : vector.vector) {
    Sample result;
    const bool holds = swapped ? compute(expr.op, other, sample, at, result) : compute(expr.op, sample, other, at, result);
    result.labels = sample.labels;
    if (is_comparison(expr.op)) {
      // A comparison keeps the vector's value, whichever side it is on.
      result.value = sample.value;
      result.slope = sample.slope;
      if (expr.returns_bool) {
        result.value = holds ? 1.0 : 0.0;
        result.slope = 0.0;
      } else if (!holds) {
        continue;
      }
    }
    if (!is_comparison(expr.op) || expr.returns_bool) result.labels = labels_.without_name(result.labels);
    value.vector.push_back(result);
  }
  must_be_unique(value.vector);
  return value;
}

Evaluator::Value Evaluator::set_operation(const Expr& expr, Value& left, Value& right) {
  Value value;
  std::unordered_map<std::uint32_t, Origin> there;  // look-up only
  if (expr.op == Op::kOr) {
    for (const Sample& sample : left.vector) {
      there.try_emplace(signature(expr, sample.labels).value);
      value.vector.push_back(sample);
    }
    for (const Sample& sample : right.vector) {
      if (!there.contains(signature(expr, sample.labels).value)) value.vector.push_back(sample);
    }
    return value;
  }
  for (const Sample& sample : right.vector) there[signature(expr, sample.labels).value].also(sample.origin);
  for (Sample& sample : left.vector) {
    const auto found = there.find(signature(expr, sample.labels).value);
    if ((found != there.end()) != (expr.op == Op::kAnd)) continue;
    if (found != there.end()) sample.origin.also(found->second);
    value.vector.push_back(sample);
  }
  return value;
}

Evaluator::Value Evaluator::vectors(const Expr& expr, Value& left, Value& right, Millis at) {
  Value value;
  if (left.vector.empty() || right.vector.empty()) return value;
  const Matching& matching = expr.matching;
  const bool swapped = matching.card == Matching::Card::kOneToMany;
  const std::vector<Sample>& many = swapped ? right.vector : left.vector;
  const std::vector<Sample>& one = swapped ? left.vector : right.vector;
  std::unordered_map<std::uint32_t, const Sample*> ones;  // look-up only
  for (const Sample& sample : one) {
    const LabelsId sig = signature(expr, sample.labels);
    const auto [place, is_new] = ones.try_emplace(sig.value, &sample);
    if (!is_new) {
      std::string a = labels_.text(sample.labels);
      std::string b = labels_.text(place->second->labels);
      if (a > b) std::swap(a, b);
      throw Failed{fmt::format("found duplicate series for the match group {} on the {} hand-side of the operation: [{}, {}];many-to-many matching "
                               "not allowed: matching labels must be unique on one side",
                               labels_.text(sig), swapped ? "left" : "right", a, b)};
    }
  }
  std::unordered_map<std::uint32_t, std::set<LabelsId>> matched;  // look-up only
  const std::vector<Symbol> include = symbols(matching.include, false);
  const std::vector<Symbol> listed = symbols(matching.labels, false);
  for (const Sample& sample : many) {
    const LabelsId sig = signature(expr, sample.labels);
    const auto found = ones.find(sig.value);
    if (found == ones.end()) continue;
    const Sample& other = *found->second;
    Sample result;
    const bool holds = swapped ? compute(expr.op, other, sample, at, result) : compute(expr.op, sample, other, at, result);
    const bool drops_name = !is_comparison(expr.op) || expr.returns_bool;
    LabelsId labels = drops_name ? labels_.without_name(sample.labels) : sample.labels;
    if (matching.card == Matching::Card::kOneToOne) {
      labels = matching.on ? labels_.keep(labels, listed) : labels_.drop(labels, listed);
    } else {
      for (const Symbol name : include) labels = labels_.with(labels, name, labels_.value(other.labels, name));
    }
    std::set<LabelsId>& seen = matched[sig.value];
    if (matching.card == Matching::Card::kOneToOne) {
      if (!seen.empty()) throw Failed{"multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"};
      seen.insert(labels);
    } else if (!seen.insert(labels).second) {
      throw Failed{"multiple matches for labels: grouping labels must ensure unique matches"};
    }
    if (expr.returns_bool) {
      result.value = holds ? 1.0 : 0.0;
      result.slope = 0.0;
    } else if (is_comparison(expr.op) && !holds) {
      continue;
    }
    result.labels = labels;
    value.vector.push_back(result);
  }
  return value;
}

Evaluator::Value Evaluator::binary(const Expr& expr, Millis at) {
  const Type left_type = expr.args[0]->type;
  const Type right_type = expr.args[1]->type;
  Value left = eval(*expr.args[0], at);
  Value right = eval(*expr.args[1], at);
  if (left_type == Type::kScalar && right_type == Type::kScalar) return scalars(expr, left, right, at);
  if (left_type == Type::kScalar) return vector_scalar(expr, right, left, true, at);
  if (right_type == Type::kScalar) return vector_scalar(expr, left, right, false, at);
  if (is_set_operation(expr.op)) return set_operation(expr, left, right);
  return vectors(expr, left, right, at);
}

// ---- Aggregations ---------------------------------------------------------------------------------------------------

double quantile(double q, std::vector<double> values) {
  if (values.empty() || std::isnan(q)) return std::numeric_limits<double>::quiet_NaN();
  if (q < 0.0) return -std::numeric_limits<double>::infinity();
  if (q > 1.0) return std::numeric_limits<double>::infinity();
  // NaN sorts first.
  std::sort(values.begin(), values.end(), [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : a < b; });
  const double rank = q * (static_cast<double>(values.size()) - 1.0);
  const auto lower = static_cast<std::size_t>(std::max(0.0, std::floor(rank)));
  const std::size_t upper = std::min(values.size() - 1, lower + 1);
  const double weight = rank - std::floor(rank);
  return values[lower] * (1.0 - weight) + values[upper] * weight;
}

Evaluator::Value Evaluator::ranked(const Expr& expr, Value& vector, double parameter) {
  // Keeps elements as they are: the k largest or smallest of each group, NaN last; of equal ones those that came first.
  const bool top = expr.aggregation == Aggregation::kTopk;
  if (std::isnan(parameter)) throw Failed{"Parameter value is NaN"};
  Value value;
  if (parameter < 1.0) return value;
  const auto k = static_cast<std::size_t>(std::min(parameter, static_cast<double>(vector.vector.size())));
  std::map<LabelsId, std::vector<Sample>> groups;
  std::vector<LabelsId> order;
  for (const Sample& sample : vector.vector) {
    if (sample.slope != 0.0) moves(now_);
    const auto [place, is_new] = groups.try_emplace(group(expr, sample.labels));
    if (is_new) order.push_back(place->first);
    place->second.push_back(sample);
  }
  for (const LabelsId id : order) {
    std::vector<Sample>& members = groups[id];
    std::stable_sort(members.begin(), members.end(), [&](const Sample& a, const Sample& b) {
      if (std::isnan(a.value) || std::isnan(b.value)) return !std::isnan(a.value) && std::isnan(b.value);
      return top ? a.value > b.value : a.value < b.value;
    });
    if (members.size() > k) members.resize(k);
    value.vector.insert(value.vector.end(), members.begin(), members.end());
  }
  return value;
}

Evaluator::Value Evaluator::aggregate(const Expr& expr, Millis at) {
  struct Group {
    LabelsId labels;
    std::vector<double> values;
    double slope = 0.0;
    Origin origin;
  };
  Value vector = eval(*expr.args[0], at);
  Value parameter;
  if (expr.args.size() > 1 && expr.args[1]->type == Type::kScalar) parameter = eval(*expr.args[1], at);
  if (parameter.slope != 0.0) moves(at);
  if (expr.aggregation == Aggregation::kTopk || expr.aggregation == Aggregation::kBottomk) return ranked(expr, vector, parameter.scalar);
  std::vector<Group> groups;
  std::unordered_map<std::uint32_t, std::size_t> place;  // look-up only
  const bool counts_values = expr.aggregation == Aggregation::kCountValues;
  const bool uses_values = expr.aggregation != Aggregation::kCount && expr.aggregation != Aggregation::kGroup;
  const Symbol counted = counts_values ? label_name(*expr.args[1]) : Symbol{};
  for (const Sample& sample : vector.vector) {
    LabelsId labels = group(expr, sample.labels);
    if (counts_values) {
      const std::string text = fmt::format("{}", sample.value);
      labels = labels_.with(labels, counted, labels_.names().intern(text == "inf" ? "+Inf" : text == "-inf" ? "-Inf" : text == "nan" || text == "-nan" ? "NaN" : text));
    }
    const auto [found, is_new] = place.try_emplace(labels.value, groups.size());
    if (is_new) groups.push_back(Group{labels, {}, 0.0, {}});
    Group& g = groups[found->second];
    g.values.push_back(sample.value);
    g.slope += sample.slope;
    g.origin.also(sample.origin);
    const bool linear = expr.aggregation == Aggregation::kSum || expr.aggregation == Aggregation::kAvg;
    if (sample.slope != 0.0 && uses_values && !linear) moves(at);
  }
  Value value;
  for (Group& g : groups) {
    Sample sample{g.labels, 0.0, 0.0, g.origin};
    const auto count = static_cast<double>(g.values.size());
    switch (expr.aggregation) {
      case Aggregation::kSum: {
        Kahan sum;
        for (double v : g.values) sum.add(v);
        sample.value = sum.value();
        sample.slope = g.slope;
        break;
      }
      case Aggregation::kAvg:
        sample.value = mean(g.values);
        sample.slope = g.slope / count;
        break;
      case Aggregation::kMin:
      case Aggregation::kMax: {
        double best = g.values[0];
        for (double v : g.values) {
          if (std::isnan(best) || (expr.aggregation == Aggregation::kMin ? v < best : v > best)) best = v;
        }
        sample.value = best;
        break;
      }
      case Aggregation::kCount:
      case Aggregation::kCountValues: sample.value = count; break;
      case Aggregation::kGroup: sample.value = 1.0; break;
      case Aggregation::kStdvar: sample.value = variance(g.values); break;
      case Aggregation::kStddev: sample.value = std::sqrt(variance(g.values)); break;
      case Aggregation::kQuantile: sample.value = quantile(parameter.scalar, std::move(g.values)); break;
      default: break;
    }
    value.vector.push_back(sample);
  }
  return value;
}

}  // namespace sim::promql
