/// CRUSH maps as text: what `crushtool -d` writes and `crushtool -c` reads.
///
/// Reading a text gives the map that crushtool compiles from it, to the last weight and shadow id. All problems are collected with their places.
/// Stricter than crushtool, which accepts these and makes something else of them: two devices of one id, numbers that do not fit, uniform buckets without
/// weight, shadow ids that are taken. Keywords need blanks between them.
///
/// Source:     Ceph v16.2.15 src/crush/CrushCompiler.cc, grammar.h; reference platform 3.7.
/// Leaves out: MSR rules (Ceph 19), refused by name; numeric rule types.
/// Checked by: tests/models/ceph/crush/text_map_test.cpp, golden_test.cpp; tests/crush/differential.py against crushtool.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/models/ceph/crush/crush_map.hpp"

namespace sim::ceph::crush {

/// One thing that is wrong in a text.
struct TextProblem {
  std::uint32_t line = 0;  // from 1
  std::uint32_t column = 0;
  std::string message;
  std::string word;                  // what stands there, for "did you mean"
  std::vector<std::string> choices;  // what could stand there; may be empty
};

/// Nothing when there are problems.
std::optional<CrushMap> read_text_map(std::string_view text, std::vector<TextProblem>& problems);

/// As which release's crushtool writes: 16 gives weights with 3 digits and rules with min_size and max_size, 18 with 5 digits and without.
enum class TextStyle : std::uint8_t { kPacific, kReef };
std::string write_text_map(const CrushMap& map, TextStyle style = TextStyle::kPacific);

}  // namespace sim::ceph::crush
