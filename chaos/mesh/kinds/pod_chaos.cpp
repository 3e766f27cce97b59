/// PodChaos: pods are deleted, their containers killed, or their images replaced for a while by one that does nothing.
///
/// Source:     controllers/chaosimpl/podchaos/{podkill,containerkill,podfailure}. pod-failure: the API changes the images in the running pod, and the kubelet
///             restarts each container whose definition changed.
/// Leaves out: the pull of the pause image (every node has it); pod-failure of init containers, of static pods and of pods that are not restarted always (told as
///             Failed).
#include <fmt/format.h>

#include "chaos/mesh/cluster.hpp"
#include "chaos/mesh/kinds/kind_files.hpp"

namespace chaos::mesh {
namespace {

enum class Action : std::uint8_t { kPodKill, kPodFailure, kContainerKill };

struct PodChaos final : ChaosSpec, ContainerSelection {
  Action action = Action::kPodKill;
  std::int64_t grace_period = 0;

  bool is_one_shot() const override { return action != Action::kPodFailure; }
  std::vector<Target> select(Cluster& cluster, const std::string& ns, sim::RandomStream& random, std::string& why) const override {
    if (action == Action::kContainerKill) return container_targets(*this, cluster, ns, random, why);
    return pod_targets(*this, cluster, ns, ".", random, why);
  }
  void check(CheckContext& context) const override { check_selection(*this, context); }
  std::unique_ptr<Effect> make(Cluster& cluster) const override;
};

void describe(Fields<PodChaos>& fields) {
  fields.title("Pods are killed, fail, or lose a container.")
      .choice("action", &PodChaos::action,
              std::vector<std::pair<std::string, Action>>{{"pod-kill", Action::kPodKill}, {"pod-failure", Action::kPodFailure}, {"container-kill", Action::kContainerKill}},
              "pod-kill: the pods are deleted. pod-failure: their containers run an image that does nothing, for the duration. container-kill: containers are killed.")
      .required()
      .add("gracePeriod", &PodChaos::grace_period, 0, 1'000'000'000, "Of pod-kill: seconds that the pods get to end.");
  describe_containers(fields);
  describe_common(fields, "Of pod-failure: how long; without it, until the resource is deleted. The others are done at once.");
  fields.rule([](const PodChaos& spec, Node node, Reader& reader) {
    if (spec.action == Action::kContainerKill && spec.containers.empty()) reader.diagnostics.error(node, "the name of container is required on container-kill action").expected = "containerNames: [NAME, ...]";
  });
}

class PodChaosEffect final : public Effect {
 public:
  PodChaosEffect(Cluster& cluster, const PodChaos& spec) : Effect(cluster), spec_(spec) {}

  std::string apply(const Target& target, const std::vector<Target>&) override {
    sim::World& w = world();
    if (w.api.get(target.pod) == nullptr) return fmt::format("Pod \"{}\" not found", target.id);
    switch (spec_.action) {
      case Action::kPodKill: {
        sim::k8s::DeleteOptions options;
        options.grace_period_seconds = spec_.grace_period;
        const sim::ScopedCause because(w.engine, w.api.record(target.pod, "Killing", fmt::format("deleted by Chaos Mesh with grace period {}s", spec_.grace_period)));
        w.api.remove(target.pod, options);
        return {};
      }
      case Action::kContainerKill:
        if (std::string why = not_running(w, target); !why.empty()) return why;
        if (!w.kubelets.kill_container(target.pod, target.container)) return fmt::format("container {} is not running", target.id);
        return {};
      case Action::kPodFailure:
        if (!w.kubelets.set_image_paused(target.pod, true)) return fmt::format("{}its images cannot be replaced: it is a static pod, or one that is not restarted always, or no kubelet has it", kNotModelled);
        return {};
    }
    return {};
  }
  void recover(const Target& target) override {
    if (spec_.action == Action::kPodFailure && world().api.get(target.pod) != nullptr) world().kubelets.set_image_paused(target.pod, false);
  }

 private:
  const PodChaos& spec_;
};

std::unique_ptr<Effect> PodChaos::make(Cluster& cluster) const { return std::make_unique<PodChaosEffect>(cluster, *this); }

}  // namespace

Kind pod_chaos() { return make_kind<PodChaos>("PodChaos", "podChaos", "Pods are deleted, their containers killed, or their images replaced by one that does nothing."); }

}  // namespace chaos::mesh
