#include "sim/scenario/failures.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <memory>
#include <sstream>

#include "sim/models/kubernetes/controllers/cron_schedule.hpp"
#include "sim/scenario/monitoring_builder.hpp"
#include "sim/scenario/names.hpp"
#include "sim/scenario/printable.hpp"
#include "sim/scenario/scenario.hpp"

namespace sim::scenario {

namespace {

constexpr double kMinute = 60.0;
constexpr double kHour = 3600.0;
constexpr double kDay = 24.0 * kHour;
constexpr double kYear = 365.0 * kDay;

// ---- classes --------------------------------------------------------------------------------------------------------

/// Rates a year; the sources stand in docs/models/failures.md.
std::vector<FailureClass> make_classes() {
  using Law = LifetimeLaw;
  using Of = FailureClass::Of;
  using Kind = topology::ElementKind;
  // Most machines come back with the next boot, which the machine itself takes; 2 % stay off until somebody comes.
  const Law reboot = Law::mixture({{0.98, Law::always(0.0)}, {0.02, Law::uniform(1.0 * kHour, 4.0 * kHour)}});
  const Law hardware_repair = Law::lognormal(8.0 * kHour, 1.0).capped(7.0 * kDay);
  const Law swap = Law::lognormal(24.0 * kHour, 0.7);
  const auto often = [](double a_year) { return Law::exponential(kYear / a_year); };
  std::vector<FailureClass> classes;
  const auto add = [&](std::string name, Of of, std::string fault, std::optional<Law> time_to_failure, std::optional<Law> repair, std::string what) {
    FailureClass one;
    one.name = std::move(name);
    one.of = of;
    one.fault = std::move(fault);
    one.time_to_failure = std::move(time_to_failure);
    one.repair = std::move(repair);
    one.what = std::move(what);
    classes.push_back(std::move(one));
  };
  const auto add_element = [&](std::string name, Kind kind, std::optional<Law> time_to_failure, std::optional<Law> repair, std::string what) {
    add(std::move(name), Of::kElements, "kind: element-down", std::move(time_to_failure), std::move(repair), std::move(what));
    classes.back().element = kind;
  };
  add("node-crash", Of::kNodes, "kind: node-crash", Law::weibull(0.7, 2.0 * kYear), reboot, "a node crashes and boots again");
  add("node-hang", Of::kNodes, "kind: node-hang", Law::weibull(0.7, 10.0 * kYear), Law::lognormal(30.0 * kMinute, 0.9), "a node hangs until somebody resets it");
  add("node-hardware", Of::kNodes, "kind: node-crash", Law::weibull(0.75, 20.0 * kYear), hardware_repair, "a part of a node breaks");
  add("nic", Of::kNodes, "{kind: network-partition, isolate: each}", often(0.05), Law::lognormal(2.0 * kHour, 1.0), "a node loses its network");
  add("hypervisor", Of::kHypervisors, "kind: element-down", Law::weibull(0.7, 2.0 * kYear), reboot, "a machine that carries VMs crashes, and they with it");
  add("disk-hdd", Of::kOsds, "{kind: ceph-disk, action: fail}", often(0.015), swap, "a hard disk of Ceph dies and is replaced");
  classes.back().device_class = "hdd";
  add("disk-ssd", Of::kOsds, "{kind: ceph-disk, action: fail}", often(0.009), swap, "an SSD or NVMe of Ceph dies and is replaced");
  add_element("switch", Kind::kSwitch, often(0.065),
              Law::mixture({{0.7, Law::lognormal(10.0 * kMinute, 1.2)}, {0.3, Law::lognormal(4.0 * kHour, 0.7)}}), "a switch fails");
  add_element("rack-power", Kind::kRack, often(0.035), Law::uniform(1.0 * kHour, 6.0 * kHour), "a rack loses its power");
  add_element("power-feed", Kind::kPowerFeed, often(0.035), Law::uniform(1.0 * kHour, 6.0 * kHour), "a power feed fails");
  add_element("zone", Kind::kZone, often(0.06), Law::lognormal(6.0 * kHour, 0.8), "a room loses power or cooling");
  add_element("region", Kind::kRegion, std::nullopt, std::nullopt, "a site is lost");
  add("etcd", Of::kMembers, "{kind: process-kill, component: etcd}", often(1.0), Law::always(30.0), "an etcd member's process dies");
  add("kube-apiserver", Of::kMembers, "{kind: process-kill, component: kube-apiserver}", often(1.0), Law::always(30.0), "an API server's process dies");
  add("kubelet", Of::kNodes, "{kind: process-kill, component: kubelet}", often(1.0), Law::always(10.0), "a kubelet's process dies");
  add("pods", Of::kPods, "kind: container-kill", std::nullopt, Law::always(0.0), "a container of a pod dies");
  add("given", Of::kGiven, "", std::nullopt, std::nullopt, "the fault that is given");
  return classes;
}

// ---- CSV ------------------------------------------------------------------------------------------------------------

/// Numbers of some columns of a CSV file with a line of names. What is wrong is told with its place.
class CsvNumbers {
 public:
  CsvNumbers(const std::string& path, const Place& from, Diagnostics& diagnostics) : diagnostics_(diagnostics) {
    if (path.ends_with(".parquet")) {
      Diagnostic& d = diagnostics.error(from, fmt::format("'{}' is a Parquet file, which is not read", printable(path)));
      d.hint = "write it as CSV with a line of names: pandas.read_parquet(...).to_csv(..., index=False)";
      return;
    }
    std::ifstream stream(path, std::ios::binary);
    std::stringstream text;
    if (stream) text << stream.rdbuf();
    if (!stream || text.fail()) {
      // An empty file puts nothing into the buffer, which is a failure too, but of the text and not of the file.
      std::ifstream again(path, std::ios::binary);
      if (!again || again.peek() != std::ifstream::traits_type::eof() || !again.eof()) {
        diagnostics.error(from, fmt::format("'{}' cannot be read", printable(path)));
        return;
      }
      text.clear();
    }
    if (text.str().size() > kFileSizeLimit) {
      diagnostics.error(from, fmt::format("'{}' is over 64 MiB", printable(path)));
      return;
    }
    file_ = std::make_shared<SourceFile>(path, text.str());
    for (const std::string_view name : split(line(1))) names_.emplace_back(trimmed(name));
  }

