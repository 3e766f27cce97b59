#include "sim/models/kubernetes/api/admission.hpp"

#include <algorithm>

#include "sim/models/kubernetes/api/api_server.hpp"

namespace sim::k8s {

namespace {

/// The tag of "registry:5000/team/app:1.2"; empty without one. A digest has no tag that counts.
std::string_view tag_of(std::string_view image) {
  const std::size_t slash = image.rfind('/');
  const std::size_t colon = image.rfind(':');
  if (colon == std::string_view::npos || (slash != std::string_view::npos && colon < slash)) return {};
  return image.substr(colon + 1);
}

void default_requests(Container& container) {
  Resources& requests = container.requests;
  const Resources& limits = container.limits;
  if (container.has_cpu_limit && !container.has_cpu_request) {
    requests.cpu_milli = limits.cpu_milli;
    container.has_cpu_request = true;
  }
  if (container.has_memory_limit && !container.has_memory_request) {
    requests.memory = limits.memory;
    container.has_memory_request = true;
  }
  if (requests.ephemeral_storage == 0) requests.ephemeral_storage = limits.ephemeral_storage;
  for (const NamedAmount& limit : limits.other) {
    const bool given = std::any_of(requests.other.begin(), requests.other.end(), [&](const NamedAmount& r) { return r.name == limit.name; });
    if (!given) requests.set(limit.name, limit.amount);
  }
}

}  // namespace

std::string normalised_image(std::string_view image) {
  if (image.empty() || image.find('@') != std::string_view::npos || !tag_of(image).empty()) return std::string(image);
  return std::string(image) + ":latest";
}

PullPolicy default_pull_policy(std::string_view image) {
  if (image.find('@') != std::string_view::npos) return PullPolicy::kIfNotPresent;
  const std::string_view tag = tag_of(image);
  return tag.empty() || tag == "latest" ? PullPolicy::kAlways : PullPolicy::kIfNotPresent;
}

void apply_pod_defaults(PodSpec& spec, const WellKnown& well_known) {
  if (!spec.scheduler_name) spec.scheduler_name = well_known.default_scheduler;
  for (std::vector<Container>* list : {&spec.init_containers, &spec.containers}) {
    for (Container& container : *list) {
      default_requests(container);
      if (!spec.host_network) continue;
      for (ContainerPort& port : container.ports) {
        if (port.host_port == 0) port.host_port = port.container_port;
      }
    }
  }
}

std::optional<PodPriority> resolve_priority(const PodSpec& spec, const std::vector<const PriorityClass*>& classes, const Interner& names) {
  if (spec.priority_class_name) {
    const std::string& name = names.text(spec.priority_class_name);
    if (name == "system-cluster-critical") return PodPriority{kSystemClusterCritical, spec.preempts, spec.priority_class_name};
    if (name == "system-node-critical") return PodPriority{kSystemNodeCritical, spec.preempts, spec.priority_class_name};
    for (const PriorityClass* c : classes) {
      if (c->meta.name == spec.priority_class_name) return PodPriority{c->value, c->preempts && spec.preempts, spec.priority_class_name};
    }
    // A pod of a dump was admitted by its own cluster.
    if (spec.has_priority) return PodPriority{spec.priority, spec.preempts, spec.priority_class_name};
    return std::nullopt;
  }
  if (spec.has_priority) return PodPriority{spec.priority, spec.preempts, Symbol{}};
  const PriorityClass* lowest = nullptr;
  for (const PriorityClass* c : classes) {
    if (c->global_default && (lowest == nullptr || c->value < lowest->value)) lowest = c;
  }
  if (lowest != nullptr) return PodPriority{lowest->value, lowest->preempts && spec.preempts, lowest->meta.name};
  return PodPriority{0, spec.preempts, Symbol{}};
}

void add_default_tolerations(PodSpec& spec, const WellKnown& well_known) {
  const auto tolerated = [&](Symbol key) {
    return std::any_of(spec.tolerations.begin(), spec.tolerations.end(), [&](const Toleration& t) {
      return (!t.key || t.key == key) && (t.effect == TaintEffect::kNoExecute || t.effect == TaintEffect::kNone);
    });
  };
  const bool not_ready = tolerated(well_known.not_ready);
  const bool unreachable = tolerated(well_known.unreachable);
  const auto add = [&](Symbol key) {
    spec.tolerations.push_back(Toleration{key, true, Symbol{}, TaintEffect::kNoExecute, kDefaultTolerationSeconds});
  };
  if (!not_ready) add(well_known.not_ready);
  if (!unreachable) add(well_known.unreachable);
}

std::optional<std::string> admit_pod(PodSpec& spec, const std::vector<const PriorityClass*>& classes, const Interner& names,
                                     const WellKnown& well_known) {
  const std::optional<PodPriority> priority = resolve_priority(spec, classes, names);
  if (!priority) return "no PriorityClass with name " + names.text(spec.priority_class_name) + " was found";
  spec.priority = priority->value;
  spec.has_priority = true;
  spec.preempts = priority->preempts;
  spec.priority_class_name = priority->class_name;
  add_default_tolerations(spec, well_known);
  return std::nullopt;
}

std::vector<const PriorityClass*> priority_classes(const ApiServer& api) {
  std::vector<const PriorityClass*> classes;
  api.all<PriorityClass>().for_each([&](Ref<PriorityClass>, const PriorityClass& c) { classes.push_back(&c); });
  return classes;
}

}  // namespace sim::k8s
