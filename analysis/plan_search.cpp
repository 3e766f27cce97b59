#include "analysis/plan_search.hpp"

#include <algorithm>
#include <cmath>

namespace analysis {

double cost_of(const PlanBounds& bounds, const Counts& counts) {
  double sum = 0.0;
  for (std::size_t s = 0; s < counts.size(); ++s) sum += bounds.shapes()[s].price * static_cast<double>(counts[s]);
  return sum;
}

namespace {

/// Prices are sums of doubles: two designs of the same nodes must not differ by their order.
constexpr double kSame = 1e-9;
/// Supports for which weights of their own are made; beyond that the weights of all shapes have to do.
constexpr std::size_t kWeighedMax = 48;

struct Support {
  std::vector<std::size_t> shapes;
  double bound = 0.0;
};

class Search {
 public:
  Search(PlanBounds& bounds, const PlanSearchOptions& options) : bounds_(bounds), options_(options) {
    for (std::size_t s = 0; s < bounds.shapes().size(); ++s) {
      const PlanShape& shape = bounds.shapes()[s];
      if (shape.price <= 0.0) continue;
      if (shape.least > 0) required_.push_back(s);
      else if (shape.most > 0) optional_.push_back(s);
    }
  }

  PlanSearchResult run() {
    std::vector<std::size_t> all = required_;
    all.insert(all.end(), optional_.begin(), optional_.end());
    bounds_.weigh(all);
    std::vector<Support> supports = all_supports();
    singles(supports);
    std::size_t weighed = 0;
    double open = 1e300;  // the least bound of what was not looked through
    for (Support& support : supports) {
      support.bound = std::max(support.bound, bound_of(support));
      if (!is_cheaper(support.bound)) continue;
      if (weighed < kWeighedMax && support.shapes.size() < all.size()) {
        ++weighed;
        bounds_.weigh(support.shapes);
        support.bound = std::max(support.bound, bound_of(support));
        if (!is_cheaper(support.bound)) continue;
      }
      if (!is_over()) enumerate(support);
      // A search that was cut off leaves the whole support open.
      if (is_over()) open = std::min(open, support.bound);
    }
    const double ruled_out = result_.best ? result_.cost / (1.0 + options_.tolerance) : 1e300;
    double least = 1e300;
    for (const Support& support : supports) least = std::min(least, support.bound);
    result_.is_stopped = is_stopped();
    result_.is_proven = open > 1e299;
    result_.bound = std::max(least, std::min(open, ruled_out));
    if (result_.best) result_.bound = std::min(result_.bound, result_.cost);
    return std::move(result_);
  }

 private:
  bool is_stopped() const { return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed); }
  bool is_over() const { return is_stopped() || result_.tests >= options_.tests_max; }
  bool is_cheaper(double bound) const { return !result_.best || bound * (1.0 + options_.tolerance) < result_.cost * (1.0 - kSame); }

  std::vector<Support> all_supports() const {
    std::vector<Support> supports;
    const auto room = static_cast<std::size_t>(std::max<std::int64_t>(0, options_.mix - static_cast<std::int64_t>(required_.size())));
    std::vector<std::size_t> chosen;
    const std::function<void(std::size_t)> extend = [&](std::size_t from) {
      Support support;
      support.shapes = required_;
      support.shapes.insert(support.shapes.end(), chosen.begin(), chosen.end());
      support.bound = bound_of(support);
      supports.push_back(std::move(support));
      if (chosen.size() == room) return;
      for (std::size_t i = from; i < optional_.size(); ++i) {
        chosen.push_back(optional_[i]);
        extend(i + 1);
        chosen.pop_back();
      }
    };
    extend(0);
    std::stable_sort(supports.begin(), supports.end(), [](const Support& a, const Support& b) { return a.bound != b.bound ? a.bound < b.bound : a.shapes.size() < b.shapes.size(); });
    return supports;
  }

