#include "sim/models/ceph/osds/osd_daemons.hpp"

#include <fmt/format.h>

namespace sim::ceph {

namespace {

// A process whose disk gives errors, until it ends (proposed).
constexpr SimDuration kFailedStart = std::chrono::seconds(3);

}  // namespace

OsdDaemons::OsdDaemons(const Context& context, OsdMonitor& monitor, std::vector<Osd>& osds) : context_(context), monitor_(monitor), osds_(osds) {}

CauseId OsdDaemons::record(Osd& osd, std::string_view kind, std::string_view message) {
  osd.cause = context_.log.record(kind, fmt::format("osd/{}", osd.id), message);
  return osd.cause;
}

bool OsdDaemons::is_process_alive(int osd) const {
  const Osd& self = at(osd);
  return (self.process == OsdProcess::kRunning || self.process == OsdProcess::kBooting) && context_.hosts.is_running(self.host);
}

bool OsdDaemons::is_responsive(int osd) const {
  const Osd& self = at(osd);
  return self.process == OsdProcess::kRunning && self.disk == Disk::kGood && context_.hosts.is_running(self.host);
}

void OsdDaemons::ask_to_boot(Osd& osd) {
  osd.process = OsdProcess::kBooting;
  monitor_.request({.kind = MapRequest::Kind::kBoot, .osd = osd.id, .epoch = osd.starts});
}

void OsdDaemons::start_daemon(int id) {
  Osd& osd = at(id);
  if (osd.process != OsdProcess::kStopped || !context_.hosts.is_running(osd.host)) return;
  if (osd.disk == Disk::kFailed) {
    // It cannot mount its store, and ends.
    if (on_exit && !osd.timer.is_pending()) osd.timer.set_after(kFailedStart, [this, id] { on_exit(id); });
    return;
  }
  osd.process = OsdProcess::kStarting;
  osd.refused = false;
  osd.answers_pings = false;
  osd.fresh_process = true;
  ++osd.starts;
  const SimDuration time = context_.draw(context_.config.osd.start, "ceph/osd-start", fmt::format("{}#{}", osd.name, osd.starts));
  osd.timer.set_after(time, [this, id] { mounted(id); });
}

void OsdDaemons::mounted(int id) {
  Osd& osd = at(id);
  if (osd.disk == Disk::kStuck) return;  // the mount hangs until the disk answers
  osd.markdowns.clear();
  const ScopedCause because(context_.engine, record(osd, "OsdStarted", fmt::format("{} runs and asks to be marked up", osd.name)));
  osd.answers_pings = true;
  ask_to_boot(osd);
  if (on_change) on_change(id);
}

void OsdDaemons::die(int id, Kill how, std::string_view why) {
  kill(id, how, why);
  if (on_exit) on_exit(id);
}

void OsdDaemons::kill(int id, Kill how, std::string_view why) {
  Osd& osd = at(id);
  if (osd.process == OsdProcess::kStopped) return;
  const bool was_alive = osd.process != OsdProcess::kStarting;
  osd.timer.cancel();
  osd.process = OsdProcess::kStopped;
  if (osd.answers_pings || was_alive) osd.silent_since = osd.answers_pings ? context_.engine.now() : osd.silent_since;
  osd.answers_pings = false;
  osd.refused = how == Kill::kCrash && context_.hosts.is_running(osd.host);
  const ScopedCause because(context_.engine, record(osd, "OsdStopped", fmt::format("{} stopped: {}", osd.name, why)));
  if (how == Kill::kStop && context_.config.osd.fast_shutdown_notify_mon && monitor_.is_up(id)) {
    monitor_.request({.kind = MapRequest::Kind::kDown, .osd = id, .epoch = osd.up_from, .on = true, .text = "it shuts down"});
  }
  if (on_change) on_change(id);
}

void OsdDaemons::host_down(host::HostId host) {
  for (Osd& osd : osds_) {
    if (osd.host == host) kill(osd.id, Kill::kSilent, fmt::format("its host {} is down", context_.hosts.spec(host).name));
  }
}

void OsdDaemons::host_up(host::HostId host) {
  for (Osd& osd : osds_) {
    if (osd.host == host) start_daemon(osd.id);
  }
}

void OsdDaemons::stick_disk(int id) {
  Osd& osd = at(id);
  if (osd.disk != Disk::kGood) return;
  osd.disk = Disk::kStuck;
  const ScopedCause because(context_.engine, record(osd, "OsdDiskStuck", fmt::format("the disk of {} does not answer", osd.name)));
  if (osd.process == OsdProcess::kRunning) {
    const OsdOptions& options = context_.config.osd;
    osd.timer.set_after(options.op_thread_timeout, [this, id] {
      Osd& stuck = at(id);
      stuck.answers_pings = false;
      stuck.silent_since = context_.engine.now();
      if (on_change) on_change(id);
      const SimDuration left = context_.config.osd.op_thread_suicide_timeout - context_.config.osd.op_thread_timeout;
      stuck.timer.set_after(left, [this, id] { die(id, Kill::kCrash, "its threads hang on the disk (suicide timeout)"); });
    });
  }
  if (on_change) on_change(id);
}

void OsdDaemons::free_disk(int id) {
  Osd& osd = at(id);
  if (osd.disk != Disk::kStuck) return;
  osd.disk = Disk::kGood;
  const ScopedCause because(context_.engine, record(osd, "OsdDiskFreed", fmt::format("the disk of {} answers again", osd.name)));
  if (osd.process == OsdProcess::kStarting && !osd.timer.is_pending()) mounted(id);
  if (osd.process == OsdProcess::kRunning || osd.process == OsdProcess::kBooting) {
    osd.timer.cancel();
    osd.answers_pings = true;
    if (osd.process == OsdProcess::kRunning && !monitor_.is_up(id)) map_changed({id});
  }
  if (on_change) on_change(id);
}

void OsdDaemons::fail_disk(int id) {
  Osd& osd = at(id);
  if (osd.disk == Disk::kFailed) return;
  osd.disk = Disk::kFailed;
  const ScopedCause because(context_.engine, record(osd, "OsdDiskFailed", fmt::format("the disk of {} failed: what was on it is gone", osd.name)));
  die(id, Kill::kCrash, "its disk failed");
  if (on_data_lost) on_data_lost(id);
}

void OsdDaemons::replace_disk(int id) {
  Osd& osd = at(id);
  if (osd.disk != Disk::kFailed) fail_disk(id);
  osd.disk = Disk::kGood;
  osd.slow_factor = 1.0;
  const ScopedCause because(context_.engine, record(osd, "OsdDiskReplaced", fmt::format("{} has a new, empty disk", osd.name)));
  if (on_speed) on_speed(id);
}

void OsdDaemons::slow_disk(int id, double factor) {
  Osd& osd = at(id);
  if (osd.slow_factor == factor) return;
  osd.slow_factor = factor;
  const ScopedCause because(context_.engine,
                            record(osd, "OsdDiskSlow", factor > 1.0 ? fmt::format("the disk of {} is {:.3g} times as slow", osd.name, factor)
                                                                    : fmt::format("the disk of {} is as fast as it should be", osd.name)));
  if (on_speed) on_speed(id);
}

void OsdDaemons::map_changed(const std::vector<int>& changed) {
  const OsdOptions& options = context_.config.osd;
  for (const int id : changed) {
    Osd& osd = at(id);
    // A stuck process reads no map; it boots when its disk answers, if it lives that long.
    if (monitor_.is_up(id) || osd.process != OsdProcess::kRunning || !context_.hosts.is_running(osd.host) || osd.disk == Disk::kStuck) continue;
    // Who does not hear of it goes on believing that it is up; it is asked again when it reaches the monitors.
    if (!monitor_.is_heard(id)) continue;
    const SimTime now = context_.engine.now();
    osd.markdowns.push_back(now);
    while (!osd.markdowns.empty() && osd.markdowns.front() < now - options.max_markdown_period) osd.markdowns.pop_front();
    if (osd.markdowns.size() > static_cast<std::size_t>(options.max_markdown_count)) {
      const ScopedCause because(context_.engine, record(osd, "OsdFlapping", fmt::format("{} was marked down {} times in {}: it shuts down", osd.name,
                                                                                        osd.markdowns.size(), humanize(options.max_markdown_period))));
      die(id, Kill::kStop, "marked down too often");
      continue;
    }
    ask_to_boot(osd);
  }
}

}  // namespace sim::ceph
