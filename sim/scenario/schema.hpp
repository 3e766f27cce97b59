/// The JSON Schema of a scenario, for editors, and its reference documentation: both from the fields that read it.
///
/// Leaves out: what a key must be for another one's sake (a schema cannot say it), and which keys must be given inside of entries, because a
/// scenario that extends another one gives only what it changes.
/// Checked by: tests/scenario/schema_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "sim/scenario/fields.hpp"

namespace sim::scenario {

/// The alternatives of a section that another layer reads: `faults`, `expect`.
struct SectionSchema {
  std::string key;
  std::vector<VariantInfo> variants;
};

/// Draft 2020-12, indented, with a newline at the end.
std::string json_schema(const std::vector<SectionSchema>& sections = {});
/// The text of docs/scenario.md.
std::string scenario_reference();

}  // namespace sim::scenario
