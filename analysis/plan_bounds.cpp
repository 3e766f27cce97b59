#include "analysis/plan_bounds.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/core/check.hpp"

namespace analysis {

namespace {

constexpr double kEpsilon = 1e-9;
/// Sums of doubles that ought to be equal differ by less: a bound is lowered by it, a condition eased by it.
constexpr double kSlack = 1e-7;
constexpr std::size_t kFillingSteps = 20'000;
constexpr std::size_t kColumnRounds = 60;

}  // namespace

LinearSolution solve(const LinearProgram& program) {
  const auto rows = static_cast<Eigen::Index>(program.rows.size());
  const auto columns = static_cast<Eigen::Index>(program.cost.size());
  // The tableau: variables, slacks, right side; the last row holds the reduced costs. Rows say  -A x + slack = -b.
  Eigen::MatrixXd table = Eigen::MatrixXd::Zero(rows + 1, columns + rows + 1);
  for (Eigen::Index r = 0; r < rows; ++r) {
    for (Eigen::Index c = 0; c < columns; ++c) table(r, c) = -program.rows[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)];
    table(r, columns + r) = 1.0;
    table(r, columns + rows) = -program.bounds[static_cast<std::size_t>(r)];
  }
  for (Eigen::Index c = 0; c < columns; ++c) table(rows, c) = program.cost[static_cast<std::size_t>(c)];
  std::vector<Eigen::Index> basis(program.rows.size());
  std::iota(basis.begin(), basis.end(), columns);
  LinearSolution solution;
  const Eigen::Index right = columns + rows;
  const Eigen::Index steps_max = 50 * (rows + columns) + 1000;
  for (Eigen::Index step = 0; step < steps_max; ++step) {
    Eigen::Index leaves = -1;
    for (Eigen::Index r = 0; r < rows; ++r) {
      // After many steps the first negative row instead of the worst: that cannot go round in circles with the first best column.
      if (table(r, right) < -kEpsilon && (leaves < 0 || (step < steps_max / 2 && table(r, right) < table(leaves, right)))) leaves = r;
    }
    if (leaves < 0) {
      solution.is_optimal = true;
      break;
    }
    Eigen::Index enters = -1;
    double best = 0.0;
    for (Eigen::Index c = 0; c < right; ++c) {
      if (table(leaves, c) >= -kEpsilon) continue;
      const double ratio = table(rows, c) / -table(leaves, c);
      if (enters < 0 || ratio < best - kEpsilon) {
        enters = c;
        best = ratio;
      }
    }
    if (enters < 0) break;  // no x satisfies this row
    table.row(leaves) /= table(leaves, enters);
    for (Eigen::Index r = 0; r <= rows; ++r) {
      if (r != leaves && table(r, enters) != 0.0) table.row(r) -= table(r, enters) * table.row(leaves);
    }
    basis[static_cast<std::size_t>(leaves)] = enters;
  }
  solution.x.assign(program.cost.size(), 0.0);
  for (std::size_t r = 0; r < basis.size(); ++r) {
    if (basis[r] < columns) solution.x[static_cast<std::size_t>(basis[r])] = std::max(0.0, table(static_cast<Eigen::Index>(r), right));
  }
  solution.duals.reserve(program.rows.size());
  for (Eigen::Index r = 0; r < rows; ++r) solution.duals.push_back(std::max(0.0, table(rows, columns + r)));
  for (std::size_t c = 0; c < program.cost.size(); ++c) solution.value += program.cost[c] * solution.x[c];
  return solution;
}

