/// One line for each file of this folder: it adds its kind to the list.
#pragma once

#include "chaos/expectation.hpp"

namespace chaos {

void add_api_requests(ExpectationKinds& kinds);
void add_component(ExpectationKinds& kinds);
void add_event(ExpectationKinds& kinds);
void add_ceph(ExpectationKinds& kinds);
void add_detection(ExpectationKinds& kinds);
void add_fault_completes(ExpectationKinds& kinds);
void add_host_memory(ExpectationKinds& kinds);
void add_nodes_not_ready(ExpectationKinds& kinds);
void add_platform(ExpectationKinds& kinds);
void add_pods_pending(ExpectationKinds& kinds);
void add_registry(ExpectationKinds& kinds);
void add_requests(ExpectationKinds& kinds);
void add_service(ExpectationKinds& kinds);
void add_workload_available(ExpectationKinds& kinds);

}  // namespace chaos
