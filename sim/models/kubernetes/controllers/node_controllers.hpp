/// The node-side loops of kube-controller-manager: node lifecycle, taint eviction, pod garbage collection, disruption budgets and
/// endpoints. Each is made by a function, so that the list of controllers needs no other header.
#pragma once

#include <memory>

#include "sim/models/kubernetes/controllers/controller.hpp"

namespace sim::k8s {

class Kubelets;
struct ControllerManagerConfig;

std::unique_ptr<Controller> make_node_lifecycle_controller(const ControllerContext& context, Kubelets& kubelets, const ControllerManagerConfig& config);
std::unique_ptr<Controller> make_taint_eviction_controller(const ControllerContext& context);
/// The kubelets are not asked: pod garbage collection reads the API only.
std::unique_ptr<Controller> make_pod_gc_controller(const ControllerContext& context, Kubelets& kubelets, const ControllerManagerConfig& config);
std::unique_ptr<Controller> make_pod_gc_controller(const ControllerContext& context, const ControllerManagerConfig& config);
std::unique_ptr<Controller> make_disruption_controller(const ControllerContext& context);
std::unique_ptr<Controller> make_endpoints_controller(const ControllerContext& context);

}  // namespace sim::k8s
