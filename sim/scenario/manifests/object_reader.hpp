/// Reads one Kubernetes object after the other out of documents. One file a kind: a new kind is a file with its member function, and one line in
/// the table of object_reader.cpp.
///
///   values.cpp      scalars, maps, lists, quantities; what is wrong with them
///   selectors.cpp   labels and selectors
///   container.cpp, affinity.cpp, pod_spec.cpp   the parts of a pod
///   KIND.cpp        the kinds
///
/// Checked by: tests/scenario/manifests_test.cpp.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/models/kubernetes/api/objects.hpp"
#include "sim/scenario/manifests.hpp"
#include "sim/scenario/names.hpp"

namespace sim::scenario::manifests {

using namespace sim::k8s;  // the objects are what this folder is about
using Yaml = scenario::Node;
/// Everything that the API knows of an object (v1.36), modelled or not: a key that is in no such list is misspelt, or from another version.
using Names = std::string_view;

inline constexpr std::int64_t kMaxInt32 = 2'147'483'647;
// Said of claims only where no StorageClass and no PersistentVolume tells where volumes come from.
inline constexpr std::string_view kUnsimulatedClaim = "volumes.persistentVolumeClaim (taken as bound and attached)";
inline constexpr std::string_view kUnsimulatedEphemeral = "volumes.ephemeral (taken as bound and attached)";
inline constexpr std::string_view kUnsimulatedTemplates = "StatefulSet.spec.volumeClaimTemplates (taken as bound and attached)";
inline constexpr std::string_view kUnsimulatedObject = "PersistentVolumeClaim (taken as bound)";

struct ObjectReader {
  ObjectReader(Interner& interner, Diagnostics& collector) : names(interner), diagnostics(collector), well_known(interner) {}

  /// `list_version` and `list_kind` are what the items of a typed list leave out.
  void decode(Yaml object, std::string_view list_version = {}, std::string_view list_kind = {});
  /// The same of an object whose kind is known already, whatever version it says. False: there is no such kind here.
  bool decode_as(Yaml object, std::string_view group, std::string_view kind);
  /// See ManifestReader::finish().
  ManifestSet finish();
  /// Puts what is read from here on into a set of somebody else's (then there is no finish()).
  void read_into(ManifestSet& other) { set = &other; }

  // Objects: each reads one of its kind into the set.
  void node(Yaml object);
  void pod(Yaml object);
  void service(Yaml object);
  void name_space(Yaml object);
  void deployment(Yaml object);
  void replica_set(Yaml object);
  void stateful_set(Yaml object);
  void daemon_set(Yaml object);
  void job(Yaml object);
  void cron_job(Yaml object);
  void budget(Yaml object);
  void priority_class(Yaml object);
  void runtime_class(Yaml object);
  void storage_class(Yaml object);
  void persistent_volume(Yaml object);
  void claim(Yaml object);
  void attachment(Yaml object);
  void validating_webhooks(Yaml object) { webhook_configuration(object, false); }
  void mutating_webhooks(Yaml object) { webhook_configuration(object, true); }
  void flow_schema(Yaml object);
  void priority_level(Yaml object);

  struct Unmodelled {
    std::size_t count = 0;
    Place first;
    std::string hint;
  };

  // What is wrong, or kept and not simulated.
  Diagnostic& wrong(Yaml node, std::string_view expected);
  Diagnostic& impossible(Yaml node, std::string message) { return diagnostics.error(node, std::move(message)); }
  void not_simulated(Yaml node, std::string field);
  /// Keeps fields that Kubernetes does not have, as it does without strict validation, but says so as kubectl would: most are misspelt.
  void expect_fields(Yaml map, std::string_view where, std::span<const std::string_view> fields);

