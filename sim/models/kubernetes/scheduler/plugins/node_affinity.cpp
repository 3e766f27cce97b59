#include "sim/models/kubernetes/scheduler/plugins/node_affinity.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>

#include "sim/models/kubernetes/api/integer_text.hpp"

namespace sim::k8s::scheduling::node_affinity {

namespace {

/// metadata.name is the only field; the API allows In and NotIn for it.
bool matches_field(const Requirement& field, Symbol node) {
  const bool listed = std::find(field.values.begin(), field.values.end(), node) != field.values.end();
  return field.op == SelectorOperator::kIn ? listed : field.op == SelectorOperator::kNotIn && !listed;
}

bool matches_term(const NodeSelectorTerm& term, const Labels& labels, Symbol node, const Interner& names) {
  if (term.match_expressions.empty() && term.match_fields.empty()) return false;
  return std::all_of(term.match_expressions.begin(), term.match_expressions.end(),
                     [&](const Requirement& requirement) { return requirement.matches(labels, names); }) &&
         std::all_of(term.match_fields.begin(), term.match_fields.end(),
                     [&](const Requirement& field) { return matches_field(field, node); });
}

bool matches_any(const std::vector<NodeSelectorTerm>& terms, const Labels& labels, Symbol node, const Interner& names) {
  return std::any_of(terms.begin(), terms.end(), [&](const NodeSelectorTerm& term) { return matches_term(term, labels, node, names); });
}

bool matches_added(const Affinity* added, const Labels& labels, Symbol node, const Interner& names) {
  return added == nullptr || !added->has_required_node_affinity || matches_any(added->required_node_terms, labels, node, names);
}

std::int64_t sum_of_matches(const std::vector<PreferredNodeTerm>& terms, const Labels& labels, Symbol node, const Interner& names) {
  std::int64_t sum = 0;
  for (const PreferredNodeTerm& preferred : terms) {
    if (preferred.weight != 0 && matches_term(preferred.term, labels, node, names)) sum += preferred.weight;
  }
  return sum;
}

constexpr std::size_t kLabelValueMax = 63;

bool is_alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// As Go's %q writes it, but for characters that cannot be printed.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

/// Why the text can be no label's value; empty when it can.
std::string label_value_problem(std::string_view text) {
  std::string problem;
  if (text.size() > kLabelValueMax) problem = fmt::format("must be no more than {} bytes", kLabelValueMax);
  const auto may = [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; };
  if (text.empty() || (is_alnum(text.front()) && is_alnum(text.back()) && std::all_of(text.begin(), text.end(), may))) return problem;
  if (!problem.empty()) problem += "; ";
  problem +=
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
      "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
  return problem;
}

}  // namespace

std::string unreadable_preference(const PodSpec& pod, const Interner& names) {
  if (!pod.affinity) return {};
  std::vector<std::string> problems;
  const auto add = [&](std::string problem) {
    if (std::find(problems.begin(), problems.end(), problem) == problems.end()) problems.push_back(std::move(problem));
  };
  const std::vector<PreferredNodeTerm>& terms = pod.affinity->preferred_node_terms;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (terms[i].weight == 0) continue;
    const std::vector<Requirement>& expressions = terms[i].term.match_expressions;
    for (std::size_t j = 0; j < expressions.size(); ++j) {
      const Requirement& requirement = expressions[j];
      const bool compares = requirement.op == SelectorOperator::kGt || requirement.op == SelectorOperator::kLt;
      for (std::size_t k = 0; compares && k < requirement.values.size(); ++k) {
        const std::string& value = names.text(requirement.values[k]);
        if (parse_integer(value)) continue;
        add(fmt::format("[{}].matchExpressions[{}].values[{}]: Invalid value: {}: for 'Gt', 'Lt' operators, the value must be an integer", i, j, k, quoted(value)));
      }
      for (std::size_t k = 0; k < requirement.values.size(); ++k) {
        const std::string& value = names.text(requirement.values[k]);
        const std::string problem = label_value_problem(value);
        if (problem.empty()) continue;
        add(fmt::format("[{}].matchExpressions[{}].values[{}][{}]: Invalid value: {}: {}", i, j, k, names.text(requirement.key), quoted(value), problem));
      }
    }
  }
  if (problems.size() < 2) return problems.empty() ? std::string() : problems.front();
  return fmt::format("[{}]", fmt::join(problems, ", "));
}

bool has_required(const PodSpec& pod) {
  return !pod.node_selector.empty() || (pod.affinity && pod.affinity->has_required_node_affinity);
}

bool has_preferred(const PodSpec& pod, const Affinity* added) {
  return (pod.affinity && !pod.affinity->preferred_node_terms.empty()) || (added != nullptr && !added->preferred_node_terms.empty());
}

bool matches_required(const PodSpec& pod, const Labels& labels, Symbol node, const Interner& names) {
  for (const Labels::Pair& pair : pod.node_selector) {
    const std::optional<Symbol> value = labels.find(pair.key);
    if (!value || *value != pair.value) return false;
  }
  if (!pod.affinity || !pod.affinity->has_required_node_affinity) return true;
  return matches_any(pod.affinity->required_node_terms, labels, node, names);
}

StatusId filter(const PodSpec& pod, const Affinity* added, const Labels& labels, Symbol node, const Interner& names) {
  if (!matches_added(added, labels, node, names)) return kStatusNodeAffinityEnforced;
  return matches_required(pod, labels, node, names) ? kFits : StatusId{kStatusNodeAffinity};
}

std::optional<std::vector<Symbol>> node_names(const PodSpec& pod, const WellKnown& well_known, const Interner& names) {
  if (!pod.affinity || !pod.affinity->has_required_node_affinity || pod.affinity->required_node_terms.empty()) return std::nullopt;
  std::vector<Symbol> all;
  for (const NodeSelectorTerm& term : pod.affinity->required_node_terms) {
    std::optional<std::vector<Symbol>> of_term;
    for (const Requirement& field : term.match_fields) {
      if (field.key != well_known.metadata_name || field.op != SelectorOperator::kIn) continue;
      if (!of_term) {
        of_term = field.values;
      } else {
        std::erase_if(*of_term, [&](Symbol name) { return std::find(field.values.begin(), field.values.end(), name) == field.values.end(); });
      }
    }
    if (!of_term) return std::nullopt;  // terms are alternatives: this one allows any node
    all.insert(all.end(), of_term->begin(), of_term->end());
  }
  // A set of strings in Go, walked in random order there and by name here.
  std::sort(all.begin(), all.end(), [&](Symbol a, Symbol b) { return names.text(a) < names.text(b); });
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::int64_t preference(const PodSpec& pod, const Affinity* added, const Labels& labels, Symbol node, const Interner& names) {
  return (pod.affinity ? sum_of_matches(pod.affinity->preferred_node_terms, labels, node, names) : 0) +
         (added != nullptr ? sum_of_matches(added->preferred_node_terms, labels, node, names) : 0);
}

bool is_worth_retrying(const PodInfo& pod, const Affinity* added, const ClusterEvent& event, const Interner& names) {
  if (event.action == Action::kNodeTaint) return true;  // registered by the scheduler itself, without a hint
  if (!matches_added(added, event.node_after->labels, event.node_name, names)) return false;
  const bool before = event.node_before != nullptr && matches_required(*pod.spec, event.node_before->labels, event.node_name, names);
  return !before && matches_required(*pod.spec, event.node_after->labels, event.node_name, names);
}

}  // namespace sim::k8s::scheduling::node_affinity
