/// Which states a run passed through, as a set of hashes: two runs that differ in it did different things.
///
/// Features are: classes of records (kind, kind of subject) and how many of each (powers of two); pairs of cause and effect (kinds); states of placement
/// groups and how many are in each (powers of two); how many pods wait for the scheduler (powers of two); states of the lanes (a component without leader,
/// a degraded service, a node that is NotReady); how near each expectation came to its bound (powers of two).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "chaos/verdict.hpp"

namespace sim {
class World;
}

namespace chaos::hunt {

/// Looks at the world whenever something is recorded, and changes nothing.
class Coverage {
 public:
  explicit Coverage(sim::World& world);
  /// Sorted, each once.
  std::vector<std::uint64_t> features(const Verdict& verdict, const std::vector<double>& strain) const;

 private:
  struct Seen;
  std::shared_ptr<Seen> seen_;  // shared with the log's listener, which may outlive this
  sim::World& world_;
};

/// How near each expectation came to its bound: the greatest share of what its measures allow that was used.
std::vector<double> strain_of(const Verdict& verdict);

}  // namespace chaos::hunt
