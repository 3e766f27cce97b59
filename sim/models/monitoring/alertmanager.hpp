/// Alertmanager: from alerts that fire to notifications that somebody gets.
///
/// One cluster of instances: it works while one of them does. Alerts are grouped by route and labels; a group tells its first alert after group_wait,
/// what joins or leaves it at the next group_interval, everything again after repeat_interval. An alert that is no longer sent is resolved when the last
/// sending's time is over: about 4 minutes later. When all instances are gone, what they knew is gone with them.
///
/// Source:     alertmanager dispatch/dispatch.go, notify/notify.go (DedupStage.needsUpdate), inhibit; reference platform 10.1.
/// Leaves out: an alert that was told, inhibited and is free again is not told anew; silences, time intervals, nested routes and `continue`, instances that do not see each other (each would notify), nflog on a volume
///             (after a loss of all instances everything is told anew), limits of receivers.
/// Checked by: tests/models/monitoring/pipeline_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/models/monitoring/prometheus.hpp"
#include "sim/models/monitoring/tells.hpp"

namespace sim::monitoring {

struct ReceiverConfig {
  std::string name;
  std::vector<promql::Matcher> matchers;  // all must match; none: everything. The first receiver that matches gets the alert.
  Tells tells = Tells::kNotice;
  SimDuration delivery{std::chrono::seconds(10)};
  std::string via;  // "namespace/name" of a Service that carries the message; empty: from the cluster straight to the outside
};

struct AlertmanagerConfig {
  std::string name = "main";
  std::vector<std::string> group_by = {"namespace"};
  SimDuration group_wait{std::chrono::seconds(30)};
  SimDuration group_interval{std::chrono::minutes(5)};
  SimDuration repeat_interval{std::chrono::hours(12)};
  bool inhibit = true;  // critical inhibits warning and info, warning inhibits info, of the same namespace and alertname
  std::vector<ReceiverConfig> receivers;
};

/// What somebody was told.
struct Notification {
  SimTime at{};            // delivered
  std::string by;          // name of the alert, probe or dead man's switch
  std::string subject;     // its labels
  std::string object;      // what they name, as the log calls it ("Node/w1", "Pod/shop/web-0"); empty: nothing of ours
  std::string severity;    // of the alert; "critical" of probes and dead man's switches
  std::string receiver;
  Tells tells = Tells::kNotice;
  enum class Source : std::uint8_t { kAlert, kDeadMansSwitch, kProbe } source = Source::kAlert;
  bool resolved = false;   // it says that it is over
  CauseId record{};        // AlertNotified
  CauseId cause{};         // what the alert rests on
  std::optional<SimTime> over;  // when it was said to be over
};

class Alertmanager final : public Prometheus::Listener {
 public:
  Alertmanager(Engine& engine, EventLog& log, LabelTable& labels, AlertmanagerConfig config, std::vector<Notification>& told);
  const AlertmanagerConfig& config() const { return config_; }

  void firing(const Prometheus& from, const Prometheus::Alert& alert) override;
  void resolved(const Prometheus& from, const Prometheus::Alert& alert) override;
  void silent(const Prometheus& from, const Prometheus::Alert& alert, SimTime ends) override;

  /// Some instance works. When it comes back, the Prometheuses must send again (Prometheus::set_connected).
  void set_working(bool works);
  bool is_working() const { return works_; }
  /// Whether a receiver's Service carries messages.
  void set_carrier(std::function<bool(const std::string& service)> carries) { carries_ = std::move(carries); }
  /// Called when an alert of this name begins (true) or ceases (false) to fire here: for dead man's switches.
  std::function<void(const std::string& alert, bool fires)> on_alert;
  bool fires(const std::string& alertname) const;

 private:
  struct Known {
    Prometheus::Alert alert;
    std::map<std::string, SimTime> sources;  // Prometheus -> until when it holds
    std::size_t receiver = 0;
    SimTime since{};
    CauseId silent_cause{};  // why nobody sends it any more
  };
  struct Group {
    std::set<LabelsId> members;    // that fire
    std::map<LabelsId, std::size_t> notified;  // what was told as firing: index in told_
    SimTime last_flush{};
    SimTime last_told{};
    bool flushed = false;
    bool changed = false;
    Timer timer;
  };
  using GroupKey = std::pair<std::size_t, LabelsId>;

  void gone(LabelsId labels, std::string_view how);
  void look_at(GroupKey key);
  void flush(GroupKey key);
  bool inhibited(LabelsId labels) const;
  std::string value(LabelsId labels, std::string_view name) const;
  GroupKey key_of(const Known& known);
  void expire();
  void plan_expiry();
  void count(LabelsId labels, std::int64_t change);

  Engine& engine_;
  EventLog& log_;
  LabelTable& labels_;
  AlertmanagerConfig config_;
  std::vector<Notification>& told_;
  std::vector<std::vector<promql::ValueMatcher>> matchers_;
  std::map<LabelsId, Known> known_;
  /// Of known_, by what inhibition compares: ten thousand alerts of one name are looked at one by one, not each with each.
  struct Count {
    std::int64_t critical = 0;
    std::int64_t warning = 0;
  };
  std::map<std::pair<Symbol, Symbol>, Count> by_severity_;  // of alertname and namespace
  std::map<Symbol, std::int64_t> by_name_;
  SimTime expires_ = kEndOfTime;  // when expiry_ is due
  std::map<GroupKey, Group> groups_;
  std::vector<Symbol> group_by_;
  Timer expiry_;
  bool works_ = true;
  std::function<bool(const std::string&)> carries_;
};

}  // namespace sim::monitoring
