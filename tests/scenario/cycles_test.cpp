// Circles among images, registries, Services, workloads and storage.
#include <gtest/gtest.h>

#include "sim/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

struct CycleCase {
  std::string_view name;
  std::string registries;
  std::string objects;                 // beside the registry's own
  std::vector<std::string> messages;   // of the warnings, in order
};

constexpr std::string_view kBase = R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
pools:
  control: {count: 1, nodeName: "cp-{n}", controlPlane: true, cpu: 4, memory: 8Gi}
  storage: {count: 3, nodeName: "st-{n}", cpu: 16, memory: 64Gi}
)";

std::string deployment(std::string_view name, std::string_view image, std::string_view more = {}, std::string_view policy = "IfNotPresent",
                       std::string_view kind = "Deployment") {
  std::string text = "- apiVersion: apps/v1\n  kind: " + std::string(kind) + "\n  metadata: {name: " + std::string(name) + ", namespace: infra}\n  spec:\n";
  text += "    selector: {matchLabels: {app: " + std::string(name) + "}}\n    template:\n      metadata: {labels: {app: " + std::string(name) + "}}\n      spec:\n";
  text += "        containers: [{name: main, image: \"" + std::string(image) + "\", imagePullPolicy: " + std::string(policy) + "}]\n" + std::string(more);
  return text;
}
std::string service(std::string_view name) {
  return "- {apiVersion: v1, kind: Service, metadata: {name: " + std::string(name) + ", namespace: infra}, spec: {selector: {app: " + std::string(name) + "}}}\n";
}
const std::string kRegistry = "reg.example: {kind: distribution, service: infra/registry}";
const std::string kVolume = R"(        volumes: [{name: data, persistentVolumeClaim: {claimName: blobs}}]
- {apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: blobs, namespace: infra}, spec: {accessModes: [ReadWriteOnce], storageClassName: block, resources: {requests: {storage: 1Gi}}}}
- {apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: block}, provisioner: rook-ceph.rbd.csi.ceph.com, parameters: {pool: rbd}}
)";
const std::string kCeph = R"(ceph:
  mons: {count: 3, pools: [storage]}
  osds: {data: {pools: [storage], size: 1Ti}}
  pools: {rbd: {size: 3, pgNum: 8}}
)";

