/// How cheap a set of nodes that carries given pods can be at best: bounds that no packing beats, and conditions that every packing meets.
///
/// Pods are counted by class (what they ask for, and which shapes may take them), nodes by shape. For any weights w >= 0 of the classes, let V(s) be the most weight that
/// one node of shape s holds. Then nodes n carry the pods only if  sum n(s) V(s) >= sum w(p) count(p),  and what they cost is at least
///   sum w(p) count(p) + sum over s of (price(s) - V(s)) x (its least or greatest count, whichever makes the sum smaller).
/// Good weights come from the configuration LP (a column for each way to fill a node), solved by column generation; that the weights are only nearly optimal makes
/// the bound weaker, never wrong. What one node holds is found by branch and bound, or bounded from above by the fractional knapsack of its scarcest resource.
///
/// Source:     Gilmore and Gomory 1961 (columns); Farley 1990 (a bound from weights that are not optimal yet).
/// Leaves out: affinity between pods, spreading, ports, volumes: they make packings dearer, so the bounds hold all the same.
/// Checked by: tests/analysis/plan_bounds_test.cpp (random instances against enumeration of all packings).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace analysis {

/// Of one resource after the other; all vectors of an instance have the same ones.
using Amounts = std::vector<double>;

struct PlanShape {
  std::string name;
  Amounts capacity;        // what pods of workloads can have of an empty node: allocatable without its DaemonSets
  double price = 0.0;      // 0: nodes that are there in any case
  std::int64_t least = 0;
  std::int64_t most = 0;
};

/// Pods that ask for the same and may run on the same shapes.
struct PlanClass {
  std::string example;     // "shop/web-0"
  Amounts request;
  std::int64_t count = 0;
  std::vector<bool> fits;  // by shape
  std::int64_t per_node = 0;  // no node takes more of them than so many (anti-affinity to themselves); 0: as many as fit
};

/// Minimises c x over x >= 0 with A x >= b, where c >= 0, by the dual simplex method.
struct LinearProgram {
  std::vector<double> cost;
  std::vector<std::vector<double>> rows;
  std::vector<double> bounds;
};
struct LinearSolution {
  bool is_optimal = false;        // false: no x satisfies it, or it took too long
  double value = 0.0;
  std::vector<double> x;
  std::vector<double> duals;      // by row; >= 0, and feasible for the dual problem also when not optimal
};
LinearSolution solve(const LinearProgram& program);

/// The most weight that pods on one node of capacity `capacity` have. At most `steps` steps of search; then a bound from above.
double heaviest_filling(const Amounts& capacity, const std::vector<const PlanClass*>& classes, const std::vector<double>& weights, std::size_t steps, std::vector<std::int64_t>* filling = nullptr);

class PlanBounds {
 public:
  PlanBounds(std::vector<PlanShape> shapes, std::vector<PlanClass> classes);

  const std::vector<PlanShape>& shapes() const { return shapes_; }
  const std::vector<PlanClass>& classes() const { return classes_; }
  /// Classes that fit no shape, not even an empty node.
  std::vector<std::size_t> homeless() const;

  /// Makes the weights for designs whose nodes are of these shapes only (those that are there in any case may stay out of it).
  void weigh(const std::vector<std::size_t>& support);
  /// All nodes together have to have  sum n(s) holds[s] >= total: of what is bought, not of what a loss leaves (kWhole below).
  void require(std::vector<double> holds, double total);
  enum class Of : std::uint8_t { kWhole, kRest };
  /// No packing with least[s] <= n(s) <= most[s] costs less.
  double lower_bound(const std::vector<std::int64_t>& least, const std::vector<std::int64_t>& most, Of of = Of::kWhole) const;
  /// False: these nodes cannot carry the pods, whoever places them.
  bool may_carry(const std::vector<std::int64_t>& counts, Of of = Of::kWhole) const;

 private:
  struct Weights {
    double total = 0.0;          // sum of weight x count over the classes
    std::vector<double> holds;   // V by shape
    bool of_whole_only = false;
  };
  void add(const std::vector<double>& weights);

  std::vector<PlanShape> shapes_;
  std::vector<PlanClass> classes_;
  std::vector<Weights> weights_;
};

}  // namespace analysis