  /// Of designs that have exactly these shapes, with at least and at most so many nodes of each.
  double bound_within(const Counts& least, const Counts& most) const {
    double bound = bounds_.lower_bound(least, most);
    if (options_.loss.factor <= 1.0 && options_.loss.nodes <= 0) return bound;
    // What is left after a loss may have fewer nodes than `least`.
    Counts none(least.size(), 0);
    double cheapest = 1e300;
    for (std::size_t s = 0; s < least.size(); ++s) {
      if (bounds_.shapes()[s].price <= 0.0) none[s] = least[s];
      else if (most[s] > 0) cheapest = std::min(cheapest, bounds_.shapes()[s].price);
    }
    if (cheapest > 1e299) return bound;
    const double rest = bounds_.lower_bound(none, most, PlanBounds::Of::kRest);
    // Pods that can be on nodes without a price only may not need any of the searched ones.
    if (rest <= 0.0) return bound;
    return std::max({bound, rest * options_.loss.factor, rest + static_cast<double>(options_.loss.nodes) * cheapest * (1.0 - kSame)});
  }
  Counts at_least(const Support& support) const {
    Counts counts(bounds_.shapes().size(), 0);
    for (std::size_t s = 0; s < counts.size(); ++s) {
      if (bounds_.shapes()[s].price <= 0.0) counts[s] = bounds_.shapes()[s].most;
    }
    for (const std::size_t s : support.shapes) counts[s] = std::max<std::int64_t>(1, bounds_.shapes()[s].least);
    return counts;
  }
  Counts at_most(const Support& support) const {
    Counts counts = at_least(support);
    for (const std::size_t s : support.shapes) counts[s] = bounds_.shapes()[s].most;
    return counts;
  }
  double bound_of(const Support& support) const { return bound_within(at_least(support), at_most(support)); }

  bool passes(const Counts& counts) {
    const auto [place, is_new] = known_.try_emplace(counts, false);
    if (!is_new) return place->second;
    if (!bounds_.may_carry(counts) || (options_.may_pass && !options_.may_pass(counts))) return false;
    ++result_.tests;
    place->second = options_.passes(counts);
    if (options_.progress) options_.progress(result_.tests, result_.best ? result_.cost : 0.0, now_);
    return place->second;
  }
  void take(const Counts& counts) {
    const double cost = cost_of(bounds_, counts);
    if (result_.best && cost >= result_.cost * (1.0 - kSame)) return;
    result_.best = counts;
    result_.cost = cost;
  }

  /// The best of each shape alone: what people compare, and where the search begins.
  void singles(const std::vector<Support>& supports) {
    std::size_t done = 0;
    for (const Support& support : supports) {
      if (support.shapes.size() != required_.size() + 1 || optional_.empty()) continue;
      if (done++ == options_.singles || is_stopped()) break;
      const std::size_t shape = support.shapes.back();
      Counts counts = at_least(support);
      const std::size_t before = result_.tests;
      now_ = support.bound;
      for (; counts[shape] <= bounds_.shapes()[shape].most && result_.tests - before < options_.tests_single_max && !is_over(); ++counts[shape]) {
        if (!passes(counts)) continue;
        result_.single.emplace(shape, counts);
        take(counts);
        break;
      }
    }
  }

  void enumerate(const Support& support) {
    now_ = support.bound;
    if (support.shapes.empty()) {
      const Counts counts = at_least(support);
      if (passes(counts)) take(counts);
      return;
    }
    // The dearest first: few values of it, and what is left is filled in small steps.
    std::vector<std::size_t> order = support.shapes;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return bounds_.shapes()[a].price > bounds_.shapes()[b].price; });
    Counts least = at_least(support);
    Counts most = at_most(support);
    descend(order, 0, least, most);
  }
  void descend(const std::vector<std::size_t>& order, std::size_t depth, Counts& least, Counts& most) {
    const std::size_t shape = order[depth];
    const std::int64_t low = least[shape];
    const std::int64_t high = most[shape];
    const bool is_last = depth + 1 == order.size();
    for (std::int64_t n = low; n <= high && !is_over(); ++n) {
      least[shape] = most[shape] = n;
      if (is_last) {
        if (!is_cheaper(cost_of(bounds_, least))) break;
        if (passes(least)) {
          take(least);
          break;
        }
      } else {
        // More of this shape can lower the bound of the rest, so only its own cost ends the row.
        if (!is_cheaper(cost_of(bounds_, least))) break;
        if (is_cheaper(bound_within(least, most))) descend(order, depth + 1, least, most);
      }
    }
    least[shape] = low;
    most[shape] = high;
  }

  PlanBounds& bounds_;
  const PlanSearchOptions& options_;
  std::vector<std::size_t> required_;
  std::vector<std::size_t> optional_;
  std::map<Counts, bool> known_;
  PlanSearchResult result_;
  double now_ = 0.0;  // the bound of what is being looked through
};

}  // namespace

PlanSearchResult search_plan(PlanBounds& bounds, const PlanSearchOptions& options) { return Search(bounds, options).run(); }

}  // namespace analysis
