/// Label sets of series, each stored once: equal sets have equal ids, so matching and grouping compare integers.
///
/// Checked by: tests/models/monitoring/promql_test.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sim/core/symbol.hpp"

namespace sim::promql {

/// A set of labels of one LabelTable. LabelsId{} is the empty set.
struct LabelsId {
  std::uint32_t value = 0;
  friend constexpr auto operator<=>(LabelsId, LabelsId) = default;
};

using Label = std::pair<Symbol, Symbol>;  // name, value; a label with an empty value does not exist

class LabelTable {
 public:
  LabelTable();
  LabelTable(const LabelTable&) = delete;
  LabelTable& operator=(const LabelTable&) = delete;

  Interner& names() { return names_; }
  const Interner& names() const { return names_; }
  Symbol name_label() const { return name_label_; }  // "__name__"

  /// In any order; of two labels of one name the last counts.
  LabelsId intern(std::vector<Label> labels);
  LabelsId intern(std::initializer_list<std::pair<std::string_view, std::string_view>> labels);
  /// Sorted by the symbols of the names.
  std::span<const Label> of(LabelsId id) const { return sets_[id.value]; }
  /// Symbol{} when there is none.
  Symbol value(LabelsId id, Symbol name) const;
  LabelsId with(LabelsId id, Symbol name, Symbol value);
  LabelsId without_name(LabelsId id);
  /// Only the labels of these names (sorted); or all others.
  LabelsId keep(LabelsId id, std::span<const Symbol> names);
  LabelsId drop(LabelsId id, std::span<const Symbol> names);
  /// `metric{a="b", ...}`, names in alphabetical order.
  std::string text(LabelsId id) const;
  /// Labels by name in alphabetical order, the metric's name left out.
  std::vector<std::pair<std::string, std::string>> sorted(LabelsId id) const;
  std::string metric(LabelsId id) const { return names_.text(value(id, name_label_)); }

 private:
  struct Hash {
    std::size_t operator()(std::span<const Label> labels) const noexcept;
  };
  struct Equal {
    bool operator()(std::span<const Label> a, std::span<const Label> b) const noexcept;
  };
  LabelsId store(std::vector<Label> sorted);

  Interner names_;
  Symbol name_label_;
  std::deque<std::vector<Label>> sets_;
  std::unordered_map<std::span<const Label>, std::uint32_t, Hash, Equal> index_;  // look-up only
  std::unordered_map<std::uint32_t, std::uint32_t> nameless_;                     // look-up only
};

}  // namespace sim::promql
