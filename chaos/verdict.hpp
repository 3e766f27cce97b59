/// What a run showed: expectations held or not, outages with their causes, figures of services and components, lanes for a
/// picture of the run. Plain values: a Verdict outlives its world, and the verdicts of a thousand replications fit in memory.
///
/// Times are virtual, from the start of the run. CauseIds point into the log of the run's world, if that was kept; `why` says
/// the same in words and needs no world.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/cause.hpp"
#include "sim/core/time.hpp"

namespace chaos {

using sim::CauseId;
using sim::SimDuration;
using sim::SimTime;

/// One step on the way from a symptom to its root: a record of the log.
struct CauseStep {
  CauseId id{};
  SimTime time{};
  std::string kind;     // "NodeNotReady"
  std::string subject;  // "Node/w1"
  std::string message;
  /// Of a contributing record: the injected fault at its own root. Empty: none, or not asked for.
  std::string fault = {};
};

/// From a symptom back to its root: the symptom's own record first, the root (mostly FaultInjected) last. A chain that is longer
/// than the bound keeps its beginning and its root; `left_out` says how many steps between the last two are not shown.
struct Why {
  std::vector<CauseStep> steps;
  std::size_t left_out = 0;
  /// Further records that share the guilt ("quorum lost": one for each member that is gone).
  std::vector<CauseStep> contributing;
  /// Name of the injected fault at the root of the chain or, if it has none, of a contributing chain. Empty: no fault.
  std::string fault;
  bool empty() const { return steps.empty(); }
};

/// The operators' three classes of symptoms.
enum class Severity : std::uint8_t {
  kNone,    ///< self-healing has it: nobody needs to know
  kNotice,  ///< no user sees it yet, somebody should look
  kAlert,   ///< users see it now
};
const char* to_string(Severity severity);  // "none", "notice", "alert"

// ---- Expectations -------------------------------------------------------------------------------------------------

enum class Unit : std::uint8_t { kRatio, kSeconds, kCount, kBytes };
const char* to_string(Unit unit);  // "ratio", "seconds", "count", "bytes"
/// A figure for people: "99.95 %", "5m 12s", "3".
std::string format_figure(Unit unit, double value);

/// Which side of the bound is right.
enum class Comparison : std::uint8_t { kAtLeast, kAtMost };
const char* to_string(Comparison comparison);  // ">=", "<="

/// One bound of an expectation ("availability >= 99.9 %") and what was measured.
struct Measure {
  std::string name;  // the key in the scenario: "availability", "longestOutage", "minServing" ...
  Unit unit = Unit::kCount;
  Comparison comparison = Comparison::kAtLeast;
  double bound = 0.0;
  double measured = 0.0;
  bool held = true;
  /// When the bound was first broken for certain (an average over a window: when the loss that it allows was used up). Absent while it holds.
  std::optional<SimTime> first_violation;
  /// How far beyond the bound, in `unit`; 0 while it holds.
  double excess = 0.0;
  CauseId cause{};  // of the first violation, or of the worst one
  std::vector<CauseId> also;  // what else had a part in it
  Why why;          // filled for broken bounds only
};

struct ExpectationResult {
  std::string name;     // as the scenario calls it
  std::string kind;     // "service", "component", "pods-pending" ...
  std::string subject;  // "Service/shop/web", "etcd", "pods app=web": what was looked at
  bool held = true;     // all measures hold
  /// Why it could not be judged ("the run ended before its window began"): then `held` is false and there are no measures.
  std::string not_judged;
  SimTime from{};  // the window that was looked at
  SimTime to{};
  std::vector<Measure> measures;
};

// ---- Outages ------------------------------------------------------------------------------------------------------

enum class OutageKind : std::uint8_t {
  kServiceDown,            ///< no endpoint that the API lists as ready serves
  kServiceDegraded,        ///< some endpoints that the API lists as ready do not serve
  kApiUnreadable,          ///< no API server answers
  kApiUnwritable,          ///< answers, but no write goes through
  kEtcdNoQuorum,
  kNoScheduler,            ///< nobody holds the lease and can use it
  kNoControllerManager,
  kNodeNotReady,           ///< as the API says: Ready is not True
  kNodeDown,               ///< the machine does not run, or has no network, whatever the API says
  kPodPending,             ///< longer than the threshold
  kMonNoQuorum,            ///< Ceph's monitors: no map changes, nothing is mounted
  kCephPoolBlocked,        ///< some PGs of the pool do not answer writes
  kCephFsUnavailable,      ///< a rank of the file system answers no metadata requests
  kObjectStoreBlocked,     ///< no gateway of the object store answers every request
  kRegistryDown,           ///< no image can be pulled from it
  kOperationImpossible,    ///< users cannot do it
  kOperationDegraded,      ///< works, but not as it should
  kPlatformServiceDown,    ///< fewer members answer than it takes
  kPlatformServiceDegraded,
  kVmsStopped,             ///< some VMs of tenants do not run, or hang
  kVmsUnreachable,         ///< all run, and some are reached by nobody
  kReplicasMissing,        ///< a workload has fewer available replicas than it wants, for longer than self-healing takes
  kRequestsFailing,        ///< fewer of the users' requests are answered than is acceptable
};
inline constexpr OutageKind kLastOutageKind = OutageKind::kRequestsFailing;
const char* to_string(OutageKind kind);  // "service-down", "node-not-ready" ...

/// Who was told of an outage, and how long after it began.
struct Detection {
  Severity told = Severity::kNone;  // alert: a person at once; notice: a queue; none: nobody
  std::optional<SimDuration> noticed_after;  // by any message
  std::string noticed_by;                    // alert, probe or dead man's switch
  std::string noticed_source;                // "alert", "probe", "dead-mans-switch"
  std::optional<SimDuration> alerted_after;  // by one that reaches a person at once
  std::string alerted_by;
  std::string alerted_source;
};

/// Something was not as it should be, from `start` to `end`.
struct Outage {
  OutageKind kind = OutageKind::kServiceDown;
  Severity severity = Severity::kNotice;
  std::string subject;  // "Service/shop/web", "Node/w1", "etcd", "kube-apiserver"
  SimTime start{};
  SimTime end{};
  bool open = false;  // still so when the run ended; `end` is the end of the run
  CauseId cause{};    // the record that tells why it began
  std::vector<CauseId> contributing;
  Why why;
  std::optional<Detection> detection;  // absent: the scenario has no monitoring
  SimDuration length() const { return end - start; }
};

/// Availability of one thing over the run without its warm-up.
struct AvailabilityStats {
  std::string subject;
  SimDuration measured{};       // how long it was looked at (a Service: since it first had a serving endpoint)
  double availability = 1.0;    // time average; a Service's success share counts as a fraction
  std::uint64_t outages = 0;
  SimDuration down{};           // sum of the outages
  SimDuration longest{};
  SimDuration degraded{};       // Services: 0 < share < 1
  std::optional<std::int64_t> serving_min;  // Services: fewest serving endpoints
  bool never_up = false;        // it was not available at any time: availability 0
};

/// Requests of users to a Service, over the run without its warm-up.
struct RequestStats {
  std::string subject;      // "Traffic/shop"
  double requests = 0.0;    // mean number; retries are not counted
  double success = 1.0;     // share that was answered
  double lowest = 1.0;      // the same in the worst time
  double failed[4] = {};    // shares: no endpoints, refused, no answer, too much to do
  double p50 = 0.0;         // seconds, of those that were answered
  double p99 = 0.0;
};

// ---- Lanes --------------------------------------------------------------------------------------------------------

/// One subject's states over the whole run (warm-up included), for a picture of it.
struct Lane {
  struct Interval {
    SimTime start{};
    SimTime end{};
    std::string state;  // "Ready", "NotReady", "down", "serving", "degraded", "no leader", "active" ...
    Severity severity = Severity::kNone;
    CauseId cause{};
  };
  std::string group;    // "fault", "control-plane", "service", "node"
  std::string subject;
  std::vector<Interval> intervals;  // in order, without overlap; gaps: it did not exist
};

/// One thing that was done to the world.
struct FaultRun {
  std::string name;       // as the scenario calls it; "drain-w3#2" is the second repetition
  std::string kind;       // "drain"
  std::string target;     // "Node/w3, Node/w4" (shortened when long)
  SimTime injected{};
  std::optional<SimTime> ended;      // duration over, or the work (drain, maintenance) finished
  std::string outcome;    // "done", "active" at the end of the run, "not injected: ..." or what went wrong with it
  bool failed = false;    // it could not do its work (drain stopped, nothing matched)
  CauseId cause{};        // its FaultInjected record
};

// ---- Monitoring ---------------------------------------------------------------------------------------------------

/// What somebody was told.
struct ToldNote {
  SimTime at{};
  std::string by;       // alert, probe or dead man's switch
  std::string subject;  // with its labels
  std::string severity;
  std::string receiver;
  std::string source;   // "alert", "probe", "dead-mans-switch"
  Severity tells = Severity::kNotice;
  std::optional<SimTime> over;  // when it was said to be over
  Why why;
};

/// Of the outages that users saw and that lasted a minute at least.
struct DetectionStats {
  std::uint64_t outages = 0;
  std::uint64_t alerted = 0;   // a person was told at once
  std::uint64_t noticed = 0;   // only a queue was
  std::uint64_t untold = 0;    // nobody was
  SimDuration unseen{};        // sum of the time before a person was told (all of it, when none was)
  SimDuration longest_to_alert{};
};

// ---- All of it ----------------------------------------------------------------------------------------------------

struct Verdict {
  bool held = true;  // every expectation holds
  std::uint64_t seed = 0;
  SimTime measured_from{};  // end of the warm-up
  SimTime ended{};          // where the run stopped
  bool complete = true;     // reached the time that the scenario asks for

