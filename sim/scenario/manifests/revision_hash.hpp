/// Which ReplicaSet of a dump has its Deployment's template.
///
/// Checked by: tests/scenario/dump_test.cpp.
#pragma once

#include <cstdint>

#include "sim/scenario/document.hpp"

namespace sim::scenario {

/// content_hash() of a pod template, without the label pod-template-hash: a Deployment and its ReplicaSet have equal ones.
std::uint64_t revision_hash(Node pod_template);

}  // namespace sim::scenario
