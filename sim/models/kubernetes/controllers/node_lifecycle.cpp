#include "sim/models/kubernetes/controllers/node_controllers.hpp"
#include "sim/models/kubernetes/controllers/node_lifecycle_controller.hpp"

namespace sim::k8s {

namespace {

class KubeletHeartbeats final : public HeartbeatSource {
 public:
  explicit KubeletHeartbeats(Kubelets& kubelets) : kubelets_(kubelets) {}
  Heartbeat heartbeat(Ref<Node> node) const override { return kubelets_.heartbeat(node); }
  void on_heartbeat(std::function<void(Ref<Node>)> listener) override { kubelets_.on_heartbeat(std::move(listener)); }

 private:
  Kubelets& kubelets_;
};

class WithKubelets final : public Controller {
 public:
  WithKubelets(const ControllerContext& context, Kubelets& kubelets, const ControllerManagerConfig& config)
      : heartbeats_(kubelets), controller_(context, heartbeats_, config) {}
  std::string_view name() const override { return controller_.name(); }
  void start() override { controller_.start(); }
  void stop() override { controller_.stop(); }

 private:
  KubeletHeartbeats heartbeats_;
  NodeLifecycleController controller_;
};

}  // namespace

std::unique_ptr<Controller> make_node_lifecycle_controller(const ControllerContext& context, Kubelets& kubelets, const ControllerManagerConfig& config) {
  return std::make_unique<WithKubelets>(context, kubelets, config);
}

}  // namespace sim::k8s
