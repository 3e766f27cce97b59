/// One Prometheus: what it scraped, what its rules say, which alerts it sends.
///
/// **Nothing ticks while no rule can change.** A scrape is computed when a rule looks at it. A group of rules is evaluated at its real instants
/// (offset + k * interval) only, and of those only at the ones that can differ from the one before:
///   - a series that a rule's selector may select changed at c: from the first evaluation after its next scrape s >= c on, until s + range + offset;
///   - the expression's values run (time(), a certificate's life): near the instant at which a comparison turns (promql::Result::moves_at), each one
///     when that is not known;
///   - an alert is pending: the evaluation at which its `for` is over; it is kept by keep_firing_for: each;
///   - samples ceased or came back (write-ahead log, restart, network): until the longest window and the look-back of 5 min are over.
/// tests/models/monitoring/prometheus_test.cpp holds this against an evaluator that evaluates every rule at every instant.
///
/// States: it works; it is blocked (its write-ahead log is on a volume that does not answer: no samples, and a group of rules stands still at the first
/// rule that has something to write; what it had sent is not sent again); it is gone (no process). A target that does not answer gets up = 0 and its
/// other series end.
///
/// Source:     prometheus v3.13 scrape/scrape.go, rules/{group,alerting,recording,manager}.go, tsdb/head_append.go; reference platform 10.1, 10.3.
/// Leaves out: the time that a scrape takes; scrape_* metrics; sample and label limits; remote write; federation; a target that disappears is marked stale
///             at once, not two intervals later; queries by people.
/// Checked by: tests/models/monitoring/prometheus_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/random.hpp"
#include "sim/models/monitoring/promql/evaluator.hpp"
#include "sim/models/monitoring/rules.hpp"
#include "sim/models/monitoring/store.hpp"

namespace sim::monitoring {

struct PrometheusTiming {
  SimDuration scrape_interval{std::chrono::seconds(30)};
  SimDuration evaluation_interval{std::chrono::seconds(30)};
  SimDuration resend_delay{std::chrono::minutes(1)};
  /// For tests: evaluates every group at each of its instants.
  bool naive = false;
};

class Prometheus final : public promql::SampleSource {
 public:
  enum class State : std::uint8_t { kGone, kBlocked, kWorks };

  struct Alert {
    LabelsId labels;  // with alertname and the rule's labels
    const Rule* rule = nullptr;
    promql::Origin origin;
  };
  /// What it tells an Alertmanager.
  struct Listener {
    virtual ~Listener() = default;
    /// The alert fires; it is sent again from now on, every `resend`.
    virtual void firing(const Prometheus& from, const Alert& alert) = 0;
    /// It no longer does, and that was sent.
    virtual void resolved(const Prometheus& from, const Alert& alert) = 0;
    /// It is sent no more; the last time said that it holds until `ends`.
    virtual void silent(const Prometheus& from, const Alert& alert, SimTime ends) = 0;
  };

  Prometheus(Engine& engine, const Randomness& random, Store& store, const RuleSet& rules, std::string name, PrometheusTiming timing, Listener& listener);
  ~Prometheus() override;
  Prometheus(const Prometheus&) = delete;
  Prometheus& operator=(const Prometheus&) = delete;

  const std::string& name() const { return name_; }
  const PrometheusTiming& timing() const { return timing_; }
  void start();

  State state() const { return state_; }
  /// The engine's cause says why. `keeps_data`: a process that comes back finds what it had written.
  void set_state(State state, bool keeps_data);
  void data_lost() { data_since_ = engine_.now(); }
  /// Whether it can reach the target's host; asked whenever something may have changed (targets_changed()).
  void set_reach(std::function<bool(const Target&)> reaches) { reaches_ = std::move(reaches); }
  void targets_changed();
  /// An Alertmanager hears it. When that changes, alerts fall silent or are sent again.
  void set_connected(bool connected);
  bool is_connected() const { return connected_; }

  /// Alerts that are pending or fire, for whoever asks.
  struct Active {
    LabelsId labels;
    const Rule* rule = nullptr;
    bool is_firing = false;
    SimTime since{};
  };
  std::vector<Active> active() const;
  std::uint64_t evaluations() const { return evaluations_; }
  /// The first error of each rule that could not be evaluated.
  const std::map<const Rule*, std::string>& failures() const { return failures_; }
  /// Its evaluator, for questions at this instant.
  promql::Result query(const promql::Expr& expr);

  // promql::SampleSource
  const std::vector<promql::SampleSource::SeriesId>& select(const promql::Selector& selector) override;
  LabelsId labels(promql::SampleSource::SeriesId series) const override;
  std::optional<Latest> latest(promql::SampleSource::SeriesId series, Millis at) override;
  void range(promql::SampleSource::SeriesId series, Millis from, Millis to, std::vector<promql::Point>& points, promql::Origin& origin, bool& moves) override;
  promql::Origin ended(const promql::Selector& selector) override;

