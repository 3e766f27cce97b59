/// Small pieces of text that several outputs for people share.
#pragma once

#include <string>
#include <string_view>

#include "chaos/verdict.hpp"
#include "sim/core/time.hpp"

namespace analysis {

/// An instant to the second, "1h 10m 42s": the steps of a chain of causes lie seconds apart. Days and hours beyond a day.
std::string instant(sim::SimTime time);

/// At most `width` columns, the last one "…" where something was cut. Cuts between characters, never inside of one.
std::string cut(std::string_view content, std::size_t width);

/// "availability >= 99.90 %, measured 98.25 %"
std::string measure_line(const chaos::Measure& measure);

/// What else had a part in something, in one line: whose it is, unless the message names it, and the fault behind it, unless that is `fault` too.
std::string contributing_line(const chaos::CauseStep& also, std::string_view fault, std::size_t width);

}  // namespace analysis