  /// Calls row(place, numbers) for each line; numbers are those of `wanted`, in that order.
  template <class Row>
  void read(const std::vector<std::string>& wanted, const Place& from, Row&& row) {
    if (file_ == nullptr) return;
    std::vector<std::size_t> indices;
    for (const std::string& name : wanted) {
      const auto found = std::find(names_.begin(), names_.end(), name);
      if (found == names_.end()) {
        Diagnostic& d = diagnostics_.error(Place{file_, 1, 1}, fmt::format("there is no column '{}'", name));
        d.expected = fmt::format("a first line with the names of the columns: {}", fmt::join(wanted, ","));
        d.hint = did_you_mean(name, names_);
        continue;
      }
      indices.push_back(static_cast<std::size_t>(found - names_.begin()));
    }
    if (indices.size() != wanted.size()) return;
    constexpr std::size_t kErrorsMax = 20;
    std::size_t errors = 0;
    std::size_t rows = 0;
    for (std::uint32_t number = 2; number <= file_->line_count() && errors < kErrorsMax; ++number) {
      const std::string_view text = line(number);
      if (trimmed(text).empty()) continue;
      const std::vector<std::string_view> cells = split(text);
      if (cells.size() != names_.size()) {
        Diagnostic& d = diagnostics_.error(Place{file_, number, 1}, fmt::format("{} values, and {} columns", cells.size(), names_.size()));
        d.expected = fmt::format("{} values, divided by commas", names_.size());
        ++errors;
        continue;
      }
      std::vector<double> numbers;
      for (const std::size_t index : indices) {
        const std::string_view cell = trimmed(cells[index]);
        double value = 0.0;
        const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
        if (error != std::errc() || end != cell.data() + cell.size() || !std::isfinite(value) || value < 0.0) {
          const auto column = static_cast<std::uint32_t>(cells[index].data() - text.data()) + 1;
          Diagnostic& d = diagnostics_.error(Place{file_, number, column}, fmt::format("'{}' is no value of {}", printable(std::string(cell)), names_[index]));
          d.expected = "a number that is not negative";
          ++errors;
          break;
        }
        numbers.push_back(value);
      }
      if (numbers.size() != indices.size()) continue;
      ++rows;
      row(Place{file_, number, 1}, numbers);
    }
    if (errors >= kErrorsMax) diagnostics_.error(Place{file_, 0, 0}, "more errors are not told");
    if (rows == 0 && errors == 0) diagnostics_.error(from, fmt::format("'{}' has no line of values", printable(file_->name())));
  }

