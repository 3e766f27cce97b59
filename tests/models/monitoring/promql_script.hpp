// Runs scripts in the format of Prometheus' own tests of PromQL (promql/promqltest): load, clear, eval instant, eval range, expect.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "sim/models/monitoring/promql/evaluator.hpp"
#include "sim/models/monitoring/promql/parser.hpp"

namespace promql_script {

using sim::promql::LabelsId;
using sim::promql::Millis;

/// Series with all of their samples, as a file has them.
class Samples final : public sim::promql::SampleSource {
 public:
  struct Value {
    Millis at;
    double value;
    bool stale;
  };
  explicit Samples(sim::promql::LabelTable& labels) : labels_(labels) {}

  std::vector<Value>& series(LabelsId id) {
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      if (ids_[i] == id) return values_[i];
    }
    ids_.push_back(id);
    values_.emplace_back();
    return values_.back();
  }
  void clear() {
    ids_.clear();
    values_.clear();
  }

  const std::vector<SeriesId>& select(const sim::promql::Selector& selector) override {
    found_.clear();
    std::vector<sim::promql::ValueMatcher> matchers;
    for (const sim::promql::Matcher& matcher : selector.matchers) matchers.emplace_back(matcher);
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      bool matches = true;
      for (std::size_t m = 0; m < matchers.size() && matches; ++m) {
        matches = matchers[m](labels_.value(ids_[i], labels_.names().intern(selector.matchers[m].name)), labels_.names());
      }
      if (matches) found_.push_back(static_cast<SeriesId>(i));
    }
    return found_;
  }
  LabelsId labels(SeriesId series) const override { return ids_[series]; }
  std::optional<Latest> latest(SeriesId series, Millis at) override {
    std::optional<Latest> result;
    for (const Value& value : values_[series]) {
      if (value.at > at) break;
      result.reset();
      if (!value.stale && value.at > at - 300'000) result = Latest{value.at, value.value, 0.0, {}};
    }
    return result;
  }
  void range(SeriesId series, Millis from, Millis to, std::vector<sim::promql::Point>& points, sim::promql::Origin&, bool&) override {
    for (const Value& value : values_[series]) {
      if (value.at > from && value.at <= to && !value.stale) points.push_back({value.at, value.value});
    }
  }
  sim::promql::Origin ended(const sim::promql::Selector&) override { return {}; }

 private:
  sim::promql::LabelTable& labels_;
  std::vector<LabelsId> ids_;
  std::vector<std::vector<Value>> values_;
  std::vector<SeriesId> found_;
};

struct Outcome {
  int held = 0;
  int failed = 0;
  int unsupported = 0;  // what is refused by name, and what the script needs that is left out (native histograms)
  std::vector<std::string> failures;
  std::vector<std::string> refused;
};

class Runner {
 public:
  Outcome run(const std::string& text) {
    std::istringstream in(text);
    std::string line;
    while (std::getline(in, line)) lines_.push_back(line);
    for (at_ = 0; at_ < lines_.size();) command();
    return outcome_;
  }

 private:
  static std::string trimmed(const std::string& s) {
    const auto begin = s.find_first_not_of(" \t\r");
    if (begin == std::string::npos) return {};
    return s.substr(begin, s.find_last_not_of(" \t\r") - begin + 1);
  }
  static bool is_block_end(const std::string& line) { return trimmed(line).empty() || trimmed(line)[0] == '#'; }

  static double number(const std::string& s) {
    if (s == "NaN" || s == "-NaN") return std::nan("");
    if (s == "Inf" || s == "+Inf") return HUGE_VAL;
    if (s == "-Inf") return -HUGE_VAL;
    return std::strtod(s.c_str(), nullptr);
  }

  /// "metric{a="b"}" from the front of a line; what follows it.
  bool labels(const std::string& line, LabelsId& id, std::string& rest) {
    std::string name;
    std::size_t i = 0;
    while (i < line.size() && line[i] != '{' && line[i] != ' ' && line[i] != '\t') name += line[i++];
    std::vector<sim::promql::Label> all;
    const auto add = [&](const std::string& k, const std::string& v) { all.emplace_back(table_.names().intern(k), table_.names().intern(v)); };
    if (!name.empty()) add("__name__", name);
    if (i < line.size() && line[i] == '{') {
      ++i;
      while (i < line.size() && line[i] != '}') {
        while (line[i] == ' ' || line[i] == ',') ++i;
        if (line[i] == '}') break;
        std::string key;
        if (line[i] == '"') {
          ++i;
          while (i < line.size() && line[i] != '"') key += line[i++];
          ++i;
        } else {
          while (i < line.size() && line[i] != '=' && line[i] != ' ') key += line[i++];
        }
        while (i < line.size() && line[i] == ' ') ++i;
        if (i >= line.size() || line[i] != '=') {  // a quoted metric name
          add("__name__", key);
          continue;
        }
        ++i;
        while (i < line.size() && line[i] == ' ') ++i;
        const char quote = line[i++];
        std::string value;
        for (; i < line.size() && line[i] != quote; ++i) {
          if (line[i] == '\\' && i + 1 < line.size()) {
            ++i;
            value += line[i] == 'n' ? '\n' : line[i];
          } else {
            value += line[i];
          }
        }
        ++i;
        add(key, value);
      }
      ++i;
    }
    id = table_.intern(std::move(all));
    rest = i < line.size() ? trimmed(line.substr(i)) : std::string();
    return true;
  }

