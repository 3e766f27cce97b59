/// Text of others on its way to a terminal, to JSON or to XML.
#pragma once

#include <string>
#include <string_view>

namespace sim::scenario {

enum class LineBreaks { kKept, kReplaced };

/// Puts '?' for bytes that are no UTF-8, and for characters that tell a terminal to do something or that XML cannot hold: control characters
/// (a tab is none; a line break is one unless it is kept), U+FFFE and U+FFFF. Its length in bytes stays.
std::string printable(std::string text, LineBreaks breaks = LineBreaks::kReplaced);

}  // namespace sim::scenario
