#include "sim/models/rook/rook.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sim::rook {

using k8s::Ref;

namespace {

constexpr const char* kBudgetOfAllOsds = "rook-ceph-osd";
constexpr SimDuration kPodsDue = std::chrono::minutes(2);
// clusterdisruption: reconcile with and without the default budget.
constexpr SimDuration kReconcile = std::chrono::seconds(30);
constexpr SimDuration kReconcileWhileDraining = std::chrono::seconds(15);

int number_of(const std::string& id) {
  int value = -1;
  std::from_chars(id.data(), id.data() + id.size(), value);
  return value;
}

/// osd before host before rack.
int depth(const std::string& domain) { return domain == "osd" ? 0 : domain == "host" ? 1 : 2; }

}  // namespace

Rook::Rook(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, k8s::ApiServer& api, k8s::Kubelets& kubelets, k8s::Storage& storage,
           RookConfig config, ceph::ClusterConfig cluster, std::vector<std::string> mon_nodes, bool multiple_mons_per_node)
    : engine_(engine),
      log_(log),
      hosts_(hosts),
      api_(api),
      kubelets_(kubelets),
      config_(std::move(config)),
      mon_nodes_(std::move(mon_nodes)),
      multiple_mons_per_node_(multiple_mons_per_node),
      cluster_(engine, log, random, hosts, std::move(cluster)),
      csi_(engine, log, api, hosts, storage, cluster_),
      fs_csi_(engine, log, api, hosts, kubelets, storage, cluster_),
      object_stores_(engine, log, random, hosts, api, kubelets, cluster_, config_),
      slow_volumes_(engine, log, api, kubelets, cluster_, csi_, fs_csi_, config_),
      subject_(log.names().intern(fmt::format("CephCluster/{}", config_.name_space))),
      mon_check_(engine),
      osd_check_(engine) {
  bool first = true;
  for (const ceph::PoolConfig& pool : cluster_.config().pools) {
    if (first || depth(pool.failure_domain) < depth(failure_domain_)) failure_domain_ = pool.failure_domain;
    first = false;
  }
}

std::vector<k8s::Taint> Rook::taints_of(const std::string& node) const {
  const k8s::Node* object = node_object(node);
  return object == nullptr ? std::vector<k8s::Taint>{} : object->taints;
}

void Rook::create_daemon(DaemonType type, const std::string& id, const std::string& node, const std::string& domain) {
  DaemonPod pod{type, id, node, domain, {}};
  pod.places = node.empty() ? mon_nodes_ : std::vector<std::string>{node};
  create_daemon(std::move(pod));
}

/// It tolerates the taints of where it may run.
void Rook::create_daemon(DaemonPod pod) {
  for (const std::string& place : pod.places) {
    for (const k8s::Taint& taint : taints_of(place)) {
      if (std::find(pod.tolerated.begin(), pod.tolerated.end(), taint) == pod.tolerated.end()) pod.tolerated.push_back(taint);
    }
  }
  // Monitors, managers and OSDs are pinned, and the operator runs anywhere.
  if (pod.type != DaemonType::kMds && pod.type != DaemonType::kRgw) pod.places.clear();
  if (pod.type != DaemonType::kRgw) daemons_[deployment_name(pod.type, pod.id)] = Daemon{pod.type, pod.id, pod.node, {}, false};
  api_.create(daemon_deployment(api_.names(), config_, pod));
}

void Rook::create_file_system(const FileSystemConfig& fs) {
  const std::size_t count = static_cast<std::size_t>(fs.active_count) * (fs.active_standby ? 2 : 1);
  for (std::size_t i = 0; i < count; ++i) {
    DaemonPod pod;
    pod.type = DaemonType::kMds;
    pod.id = mds_name(fs.name, i);
    pod.owner = fs.name;
    pod.places = fs.nodes;
    pod.anti_affinity = fs.anti_affinity;
    create_daemon(std::move(pod));
  }
  // As many as are active, less one; with standbys all of them.
  const std::int64_t available = fs.active_count - 1 + (fs.active_standby ? 1 : 0);
  if (!config_.manage_pod_budgets || available < 1) return;
  BudgetOf budget{fmt::format("rook-ceph-mds-{}", fs.name), DaemonType::kMds, "", {}, 1};
  budget.owner = fs.name;
  budget.min_available = available;
  set_budget(budget);
}

