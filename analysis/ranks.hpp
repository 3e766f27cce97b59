/// The processes that share one job (under MPI). Rank 0 decides, prints and writes; the others compute for it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace analysis {

class Ranks {
 public:
  virtual ~Ranks() = default;
  virtual std::size_t rank() const = 0;
  virtual std::size_t size() const = 0;
  /// Called by all: on rank 0 what each one gave, by rank; empty on the others.
  virtual std::vector<std::string> gather(const std::string& mine) = 0;
  /// Called by all: what rank 0 gave.
  virtual std::string broadcast(const std::string& of_rank_0) = 0;
};

}  // namespace analysis
