// The functions of PromQL.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "sim/core/math.hpp"
#include "sim/models/monitoring/promql/evaluator.hpp"
#include "sim/models/monitoring/promql/kahan.hpp"

namespace sim::promql {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kPi = 3.141592653589793;

/// rate, increase, delta: from the samples in the window to the whole window (functions.go extrapolatedRate).
std::optional<double> extrapolated(const std::vector<Point>& points, Millis from, Millis to, Millis range, bool is_counter, bool is_rate) {
  if (points.size() < 2) return std::nullopt;
  double result = points.back().value - points.front().value;
  if (is_counter) {
    for (std::size_t i = 1; i < points.size(); ++i) {
      if (points[i].value < points[i - 1].value) result += points[i - 1].value;
    }
  }
  double to_start = static_cast<double>(points.front().at - from) / 1000.0;
  double to_end = static_cast<double>(to - points.back().at) / 1000.0;
  const double sampled = static_cast<double>(points.back().at - points.front().at) / 1000.0;
  const double between = sampled / static_cast<double>(points.size() - 1);
  const double threshold = between * 1.1;
  if (to_start >= threshold) to_start = between / 2.0;
  if (is_counter) {
    double to_zero = to_start;
    if (result > 0.0 && points.front().value >= 0.0) to_zero = sampled * (points.front().value / result);
    to_start = std::min(to_start, to_zero);
  }
  if (to_end >= threshold) to_end = between / 2.0;
  double factor = (sampled + to_start + to_end) / sampled;
  if (is_rate) factor /= static_cast<double>(range) / 1000.0;
  return result * factor;
}

std::optional<double> instant_rate(const std::vector<Point>& points, bool is_rate) {
  if (points.size() < 2) return std::nullopt;
  const Point& last = points[points.size() - 1];
  const Point& before = points[points.size() - 2];
  if (last.at == before.at) return std::nullopt;
  double result = last.value - before.value;
  if (is_rate && last.value < before.value) result = last.value;
  return is_rate ? result / (static_cast<double>(last.at - before.at) / 1000.0) : result;
}

struct Line {
  double slope;
  double intercept;
};
Line regression(const std::vector<Point>& points, Millis intercept) {
  Kahan x_sum, y_sum, xy_sum, xx_sum;
  bool constant = true;
  for (const Point& point : points) {
    constant = constant && point.value == points[0].value;
    const double x = static_cast<double>(point.at - intercept) / 1e3;
    x_sum.add(x);
    y_sum.add(point.value);
    xy_sum.add(x * point.value);
    xx_sum.add(x * x);
  }
  if (constant) return std::isinf(points[0].value) ? Line{kNaN, kNaN} : Line{0.0, points[0].value};
  const auto n = static_cast<double>(points.size());
  const double covariance = xy_sum.value() - x_sum.value() * y_sum.value() / n;
  const double var = xx_sum.value() - x_sum.value() * x_sum.value() / n;
  const double slope = covariance / var;
  return Line{slope, y_sum.value() / n - slope * x_sum.value() / n};
}

std::vector<double> values_of(const std::vector<Point>& points) {
  std::vector<double> values;
  values.reserve(points.size());
  for (const Point& point : points) values.push_back(point.value);
  return values;
}

double extreme(const std::vector<Point>& points, bool largest) {
  double best = points[0].value;
  for (const Point& point : points) {
    if (std::isnan(best) || (largest ? point.value > best : point.value < best)) best = point.value;
  }
  return best;
}

struct Date {
  std::int64_t year;
  int month;
  int day;
  std::int64_t days;  // since 1970-01-01
};
Date date_of(double unix_seconds) {
  const auto days = static_cast<std::int64_t>(std::floor(std::trunc(unix_seconds) / 86'400.0));
  // Howard Hinnant's civil_from_days.
  const std::int64_t z = days + 719'468;
  const std::int64_t era = (z >= 0 ? z : z - 146'096) / 146'097;
  const std::int64_t doe = z - era * 146'097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36'524 - doe / 146'096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t mp = (5 * doy + 2) / 153;
  const auto month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  return Date{yoe + era * 400 + (month <= 2 ? 1 : 0), month, static_cast<int>(doy - (153 * mp + 2) / 5 + 1), days};
}
bool is_leap(std::int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }
int days_in(std::int64_t year, int month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : kDays[month - 1];
}

}  // namespace

Evaluator::Value Evaluator::absent(const Expr& arg, bool is_absent, const Origin& origin) {
  Value value;
  if (!is_absent) return value;
  std::vector<Label> labels;
  const Expr* expr = &arg;
  while (expr->kind == Expr::Kind::kParen) expr = expr->args[0].get();
  // Parentheses hide the selector from Prometheus: it then names no labels.
  if (expr == &arg && expr->kind == Expr::Kind::kSelector) {
    std::map<std::string, int> seen;
    for (const Matcher& matcher : expr->selector.matchers) {
      if (matcher.name == "__name__") continue;
      const Symbol name = labels_.names().intern(matcher.name);
      if (matcher.kind == Matcher::Kind::kEqual && seen[matcher.name]++ == 0) {
        labels.emplace_back(name, labels_.names().intern(matcher.value));
      } else {
        labels.emplace_back(name, Symbol{});
      }
    }
  }
  value.vector.push_back(Sample{labels_.intern(std::move(labels)), 1.0, 0.0, origin});
  return value;
}

/// The newest end among all that the expression selects.
void Evaluator::note_ends(const Expr& expr, Origin& origin) {
  if (expr.kind == Expr::Kind::kSelector) origin.also(source_.ended(expr.selector));
  for (const auto& arg : expr.args) note_ends(*arg, origin);
}

Evaluator::Value Evaluator::over_time(const Expr& expr, Millis at) {
  const std::string& name = expr.text;
  const std::size_t matrix_arg = expr.args[0]->type == Type::kMatrix ? 0 : 1;
  Value parameter;
  if (expr.args.size() > 1) parameter = eval(*expr.args[1 - matrix_arg], at);
  if (parameter.slope != 0.0) moves(at);
  const Expr* range = expr.args[matrix_arg].get();
  while (range->kind == Expr::Kind::kParen) range = range->args[0].get();
  const Matrix all = matrix(*range, at);
  if (name == "absent_over_time") {
    Origin origin;
    if (all.empty()) note_ends(*range, origin);
    return absent(*range, all.empty(), origin);
  }
  const Millis end = range_end(*range, at);
  const Millis from = end - range->selector.range;
  Value value;
  for (const Series& series : all) {
    const std::vector<Point>& p = series.points;
    std::optional<double> result;
    bool keeps_name = false;
    if (name == "rate") result = extrapolated(p, from, end, range->selector.range, true, true);
    else if (name == "increase") result = extrapolated(p, from, end, range->selector.range, true, false);
    else if (name == "delta") result = extrapolated(p, from, end, range->selector.range, false, false);
    else if (name == "irate") result = instant_rate(p, true);
    else if (name == "idelta") result = instant_rate(p, false);
    else if (name == "avg_over_time") result = mean(values_of(p));
    else if (name == "sum_over_time") {
      Kahan sum;
      for (const Point& point : p) sum.add(point.value);
      result = sum.value();
    } else if (name == "min_over_time") result = extreme(p, false);
    else if (name == "max_over_time") result = extreme(p, true);
    else if (name == "count_over_time") result = static_cast<double>(p.size());
    else if (name == "present_over_time") result = 1.0;
    else if (name == "last_over_time" || name == "first_over_time") {
      result = name == "last_over_time" ? p.back().value : p.front().value;
      keeps_name = true;
    } else if (name == "stdvar_over_time") result = variance(values_of(p));
    else if (name == "stddev_over_time") result = std::sqrt(variance(values_of(p)));
    else if (name == "quantile_over_time") result = quantile(parameter.scalar, values_of(p));
    else if (name == "changes" || name == "resets") {
      std::int64_t count = 0;
      for (std::size_t i = 1; i < p.size(); ++i) {
        const bool both_nan = std::isnan(p[i].value) && std::isnan(p[i - 1].value);
        if (name == "resets" ? p[i].value < p[i - 1].value : p[i].value != p[i - 1].value && !both_nan) ++count;
      }
      result = static_cast<double>(count);
    } else if (name == "deriv") {
      // Relative to the first sample: less is lost to the size of Unix times.
      if (p.size() >= 2) result = regression(p, p.front().at).slope;
    } else if (name == "predict_linear") {
      if (p.size() >= 2) {
        const Line line = regression(p, at);
        result = line.slope * parameter.scalar + line.intercept;
      }
    }
    if (result) value.vector.push_back(Sample{keeps_name ? series.labels : labels_.without_name(series.labels), *result, 0.0, series.origin});
  }
  must_be_unique(value.vector);
  return value;
}

Evaluator::Value Evaluator::label_function(const Expr& expr, Millis at) {
  Value value = eval(*expr.args[0], at);
  Interner& names = labels_.names();
  const Symbol to = label_name(*expr.args[1]);
  if (expr.text == "label_join") {
    const std::string& separator = string_of(*expr.args[2]);
    for (Sample& sample : value.vector) {
      std::string joined;
      for (std::size_t i = 3; i < expr.args.size(); ++i) {
        if (i > 3) joined += separator;
        joined += names.text(labels_.value(sample.labels, names.intern(string_of(*expr.args[i]))));
      }
      sample.labels = labels_.with(sample.labels, to, names.intern(joined));
    }
  } else {
    const Symbol source = names.intern(string_of(*expr.args[3]));
    const std::string& pattern = string_of(*expr.args[4]);
    if (const std::string wrong = check_pattern(pattern); !wrong.empty()) {
      throw Failed{fmt::format("invalid regular expression in label_replace(): {}", pattern)};
    }
    for (Sample& sample : value.vector) {
      const std::optional<std::string> replaced =
          replace_pattern(pattern, names.text(labels_.value(sample.labels, source)), string_of(*expr.args[2]));
      if (replaced) sample.labels = labels_.with(sample.labels, to, names.intern(*replaced));
    }
  }
  must_be_unique(value.vector);
  return value;
}

Evaluator::Value Evaluator::histogram_quantile(const Expr& expr, Millis at) {
  struct Bucket {
    double bound;
    double count;
  };
  struct Histogram {
    std::vector<Bucket> buckets;
    Origin origin;
  };
  const Value q = eval(*expr.args[0], at);
  const Value vector = eval(*expr.args[1], at);
  const Symbol le = labels_.names().intern("le");
  std::map<LabelsId, Histogram> histograms;
  std::vector<LabelsId> order;
  for (const Sample& sample : vector.vector) {
    if (sample.slope != 0.0) moves(at);
    const std::string& text = labels_.names().text(labels_.value(sample.labels, le));
    double bound = 0.0;
    if (text == "+Inf" || text == "Inf") {
      bound = kInf;
    } else if (text.empty() || std::from_chars(text.data(), text.data() + text.size(), bound).ptr != text.data() + text.size()) {
      continue;  // no bucket: Prometheus leaves it out, too
    }
    const auto [place, is_new] = histograms.try_emplace(labels_.with(labels_.without_name(sample.labels), le, Symbol{}));
    if (is_new) order.push_back(place->first);
    place->second.buckets.push_back(Bucket{bound, sample.value});
    place->second.origin.also(sample.origin);
  }
  Value value;
  for (const LabelsId id : order) {
    std::vector<Bucket>& all = histograms[id].buckets;
    double result = kNaN;
    std::stable_sort(all.begin(), all.end(), [](const Bucket& a, const Bucket& b) { return a.bound < b.bound; });
    std::vector<Bucket> buckets;
    for (const Bucket& bucket : all) {
      if (!buckets.empty() && buckets.back().bound == bucket.bound) buckets.back().count += bucket.count;
      else buckets.push_back(bucket);
    }
    for (std::size_t i = 1; i < buckets.size(); ++i) {
      const double before = buckets[i - 1].count;
      const double size = std::abs(before) + std::abs(buckets[i].count);
      if (buckets[i].count < before || std::abs(buckets[i].count - before) < 1e-12 * size) buckets[i].count = before;
    }
    if (q.scalar < 0.0) {
      result = -kInf;
    } else if (q.scalar > 1.0) {
      result = kInf;
    } else if (!std::isnan(q.scalar) && buckets.size() >= 2 && std::isinf(buckets.back().bound) && buckets.back().count != 0.0) {
      double rank = q.scalar * buckets.back().count;
      const std::size_t last = buckets.size() - 1;
      std::size_t b = 0;
      while (b < last && !(buckets[b].count >= rank)) ++b;
      if (b == last) {
        result = buckets[last - 1].bound;
      } else if (b == 0 && buckets[0].bound <= 0.0) {
        result = buckets[0].bound;
      } else {
        const double start = b > 0 ? buckets[b - 1].bound : 0.0;
        const double below = b > 0 ? buckets[b - 1].count : 0.0;
        rank -= below;
        result = start + (buckets[b].bound - start) * (rank / (buckets[b].count - below));
      }
    }
    value.vector.push_back(Sample{id, result, 0.0, histograms[id].origin});
  }
  return value;
}

Evaluator::Value Evaluator::calendar(const Expr& expr, Millis at) {
  Value value;
  if (expr.args.empty()) {
    value.vector.push_back(Sample{LabelsId{}, static_cast<double>(at) / 1000.0, 0.001, {}});
  } else {
    value = eval(*expr.args[0], at);
  }
  for (Sample& sample : value.vector) {
    if (sample.slope != 0.0) moves(at);
    const double t = sample.value;
    const Date date = date_of(t);
    const auto second_of_day = static_cast<std::int64_t>(std::trunc(t)) - date.days * 86'400;
    double result = 0.0;
    if (expr.text == "hour") result = static_cast<double>(second_of_day / 3600);
    else if (expr.text == "minute") result = static_cast<double>(second_of_day / 60 % 60);
    else if (expr.text == "day_of_week") result = static_cast<double>(((date.days + 4) % 7 + 7) % 7);
    else if (expr.text == "day_of_month") result = date.day;
    else if (expr.text == "month") result = date.month;
    else if (expr.text == "year") result = static_cast<double>(date.year);
    else if (expr.text == "days_in_month") result = days_in(date.year, date.month);
    else if (expr.text == "day_of_year") {
      result = date.day;
      for (int month = 1; month < date.month; ++month) result += days_in(date.year, month);
    }
    sample.value = result;
    sample.slope = 0.0;
    sample.labels = labels_.without_name(sample.labels);
  }
  must_be_unique(value.vector);
  return value;
}

Evaluator::Value Evaluator::call(const Expr& expr, Millis at) {
  const std::string& name = expr.text;
  for (const auto& arg : expr.args) {
    if (arg->type == Type::kMatrix) return over_time(expr, at);
  }
  Value value;
  if (name == "time") {
    value.scalar = static_cast<double>(at) / 1000.0;
    value.slope = 0.001;
    return value;
  }
  if (name == "pi") {
    value.scalar = kPi;
    return value;
  }
  if (name == "vector") {
    const Value scalar = eval(*expr.args[0], at);
    value.vector.push_back(Sample{LabelsId{}, scalar.scalar, scalar.slope, scalar.origin});
    return value;
  }
  if (name == "scalar") {
    const Value vector = eval(*expr.args[0], at);
    value.scalar = kNaN;
    if (vector.vector.size() == 1) {
      value.scalar = vector.vector[0].value;
      value.slope = vector.vector[0].slope;
      value.origin = vector.vector[0].origin;
    }
    return value;
  }
  if (name == "absent") {
    const Value vector = eval(*expr.args[0], at);
    Origin origin;
    const bool is_absent = vector.vector.empty();
    if (is_absent) note_ends(*expr.args[0], origin);
    return absent(*expr.args[0], is_absent, origin);
  }
  if (name == "label_replace" || name == "label_join") return label_function(expr, at);
  if (name == "histogram_quantile") return histogram_quantile(expr, at);
  for (const std::string_view word : {"hour", "minute", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"}) {
    if (name == word) return calendar(expr, at);
  }
  if (name == "timestamp") {
    // Of a selector: when its sample was taken; of anything else: now. Either way it runs.
    const Expr* arg = expr.args[0].get();
    while (arg->kind == Expr::Kind::kParen) arg = arg->args[0].get();
    moves(at);
    if (arg->kind == Expr::Kind::kSelector) {
      const Millis when = arg->selector.at.value_or(at) - arg->selector.offset;
      for (const SampleSource::SeriesId series : source_.select(arg->selector)) {
        const std::optional<SampleSource::Latest> latest = source_.latest(series, when);
        if (latest) {
          value.vector.push_back(
              Sample{labels_.without_name(source_.labels(series)), static_cast<double>(latest->at) / 1000.0, 0.0, latest->origin});
        }
      }
    } else {
      value = eval(*arg, at);
      for (Sample& sample : value.vector) {
        sample.value = static_cast<double>(at) / 1000.0;
        sample.labels = labels_.without_name(sample.labels);
        sample.slope = 0.0;
      }
    }
    must_be_unique(value.vector);
    return value;
  }
  value = eval(*expr.args[0], at);
  if (name == "sort" || name == "sort_desc") {
    const bool ascending = name == "sort";
    std::stable_sort(value.vector.begin(), value.vector.end(), [&](const Sample& a, const Sample& b) {
      if (std::isnan(a.value) || std::isnan(b.value)) return !std::isnan(a.value) && std::isnan(b.value);
      return ascending ? a.value < b.value : a.value > b.value;
    });
    return value;
  }
  std::vector<double> parameters;
  for (std::size_t i = 1; i < expr.args.size(); ++i) {
    const Value parameter = eval(*expr.args[i], at);
    if (parameter.slope != 0.0) moves(at);
    parameters.push_back(parameter.scalar);
  }
  if (name == "clamp" && (parameters[0] > parameters[1])) return Value{};
  for (Sample& sample : value.vector) {
    if (sample.slope != 0.0) moves(at);
    sample.slope = 0.0;
    const double x = sample.value;
    double y = x;
    const auto at_most = [](double v, double bound) { return std::isnan(v) || std::isnan(bound) ? kNaN : std::min(v, bound); };
    const auto at_least = [](double v, double bound) { return std::isnan(v) || std::isnan(bound) ? kNaN : std::max(v, bound); };
    if (name == "abs") y = std::abs(x);
    else if (name == "ceil") y = std::ceil(x);
    else if (name == "floor") y = std::floor(x);
    else if (name == "round") {
      const double inverse = 1.0 / (parameters.empty() ? 1.0 : parameters[0]);
      y = std::floor(x * inverse + 0.5) / inverse;
    } else if (name == "sgn") y = x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x;
    else if (name == "sqrt") y = std::sqrt(x);
    else if (name == "exp") y = math::exp(x);
    else if (name == "ln") y = math::log(x);
    else if (name == "log2") y = math::log(x) / math::log(2.0);
    else if (name == "log10") y = math::log(x) / math::log(10.0);
    else if (name == "deg") y = x * 180.0 / kPi;
    else if (name == "rad") y = x * kPi / 180.0;
    else if (name == "clamp") y = at_least(at_most(x, parameters[1]), parameters[0]);
    else if (name == "clamp_max") y = at_most(x, parameters[0]);
    else if (name == "clamp_min") y = at_least(x, parameters[0]);
    else throw Failed{"no function " + name};
    sample.value = y;
    sample.labels = labels_.without_name(sample.labels);
  }
  must_be_unique(value.vector);
  return value;
}

}  // namespace sim::promql
