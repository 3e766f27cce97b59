/// Kubernetes manifests and `kubectl get -o yaml|json` dumps into typed objects, after API defaulting and admission.
///
/// Unknown fields are legal and stay in the object's source document. Wrong types and impossible values of modelled fields are errors with
/// their place; fields that would change what happens, but are not simulated, are told once each by name.
///
/// Source:     reference kubernetes 4.12, 4.13; the validation rules of pkg/apis/<group>/validation for the modelled fields.
/// Leaves out: generateName; annotations longer than 256 bytes (they stay in the source document).
/// Differs:    an object of a kind that is not simulated is stored under the name "Kind/name", because its table holds all such kinds.
/// Checked by: tests/scenario/manifests_test.cpp.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/core/symbol.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/api/objects.hpp"
#include "sim/models/kubernetes/flow_control/configuration.hpp"
#include "sim/models/webhooks/configuration.hpp"
#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/document.hpp"

namespace sim::scenario {

/// An owner as manifests name it. Resolved when the objects are stored.
struct OwnerName {
  k8s::Kind kind = k8s::Kind::kOther;
  Symbol name;
  bool controller = true;
};

template <class T>
struct Manifest {
  T object;
  std::vector<OwnerName> owners;
  Place where;
};

/// FlowSchema and PriorityLevelConfiguration (flowcontrol.apiserver.k8s.io/v1).
struct FlowSchemaObject {
  static constexpr k8s::Kind kKind = k8s::Kind::kOther;
  k8s::ObjectMeta meta;
  k8s::flow_control::FlowSchema schema;
};
struct PriorityLevelObject {
  static constexpr k8s::Kind kKind = k8s::Kind::kOther;
  k8s::ObjectMeta meta;
  k8s::flow_control::PriorityLevel level;
};

/// What a set of files holds. Immutable once finished: the symbols are those of one Interner, and every world whose names begin with that
/// Interner's (WorldConfig::names) can store these objects as they are, on any thread.
struct ManifestSet {
  std::vector<Manifest<k8s::Node>> nodes;
  std::vector<Manifest<k8s::Pod>> pods;
  std::vector<Manifest<k8s::Deployment>> deployments;
  std::vector<Manifest<k8s::ReplicaSet>> replica_sets;
  std::vector<Manifest<k8s::StatefulSet>> stateful_sets;
  std::vector<Manifest<k8s::DaemonSet>> daemon_sets;
  std::vector<Manifest<k8s::Job>> jobs;
  std::vector<Manifest<k8s::CronJob>> cron_jobs;
  std::vector<Manifest<k8s::Service>> services;
  std::vector<Manifest<k8s::PodDisruptionBudget>> budgets;
  std::vector<Manifest<k8s::PriorityClass>> priority_classes;
  std::vector<Manifest<k8s::Namespace>> namespaces;
  std::vector<Manifest<k8s::StorageClass>> storage_classes;
  std::vector<Manifest<k8s::PersistentVolume>> volumes;
  std::vector<Manifest<k8s::PersistentVolumeClaim>> claims;
  std::vector<Manifest<k8s::VolumeAttachment>> attachments;
  std::vector<Manifest<k8s::ResourceQuota>> quotas;
  std::vector<Manifest<k8s::LimitRange>> limit_ranges;
  std::vector<Manifest<k8s::HorizontalPodAutoscaler>> autoscalers;
  std::vector<Manifest<k8s::OtherObject>> others;
  std::vector<Manifest<webhooks::Configuration>> webhooks;  // no objects of the API server here, and not in `order`; the next two likewise
  std::vector<Manifest<FlowSchemaObject>> flow_schemas;
  std::vector<Manifest<PriorityLevelObject>> priority_levels;

  /// An entry of a budget's status.disruptedPods: an eviction that was granted, of a pod that may not be gone yet.
  struct DisruptedPod {
    Symbol ns;
    Symbol budget;
    Symbol pod;
  };
  std::vector<DisruptedPod> disrupted_pods;

  struct Position {
    k8s::Kind kind;
    std::uint32_t index;  // in the list of its kind
  };
  std::vector<Position> order;  // as they stood in the files
  std::size_t size() const { return order.size(); }
};

/// Reads documents one after the other. The nodes are not needed once decode() returns.
class ManifestReader {
 public:
  ManifestReader(Interner& names, Diagnostics& diagnostics);
  ~ManifestReader();
  ManifestReader(const ManifestReader&) = delete;
  ManifestReader& operator=(const ManifestReader&) = delete;

  /// One object, a List of objects, or a typed list such as PodList.
  void decode(Node object);
  void decode(const Document& document);
  /// What concerns all objects together: names that are taken twice, priority classes, admission of pods; tells what is kept but not
  /// simulated ("kept, not simulated: ConfigMap (3), Ingress (1)") as warnings.
  ManifestSet finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The quick way: one document into a set (no finish()).
void decode(Node object, Interner& names, Diagnostics& diagnostics, ManifestSet& set);
/// Files, folders (their *.yaml, *.yml and *.json, by name) and globs, in the given order.
ManifestSet read_manifests(const std::vector<std::string>& paths, Interner& names, Diagnostics& diagnostics);
/// The files that a path, a folder or a pattern with * and ? in its last part stands for, sorted by name. An error when there is none.
std::vector<std::string> expand_path(const std::string& path, const Place& where, Diagnostics& diagnostics);

/// Creates the objects of a set in an API server whose names begin with the set's: namespaces and priority classes, nodes, then owners before what they own, each
/// in file order. Pods that name a node are bound to it. What exists already is left alone and named in the result.
struct StoreOptions {
  bool nodes = true;
  /// Pods with the annotation kubernetes.io/config.mirror (static pods of a dump) on the nodes of this list are left out: the control plane makes its own.
  std::vector<Symbol> without_mirror_pods_of;
};
std::vector<std::string> store(const ManifestSet& set, k8s::ApiServer& api, const StoreOptions& options = {});

/// What API servers make of a set's FlowSchemas and PriorityLevelConfigurations and of those that they make themselves.
k8s::flow_control::Configuration flow_control_of(const ManifestSet& set);

/// Hash of a value by content: order of keys, comments and layout do not count.
std::uint64_t content_hash(Node node);

}  // namespace sim::scenario
