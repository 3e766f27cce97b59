#include "chaos/fault.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "chaos/target.hpp"
#include "sim/models/rook/rook.hpp"

namespace chaos {

FaultEnvironment::FaultEnvironment(sim::World& world, std::map<std::string, std::vector<std::string>> pools)
    : world_(world), pools_(std::move(pools)) {}

void FaultEnvironment::when_writable(const std::shared_ptr<const void>& owner, std::function<void()> action) {
  if (world_.api.writable()) return action();
  waiting_.push_back(Waiting{owner, world_.engine.cause(), std::move(action)});
  if (listening_) return;
  listening_ = true;
  world_.api.on_availability([this] {
    if (!world_.api.writable() || waiting_.empty()) return;
    const std::vector<Waiting> due = std::exchange(waiting_, {});
    for (const Waiting& waiting : due) {
      if (waiting.owner.expired()) continue;
      sim::ScopedCause because(world_.engine, waiting.cause);
      waiting.action();
    }
  });
}

void FaultEnvironment::enter_partition(sim::host::HostId host, std::uint32_t partition) {
  partitions_[host].push_back(partition);
  world_.hosts.set_partition(host, partition);
}

void FaultEnvironment::leave_partition(sim::host::HostId host, std::uint32_t partition) {
  std::vector<std::uint32_t>& entered = partitions_[host];
  std::erase(entered, partition);
  world_.hosts.set_partition(host, entered.empty() ? 0 : entered.back());
}

bool FaultEnvironment::release(Held what, HeldThing thing) {
  const auto found = holds_.find({what, thing});
  if (found == holds_.end()) return true;
  if (--found->second > 0) return false;
  holds_.erase(found);
  return true;
}

const std::vector<double>& FaultEnvironment::put(Held what, HeldThing thing, double value) {
  std::vector<double>& values = degrees_[{what, thing}];
  values.push_back(value);
  return values;
}

const std::vector<double>& FaultEnvironment::take_back(Held what, HeldThing thing, double value) {
  std::vector<double>& values = degrees_[{what, thing}];
  const auto found = std::find(values.begin(), values.end(), value);
  if (found != values.end()) values.erase(found);
  return values;
}

void FaultEnvironment::slow_disk(std::size_t member, double factor, bool undo) {
  std::vector<double>& factors = disk_factors_[member];
  if (undo) {
    const auto found = std::find(factors.begin(), factors.end(), factor);
    if (found != factors.end()) factors.erase(found);
  } else {
    factors.push_back(factor);
  }
  double product = 1.0;
  for (double one : factors) product *= one;
  world_.control_plane.set_disk_slow(member, product);
}

// ---- clocks -------------------------------------------------------------------------------------------------------------

namespace {

/// etcd's probes of its peers warn above so much difference.
constexpr SimDuration kEtcdWarns = std::chrono::seconds(1);

std::string how_wrong(SimDuration offset) {
  return fmt::format("{} {}", sim::format_duration(offset < SimDuration::zero() ? -offset : offset), offset < SimDuration::zero() ? "behind" : "ahead");
}

}  // namespace

void FaultEnvironment::skew_machine(sim::host::HostId host, SimDuration by, CertificateTerm term) {
  SimDuration& offset = machine_clocks_[host];
  const SimDuration before = offset;
  offset += by;
  const std::string& name = world_.hosts.spec(host).name;
  const bool is_right = offset == SimDuration::zero();
  const std::string subject = fmt::format("host/{}", name);
  const sim::ScopedCause because(world_.engine, world_.log.record(is_right ? "ClockSetRight" : "ClockSkewed", subject,
                                                                  is_right ? fmt::format("the clock of {} is right again", name) : fmt::format("the clock of {} is {}", name, how_wrong(offset))));
  // A kubelet verifies the API servers' certificates by its own clock.
  const sim::k8s::Ref<sim::k8s::Node> node = world_.kubelets.node_of(host);
  if (world_.api.get(node) != nullptr) {
    const auto is_invalid = [&](SimDuration skew) { return skew >= term.life - term.age || skew < -term.age; };
    if (is_invalid(before) != is_invalid(offset)) {
      const sim::CauseId id = world_.log.record(is_invalid(offset) ? "CertificateNotValid" : "CertificateValid", subject,
                                                is_invalid(offset) ? fmt::format("x509: certificate has expired or is not yet valid: so says the kubelet of {} of the API servers', whose clock is {}", name, how_wrong(offset))
                                                                   : fmt::format("the kubelet of {} takes the API servers' certificates for valid again", name));
      const sim::ScopedCause invalid(world_.engine, id);
      // One that is NotReady for another reason stays so for this one.
      if (is_invalid(offset) && world_.api.get(node)->ready != sim::k8s::ConditionStatus::kTrue) {
        const std::string object = "Node/" + world_.names.text(world_.api.get(node)->meta.name);
        for (std::size_t i = world_.log.size(); i > 0; --i) {
          const sim::CauseId earlier{static_cast<std::uint32_t>(i)};
          if (world_.log.kind(world_.log.at(earlier)) != "NodeNotReady" || world_.log.subject(world_.log.at(earlier)) != object) continue;
          world_.log.also_caused_by(earlier, id);
          break;
        }
      }
      world_.kubelets.set_no_contact(node, sim::k8s::Kubelets::NoContact::kClock, is_invalid(offset));
    }
  }
  if (const std::optional<std::size_t> member = member_on(world_.control_plane, host)) {
    const auto warns = [](SimDuration skew) { return skew > kEtcdWarns || skew < -kEtcdWarns; };
    if (world_.control_plane.member_count() > 1 && warns(offset) && !warns(before)) {
      world_.log.record("EtcdClockDrift", "etcd", fmt::format("prober found high clock drift: {} is {}", name, how_wrong(offset)));
    }
    skew_controllers(*member, by);
  }
  if (world_.rook != nullptr) {
    const sim::ceph::Monitors& monitors = world_.rook->cluster().monitors();
    for (std::size_t i = 0; i < monitors.size(); ++i) {
      if (monitors.host(i) == host) world_.rook->cluster().set_clock_skew(monitors.name(i), offset);
    }
  }
}

void FaultEnvironment::update_controllers_clock() {
  const std::optional<std::size_t> leader = world_.control_plane.leader(sim::k8s::Component::kControllerManager);
  const auto found = leader ? controllers_clocks_.find(*leader) : controllers_clocks_.end();
  world_.controllers.set_clock_skew(found == controllers_clocks_.end() ? SimDuration{} : found->second);
}

void FaultEnvironment::skew_controllers(std::size_t member, SimDuration by) {
  controllers_clocks_[member] += by;
  update_controllers_clock();
  if (std::exchange(follows_leaders_, true)) return;
  world_.control_plane.on_leadership([this](sim::k8s::Component component, bool gained) {
    if (gained && component == sim::k8s::Component::kControllerManager) update_controllers_clock();
  });
}

}  // namespace chaos
