/// Options that run, test and compare share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/time.hpp"

namespace CLI {
class App;
}

namespace cli {

struct RunFlags {
  std::vector<std::string> overrides;
  std::optional<std::uint64_t> seed;
  std::string until_text;
  std::size_t replications = 1;
  std::size_t jobs = 0;  // 0: as many as there are processors
  std::string output;
  std::string format = "text";
  bool quiet = false;

  /// --until as an instant; empty when it was not given.
  std::optional<sim::SimTime> until() const;
  std::size_t threads() const;
};

/// For CLI11's check(): empty when the text is a seed, else why not. (CLI11 itself would take -1 for 2^64 - 1.)
std::string is_seed(const std::string& text);
/// Adds --set.
void add_overrides(CLI::App& command, std::vector<std::string>& overrides);
/// Adds --set, --seed, --until, --jobs, -o, --format, --quiet.
void add_run_flags(CLI::App& command, RunFlags& flags);

}  // namespace cli
