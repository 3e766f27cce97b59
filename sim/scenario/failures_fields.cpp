// The fields of the section `failures:`.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/scenario/failures.hpp"
#include "sim/scenario/scenario_fields.hpp"

namespace sim::scenario {

namespace {

using LawKind = LawShapeSpec::Kind;

struct LawNeeds {
  LawKind kind;
  std::string_view word;
  std::vector<std::string> needs;
  std::vector<std::string> may;
};
const std::vector<LawNeeds>& law_needs() {
  static const std::vector<LawNeeds> all = {
      {LawKind::kExponential, "exponential", {"mean"}, {}},
      {LawKind::kWeibull, "weibull", {"shape"}, {"mean", "scale"}},
      {LawKind::kLognormal, "lognormal", {"median", "sigma"}, {}},
      {LawKind::kGamma, "gamma", {"shape", "mean"}, {}},
      {LawKind::kUniform, "uniform", {"low", "high"}, {}},
      {LawKind::kAlways, "always", {"value"}, {}},
      {LawKind::kEmpirical, "empirical", {}, {"values", "file", "column", "unit"}},
      {LawKind::kMixture, "mixture", {"of"}, {}},
  };
  return all;
}

/// Keys that a law has no use for are errors: `sigma` of an exponential law would be an ignored wish.
void check_keys(const LawShapeSpec& law, Node node, Reader& reader) {
  for (const LawNeeds& needs : law_needs()) {
    if (needs.kind != law.kind) continue;
    for (const std::string& key : needs.needs) {
      if (node.find(key).is_null()) reader.diagnostics.error(node, fmt::format("the law '{}' needs '{}'", needs.word, key));
    }
    for (std::size_t i = 0; i < node.size(); ++i) {
      const std::string key(node.key(i).text());
      const auto is_in = [&](const std::vector<std::string>& list) { return std::find(list.begin(), list.end(), key) != list.end(); };
      if (node.value(i).is_null() || key == "law" || key == "longest" || key == "weight" || is_in(needs.needs) || is_in(needs.may)) continue;
      Diagnostic& d = reader.diagnostics.error(node.key(i), fmt::format("the law '{}' has no '{}'", needs.word, key));
      std::vector<std::string> known = needs.needs;
      known.insert(known.end(), needs.may.begin(), needs.may.end());
      d.expected = fmt::format("{}", fmt::join(known, ", "));
    }
  }
  const auto positive = [&](const std::optional<SimDuration>& value, std::string_view key) {
    if (value && *value <= SimDuration::zero()) reader.diagnostics.error(node.find(key), fmt::format("'{}' must be longer than 0s", key));
  };
  positive(law.mean, "mean");
  positive(law.scale, "scale");
  positive(law.median, "median");
  positive(law.longest, "longest");
  if (law.kind == LawKind::kWeibull && law.mean.has_value() == law.scale.has_value()) {
    reader.diagnostics.error(node, "the law 'weibull' needs either 'mean' or 'scale'");
  }
  if (law.low && law.high && *law.low >= *law.high) reader.diagnostics.error(node.find("high"), "'high' must be above 'low'");
  if (law.kind == LawKind::kEmpirical) {
    if (law.values.empty() == law.file.text.empty()) reader.diagnostics.error(node, "the law 'empirical' needs either 'values' or 'file'");
    if (!law.file.text.empty() && law.column.empty()) reader.diagnostics.error(node.find("file"), "'file' needs 'column': which of its columns");
    if (law.file.text.empty() && !law.column.empty()) reader.diagnostics.error(node.find("column"), "'column' needs 'file'");
    if (law.file.text.empty() && !node.find("unit").is_null()) reader.diagnostics.error(node.find("unit"), "'unit' needs 'file'");
  }
}

template <class Law>
void describe_shape(Fields<Law>& fields, bool may_mix) {
  std::vector<std::pair<std::string, LawKind>> words;
  for (const LawNeeds& needs : law_needs()) {
    if (may_mix || needs.kind != LawKind::kMixture) words.emplace_back(needs.word, needs.kind);
  }
  fields.choice("law", &Law::kind, words, "Which one; it says which of the following keys are needed.").required().default_text("")
      .add("mean", &Law::mean, "exponential, weibull, gamma: its mean.")
      .add("shape", &Law::shape, 0.05, 100.0, "weibull, gamma: below 1 failures come in clusters, above 1 with age.")
      .add("scale", &Law::scale, "weibull: 63.2 % last no longer; in place of mean.")
      .add("median", &Law::median, "lognormal: half last no longer.")
      .add("sigma", &Law::sigma, 0.001, 10.0, "lognormal: spread of the logarithm. The mean is median x exp(sigma^2 / 2).")
      .add("low", &Law::low, "uniform: from.")
      .add("high", &Law::high, "uniform: to.")
      .add("value", &Law::value, "always: this long, each time.")
      .add("values", &Law::values, "empirical: one of these, each as likely.")
      .add("file", &Law::file, "empirical: a CSV file with a line of names, relative to the file in which this stands.")
      .add("column", &Law::column, "empirical: the column of the file.")
      .choice("unit", &Law::unit, std::vector<std::pair<std::string, std::string>>{{"ms", "ms"}, {"s", "s"}, {"min", "min"}, {"h", "h"}, {"d", "d"}}, "empirical: what the column counts.")
      .add("longest", &Law::longest, "What would last longer ends then.");
}

template <class T>
void describe_nodes(Fields<T>& fields, std::string_view of) {
  fields.add("nodes", &T::nodes, fmt::format("{}: these, by name.", of))
      .add("pool", &T::pool, fmt::format("{}: those of this pool.", of))
      .add("in", &T::in, fmt::format("{}: those that stand in, or need, this element of the topology.", of));
}

std::optional<double> time_of_day(const std::string& text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  for (const std::size_t i : {0u, 1u, 3u, 4u}) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
  }
  const int hours = (text[0] - '0') * 10 + text[1] - '0';
  const int minutes = (text[3] - '0') * 10 + text[4] - '0';
  if (hours > 24 || minutes > 59 || (hours == 24 && minutes > 0)) return std::nullopt;
  return hours * 3600.0 + minutes * 60.0;
}
const std::vector<std::string>& day_names() {
  static const std::vector<std::string> names = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
  return names;
}

}  // namespace