 private:
  static std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
    return text;
  }
  std::string_view line(std::uint32_t number) const {
    std::string_view text = number <= file_->line_count() ? file_->line(number) : std::string_view{};
    // A byte order mark, as spreadsheets write it.
    if (number == 1 && text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    return text;
  }
  static std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> cells;
    for (;;) {
      const std::size_t comma = text.find(',');
      cells.push_back(text.substr(0, comma));
      if (comma == std::string_view::npos) return cells;
      text.remove_prefix(comma + 1);
    }
  }

  Diagnostics& diagnostics_;
  std::shared_ptr<const SourceFile> file_;
  std::vector<std::string> names_;
};

// ---- the section ----------------------------------------------------------------------------------------------------

class FailuresChecker {
 public:
  FailuresChecker(ScenarioSpec& spec, Diagnostics& diagnostics) : spec_(spec), diagnostics_(diagnostics), all_(*spec.failures) {}

  void run() {
    for (SpareSpec& spare : all_.spares) spare.delivery_law = law(*spare.delivery);
    for (FailureProcessSpec& process : all_.processes) check(process);
    for (MaintenanceSpec& maintenance : all_.maintenance) check(maintenance);
    for (FailureTraceSpec& trace : all_.traces) check(trace);
    spec_.failures = std::make_shared<const FailuresSpec>(std::move(all_));
  }

 private:
  LifetimeLaw shape(const LawShapeSpec& spec) {
    const auto in_seconds = [](const std::optional<SimDuration>& value) { return value ? seconds(*value) : 1.0; };
    using Kind = LawShapeSpec::Kind;
    switch (spec.kind) {
      case Kind::kExponential: return LifetimeLaw::exponential(in_seconds(spec.mean));
      case Kind::kWeibull:
        return spec.scale ? LifetimeLaw::weibull_of_scale(spec.shape.value_or(1.0), in_seconds(spec.scale)) : LifetimeLaw::weibull(spec.shape.value_or(1.0), in_seconds(spec.mean));
      case Kind::kLognormal: return LifetimeLaw::lognormal(in_seconds(spec.median), spec.sigma.value_or(1.0));
      case Kind::kGamma: return LifetimeLaw::gamma(spec.shape.value_or(1.0), in_seconds(spec.mean));
      case Kind::kUniform: return LifetimeLaw::uniform(in_seconds(spec.low), in_seconds(spec.high));
      case Kind::kAlways: return LifetimeLaw::always(in_seconds(spec.value));
      case Kind::kEmpirical: break;
      case Kind::kMixture: break;
    }
    std::vector<double> values;
    for (const SimDuration value : spec.values) values.push_back(seconds(value));
    if (!spec.file.text.empty()) {
      const double unit = spec.unit == "ms" ? 1e-3 : spec.unit == "s" ? 1.0 : spec.unit == "min" ? kMinute : spec.unit == "h" ? kHour : kDay;
      CsvNumbers(beside(spec.file, spec_.file), spec.file.where, diagnostics_).read({spec.column}, spec.file.where, [&](const Place&, const std::vector<double>& numbers) {
        values.push_back(numbers[0] * unit);
      });
    }
    return values.empty() ? LifetimeLaw::always(1.0) : LifetimeLaw::empirical(std::move(values));
  }
  LifetimeLaw capped(const LawShapeSpec& spec, LifetimeLaw law) { return spec.longest ? law.capped(seconds(*spec.longest)) : law; }
  LifetimeLaw law(const LawSpec& spec) {
    if (spec.kind != LawShapeSpec::Kind::kMixture) return capped(spec, shape(spec));
    std::vector<std::pair<double, LifetimeLaw>> parts;
    for (const LawPartSpec& part : spec.parts) parts.emplace_back(part.weight, capped(part, shape(part)));
    return capped(spec, LifetimeLaw::mixture(std::move(parts)));
  }

