#include "sim/models/ceph/placement_groups/recovery.hpp"

#include <algorithm>
#include <array>

#include "sim/models/network/network.hpp"

namespace sim::ceph {

namespace {

struct ProfileShares {
  double recovery_reservation;
  double best_effort_limit;
};

ProfileShares shares_of(MclockProfile profile) {
  switch (profile) {
    case MclockProfile::kBalanced: return {0.5, 0.9};
    case MclockProfile::kHighClientOps: return {0.4, 0.7};
    case MclockProfile::kHighRecoveryOps: return {0.7, 1.0};
  }
  return {0.5, 0.9};
}

// Backfill and recovery priorities of osd_types.h.
constexpr int kPriorityInactiveRecovery = 220;
constexpr int kPriorityRecovery = 180;
constexpr int kPriorityDegradedBackfill = 140;
constexpr int kPriorityRemappedBackfill = 100;
// An item costs at least as much as bandwidth / IOPS (osd_mclock_max_capacity_iops_hdd 315, _ssd 21500).
constexpr double kIopsHdd = 315.0;
constexpr double kIopsSsd = 21'500.0;

}  // namespace

Recovery::Recovery(const Context& context, PlacementGroups& pgs, OsdMonitor& osd_monitor, OsdDaemons& daemons, std::vector<Osd>& osds,
                   SystemDisks& system_disks)
    : context_(context), pgs_(pgs), osd_monitor_(osd_monitor), daemons_(daemons), osds_(osds), system_disks_(system_disks), own_(context.engine), local_(osds.size()), remote_(osds.size()),
      pending_bytes_(osds.size(), 0.0) {
  system_disks_.on_share = [this] { apply_speeds(); };
  for (const Osd& osd : osds_) disks_.push_back(bandwidth_->add_link(disk_capacity(osd)));
  for (const HostConfig& host : context_.config.hosts) {
    out_.push_back(bandwidth_->add_link(host.cluster_bytes_per_second));
    in_.push_back(bandwidth_->add_link(host.cluster_bytes_per_second));
  }
}

void Recovery::share(network::Network& network) {
  network_ = &network;
  bandwidth_ = &network.bandwidth();
  disks_.clear();
  for (const Osd& osd : osds_) disks_.push_back(bandwidth_->add_link(disk_capacity(osd)));
}

double Recovery::disk_capacity(const Osd& osd) const {
  if (!daemons_.is_responsive(osd.id)) return 0.0;
  const OsdOptions& options = context_.config.osd;
  const double bandwidth = osd.bandwidth / osd.slow_factor;
  // Recovery has what clients leave, and its reservation in any case.
  const double left = std::max(0.0, bandwidth - client_bytes());
  if (options.op_queue == OpQueue::kWpq) return std::max(left, 0.05 * bandwidth);
  return std::max(left, shares_of(options.mclock_profile).recovery_reservation * bandwidth);
}

/// Clients' load, spread over all OSDs that are up.
double Recovery::client_bytes() const {
  double clients = 0.0;
  for (const PoolState& pool : pgs_.pools()) clients += pool.config.client_bytes_per_second * static_cast<double>(pool.size) / static_cast<double>(pool.needed);
  return clients / static_cast<double>(std::max<std::size_t>(1, osd_monitor_.up_count()));
}

/// Once an instant, when the copies have their shares of everything else.
void Recovery::use_of_disks_changed() {
  if (!system_disks_.any() || context_.engine.is_pending(look_)) return;
  look_ = context_.engine.after(SimDuration::zero(), [this] { look_at_system_disks(); });
}

/// What would be copied from and to each of them if its disk were its own, is what it asks for of the disk that it shares.
void Recovery::look_at_system_disks() {
  double operations = 0.0;
  for (const PoolState& pool : pgs_.pools()) operations += pool.config.writes_per_second * static_cast<double>(pool.size);
  operations /= static_cast<double>(std::max<std::size_t>(1, osd_monitor_.up_count()));
  for (const Osd& osd : osds_) {
    if (osd.is_on_system_disk) bandwidth_->set_capacity(disks_[static_cast<std::size_t>(osd.id)], disk_capacity(osd));
  }
  std::vector<double> wants;
  for (const Osd& osd : osds_) wants.push_back(osd.is_on_system_disk ? bandwidth_->used(disks_[static_cast<std::size_t>(osd.id)]) : 0.0);
  for (const Osd& osd : osds_) {
    if (!osd.is_on_system_disk) continue;
    const bool works = daemons_.is_responsive(osd.id) && osd_monitor_.is_up(osd.id);
    system_disks_.set_clients(osd.id, works ? client_bytes() : 0.0, works ? operations : 0.0);
    system_disks_.set_copying(osd.id, wants[static_cast<std::size_t>(osd.id)]);
  }
  apply_speeds();
}

void Recovery::speeds_changed() {
  apply_speeds();
  use_of_disks_changed();
}

void Recovery::apply_speeds() {
  for (const Osd& osd : osds_) {
    const double capacity = std::min(disk_capacity(osd), system_disks_.copying_gets(osd.id));
    const SharedBandwidth::LinkId link = disks_[static_cast<std::size_t>(osd.id)];
    if (bandwidth_->capacity(link) != capacity) bandwidth_->set_capacity(link, capacity);
  }
}

bool Recovery::is_allowed(const Pg& pg, bool backfill) const {
  if (!backfill) {
    const bool below = pg.acting_count() < pgs_.pool_of(pg).min_size;
    return !osd_monitor_.has_flag("norecover") && (!below || context_.config.osd.allow_recovery_below_min_size);
  }
  if (osd_monitor_.has_flag("nobackfill")) return false;
  return !osd_monitor_.has_flag("norebalance") || pg.acting_count() < pgs_.pool_of(pg).size;
}

int Recovery::priority_of(const Pg& pg, bool backfill) const {
  const PoolState& pool = pgs_.pool_of(pg);
  const auto gone = static_cast<int>(pool.size - std::min(pool.size, pg.acting_count()));
  if (pg.acting_count() < pool.min_size) return kPriorityInactiveRecovery + std::min(gone, 30);
  if (!backfill) return kPriorityRecovery;
  return gone > 0 ? kPriorityDegradedBackfill + std::min(gone, 30) : kPriorityRemappedBackfill;
}

void Recovery::start(Pg& pg, bool backfill) {
  stop(pg);
  Job& job = jobs_[pg.index];
  job.backfill = backfill;
  job.retry = Timer(context_.engine);
  job.cause = pg.cause ? pg.cause : context_.engine.cause();
  pg.recovery_is_backfill = backfill;
  enqueue(pg, job);
}

void Recovery::enqueue(Pg& pg, Job& job) {
  if (!is_allowed(pg, job.backfill)) {
    pg.recovery = RecoveryPhase::kHeld;
    return;
  }
  job.priority = priority_of(pg, job.backfill);
  job.local_osd = pg.primary;
  job.remotes.clear();
  for (const int osd : pgs_.writers(pg)) {
    const Shard* shard = nullptr;
    for (const Shard& one : pg.shards) {
      if (one.osd == osd && (shard == nullptr || one.has_gap() || !one.is_complete())) shard = &one;
    }
    if (osd == pg.primary || shard == nullptr) continue;
    if (job.backfill ? !shard->is_complete() : shard->has_gap()) job.remotes.push_back(osd);
  }
  // An OSD can act at one position of an erasure-coded PG and be filled at another: one slot is enough.
  std::sort(job.remotes.begin(), job.remotes.end());
  job.remotes.erase(std::unique(job.remotes.begin(), job.remotes.end()), job.remotes.end());
  pg.recovery = RecoveryPhase::kWaitLocal;
  local_[static_cast<std::size_t>(job.local_osd)].request(pg.index, job.priority, ++order_);
  const int osd = job.local_osd;
  const ScopedCause because(context_.engine, job.cause);
  context_.engine.after(SimDuration::zero(), [this, osd] { pump(osd); });
}

void Recovery::pump(int osd) {
  std::uint32_t pg = 0;
  const auto index = static_cast<std::size_t>(osd);
  const int slots = context_.config.osd.max_backfills;
  while (local_[index].grant(slots, pg)) local_granted(pg);
  while (remote_[index].grant(slots, pg)) remote_granted(pg);
}

void Recovery::local_granted(std::uint32_t index) {
  Pg& pg = pgs_.pg(index);
  Job& job = jobs_.at(index);
  const ScopedCause because(context_.engine, job.cause);
  job.has_local = true;
  pg.recovery = RecoveryPhase::kWaitRemote;
  ask_next_remote(pg, job);
}

void Recovery::ask_next_remote(Pg& pg, Job& job) {
  if (job.granted_remotes == job.remotes.size()) {
    run(pg, job);
    return;
  }
  const int target = job.remotes[job.granted_remotes];
  const Osd& osd = osds_[static_cast<std::size_t>(target)];
  const double bytes = job.backfill ? pgs_.pool_of(pg).shard_bytes : 0.0;
  // The target refuses what would not fit.
  if (over(osd, job.backfill ? context_.config.osd.backfillfull_ratio : context_.config.osd.full_ratio, bytes)) {
    too_full(pg, job);
    return;
  }
  remote_[static_cast<std::size_t>(target)].request(pg.index, job.priority, ++order_);
  context_.engine.after(SimDuration::zero(), [this, target] { pump(target); });
}

bool Recovery::over(const Osd& osd, double ratio, double more) const {
  const double used = static_cast<double>(osd.used()) + pending_bytes_[static_cast<std::size_t>(osd.id)] + more;
  return used > ratio * static_cast<double>(osd.capacity);
}

void Recovery::too_full(Pg& pg, Job& job) {
  release(pg.index, job);
  pg.recovery = RecoveryPhase::kTooFull;
  pgs_.refresh(pg);
  retry_later(pg, job);
}

void Recovery::retry_later(Pg& pg, Job& job) {
  const std::uint32_t index = pg.index;
  job.retry.set_after(context_.config.osd.backfill_retry_interval, [this, index] {
    Pg& again = pgs_.pg(index);
    enqueue(again, jobs_.at(index));
    pgs_.refresh(again);
  });
}

void Recovery::remote_granted(std::uint32_t index) {
  Pg& pg = pgs_.pg(index);
  Job& job = jobs_.at(index);
  const ScopedCause because(context_.engine, job.cause);
  ++job.granted_remotes;
  ask_next_remote(pg, job);
}

int Recovery::source_for(const Pg& pg, int target) const {
  // The primary pushes; what it misses itself it pulls from a member that has it.
  const auto whole = [&](int osd) {
    return std::any_of(pg.shards.begin(), pg.shards.end(), [&](const Shard& shard) { return shard.osd == osd && shard.is_complete() && !shard.has_gap(); });
  };
  if (target != pg.primary && whole(pg.primary)) return pg.primary;
  for (const int osd : pg.acting) {
    if (osd != kNoOsd && osd != target && whole(osd)) return osd;
  }
  for (const Shard& shard : pg.shards) {
    if (shard.osd != target && osd_monitor_.is_up(shard.osd) && shard.is_complete() && !shard.has_gap()) return shard.osd;
  }
  return pg.primary;
}

void Recovery::run(Pg& pg, Job& job) {
  const PoolState& pool = pgs_.pool_of(pg);
  const OsdOptions& options = context_.config.osd;
  pgs_.settle(pg);
  pg.recovery = RecoveryPhase::kRunning;
  job.running = true;
  ++running_;
  std::vector<std::pair<int, int>> targets;
  const std::vector<int> members = pgs_.writers(pg);
  for (const Shard& shard : pg.shards) {
    if (std::find(members.begin(), members.end(), shard.osd) == members.end()) continue;
    if (job.backfill ? !shard.is_complete() : shard.has_gap()) targets.emplace_back(shard.osd, shard.slot);
  }
  const bool misplaced = job.backfill && pg.acting_count() >= pool.size;
  for (const auto& [target, slot] : targets) {
    const Shard& shard = *pg.shard(target, slot);
    const Osd& to = osds_[static_cast<std::size_t>(target)];
    const double objects = job.backfill ? pool.objects_per_pg * (1.0 - shard.backfilled) : pgs_.missing_objects(pool, shard.missing());
    const double floor = to.bandwidth / (to.is_rotational ? kIopsHdd : kIopsSsd);
    Copy copy;
    copy.target = target;
    copy.slot = slot;
    copy.objects = objects;
    copy.bytes = objects * std::max(pool.object_shard_bytes, options.op_queue == OpQueue::kMclock ? floor : 0.0);
    const int source = source_for(pg, target);
    const Osd& from = osds_[static_cast<std::size_t>(source)];
    std::vector<SharedBandwidth::LinkId> links{disks_[static_cast<std::size_t>(source)]};
    if (target != source) links.push_back(disks_[static_cast<std::size_t>(target)]);
    if (network_ != nullptr) {
      network_->add_path(from.host, to.host, links);
    } else if (from.location != to.location) {
      links.push_back(out_[from.location]);
      links.push_back(in_[to.location]);
    }
    double limit = SharedBandwidth::kNoLimit;
    if (options.op_queue == OpQueue::kMclock) {
      if (misplaced) limit = shares_of(options.mclock_profile).best_effort_limit * to.bandwidth;
    } else {
      const SimDuration sleep = to.is_rotational ? options.recovery_sleep_hdd : options.recovery_sleep_ssd;
      if (sleep > SimDuration::zero()) limit = std::max(1.0, pool.object_shard_bytes) / seconds(sleep);
    }
    if (job.backfill) copy.space = pool.shard_bytes * (1.0 - shard.backfilled);
    pending_bytes_[static_cast<std::size_t>(target)] += copy.space;
    const std::uint32_t index = pg.index;
    const std::size_t number = job.copies.size();
    copy.flow = bandwidth_->start(links, copy.bytes, [this, index, number] { copy_done(index, number); }, limit);
    job.copies.push_back(copy);
  }
  use_of_disks_changed();
  // A disk that failed meanwhile took its target along: the next interval sees to it.
  if (targets.empty()) stop(pg);
  pgs_.refresh(pg);
}

void Recovery::copy_done(std::uint32_t index, std::size_t number) {
  Pg& pg = pgs_.pg(index);
  Job& job = jobs_.at(index);
  Copy& copy = job.copies[number];
  copy.done = true;
  use_of_disks_changed();
  pending_bytes_[static_cast<std::size_t>(copy.target)] -= copy.space;
  Shard* const there = pg.shard(copy.target, copy.slot);
  if (there == nullptr) return;  // its disk failed; the next interval stops this job
  Shard& shard = *there;
  if (job.backfill) {
    pgs_.set_backfilled(pg, shard, 1.0);
  } else {
    shard.gaps.clear();
  }
  if (!std::all_of(job.copies.begin(), job.copies.end(), [](const Copy& one) { return one.done; })) {
    pgs_.refresh(pg);
    return;
  }
  const ScopedCause because(context_.engine, job.cause);
  job.copies.clear();
  stop(pg);
  pgs_.recovered(pg);
}

void Recovery::keep_progress(Pg& pg, Job& job) {
  if (!job.copies.empty()) use_of_disks_changed();
  for (Copy& copy : job.copies) {
    if (copy.done) continue;
    const double left = copy.bytes > 0.0 ? bandwidth_->remaining(copy.flow) / copy.bytes : 0.0;
    bandwidth_->cancel(copy.flow);
    Shard* shard = pg.shard(copy.target, copy.slot);
    if (job.backfill) {
      pending_bytes_[static_cast<std::size_t>(copy.target)] -= copy.space;
      const double before = shard != nullptr ? shard->backfilled : 0.0;
      if (shard != nullptr) pgs_.set_backfilled(pg, *shard, std::min(before + (1.0 - before) * (1.0 - left), 1.0 - 1e-9));
    } else if (shard != nullptr && shard->has_gap()) {
      // Objects are copied in the order of their versions.
      auto done = std::min(static_cast<std::uint64_t>(static_cast<double>(shard->missing()) * (1.0 - left)), shard->missing() - 1);
      while (done > 0) {
        Gap& first = shard->gaps.front();
        const std::uint64_t part = std::min(done, first.high - first.low);
        first.low += part;
        done -= part;
        if (first.low == first.high) shard->gaps.erase(shard->gaps.begin());
      }
    }
  }
  job.copies.clear();
}

void Recovery::release(std::uint32_t index, Job& job) {
  if (job.local_osd >= 0) {
    local_[static_cast<std::size_t>(job.local_osd)].cancel(index);
    const int osd = job.local_osd;
    context_.engine.after(SimDuration::zero(), [this, osd] { pump(osd); });
  }
  const std::size_t asked = std::min(job.remotes.size(), job.granted_remotes + (job.has_local ? 1u : 0u));
  for (std::size_t i = 0; i < asked; ++i) {
    const int osd = job.remotes[i];
    remote_[static_cast<std::size_t>(osd)].cancel(index);
    context_.engine.after(SimDuration::zero(), [this, osd] { pump(osd); });
  }
  job.has_local = false;
  job.granted_remotes = 0;
  job.local_osd = -1;
}

void Recovery::stop(Pg& pg) {
  pg.recovery = RecoveryPhase::kNone;
  const auto found = jobs_.find(pg.index);
  if (found == jobs_.end()) return;
  Job& job = found->second;
  keep_progress(pg, job);
  if (job.running) --running_;
  release(pg.index, job);
  jobs_.erase(found);
}

void Recovery::flags_changed() {
  std::vector<std::uint32_t> all;
  for (const auto& [index, job] : jobs_) all.push_back(index);
  for (const std::uint32_t index : all) {
    Pg& pg = pgs_.pg(index);
    const bool backfill = jobs_.at(index).backfill;
    const bool allowed = is_allowed(pg, backfill);
    if (allowed == (pg.recovery != RecoveryPhase::kHeld)) continue;
    start(pg, backfill);
    pgs_.refresh(pg);
  }
}

double Recovery::rate() {
  double total = 0.0;
  for (const auto& [index, job] : jobs_) {
    for (const Copy& copy : job.copies) {
      if (!copy.done) total += bandwidth_->rate(copy.flow);
    }
  }
  return total;
}

double Recovery::object_rate() {
  double total = 0.0;
  for (const auto& [index, job] : jobs_) {
    for (const Copy& copy : job.copies) {
      if (!copy.done && copy.bytes > 0.0) total += bandwidth_->rate(copy.flow) * copy.objects / copy.bytes;
    }
  }
  return total;
}

double Recovery::progress(const Pg& pg, int osd) {
  const auto found = jobs_.find(pg.index);
  if (found == jobs_.end()) return 0.0;
  for (const Copy& copy : found->second.copies) {
    if (copy.target == osd && !copy.done && copy.bytes > 0.0) return 1.0 - bandwidth_->remaining(copy.flow) / copy.bytes;
  }
  return 0.0;
}

}  // namespace sim::ceph
