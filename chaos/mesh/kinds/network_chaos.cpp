/// NetworkChaos: packets from or to pods are dropped, lost, delayed, corrupted or slowed down.
///
/// Source:     controllers/chaosimpl/networkchaos/{partition,trafficcontrol}, controllers/podnetworkchaos (pods of the host's network are refused unless the
///             installation allows it); netem: sim/models/network/tcp.hpp. A corrupt packet is one lost: TCP's checksum finds it. A duplicate is thrown away by TCP.
///             A rule in the network namespace of a machine is on all of its packets: sim/models/network/host_network.hpp.
/// Leaves out: rules between a pod of the host's network and pods that have one of their own; externalTargets and devices (nothing in the simulated world calls out of the cluster; a pod has one device); limits of queues.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "chaos/mesh/cluster.hpp"
#include "chaos/mesh/kinds/kind_files.hpp"
#include "chaos/target.hpp"
#include "sim/models/network/host_network.hpp"

namespace chaos::mesh {
namespace {

using sim::network::Impairment;

enum class Action : std::uint8_t { kNetem, kDelay, kLoss, kDuplicate, kCorrupt, kPartition, kBandwidth };
enum class Direction : std::uint8_t { kTo, kFrom, kBoth };

struct ReorderSpec {
  NumberText reorder, correlation;
  std::int64_t gap = 0;
};
struct DelaySpec {
  GoDuration latency, jitter;
  NumberText correlation;
  std::optional<ReorderSpec> reorder;
};
struct LossSpec {
  NumberText loss, correlation;
};
struct DuplicateSpec {
  NumberText duplicate, correlation;
};
struct CorruptSpec {
  NumberText corrupt, correlation;
};
struct RateSpec {
  RateText rate;
};
struct BandwidthSpec {
  RateText rate;
  std::int64_t limit = 0, buffer = 0;
  std::optional<std::int64_t> peakrate, minburst;
};

/// As netem takes them: 0 to 100.
void check_percent(const NumberText& number, Node node, Reader& reader) {
  if (number.value < 0.0 || number.value > 100.0) reader.diagnostics.error(node, fmt::format("{} is no percentage", number.value)).expected = "\"0\" to \"100\"";
}

void describe(Fields<ReorderSpec>& fields) {
  fields.add("reorder", &ReorderSpec::reorder, "Percent of the packets that are not delayed at all: the mean delay is so much less.").required()
      .add("correlation", &ReorderSpec::correlation, "Percent; the mean stays.")
      .add("gap", &ReorderSpec::gap, 0, 1'000'000, "Above 1: every so many-th packet is not delayed, and no other.").required();
  fields.rule([](const ReorderSpec& spec, Node node, Reader& reader) { check_percent(spec.reorder, node.find("reorder"), reader); });
}
void describe(Fields<DelaySpec>& fields) {
  fields.add("latency", &DelaySpec::latency, "How much later a packet arrives.").required()
      .add("jitter", &DelaySpec::jitter, "More or less by so much, uniform.")
      .add("correlation", &DelaySpec::correlation, "Percent; the mean stays.")
      .add("reorder", &DelaySpec::reorder, "Some packets overtake others.");
  fields.rule([](const DelaySpec& spec, Node node, Reader& reader) {
    for (const char* key : {"latency", "jitter"}) {
      if (!node.find(key).is_null() && node.find(key).text().starts_with('-')) reader.diagnostics.error(node.find(key), "a delay is not negative");
    }
    check_percent(spec.correlation, node.find("correlation"), reader);
  });
}
void describe(Fields<LossSpec>& fields) {
  fields.add("loss", &LossSpec::loss, "Percent of the packets.").required().add("correlation", &LossSpec::correlation, "Percent; netem then loses fewer (above one half, more) than it is told.");
  fields.rule([](const LossSpec& spec, Node node, Reader& reader) {
    check_percent(spec.loss, node.find("loss"), reader);
    check_percent(spec.correlation, node.find("correlation"), reader);
  });
}
void describe(Fields<DuplicateSpec>& fields) {
  fields.add("duplicate", &DuplicateSpec::duplicate, "Percent of the packets. TCP throws the second one away: told, and otherwise without consequence.").required()
      .add("correlation", &DuplicateSpec::correlation, "Percent.");
  fields.rule([](const DuplicateSpec& spec, Node node, Reader& reader) {
    check_percent(spec.duplicate, node.find("duplicate"), reader);
    check_percent(spec.correlation, node.find("correlation"), reader);
  });
}
void describe(Fields<CorruptSpec>& fields) {
  fields.add("corrupt", &CorruptSpec::corrupt, "Percent of the packets. TCP's checksum finds it: they are lost.").required().add("correlation", &CorruptSpec::correlation, "As of loss.");
  fields.rule([](const CorruptSpec& spec, Node node, Reader& reader) {
    check_percent(spec.corrupt, node.find("corrupt"), reader);
    check_percent(spec.correlation, node.find("correlation"), reader);
  });
}
void describe(Fields<RateSpec>& fields) { fields.add("rate", &RateSpec::rate, "No more than this: 1mbps is a megabyte a second, 1mbit a megabit.").required(); }
void describe(Fields<BandwidthSpec>& fields) {
  fields.add("rate", &BandwidthSpec::rate, "No more than this: 1mbps is a megabyte a second, 1mbit a megabit. Felt by state transfers between members of a service.").required()
      .add("limit", &BandwidthSpec::limit, 1, 4'294'967'295, "Bytes that may wait. Of transfers of many seconds only the rate counts.").required()
      .add("buffer", &BandwidthSpec::buffer, 1, 4'294'967'295, "Bytes that may pass at once. Of transfers of many seconds only the rate counts.").required()
      .add("peakrate", &BandwidthSpec::peakrate, 0, 9e15, "How fast the buffer empties. Of transfers of many seconds only the rate counts.")
      .add("minburst", &BandwidthSpec::minburst, 0, 4'294'967'295, "Of the peak rate. Of transfers of many seconds only the rate counts.");
}

struct NetworkChaos final : ChaosSpec, PodSelection {
  Action action = Action::kDelay;
  Direction direction = Direction::kTo;
  std::optional<PodSelection> other;
  std::optional<DelaySpec> delay;
  std::optional<LossSpec> loss;
  std::optional<DuplicateSpec> duplicate;
  std::optional<CorruptSpec> corrupt;
  std::optional<RateSpec> rate;
  std::optional<BandwidthSpec> bandwidth;

  Impairment impairment() const;
  std::vector<Target> select(Cluster& cluster, const std::string& ns, sim::RandomStream& random, std::string& why) const override {
    std::vector<Target> targets = pod_targets(*this, cluster, ns, ".", random, why);
    if (targets.empty() || !other) return targets;
    const std::vector<Target> more = pod_targets(*other, cluster, ns, ".Target", random, why);
    if (more.empty()) return {};
    targets.insert(targets.end(), more.begin(), more.end());
    return targets;
  }
  void check(CheckContext& context) const override {
    check_selection(*this, context);
    if (other) check_selection(*other, context);
  }
  std::unique_ptr<Effect> make(Cluster& cluster) const override;
};

Impairment NetworkChaos::impairment() const {
  Impairment result;
  const auto share = [](const NumberText& percent, const NumberText& correlation) { return sim::network::netem_share(percent.value / 100.0, correlation.value / 100.0); };
  if (action == Action::kPartition) {
    result.drops = true;
    return result;
  }
  if (action == Action::kBandwidth) {
    if (bandwidth) result.bytes_per_second = bandwidth->rate.bytes_per_second;
    return result;
  }
  // Every action but these two ends in one netem with whatever is given.
  double arrives = 1.0;
  if (loss) arrives *= 1.0 - share(loss->loss, loss->correlation);
  if (corrupt) arrives *= 1.0 - share(corrupt->corrupt, corrupt->correlation);
  result.loss = 1.0 - arrives;
  if (delay) {
    double delayed = 1.0;
    if (delay->reorder) delayed = delay->reorder->gap > 1 ? 1.0 - 1.0 / static_cast<double>(delay->reorder->gap) : 1.0 - delay->reorder->reorder.value / 100.0;
    result.delay = sim::from_seconds(sim::seconds(delay->latency.value) * delayed);
    result.jitter = delay->jitter.value;
  }
  if (rate) result.bytes_per_second = rate->rate.bytes_per_second;
  return result;
}

void describe(Fields<NetworkChaos>& fields) {
  fields.title("The network of pods is disturbed.")
      .choice("action", &NetworkChaos::action,
              std::vector<std::pair<std::string, Action>>{{"netem", Action::kNetem}, {"delay", Action::kDelay}, {"loss", Action::kLoss}, {"duplicate", Action::kDuplicate}, {"corrupt", Action::kCorrupt}, {"partition", Action::kPartition}, {"bandwidth", Action::kBandwidth}},
              "What is done to packets: netem does all that is given at once.")
      .required()
      .choice("direction", &NetworkChaos::direction, std::vector<std::pair<std::string, Direction>>{{"to", Direction::kTo}, {"from", Direction::kFrom}, {"both", Direction::kBoth}},
              "To: packets from the selected pods to the target. From: the other way.")
      .add("target", &NetworkChaos::other, "To (from) whom; without it, everybody: other pods, clients, and the kubelet with its probes.")
      .add("delay", &NetworkChaos::delay, "Packets arrive later. Felt by probes (timeoutSeconds), and told of the services that it slows down.")
      .add("loss", &NetworkChaos::loss, "Packets do not arrive. Felt by probes, connections and state transfers.")
      .add("duplicate", &NetworkChaos::duplicate, "Packets arrive twice.")
      .add("corrupt", &NetworkChaos::corrupt, "Packets arrive with an error in them.")
      .add("rate", &NetworkChaos::rate, "Of netem: no more than this.")
      .add("bandwidth", &NetworkChaos::bandwidth, "Of bandwidth: no more than this.");
  describe_pods(fields);
  refused(fields, "device", TypeInfo::Kind::kString, "a pod has one device");
  refused(fields, "targetDevice", TypeInfo::Kind::kString, "a pod has one device");
  refused(fields, "externalTargets", TypeInfo::Kind::kList, "nothing in the simulated world calls out of the cluster");
  describe_common(fields);
  fields.rule([](const NetworkChaos& spec, Node node, Reader& reader) {
    const auto needs = [&](bool given, std::string_view key) {
      if (!given) reader.diagnostics.error(node, fmt::format("action {} needs '{}'", node.find("action").text(), key));
    };
    switch (spec.action) {
      case Action::kDelay: needs(spec.delay.has_value(), "delay"); break;
      case Action::kLoss: needs(spec.loss.has_value(), "loss"); break;
      case Action::kDuplicate: needs(spec.duplicate.has_value(), "duplicate"); break;
      case Action::kCorrupt: needs(spec.corrupt.has_value(), "corrupt"); break;
      case Action::kBandwidth: needs(spec.bandwidth.has_value(), "bandwidth"); break;
      case Action::kNetem:
        if (!spec.delay && !spec.loss && !spec.duplicate && !spec.corrupt && !spec.rate) reader.diagnostics.error(node, "action netem needs one of delay, loss, duplicate, corrupt, rate");
        break;
      case Action::kPartition: break;
    }
    if (spec.direction != Direction::kTo && !spec.other && spec.action != Action::kPartition) {
      reader.diagnostics.error(node.find("direction"), "`from` and `both` direction cannot be used when targets is empty in netem action").hint = "give 'target', or use direction: to";
    }
  });
}

class NetworkEffect final : public Effect {
 public:
  NetworkEffect(Cluster& cluster, const NetworkChaos& spec) : Effect(cluster), spec_(spec) {}

  std::string apply(const Target& target, const std::vector<Target>& all) override {
    sim::World& w = world();
    if (std::string why = not_running(w, target); !why.empty()) return why;
    const sim::k8s::Pod& pod = *w.api.get(target.pod);
    const bool is_source = target.key == ".";
    // Where netem sits at the sending end; a partition has both of its ends in the rule of the selected pod.
    const bool acts = spec_.action == Action::kPartition ? is_source : is_source ? spec_.direction != Direction::kFrom : spec_.direction != Direction::kTo;
    if (pod.spec->host_network) {
      if (!cluster_.options().allows_host_network) return fmt::format("It's dangerous to inject network chaos on a pod({}) with `hostNetwork`", target.id);
      return acts ? apply_to_host(target, all) : std::string();
    }
    if (!acts || group_of(target) != groups_.end()) return {};
    // One rule for all that can be hit now, not one a pod: of thousands to thousands there would be millions of pairs.
    std::vector<sim::network::PodNetwork::PodRef> own, others;
    Group group;
    for (const Target& one : all) {
      if (one.key != target.key) {
        others.push_back(one.pod);
      } else if (group_of(one) == groups_.end() && not_running(w, one).empty() && !w.api.get(one.pod)->spec->host_network) {
        own.push_back(one.pod);
        group.targets.insert({one.key, one.id});
      }
    }
    const Impairment impairment = spec_.impairment();
    sim::network::PodNetwork& network = w.network_of_pods();
    const bool sends = spec_.action != Action::kPartition || spec_.direction != Direction::kFrom;
    const bool receives = spec_.action == Action::kPartition && spec_.direction != Direction::kTo;
    if (sends) group.rules.push_back(network.impair(own, others, impairment));
    if (receives) group.rules.push_back(network.impair(others, own, impairment));
    groups_.push_back(std::move(group));
    return {};
  }
  void recover(const Target& target) override {
    // All of a group are taken back at one instant: with the last of them its rules go.
    const auto found = group_of(target);
    if (found != groups_.end()) {
      found->targets.erase({target.key, target.id});
      if (found->targets.empty()) {
        const std::vector<sim::network::PodNetwork::Id> ids = std::move(found->rules);
        groups_.erase(found);
        for (const sim::network::PodNetwork::Id id : ids) world().network_of_pods().remove(id);
      }
    }
    recover_host(target);
  }

 private:
  /// Targets (key, id) that share their rules.
  struct Group {
    std::set<std::pair<std::string, std::string>> targets;
    std::vector<sim::network::PodNetwork::Id> rules;
  };
  std::vector<Group>::iterator group_of(const Target& target) {
    return std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) { return group.targets.contains({target.key, target.id}); });
  }
  /// The network namespace is the machine's: all of its traffic is hit, not the pod's alone, and once however many of its pods were selected.
  std::string apply_to_host(const Target& target, const std::vector<Target>& all) {
    sim::World& w = world();
    const sim::host::HostId host = w.kubelets.host_of(w.api.get(target.pod)->node);
    if (!host) return fmt::format("{}the network of {}, which has no machine here", kNotModelled, target.id);
    const Impairment impairment = spec_.impairment();
    HostHit& hit = hosts_[{target.key, host}];
    if (!hit.targets.empty()) {
      hit.targets.insert(target.id);
      return {};
    }
    if (!spec_.other && impairment.cuts()) {
      hit.partition = cluster_.environment().new_partition();
      cluster_.environment().enter_partition(host, hit.partition);
      hit.targets.insert(target.id);
      return {};
    }
    std::vector<sim::host::HostId> others;
    for (const Target& one : all) {
      if (one.key == target.key || !not_running(w, one).empty()) continue;
      const sim::k8s::Pod& pod = *w.api.get(one.pod);
      if (!pod.spec->host_network) {
        hosts_.erase({target.key, host});
        return fmt::format("{}packets between pod {} of the host's network and pod {}, which has a network of its own", kNotModelled, target.id, one.id);
      }
      if (const sim::host::HostId other = w.kubelets.host_of(pod.node); other && other != host) others.push_back(other);
    }
    if (spec_.other && others.empty()) {
      hit.targets.insert(target.id);  // all on the same machine: the loopback device has no such rules
      return {};
    }
    sim::network::HostNetwork& network = w.network_of_hosts();
    const bool sends = spec_.action != Action::kPartition || spec_.direction != Direction::kFrom;
    const bool receives = spec_.action == Action::kPartition && spec_.direction != Direction::kTo;
    if (sends) hit.rules.push_back(network.impair({host}, others, impairment));
    if (receives) hit.rules.push_back(network.impair(others, {host}, impairment));
    hit.targets.insert(target.id);
    return {};
  }
  void recover_host(const Target& target) {
    for (auto place = hosts_.begin(); place != hosts_.end(); ++place) {
      if (place->first.first != target.key || place->second.targets.erase(target.id) == 0) continue;
      if (!place->second.targets.empty()) return;
      const sim::host::HostId host = place->first.second;
      const HostHit hit = std::move(place->second);
      hosts_.erase(place);
      if (hit.partition > 0) cluster_.environment().leave_partition(host, hit.partition);
      for (const sim::network::HostNetwork::Id rule : hit.rules) world().network_of_hosts().remove(rule);
      return;
    }
  }
  struct HostHit {
    std::set<std::string> targets;  // pods, by id
    std::uint32_t partition = 0;
    std::vector<sim::network::HostNetwork::Id> rules;
  };

  const NetworkChaos& spec_;
  std::vector<Group> groups_;
  std::map<std::pair<std::string, sim::host::HostId>, HostHit> hosts_;
};

std::unique_ptr<Effect> NetworkChaos::make(Cluster& cluster) const { return std::make_unique<NetworkEffect>(cluster, *this); }

}  // namespace

Kind network_chaos() { return make_kind<NetworkChaos>("NetworkChaos", "networkChaos", "Packets from or to pods are dropped, lost, delayed, corrupted or slowed down."); }

}  // namespace chaos::mesh