void describe(Fields<LawPartSpec>& fields) {
  fields.title("One part of a mixture of laws.").add("weight", &LawPartSpec::weight, 1e-9, 1e9, "How often, in proportion to the other parts.");
  describe_shape(fields, false);
  fields.rule([](const LawPartSpec& law, Node node, Reader& reader) { check_keys(law, node, reader); });
}

void describe(Fields<LawSpec>& fields) {
  fields.title("A law of times.");
  describe_shape(fields, true);
  fields.add("of", &LawSpec::parts, "mixture: its parts. One of them is taken each time.")
      .rule([](const LawSpec& law, Node node, Reader& reader) {
        check_keys(law, node, reader);
        if (law.kind == LawKind::kMixture && law.parts.empty()) reader.diagnostics.error(node.find("of") ? node.find("of") : node, "a mixture of nothing");
      });
}

void describe(Fields<CrewSpec>& fields) {
  fields.title("People who repair. Who finds them busy waits, in the order of the failures. Outside of their hours work rests.")
      .add("people", &CrewSpec::people, 1, 100'000, "So many repairs at a time.")
      .add("days", &CrewSpec::days, "mon, tue, wed, thu, fri, sat, sun.")
      .default_text("every day")
      .add("from", &CrewSpec::from, "When they begin, UTC: \"08:00\".")
      .add("to", &CrewSpec::to, "When they stop, UTC: \"17:00\".")
      .rule([](const CrewSpec& crew, Node node, Reader& reader) {
        for (std::size_t i = 0; i < crew.days.size(); ++i) {
          if (std::find(day_names().begin(), day_names().end(), crew.days[i]) != day_names().end()) continue;
          Diagnostic& d = reader.diagnostics.error(node.find("days").item(i), fmt::format("there is no day '{}'", crew.days[i]));
          d.expected = fmt::format("one of: {}", fmt::join(day_names(), ", "));
          d.hint = did_you_mean(crew.days[i], day_names());
        }
        if (crew.from.empty() != crew.to.empty()) {
          reader.diagnostics.error(node, "hours need both 'from' and 'to'");
          return;
        }
        const auto hour = [&](std::string_view key, const std::string& text) {
          const std::optional<double> time = time_of_day(text);
          if (!time) reader.diagnostics.error(node.find(key), fmt::format("'{}' is no time of day", text)).expected = "a time such as \"08:00\"";
          return time;
        };
        if (crew.from.empty()) return;
        const std::optional<double> from = hour("from", crew.from);
        const std::optional<double> to = hour("to", crew.to);
        if (from && to && *from >= *to) reader.diagnostics.error(node.find("to"), "'to' is not after 'from': a night shift is a second crew, from \"00:00\"");
      });
}

void describe(Fields<SpareSpec>& fields) {
  fields.title("Parts in stock. A repair takes one, and another one is ordered; without any the repair waits for the next delivery.")
      .add("stock", &SpareSpec::stock, 0, 1'000'000, "How many at the start.")
      .add("delivery", &SpareSpec::delivery, "From the order to the stock.")
      .required();
}

void describe(Fields<BatchSpec>& fields) {
  fields.title("Components of one production batch are good or bad together: their hazard is multiplied by a factor that they share, lognormal with median 1.")
      .add("size", &BatchSpec::size, 0, 1'000'000, "Components in a batch, in their order; 0: all of them are one.")
      .add("sigma", &BatchSpec::sigma, 0.0, 5.0, "Spread of the logarithm of the factor.");
}

void describe(Fields<CommonCauseSpec>& fields) {
  fields.title("Failures that strike a whole group at once (the beta-factor model): each component fails as often as before, a share of it together with its group.")
      .fraction("share", &CommonCauseSpec::share, "The share of a component's failures that have a common cause.")
      .choice("group", &CommonCauseSpec::group,
              {{"all", CommonCauseSpec::Group::kAll}, {"rack", CommonCauseSpec::Group::kRack}, {"pool", CommonCauseSpec::Group::kPool}},
              "Who fails together: all components of the process, those of a rack, those of a pool.")
      .add("spread", &CommonCauseSpec::spread, "Within this time, each at its own instant; 0s: at once.")
      .rule([](const CommonCauseSpec& common, Node node, Reader& reader) {
        if (common.share <= 0.0 || common.share >= 1.0) reader.diagnostics.error(node.find("share"), "the share of a common cause is above 0 % and below 100 %");
      });
}

void describe(Fields<BathtubSpec>& fields) {
  fields.title("The hazard changes with age: infant mortality, useful life, wear.")
      .add("early", &BathtubSpec::early, 0.01, 1000.0, "Times the hazard, at first.")
      .add("earlyUntil", &BathtubSpec::early_until, "Until this age.")
      .add("late", &BathtubSpec::late, 0.01, 1000.0, "Times the hazard, at last.")
      .add("lateFrom", &BathtubSpec::late_from, "From this age on.")
      .rule([](const BathtubSpec& bathtub, Node node, Reader& reader) {
        if (bathtub.early_until >= bathtub.late_from) reader.diagnostics.error(node, "'lateFrom' must be after 'earlyUntil'");
      });
}

void describe(Fields<FailureProcessSpec>& fields) {
  std::vector<std::pair<std::string, std::string>> classes;
  for (const FailureClass& one : failure_classes()) classes.emplace_back(one.name, one.name);
  fields.title("Components that fail and are repaired, each on its own, again and again.")
      .choice("class", &FailureProcessSpec::klass, classes,
              "What fails, and how; it brings its rates, which docs/models/failures.md gives with their sources. given: `fault` says what happens.")
      .required()
      .default_text("");
  describe_nodes(fields, "Nodes");
  fields.add("elements", &FailureProcessSpec::elements, "Elements of the topology, of classes that are about them: by name.")
      .default_text("all of the kind")
      .add("osds", &FailureProcessSpec::osds, "Numbers of OSDs, of disks.")
      .default_text("all of the device class")
      .add("namespace", &FailureProcessSpec::ns, "Of pods: their namespace.")
      .add("selector", &FailureProcessSpec::selector, "Of pods: their labels. All of these pods are one component: each failure hits one of them.")
      .add("fault", &FailureProcessSpec::fault, "Of class given: a fault as under `faults`, without `at`, `every`, `times` and `duration`. It is one component.")
      .add("timeToFailure", &FailureProcessSpec::time_to_failure, "From new, or repaired, to the next failure.")
      .default_text("that of the class")
      .add("repair", &FailureProcessSpec::repair, "Work until it is as new; waiting for people and parts comes before it.")
      .default_text("that of the class")
      .choice("start", &FailureProcessSpec::starts_new, std::vector<std::pair<std::string, bool>>{{"stationary", false}, {"new", true}},
              "How old the components are when the run begins. stationary: as in a fleet that has run for long; all of them work.")
      .add("age", &FailureProcessSpec::age, "All are so old when the run begins; in place of start.")
      .add("crew", &FailureProcessSpec::crew, "Who repairs.")
      .default_text("as many people as it takes")
      .add("spare", &FailureProcessSpec::spare, "What a repair needs.")
      .default_text("nothing")
      .add("batch", &FailureProcessSpec::batch, "Production batches.")
      .add("commonCause", &FailureProcessSpec::common_cause, "Failures of whole groups.")
      .add("bathtub", &FailureProcessSpec::bathtub, "Infant mortality and wear.");
}

void describe(Fields<MaintenanceSpec>& fields) {
  fields.title("Planned work with its calendar: in each window the next domains are worked on, one after the other, as kind planned-maintenance does it. "
               "What is not begun when the window closes waits for the next one.")
      .add("schedule", &MaintenanceSpec::schedule, "When a window opens: cron, UTC. \"0 2 * * 2\": Tuesdays at two.")
      .required()
      .add("weeks", &MaintenanceSpec::weeks, "Only in these weeks of the month: [2] with a schedule of Tuesdays is the second Tuesday.")
      .default_text("each")
      .add("window", &MaintenanceSpec::window, "How long it is open: afterwards no further domain is begun.")
      .add("blackouts", &MaintenanceSpec::blackouts, "Days (UTC) on which no window opens: \"2026-12-20/2027-01-05\", both included, or one day.");
  describe_nodes(fields, "Nodes");
  fields.add("domains", &MaintenanceSpec::domains, "Elements of the topology; the nodes of one are worked on before the next one is begun.")
      .default_text("each node is one")
      .add("waitsForRepairs", &MaintenanceSpec::waits_for_repairs, "A domain is begun only while nothing of `processes` is broken.")
      .add("rounds", &MaintenanceSpec::rounds, 0, 1'000'000, "How often everything is gone through; 0: again and again.")
      .add("work", &MaintenanceSpec::work, "Fields of the fault planned-maintenance: action, offFor, maxConcurrent, drain, onDrainTimeout, pause, readyTimeout.")
      .rule([](const MaintenanceSpec& maintenance, Node node, Reader& reader) {
        for (const std::int64_t week : maintenance.weeks) {
          if (week < 1 || week > 5) reader.diagnostics.error(node.find("weeks"), fmt::format("a month has weeks 1 to 5, not {}", week));
        }
        if (maintenance.window <= SimDuration::zero()) reader.diagnostics.error(node.find("window"), "'window' must be longer than 0s");
      });
}

void describe(Fields<FailureTraceSpec>& fields) {
  fields.title("Failures as somebody recorded them: a CSV file with the columns failure_interval (ms since the end of the failure before), failure_duration (ms) and "
               "failure_intensity (share of the nodes that it hits, 0 to 1), as OpenDC reads them.");
  fields.add("file", &FailureTraceSpec::file, "The file, relative to the one in which this stands.").required();
  describe_nodes(fields, "Nodes");
  fields.choice("fault", &FailureTraceSpec::fault,
                std::vector<std::pair<std::string, std::string>>{{"node-crash", "node-crash"}, {"node-hang", "node-hang"}, {"node-power-off", "node-power-off"}, {"network-partition", "network-partition"}},
                "What happens to the nodes.")
      .add("repeat", &FailureTraceSpec::repeat, "Begins again after its last line.")
      .add("speed", &FailureTraceSpec::speed, 1e-6, 1e6, "Divides the intervals: 2: twice as many failures in the same time.");
}

void describe(Fields<FailuresSpec>& fields) {
  fields.title("What fails by itself. Every draw depends on the seed, the process and the component only: another component moves none of the others' luck.")
      .named("processes", &FailuresSpec::processes, "failure process", "By name.")
      .named("crews", &FailuresSpec::crews, "crew", "Who repairs, by name.")
      .named("spares", &FailuresSpec::spares, "spare", "Parts in stock, by name.")
      .named("maintenance", &FailuresSpec::maintenance, "maintenance", "Planned work, by name.")
      .named("traces", &FailuresSpec::traces, "failure trace", "Recorded failures, by name.");
}

void add_failures(Fields<ScenarioFile>& fields) {
  fields.custom("failures", Codec<FailuresSpec>::type(), "What fails by itself, how often, and who repairs it; planned work; recorded failures.",
                [](Node node, ScenarioFile& to, Reader& reader) {
                  auto read = std::make_shared<FailuresSpec>();
                  const bool good = Codec<FailuresSpec>::read(node, *read, reader, "failures");
                  to.spec.failures = std::move(read);
                  return good;
                });
}

// ---- working hours --------------------------------------------------------------------------------------------------

WorkingHours::WorkingHours(const CrewSpec& crew) {
  if (!crew.days.empty()) {
    for (std::size_t day = 0; day < day_names().size(); ++day) {
      days_[day] = std::find(crew.days.begin(), crew.days.end(), day_names()[day]) != crew.days.end();
    }
  }
  if (!crew.from.empty()) {
    from_ = time_of_day(crew.from).value_or(from_);
    to_ = time_of_day(crew.to).value_or(to_);
  }
}

double WorkingHours::done(double start, double seconds) const {
  constexpr double kDay = 86'400.0;
  auto day = static_cast<std::int64_t>(start / kDay);
  double at = start - static_cast<double>(day) * kDay;
  for (;;) {
    // 1970-01-01 was a Thursday.
    if (days_[(day + 3) % 7]) {
      const double begin = std::max(at, from_);
      const double left = to_ - begin;
      if (left > 0.0 && seconds <= left) return static_cast<double>(day) * kDay + begin + seconds;
      if (left > 0.0) seconds -= left;
    }
    ++day;
    at = 0.0;
  }
}

}  // namespace sim::scenario
