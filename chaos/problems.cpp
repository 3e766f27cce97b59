#include "chaos/problems.hpp"

#include <fmt/format.h>

namespace chaos {

void Problems::error(std::string_view message) {
  any_ = true;
  diagnostics_.error(place_, fmt::format("{}: {}", what_, message));
}

void Problems::error_at(const sim::scenario::Place& place, std::string_view message) {
  any_ = true;
  diagnostics_.error(place.file == nullptr ? place_ : place, fmt::format("{}: {}", what_, message));
}

void Problems::warning(std::string_view message, std::string hint) {
  diagnostics_.warning(place_, fmt::format("{}: {}", what_, message)).hint = std::move(hint);
}

void Problems::unknown(std::string_view thing, std::string_view name, std::span<const std::string> candidates) {
  any_ = true;
  sim::scenario::Diagnostic& diagnostic = diagnostics_.error(place_, fmt::format("{}: there is no {} '{}'", what_, thing, name));
  diagnostic.hint = sim::scenario::did_you_mean(name, candidates);
  constexpr std::size_t kShown = 10;
  if (candidates.empty()) {
    diagnostic.expected = fmt::format("a {}, but there is none", thing);
  } else if (candidates.size() <= kShown) {
    diagnostic.expected = "one of:";
    for (const std::string& candidate : candidates) diagnostic.expected += (diagnostic.expected.back() == ':' ? " " : ", ") + candidate;
  }
}

}  // namespace chaos