void Rook::create_object_store(const ObjectStoreConfig& store) {
  DaemonPod pod;
  pod.type = DaemonType::kRgw;
  pod.id = fmt::format("{}-a", store.name);
  pod.owner = store.name;
  pod.places = store.nodes;
  pod.replicas = store.instances;
  create_daemon(std::move(pod));
  api_.create(gateway_service(api_.names(), config_, store.name));
  if (!config_.manage_pod_budgets || store.instances < 2) return;
  BudgetOf budget{fmt::format("rook-ceph-rgw-{}", store.name), DaemonType::kRgw, "", {}, 1};
  budget.owner = store.name;
  budget.min_available = store.instances - 1;
  set_budget(budget);
}

std::string Rook::domain_of(int osd) const {
  if (failure_domain_ == "osd") return fmt::format("osd-{}", osd);
  const ceph::HostConfig& host = cluster_.config().hosts[cluster_.osd(osd).location];
  return failure_domain_ == "rack" && !host.rack.empty() ? host.rack : host.host;
}

void Rook::create_objects() {
  const ceph::ClusterConfig& cluster = cluster_.config();
  create_daemon(DaemonType::kOperator, "", "", "");
  for (const ceph::DaemonConfig& mon : cluster.mons) create_daemon(DaemonType::kMon, mon.name, mon.host, "");
  for (const ceph::DaemonConfig& mgr : cluster.mgrs) create_daemon(DaemonType::kMgr, mgr.name, mgr.host, "");
  for (std::size_t i = 0; i < cluster.osds.size(); ++i) {
    create_daemon(DaemonType::kOsd, fmt::format("{}", i), cluster.osds[i].host, domain_of(static_cast<int>(i)));
  }
  for (const FileSystemConfig& fs : config_.file_systems) create_file_system(fs);
  for (const ObjectStoreConfig& store : config_.object_stores) create_object_store(store);
  if (!config_.manage_pod_budgets) return;
  if (cluster.mons.size() > 2) set_budget({"rook-ceph-mon-pdb", DaemonType::kMon, "", {}, cluster.mons.size() >= 5 ? 2 : 1});
  set_budget({kBudgetOfAllOsds, DaemonType::kOsd, "", {}, 1});
}

void Rook::start() {
  cluster_.start();
  csi_.start();
  fs_csi_.start();
  object_stores_.start();
  slow_volumes_.start();
  const auto guarded = [alive = std::weak_ptr<bool>(alive_)](auto action) {
    return [alive, action](auto... arguments) {
      if (!alive.expired()) action(arguments...);
    };
  };
  kubelets_.on_serving(guarded([this](Ref<k8s::Pod> pod, bool serving) { pod_changed(pod, serving); }));
  cluster_.on_quorum(guarded([this](bool) { watch_mons(); }));
  cluster_.on_osd_exit(guarded([this](int osd) { osd_exited(osd); }));
  cluster_.on_epoch(guarded([this] { watch_osds(); }));
  engine_.after(kPodsDue, guarded([this] { stop_daemons_without_pod(); }));
}

// ---- Pods and processes -------------------------------------------------------------------------------------------

void Rook::pod_changed(Ref<k8s::Pod> ref, bool serving) {
  auto known = daemon_of_pod_.find(ref);
  if (known == daemon_of_pod_.end()) {
    const k8s::Pod* pod = serving ? api_.get(ref) : nullptr;
    if (pod == nullptr || api_.names().text(pod->meta.ns) != config_.name_space) return;
    for (const auto& [name, daemon] : daemons_) {
      const auto app = pod->meta.labels.find(api_.names().intern("app"));
      const auto id = pod->meta.labels.find(api_.names().intern(id_label_of(daemon.type)));
      if (!app || api_.names().text(*app) != app_of(daemon.type)) continue;
      if (!daemon.id.empty() && (!id || api_.names().text(*id) != daemon.id)) continue;
      known = daemon_of_pod_.emplace(ref, name).first;
      break;
    }
    if (known == daemon_of_pod_.end()) return;
  }
  const auto found = daemons_.find(known->second);
  if (found == daemons_.end()) return;
  Daemon& daemon = found->second;
  if (serving) {
    container_started(daemon, ref);
  } else if (!kubelets_.is_really_running(ref) && (daemon.pod == ref || daemon.process_pod == ref)) {
    daemon_of_pod_.erase(known);
    if (daemon.pod == ref) daemon.pod = {};
    if (daemon.process_pod != ref) return;
    daemon.process_pod = {};
    // A pod that is deleted gets SIGTERM; a container that was killed says nothing.
    const k8s::Pod* pod = api_.get(ref);
    container_stopped(daemon, pod == nullptr || pod->meta.is_deleting());
    // Its successor has been waiting for the disk, or the address.
    if (daemon.pod) container_started(daemon, daemon.pod);
  }
}

