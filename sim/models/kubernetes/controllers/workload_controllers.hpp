/// The control loops that keep workloads as they were asked for: factories only, each loop is in a file of its own.
#pragma once

#include <cstdint>
#include <memory>

#include "sim/models/kubernetes/controllers/controller.hpp"

namespace sim::k8s {

std::unique_ptr<Controller> make_deployment_controller(const ControllerContext& context);
std::unique_ptr<Controller> make_replica_set_controller(const ControllerContext& context);
std::unique_ptr<Controller> make_stateful_set_controller(const ControllerContext& context);
std::unique_ptr<Controller> make_daemon_set_controller(const ControllerContext& context);
std::unique_ptr<Controller> make_job_controller(const ControllerContext& context);
/// `start_unix_seconds`: the wall-clock time (UTC) of the start of the run, from which schedules are computed.
std::unique_ptr<Controller> make_cron_job_controller(const ControllerContext& context, std::int64_t start_unix_seconds);
std::unique_ptr<Controller> make_ttl_after_finished_controller(const ControllerContext& context);
std::unique_ptr<Controller> make_garbage_collector(const ControllerContext& context);

}  // namespace sim::k8s
