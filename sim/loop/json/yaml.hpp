/// YAML (and JSON) text into a value, by the reader of scenarios.
#pragma once

#include <optional>
#include <string>

#include "sim/loop/json/json.hpp"
#include "sim/scenario/document.hpp"

namespace sim::loop {

Json to_json(const scenario::Node& node);
/// The first document of the text; what is wrong goes to `error`.
std::optional<Json> parse_yaml(std::string text, std::string& error);

}  // namespace sim::loop