  // Values.
  Symbol intern(std::string_view text) { return names.intern(text); }
  /// The string under a key; empty when absent.
  std::string_view text(Yaml map, std::string_view key);
  Symbol symbol(Yaml map, std::string_view key) { return intern(text(map, key)); }
  bool boolean(Yaml map, std::string_view key, bool absent);
  std::optional<std::int64_t> integer(Yaml map, std::string_view key, std::int64_t low = 0, std::int64_t high = kMaxInt32);
  std::int64_t integer_or(Yaml map, std::string_view key, std::int64_t absent, std::int64_t low = 0, std::int64_t high = kMaxInt32) {
    return integer(map, key, low, high).value_or(absent);
  }
  std::optional<IntOrPercent> int_or_percent(Yaml map, std::string_view key);
  /// One word of a table; the first one when absent.
  template <class E>
  E word(Yaml map, std::string_view key, std::initializer_list<std::pair<std::string_view, E>> words) {
    const Yaml node = map.find(key);
    if (node.is_null()) return words.begin()->second;
    for (const auto& [name, value] : words) {
      if (node.is_scalar() && node.text() == name) return value;
    }
    std::vector<std::string> known;
    for (const auto& entry : words) known.emplace_back(entry.first);
    Diagnostic& d = diagnostics.error(node, fmt::format("unknown word for {}", key));
    d.expected = fmt::format("one of: {}", fmt::join(known, ", "));
    d.found = node.describe();
    d.hint = did_you_mean(node.text(), known);
    return words.begin()->second;
  }
  /// The map under a key; absent when there is none or it is no map.
  Yaml map(Yaml parent, std::string_view key);
  /// The items of the list under a key that are maps.
  std::vector<Yaml> maps(Yaml parent, std::string_view key);
  std::vector<Symbol> strings(Yaml parent, std::string_view key);

  // Parts of objects.
  Labels labels(Yaml parent, std::string_view key, bool are_labels = true);
  /// How strictly the values of an expression are looked at.
  enum class Values : std::uint8_t {
    kLabels,    // each could be a label's value
    kAny,       // as the API server takes them in preferred node affinity
    kReadable,  // kLabels, and Gt and Lt compare with a number: what a KubeSchedulerConfiguration needs
  };
  std::vector<Requirement> expressions(Yaml parent, std::string_view key, bool of_nodes, Values values = Values::kLabels);
  /// What the API server checks of an expression's key and values.
  void check_requirement(Yaml node, const Requirement& requirement, bool of_fields, Values values);
  LabelSelector selector_of(Yaml node);
  std::optional<LabelSelector> optional_selector(Yaml parent, std::string_view key);
  struct Given {
    bool cpu = false;
    bool memory = false;
  };
  Resources resources(Yaml node, Given* given = nullptr);
  std::optional<Probe> probe(Yaml parent, std::string_view key);
  Container container(Yaml node, bool is_init);
  NodeSelectorTerm node_term(Yaml node, Values values = Values::kLabels);
  /// The required and preferred terms of a pod's nodeAffinity, or of the scheduler's addedAffinity.
  void node_affinity(Yaml nodes, Affinity& into, bool of_pod = true);
  TopologySpreadConstraint spread_constraint(Yaml node);
  std::vector<PodAffinityTerm> affinity_terms(Yaml parent, std::string_view key, bool weighted);
  std::shared_ptr<const Affinity> affinity(Yaml parent);
  TaintEffect effect(Yaml node, bool needed);
  std::vector<Toleration> tolerations(Yaml parent);
  std::shared_ptr<const SourceDocument> source_of(Yaml node);
  AccessModes access_modes(Yaml spec);
  /// The amount under `storage` of a map of quantities.
  std::int64_t storage_bytes(Yaml amounts, Yaml otherwise);
  ClaimSpec claim_spec(Yaml spec);
  ClaimTemplate claim_template(Yaml node);
  std::shared_ptr<const PodSpec> pod_spec(Yaml node, bool of_template);
  PodTemplate pod_template(Yaml parent);

