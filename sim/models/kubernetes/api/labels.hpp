/// Labels, selectors, taints and tolerations, with the matching rules of the API server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/symbol.hpp"
#include "sim/core/time.hpp"

namespace sim::k8s {

/// Key/value pairs sorted by key symbol, keys unique.
class Labels {
 public:
  struct Pair {
    Symbol key;
    Symbol value;
    friend bool operator==(const Pair&, const Pair&) = default;
  };
  void set(Symbol key, Symbol value);
  bool erase(Symbol key);
  /// The value, or empty when the key is absent (a present key may have the empty value Symbol{}).
  std::optional<Symbol> find(Symbol key) const;
  bool has(Symbol key) const { return find(key).has_value(); }
  auto begin() const { return pairs_.begin(); }
  auto end() const { return pairs_.end(); }
  std::size_t size() const { return pairs_.size(); }
  bool empty() const { return pairs_.empty(); }
  friend bool operator==(const Labels&, const Labels&) = default;

 private:
  std::vector<Pair> pairs_;
};

enum class SelectorOperator : std::uint8_t { kIn, kNotIn, kExists, kDoesNotExist, kGt, kLt };

/// One `matchExpressions` entry. Gt and Lt exist for nodes only and compare int64.
struct Requirement {
  Symbol key;
  SelectorOperator op = SelectorOperator::kIn;
  std::vector<Symbol> values;
  /// NotIn and DoesNotExist match when the key is absent. `names` is needed for Gt/Lt only.
  bool matches(const Labels& labels, const Interner& names) const;
  friend bool operator==(const Requirement&, const Requirement&) = default;
};

/// metav1.LabelSelector. matchLabels is kept as In requirements. Present but empty selects everything.
struct LabelSelector {
  std::vector<Requirement> requirements;
  bool is_empty() const { return requirements.empty(); }
  bool matches(const Labels& labels, const Interner& names) const;
  friend bool operator==(const LabelSelector&, const LabelSelector&) = default;
};

enum class TaintEffect : std::uint8_t { kNone, kNoSchedule, kPreferNoSchedule, kNoExecute };
const char* to_string(TaintEffect effect);

struct Taint {
  Symbol key;
  Symbol value;
  TaintEffect effect = TaintEffect::kNoSchedule;
  friend bool operator==(const Taint&, const Taint&) = default;
};

struct Toleration {
  Symbol key;                                // empty: all keys
  bool exists = false;                       // operator Exists; otherwise Equal
  Symbol value;
  TaintEffect effect = TaintEffect::kNone;   // kNone: all effects
  std::optional<std::int64_t> seconds;       // tolerationSeconds, for NoExecute
  /// Source: staging/src/k8s.io/api/core/v1/toleration.go (ToleratesTaint). An empty key with operator Equal compares values only.
  bool tolerates(const Taint& taint) const;
  friend bool operator==(const Toleration&, const Toleration&) = default;
};

bool tolerates(const std::vector<Toleration>& tolerations, const Taint& taint);

}  // namespace sim::k8s
