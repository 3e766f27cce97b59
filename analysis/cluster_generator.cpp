#include "analysis/cluster_generator.hpp"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "sim/core/random.hpp"

namespace analysis {

namespace {

struct NodeShape {
  int share;  // of 100
  int cores;
  int memory_gib;
  int accelerators;
  std::string_view model;
};
constexpr NodeShape kNodeShapes[] = {
    {44, 96, 384, 8, "A10"}, {28, 104, 512, 2, "T4"}, {12, 16, 120, 2, "P100"}, {6, 128, 768, 8, "V100"}, {5, 32, 128, 4, "T4"}, {5, 64, 256, 2, "P100"},
};

struct PodShape {
  int share;  // of 1000
  int cpu_milli;
  int memory_mib;
  int accelerator_milli;
};
/// Requests add up to about four fifths of 1,213 nodes' cpu with 7,064 pods: most fit, the last large ones have to look for a place.
constexpr PodShape kPodShapes[] = {
    {220, 3200, 5632, 300},   {130, 11200, 49152, 1000}, {110, 12000, 46080, 1000}, {75, 11500, 47104, 500}, {70, 8000, 30720, 1000},
    {60, 4000, 15360, 460},   {55, 4000, 22528, 0},      {50, 18750, 65536, 1000},  {40, 10000, 40960, 0},   {35, 6000, 12288, 460},
    {30, 2000, 4096, 0},      {30, 16000, 59392, 1000},  {25, 12000, 24576, 1000},  {20, 32000, 131072, 2000}, {15, 1000, 1024, 0},
    {15, 24000, 98304, 2000}, {10, 500, 512, 0},         {5, 64000, 262144, 4000},  {5, 88000, 327680, 8000},
};

template <class Shape, std::size_t kCount>
const Shape& draw(const Shape (&shapes)[kCount], sim::RandomStream random) {
  std::int64_t total = 0;
  for (const Shape& shape : shapes) total += shape.share;
  std::int64_t place = random.uniform_int(0, total - 1);
  for (const Shape& shape : shapes) {
    if (place < shape.share) return shape;
    place -= shape.share;
  }
  return shapes[kCount - 1];
}

}  // namespace

GeneratedCluster generate_k8s_sims(std::size_t nodes, std::size_t pods, std::uint64_t seed) {
  const sim::Randomness randomness(seed);
  GeneratedCluster cluster;
  auto to_nodes = std::back_inserter(cluster.nodes);
  for (std::size_t i = 0; i < nodes; ++i) {
    const std::string name = fmt::format("node-{:04}", i);
    const NodeShape& shape = draw(kNodeShapes, randomness.stream("generate/node", name));
    if (i != 0) cluster.nodes += "---\n";
    fmt::format_to(to_nodes,
                   "apiVersion: v1\nkind: Node\nmetadata:\n  labels:\n    example.com/accelerator-model: {}\n    beta.kubernetes.io/os: linux\n"
                   "    kubernetes.io/hostname: {}\n    kubernetes.io/os: linux\n  name: {}\nstatus:\n",
                   shape.model, name, name);
    for (const std::string_view section : {"allocatable", "capacity"}) {
      fmt::format_to(to_nodes,
                     "  {}:\n    example.com/accelerator-count: '{}'\n    example.com/accelerator-milli: '{}'\n    cpu: {}m\n    memory: {}Mi\n    pods: '1001'\n",
                     section, shape.accelerators, shape.accelerators * 1000, shape.cores * 1000, shape.memory_gib * 1024);
    }
  }
  auto to_pods = std::back_inserter(cluster.pods);
  for (std::size_t i = 0; i < pods; ++i) {
    const std::string name = fmt::format("pod-{:04}", i);
    const PodShape& shape = draw(kPodShapes, randomness.stream("generate/pod", name));
    if (i != 0) cluster.pods += "---\n";
    fmt::format_to(to_pods, "apiVersion: v1\nkind: Pod\nmetadata:\n");
    if (shape.accelerator_milli != 0) {
      fmt::format_to(to_pods, "  annotations:\n    example.com/accelerator-count: '{}'\n    example.com/accelerator-milli: '{}'\n",
                     (shape.accelerator_milli + 999) / 1000, shape.accelerator_milli);
    }
    fmt::format_to(to_pods,
                   "  name: {}\n  namespace: training\nspec:\n  containers:\n  - image: trainer:latest\n    imagePullPolicy: IfNotPresent\n    name: main\n"
                   "    resources:\n",
                   name);
    for (const std::string_view section : {"limits", "requests"}) {
      fmt::format_to(to_pods, "      {}:\n        cpu: {}m\n        memory: {}Mi\n", section, shape.cpu_milli, shape.memory_mib);
    }
    fmt::format_to(to_pods, "  dnsPolicy: Default\n  restartPolicy: OnFailure\n");
  }
  return cluster;
}

}  // namespace analysis