  // Whole objects.
  template <class T>
  Manifest<T> begin(Yaml object, bool namespaced) {
    Manifest<T> manifest;
    manifest.where = object.place();
    metadata(object, T::kKind, namespaced, manifest.object.meta, manifest.owners);
    return manifest;
  }
  void metadata(Yaml object, Kind kind, bool namespaced, ObjectMeta& meta, std::vector<OwnerName>& owners);
  /// The selector of a workload: needed, not empty, and it selects its own template.
  LabelSelector workload_selector(Yaml spec, const PodTemplate& pods);
  Yaml spec_of(Yaml object);
  void only_restart_always(Yaml spec, const PodTemplate& pods);
  template <class T>
  void put(std::vector<Manifest<T>>& list, Manifest<T>&& manifest) {
    set->order.push_back(ManifestSet::Position{T::kKind, static_cast<std::uint32_t>(list.size())});
    list.push_back(std::move(manifest));
  }
  void container_statuses(Yaml status, std::string_view key, const std::vector<Container>& containers, std::vector<ContainerStatus>& to);
  void csi_node(Yaml object);
  void csi_driver(Yaml object);
  void storage_capacity(Yaml object);
  /// Gives the storage classes what their drivers say of room.
  void settle_capacities();
  void webhook_configuration(Yaml object, bool mutates);
  webhooks::Webhook webhook(Yaml node);
  webhooks::Resources webhook_rules(Yaml node);
  flow_control::PolicyRule policy_rule(Yaml node);
  /// The strings of a list that has to hold at least one, "*" alone or none of it.
  std::vector<std::string> rule_words(Yaml rule, std::string_view key, std::string_view of);
  bool keeps_own_spec(Yaml object, std::string_view name);
  void start_time(Yaml status, Pod& pod);
  void settle_start_times();
  void controller_revision(Yaml object);
  void settle_revisions();
  /// podFailurePolicy, successPolicy, the limits per index, podReplacementPolicy and managedBy, into a spec whose template is read already.
  void job_policies(Yaml spec, JobSpec& job);
  JobSpec job_spec(Yaml spec);
  std::vector<std::int64_t> indexes(Yaml status, std::string_view key);
  /// The driver that a volume's source stands for: of csi by its name, of an in-tree plugin by its.
  Symbol volume_driver(Yaml spec);
  void other(Yaml object, std::string_view api_version);
  template <class T>
  void refuse_duplicates(const std::vector<Manifest<T>>& list);
  void tell_what_is_kept();
  void settle_runtime_classes();

  Interner& names;
  Diagnostics& diagnostics;
  WellKnown well_known;
  ManifestSet own;
  ManifestSet* set = &own;
  std::map<std::string, Unmodelled> unknown;     // by "Deployment.spec.replcias": fields that Kubernetes does not have
  std::map<std::string, Unmodelled> unmodelled;  // by "Job.spec.podFailurePolicy"
  std::set<Symbol> capacity_drivers;  // CSIDrivers with spec.storageCapacity
  std::map<Symbol, std::vector<StorageCapacity>> capacities;         // CSIStorageCapacities by their class
  std::map<Symbol, std::vector<k8s::Node::VolumeLimit>> csi_limits;  // by node, of CSINodes
  using RevisionOwner = std::tuple<Kind, Symbol, Symbol>;  // kind, namespace, name
  struct Revision {
    std::int64_t number = -1;
    Symbol label;
  };
  std::map<RevisionOwner, Revision> revisions;  // the newest
  struct RuntimeClassFacts {
    bool has_overhead = false;
    Resources overhead;
    Labels node_selector;
    std::vector<Toleration> tolerations;
  };
  struct WithRuntimeClass {
    std::shared_ptr<PodSpec> spec;  // shared with nobody yet but its pod or template
    Symbol name;
    Place where;
  };
  std::map<Symbol, RuntimeClassFacts> runtime_classes;
  std::vector<WithRuntimeClass> with_runtime_class;
  std::string kind_name;  // of the object that is being read
};

}  // namespace sim::scenario::manifests
