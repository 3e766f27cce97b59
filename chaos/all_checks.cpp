/// THE list of kinds of expectations.
#include "chaos/checks/check_files.hpp"

namespace chaos {

const ExpectationKinds& all_checks() {
  static const ExpectationKinds kinds = [] {
    ExpectationKinds list("expectation");
    add_service(list);
    add_component(list);
    add_api_requests(list);
    add_workload_available(list);
    add_pods_pending(list);
    add_nodes_not_ready(list);
    add_host_memory(list);
    add_fault_completes(list);
    add_event(list);
    add_ceph(list);
    add_registry(list);
    add_requests(list);
    add_platform(list);
    add_detection(list);
    return list;
  }();
  return kinds;
}

}  // namespace chaos
