/// One leader lease and its candidates, without an event per renewal or try: renewals and tries are on grids that are computed when
/// somebody can miss them.
///
/// The leader renews every `retry_period`; when it cannot for `renew_deadline` after its last renewal, it must exit. A candidate tries every
/// retry_period * (1 + U[0, 1.2)); it takes over at its first try `lease_duration` or more after it saw the record change last, by its own
/// clock. A candidate that saw the last renewal is therefore ready lease_duration after seeing it; one that starts later, or could not
/// reach the API then, counts from its first look at the record. An empty holder (clean stop of a component that releases) is taken at the next try.
///
/// Source:     client-go tools/leaderelection/leaderelection.go (acquire, renew, tryAcquireOrRenew, isLeaseValid); reference kubernetes 1.9, 4.10.
/// Leaves out: coordinated leader election; clock skew (each candidate uses spans of its own clock only); request latency.
/// Checked by: tests/models/kubernetes/control_plane_lease_test.cpp.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/random.hpp"

namespace sim::k8s {

struct LeaseTimes {
  SimDuration lease_duration{std::chrono::seconds(15)};
  SimDuration renew_deadline{std::chrono::seconds(10)};
  SimDuration retry_period{std::chrono::seconds(2)};
};

class LeaseElection {
 public:
  /// `name` keys the random streams.
  LeaseElection(Engine& engine, const Randomness& random, std::string name, LeaseTimes times);
  LeaseElection(const LeaseElection&) = delete;
  LeaseElection& operator=(const LeaseElection&) = delete;

  void add_candidate(std::string name);
  /// The first holder, chosen by a keyed draw among the candidates that run; it has been renewing for a while.
  void start();

  /// Tells how a candidate is now; call it on every change, as often as wanted. `runs`: its process is alive. `reaches`: its writes go through.
  void update(std::size_t candidate, bool runs, bool reaches);
  /// The holder ends cleanly and empties the lease. Call before update(candidate, false, ...).
  void release();

  /// The process that leads. Not the name in the lease: a dead holder does not lead.
  std::optional<std::size_t> leader() const { return leader_; }
  /// The last renewal that went through, as of now.
  SimTime last_renewal() const;

  std::function<void(std::size_t)> on_gained;    ///< took the lease
  /// The leader's process is gone. Returns the record because of which somebody else takes over later.
  std::function<CauseId(std::size_t)> on_lost;
  std::function<void(std::size_t)> on_deadline;  ///< the leader could not renew in time: its process must exit

 private:
  struct Candidate {
    std::string name;
    bool runs = false;
    bool reaches = false;
    SimTime runs_since{};
    SimTime reaches_since{};
    SimTime reaches_until{};          // end of the last time that it reached the API
    std::optional<SimTime> observed;  // its first look at the record as it is now
    SimTime grid{};                   // a try; the later ones follow with the gaps of `gaps`
    RandomStream gaps;
    std::uint32_t grids = 0;
  };
  SimDuration gap(RandomStream& stream) const;
  void new_grid(Candidate& candidate, SimTime from, bool tries_at_once);
  SimTime try_at_or_after(const Candidate& candidate, SimTime when) const;
  void observe(Candidate& candidate);
  void become_vacant();
  void plan_takeover();
  void take(std::size_t candidate);

  Engine& engine_;
  const Randomness& random_;
  std::string name_;
  LeaseTimes times_;
  std::vector<Candidate> candidates_;
  std::optional<std::size_t> leader_;
  // The holder's renewals: at anchor_ + k * retry_period, from renews_from_ on while is_renewing_.
  bool is_renewing_ = false;
  SimTime anchor_{};
  SimTime renews_from_{};
  SimTime last_renewal_{};  // when not renewing
  Timer deadline_;
  // Without a leader:
  std::optional<SimTime> released_;
  CauseId vacant_because_{};
  Timer takeover_;
};

}  // namespace sim::k8s
