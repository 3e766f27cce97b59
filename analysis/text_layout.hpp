/// Small pieces of text that several outputs for people share.
#pragma once

#include <string>
#include <string_view>

#include "sim/core/time.hpp"

namespace analysis {

/// An instant to the second, "1h 10m 42s": the steps of a chain of causes lie seconds apart. Days and hours beyond a day.
std::string instant(sim::SimTime time);

/// At most `width` columns, the last one "…" where something was cut. Cuts between characters, never inside of one.
std::string cut(std::string_view content, std::size_t width);

}  // namespace analysis