  template <class T>
  void refer(const Reference& reference, std::string_view noun, const std::vector<T>& list) {
    if (reference.text.empty()) return;
    std::vector<std::string> names;
    for (const T& entry : list) names.push_back(entry.name);
    if (std::find(names.begin(), names.end(), reference.text) != names.end()) return;
    Diagnostic& d = diagnostics_.error(reference.where, fmt::format("there is no {} '{}'", noun, printable(reference.text)));
    d.expected = names.empty() ? fmt::format("a name of failures.{}s, which is empty", noun) : fmt::format("one of: {}", fmt::join(names, ", "));
    d.hint = did_you_mean(reference.text, names);
  }

  void check(FailureProcessSpec& process) {
    const FailureClass& klass = *find_failure_class(process.klass);
    using Of = FailureClass::Of;
    const auto problem = [&](const std::string& text) -> Diagnostic& { return diagnostics_.error(process.where, fmt::format("failure process '{}': {}", process.name, text)); };
    const auto refuse = [&](bool is_given, std::string_view key) {
      if (is_given) problem(fmt::format("class '{}' has no '{}'", klass.name, key));
    };
    const bool of_nodes = klass.of == Of::kNodes || klass.of == Of::kMembers || klass.of == Of::kHypervisors;
    refuse(!of_nodes && !process.nodes.empty(), "nodes");
    refuse(!of_nodes && !process.pool.text.empty(), "pool");
    refuse(!of_nodes && !process.in.text.empty(), "in");
    refuse(klass.of != Of::kElements && !process.elements.empty(), "elements");
    refuse(klass.of != Of::kOsds && !process.osds.empty(), "osds");
    refuse(klass.of != Of::kPods && !process.selector.empty(), "selector");
    refuse(klass.of != Of::kPods && process.ns != "default", "namespace");
    refuse(klass.of != Of::kGiven && !process.fault.is_null(), "fault");
    if (klass.of == Of::kPods && process.selector.empty()) problem("class 'pods' needs 'selector'");
    if (klass.of == Of::kGiven && process.fault.is_null()) problem("class 'given' needs 'fault': what happens");
    const bool single = klass.of == Of::kPods || klass.of == Of::kGiven;
    refuse(single && process.batch.has_value(), "batch");
    refuse(single && process.common_cause.has_value(), "commonCause");
    if (process.common_cause && process.common_cause->group != CommonCauseSpec::Group::kAll && !of_nodes) {
      problem("a common cause by rack or pool needs nodes; of other components only the group 'all' is known");
    }
    if (!process.time_to_failure && !klass.time_to_failure) problem(fmt::format("class '{}' has no rate of its own: give 'timeToFailure'", klass.name));
    if (!process.repair && !klass.repair) problem(fmt::format("class '{}' has no repair of its own: give 'repair'", klass.name));
    refer(process.crew, "crew", all_.crews);
    refer(process.spare, "spare", all_.spares);
    if (process.age && process.starts_new) problem("either 'start: new' or 'age', not both");
    if (diagnostics_.has_errors() && ((!process.time_to_failure && !klass.time_to_failure) || (!process.repair && !klass.repair))) return;

    process.failure_law = process.time_to_failure ? law(*process.time_to_failure) : *klass.time_to_failure;
    process.repair_law = process.repair ? law(*process.repair) : *klass.repair;
    if (process.failure_law.mean() <= 0.0) problem("it would fail all the time: the mean time to failure is 0");
    if ((process.batch || process.common_cause) && !process.failure_law.with_hazard(1.0)) {
      Diagnostic& d = problem(fmt::format("batches and common causes multiply the hazard, which is known of the laws 'exponential' and 'weibull' only, not of: {}", process.failure_law.describe()));
      d.hint = "give timeToFailure one of these laws, or leave batch and commonCause out";
    }
    if (process.bathtub) {
      if (process.batch || process.common_cause) problem("either a bathtub, or a batch or common cause, not both");
      const BathtubSpec& bathtub = *process.bathtub;
      process.failure_law = process.failure_law.bathtub(bathtub.early, seconds(bathtub.early_until), bathtub.late, seconds(bathtub.late_from));
      if (!process.age && !process.starts_new) {
        problem("a bathtub has no stationary age that could be assumed").hint = "give 'age' (how old the components are when the run begins) or 'start: new'";
      }
    }
    if (process.age && std::isinf(process.failure_law.cumulative_hazard(seconds(*process.age)))) {
      problem(fmt::format("nothing lasts as long as its age of {}: {}", format_duration(*process.age), process.failure_law.describe()));
    }
  }

