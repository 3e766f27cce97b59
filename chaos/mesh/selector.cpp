#include "chaos/mesh/selector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "chaos/target.hpp"

namespace chaos::mesh {

using sim::Symbol;
using sim::World;
using sim::k8s::Pod;
using sim::k8s::Ref;
using sim::k8s::SelectorOperator;

namespace {

constexpr std::string_view kPhases[] = {"Pending", "Running", "Succeeded", "Failed", "Unknown"};
const std::vector<std::string>& known_fields() {
  static const std::vector<std::string> known = {"metadata.name", "metadata.namespace", "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "status.phase", "status.nominatedNodeName"};
  return known;
}

std::optional<int> whole_number(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

const char* to_text(sim::k8s::RestartPolicy policy) {
  switch (policy) {
    case sim::k8s::RestartPolicy::kAlways: return "Always";
    case sim::k8s::RestartPolicy::kOnFailure: return "OnFailure";
    case sim::k8s::RestartPolicy::kNever: return "Never";
  }
  return "";
}

/// Names that the world has not must not match what has no name either: they are interned.
sim::k8s::LabelSelector label_selector(const PodSelectorSpec& spec, sim::Interner& names) {
  sim::k8s::LabelSelector selector = to_selector(spec.labels, names);
  for (const ExpressionSpec& expression : spec.expressions) {
    sim::k8s::Requirement requirement;
    requirement.key = names.intern(expression.key);
    requirement.op = expression.op;
    for (const std::string& value : expression.values) requirement.values.push_back(names.intern(value));
    selector.requirements.push_back(std::move(requirement));
  }
  return selector;
}

std::vector<std::string> namespaces_of(const PodSelectorSpec& spec, const std::string& ns) { return spec.namespaces.empty() ? std::vector<std::string>{ns} : spec.namespaces; }

}  // namespace

void check_mode(const PodSelection& selection, Node node, Reader& reader) {
  const Node value = node.find("value");
  const auto wrong = [&](std::string message, std::string_view expected) {
    sim::scenario::Diagnostic& d = reader.diagnostics.error(value.is_null() ? node : value, std::move(message));
    d.expected = std::string(expected);
  };
  const std::optional<int> number = whole_number(selection.value);
  switch (selection.mode) {
    case Mode::kOne:
    case Mode::kAll: return;  // value says nothing then, there as here
    case Mode::kFixed:
      if (!number || *number <= 0) wrong("mode fixed needs 'value': how many", "a whole number above 0 in quotes, such as \"2\"");
      return;
    case Mode::kFixedPercent:
    case Mode::kRandomMaxPercent:
      if (!number || *number <= 0 || *number > 100) wrong("modes fixed-percent and random-max-percent need 'value': how many percent", "a whole number from \"1\" to \"100\" in quotes");
      return;
  }
}

void describe(Fields<ExpressionSpec>& fields) {
  fields.title("A set-based requirement on labels.")
      .add("key", &ExpressionSpec::key, "The label.").required()
      .choice("operator", &ExpressionSpec::op,
              std::vector<std::pair<std::string, SelectorOperator>>{{"In", SelectorOperator::kIn}, {"NotIn", SelectorOperator::kNotIn}, {"Exists", SelectorOperator::kExists}, {"DoesNotExist", SelectorOperator::kDoesNotExist}},
              "How it is compared.")
      .required()
      .add("values", &ExpressionSpec::values, "With what: In and NotIn.");
  fields.rule([](const ExpressionSpec& expression, Node node, Reader& reader) {
    const bool needs = expression.op == SelectorOperator::kIn || expression.op == SelectorOperator::kNotIn;
    if (needs && expression.values.empty()) reader.diagnostics.error(node, "In and NotIn need 'values'");
    if (!needs && !expression.values.empty()) reader.diagnostics.error(node.find("values"), "Exists and DoesNotExist have no 'values'");
  });
}

void describe(Fields<PodSelectorSpec>& fields) {
  fields.title("Which pods.")
      .add("namespaces", &PodSelectorSpec::namespaces, "Their namespaces; without it, the one of the resource.")
      .add("labelSelectors", &PodSelectorSpec::labels, "Labels that they have.")
      .add("expressionSelectors", &PodSelectorSpec::expressions, "Set-based requirements on their labels.")
      .add("annotationSelectors", &PodSelectorSpec::annotations, "Annotations that they have.")
      .custom("fieldSelectors", TypeInfo{.kind = TypeInfo::Kind::kStringMap}, fmt::format("Fields that they have: {}.", fmt::join(known_fields(), ", ")),
              [](Node node, PodSelectorSpec& to, Reader& reader) {
                if (!sim::scenario::detail::read_string_map(node, to.fields, reader)) return false;
                bool good = true;
                for (std::size_t i = 0; i < node.size(); ++i) {
                  const std::string key(node.key(i).text());
                  if (std::find(known_fields().begin(), known_fields().end(), key) != known_fields().end()) continue;
                  good = false;
                  if (key == "status.podIP" || key == "spec.serviceAccountName") {
                    reader.diagnostics.error(node.key(i), fmt::format("{}the field selector '{}'", kNotModelled, key));
                    continue;
                  }
                  sim::scenario::Diagnostic& d = reader.diagnostics.error(node.key(i), fmt::format("'{}' is no field of pods that can be selected by", key));
                  d.expected = fmt::format("one of: {}", fmt::join(known_fields(), ", "));
                  d.hint = sim::scenario::did_you_mean(key, known_fields());
                }
                return good;
              })
      .custom("podPhaseSelectors", TypeInfo{.kind = TypeInfo::Kind::kList, .element = std::make_shared<TypeInfo>(TypeInfo{.kind = TypeInfo::Kind::kString})},
              "Their phases: Pending, Running, Succeeded, Failed, Unknown; with ! before it, what they are not.",
              [](Node node, PodSelectorSpec& to, Reader& reader) {
                if (!sim::scenario::Codec<std::vector<std::string>>::read(node, to.phases, reader, "podPhaseSelectors")) return false;
                bool good = true;
                const std::vector<std::string> known(std::begin(kPhases), std::end(kPhases));
                for (std::size_t i = 0; i < to.phases.size(); ++i) {
                  const std::string phase = to.phases[i].starts_with('!') ? to.phases[i].substr(1) : to.phases[i];
                  if (std::find(known.begin(), known.end(), phase) != known.end()) continue;
                  sim::scenario::Diagnostic& d = reader.diagnostics.error(node.item(i), fmt::format("'{}' is no phase of pods", to.phases[i]));
                  d.expected = fmt::format("one of: {}", fmt::join(known, ", "));
                  d.hint = sim::scenario::did_you_mean(phase, known);
                  good = false;
                }
                return good;
              })
      .add("nodeSelectors", &PodSelectorSpec::node_labels, "Labels of the nodes that they run on.")
      .add("nodes", &PodSelectorSpec::nodes, "Nodes that they run on, by name; those of nodeSelectors come to them.")
      .custom("pods", TypeInfo{.kind = TypeInfo::Kind::kRaw}, "Pods by name: a map of namespaces to lists of names. Whatever else is given does not count then.",
              [](Node node, PodSelectorSpec& to, Reader& reader) {
                if (!sim::scenario::detail::expect_map(node, "pods", reader)) return false;
                bool good = true;
                for (std::size_t i = 0; i < node.size(); ++i) {
                  std::vector<std::string> names;
                  if (sim::scenario::Codec<std::vector<std::string>>::read(node.value(i), names, reader, "pods")) to.pods[std::string(node.key(i).text())] = std::move(names);
                  else good = false;
                }
                return good;
              });
  fields.rule([](const PodSelectorSpec& spec, Node node, Reader& reader) {
    if (spec.pods.empty()) return;
    for (const char* key : {"labelSelectors", "expressionSelectors", "annotationSelectors", "fieldSelectors", "podPhaseSelectors", "nodeSelectors", "nodes"}) {
      if (!node.find(key).is_null()) reader.diagnostics.warning(node.find(key), fmt::format("'{}' does not count: Chaos Mesh looks at nothing else where 'pods' is given", key));
    }
  });
}

void describe(Fields<PodSelection>& fields) {
  fields.title("Which pods, and how many of them.");
  describe_pods(fields);
}

std::vector<Ref<Pod>> select_pods(const PodSelection& selection, const std::string& ns, World& world, sim::RandomStream& random, std::string& why) {
  const PodSelectorSpec& spec = selection.selector;
  std::vector<Ref<Pod>> matching;
  if (!spec.pods.empty()) {
    for (const auto& [space, names] : spec.pods) {
      for (const std::string& name : names) {
        const Ref<Pod> ref = world.api.find<Pod>(world.names.find(space), world.names.find(name));
        if (world.api.get(ref) != nullptr) matching.push_back(ref);
      }
    }
  } else {
    std::vector<std::string> nodes = spec.nodes;
    for (const std::string& name : spec.nodes) {
      if (world.api.find<sim::k8s::Node>(Symbol{}, world.names.find(name))) continue;
      why = fmt::format("nodes \"{}\" not found", name);
      return {};
    }
    if (!spec.node_labels.empty()) {
      const sim::k8s::LabelSelector wanted = to_selector(spec.node_labels, world.names);
      world.api.all<sim::k8s::Node>().for_each([&](Ref<sim::k8s::Node>, const sim::k8s::Node& node) {
        if (wanted.matches(node.meta.labels, world.names)) nodes.push_back(world.names.text(node.meta.name));
      });
    }
    const bool by_node = !spec.nodes.empty() || !spec.node_labels.empty();
    const sim::k8s::LabelSelector labels = label_selector(spec, world.names);
    const sim::k8s::LabelSelector annotations = to_selector(spec.annotations, world.names);
    const std::vector<std::string> spaces = namespaces_of(spec, ns);
    const auto field = [&](const Pod& pod, const std::string& key) -> std::string {
      if (key == "metadata.name") return world.names.text(pod.meta.name);
      if (key == "metadata.namespace") return world.names.text(pod.meta.ns);
      if (key == "spec.nodeName") return world.names.text(pod.node_name);
      if (key == "spec.schedulerName") return world.names.text(pod.spec->scheduler_name);
      if (key == "spec.restartPolicy") return to_text(pod.spec->restart_policy);
      if (key == "status.nominatedNodeName") return world.names.text(pod.nominated_node);
      return sim::k8s::to_string(pod.phase);
    };
    const auto has_phase = [&](const Pod& pod) {
      const std::string phase = sim::k8s::to_string(pod.phase);
      bool any_wanted = false;
      bool is_wanted = false;
      for (const std::string& one : spec.phases) {
        if (one.starts_with('!')) {
          if (one.substr(1) == phase) return false;
          continue;
        }
        any_wanted = true;
        is_wanted = is_wanted || one == phase;
      }
      return !any_wanted || is_wanted;
    };
    world.api.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) {
      if (std::find(spaces.begin(), spaces.end(), world.names.text(pod.meta.ns)) == spaces.end()) return;
      if (!labels.matches(pod.meta.labels, world.names) || !annotations.matches(pod.meta.annotations, world.names)) return;
      if (by_node && std::find(nodes.begin(), nodes.end(), world.names.text(pod.node_name)) == nodes.end()) return;
      for (const auto& [key, value] : spec.fields) {
        if (field(pod, key) != value) return;
      }
      if (has_phase(pod)) matching.push_back(ref);
    });
  }
  std::sort(matching.begin(), matching.end(), [&](Ref<Pod> a, Ref<Pod> b) {
    const sim::k8s::ObjectMeta& x = world.api.all<Pod>().at(a).meta;
    const sim::k8s::ObjectMeta& y = world.api.all<Pod>().at(b).meta;
    return x.ns != y.ns ? world.names.text(x.ns) < world.names.text(y.ns) : world.names.text(x.name) < world.names.text(y.name);
  });
  matching.erase(std::unique(matching.begin(), matching.end()), matching.end());
  if (matching.empty()) {
    why = "no pod is selected";
    return {};
  }
  const int value = whole_number(selection.value).value_or(0);
  const auto share = [&](double percent) { return static_cast<std::int64_t>(std::ceil(static_cast<double>(matching.size()) * percent / 100.0)); };
  std::optional<std::int64_t> count;
  switch (selection.mode) {
    case Mode::kOne: count = 1; break;
    case Mode::kAll: break;
    case Mode::kFixed: count = value; break;
    case Mode::kFixedPercent: count = share(value); break;
    case Mode::kRandomMaxPercent: count = share(static_cast<double>(random.uniform_int(0, value))); break;
  }
  choose(matching, count, Pick::kRandom, random);
  if (matching.empty()) why = "no target has been selected";
  return matching;
}

void check_pods(const PodSelection& selection, const std::string& ns, World& world, const std::function<void(std::string)>& problem) {
  const PodSelectorSpec& spec = selection.selector;
  if (!spec.pods.empty()) {
    for (const auto& [space, names] : spec.pods) {
      for (const std::string& name : names) {
        PodTarget target;
        target.ns = space;
        target.pods = {name};
        sim::scenario::Diagnostics found;
        FaultEnvironment environment(world, {});
        Problems problems(found, selection.place, "selector");
        target.check(environment, problems);
        for (const sim::scenario::Diagnostic& one : found.sorted()) problem(one.hint.empty() ? one.message : one.message + "; " + one.hint);
      }
    }
    return;
  }
  for (const std::string& node : spec.nodes) {
    if (world.api.find<sim::k8s::Node>(Symbol{}, world.names.find(node))) continue;
    const std::string hint = sim::scenario::did_you_mean(node, node_names(world));
    problem(fmt::format("there is no node '{}'{}", node, hint.empty() ? std::string() : "; " + hint));
  }
  // The control plane's pods and those of nodes come with the start.
  const sim::k8s::LabelSelector labels = label_selector(spec, world.names);
  bool any = false;
  for (const std::string& space : namespaces_of(spec, ns)) {
    any = any || any_pod_can_match(world, world.names.intern(space), labels) || (space == "kube-system" && world.control_plane.member_count() > 0);
  }
  if (!any) problem(fmt::format("no pod or pod template {}", describe_selection(selection).empty() ? fmt::format("is in namespace '{}'", ns) : fmt::format("in {} has {}", fmt::join(namespaces_of(spec, ns), ", "), describe_selection(selection))));
}

std::string describe_selection(const PodSelection& selection) {
  const PodSelectorSpec& spec = selection.selector;
  std::string text = spec.labels.empty() ? std::string() : "the labels " + describe_selector(spec.labels);
  if (!spec.expressions.empty()) text += (text.empty() ? "the labels of " : " and ") + std::string("the expressions");
  return text;
}

}  // namespace chaos::mesh
