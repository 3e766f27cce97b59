#include "sim/models/kubernetes/api/labels.hpp"

#include <algorithm>

#include "sim/models/kubernetes/api/integer_text.hpp"

namespace sim::k8s {

namespace {

bool by_key(const Labels::Pair& pair, Symbol key) { return pair.key < key; }

}  // namespace

void Labels::set(Symbol key, Symbol value) {
  const auto place = std::lower_bound(pairs_.begin(), pairs_.end(), key, by_key);
  if (place != pairs_.end() && place->key == key) {
    place->value = value;
  } else {
    pairs_.insert(place, Pair{key, value});
  }
}

bool Labels::erase(Symbol key) {
  const auto place = std::lower_bound(pairs_.begin(), pairs_.end(), key, by_key);
  if (place == pairs_.end() || place->key != key) return false;
  pairs_.erase(place);
  return true;
}

std::optional<Symbol> Labels::find(Symbol key) const {
  const auto place = std::lower_bound(pairs_.begin(), pairs_.end(), key, by_key);
  if (place == pairs_.end() || place->key != key) return std::nullopt;
  return place->value;
}

bool Requirement::matches(const Labels& labels, const Interner& names) const {
  const std::optional<Symbol> value = labels.find(key);
  const auto listed = [&] { return std::find(values.begin(), values.end(), *value) != values.end(); };
  switch (op) {
    case SelectorOperator::kIn: return value && listed();
    case SelectorOperator::kNotIn: return !value || !listed();
    case SelectorOperator::kExists: return value.has_value();
    case SelectorOperator::kDoesNotExist: return !value.has_value();
    case SelectorOperator::kGt:
    case SelectorOperator::kLt: {
      if (!value || values.size() != 1) return false;
      const auto left = parse_integer(names.text(*value));
      const auto right = parse_integer(names.text(values.front()));
      if (!left || !right) return false;
      return op == SelectorOperator::kGt ? *left > *right : *left < *right;
    }
  }
  return false;
}

bool LabelSelector::matches(const Labels& labels, const Interner& names) const {
  return std::all_of(requirements.begin(), requirements.end(),
                     [&](const Requirement& requirement) { return requirement.matches(labels, names); });
}

const char* to_string(TaintEffect effect) {
  switch (effect) {
    case TaintEffect::kNone: return "";
    case TaintEffect::kNoSchedule: return "NoSchedule";
    case TaintEffect::kPreferNoSchedule: return "PreferNoSchedule";
    case TaintEffect::kNoExecute: return "NoExecute";
  }
  return "";
}

bool Toleration::tolerates(const Taint& taint) const {
  if (effect != TaintEffect::kNone && effect != taint.effect) return false;
  if (key && key != taint.key) return false;
  return exists || value == taint.value;
}

bool tolerates(const std::vector<Toleration>& tolerations, const Taint& taint) {
  return std::any_of(tolerations.begin(), tolerations.end(), [&](const Toleration& t) { return t.tolerates(taint); });
}

}  // namespace sim::k8s
