#include "sim/models/ceph/monitors/managers.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/core/check.hpp"

namespace sim::ceph {

Managers::Managers(const Context& context, Monitors& monitors)
    : context_(context), monitors_(monitors), drop_(context.engine), promote_(context.engine), available_(context.engine) {
  for (const DaemonConfig& config : context_.config.mgrs) {
    Mgr mgr;
    mgr.name = config.name;
    mgr.host = context_.hosts.find(config.host);
    SIM_CHECK(mgr.host, "a manager's host exists");
    mgr.timer = Timer(context_.engine);
    mgrs_.push_back(std::move(mgr));
  }
}

void Managers::start() {
  for (std::size_t i = 0; i < mgrs_.size(); ++i) {
    mgrs_[i].runs = context_.hosts.is_running(mgrs_[i].host);
    mgrs_[i].heard = is_heard(i);
    if (!active_ && mgrs_[i].heard) active_ = i;
  }
  active_since_ = available_from_ = context_.engine.now();
  told_available_ = is_available();
}

bool Managers::is_available() const { return active_ && is_alive(*active_) && context_.engine.now() >= available_from_; }

std::vector<std::size_t> Managers::standbys() const {
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < mgrs_.size(); ++i) {
    if (active_ != i && is_alive(i)) others.push_back(i);
  }
  return others;
}

void Managers::tell() {
  const bool now = is_available();
  if (now == told_available_) return;
  told_available_ = now;
  if (on_available) on_available(now);
}

void Managers::kill(std::size_t mgr, std::string_view why) {
  Mgr& self = mgrs_[mgr];
  self.timer.cancel();
  if (!self.runs) return;
  self.runs = false;
  self.cause = context_.log.record("MgrStopped", fmt::format("mgr/{}", self.name), fmt::format("mgr.{} is down: {}", self.name, why));
  const ScopedCause because(context_.engine, self.cause);
  update();
}

void Managers::start_daemon(std::size_t mgr) {
  Mgr& self = mgrs_[mgr];
  if (self.runs || self.timer.is_pending() || !context_.hosts.is_running(self.host)) return;
  ++self.starts;
  const SimDuration time = context_.draw(context_.config.mon.mgr_start, "ceph/mgr-start", fmt::format("{}#{}", self.name, self.starts));
  self.timer.set_after(time, [this, mgr] {
    Mgr& started = mgrs_[mgr];
    started.runs = true;
    started.cause = context_.log.record("MgrStarted", fmt::format("mgr/{}", started.name), fmt::format("mgr.{} runs", started.name));
    const ScopedCause because(context_.engine, started.cause);
    // Another process than the one that the map calls active: it sends beacons as a new one.
    if (active_ == mgr) {
      active_.reset();
      inactive_since_ = context_.engine.now();
      drop_.cancel();
    }
    update();
  });
}

void Managers::fail_active() {
  if (!active_ || !monitors_.has_quorum()) return;
  drop_.set_after(context_.config.mon.propose_interval, [this] { promote(); });
}

void Managers::links_changed() { update(); }

void Managers::update() {
  const SimTime now = context_.engine.now();
  for (std::size_t i = 0; i < mgrs_.size(); ++i) {
    const bool heard = is_heard(i);
    if (heard == mgrs_[i].heard) continue;
    mgrs_[i].heard = heard;
    if (!heard) mgrs_[i].silent_since = now;
  }
  if (!monitors_.has_quorum()) {
    drop_.cancel();
    promote_.cancel();
  } else if (active_ && !mgrs_[*active_].heard) {
    if (!drop_.is_pending()) {
      const Mgr& self = mgrs_[*active_];
      const MonOptions& options = context_.config.mon;
      const SimDuration phase = context_.random.stream("ceph/mgr-beacon", self.name).uniform(SimDuration::zero(), options.mgr_tick_period);
      const SimTime beacon = std::max(grid_at_or_before(SimTime{} + phase, options.mgr_tick_period, self.silent_since), monitors_.leader_since());
      drop_.set_at(std::max(monitors_.tick_at_or_after(beacon + options.mgr_beacon_grace), now), [this] {
        if (active_ && !mgrs_[*active_].heard) promote();
      });
    }
  } else if (active_) {
    drop_.cancel();
  } else if (!promote_.is_pending()) {
    const bool anybody = std::any_of(mgrs_.begin(), mgrs_.end(), [](const Mgr& mgr) { return mgr.heard; });
    if (anybody) promote_.set_after(context_.config.mon.propose_interval, [this] { promote(); });
  }
  tell();
}

void Managers::promote() {
  const std::optional<std::size_t> before = std::exchange(active_, std::nullopt);
  for (std::size_t step = 1; step <= mgrs_.size(); ++step) {
    const std::size_t next = before ? (*before + step) % mgrs_.size() : step - 1;
    if (!mgrs_[next].heard || (before && next == *before && mgrs_.size() > 1)) continue;
    active_ = next;
    break;
  }
  if (!active_) {
    if (before) {
      inactive_since_ = context_.engine.now();
      context_.log.record("MgrNoneActive", "ceph/managers", "no manager is active: no statistics of PGs, no exporter, no orchestrator");
    }
    tell();
    return;
  }
  active_since_ = context_.engine.now();
  const SimDuration modules = context_.draw(context_.config.mon.mgr_modules, "ceph/mgr-modules", fmt::format("{}@{}", mgrs_[*active_].name, active_since_.time_since_epoch().count()));
  available_from_ = active_since_ + modules;
  const ScopedCause because(context_.engine, context_.log.record("MgrActive", fmt::format("mgr/{}", mgrs_[*active_].name),
                                                                  fmt::format("mgr.{} is active and loads its modules", mgrs_[*active_].name)));
  available_.set_after(modules, [this] { tell(); });
  tell();
}

void Managers::host_down(host::HostId host) {
  for (std::size_t i = 0; i < mgrs_.size(); ++i) {
    if (mgrs_[i].host == host) kill(i, fmt::format("its host {} is down", context_.hosts.spec(host).name));
  }
}

void Managers::host_up(host::HostId host) {
  for (std::size_t i = 0; i < mgrs_.size(); ++i) {
    if (mgrs_[i].host == host) start_daemon(i);
  }
}

}  // namespace sim::ceph
