/// ValidatingWebhookConfiguration and MutatingWebhookConfiguration (admissionregistration.k8s.io/v1), as far as they are simulated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/models/kubernetes/api/labels.hpp"
#include "sim/models/kubernetes/api/objects.hpp"

namespace sim::webhooks {

/// The new objects that a webhook is asked about: by rules with the operation CREATE.
struct Resources {
  bool pods = false;
  bool replica_sets = false;
  bool jobs = false;
  bool has(k8s::Kind kind) const {
    return (kind == k8s::Kind::kPod && pods) || (kind == k8s::Kind::kReplicaSet && replica_sets) || (kind == k8s::Kind::kJob && jobs);
  }
};

struct Webhook {
  std::string name;  // "validate.policy.example"
  bool fails_closed = true;  // failurePolicy Fail
  std::int64_t timeout_seconds = 10;
  Resources resources;
  std::optional<k8s::LabelSelector> namespaces;  // absent: all
  std::optional<k8s::LabelSelector> objects;
  // clientConfig.service; without one it is outside (clientConfig.url).
  Symbol service_ns;
  Symbol service;
  std::int64_t port = 443;
  std::string path;
};

struct Configuration {
  static constexpr k8s::Kind kKind = k8s::Kind::kOther;
  k8s::ObjectMeta meta;
  bool mutates = false;
  std::vector<Webhook> webhooks;
};

/// Whether a webhook is asked about a new object of a namespace with these labels.
bool is_asked(const Webhook& webhook, k8s::Kind kind, const k8s::Labels& of_namespace, const k8s::Labels& of_object, const Interner& names);

}  // namespace sim::webhooks