  struct Item {
    bool omitted = false;
    bool stale = false;
    double value = 0.0;
  };
  /// "0+10x3 _ stale 5". False for native histograms.
  static bool expand(const std::string& text, std::vector<Item>& items) {
    if (text.find("{{") != std::string::npos) return false;
    std::istringstream words(text);
    std::string word;
    while (words >> word) {
      if (word[0] == '#') break;
      if (word[0] == '@') return false;  // start timestamps
      const std::size_t times = word.rfind('x');
      const bool repeated = times != std::string::npos && !word.starts_with("0x");
      const std::string base = repeated ? word.substr(0, times) : word;
      const long count = repeated ? std::strtol(word.c_str() + times + 1, nullptr, 10) : 0;
      if (base == "_") {
        for (long i = 0; i < std::max(count, 1l); ++i) items.push_back({true, false, 0.0});
        continue;
      }
      if (base == "stale") {
        items.push_back({false, true, 0.0});
        continue;
      }
      std::size_t step = std::string::npos;
      for (std::size_t i = 1; i < base.size(); ++i) {
        if ((base[i] == '+' || base[i] == '-') && base[i - 1] != 'e' && base[i - 1] != 'E') step = i;
      }
      const bool steps = repeated && step != std::string::npos;
      const double start = number(steps ? base.substr(0, step) : base);
      const double by = steps ? number(base[step] == '+' ? base.substr(step + 1) : base.substr(step)) : 0.0;
      double value = start;
      items.push_back({false, false, value});
      for (long i = 0; i < count; ++i) {
        value += by;
        items.push_back({false, false, value});
      }
    }
    return true;
  }

  void load(Millis step, bool converts) {
    for (++at_; at_ < lines_.size() && !trimmed(lines_[at_]).empty(); ++at_) {
      if (trimmed(lines_[at_])[0] == '#') continue;
      LabelsId id;
      std::string rest;
      labels(trimmed(lines_[at_]), id, rest);
      std::vector<Item> items;
      if (!expand(rest, items)) {
        histograms_.insert(table_.metric(id));
        continue;
      }
      if (converts) {
        std::string name = table_.metric(id);
        for (const std::string_view end : {"_bucket", "_count", "_sum"}) {
          if (name.ends_with(end)) name.resize(name.size() - end.size());
        }
        histograms_.insert(name);
      }
      auto& series = samples_.series(id);
      for (std::size_t i = 0; i < items.size(); ++i) {
        if (!items[i].omitted) series.push_back({static_cast<Millis>(i) * step, items[i].value, items[i].stale});
      }
      std::stable_sort(series.begin(), series.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    }
  }

  static Millis duration(const std::string& text) {
    bool negative = text.starts_with('-');
    const std::optional<Millis> d = sim::promql::parse_duration(negative ? text.substr(1) : text);
    const Millis value = d ? *d : static_cast<Millis>(std::strtod(text.c_str() + (negative ? 1 : 0), nullptr) * 1000.0);
    return negative ? -value : value;
  }

  void command() {
    const std::string line = trimmed(lines_[at_]);
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (line.empty() || line[0] == '#') {
      ++at_;
    } else if (word == "clear") {
      samples_.clear();
      histograms_.clear();
      ++at_;
    } else if (word == "load" || word == "load_with_nhcb") {
      std::string step;
      words >> step;
      load(duration(step), word == "load_with_nhcb");
    } else if (word.starts_with("eval")) {
      eval(line, word);
    } else {
      ++at_;
    }
  }

  static bool near(double a, double b) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
    if (a == b) return true;
    return std::abs(a - b) <= 1e-6 * std::max(std::abs(a), std::abs(b)) || std::abs(a - b) < 1e-12;
  }

  static bool mentions(const std::string& expr, const std::string& name) {
    for (std::size_t i = expr.find(name); i != std::string::npos; i = expr.find(name, i + 1)) {
      const auto is_word = [&](std::size_t k) { return k < expr.size() && (std::isalnum(static_cast<unsigned char>(expr[k])) != 0 || expr[k] == '_'); };
      if (!is_word(i + name.size()) && (i == 0 || !is_word(i - 1))) return true;
    }
    return false;
  }

