#include "sim/models/rook/slow_volumes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/models/rook/volume_users.hpp"

namespace sim::rook {

using k8s::Ref;

SlowVolumes::SlowVolumes(Engine& engine, EventLog& log, k8s::ApiServer& api, k8s::Kubelets& kubelets, ceph::CephCluster& cluster, const CephCsi& block,
                         const CephFsCsi& files, const RookConfig& config)
    : engine_(engine), log_(log), api_(api), kubelets_(kubelets), cluster_(cluster), block_(block), files_(files), look_(engine) {
  Interner& names = api_.names();
  for (const IoTimeout& one : config.io_timeouts) {
    Timeout timeout;
    if (!one.ns.empty()) timeout.ns = names.intern(one.ns);
    for (const auto& [key, value] : one.labels) timeout.selector.requirements.push_back({names.intern(key), k8s::SelectorOperator::kIn, {names.intern(value)}});
    timeout.within = one.within;
    timeouts_.push_back(std::move(timeout));
  }
}

void SlowVolumes::start() {
  cluster_.on_latency([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) look();
  });
  kubelets_.on_serving([this, alive = std::weak_ptr<bool>(alive_)](Ref<k8s::Pod> pod, bool serving) {
    if (alive.expired() || !cluster_.has_slow_disk() || look_.is_pending() || (!serving && kubelets_.is_really_running(pod))) return;
    look_.set_after(SimDuration::zero(), [this] { look(); });
  });
}

std::vector<std::uint32_t> SlowVolumes::pgs_of(Symbol volume) const {
  std::vector<std::uint32_t> pgs = block_.pgs_of(volume);
  return pgs.empty() ? files_.pgs_of(volume) : pgs;
}

SimDuration SlowVolumes::write_latency(Symbol volume) const {
  SimDuration slowest{};
  for (const std::uint32_t index : pgs_of(volume)) slowest = std::max(slowest, cluster_.write_latency(cluster_.pgs().pg(index)));
  return slowest;
}

std::optional<SimDuration> SlowVolumes::bound_of(const k8s::Pod& pod, Symbol volume) const {
  const std::optional<Symbol> name = volume_name_in(api_, pod, volume);
  if (!name) return std::nullopt;
  std::optional<SimDuration> bound;
  const auto consider = [&bound](SimDuration one) { bound = bound ? std::min(*bound, one) : one; };
  for (const k8s::Container& container : pod.spec->containers) {
    const bool mounts = std::find(container.volume_mounts.begin(), container.volume_mounts.end(), *name) != container.volume_mounts.end();
    if (mounts && container.readiness_probe) consider(std::chrono::seconds(container.readiness_probe->timeout_seconds));
  }
  for (const Timeout& one : timeouts_) {
    if ((!one.ns || one.ns == pod.meta.ns) && one.selector.matches(pod.meta.labels, api_.names())) consider(one.within);
  }
  return bound;
}

void SlowVolumes::look() {
  // The volumes of each node that are slow at all.
  std::map<Symbol, std::map<Symbol, SimDuration>> slow;
  const auto visit = [&](Symbol volume, Symbol node) {
    const SimDuration latency = write_latency(volume);
    if (latency > SimDuration::zero()) slow[node][volume] = latency;
  };
  if (cluster_.has_slow_disk()) {
    block_.mounts().for_each(visit);
    files_.mounts().for_each(visit);
  }
  std::vector<Ref<k8s::Pod>> stop;
  std::set<Ref<k8s::Pod>> still;
  std::set<Symbol> volumes;
  SimDuration worst{};
  Symbol worst_volume;
  if (!slow.empty()) {
    api_.all<k8s::Pod>().for_each([&](Ref<k8s::Pod> ref, const k8s::Pod& pod) {
      const auto here = slow.find(pod.node_name);
      if (here == slow.end() || pod.spec == nullptr || pod.spec->volumes.empty() || !kubelets_.is_really_running(ref)) return;
      for (const auto& [volume, latency] : here->second) {
        const std::optional<SimDuration> bound = bound_of(pod, volume);
        if (!bound || latency <= *bound) continue;
        if (!waiting_.contains(ref) && still.insert(ref).second) stop.push_back(ref);
        still.insert(ref);
        volumes.insert(volume);
        if (latency > worst) {
          worst = latency;
          worst_volume = volume;
        }
      }
    });
  }
  std::vector<Ref<k8s::Pod>> go_on;
  for (const Ref<k8s::Pod> ref : waiting_) {
    if (!still.contains(ref) && api_.get(ref) != nullptr) go_on.push_back(ref);
  }
  waiting_ = std::move(still);
  if (!stop.empty()) {
    // Whose disk it is.
    int culprit = -1;
    for (const std::uint32_t index : pgs_of(worst_volume)) {
      for (const int osd : cluster_.pgs().pg(index).acting) {
        if (osd != ceph::kNoOsd && (culprit < 0 || cluster_.operation_time(osd) > cluster_.operation_time(culprit))) culprit = osd;
      }
    }
    const CauseId of_disk = culprit >= 0 ? cluster_.osd(culprit).cause : CauseId{};
    const CauseId id = log_.record("VolumesSlow", log_.names().intern("CephCSI/volumes"),
                                   fmt::format("a write to volume {} takes {}, for osd.{} is in it: {} pod{} cannot wait so long", api_.names().text(worst_volume), humanize(worst), culprit,
                                               stop.size(), stop.size() == 1 ? "" : "s"),
                                   of_disk ? of_disk : engine_.cause());
    const ScopedCause because(engine_, id);
    for (const Ref<k8s::Pod> ref : stop) kubelets_.set_unready(ref, k8s::Says::kSlowVolumes, true);
  }
  if (!go_on.empty()) {
    const ScopedCause because(engine_, log_.record("VolumesFastAgain", log_.names().intern("CephCSI/volumes"),
                                                   fmt::format("writes are fast enough again for {} pod{}", go_on.size(), go_on.size() == 1 ? "" : "s"), engine_.cause()));
    for (const Ref<k8s::Pod> ref : go_on) kubelets_.set_unready(ref, k8s::Says::kSlowVolumes, false);
  }
}

}  // namespace sim::rook
