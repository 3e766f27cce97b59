/// A table as kubectl prints it: columns in capitals, three spaces between them, nothing behind the last.
///
/// Source: k8s.io/cli-runtime printers (tabwriter, padding 3); apimachinery duration.HumanDuration.
/// Checked by: tests/models/kubernetes/kubectl_views_test.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/core/time.hpp"

namespace sim::k8s::views {

struct TextTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  /// Empty without rows: kubectl then says "No resources found".
  std::string text() const;
};

/// An age as kubectl shows it: "45s", "5m12s", "3h4m", "26h", "5d3h", "400d".
std::string human_duration(SimDuration age);

}  // namespace sim::k8s::views