  void eval(const std::string& line, const std::string& word) {
    const std::size_t where = at_;
    std::istringstream words(line);
    std::string w, kind;
    words >> w >> kind;
    Millis from = 0, to = 0, step = 1;
    if (kind == "instant") {
      std::string t;
      words >> w >> t;
      from = to = duration(t);
    } else {
      std::string a, b, c;
      words >> w >> a >> w >> b >> w >> c;
      from = duration(a);
      to = duration(b);
      step = duration(c);
    }
    std::string expr;
    std::getline(words, expr);
    bool fails = word.find("fail") != std::string::npos;
    bool ordered = word.find("ordered") != std::string::npos;
    bool foreign = std::any_of(histograms_.begin(), histograms_.end(), [&](const std::string& name) { return mentions(expr, name); });
    struct Wanted {
      LabelsId id;
      std::vector<Item> items;
    };
    std::vector<Wanted> wanted;
    std::optional<double> scalar;
    for (++at_; at_ < lines_.size() && !trimmed(lines_[at_]).empty(); ++at_) {
      const std::string text = trimmed(lines_[at_]);
      if (text[0] == '#') continue;
      if (text.starts_with("expect")) {
        fails = fails || text.starts_with("expect fail");
        ordered = ordered || text.starts_with("expect ordered");
        foreign = foreign || text.starts_with("expect string") || text.starts_with("expect range vector");
        continue;
      }
      if (text[0] == '{' || std::isalpha(static_cast<unsigned char>(text[0])) != 0 || text[0] == '_') {
        LabelsId id;
        std::string rest;
        const bool is_scalar = text == "NaN" || text == "Inf";
        if (is_scalar) {
          scalar = number(text);
          continue;
        }
        labels(text, id, rest);
        Wanted one{id, {}};
        if (!expand(rest, one.items)) foreign = true;
        wanted.push_back(one);
      } else {
        scalar = number(text);
      }
    }
    sim::promql::Parsed parsed = sim::promql::parse(expr, selectors_);
    if (!parsed.expr && parsed.error.unsupported) {
      ++outcome_.unsupported;
      outcome_.refused.push_back(parsed.error.message);
      return;
    }
    if (foreign) {
      ++outcome_.unsupported;
      return;
    }
    const auto complain = [&](const std::string& what) {
      ++outcome_.failed;
      outcome_.failures.push_back(fmt::format("line {}: {}: {}", where + 1, trimmed(expr), what));
    };
    if (!parsed.expr) {
      if (fails) ++outcome_.held;
      else complain(parsed.error.message);
      return;
    }
    if (parsed.expr->type == sim::promql::Type::kMatrix || parsed.expr->type == sim::promql::Type::kString) {
      ++outcome_.unsupported;  // rules have no such results
      return;
    }
    sim::promql::Evaluator evaluator(table_, samples_, 60'000);
    std::map<LabelsId, std::vector<std::pair<Millis, double>>> got;
    std::vector<LabelsId> order;
    std::vector<std::pair<Millis, double>> got_scalar;
    std::string error;
    for (Millis t = from; t <= to; t += step) {
      const sim::promql::Result result = evaluator.evaluate(*parsed.expr, t);
      if (!result.error.empty()) error = result.error;
      if (result.type == sim::promql::Type::kScalar) got_scalar.emplace_back(t, result.scalar);
      for (const sim::promql::Sample& sample : result.vector) {
        if (!got.contains(sample.labels)) order.push_back(sample.labels);
        got[sample.labels].emplace_back(t, sample.value);
      }
    }
    if (fails != !error.empty()) return complain(fails ? "it should have failed" : error);
    if (fails) {
      ++outcome_.held;
      return;
    }
    if (scalar) {
      if (got_scalar.size() == 1 && near(got_scalar[0].second, *scalar)) ++outcome_.held;
      else complain(fmt::format("wanted scalar {}, got {}", *scalar, got_scalar.empty() ? -1.0 : got_scalar[0].second));
      return;
    }
    if (!got_scalar.empty()) got[LabelsId{}] = got_scalar;
    if (got.size() != wanted.size()) {
      std::string all;
      for (const auto& [id, points] : got) all += " " + table_.text(id) + fmt::format(" {}", points[0].second);
      return complain(fmt::format("wanted {} elements, got {}:{}", wanted.size(), got.size(), all));
    }
    for (std::size_t n = 0; n < wanted.size(); ++n) {
      const Wanted& one = wanted[n];
      const auto found = got.find(one.id);
      if (found == got.end()) {
        std::string all;
        for (const auto& [id, points] : got) all += " " + table_.text(id);
        return complain("no element " + table_.text(one.id) + ", got" + all);
      }
      std::vector<std::pair<Millis, double>> points;
      for (std::size_t i = 0; i < one.items.size(); ++i) {
        if (!one.items[i].omitted) points.emplace_back(from + static_cast<Millis>(i) * step, one.items[i].value);
      }
      bool same = points.size() == found->second.size() && (!ordered || order[n] == one.id);
      for (std::size_t i = 0; same && i < points.size(); ++i) {
        same = points[i].first == found->second[i].first && near(points[i].second, found->second[i].second);
      }
      if (!same) {
        std::string text;
        for (const auto& [t, v] : found->second) text += fmt::format(" {}", v);
        return complain(fmt::format("{}: got{}", table_.text(one.id), text));
      }
    }
    ++outcome_.held;
  }

  std::vector<std::string> lines_;
  std::size_t at_ = 0;
  sim::promql::LabelTable table_;
  Samples samples_{table_};
  std::uint32_t selectors_ = 0;
  std::set<std::string> histograms_;  // metrics that have native ones
  Outcome outcome_;
};

}  // namespace promql_script
