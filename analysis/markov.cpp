#include "analysis/markov.hpp"

#include <Eigen/Dense>
#include <algorithm>

#include "sim/core/check.hpp"

namespace analysis {

std::vector<double> steady_state(const std::vector<std::vector<double>>& rates) {
  const auto size = static_cast<Eigen::Index>(rates.size());
  // pi Q = 0 with sum(pi) = 1: one balance equation follows from the others, so the normalisation takes its place.
  Eigen::MatrixXd equations(size, size);
  for (Eigen::Index to = 0; to < size; ++to) {
    for (Eigen::Index from = 0; from < size; ++from) {
      if (from != to) equations(to, from) = rates[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
    }
  }
  for (Eigen::Index from = 0; from < size; ++from) {
    double out = 0.0;
    for (Eigen::Index to = 0; to < size; ++to) {
      if (from != to) out += rates[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
    }
    equations(from, from) = -out;
  }
  equations.row(size - 1).setOnes();
  Eigen::VectorXd right = Eigen::VectorXd::Zero(size);
  right(size - 1) = 1.0;
  const Eigen::VectorXd shares = equations.fullPivLu().solve(right);
  return {shares.data(), shares.data() + size};
}

double k_of_n_availability(int needed, int machines, double failure_rate, double repair_rate, int repairers) {
  const auto states = static_cast<std::size_t>(machines) + 1;  // state: how many machines are down
  std::vector<std::vector<double>> rates(states, std::vector<double>(states, 0.0));
  for (std::size_t down = 0; down < states; ++down) {
    if (down + 1 < states) rates[down][down + 1] = static_cast<double>(states - 1 - down) * failure_rate;
    if (down > 0) rates[down][down - 1] = std::min(static_cast<double>(down), static_cast<double>(repairers)) * repair_rate;
  }
  const std::vector<double> shares = steady_state(rates);
  double available = 0.0;
  for (std::size_t down = 0; down + static_cast<std::size_t>(needed) < states; ++down) available += shares[down];
  return available;
}

ChainFigures chain_of_machines(const std::vector<MachineRates>& machines, const std::function<bool(std::uint32_t broken)>& works) {
  constexpr std::size_t kMachinesMax = 10;  // 1024 states: a dense matrix of 8 MiB
  SIM_CHECK(machines.size() <= kMachinesMax, "the caller asks for a small cluster");
  const std::size_t states = std::size_t{1} << machines.size();
  std::vector<std::vector<double>> rates(states, std::vector<double>(states, 0.0));
  for (std::size_t state = 0; state < states; ++state) {
    for (std::size_t i = 0; i < machines.size(); ++i) {
      const std::size_t bit = std::size_t{1} << i;
      rates[state][state ^ bit] = (state & bit) != 0 ? machines[i].repair : machines[i].failure;
    }
  }
  const std::vector<double> shares = steady_state(rates);
  ChainFigures figures;
  for (std::size_t state = 0; state < states; ++state) {
    if (!works(static_cast<std::uint32_t>(state))) continue;
    figures.availability += shares[state];
    for (std::size_t next = 0; next < states; ++next) {
      if (!works(static_cast<std::uint32_t>(next))) figures.failures += shares[state] * rates[state][next];
    }
  }
  return figures;
}

}  // namespace analysis
