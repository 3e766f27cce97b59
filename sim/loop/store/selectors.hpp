/// Label and field selectors of requests, read and matched on documents.
///
/// Source:     apimachinery pkg/labels/selector.go (Parse), pkg/fields/selector.go (ParseSelector); the field labels of pkg/registry/<group>/<kind>/strategy.go.
/// Leaves out: label selectors with `<` and `>` compare integers only (as upstream).
/// Checked by: tests/loop/api_test.cpp.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loop/json/json.hpp"

namespace sim::loop {

class LabelQuery {
 public:
  /// "a=b,c!=d,e in (f,g),!h"; the error in upstream's words where it has one.
  static std::optional<LabelQuery> parse(std::string_view text, std::string& error);
  bool is_empty() const { return terms_.empty(); }
  bool matches(const Json& document) const;

 private:
  enum class Operator { kIn, kNotIn, kExists, kAbsent, kGreater, kLess };
  struct Term {
    std::string key;
    Operator op = Operator::kExists;
    std::vector<std::string> values;
  };
  friend class LabelParser;
  std::vector<Term> terms_;
};

class FieldQuery {
 public:
  /// "metadata.name=a,status.phase!=Running".
  static std::optional<FieldQuery> parse(std::string_view text, std::string& error);
  bool is_empty() const { return terms_.empty(); }
  bool matches(const Json& document) const;
  /// The first field that objects of this kind cannot be selected by; empty: all can. Of a custom resource: metadata.name and .namespace, and `also`.
  std::string unsupported(std::string_view kind, const std::vector<std::string>& also = {}) const;
  /// The value that metadata.name must have, if it must.
  std::optional<std::string> name() const;

 private:
  struct Term {
    std::string field;
    std::string value;
    bool equal = true;
  };
  std::vector<Term> terms_;
};

/// A metav1.LabelSelector (of an object's spec) on the labels of a document.
bool selector_matches(const Json& selector, const Json& labels);

}  // namespace sim::loop
