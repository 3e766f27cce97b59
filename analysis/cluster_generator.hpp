/// Makes node and pod manifests of a large machine-learning cluster: a few shapes of nodes, many sizes of pods.
///
/// The shape (fields, labels, extended resources, names) is that of the manifests of the k8s-sims benchmark, which come from Alibaba's openb
/// trace; the mix of sizes is our own. The same seed gives the same text; a node or a pod keeps its size when others are added.
///
/// Source:     https://github.com/GCDA-UDL/k8s-sims (data/big/vanilla), for the shape only.
/// Leaves out: correlations between successive pods (the trace has bursts of equal ones).
/// Checked by: tests/analysis/cluster_generator_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace analysis {

struct GeneratedCluster {
  std::string nodes;  // YAML documents
  std::string pods;
};

GeneratedCluster generate_k8s_sims(std::size_t nodes, std::size_t pods, std::uint64_t seed);

}  // namespace analysis
