#include "sim/models/rook/mount_watch.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sim::rook {

namespace {

using namespace std::chrono_literals;

// From here on a stall is a hang.
constexpr SimDuration kStall = 5s;

}  // namespace

MountWatch::MountWatch(Engine& engine, EventLog& log, host::Hosts& hosts, k8s::Storage& storage, ceph::CephCluster& cluster, std::string subject, std::string noun,
                       Possible is_possible)
    : engine_(engine),
      log_(log),
      hosts_(hosts),
      storage_(storage),
      cluster_(cluster),
      subject_(std::move(subject)),
      noun_(std::move(noun)),
      is_possible_(std::move(is_possible)),
      look_(engine),
      stall_over_(engine) {}

void MountWatch::start(std::function<void()> looked) {
  looked_ = std::move(looked);
  const auto look_at = [this, alive = std::weak_ptr<bool>(alive_)](auto&&...) {
    if (!alive.expired()) look_soon();
  };
  cluster_.on_quorum(look_at);
  cluster_.on_io([this, alive = std::weak_ptr<bool>(alive_)](const ceph::Pg&, bool serves) {
    if (alive.expired()) return;
    if (!serves) blocked_cause_ = engine_.cause();
    look_soon();
  });
  hosts_.on_change(look_at);
}

void MountWatch::look(bool stops) {
  if (stops) stopped_cause_ = engine_.cause();
  look_soon();
}

void MountWatch::look_soon() {
  if (look_.is_pending()) return;
  look_.set_after(SimDuration::zero(), [this] { look_.set_after(SimDuration::zero(), [this] { look_at_all(); }); });
}

void MountWatch::tell(const std::set<Symbol>& volumes, CauseId cause) {
  ScopedCause because(engine_, cause);
  for (const Symbol volume : volumes) {
    causes_[volume] = cause;
    storage_.io_changed(volume);
  }
}

void MountWatch::look_at_all() {
  const CauseId of_groups = std::exchange(blocked_cause_, CauseId{});
  const CauseId stopped = std::exchange(stopped_cause_, CauseId{});
  const CauseId blocked = stopped ? stopped : of_groups;
  std::set<Symbol> hang;
  std::set<Symbol> go_on;
  CauseId stalled_by{};
  SimTime next = kEndOfTime;
  for (auto& [mount, state] : mounts_) {
    if (is_possible_(mount.volume, mount.node)) {
      state.stalled.reset();
      if (std::exchange(state.hangs, false)) go_on.insert(mount.volume);
      continue;
    }
    if (state.hangs) continue;
    if (!state.stalled) {
      state.stalled = engine_.now();
      state.cause = blocked ? blocked : engine_.cause();
    }
    if (engine_.now() - *state.stalled < kStall) {
      next = std::min(next, *state.stalled + kStall);
      continue;
    }
    state.hangs = true;
    hang.insert(mount.volume);
    stalled_by = state.cause;
  }
  if (next != kEndOfTime) stall_over_.set_after(next - engine_.now(), [this] { look_at_all(); });
  if (!hang.empty()) {
    // Without a quorum no OSD is marked down and no PG peers: that is why it does not mend itself.
    const CauseId of_quorum = cluster_.monitors().cause();
    const bool quorum_lost = !cluster_.has_quorum() && of_quorum && log_.kind(log_.at(of_quorum)) == "MonQuorumLost";
    const CauseId cause = log_.record("VolumesHang", log_.names().intern(subject_), fmt::format("I/O of {} {}{} hangs", hang.size(), noun_, hang.size() == 1 ? "" : "s"),
                                      quorum_lost ? of_quorum : stalled_by);
    if (quorum_lost) log_.also_caused_by(cause, stalled_by);
    tell(hang, cause);
  }
  if (!go_on.empty()) {
    tell(go_on, log_.record("VolumesGoOn", log_.names().intern(subject_), fmt::format("I/O of {} {}{} goes on", go_on.size(), noun_, go_on.size() == 1 ? "" : "s"), engine_.cause()));
  }
  looked_();
}

}  // namespace sim::rook
