#include "analysis/precision.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

#include "sim/core/check.hpp"
#include "sim/scenario/diagnostic.hpp"

namespace analysis {

namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

constexpr const char* kObjectives = "objectives all held";

/// "p95:", "p99.9:" or "median:" before a name. False: it begins so, and is none.
bool take_quantile(std::string& text, double& quantile) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return true;
  const std::string head = lower(text.substr(0, colon));
  if (head == "median") {
    quantile = 0.5;
  } else if (head.size() > 1 && head[0] == 'p' && std::isdigit(static_cast<unsigned char>(head[1])) != 0) {
    double percent = 0.0;
    const auto [end, error] = std::from_chars(head.data() + 1, head.data() + head.size(), percent);
    if (error != std::errc{} || end != head.data() + head.size() || !(percent > 0.0) || !(percent < 100.0)) return false;
    quantile = percent / 100.0;
  } else {
    return true;  // part of a name
  }
  text = text.substr(colon + 1);
  text.erase(0, text.find_first_not_of(' '));
  return true;
}

}  // namespace

std::string figure_text(chaos::Unit unit, double value) {
  if (unit == chaos::Unit::kRatio) return fmt::format("{:.4f} %", value * 100.0);
  if (unit == chaos::Unit::kSeconds) return sim::humanize(sim::from_seconds(value));
  return fmt::format("{:.2f}", value);
}

Estimate estimate(const std::vector<double>& values, double confidence) {
  Estimate result;
  if (values.empty()) return result;
  sim::Tally tally;
  for (const double value : values) tally.add(value);
  result.mean = result.low = result.high = tally.mean();
  if (values.size() < 2) return result;
  const sim::ConfidenceInterval interval = sim::mean_interval(tally, confidence);
  result.low = interval.low;
  result.high = interval.high;
  result.has_interval = true;
  return result;
}

Estimate estimate_share(const std::vector<double>& values, double confidence) {
  if (values.empty()) return {};
  const auto hits = static_cast<std::uint64_t>(std::count_if(values.begin(), values.end(), [](double v) { return v > 0.5; }));
  const sim::ConfidenceInterval interval = sim::share_interval(hits, values.size(), confidence);
  return {interval.estimate, interval.low, interval.high, values.size() > 1};
}

std::string Precision::choose(const std::vector<ScenarioResults>& results) {
  // Figures that every scenario has.
  std::vector<const Figure*> figures;
  for (const Figure& figure : results.front().shape().figures) {
    const bool everywhere = std::all_of(results.begin(), results.end(), [&](const ScenarioResults& one) {
      const auto& there = one.shape().figures;
      return std::any_of(there.begin(), there.end(), [&](const Figure& f) { return f.name == figure.name; });
    });
    if (everywhere) figures.push_back(&figure);
  }
  std::string wanted = asked_;
  if (wanted.empty()) {
    const bool has_objectives = std::any_of(results.begin(), results.end(), [](const ScenarioResults& one) { return !one.shape().objectives.empty(); });
    const bool has_services = std::any_of(figures.begin(), figures.end(), [](const Figure* f) { return f->name.starts_with("Service/"); });
    wanted = has_objectives ? kObjectives : has_services ? "service outages, sum over services" : "node availability";
  }
  if (!take_quantile(wanted, quantile_)) return fmt::format("'{}': expected a quantile such as p95: or median: before the figure's name", asked_);
  std::vector<const Figure*> found;
  std::vector<std::string> names;
  for (const Figure* figure : figures) {
    names.push_back(figure->name);
    if (lower(figure->name) == lower(wanted)) {
      found = {figure};
      break;
    }
    if (lower(figure->name).find(lower(wanted)) != std::string::npos) found.push_back(figure);
  }
  if (found.size() != 1) {
    std::string list;
    for (const Figure* figure : found.empty() ? figures : found) list += "\n  " + figure->name;
    const std::string hint = found.empty() ? sim::scenario::did_you_mean(wanted, names) : std::string();
    return fmt::format("'{}' is {}{}{}; expected one of{}", wanted, found.empty() ? "no figure of these runs" : "part of more than one name", hint.empty() ? "" : ", ", hint, list);
  }
  name_ = found.front()->name;
  unit_ = found.front()->unit;
  statistic_ = quantile_ > 0.0 ? Statistic::kQuantile : found.front()->is_share ? Statistic::kShare : Statistic::kMean;
  if (statistic_ == Statistic::kQuantile && found.front()->is_share) return fmt::format("'{}' is 1 or 0 in a run: it has a share, and no quantile worth a name", name_);
  if (statistic_ == Statistic::kQuantile && results.size() > 1) {
    return fmt::format("'{}': a comparison stops on a mean or a share; the difference of two quantiles is not a quantile of the differences", asked_);
  }
  return {};
}