namespace {

/// Depth first over the classes, the densest first, each with as many pods as fit and then fewer.
class Filling {
 public:
  Filling(const Amounts& capacity, const std::vector<const PlanClass*>& classes, const std::vector<double>& weights, std::size_t steps)
      : capacity_(capacity), left_(capacity), classes_(classes), weights_(weights), steps_(steps) {
    for (std::size_t p = 0; p < classes.size(); ++p) {
      if (weights[p] <= 0.0 || at_most(p) == 0) continue;
      double size = 0.0;
      for (std::size_t r = 0; r < capacity.size(); ++r) size = std::max(size, capacity[r] > 0.0 ? classes[p]->request[r] / capacity[r] : 0.0);
      order_.push_back({weights[p] / std::max(size, 1e-12), p});
    }
    std::stable_sort(order_.begin(), order_.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    // For the fractional bound: by density in each resource.
    by_resource_.resize(capacity.size());
    for (std::size_t r = 0; r < capacity.size(); ++r) {
      for (std::size_t i = 0; i < order_.size(); ++i) by_resource_[r].push_back(i);
      std::stable_sort(by_resource_[r].begin(), by_resource_[r].end(), [&](std::size_t a, std::size_t b) { return density(a, r) > density(b, r); });
    }
    now_.assign(classes.size(), 0);
    best_filling_ = now_;
  }

  double run() {
    root_bound_ = bound(0);
    if (!order_.empty()) go(0, 0.0);
    return steps_ == 0 ? root_bound_ : best_;
  }
  const std::vector<std::int64_t>& filling() const { return best_filling_; }

 private:
  double density(std::size_t i, std::size_t r) const {
    const std::size_t p = order_[i].second;
    return classes_[p]->request[r] > 0.0 ? weights_[p] / classes_[p]->request[r] : 1e300;
  }
  std::int64_t at_most(std::size_t p) const {
    double most = static_cast<double>(classes_[p]->count);
    if (classes_[p]->per_node > 0) most = std::min(most, static_cast<double>(classes_[p]->per_node));
    for (std::size_t r = 0; r < left_.size(); ++r) {
      if (classes_[p]->request[r] > 0.0) most = std::min(most, std::floor((left_[r] + kEpsilon) / classes_[p]->request[r]));
    }
    return std::max<std::int64_t>(0, static_cast<std::int64_t>(most));
  }
  /// What the classes from `from` on can add at most.
  double bound(std::size_t from) const {
    double least = 1e300;
    for (std::size_t r = 0; r < left_.size(); ++r) {
      double room = left_[r];
      double sum = 0.0;
      for (const std::size_t i : by_resource_[r]) {
        if (i < from) continue;
        const std::size_t p = order_[i].second;
        const double request = classes_[p]->request[r];
        const double most = static_cast<double>(classes_[p]->per_node > 0 ? std::min(classes_[p]->per_node, classes_[p]->count) : classes_[p]->count);
        const double pods = request > 0.0 ? std::min(most, room / request) : most;
        sum += pods * weights_[p];
        room -= pods * request;
        if (room <= 0.0) break;
      }
      least = std::min(least, sum);
    }
    return left_.empty() ? 0.0 : least;
  }
  void go(std::size_t i, double weight) {
    if (steps_ == 0) return;
    --steps_;
    if (weight > best_) {
      best_ = weight;
      best_filling_ = now_;
    }
    if (i == order_.size() || weight + bound(i) <= best_ + 1e-12) return;
    const std::size_t p = order_[i].second;
    const std::int64_t most = at_most(p);
    for (std::int64_t pods = most; pods >= 0 && steps_ > 0; --pods) {
      for (std::size_t r = 0; r < left_.size(); ++r) left_[r] -= static_cast<double>(pods) * classes_[p]->request[r];
      now_[p] = pods;
      go(i + 1, weight + static_cast<double>(pods) * weights_[p]);
      for (std::size_t r = 0; r < left_.size(); ++r) left_[r] += static_cast<double>(pods) * classes_[p]->request[r];
      now_[p] = 0;
    }
  }

  const Amounts& capacity_;
  Amounts left_;
  const std::vector<const PlanClass*>& classes_;
  const std::vector<double>& weights_;
  std::size_t steps_;
  std::vector<std::pair<double, std::size_t>> order_;
  std::vector<std::vector<std::size_t>> by_resource_;
  std::vector<std::int64_t> now_;
  std::vector<std::int64_t> best_filling_;
  double best_ = 0.0;
  double root_bound_ = 0.0;
};

}  // namespace

double heaviest_filling(const Amounts& capacity, const std::vector<const PlanClass*>& classes, const std::vector<double>& weights, std::size_t steps, std::vector<std::int64_t>* filling) {
  Filling search(capacity, classes, weights, steps);
  const double value = search.run();
  if (filling != nullptr) *filling = search.filling();
  return value;
}

PlanBounds::PlanBounds(std::vector<PlanShape> shapes, std::vector<PlanClass> classes) : shapes_(std::move(shapes)), classes_(std::move(classes)) {
  for (const PlanClass& one : classes_) {
    SIM_CHECK(one.fits.size() == shapes_.size(), "a class says of every shape whether it fits");
    for (const PlanShape& shape : shapes_) SIM_CHECK(one.request.size() == shape.capacity.size(), "all amounts are of the same resources");
  }
  // Each class by itself, and each resource by itself.
  for (std::size_t p = 0; p < classes_.size(); ++p) {
    std::vector<double> weights(classes_.size(), 0.0);
    weights[p] = 1.0;
    add(weights);
  }
  const std::size_t resources = shapes_.empty() ? 0 : shapes_.front().capacity.size();
  for (std::size_t r = 0; r < resources; ++r) {
    std::vector<double> weights;
    for (const PlanClass& one : classes_) weights.push_back(one.request[r]);
    add(weights);
  }
}

std::vector<std::size_t> PlanBounds::homeless() const {
  std::vector<std::size_t> result;
  for (std::size_t p = 0; p < classes_.size(); ++p) {
    bool any = classes_[p].count == 0;
    for (std::size_t s = 0; s < shapes_.size(); ++s) {
      bool fits = classes_[p].fits[s] && shapes_[s].most > 0;
      for (std::size_t r = 0; r < shapes_[s].capacity.size(); ++r) fits = fits && classes_[p].request[r] <= shapes_[s].capacity[r];
      any = any || fits;
    }
    if (!any) result.push_back(p);
  }
  return result;
}

void PlanBounds::add(const std::vector<double>& weights) {
  Weights one;
  for (std::size_t p = 0; p < classes_.size(); ++p) one.total += weights[p] * static_cast<double>(classes_[p].count);
  if (one.total <= 0.0) return;
  for (std::size_t s = 0; s < shapes_.size(); ++s) {
    std::vector<const PlanClass*> fitting;
    std::vector<double> of_fitting;
    for (std::size_t p = 0; p < classes_.size(); ++p) {
      if (!classes_[p].fits[s] || weights[p] <= 0.0) continue;
      fitting.push_back(&classes_[p]);
      of_fitting.push_back(weights[p]);
    }
    one.holds.push_back(heaviest_filling(shapes_[s].capacity, fitting, of_fitting, kFillingSteps));
  }
  weights_.push_back(std::move(one));
}

void PlanBounds::weigh(const std::vector<std::size_t>& support) {
  // Columns: a filling of a shape, with how many pods of each class it holds.
  struct Column {
    std::size_t shape = 0;
    std::vector<std::int64_t> pods;
  };
  std::vector<Column> columns;
  std::vector<std::size_t> shapes = support;
  for (std::size_t s = 0; s < shapes_.size(); ++s) {
    if (shapes_[s].price <= 0.0 && std::find(shapes.begin(), shapes.end(), s) == shapes.end()) shapes.push_back(s);
  }
  double dear = 1.0;
  for (const std::size_t s : shapes) dear = std::max(dear, shapes_[s].price);
  // A class that nothing takes yet has a column of its own, at a price that no design has.
  dear *= 1000.0;
  for (std::size_t round = 0; round < kColumnRounds; ++round) {
    LinearProgram program;
    program.rows.assign(classes_.size() + shapes.size(), std::vector<double>(columns.size() + classes_.size(), 0.0));
    for (std::size_t c = 0; c < columns.size(); ++c) {
      program.cost.push_back(shapes_[shapes[columns[c].shape]].price);
      for (std::size_t p = 0; p < classes_.size(); ++p) program.rows[p][c] = static_cast<double>(columns[c].pods[p]);
      program.rows[classes_.size() + columns[c].shape][c] = -1.0;
    }
    for (std::size_t p = 0; p < classes_.size(); ++p) {
      program.cost.push_back(dear);
      program.rows[p][columns.size() + p] = 1.0;
      program.bounds.push_back(static_cast<double>(classes_[p].count));
    }
    for (const std::size_t s : shapes) program.bounds.push_back(-static_cast<double>(shapes_[s].most));
    const LinearSolution solution = solve(program);
    const std::vector<double> weights(solution.duals.begin(), solution.duals.begin() + static_cast<std::ptrdiff_t>(classes_.size()));
    bool any = false;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      std::vector<const PlanClass*> fitting;
      std::vector<double> of_fitting;
      std::vector<std::size_t> which;
      for (std::size_t p = 0; p < classes_.size(); ++p) {
        if (!classes_[p].fits[shapes[i]] || weights[p] <= 0.0) continue;
        fitting.push_back(&classes_[p]);
        of_fitting.push_back(weights[p]);
        which.push_back(p);
      }
      Column column{i, std::vector<std::int64_t>(classes_.size(), 0)};
      std::vector<std::int64_t> filling;
      heaviest_filling(shapes_[shapes[i]].capacity, fitting, of_fitting, kFillingSteps / 4, &filling);
      double worth = 0.0;
      for (std::size_t k = 0; k < which.size(); ++k) {
        column.pods[which[k]] = filling[k];
        worth += static_cast<double>(filling[k]) * of_fitting[k];
      }
      const double price = shapes_[shapes[i]].price + solution.duals[classes_.size() + i];
      if (worth <= price + 1e-7 * (1.0 + price)) continue;
      columns.push_back(std::move(column));
      any = true;
    }
    if (!any || round + 1 == kColumnRounds) {
      add(weights);
      return;
    }
  }
}

