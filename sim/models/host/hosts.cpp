#include "sim/models/host/hosts.hpp"

#include <utility>

#include <fmt/format.h>

#include "sim/core/check.hpp"

namespace sim::host {

namespace {

using namespace std::chrono_literals;

// Reference platform 11.2.
constexpr BootTime kBareMetalBoot{8min, 0.35};
constexpr BootTime kVmBoot{40s, 0.4};
constexpr BootTime kKubeletStart{45s, 0.5};

SimDuration draw(RandomStream stream, const BootTime& time) {
  return time.sigma == 0.0 ? time.median : stream.lognormal(time.median, time.sigma);
}

}  // namespace

const char* to_string(HostState state) {
  switch (state) {
    case HostState::kOff: return "off";
    case HostState::kBooting: return "booting";
    case HostState::kUp: return "up";
    case HostState::kHung: return "hung";
  }
  return "";
}

Hosts::Hosts(Engine& engine, EventLog& log, const Randomness& random, topology::Topology& topology)
    : engine_(engine), log_(log), random_(random), topology_(topology) {
  topology_.on_change([this](topology::ElementId element, topology::Aspect aspect, bool has) { on_topology(element, aspect, has); });
}

HostId Hosts::add(HostSpec spec) {
  const topology::ElementId element = topology_.find(spec.name);
  SIM_CHECK(element, "a host has a topology element of its name");
  SIM_CHECK(topology_.kind(element) == topology::ElementKind::kHost || topology_.kind(element) == topology::ElementKind::kVm,
            "the topology element of a host is a host or a VM");
  const HostId id{static_cast<std::uint32_t>(hosts_.size())};
  SIM_CHECK(by_name_.emplace(spec.name, id.value).second, "names of hosts are unique");
  if (spec.boot.median == SimDuration::zero()) spec.boot = spec.machine == Machine::kVm ? kVmBoot : kBareMetalBoot;
  if (spec.kubelet_start.median == SimDuration::zero()) spec.kubelet_start = kKubeletStart;
  if (by_element_.size() <= element.value) by_element_.resize(element.value + 1);
  by_element_[element.value] = id;
  Host host;
  host.spec = std::move(spec);
  host.element = element;
  hosts_.push_back(std::move(host));
  hosts_.back().has_link = topology_.has(element, topology::Aspect::kNetwork);
  if (!can_run(id)) hosts_.back().state = HostState::kOff;
  return id;
}

HostId Hosts::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? HostId{} : HostId{found->second};
}

bool Hosts::has_network(HostId id) const {
  const Host& host = hosts_[id.value];
  return (host.state == HostState::kUp || host.state == HostState::kHung) && host.has_link && host.partition == 0 && !(is_cut_ && is_cut_(id, HostId{}));
}

bool Hosts::reachable(HostId a, HostId b) const {
  if (!is_running(a) || !is_running(b)) return false;
  if (a == b) return true;
  const Host& first = hosts_[a.value];
  const Host& second = hosts_[b.value];
  return first.has_link && second.has_link && !first.is_stalled && !second.is_stalled && first.partition == second.partition && !(is_cut_ && is_cut_(a, b));
}

SimDuration Hosts::kubelet_start_time(HostId id) const {
  const Host& host = hosts_[id.value];
  return draw(random_.stream("host/kubelet-start", fmt::format("{}#{}", host.spec.name, host.boots)), host.spec.kubelet_start);
}

CauseId Hosts::record(HostId id, std::string_view kind, std::string_view message) {
  Host& host = hosts_[id.value];
  host.cause = log_.record(kind, fmt::format("host/{}", host.spec.name), message);
  return host.cause;
}

HostId Hosts::physical_host(HostId id) const {
  const topology::ElementId own = hosts_[id.value].element;
  if (topology_.kind(own) != topology::ElementKind::kVm) return HostId{};
  const topology::ElementId physical = topology_.enclosing(own, topology::ElementKind::kHost);
  if (!physical || physical.value >= by_element_.size()) return HostId{};
  return by_element_[physical.value];
}

std::vector<HostId> Hosts::vms_of(HostId id) const {
  std::vector<HostId> vms;
  for (const topology::ElementId inside : topology_.placed_in(hosts_[id.value].element)) {
    if (topology_.kind(inside) != topology::ElementKind::kVm || inside.value >= by_element_.size()) continue;
    if (const HostId vm = by_element_[inside.value]) vms.push_back(vm);
  }
  return vms;
}

