/// Why something happened: the id of the log record that led to it.
#pragma once

#include <compare>
#include <cstdint>

namespace sim {

/// Index + 1 of a record in the EventLog; 0 = no cause (the start of the world).
struct CauseId {
  std::uint32_t value = 0;
  friend constexpr auto operator<=>(CauseId, CauseId) = default;
  constexpr explicit operator bool() const { return value != 0; }
};

}  // namespace sim
