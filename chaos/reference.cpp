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

| what breaks | kinds |
| --- | --- |
| a machine | `node-crash`, `node-power-off`, `node-reboot`, `node-hang`, `node-reinstall`, `kernel-memory` |
| a rack, power feed, switch, zone, host as a whole | `element-down` (`loses: power`, `network` or `both`) |
| ... in part | the node kinds with `target.in` (and `count`, `pick`), `network-impair` with `loss` for a switch that drops packets |
| the network of machines | `network-partition`, `network-impair`; of Ceph's two networks `ceph-network` |
| the network, names and HTTP of pods | `chaos-mesh` (NetworkChaos, DNSChaos, HTTPChaos) |
| kube-apiserver, kube-scheduler, kube-controller-manager, etcd | `process-kill`, `process-hang`, `leader-loss`, `certificate-expiry` with `certificate` |
| API servers that are slow | `api-overload` (requests queue, are late or refused); beneath them `disk-slow` of etcd and `network-impair` between its members (no leader, writes that time out); one that answers nobody: `process-hang` |
| etcd | `disk-slow`, `etcd-quota`, `etcd-member` (defragmentation, lost data, moved leader), `network-impair` between its members, `chaos-mesh` IOChaos |
| kubelets | `process-kill` with `component: kubelet`, `certificate-expiry`, `clock-skew` |
| clocks | `clock-skew`; of kube-controller-manager alone `chaos-mesh` TimeChaos |
| DNS of the cluster | `pod-unready`, `container-kill`, `pod-kill` of kube-dns's pods (slow: NetworkChaos on them), felt by what `needs` it; names by pattern: DNSChaos |
| registries and images | `registry`, `workload-edit` with `image` |
| Ceph: disks, flags, networks | `ceph-disk`, `ceph-flag`, `ceph-network` |
| Ceph: daemons | `container-kill`, `pod-kill` of Rook's pods (mon, mgr, osd, mds, rgw); its machines with `target.leaderOf: ceph-mon`, `ceph-mgr`, `ceph-mds` |
| people | `drain`, `cordon`, `planned-maintenance` (two of them at once: two faults), `node-delete`, `object-delete` (a PodDisruptionBudget too), `scale`, `rollout`, `node-taint`, `node-label`, `workload-edit`, `drop-caches` |

Not modelled: the loss of the data of a majority of etcd's members, and a restore from a snapshot (refused by name); an API server that is late or wrong without a reason; disks other than etcd's, Ceph's and nodes' first ones; NetworkPolicies; names outside of the cluster (an upstream of DNS): nothing in the simulated world asks for
one; errors of memory and processors that no crash follows.
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
