/// One line for each file of this folder: the kinds that it reads.
#pragma once

#include "chaos/mesh/resource.hpp"

namespace chaos::mesh {

Kind pod_chaos();
Kind network_chaos();
Kind stress_chaos();
Kind io_chaos();
Kind time_chaos();
Kind dns_chaos();
Kind http_chaos();
Kind block_chaos();
Kind kernel_chaos();
Kind jvm_chaos();
Kind aws_chaos();
Kind gcp_chaos();
Kind azure_chaos();
Kind physical_machine_chaos();
Kind physical_machine();
Kind remote_cluster();
Kind schedule();
Kind workflow();
Kind status_check();
Kind chaos_engine();

}  // namespace chaos::mesh
