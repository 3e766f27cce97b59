/// AWSChaos, GCPChaos, AzureChaos: a machine of a cloud is stopped, or restarted.
///
/// A machine is the node of that name, unless the fault's `instances` says which node it is. A stopped one is off until the duration is over, then started.
///
/// Source:     controllers/chaosimpl/{awschaos/{ec2stop,ec2restart},gcpchaos/{nodestop,nodereset},azurechaos/{vmstop,vmrestart}}.
/// Leaves out: detached disks; regions, projects, zones and credentials (they are names for where the machine is).
#include <fmt/format.h>

#include "chaos/mesh/cluster.hpp"
#include "chaos/mesh/kinds/kind_files.hpp"
#include "chaos/target.hpp"

namespace chaos::mesh {
namespace {

enum class Action : std::uint8_t { kStop, kRestart, kDetach };
constexpr std::string_view kNames = "Where the machine is: says nothing here.";

struct CloudChaos : ChaosSpec {
  Action action = Action::kStop;
  std::string instance;

  bool is_one_shot() const override { return action == Action::kRestart; }
  static std::string node_name(const std::string& instance, const std::map<std::string, std::string>& instances) {
    const auto found = instances.find(instance);
    return found == instances.end() ? instance : found->second;
  }
  std::vector<Target> select(Cluster& cluster, const std::string&, sim::RandomStream&, std::string& why) const override {
    sim::World& w = cluster.world();
    const sim::k8s::Ref<sim::k8s::Node> node = w.api.find<sim::k8s::Node>(sim::Symbol{}, w.names.find(node_name(instance, cluster.options().instances)));
    if (node && w.kubelets.host_of(node)) return {Target{instance, ".", {}, {}, node}};
    why = fmt::format("no machine {}", instance);
    return {};
  }
  void check(CheckContext& context) const override {
    const std::string name = node_name(instance, context.instances);
    if (context.world.api.find<sim::k8s::Node>(sim::Symbol{}, context.world.names.find(name))) return;
    const std::string hint = sim::scenario::did_you_mean(name, node_names(context.world));
    context.problem(where, fmt::format("there is no node '{}'{}; the fault's 'instances' says which node a machine of the cloud is: instances: {{{}: NODE}}", name, hint.empty() ? std::string() : ", " + hint, instance));
  }
  std::unique_ptr<Effect> make(Cluster& cluster) const override;
};

template <class T>
void describe_cloud(Fields<T>& fields, std::string_view stop, std::string_view restart, std::string_view detach, std::string_view instance) {
  fields.choice("action", &CloudChaos::action, std::vector<std::pair<std::string, Action>>{{std::string(stop), Action::kStop}, {std::string(restart), Action::kRestart}, {std::string(detach), Action::kDetach}},
                fmt::format("{}: off until the duration is over. {}: restarted. {} is refused.", stop, restart, detach))
      .required()
      .add(instance, &CloudChaos::instance, "The machine: the node of that name, or the one that the fault's `instances` says.")
      .required();
  describe_common(fields, "How long it is off; without it, until the resource is deleted.");
  fields.rule([](const T& spec, Node node, Reader& reader) {
    if (spec.action == Action::kDetach) reader.diagnostics.error(node.find("action"), fmt::format("{}{}: disks that a cloud takes away", kNotModelled, node.find("action").text()));
  });
}

struct AwsChaos final : CloudChaos {};
void describe(Fields<AwsChaos>& fields) {
  describe_cloud(fields, "ec2-stop", "ec2-restart", "detach-volume", "ec2Instance");
  without_effect(fields, "awsRegion", TypeInfo::Kind::kString, kNames).required();
  without_effect(fields, "secretName", TypeInfo::Kind::kString, kNames);
  without_effect(fields, "endpoint", TypeInfo::Kind::kString, kNames);
  refused(fields, "volumeID", TypeInfo::Kind::kString, "disks that a cloud takes away");
  refused(fields, "deviceName", TypeInfo::Kind::kString, "disks that a cloud takes away");
}
struct GcpChaos final : CloudChaos {};
void describe(Fields<GcpChaos>& fields) {
  describe_cloud(fields, "node-stop", "node-reset", "disk-loss", "instance");
  without_effect(fields, "project", TypeInfo::Kind::kString, kNames).required();
  without_effect(fields, "zone", TypeInfo::Kind::kString, kNames).required();
  without_effect(fields, "secretName", TypeInfo::Kind::kString, kNames);
  refused(fields, "deviceNames", TypeInfo::Kind::kList, "disks that a cloud takes away");
}
struct AzureChaos final : CloudChaos {};
void describe(Fields<AzureChaos>& fields) {
  describe_cloud(fields, "vm-stop", "vm-restart", "disk-detach", "vmName");
  without_effect(fields, "subscriptionID", TypeInfo::Kind::kString, kNames).required();
  without_effect(fields, "resourceGroupName", TypeInfo::Kind::kString, kNames).required();
  without_effect(fields, "secretName", TypeInfo::Kind::kString, kNames);
  refused(fields, "diskName", TypeInfo::Kind::kString, "disks that a cloud takes away");
  refused(fields, "lun", TypeInfo::Kind::kInteger, "disks that a cloud takes away");
}

class CloudEffect final : public Effect {
 public:
  CloudEffect(Cluster& cluster, const CloudChaos& spec) : Effect(cluster), spec_(spec) {}
  std::string apply(const Target& target, const std::vector<Target>&) override {
    const sim::host::HostId host = world().kubelets.host_of(target.node);
    if (spec_.action == Action::kRestart) {
      world().hosts.reboot(host);
      return {};
    }
    cluster_.environment().hold(FaultEnvironment::Held::kHostOff, {host.value, 0});
    world().hosts.power_off(host);
    return {};
  }
  void recover(const Target& target) override {
    const sim::host::HostId host = world().kubelets.host_of(target.node);
    if (cluster_.environment().release(FaultEnvironment::Held::kHostOff, {host.value, 0})) world().hosts.power_on(host);
  }

 private:
  const CloudChaos& spec_;
};

std::unique_ptr<Effect> CloudChaos::make(Cluster& cluster) const { return std::make_unique<CloudEffect>(cluster, *this); }

}  // namespace

Kind aws_chaos() { return make_kind<AwsChaos>("AWSChaos", "awsChaos", "An EC2 instance is stopped or restarted."); }
Kind gcp_chaos() { return make_kind<GcpChaos>("GCPChaos", "gcpChaos", "A machine of Google's cloud is stopped or reset."); }
Kind azure_chaos() { return make_kind<AzureChaos>("AzureChaos", "azureChaos", "A virtual machine of Azure is stopped or restarted."); }

}  // namespace chaos::mesh