void Rook::container_started(Daemon& daemon, Ref<k8s::Pod> pod) {
  daemon.pod = pod;
  daemon.has_pod = true;
  if (daemon.type == DaemonType::kMds) return metadata_server_started(daemon, pod);
  if (!daemon.process_pod || !is_alive(daemon)) daemon.process_pod = pod;
  if (is_alive(daemon)) return;
  switch (daemon.type) {
    case DaemonType::kMon:
      if (replaces_.contains(daemon.id) && !cluster_.monitors().find(daemon.id)) {
        cluster_.add_mon(daemon.id, daemon.node);
      } else {
        cluster_.start_mon(daemon.id);
      }
      return;
    case DaemonType::kMgr: cluster_.start_mgr(daemon.id); return;
    case DaemonType::kOsd: cluster_.start_osd(number_of(daemon.id)); return;
    case DaemonType::kOperator:
      watch_mons();
      watch_osds();
      return;
    case DaemonType::kMds:
    case DaemonType::kRgw: return;
  }
}

/// Its pod can be on any node: it begins where the first one starts, and moves with the next.
void Rook::metadata_server_started(Daemon& daemon, Ref<k8s::Pod> ref) {
  const k8s::Pod* pod = api_.get(ref);
  ceph::FileSystems& file_systems = cluster_.file_systems();
  const std::optional<std::size_t> mds = file_systems.find_mds(daemon.id);
  if (pod == nullptr || !mds) return;
  daemon.node = api_.names().text(pod->node_name);
  daemon.process_pod = ref;
  const host::HostId host = hosts_.find(daemon.node);
  const host::HostId before = file_systems.mdss()[*mds].host;
  if (file_systems.is_alive(*mds) && !before) return file_systems.place(*mds, host);
  if (file_systems.is_alive(*mds) && before == host) return;
  if (file_systems.mdss()[*mds].runs) file_systems.kill(*mds, ceph::Kill::kStop, fmt::format("its pod now runs on {}", daemon.node));
  file_systems.start_daemon(*mds, host);
}

void Rook::container_stopped(Daemon& daemon, bool by_deletion) {
  const host::HostId host = hosts_.find(daemon.node);
  // With its host the daemon died already.
  if (!host || !hosts_.is_running(host) || !is_alive(daemon)) return;
  if (by_deletion) {
    stop_process(daemon, ceph::Kill::kStop, "its pod was deleted");
  } else {
    stop_process(daemon, ceph::Kill::kCrash, "its container was killed");
  }
}

void Rook::osd_exited(int osd) {
  const CauseId why = cluster_.osd(osd).cause;
  engine_.after(SimDuration::zero(), [this, osd, why, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired() || !runs_osd(osd)) return;
    const ScopedCause because(engine_, why);
    kubelets_.kill_container(daemons_.at(deployment_name(DaemonType::kOsd, fmt::format("{}", osd))).pod);
  });
}

bool Rook::runs_osd(int osd) const {
  const auto found = daemons_.find(deployment_name(DaemonType::kOsd, fmt::format("{}", osd)));
  return found != daemons_.end() && found->second.pod && api_.get(found->second.pod) != nullptr && kubelets_.is_really_running(found->second.pod);
}

