#include "sim/scenario/manifests/object_reader.hpp"

#include <algorithm>
#include <iterator>

#include "sim/models/kubernetes/api/integer_text.hpp"

namespace sim::scenario::manifests {

namespace {

constexpr std::size_t kAnnotationBytes = 256;

}  // namespace

Labels ObjectReader::labels(Yaml parent, std::string_view key, bool are_labels) {
  Labels result;
  const Yaml node = map(parent, key);
  for (std::size_t i = 0; i < node.size(); ++i) {
    const Yaml value = node.value(i);
    if (!value.is_null() && !value.is_string()) {
      Diagnostic& d = wrong(value, "a string");
      if (value.is_scalar()) d.hint = fmt::format("with quotes: \"{}\"", value.text());
      continue;
    }
    if (are_labels && !is_label_key(node.key(i).text())) {
      impossible(node.key(i), fmt::format("'{}' is no valid label key", node.key(i).text()));
      continue;
    }
    if (are_labels && !is_label_value(value.text())) {
      impossible(value, fmt::format("'{}' is no valid label value", value.text())).expected =
          "at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends";
      continue;
    }
    if (!are_labels && value.text().size() > kAnnotationBytes) continue;
    result.set(intern(node.key(i).text()), intern(value.text()));
  }
  return result;
}

std::vector<Requirement> ObjectReader::expressions(Yaml parent, std::string_view key, bool of_nodes, Values values) {
  std::vector<Requirement> result;
  for (const Yaml node : maps(parent, key)) {
    Requirement requirement;
    requirement.key = symbol(node, "key");
    if (!requirement.key) impossible(node, "an expression needs 'key'");
    if (node.find("operator").is_null()) impossible(node, "an expression needs 'operator'");
    using Op = SelectorOperator;
    requirement.op = of_nodes ? word<Op>(node, "operator", {{"In", Op::kIn}, {"NotIn", Op::kNotIn}, {"Exists", Op::kExists},
                                                            {"DoesNotExist", Op::kDoesNotExist}, {"Gt", Op::kGt}, {"Lt", Op::kLt}})
                              : word<Op>(node, "operator", {{"In", Op::kIn}, {"NotIn", Op::kNotIn}, {"Exists", Op::kExists},
                                                            {"DoesNotExist", Op::kDoesNotExist}});
    requirement.values = strings(node, "values");
    const bool takes_none = requirement.op == Op::kExists || requirement.op == Op::kDoesNotExist;
    const bool takes_one = requirement.op == Op::kGt || requirement.op == Op::kLt;
    if (takes_none && !requirement.values.empty()) impossible(node.find("values"), "Exists and DoesNotExist take no values");
    if (!takes_none && requirement.values.empty() && !node.find("operator").is_null()) impossible(node, "this operator needs 'values'");
    if (takes_one && requirement.values.size() > 1) impossible(node.find("values"), "Gt and Lt take one value");
    check_requirement(node, requirement, key == "matchFields", values);
    result.push_back(std::move(requirement));
  }
  return result;
}

void ObjectReader::check_requirement(Yaml node, const Requirement& requirement, bool of_fields, Values values) {
  if (of_fields) {
    // ValidateNodeFieldSelectorRequirement
    if (requirement.key && names.text(requirement.key) != "metadata.name") {
      impossible(node.find("key"), fmt::format("'{}' is no field that can be selected by", names.text(requirement.key))).expected = "metadata.name";
    }
    const bool may = requirement.op == SelectorOperator::kIn || requirement.op == SelectorOperator::kNotIn;
    if (!may) impossible(node.find("operator"), "matchFields takes the operators In and NotIn");
    if (may && requirement.values.size() > 1) impossible(node.find("values"), "an expression of matchFields takes one value");
    return;
  }
  if (requirement.key && !is_label_key(names.text(requirement.key))) impossible(node.find("key"), fmt::format("'{}' is no valid label key", names.text(requirement.key)));
  if (values == Values::kAny) return;  // the scheduler stumbles over them (plugins/node_affinity.hpp)
  const bool compares = requirement.op == SelectorOperator::kGt || requirement.op == SelectorOperator::kLt;
  for (const Symbol value : requirement.values) {
    if (is_label_value(names.text(value))) {
      if (values == Values::kReadable && compares && !parse_integer(names.text(value))) {
        impossible(node.find("values"), fmt::format("'{}' is no number", names.text(value))).expected = "an integer, for Gt and Lt";
      }
      continue;
    }
    Diagnostic& d = impossible(node.find("values"), fmt::format("'{}' is no valid label value", names.text(value)));
    d.expected = "at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends";
    if (compares) d.hint = "so there are no negative numbers for Gt and Lt";
  }
}

LabelSelector ObjectReader::selector_of(Yaml node) {
  LabelSelector selector;
  const Labels pairs = labels(node, "matchLabels");
  for (const Labels::Pair& pair : pairs) selector.requirements.push_back(Requirement{pair.key, SelectorOperator::kIn, {pair.value}});
  std::vector<Requirement> more = expressions(node, "matchExpressions", false);
  std::move(more.begin(), more.end(), std::back_inserter(selector.requirements));
  return selector;
}

std::optional<LabelSelector> ObjectReader::optional_selector(Yaml parent, std::string_view key) {
  const Yaml node = map(parent, key);
  return node ? std::optional<LabelSelector>(selector_of(node)) : std::nullopt;
}

LabelSelector ObjectReader::workload_selector(Yaml spec, const PodTemplate& pods) {
  const Yaml node = map(spec, "selector");
  if (!node) {
    if (spec.find("selector").is_null()) impossible(spec, fmt::format("{} needs 'spec.selector'", kind_name));
    return {};
  }
  LabelSelector selector = selector_of(node);
  if (selector.is_empty()) {
    impossible(node, "the selector is empty");
  } else if (pods.spec && !selector.matches(pods.labels, names)) {
    impossible(node, "the selector does not match the labels of the template");
  }
  return selector;
}

}  // namespace sim::scenario::manifests
