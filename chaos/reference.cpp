#include "chaos/reference.hpp"

#include <fmt/format.h>

#include <vector>

#include "chaos/expectation.hpp"
#include "chaos/fault.hpp"

namespace chaos {
namespace {

using sim::scenario::FieldInfo;
using sim::scenario::TypeInfo;
using sim::scenario::VariantInfo;

/// A cell of a table: a bar would end it.
std::string cell(const std::string& text) {
  std::string escaped;
  for (char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  return escaped;
}

void add_rows(std::string& text, const std::vector<FieldInfo>& fields, const std::string& prefix) {
  for (const FieldInfo& field : fields) {
    const std::string standard = field.required ? "required" : field.default_text.empty() ? "" : fmt::format("`{}`", field.default_text);
    text += fmt::format("| `{}{}` | {} | {} | {} |\n", prefix, field.name, cell(field.type.describe()), cell(standard), cell(field.doc));
    if (field.type.kind == TypeInfo::Kind::kObject && field.type.fields != nullptr) {
      add_rows(text, field.type.fields(), prefix + field.name + ".");
    }
  }
}

std::string reference(std::string text, const std::vector<VariantInfo>& kinds) {
  text += "\n| kind | what it is |\n| --- | --- |\n";
  for (const VariantInfo& kind : kinds) text += fmt::format("| [`{}`](#{}) | {} |\n", kind.kind, kind.kind, cell(kind.doc));
  for (const VariantInfo& kind : kinds) {
    text += fmt::format("\n## {}\n\n{}\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n", kind.kind, kind.doc);
    add_rows(text, kind.fields, "");
  }
  return text;
}

constexpr const char* kFaults = R"(# Faults

Each entry of a scenario's `faults` is done to the simulated world at its time: a map by name, or a list whose items have a `name`.
Times count from the start of the run.

```yaml
faults:
  lose-a-rack:
    kind: element-down
    at: 10m
    duration: 30m
    elements: [rack-a]
  monthly-maintenance:
    kind: planned-maintenance
    at: 1h
    target: {pool: workers}
    drain: {timeout: 20m}
```

Every injection writes one record, `FaultInjected` about `Fault/NAME`, and everything that follows from it has that record at the root
of its chain of causes. The end of a fault writes `FaultEnded`. The second injection of a repeated fault is called `NAME#2`, and so on. An
injection whose target matches nothing writes `FaultNotInjected` and counts as failed. What can be known to be wrong before the run
(an unknown node, a selector that no pod or template matches) is an error of the scenario.

Targets are resolved at the moment of injection. With `count` and `pick: random` the choice depends on the seed, the fault's name and
the number of the injection only: adding another fault does not change it. What a person does through the API (cordon, drain, deletions)
waits while the API cannot be written, and is done as soon as it can.
Of faults that hold the same thing (a machine off, a process dead, a node cordoned, a pod not ready) the last one to end lets it go.

Files of Chaos Mesh and LitmusChaos are faults as they are (kind `chaos-mesh`): packet loss and delay, partitions of pods, stress, names that do not resolve, clock skew
([what is modelled](chaos-mesh.md)).

Not modelled: disks other than etcd's and Ceph's, full disks.
)";

constexpr const char* kExpectations = R"(# Expectations

Each entry of a scenario's `expect` is a claim about the run: a map by name, or a list whose items have a `name`. `squall test`
fails (exit code 1) when one does not hold, and tells what was measured, when the bound was first broken, by how much, and why: the chain
of causes back to the fault.

```yaml
expect:
  shop-is-up:
    kind: service
    service: web
    namespace: shop
    availability: 99.9%
    longestOutage: 30s
  etcd-keeps-quorum:
    kind: component
    component: etcd-quorum
    availability: 100%
```

An entry may have several bounds; all of them must hold. Without `from` the window begins with the end of the warm-up (`run.warmUp`).
Without a warm-up, a Service or workload counts from when it was first there: what starts is not out. A run that is stopped before a
window began does not let its expectation hold.

An availability is broken for the first time when the loss that it allows within its window is used up; a longest outage when the bound has
passed. Nothing is polled: every change counts to the nanosecond.
)";

}  // namespace

std::string faults_reference() { return reference(kFaults, all_faults().infos()); }
std::string expectations_reference() { return reference(kExpectations, all_checks().infos()); }

}  // namespace chaos
