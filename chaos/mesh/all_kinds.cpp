/// THE list of kinds.
#include "chaos/mesh/kinds/kind_files.hpp"

namespace chaos::mesh {

const std::vector<Kind>& all_kinds() {
  static const std::vector<Kind> kinds = {
      pod_chaos(),   network_chaos(), stress_chaos(), io_chaos(),  time_chaos(),  dns_chaos(),              http_chaos(),       block_chaos(),    kernel_chaos(),
      jvm_chaos(),   aws_chaos(),     gcp_chaos(),    azure_chaos(), physical_machine_chaos(), physical_machine(), remote_cluster(), schedule(), workflow(), status_check(), chaos_engine(),
  };
  return kinds;
}

}  // namespace chaos::mesh
