/// Paths into a scenario, as `--set` takes them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sim::scenario {

/// "pools.workers[2].labels.a\.b" in its steps; an index stands as "[2]". False when it is no path, or one of more than 100 steps.
bool split_path(std::string_view path, std::vector<std::string>& steps);

}  // namespace sim::scenario