 private:
  static constexpr std::uint32_t kOwn = 1u << 31;
  /// Instants of samples.
  struct Grid {
    SimTime offset{};
    SimDuration interval{};
    SimTime at_or_before(SimTime t) const;
    SimTime at_or_after(SimTime t) const;
  };
  struct Ingest {
    SimTime at{};
    bool works = true;
    CauseId cause{};
  };
  enum class Scrape : std::uint8_t { kFails, kWorks, kNone };  // kNone: no target
  struct Reach {
    SimTime at{};
    Scrape what = Scrape::kNone;
    CauseId cause{};
  };
  struct TargetRun {
    Grid grid;
    std::vector<Reach> reach;
  };
  /// up of a target, or what a rule of a group writes.
  struct OwnSeries {
    LabelsId labels;
    bool is_up = false;
    std::uint32_t of = 0;  // target or group
    std::vector<Step> steps;
  };
  struct ActiveAlert {
    Alert alert;
    SimTime active_at{};
    bool is_firing = false;
    SimTime fired_at{};
    SimTime first_sent{};
    bool sent = false;
    std::optional<SimTime> keeps_since;
    bool seen = false;
    std::uint32_t alerts_series = 0;
  };
  struct RuleRun {
    const Rule* rule = nullptr;
    SimTime dirty_until{};
    Millis moves_at = promql::kNever;
    SimDuration window{};  // the longest of its selectors'
    bool fresh = true;     // never evaluated
    std::map<LabelsId, ActiveAlert> active;
    std::map<LabelsId, std::pair<SimTime, SimTime>> remembered;  // active at, and when it was forgotten: over a restart
    std::map<LabelsId, std::uint32_t> written;                   // series that it wrote last time
  };
  struct GroupRun {
    const RuleGroup* group = nullptr;
    Grid grid;
    SimDuration interval{};
    Timer timer;
    SimTime next{};  // of the timer
    bool stuck = false;
    SimTime last{};
    std::vector<RuleRun> rules;
  };
  struct Selection {
    std::vector<promql::ValueMatcher> matchers;
    std::vector<Symbol> names;
    std::vector<promql::SampleSource::SeriesId> found;
    std::size_t seen_shared = 0;
    std::size_t seen_own = 0;
    std::uint64_t generation = 0;
  };

  const Grid& grid_of(promql::SampleSource::SeriesId series) const;
  bool ingests_at(SimTime t) const;
  /// The value at a sampling instant; none when there is no sample, or a stale marker.
  struct Sampled {
    double value;
    double slope;
    promql::Origin origin;
  };
  std::optional<Sampled> sample(promql::SampleSource::SeriesId series, SimTime t) const;

  void target_changed(TargetId id);
  void shared_changed(monitoring::SeriesId id);
  void changed(Symbol metric, SimTime sampled);
  void everything_changed(SimTime sampled);
  std::uint32_t own_series(LabelsId labels, bool is_up, std::uint32_t of);
  void write(std::uint32_t own, std::optional<double> value, const promql::Origin& origin);

  void wake(std::size_t group, SimTime at);
  void evaluate(std::size_t group);
  bool is_due(const GroupRun& group, const RuleRun& rule, SimTime now) const;
  SimTime next_needed(const GroupRun& group, const RuleRun& rule, SimTime now) const;
  /// True when it wrote something.
  bool evaluate_alert(std::size_t index, RuleRun& run);
  bool evaluate_record(std::size_t index, RuleRun& run);
  void send(ActiveAlert& alert);
  SimDuration resend_period(const GroupRun& group) const;
  void fall_silent(GroupRun& group);
  void tell_silent(const GroupRun& group, const ActiveAlert& alert);
  void forget_alerts();

  Engine& engine_;
  const Randomness& random_;
  Store& store_;
  const RuleSet& rules_;
  std::string name_;
  PrometheusTiming timing_;
  Listener& listener_;
  std::function<bool(const Target&)> reaches_;
  bool started_ = false;
  State state_ = State::kWorks;
  bool connected_ = true;
  SimTime data_since_{};
  std::vector<Ingest> ingest_;
  std::vector<TargetRun> targets_;
  std::vector<OwnSeries> own_;
  std::map<std::pair<std::uint32_t, LabelsId>, std::uint32_t> own_index_;
  std::map<Symbol, std::vector<std::uint32_t>> own_by_metric_;
  std::vector<GroupRun> groups_;
  /// Which rules look at a metric: group, rule, window.
  struct Interest {
    std::size_t group;
    std::size_t rule;
    Millis window;
  };
  std::map<Symbol, std::vector<Interest>> interests_;  // Symbol{}: rules that look at any
  std::map<std::uint32_t, Selection> selections_;
  std::unique_ptr<promql::Evaluator> evaluator_;
  std::map<const Rule*, std::string> failures_;
  std::uint64_t evaluations_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim::monitoring
