/// Collects what cannot be right about one entry of a scenario's `faults` or `expect`, once the world that it speaks of is there.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/diagnostic.hpp"

namespace chaos {

class Problems {
 public:
  /// `what` names the entry: "fault 'crash'".
  Problems(sim::scenario::Diagnostics& diagnostics, sim::scenario::Place place, std::string what)
      : diagnostics_(diagnostics), place_(std::move(place)), what_(std::move(what)) {}

  void error(std::string_view message);
  /// The same at another place: in a file that the entry names.
  void error_at(const sim::scenario::Place& place, std::string_view message);
  /// Possible, but hardly what was meant.
  void warning(std::string_view message, std::string hint);
  /// "fault 'crash': no node 'w33'", with the nearest of what there is.
  void unknown(std::string_view thing, std::string_view name, std::span<const std::string> candidates);
  bool any() const { return any_; }

 private:
  sim::scenario::Diagnostics& diagnostics_;
  sim::scenario::Place place_;
  std::string what_;
  bool any_ = false;
};

}  // namespace chaos