void PlanBounds::require(std::vector<double> holds, double total) {
  SIM_CHECK(holds.size() == shapes_.size(), "a condition has a coefficient for each shape");
  if (total > 0.0) weights_.push_back(Weights{total, std::move(holds), true});
}

double PlanBounds::lower_bound(const std::vector<std::int64_t>& least, const std::vector<std::int64_t>& most, Of of) const {
  // Without any weights: the nodes that have to be there.
  double best = 0.0;
  for (std::size_t s = 0; s < shapes_.size(); ++s) best += shapes_[s].price * static_cast<double>(least[s]);
  const double floor = best;
  for (const Weights& one : weights_) {
    if (one.of_whole_only && of == Of::kRest) continue;
    // The weights of a single class or resource have no unit of money: the best factor on them is where the cheapest shape for its weight stands.
    std::vector<double> ratios;
    for (std::size_t s = 0; s < shapes_.size(); ++s) {
      if (one.holds[s] > 0.0 && most[s] > least[s]) ratios.push_back(shapes_[s].price / one.holds[s]);
    }
    ratios.push_back(1.0);
    for (const double factor : ratios) {
      double sum = factor * one.total;
      for (std::size_t s = 0; s < shapes_.size(); ++s) {
        const double net = shapes_[s].price - factor * one.holds[s];
        sum += net * static_cast<double>(net >= 0.0 ? least[s] : most[s]);
      }
      best = std::max(best, sum);
    }
  }
  return std::max(floor, best * (1.0 - kSlack));
}

bool PlanBounds::may_carry(const std::vector<std::int64_t>& counts, Of of) const {
  for (const Weights& one : weights_) {
    if (one.of_whole_only && of == Of::kRest) continue;
    double holds = 0.0;
    for (std::size_t s = 0; s < shapes_.size(); ++s) holds += one.holds[s] * static_cast<double>(counts[s]);
    if (holds * (1.0 + kSlack) + kEpsilon < one.total) return false;
  }
  return true;
}

}  // namespace analysis
