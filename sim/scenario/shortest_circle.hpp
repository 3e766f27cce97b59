/// The shortest way round among things that need each other: what a person is told of a circular dependency.
///
/// Checked by: tests/scenario/webhooks_test.cpp, tests/scenario/cycles_test.cpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <vector>

namespace sim::scenario {

/// From `start` on, each thing needing the next one and the last one `start`, by the fewest steps; empty when there is no way.
/// `needs_of(thing)`: what it needs, in the order in which ties are settled.
template <class NeedsOf>
std::vector<std::size_t> shortest_circle(std::size_t start, const NeedsOf& needs_of) {
  std::map<std::size_t, std::size_t> from;
  std::deque<std::size_t> open{start};
  while (!open.empty()) {
    const std::size_t at = open.front();
    open.pop_front();
    for (const std::size_t next : needs_of(at)) {
      if (next == start) {
        std::vector<std::size_t> circle{at};
        while (circle.back() != start) circle.push_back(from.at(circle.back()));
        std::reverse(circle.begin(), circle.end());
        return circle;
      }
      if (from.emplace(next, at).second) open.push_back(next);
    }
  }
  return {};
}

}  // namespace sim::scenario
