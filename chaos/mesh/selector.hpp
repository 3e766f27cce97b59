/// Whom a resource of Chaos Mesh selects: pods (and containers of them) by namespaces, labels, annotations, fields, nodes, phases or names, and how many of them.
///
/// Source:     chaos-mesh api/v1alpha1/selector.go, pkg/selector (pods given by name leave every other selector out; a share is rounded up; which ones is drawn).
/// Leaves out: field selectors on podIP and serviceAccountName; the namespace scope of an installation (it is cluster-wide); the annotation
///             chaos-mesh.org/inject of namespaces (enableFilterNamespace is off by default).
/// Checked by: tests/chaos/mesh_reader_test.cpp, mesh_test.cpp.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "chaos/fault.hpp"
#include "chaos/mesh/values.hpp"
#include "sim/models/kubernetes/api/labels.hpp"

namespace chaos::mesh {

struct ExpressionSpec {
  std::string key;
  sim::k8s::SelectorOperator op = sim::k8s::SelectorOperator::kIn;
  std::vector<std::string> values;
};

struct PodSelectorSpec {
  std::vector<std::string> namespaces;
  std::map<std::string, std::string> labels;
  std::vector<ExpressionSpec> expressions;
  std::map<std::string, std::string> annotations;
  std::map<std::string, std::string> fields;
  std::vector<std::string> phases;
  std::map<std::string, std::string> node_labels;
  std::vector<std::string> nodes;
  std::map<std::string, std::vector<std::string>> pods;  // by namespace
};

enum class Mode : std::uint8_t { kOne, kAll, kFixed, kFixedPercent, kRandomMaxPercent };

/// `selector`, `mode`, `value`: what most kinds begin with.
struct PodSelection {
  sim::scenario::Place place;
  PodSelectorSpec selector;
  Mode mode = Mode::kOne;
  std::string value;
};
/// ... and `containerNames`.
struct ContainerSelection : PodSelection {
  std::vector<std::string> containers;
};

void describe(Fields<ExpressionSpec>& fields);
void describe(Fields<PodSelectorSpec>& fields);
/// `target` of NetworkChaos.
void describe(Fields<PodSelection>& fields);

/// Checks `mode` and `value` as the webhook does, and remembers the place.
void check_mode(const PodSelection& selection, Node node, Reader& reader);

template <class T>
void describe_pods(Fields<T>& fields) {
  fields.template custom("selector", sim::scenario::Codec<PodSelectorSpec>::type(), "Which pods: they satisfy everything that is given. Without namespaces, those of the resource's own.",
                         [](Node node, T& to, Reader& reader) {
                           to.PodSelection::place = node.place();
                           return sim::scenario::Codec<PodSelectorSpec>::read(node, to.PodSelection::selector, reader, "selector");
                         })
      .required()
      .choice("mode", &PodSelection::mode,
              std::vector<std::pair<std::string, Mode>>{{"one", Mode::kOne}, {"all", Mode::kAll}, {"fixed", Mode::kFixed}, {"fixed-percent", Mode::kFixedPercent}, {"random-max-percent", Mode::kRandomMaxPercent}},
              "How many of them; which ones is drawn.")
      .required()
      .add("value", &PodSelection::value, "Of fixed: how many. Of fixed-percent and random-max-percent: 1 to 100.");
  fields.rule([](const T& spec, Node node, Reader& reader) { check_mode(spec, node, reader); });
}
template <class T>
void describe_containers(Fields<T>& fields) {
  describe_pods(fields);
  fields.add("containerNames", &ContainerSelection::containers, "Which containers of the pods; without it the first of each.");
}

/// The pods that it means, of a resource in `ns`, now. Empty: none; `why` then says so in the controller's words.
std::vector<sim::k8s::Ref<sim::k8s::Pod>> select_pods(const PodSelection& selection, const std::string& ns, sim::World& world, sim::RandomStream& random, std::string& why);
/// Says what can never match. `problem(message)` is called with each.
void check_pods(const PodSelection& selection, const std::string& ns, sim::World& world, const std::function<void(std::string)>& problem);
/// "the labels app=web"; empty without any.
std::string describe_selection(const PodSelection& selection);

}  // namespace chaos::mesh
