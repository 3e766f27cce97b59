/// The section `failures:` of a scenario: what fails by itself, how often, who repairs it; planned work with its calendar; failures as somebody else
/// recorded them.
///
/// Source:     reference platform 11 (rates and laws, each cited in docs/models/failures.md).
/// Leaves out: what happens to the world: chaos/failures does it. Parquet files of traces (their CSV form is read).
/// Checked by: tests/scenario/failures_section_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/core/lifetime.hpp"
#include "sim/core/time.hpp"
#include "sim/models/topology/topology.hpp"
#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/document.hpp"
#include "sim/scenario/reference.hpp"

namespace sim::scenario {

struct ScenarioSpec;

/// A law of times as it is written: `{law: weibull, shape: 0.7, mean: 730d}`.
struct LawShapeSpec {
  enum class Kind : std::uint8_t { kExponential, kWeibull, kLognormal, kGamma, kUniform, kAlways, kEmpirical, kMixture } kind = Kind::kExponential;
  std::optional<SimDuration> mean;
  std::optional<SimDuration> scale;
  std::optional<double> shape;
  std::optional<SimDuration> median;
  std::optional<double> sigma;
  std::optional<SimDuration> low;
  std::optional<SimDuration> high;
  std::optional<SimDuration> value;
  std::vector<SimDuration> values;
  Reference file;
  std::string column;
  std::string unit = "s";
  std::optional<SimDuration> longest;
  Place where;
};
struct LawPartSpec : LawShapeSpec {
  double weight = 1.0;
};
struct LawSpec : LawShapeSpec {
  std::vector<LawPartSpec> parts;
};

struct CrewSpec {
  std::string name;
  Place where;
  std::int64_t people = 1;
  std::vector<std::string> days;  // "mon" ...; empty: every day
  std::string from;               // "08:00"; empty: all day
  std::string to;
};
struct SpareSpec {
  std::string name;
  Place where;
  std::int64_t stock = 1;
  std::optional<LawSpec> delivery;
  LifetimeLaw delivery_law = LifetimeLaw::always(0.0);  // filled by check_failures()
};

/// Whom a process, a maintenance or a trace concerns, of nodes: those that satisfy everything that is given.
struct FailureNodesSpec {
  std::vector<Reference> nodes;
  Reference pool;
  Reference in;
};
struct BatchSpec {
  std::int64_t size = 0;  // 0: all of the process are one batch
  double sigma = 0.5;
};
struct CommonCauseSpec {
  enum class Group : std::uint8_t { kAll, kRack, kPool } group = Group::kAll;
  double share = 0.1;
  SimDuration spread{};
};
struct BathtubSpec {
  double early = 1.5;
  SimDuration early_until = std::chrono::hours(24 * 90);
  double late = 2.5;
  SimDuration late_from = std::chrono::hours(24 * 365 * 5);
};

struct FailureProcessSpec : FailureNodesSpec {
  std::string name;
  Place where;
  std::string klass;
  std::vector<Reference> elements;
  std::vector<std::int64_t> osds;
  std::string ns = "default";
  std::map<std::string, std::string> selector;
  Node fault;
  std::optional<LawSpec> time_to_failure;
  std::optional<LawSpec> repair;
  bool starts_new = false;
  std::optional<SimDuration> age;
  Reference crew;
  Reference spare;
  std::optional<BatchSpec> batch;
  std::optional<CommonCauseSpec> common_cause;
  std::optional<BathtubSpec> bathtub;

  // Filled by check_failures().
  LifetimeLaw failure_law = LifetimeLaw::always(0.0);
  LifetimeLaw repair_law = LifetimeLaw::always(0.0);
};

struct MaintenanceSpec : FailureNodesSpec {
  std::string name;
  Place where;
  Reference schedule;                 // cron, UTC
  std::vector<std::int64_t> weeks;    // of the month; empty: each
  SimDuration window = std::chrono::hours(4);
  std::vector<Reference> blackouts;   // "2026-12-20/2027-01-05"
  std::vector<Reference> domains;     // elements, one after the other; empty: the nodes are one after the other
  bool waits_for_repairs = false;
  std::int64_t rounds = 0;            // 0: again and again
  Node work;

  // Filled by check_failures(): seconds since 1970, [first, second).
  std::vector<std::pair<std::int64_t, std::int64_t>> blackout_seconds;
};

struct FailureTraceSpec : FailureNodesSpec {
  struct Row {
    double interval = 0.0;   // seconds since the end of the failure before
    double duration = 0.0;   // seconds
    double intensity = 0.0;  // share of the nodes
  };
  std::string name;
  Place where;
  Reference file;
  std::string fault = "node-crash";
  bool repeat = false;
  double speed = 1.0;
  std::vector<Row> rows;  // filled by check_failures()
};

struct FailuresSpec {
  std::vector<CrewSpec> crews;
  std::vector<SpareSpec> spares;
  std::vector<FailureProcessSpec> processes;
  std::vector<MaintenanceSpec> maintenance;
  std::vector<FailureTraceSpec> traces;
};

/// What can fail, with how it does so unless the scenario says otherwise.
struct FailureClass {
  enum class Of : std::uint8_t { kNodes, kMembers, kHypervisors, kElements, kOsds, kPods, kGiven };
  std::string name;
  Of of = Of::kNodes;
  topology::ElementKind element = topology::ElementKind::kRack;
  std::string device_class;  // of kOsds: "hdd"; "": any other
  std::string fault;         // what happens: YAML of the fault without its target
  std::optional<LifetimeLaw> time_to_failure;  // absent: has to be given
  std::optional<LifetimeLaw> repair;
  std::string what;          // in words
};
const std::vector<FailureClass>& failure_classes();
const FailureClass* find_failure_class(std::string_view name);

/// Working hours of a crew: what it works on rests while nobody is there. Times are seconds since 1970 UTC.
class WorkingHours {
 public:
  /// The crew's fields have passed check_failures().
  explicit WorkingHours(const CrewSpec& crew);
  /// When work of `seconds` that is taken up at `start` is done.
  double done(double start, double seconds) const;

 private:
  bool days_[7] = {true, true, true, true, true, true, true};  // from Monday
  double from_ = 0.0;  // seconds of the day
  double to_ = 86'400.0;
};

/// Reads what the section refers to (files, laws, calendars) and tells everything that is wrong with it by itself; that there are such nodes is checked
/// against the world later.
void check_failures(ScenarioSpec& spec, Diagnostics& diagnostics);

}  // namespace sim::scenario