bool Rook::is_alive(const Daemon& daemon) const {
  switch (daemon.type) {
    case DaemonType::kMon: {
      const auto mon = cluster_.monitors().find(daemon.id);
      return mon && cluster_.monitors().is_alive(*mon);
    }
    case DaemonType::kMgr: {
      const ceph::Managers& mgrs = cluster_.managers();
      for (std::size_t mgr = 0; mgr < mgrs.size(); ++mgr) {
        if (mgrs.name(mgr) == daemon.id) return mgrs.is_alive(mgr);
      }
      return false;
    }
    case DaemonType::kOsd: return cluster_.osd(number_of(daemon.id)).process != ceph::OsdProcess::kStopped;
    case DaemonType::kMds: {
      const std::optional<std::size_t> mds = cluster_.file_systems().find_mds(daemon.id);
      return mds && cluster_.file_systems().is_alive(*mds);
    }
    case DaemonType::kRgw:
    case DaemonType::kOperator: return false;
  }
  return false;
}

void Rook::stop_process(const Daemon& daemon, ceph::Kill how, const std::string& why) {
  switch (daemon.type) {
    case DaemonType::kMon: cluster_.kill_mon(daemon.id); return;
    case DaemonType::kMgr: cluster_.kill_mgr(daemon.id); return;
    case DaemonType::kOsd: cluster_.kill_osd(number_of(daemon.id), how, why); return;
    case DaemonType::kMds: cluster_.kill_mds(daemon.id, how, why); return;
    case DaemonType::kRgw:
    case DaemonType::kOperator: return;
  }
}

void Rook::stop_daemons_without_pod() {
  for (const auto& [name, daemon] : daemons_) {
    if (daemon.has_pod || !is_alive(daemon)) continue;
    const CauseId id = log_.record("DaemonStopped", fmt::format("Deployment/{}/{}", config_.name_space, name), "no pod has started that would run it");
    ScopedCause because(engine_, id);
    stop_process(daemon, ceph::Kill::kStop, "no pod runs it");
  }
}

bool Rook::operator_works() const {
  const auto found = daemons_.find(deployment_name(DaemonType::kOperator, ""));
  return found != daemons_.end() && found->second.pod && kubelets_.is_serving(found->second.pod) && api_.writable();
}

// ---- Monitors -----------------------------------------------------------------------------------------------------

void Rook::watch_mons() {
  if (mon_check_.is_pending()) return;
  const ceph::Monitors& mons = cluster_.monitors();
  const bool all_in = mons.has_quorum() && mons.quorum().size() == mons.monmap().size();
  if (all_in && out_of_quorum_.empty() && replaces_.empty()) return;
  const SimTime next = ceph::grid_at_or_after(SimTime{}, config_.mon_health_interval, engine_.now() + SimDuration(1));
  mon_check_.set_after(next - engine_.now(), [this] { check_mons(); });
}

