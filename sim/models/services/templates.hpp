/// Services that everybody knows, by name: `like: galera`. Each is a piece of the section `services:`, as a user would write it; what a scenario says
/// itself goes before it, value by value.
///
/// Checked by: tests/scenario/services_section_test.cpp.
#pragma once

#include <string_view>
#include <vector>

namespace sim::services {

struct Template {
  std::string_view name;
  std::string_view doc;     // what it is, and where its numbers come from
  std::string_view fields;  // YAML, one line
};

const std::vector<Template>& templates();

}  // namespace sim::services