bool Hosts::can_run(HostId id) const {
  if (!topology_.has(hosts_[id.value].element, topology::Aspect::kPower)) return false;
  const HostId physical = physical_host(id);
  return !physical || is_running(physical);
}

void Hosts::go_down(HostId id, std::string_view kind, std::string_view message) {
  Host& host = hosts_[id.value];
  engine_.cancel(std::exchange(host.timer, TimerId{}));
  host.state = HostState::kOff;
  host.is_stalled = false;
  host.slowdown = host.fsync_factor = 1.0;
  const ScopedCause because(engine_, record(id, kind, message));
  notify(Change::What::kDown, id);
  for (const HostId vm : vms_of(id)) {
    if (state(vm) == HostState::kOff) continue;
    go_down(vm, "HostCrashed", fmt::format("VM {} died with its host {}", spec(vm).name, spec(id).name));
  }
}

void Hosts::start_boot(HostId id) {
  Host& host = hosts_[id.value];
  if (host.state != HostState::kOff || !host.wants_on || !can_run(id)) return;
  host.state = HostState::kBooting;
  ++host.boots;
  const SimDuration time = draw(random_.stream("host/boot", fmt::format("{}#{}", host.spec.name, host.boots)), host.spec.boot);
  const ScopedCause because(engine_, record(id, "HostBooting", fmt::format("{} boots, which takes {}", host.spec.name, humanize(time))));
  host.timer = engine_.after(time, [this, id, time] { finish_boot(id, time); });
  notify(Change::What::kBooting, id);
}

void Hosts::finish_boot(HostId id, SimDuration took) {
  Host& host = hosts_[id.value];
  host.timer = TimerId{};
  host.state = HostState::kUp;
  const ScopedCause because(engine_, record(id, "HostUp", fmt::format("{} is up after {}", host.spec.name, humanize(took))));
  notify(Change::What::kUp, id);
  for (const HostId vm : vms_of(id)) start_boot(vm);
}

void Hosts::crash(HostId id) {
  hosts_[id.value].wants_on = false;  // also without power: it does not come back with it
  if (state(id) == HostState::kOff) return;
  go_down(id, "HostCrashed", fmt::format("{} crashed", spec(id).name));
}

void Hosts::power_off(HostId id) {
  hosts_[id.value].wants_on = false;
  if (state(id) == HostState::kOff) return;
  go_down(id, "HostPoweredOff", fmt::format("{} was switched off", spec(id).name));
}

void Hosts::power_on(HostId id) {
  hosts_[id.value].wants_on = true;
  start_boot(id);
}

void Hosts::reboot(HostId id) {
  hosts_[id.value].wants_on = true;
  if (state(id) != HostState::kOff) go_down(id, "HostReset", fmt::format("{} is rebooted", spec(id).name));
  const ScopedCause because(engine_, last_cause(id));
  start_boot(id);
}

void Hosts::hang(HostId id, std::string_view why) {
  Host& host = hosts_[id.value];
  if (host.state != HostState::kUp) return;
  host.state = HostState::kHung;
  host.is_stalled = false;
  const ScopedCause because(engine_, record(id, "HostHung", fmt::format("{} hangs: {}", host.spec.name, why)));
  if (host.spec.hang_reset_after > SimDuration::zero()) {
    host.timer = engine_.after(host.spec.hang_reset_after, [this, id] { reset(id); });
  }
  notify(Change::What::kHung, id);
  for (const HostId vm : vms_of(id)) {
    Host& guest = hosts_[vm.value];
    if (guest.state == HostState::kBooting) {
      // Its boot got nowhere; it starts over when its host is back.
      go_down(vm, "HostCrashed", fmt::format("VM {} stopped booting: its host {} hangs", guest.spec.name, host.spec.name));
    }
    if (guest.state != HostState::kUp) continue;
    // No reset of its own: it comes back with its host.
    guest.state = HostState::kHung;
    const ScopedCause because_of_host(engine_, record(vm, "HostHung", fmt::format("VM {} stands still: its host {} hangs", guest.spec.name, host.spec.name)));
    notify(Change::What::kHung, vm);
  }
}