// Line numbers: registries stand at line 7 of the file below, the registry's Service at 9 and its Deployment at 10, where nothing else comes before.
const CycleCase kCases[] = {
    {"its own image, which only it serves", "{" + kRegistry + "}", deployment("registry", "reg.example/registry:2"),
     {"circular dependency: registry reg.example -> Service infra/registry (t.yaml:9:3) -> Deployment infra/registry (t.yaml:10:3) -> image "
      "reg.example/registry:2 -> registry reg.example"}},
    {"its image comes from elsewhere", "{" + kRegistry + "}", deployment("registry", "docker.io/registry:2"), {}},
    {"elsewhere is only reached through it", "{" + kRegistry + ", docker.io: {kind: unreachable, mirrors: [reg.example]}}", deployment("registry", "docker.io/registry:2"),
     {"circular dependency: registry reg.example -> Service infra/registry (t.yaml:9:3) -> Deployment infra/registry (t.yaml:10:3) -> image "
      "docker.io/registry:2 -> registry reg.example"}},
    {"a second mirror outside breaks it", "{" + kRegistry + ", m.example: {}, docker.io: {kind: unreachable, mirrors: [reg.example, m.example]}}",
     deployment("registry", "docker.io/registry:2"), {}},
    {"a mirror that does not hold the image does not", "{" + kRegistry + ", m.example: {images: [other/*]}, docker.io: {kind: unreachable, mirrors: [reg.example, m.example]}}",
     deployment("registry", "docker.io/registry:2"),
     {"circular dependency: registry reg.example -> Service infra/registry (t.yaml:9:3) -> Deployment infra/registry (t.yaml:10:3) -> image "
      "docker.io/registry:2 -> registry reg.example"}},
    {"a cache outside of what only it serves does not either", "{" + kRegistry + ", m.example: {upstream: reg.example}, docker.io: {kind: unreachable, mirrors: [m.example]}}",
     deployment("registry", "docker.io/registry:2"),
     {"circular dependency: registry reg.example -> Service infra/registry (t.yaml:9:3) -> Deployment infra/registry (t.yaml:10:3) -> image "
      "docker.io/registry:2 -> registry reg.example"}},
    {"by way of the pod network", "{" + kRegistry + "}",
     deployment("registry", "docker.io/registry:2") + deployment("calico-node", "reg.example/calico:3", "", "IfNotPresent", "DaemonSet"),
     {"circular dependency: registry reg.example -> Service infra/registry (t.yaml:9:3) -> Deployment infra/registry (t.yaml:10:3) -> DaemonSet infra/calico-node "
      "(t.yaml:19:3) -> image reg.example/calico:3 -> registry reg.example"}},
    {"a pod network's own pods need none", "{" + kRegistry + "}",
     deployment("registry", "docker.io/registry:2", "        hostNetwork: true\n") + deployment("calico-node", "reg.example/calico:3", "", "IfNotPresent", "DaemonSet"), {}},
    {"by way of Ceph", "{" + kRegistry + ", quay.io: {kind: unreachable, mirrors: [reg.example]}}\n" + kCeph, deployment("registry", "docker.io/registry:2", kVolume),
     {"circular dependency: registry reg.example -> Service infra/registry (t.yaml:13:3) -> Deployment infra/registry (t.yaml:14:3) -> Ceph of rook-ceph "
      "(t.yaml:8:1) -> image quay.io/ceph/ceph:v18 -> registry reg.example"}},
    {"Ceph's images come from outside", "{" + kRegistry + "}\n" + kCeph, deployment("registry", "docker.io/registry:2", kVolume), {}},
};

std::string scenario_of(const CycleCase& c) {
  return std::string(kBase) + "registries:\n  " + (c.registries.empty() ? "{}" : c.registries) + (c.registries.ends_with('\n') ? "" : "\n") + "objects:\n" + service("registry") + c.objects;
}

TEST(Cycles, AreNamedWithTheirWay) {
  for (const CycleCase& c : kCases) {
    SCOPED_TRACE(c.name);
    Diagnostics diagnostics;
    const auto spec = read_scenario_text("t.yaml", scenario_of(c), {}, diagnostics);
    ASSERT_NE(spec, nullptr) << diagnostics.format();
    std::vector<std::string> messages;
    for (const Diagnostic& d : diagnostics.sorted()) {
      if (!d.message.starts_with("circular dependency")) continue;
      messages.push_back(d.message);
      EXPECT_EQ(d.line, 7u);
    }
    EXPECT_EQ(messages, c.messages);
  }
}

TEST(Cycles, PolicyAlwaysDeadlocksEvenWithTheImageOnTheNode) {
  Diagnostics diagnostics;
  const CycleCase c{"", "{" + kRegistry + "}", deployment("registry", "reg.example/registry:2", "", "Always"), {}};
  ASSERT_NE(read_scenario_text("t.yaml", scenario_of(c), {}, diagnostics), nullptr);
  EXPECT_NE(diagnostics.format().find("not even a node that has reg.example/registry:2 breaks it: Deployment infra/registry has imagePullPolicy Always"), std::string::npos)
      << diagnostics.format();
}

TEST(Cycles, AlsoOfTheOneRegistryOfImages) {
  Diagnostics diagnostics;
  const std::string text = std::string(kBase) + "images: {registryService: infra/registry}\nobjects:\n" + service("registry") + deployment("registry", "registry:2");
  ASSERT_NE(read_scenario_text("t.yaml", text, {}, diagnostics), nullptr) << diagnostics.format();
  EXPECT_NE(diagnostics.format().find("circular dependency: the registry -> Service infra/registry"), std::string::npos) << diagnostics.format();
}

}  // namespace
}  // namespace sim::scenario