std::size_t Precision::column_of(const ScenarioResults& results) const {
  const auto& figures = results.shape().figures;
  const auto found = std::find_if(figures.begin(), figures.end(), [&](const Figure& f) { return f.name == name_; });
  SIM_CHECK(found != figures.end(), "choose() took a figure that every scenario has");
  return static_cast<std::size_t>(found - figures.begin());
}

const char* Precision::relative_to() const {
  if (statistic_ == Statistic::kShare) return "points";
  return unit_ == chaos::Unit::kRatio ? "unavailability" : statistic_ == Statistic::kQuantile ? "quantile" : "mean";
}

Precision::Side Precision::judge(const std::vector<ScenarioResults>& results, std::size_t scenario, double confidence) const {
  Side side;
  side.scenario = scenario;
  const auto column = [&](std::size_t s) {
    std::vector<double> values = results[s].column(column_of(results[s]));
    values.resize(replications_);
    return values;
  };
  std::vector<double> values = column(scenario);
  double level = std::max(0.0, estimate(values).mean);
  if (unit_ == chaos::Unit::kRatio) level = 1.0 - level;
  std::uint64_t only_first = 0;
  std::uint64_t only_second = 0;
  if (results.size() > 1) {
    const std::vector<double> first = column(0);
    const double first_mean = estimate(first).mean;
    level = std::max(level, unit_ == chaos::Unit::kRatio ? 1.0 - first_mean : first_mean);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] -= first[i];
      only_second += values[i] > 0.5 ? 1 : 0;
      only_first += values[i] < -0.5 ? 1 : 0;
    }
  }
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  side.is_constant = *low == *high && statistic_ != Statistic::kShare;
  double reference = level;
  if (statistic_ == Statistic::kShare) {
    reference = 1.0;
    sim::ConfidenceInterval interval;
    if (results.size() > 1) {
      interval = sim::paired_share_interval(only_first, only_second, values.size(), confidence);
    } else {
      const auto hits = static_cast<std::uint64_t>(std::count_if(values.begin(), values.end(), [](double v) { return v > 0.5; }));
      interval = sim::exact_share_interval(hits, values.size(), confidence);
    }
    side.value = {interval.estimate, interval.low, interval.high, true};
  } else if (statistic_ == Statistic::kQuantile) {
    const sim::QuantileInterval interval = sim::quantile_interval(values, quantile_, confidence);
    side.value = {interval.estimate, interval.low, interval.high, interval.has_interval};
    reference = unit_ == chaos::Unit::kRatio ? 1.0 - interval.estimate : std::fabs(interval.estimate);
    side.is_constant = side.is_constant && interval.has_interval;
  } else {
    side.value = estimate(values, confidence);
  }
  if (side.is_constant) {
    side.width = 1.0 - std::pow(1.0 - confidence, 1.0 / static_cast<double>(values.size()));
    return side;
  }
  const double half = (side.value.high - side.value.low) / 2.0;
  side.width = side.value.has_interval && reference > 0.0 ? half / reference : std::numeric_limits<double>::infinity();
  return side;
}

bool Precision::wants_more(const std::vector<ScenarioResults>& results) {
  replications_ = results.front().size();
  for (const ScenarioResults& one : results) replications_ = std::min(replications_, one.size());
  const std::size_t differences = std::max<std::size_t>(results.size(), 2) - 1;
  confidence_ = rule_.look_confidence();
  looks_ = rule_.look();
  sides_.clear();
  for (std::size_t s = results.size() > 1 ? 1 : 0; s < results.size(); ++s) {
    sides_.push_back(judge(results, s, 1.0 - (1.0 - confidence_) / static_cast<double>(differences)));
  }
  if (replications_ < rule_.next_look()) return false;  // stopped by somebody
  rule_.looked(width() <= rule_.params().target);
  return !rule_.done();
}

double Precision::width() const {
  double widest = 0.0;
  for (const Side& side : sides_) widest = std::max(widest, side.width);
  return widest;
}

std::string Precision::in_words() const {
  const std::string statistic = statistic_ == Statistic::kQuantile ? fmt::format("p{:g} of ", quantile_ * 100.0) : std::string();
  const auto measured = [&](double width) {
    if (width > 1e6) return std::string("too few runs for an interval");
    return statistic_ == Statistic::kShare ? fmt::format("±{:.2f} points", width * 100.0)
                                           : fmt::format("±{:.2f} % of the {}", width * 100.0, relative_to());
  };
  const bool all_constant = std::all_of(sides_.begin(), sides_.end(), [](const Side& side) { return side.is_constant; });
  std::string reached = all_constant && !sides_.empty()
                            ? fmt::format("the same in all {} runs: others are at most {:.2f} % of all", replications_, width() * 100.0)
                            : measured(width());
  if (!rule_.reached()) reached += fmt::format(", not the {} asked for", measured(rule_.params().target));
  return fmt::format("{}{}: {}; {} replications, {} look{}", statistic, name_, reached, replications_, looks_, looks_ == 1 ? "" : "s");
}

}  // namespace analysis
