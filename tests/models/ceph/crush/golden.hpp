/// The golden data of crushtool and osdmaptool: a part of it in tests/data/crush, all of it beside the repository where it is there.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "sim/models/ceph/crush/text_map.hpp"

namespace golden {

inline std::filesystem::path part() { return std::filesystem::path(SQUALL_SOURCE_DIR) / "tests/data/crush"; }

/// ../shared/calibration/crush beside the repository, or $SQUALL_SHARED_CALIBRATION/crush. Empty when it is not there; in CI that is a failure.
inline std::filesystem::path whole() {
  const char* given = std::getenv("SQUALL_SHARED_CALIBRATION");
  const std::filesystem::path path =
      (given != nullptr ? std::filesystem::path(given) : std::filesystem::path(SQUALL_SOURCE_DIR) / "../shared/calibration") / "crush";
  if (std::filesystem::exists(path / "hash-golden.txt")) return path;
  const char* ci = std::getenv("CI");
  if (ci != nullptr && std::string(ci) == "true") ADD_FAILURE() << "the complete golden data is absent: " << path;
  return {};
}

inline std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) found.push_back(line);
  return found;
}

/// "07-99osd-gaps" and so on, in order.
inline std::vector<std::string> cases() {
  std::vector<std::string> found;
  const std::string suffix = ".map.txt";
  for (const auto& entry : std::filesystem::directory_iterator(part())) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(suffix)) found.push_back(name.substr(0, name.size() - suffix.size()));
  }
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found.size(), 10U);
  return found;
}

inline sim::ceph::crush::CrushMap map_of(const std::string& text) {
  std::vector<sim::ceph::crush::TextProblem> problems;
  auto map = sim::ceph::crush::read_text_map(text, problems);
  for (const auto& problem : problems) ADD_FAILURE() << problem.line << ":" << problem.column << ": " << problem.message;
  return map ? *map : sim::ceph::crush::CrushMap();
}

/// The first line that differs, rather than two long texts.
inline void expect_equal_lines(const std::vector<std::string>& want, const std::vector<std::string>& got, const std::string& what) {
  for (std::size_t i = 0; i < want.size() || i < got.size(); ++i) {
    const std::string wanted = i < want.size() ? want[i] : "(end)";
    const std::string here = i < got.size() ? got[i] : "(end)";
    if (wanted == here) continue;
    ADD_FAILURE() << what << " line " << i + 1 << "\n  want " << wanted << "\n  got  " << here;
    return;
  }
}

}  // namespace golden