  void check(MaintenanceSpec& maintenance) {
    std::string error;
    const std::optional<k8s::CronSchedule> schedule = k8s::CronSchedule::parse(maintenance.schedule.text, error);
    if (!schedule) {
      diagnostics_.error(maintenance.schedule.where, fmt::format("'{}' is no schedule: {}", printable(maintenance.schedule.text), error)).expected = "a cron schedule such as \"0 2 * * 2\"";
    } else if (!schedule->next(spec_.run.start_unix_seconds)) {
      diagnostics_.error(maintenance.schedule.where, fmt::format("'{}' never comes", printable(maintenance.schedule.text)));
    }
    for (const Reference& blackout : maintenance.blackouts) {
      const std::size_t slash = blackout.text.find('/');
      const std::string first = blackout.text.substr(0, slash);
      const std::string last = slash == std::string::npos ? first : blackout.text.substr(slash + 1);
      const std::optional<std::int64_t> begin = parse_instant(first + "T00:00:00Z");
      const std::optional<std::int64_t> end = parse_instant(last + "T00:00:00Z");
      if (!begin || !end || *end < *begin) {
        diagnostics_.error(blackout.where, fmt::format("'{}' is no span of days", printable(blackout.text))).expected = "2026-12-20/2027-01-05, or one day such as 2026-12-24";
        continue;
      }
      maintenance.blackout_seconds.emplace_back(*begin, *end + static_cast<std::int64_t>(kDay));
    }
    // What the section itself says is not the fault's to say.
    for (const std::string_view key : {"kind", "name", "at", "every", "times", "target"}) {
      if (maintenance.work.find(key)) diagnostics_.error(maintenance.work.find_key(key), fmt::format("'{}' does not belong into 'work': the maintenance itself says it", key));
    }
    if (!maintenance.work.is_null() && !maintenance.work.is_map()) diagnostics_.error(maintenance.work, "'work' is a map of fields of planned-maintenance");
  }

  void check(FailureTraceSpec& trace) {
    double length = 0.0;
    CsvNumbers file(beside(trace.file, spec_.file), trace.file.where, diagnostics_);
    file.read({"failure_interval", "failure_duration", "failure_intensity"}, trace.file.where, [&](const Place& place, const std::vector<double>& numbers) {
      if (numbers[2] > 1.0) {
        diagnostics_.error(place, fmt::format("failure_intensity {} is no share", numbers[2])).expected = "a share from 0 to 1";
        return;
      }
      trace.rows.push_back({numbers[0] * 1e-3, numbers[1] * 1e-3, numbers[2]});
      length += (numbers[0] + numbers[1]) * 1e-3;
    });
    if (trace.repeat && length <= 0.0 && !trace.rows.empty()) diagnostics_.error(trace.where, fmt::format("failure trace '{}': repeated without end at one instant, since all its intervals and durations are 0", trace.name));
  }

  ScenarioSpec& spec_;
  Diagnostics& diagnostics_;
  FailuresSpec all_;
};

}  // namespace

const std::vector<FailureClass>& failure_classes() {
  static const std::vector<FailureClass> classes = make_classes();
  return classes;
}

const FailureClass* find_failure_class(std::string_view name) {
  for (const FailureClass& one : failure_classes()) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

void check_failures(ScenarioSpec& spec, Diagnostics& diagnostics) {
  if (spec.failures != nullptr) FailuresChecker(spec, diagnostics).run();
}

}  // namespace sim::scenario
