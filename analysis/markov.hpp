/// Closed forms that simulated availabilities are held against: continuous-time Markov chains, solved with Eigen.
///
/// Source: any text on queueing theory, for example Trivedi, Probability and Statistics with Reliability, Queuing and Computer Science Applications, chapter 8.
/// Checked by: tests/analysis/markov_test.cpp, which also simulates the same system with the engine; survival_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace analysis {

/// The long-run share of time in each state of an irreducible chain. `rates[i][j]` is the rate from state i to state j (i != j), per any unit of
/// time; the diagonal is ignored. The shares sum to 1. Needs a square matrix with at least one state.
std::vector<double> steady_state(const std::vector<std::vector<double>>& rates);

/// `machines` equal machines that fail with `failure_rate` each and are repaired by `repairers` people with `repair_rate` each (machine repair model): the
/// long-run probability that at least `needed` of them work. With needed = quorum this is the availability of an etcd or mon cluster.
double k_of_n_availability(int needed, int machines, double failure_rate, double repair_rate, int repairers);

/// Of one machine that fails and is repaired on its own.
struct MachineRates {
  double failure = 0.0;
  double repair = 0.0;
};
/// The share of time in which `works(broken)` holds, bit i of `broken` being machine i, and how often (per unit of time) it ceases to hold. The chain of all
/// 2^n states is solved as it is, without the product form that independence allows: what says so elsewhere can be held against it. At most 10 machines.
struct ChainFigures {
  double availability = 0.0;
  double failures = 0.0;
};
ChainFigures chain_of_machines(const std::vector<MachineRates>& machines, const std::function<bool(std::uint32_t broken)>& works);

}  // namespace analysis
