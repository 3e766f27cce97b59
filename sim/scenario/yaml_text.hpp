/// Text of others on its way into YAML.
#pragma once

#include <string>
#include <string_view>

namespace sim::scenario {

/// A double-quoted scalar: read as the string that it is, whatever is in it.
std::string yaml_quoted(std::string_view text);

}  // namespace sim::scenario
