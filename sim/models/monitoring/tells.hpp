/// Whom a message reaches.
#pragma once

#include <cstdint>

namespace sim::monitoring {

/// A person at once, a queue that somebody reads in the morning, or nobody.
enum class Tells : std::uint8_t { kNobody, kNotice, kAlert };

}  // namespace sim::monitoring
