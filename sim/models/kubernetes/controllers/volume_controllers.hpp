/// The control loops of kube-controller-manager that concern volumes: factories only, each loop is in a file of its own.
///
/// A loop opens its watches on pods and nodes once there is storage to speak of (ApiServer::has_storage()), so that a cluster without costs
/// nothing.
#pragma once

#include <memory>

#include "sim/models/kubernetes/controllers/controller.hpp"
#include "sim/models/kubernetes/volumes/storage.hpp"

namespace sim::k8s {

std::unique_ptr<Controller> make_persistent_volume_controller(const ControllerContext& context);
std::unique_ptr<Controller> make_volume_protection_controller(const ControllerContext& context);
std::unique_ptr<Controller> make_ephemeral_volume_controller(const ControllerContext& context);
std::unique_ptr<Controller> make_attach_detach_controller(const ControllerContext& context, Storage& storage);

}  // namespace sim::k8s