void Rook::check_mons() {
  const ceph::Monitors& mons = cluster_.monitors();
  if (operator_works() && mons.has_quorum()) {
    const std::vector<std::size_t> quorum = mons.quorum();
    std::int64_t out = 0;
    for (const std::size_t mon : mons.monmap()) {
      const std::string name = mons.name(mon);
      if (std::find(quorum.begin(), quorum.end(), mon) != quorum.end()) {
        out_of_quorum_.erase(name);
        const auto replaced = replaces_.find(name);
        if (replaced != replaces_.end()) {
          // The new one is in quorum: the old one goes.
          const std::string old = replaced->second.old;
          replaces_.erase(replaced);
          const CauseId id = log_.record("MonFailoverDone", subject_, fmt::format("mon.{} is in quorum and replaces mon.{}", name, old));
          ScopedCause because(engine_, id);
          remove_mon(old);
        }
        continue;
      }
      ++out;
      OutOfQuorum& state = out_of_quorum_.try_emplace(name, OutOfQuorum{engine_.now(), false}).first->second;
      const bool being_replaced = std::any_of(replaces_.begin(), replaces_.end(), [&](const auto& pair) { return pair.second.old == name; });
      if (being_replaced || replaces_.contains(name) || config_.mon_out_timeout == SimDuration::zero()) continue;
      const auto daemon = daemons_.find(deployment_name(DaemonType::kMon, name));
      if (daemon != daemons_.end() && node_object(daemon->second.node) == nullptr) {
        fail_over(mon, fmt::format("its node {} is gone", daemon->second.node), mons.cause_of(mon));
        break;
      }
      if (engine_.now() - state.since < config_.mon_out_timeout) continue;
      const bool unscheduled = daemon != daemons_.end() && is_cordoned_or_gone(daemon->second.node) && !daemon->second.pod;
      if (unscheduled && !state.was_unscheduled) {
        state = OutOfQuorum{engine_.now(), true};
        continue;
      }
      fail_over(mon, fmt::format("it has been out of quorum for more than {}", format_duration(config_.mon_out_timeout)), mons.cause_of(mon));
      break;  // one at a time
    }
    // A new one that does not come up either is given up; the next check begins anew.
    for (auto replacement = replaces_.begin(); replacement != replaces_.end();) {
      if (engine_.now() - replacement->second.since < config_.mon_out_timeout) {
        ++replacement;
        continue;
      }
      const std::string name = replacement->first;
      const CauseId id = log_.record("MonFailoverFailed", subject_, fmt::format("mon.{} has not joined the quorum: it is removed again", name));
      ScopedCause because(engine_, id);
      replacement = replaces_.erase(replacement);
      remove_mon(name);
    }
    const std::size_t count = mons.monmap().size();
    if (config_.manage_pod_budgets && count > 2) {
      set_budget({"rook-ceph-mon-pdb", DaemonType::kMon, "", {}, std::max<std::int64_t>(0, (count >= 5 ? 2 : 1) - out)});
    }
  }
  mon_check_.cancel();
  watch_mons();
}

std::string Rook::free_mon_node() const {
  for (const std::string& node : mon_nodes_) {
    if (is_cordoned_or_gone(node)) continue;
    const k8s::Node* object = node_object(node);
    if (object == nullptr || object->ready != k8s::ConditionStatus::kTrue) continue;
    const bool taken = std::any_of(daemons_.begin(), daemons_.end(), [&](const auto& entry) {
      return entry.second.type == DaemonType::kMon && entry.second.node == node;
    });
    if (!taken || multiple_mons_per_node_) return node;
  }
  return {};
}

std::string Rook::next_mon_name() const {
  // a to z, then aa, ab, ...: a name is never used twice.
  for (std::size_t index = cluster_.monitors().size();; ++index) {
    std::string name = letters_of(index);
    if (!cluster_.monitors().find(name) && !daemons_.contains(deployment_name(DaemonType::kMon, name))) return name;
  }
}

void Rook::remove_mon(const std::string& name) {
  const std::string deployment = deployment_name(DaemonType::kMon, name);
  daemons_.erase(deployment);
  const auto ref = api_.find<k8s::Deployment>(api_.names().intern(config_.name_space), api_.names().intern(deployment));
  if (ref) api_.remove(ref);
  cluster_.remove_mon(name);
  out_of_quorum_.erase(name);
}

void Rook::fail_over(std::size_t mon, std::string_view why, CauseId cause) {
  const std::string old = cluster_.monitors().name(mon);
  const std::string node = free_mon_node();
  if (node.empty()) return;  // Rook tries again at each check
  const std::string name = next_mon_name();
  const CauseId id = log_.record("MonFailover", subject_, fmt::format("mon.{} is to be replaced by mon.{} on node {}: {}", old, name, node, why), cause);
  ScopedCause because(engine_, id);
  replaces_[name] = Replacement{old, engine_.now()};
  create_daemon(DaemonType::kMon, name, node, "");
}

// ---- Budgets of OSDs ----------------------------------------------------------------------------------------------

const k8s::Node* Rook::node_object(const std::string& node) const {
  const Ref<k8s::Node> ref = api_.find<k8s::Node>(Symbol{}, api_.names().find(node));
  return ref ? api_.get(ref) : nullptr;
}

bool Rook::is_cordoned_or_gone(const std::string& node) const {
  const k8s::Node* object = node_object(node);
  return object == nullptr || object->unschedulable;
}

