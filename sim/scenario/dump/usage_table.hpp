/// The tables of `kubectl top pods`, as printed or as CSV: what pods use.
///
/// Leaves out: other tables of kubectl (they are told), `kubectl top nodes` (the nodes' use is that of their pods).
/// Checked by: tests/scenario/dump_test.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/diagnostic.hpp"

namespace sim::scenario::dump {

struct PodUsage {
  std::string ns;  // empty: the table does not say
  std::string name;
  std::int64_t cpu_milli = 0;
  std::int64_t memory = 0;
};

struct Table {
  std::vector<PodUsage> pods;
  bool is_of_pods = false;  // `kubectl top pods`; otherwise what it is of is in `columns`
  std::string columns;
};

/// Whether a text begins with the head of a table that kubectl prints.
bool is_table(std::string_view text);
/// Lines that are no rows of it are errors with their place.
Table read_table(const std::string& name, std::string_view text, Diagnostics& diagnostics);

}  // namespace sim::scenario::dump