  std::vector<ExpectationResult> expectations;  // in the scenario's order
  std::vector<FaultRun> faults;                 // in the order of injection
  std::vector<Outage> outages;                  // by start, then kind, then subject
  std::uint64_t outages_left_out = 0;           // beyond RunOptions::outages_max: the shortest are left out first
  bool monitored = false;                       // the scenario has monitoring: what follows is filled, and `detection` of each outage
  std::vector<ToldNote> notifications;          // in the order of their arrival
  std::uint64_t notifications_left_out = 0;
  DetectionStats detection;
  std::vector<AvailabilityStats> services;      // by subject
  std::vector<AvailabilityStats> components;    // "kube-apiserver (read)", "kube-apiserver (write)", "etcd", "kube-scheduler", "kube-controller-manager"
  std::vector<RequestStats> requests;           // in the scenario's order
  AvailabilityStats nodes;                      // all nodes together: availability = share of node time that was Ready
  std::uint64_t pods_pending_long = 0;          // how many waits longer than the threshold
  SimDuration pods_pending_longest{};

  std::vector<Lane> lanes;          // faults, control plane, services, nodes; by group, then subject
  std::uint64_t lanes_left_out = 0; // of nodes without any change in a large cluster, then beyond RunOptions::lanes_max

  /// How many records of each kind the log has, by kind ("Evicted", 12).
  std::vector<std::pair<std::string, std::uint64_t>> record_counts;
  std::uint64_t pods_at_end = 0;
  std::uint64_t nodes_at_end = 0;
};

}  // namespace chaos