void Rook::watch_osds() {
  if (!config_.manage_pod_budgets || osd_check_.is_pending()) return;
  const bool all_up = cluster_.osd_monitor().up_count() == cluster_.osds().size();
  const auto of_all = budgets_.find(kBudgetOfAllOsds);
  const bool is_normal = of_all != budgets_.end() && of_all->second.except_osds.empty();
  if (all_up && cluster_.all_clean() && is_normal) return;
  osd_check_.set_after(draining_domain_.empty() ? kReconcile : kReconcileWhileDraining, [this] { check_osds(); });
}

void Rook::check_osds() {
  if (operator_works() && cluster_.has_quorum()) {
    std::vector<int> down;
    std::set<std::string> domains;
    for (const ceph::Osd& osd : cluster_.osds()) {
      domains.insert(domain_of(osd.id));
      if (!cluster_.osd_monitor().is_up(osd.id)) down.push_back(osd.id);
    }
    const bool clean = cluster_.all_clean();
    if (draining_domain_.empty() && !down.empty() && !clean) {
      draining_domain_ = domain_of(down.front());
      draining_since_ = engine_.now();
      const CauseId id = log_.record("DrainingFailureDomain", subject_,
                                     fmt::format("osd.{} is down and PGs are not clean: only {} may be drained now", down.front(), draining_domain_),
                                     cluster_.osd(down.front()).map_cause);
      ScopedCause because(engine_, id);
      for (const std::string& domain : domains) {
        if (domain != draining_domain_) set_budget({budget_name(domain), DaemonType::kOsd, domain, {}, 0});
      }
      delete_budget(kBudgetOfAllOsds);
    } else if (!draining_domain_.empty() && clean) {
      // What is down still stays down, and the data are safe without it: others may be drained again.
      const CauseId id = down.empty() ? log_.record("DrainedFailureDomain", subject_,
                                                    fmt::format("all OSDs are up and all PGs clean: {} is done with", draining_domain_))
                                      : CauseId{};
      ScopedCause because(engine_, id);
      set_noout(draining_domain_, false);
      BudgetOf of_all{kBudgetOfAllOsds, DaemonType::kOsd, "", {}, 1};
      for (const int osd : down) of_all.except_osds.push_back(fmt::format("{}", osd));
      set_budget(of_all);
      for (const std::string& domain : domains) delete_budget(budget_name(domain));
      draining_domain_.clear();
    }
    if (draining_domain_.empty() && down.empty()) set_budget({kBudgetOfAllOsds, DaemonType::kOsd, "", {}, 1});
    if (!draining_domain_.empty()) {
      bool drained = false;
      for (const int osd : down) {
        if (domain_of(osd) == draining_domain_) drained = drained || is_cordoned_or_gone(cluster_.config().hosts[cluster_.osd(osd).location].host);
      }
      set_noout(draining_domain_, drained && engine_.now() - draining_since_ < config_.osd_maintenance_timeout);
    }
  }
  osd_check_.cancel();
  watch_osds();
}

std::string Rook::budget_name(const std::string& domain) const { return fmt::format("rook-ceph-osd-{}-{}", failure_domain_, domain); }

void Rook::set_noout(const std::string& domain, bool on) {
  if (on == noout_set_) return;
  noout_set_ = on;
  for (const ceph::Osd& osd : cluster_.osds()) {
    if (domain_of(osd.id) == domain) cluster_.set_noout(osd.id, on);
  }
}

void Rook::set_budget(const BudgetOf& budget) {
  const auto known = budgets_.find(budget.name);
  if (known != budgets_.end() && known->second == budget) return;
  budgets_[budget.name] = budget;
  k8s::PodDisruptionBudget object = daemon_budget(api_.names(), config_, budget);
  const auto ref = api_.find<k8s::PodDisruptionBudget>(object.meta.ns, object.meta.name);
  if (!ref) {
    api_.create(std::move(object));
    return;
  }
  api_.update(ref, k8s::Change::kSpec, [&](k8s::PodDisruptionBudget& to) {
    to.selector = object.selector;
    to.max_unavailable = object.max_unavailable;
    to.min_available = object.min_available;
  });
}

void Rook::delete_budget(const std::string& name) {
  if (budgets_.erase(name) == 0) return;
  const auto ref = api_.find<k8s::PodDisruptionBudget>(api_.names().intern(config_.name_space), api_.names().intern(name));
  if (ref) api_.remove(ref);
}

}  // namespace sim::rook
