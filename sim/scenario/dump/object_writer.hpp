/// Writes an object of a dump as block YAML: what is wanted of it, and counts what is not.
///
/// Scalars are written so that every reader takes them for what they were: what YAML 1.1 (kubectl) or 1.2 would take for a number, a truth value or a date is
/// quoted when it is a string.
///
/// Checked by: tests/scenario/object_writer_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "sim/scenario/document.hpp"

namespace sim::scenario::dump {

/// Which parts of an object are kept. Written as "metadata(name,labels*),spec*": a key with what is wanted below it, `*` for all of it; items of lists are
/// looked through.
class Selection {
 public:
  static Selection everything();
  static Selection parse(std::string_view text);

  bool is_everything() const { return everything_; }
  /// What is wanted below a key; null: nothing.
  const Selection* below(std::string_view key) const;

 private:
  static Selection parse_list(std::string_view text, std::size_t& at);
  bool everything_ = false;
  std::map<std::string, Selection, std::less<>> below_;
};

/// How often a field was left out, by its path ("Pod.spec.containers.env").
using FieldCounts = std::map<std::string, std::uint64_t, std::less<>>;

/// A scalar in YAML: plain where that is safe, else quoted.
std::string yaml_scalar(std::string_view text, bool is_string);

/// Appends `node` as the value of a key at `indent` columns (a map begins on the next line). What `selection` does not want is counted under `path`.
void write_yaml(std::string& to, Node node, const Selection& selection, std::size_t indent, const std::string& path, FieldCounts& left_out);

/// Appends the keys of a map at `indent`.
void write_yaml_map(std::string& to, Node map, const Selection& selection, std::size_t indent, const std::string& path, FieldCounts& left_out);

}  // namespace sim::scenario::dump
