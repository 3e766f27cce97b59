#include "sim/models/monitoring/monitoring.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/models/world.hpp"

namespace sim::monitoring {

using k8s::Pod;
using k8s::Ref;

namespace {

std::pair<std::string, std::string> split(const std::string& name) {
  const std::size_t slash = name.find('/');
  return {name.substr(0, slash), name.substr(slash + 1)};
}

}  // namespace

Monitoring::Monitoring(World& world, MonitoringConfig config)
    : world_(world), config_(std::move(config)), store_(world.engine, labels_, config_.start_unix_seconds), exporters_(world, store_, config_.exporters) {
  bool all = false;
  std::set<std::string> wanted = config_.rules->wanted(all);
  store_.want(std::move(wanted), all);
  SimDuration longest{};
  for (const RuleGroup& group : config_.rules->groups()) {
    for (const Rule& rule : group.rules) {
      for (const Rule::Need& need : rule.needs) longest = std::max(longest, SimDuration(need.window * 1'000'000));
    }
  }
  store_.keep_ended_for(longest + std::chrono::minutes(15));
  for (const AlertmanagerPlace& place : config_.alertmanagers) {
    Manager manager;
    manager.alertmanager = std::make_unique<Alertmanager>(world.engine, world.log, labels_, place.config, told_);
    manager.outside = place.stateful_set.empty();
    const auto [ns, name] = split(place.stateful_set);
    for (std::int64_t i = 0; i < place.replicas && !manager.outside; ++i) {
      manager.instances.push_back(Instance{world.names.intern(ns), world.names.intern(fmt::format("{}-{}", name, i)), false, {}});
    }
    manager.alertmanager->set_carrier([this](const std::string& service) { return exporters_.answers(service); });
    managers_.push_back(std::move(manager));
  }
  const auto manager_of = [&](const std::string& name) {
    for (std::size_t i = 0; i < managers_.size(); ++i) {
      if (managers_[i].alertmanager->config().name == name) return i;
    }
    return std::size_t{0};
  };
  for (const PrometheusConfig& one : config_.prometheus) {
    const bool outside = one.stateful_set.empty();
    const auto [ns, name] = split(one.stateful_set);
    for (std::int64_t i = 0; i < (outside ? 1 : one.replicas); ++i) {
      Replica replica;
      replica.alertmanager = manager_of(one.alertmanager);
      if (!outside) {
        replica.ns = world.names.intern(ns);
        replica.pod_name = world.names.intern(fmt::format("{}-{}", name, i));
      }
      replica.prometheus = std::make_unique<Prometheus>(world.engine, world.random, store_, *config_.rules, outside ? one.name : fmt::format("{}-{}", one.name, i),
                                                        one.timing, *managers_[replica.alertmanager].alertmanager);
      replicas_.push_back(std::move(replica));
    }
  }
  for (const DeadMansSwitchPlace& place : config_.dead_mans_switches) {
    const std::size_t manager = manager_of(place.alertmanager);
    switches_.emplace_back(std::make_unique<DeadMansSwitch>(world.engine, world.log, place.config, managers_[manager].alertmanager->config().group_wait, told_),
                           manager);
  }
  for (const ProbeConfig& probe : config_.probes) probes_.push_back(std::make_unique<Probe>(world.engine, world.log, world.random, probe, told_));
}

Monitoring::~Monitoring() { *alive_ = false; }

std::vector<const Prometheus*> Monitoring::prometheis() const {
  std::vector<const Prometheus*> all;
  for (const Replica& replica : replicas_) all.push_back(replica.prometheus.get());
  return all;
}

void Monitoring::start() {
  started_ = true;
  exporters_.on_services = [this] {
    if (!started_) return;
    for (const auto& probe : probes_) probe->set_answers(exporters_.answers(probe->config().service));
  };
  for (Manager& manager : managers_) manager.alertmanager->on_alert = [this](const std::string&, bool) { feed(); };
  exporters_.expose();
  store_.start();
  exporters_.follow();
  // A volume may block in the middle of a change of the storage: what it was like before is not of interest.
  const std::weak_ptr<bool> alive = alive_;
  world_.kubelets.on_serving([this, alive](Ref<Pod> ref, bool) {
    if (alive.expired()) return;
    const Pod* pod = world_.api.get(ref);
    if (pod == nullptr) return look_at_pods();
    const auto is_ours = [&](const auto& one) { return one.ns == pod->meta.ns && one.pod_name == pod->meta.name; };
    bool ours = std::any_of(replicas_.begin(), replicas_.end(), is_ours);
    for (const Manager& manager : managers_) ours = ours || std::any_of(manager.instances.begin(), manager.instances.end(), is_ours);
    if (ours) look_at_pods();
  });
  world_.storage.on_io([this, alive](Symbol) {
    if (!alive.expired()) look_at_pods();
  });
  world_.hosts.on_change([this, alive](const host::Hosts::Change&) {
    if (alive.expired()) return;
    look_at_pods();
    for (Replica& replica : replicas_) replica.prometheus->targets_changed();
  });
  for (Replica& replica : replicas_) {
    Prometheus& prometheus = *replica.prometheus;
    prometheus.set_reach([this, &replica](const Target& target) {
      if (!target.host) return true;
      if (!world_.hosts.is_running(target.host)) return false;
      if (!replica.pod_name) return world_.hosts.has_network(target.host) && world_.hosts.partition(target.host) == 0;
      const Pod* pod = world_.api.get(replica.pod);
      const host::HostId own = pod == nullptr ? host::HostId{} : world_.kubelets.host_of(pod->node);
      return own && world_.hosts.reachable(own, target.host);
    });
    if (replica.pod_name) prometheus.set_state(Prometheus::State::kGone, false);
  }
  look_at_pods();
  for (Replica& replica : replicas_) replica.prometheus->start();
}

bool Monitoring::volume_blocked(const Pod& pod, host::HostId host) const {
  for (const k8s::PodVolume& volume : pod.spec->volumes) {
    Symbol claim_name = volume.claim;
    if (!claim_name) claim_name = world_.names.find(fmt::format("{}-{}", world_.names.text(pod.meta.name), world_.names.text(volume.name)));
    const k8s::PersistentVolumeClaim* claim = world_.api.get(world_.api.find<k8s::PersistentVolumeClaim>(pod.meta.ns, claim_name));
    if (claim == nullptr || !claim->spec.volume_name) continue;
    const k8s::PersistentVolume* pv = world_.api.get(world_.api.find<k8s::PersistentVolume>(Symbol{}, claim->spec.volume_name));
    if (pv == nullptr || !pv->driver) continue;
    const Symbol node = world_.names.find(world_.hosts.spec(host).name);
    if (!world_.storage.backend(pv->driver).is_io_possible(pv->meta.name, node)) return true;
  }
  return false;
}

void Monitoring::look_at_replica(Replica& replica) {
  if (!replica.pod_name) return;
  const Ref<Pod> ref = world_.api.find<Pod>(replica.ns, replica.pod_name);
  const bool same = ref == replica.pod;
  replica.pod = ref;
  const Pod* pod = world_.api.get(ref);
  const host::HostId host = pod == nullptr ? host::HostId{} : world_.kubelets.host_of(pod->node);
  Prometheus::State state = Prometheus::State::kGone;
  std::string why = "its container does not run";
  bool keeps = same;
  if (pod != nullptr) {
    keeps = keeps || std::any_of(pod->spec->volumes.begin(), pod->spec->volumes.end(), [](const k8s::PodVolume&) { return true; });
    const bool was_there = same && replica.prometheus->state() != Prometheus::State::kGone;
    if (world_.kubelets.is_serving(ref)) {
      state = Prometheus::State::kWorks;
    } else if (world_.kubelets.is_really_running(ref) && host) {
      if (volume_blocked(*pod, host)) {
        state = Prometheus::State::kBlocked;
        why = "its write-ahead log is on a volume that does not answer: no samples, no rules";
      } else if (was_there && !world_.hosts.has_network(host)) {
        state = Prometheus::State::kWorks;  // alone
      } else if (was_there) {
        state = Prometheus::State::kBlocked;
        why = "its host makes no progress, or it is not itself";
      }
    }
  }
  if (replica.prometheus->state() == state) return;
  const char* kind = state == Prometheus::State::kWorks     ? "PrometheusWorks"
                     : state == Prometheus::State::kBlocked ? "PrometheusBlocked"
                                                            : "PrometheusGone";
  if (state == Prometheus::State::kWorks) why = "it takes samples and evaluates its rules";
  const CauseId id = world_.log.record(kind, "Prometheus/" + replica.prometheus->name(), why);
  const ScopedCause because(world_.engine, id);
  // From where it runs now it may reach others.
  if (started_ && state != Prometheus::State::kGone) replica.prometheus->targets_changed();
  replica.prometheus->set_state(state, keeps);
}

void Monitoring::look_at_manager(Manager& manager) {
  if (manager.outside) return;
  bool any = false;
  for (Instance& instance : manager.instances) {
    const Ref<Pod> ref = world_.api.find<Pod>(instance.ns, instance.pod_name);
    instance.works = static_cast<bool>(ref) && world_.kubelets.is_serving(ref);
    const Pod* pod = world_.api.get(ref);
    instance.host = pod == nullptr ? host::HostId{} : world_.kubelets.host_of(pod->node);
    any = any || instance.works;
  }
  if (manager.alertmanager->is_working() == any) return;
  const CauseId id = world_.log.record(any ? "AlertmanagerWorks" : "AlertmanagerGone", "Alertmanager/" + manager.alertmanager->config().name,
                                       any ? "an instance works" : "no instance works: nobody is notified");
  const ScopedCause because(world_.engine, id);
  manager.alertmanager->set_working(any);
}

/// Who reaches an instance that works.
void Monitoring::connect() {
  for (Replica& replica : replicas_) {
    const Manager& manager = managers_[replica.alertmanager];
    const Pod* pod = replica.pod_name ? world_.api.get(replica.pod) : nullptr;
    const host::HostId own = pod == nullptr ? host::HostId{} : world_.kubelets.host_of(pod->node);
    const bool lives = replica.prometheus->state() != Prometheus::State::kGone;
    const auto outside = [&](host::HostId host) { return world_.hosts.is_running(host) && world_.hosts.has_network(host) && world_.hosts.partition(host) == 0; };
    bool connected = false;
    if (manager.outside) {
      connected = !replica.pod_name || (own && outside(own));
    } else {
      for (const Instance& instance : manager.instances) {
        if (!instance.works || !instance.host) continue;
        connected = connected || (!replica.pod_name ? outside(instance.host) : own && world_.hosts.reachable(own, instance.host));
      }
    }
    if (lives) replica.prometheus->set_connected(connected);
  }
}

void Monitoring::look_at_pods() {
  for (Manager& manager : managers_) look_at_manager(manager);
  for (Replica& replica : replicas_) look_at_replica(replica);
  connect();
  feed();
}

void Monitoring::feed() {
  for (auto& [one, manager] : switches_) {
    const Manager& by = managers_[manager];
    one->set_fed(by.alertmanager->is_working() && by.alertmanager->fires(one->config().alert));
  }
}

}  // namespace sim::monitoring