void Hosts::reset(HostId id) {
  if (state(id) != HostState::kHung && state(id) != HostState::kUp) return;
  hosts_[id.value].wants_on = true;
  go_down(id, "HostReset", fmt::format("{} was reset", spec(id).name));
  const ScopedCause because(engine_, last_cause(id));
  start_boot(id);
}

void Hosts::set_partition(HostId id, std::uint32_t partition) {
  Host& host = hosts_[id.value];
  if (host.partition != partition) {
    host.partition = partition;
    const ScopedCause because(
        engine_, record(id, "HostPartitioned",
                        partition == 0 ? fmt::format("{} is back in the network of all", host.spec.name)
                                       : fmt::format("{} is cut off: it reaches network partition {} only", host.spec.name, partition)));
    if (host.state == HostState::kUp || host.state == HostState::kHung) notify(Change::What::kNetwork, id);
  }
  for (const HostId vm : vms_of(id)) set_partition(vm, partition);
}

void Hosts::links_changed(HostId id, bool worse) {
  Host& host = hosts_[id.value];
  if (worse) host.cause = engine_.cause();
  if (host.state == HostState::kUp || host.state == HostState::kHung) notify(Change::What::kNetwork, id);
}

void Hosts::set_stalled(HostId id, bool stalled) {
  Host& host = hosts_[id.value];
  if (host.is_stalled == stalled || (stalled && host.state != HostState::kUp)) return;
  host.is_stalled = stalled;
  if (stalled) host.cause = engine_.cause();
  if (host.state == HostState::kUp) notify(Change::What::kNetwork, id);
}

void Hosts::set_slowdown(HostId id, double factor) {
  SIM_CHECK(factor >= 1.0, "a slowdown makes nothing faster");
  Host& host = hosts_[id.value];
  if (host.slowdown == factor || host.state != HostState::kUp) return;
  host.slowdown = factor;
  for (std::size_t i = 0; i < slowdown_listeners_.size(); ++i) slowdown_listeners_[i](id);
}

void Hosts::set_fsync_factor(HostId id, double factor) {
  SIM_CHECK(factor >= 1.0, "a disk that is shared is not faster");
  Host& host = hosts_[id.value];
  if (host.fsync_factor == factor || host.state != HostState::kUp) return;
  host.fsync_factor = factor;
  for (std::size_t i = 0; i < slowdown_listeners_.size(); ++i) slowdown_listeners_[i](id);
}

void Hosts::on_topology(topology::ElementId element, topology::Aspect aspect, bool has) {
  if (element.value >= by_element_.size() || !by_element_[element.value]) return;
  const HostId id = by_element_[element.value];
  Host& host = hosts_[id.value];
  // A host without power for want of both its feeds has more than one reason.
  const auto contribute = [&](CauseId to) {
    for (const CauseId reason : topology_.reasons(element, aspect)) log_.also_caused_by(to, reason);
  };
  if (aspect == topology::Aspect::kPower) {
    if (has) {
      start_boot(id);
    } else if (host.state != HostState::kOff) {
      const auto before = static_cast<std::uint32_t>(log_.size());
      go_down(id, "HostCrashed", fmt::format("{} lost its power", host.spec.name));
      contribute(CauseId{before + 1});
    }
    return;
  }
  host.has_link = has;
  if (host.state != HostState::kUp && host.state != HostState::kHung) return;
  const CauseId what = has ? record(id, "HostNetworkRestored", fmt::format("{} has its network again", host.spec.name))
                           : record(id, "HostNetworkLost", fmt::format("{} lost its network", host.spec.name));
  if (!has) contribute(what);
  const ScopedCause because(engine_, what);
  notify(Change::What::kNetwork, id);
}

void Hosts::notify(Change::What what, HostId id) {
  pending_.push_back({{what, id}, engine_.cause()});
  if (notifying_) return;
  notifying_ = true;
  while (!pending_.empty()) {
    const Pending next = pending_.front();
    pending_.pop_front();
    const ScopedCause because(engine_, next.cause);
    // By index: a listener may register another one.
    for (std::size_t i = 0; i < listeners_.size(); ++i) listeners_[i](next.change);
  }
  notifying_ = false;
}

}  // namespace sim::host
