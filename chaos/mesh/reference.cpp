#include "chaos/mesh/reference.hpp"

#include <fmt/format.h>

#include "chaos/mesh/resource.hpp"

namespace chaos::mesh {

namespace {

using sim::scenario::FieldInfo;

std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  return escaped;
}

void add_rows(std::string& text, const std::vector<FieldInfo>& fields, const std::string& prefix, bool is_modelled) {
  for (const FieldInfo& field : fields) {
    const bool refused = !is_modelled || field.doc.starts_with(kNotModelled);
    const bool without = field.doc.starts_with("no effect") || field.doc.ends_with("says nothing here.");
    std::string doc = field.doc.starts_with(kNotModelled) ? field.doc.substr(kNotModelled.size()) : field.doc;
    if (doc.starts_with("no effect: ")) doc = doc.substr(std::string_view("no effect: ").size());
    if (field.required) doc = doc.empty() ? "Required." : "Required. " + doc;
    text += fmt::format("| `{}{}` | {} | {} | {} |\n", prefix, field.name, refused ? "**refused**" : without ? "no effect" : "modelled", cell(field.type.describe()), cell(doc));
    const sim::scenario::TypeInfo* type = &field.type;
    std::string step = field.name + ".";
    if (type->kind == sim::scenario::TypeInfo::Kind::kList && type->element != nullptr) {
      type = type->element.get();
      step = field.name + "[].";
    }
    if (type->kind == sim::scenario::TypeInfo::Kind::kObject && type->fields != nullptr) add_rows(text, type->fields(), prefix + step, !refused);
  }
}

constexpr const char* kText = R"(# Chaos Mesh and LitmusChaos resources

Squall reads resources of Chaos Mesh (`chaos-mesh.org/v1alpha1`) and ChaosEngines of LitmusChaos (`litmuschaos.io/v1alpha1`) as they are. Every field is modelled,
or has no effect there either, or is refused by name with its place; none is ignored.

```yaml
faults:
  lose-the-database:
    kind: chaos-mesh
    at: 10m
    file: chaos/mariadb-partition.yaml     # as `kubectl apply -f` would take it, several documents too
  kill-one:
    kind: chaos-mesh
    at: 20m
    resource:
      apiVersion: chaos-mesh.org/v1alpha1
      kind: PodChaos
      metadata: {name: kill-one, namespace: shop}
      spec: {action: pod-kill, mode: one, selector: {labelSelectors: {app: web}}}
```

    squall validate chaos.yaml                              # a resource by itself: every error, and what is not modelled
    squall run scenario.yaml --chaos chaos.yaml@10m         # ... done to a scenario at a time
    squall query scenario.yaml --at 12m chaos               # the resources, with their conditions

A resource that is created selects its targets once (drawn by the seed), does its work, and takes it back when its duration is over or it is deleted. Its records have
the reasons and words of the controllers' events (`Started`, `Applied`, `Failed`, `TimeUp`, `Recovered`, `Spawned` ...), and what follows has the fault at its root.

What the models feel:

- **Pods** are deleted, restarted, or run an image that does nothing: probes, endpoints, controllers and users see it.
- **Packets** between pods: partitions cut members of services off from each other and from what they need; probes (but exec) fail when the answer comes too late or gets
  lost too often, in spells that are drawn; loss and bandwidth slow state transfers down (Mathis' formula); a service that is slowed down is degraded, with the reason.
  A pod of the host's network is refused at run time, as Chaos Mesh does, unless `allowHostNetwork`: then what is done is done to
  all packets of its machine (docs/models/network.md), once however many of its pods are selected; between such a pod and one with a network of its own it is refused.
- **Stress** counts in the container's cgroup: CPU and disk are shared with its neighbours (docs/models/contention.md), memory above the limit kills the container.
- **Files** of etcd (IOChaos), **the clock** of kube-controller-manager (TimeChaos: CronJobs), **names** of Services in pods that need them (DNSChaos), **HTTP** ports (HTTPChaos:
  callers and HTTP probes), **machines** of a cloud.

Source: chaos-mesh `api/v1alpha1`, `controllers/` and `pkg/selector` at commit 608b61e7 (2026-08); the experiments of LitmusChaos with the defaults of the ChaosHub (b2662c23, 2026-04). Checked by tests/chaos/mesh_*_test.cpp.

| kind | |
| --- | --- |
)";

}  // namespace

std::string reference() {
  std::string text = kText;
  for (const Kind& kind : all_kinds()) {
    text += fmt::format("| [`{}`](#{}) | {} |\n", kind.name, [&] {
      std::string lower = kind.name;
      for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
      return lower;
    }(), kind.is_modelled ? cell(kind.doc) : "**refused**: " + cell(kind.doc.substr(kNotModelled.size())));
  }
  text += R"(
Of every resource: `metadata.name`, `metadata.namespace` and the annotation `experiment.chaos-mesh.org/pause` are modelled; `labels`, other annotations, `status` and what the API server
sets (`uid`, `resourceVersion` ...) have no effect; `generateName` is refused.
)";
  for (const Kind& kind : all_kinds()) {
    text += fmt::format("\n## {}\n\n{}\n\n| key of spec | | value | meaning |\n| --- | --- | --- | --- |\n", kind.name,
                        kind.is_modelled ? kind.doc : fmt::format("Refused: {}. Its fields are checked all the same.", kind.doc.substr(kNotModelled.size())));
    add_rows(text, kind.fields(), "", kind.is_modelled);
  }
  return text;
}

}  // namespace chaos::mesh
