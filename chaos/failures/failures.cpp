#include "chaos/failures/failures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "chaos/target.hpp"
#include "sim/core/check.hpp"
#include "sim/core/math.hpp"
#include "sim/models/kubernetes/controllers/cron_schedule.hpp"
#include "sim/models/rook/rook.hpp"
#include "sim/scenario/failures.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/world_builder.hpp"

namespace chaos {

namespace {

using sim::scenario::CommonCauseSpec;
using sim::scenario::Diagnostics;
using sim::scenario::FailureClass;
using sim::scenario::FailureNodesSpec;
using sim::scenario::FailureProcessSpec;
using sim::scenario::FailureTraceSpec;
using sim::scenario::MaintenanceSpec;

constexpr double kYear = 365.0 * 86'400.0;

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}
std::string quoted_list(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + quoted(text);
  return "[" + out + "]";
}
/// "{kind: x, a: b}" or "kind: x" without its braces.
std::string body_of(std::string_view fault) {
  if (fault.starts_with('{')) fault = fault.substr(1, fault.size() - 2);
  return std::string(fault);
}

/// A fault as it would be read from a scenario; `more` are further fields. Null when that is wrong, which is told.
std::shared_ptr<const FaultSpec> make_fault(const std::string& name, const std::string& fields, sim::scenario::Node more, sim::scenario::Place where, Diagnostics& diagnostics) {
  using namespace sim::scenario;
  const std::shared_ptr<const Document> base = load_text("failures", fmt::format("{{at: 0s, {}}}", fields), diagnostics);
  const std::shared_ptr<const Document> empty = load_text("failures", "{}", diagnostics);
  TreeEditor editor;
  editor.keep(base);
  editor.keep(empty);
  std::string error;
  Node fault = base->root();
  if (!more.is_null()) fault = editor.merge_patch(fault, more);
  const Node section = editor.set_path(empty->root(), "failure", fault, error);
  const std::shared_ptr<const Document> document = editor.finish(section);
  Reader reader{diagnostics};
  const std::vector<std::shared_ptr<FaultSpec>> read = all_faults().read_section(document->root(), reader);
  if (read.empty()) return nullptr;
  read.front()->name = name;
  read.front()->where = std::move(where);
  // Its fields were copied out of the document, except for nodes that a kind keeps as they stand: those need it.
  return std::shared_ptr<const FaultSpec>(read.front().get(), [kept = read.front(), document](const FaultSpec*) {});
}

/// "w3 fails after 214 days".
std::string age_in_words(double seconds) { return sim::describe_lifetime(seconds); }

// ---- who is concerned -----------------------------------------------------------------------------------------------

class Finder {
 public:
  Finder(const sim::scenario::ScenarioSpec& scenario, sim::World& world) : world_(world), pools_(scenario.nodes_of_pools()) {
    for (const sim::scenario::PoolSpec& pool : scenario.pools) {
      if (!pool.node) machines_[pool.name] = pool.machine_names;
    }
  }

  std::vector<std::string> nodes(const FailureNodesSpec& spec, FailureClass::Of of, Problems& problems) {
    const bool of_machines = of == FailureClass::Of::kHypervisors;
    const auto& pools = of_machines ? machines_ : pools_;
    std::vector<std::string> all;
    if (of_machines) {
      for (const auto& [pool, names] : machines_) all.insert(all.end(), names.begin(), names.end());
    } else {
      for (const std::string& name : node_names(world_)) {
        const sim::host::HostId host = world_.hosts.find(name);
        if (host && (of != FailureClass::Of::kMembers || member_on(world_.control_plane, host))) all.push_back(name);
      }
    }
    const std::string_view noun = of_machines ? "machine that carries VMs" : of == FailureClass::Of::kMembers ? "control-plane node" : "node";
    if (all.empty()) {
      problems.error(fmt::format("this scenario has no {}", noun));
      return {};
    }
    std::vector<std::string> chosen = all;
    if (!spec.nodes.empty()) {
      chosen.clear();
      for (const sim::scenario::Reference& name : spec.nodes) {
        if (std::find(all.begin(), all.end(), name.text) == all.end()) {
          problems.unknown(noun, name.text, all);
        } else if (std::find(chosen.begin(), chosen.end(), name.text) == chosen.end()) {
          chosen.push_back(name.text);
        }
      }
    }
    if (!spec.pool.text.empty()) {
      const auto found = pools.find(spec.pool.text);
      if (found == pools.end()) {
        std::vector<std::string> names;
        for (const auto& [name, members] : pools) names.push_back(name);
        problems.unknown("pool", spec.pool.text, names);
        return {};
      }
      std::erase_if(chosen, [&](const std::string& name) { return std::find(found->second.begin(), found->second.end(), name) == found->second.end(); });
    }
    if (!spec.in.text.empty()) {
      const std::optional<std::set<std::string>> within = in_element(spec.in.text, problems);
      if (!within) return {};
      std::erase_if(chosen, [&](const std::string& name) { return !within->contains(name); });
    }
    if (chosen.empty() && !problems.any()) problems.error(fmt::format("it matches no {}", noun));
    return chosen;
  }

  std::optional<std::set<std::string>> in_element(const std::string& name, Problems& problems) {
    const sim::topology::ElementId element = world_.topology.find(name);
    if (!element) {
      std::vector<std::string> names;
      for (const sim::topology::ElementId id : world_.topology.all()) names.push_back(world_.topology.name(id));
      problems.unknown("topology element", name, names);
      return std::nullopt;
    }
    std::set<std::string> within = {name};
    for (const sim::topology::ElementId id : world_.topology.dependents(element)) within.insert(world_.topology.name(id));
    return within;
  }

  std::vector<std::string> elements(const FailureProcessSpec& process, sim::topology::ElementKind kind, Problems& problems) {
    std::vector<std::string> all;
    for (const sim::topology::ElementId id : world_.topology.all()) {
      if (world_.topology.kind(id) == kind) all.push_back(world_.topology.name(id));
    }
    if (process.elements.empty()) {
      if (all.empty()) problems.error(fmt::format("the topology has no {}", sim::topology::to_string(kind)));
      return all;
    }
    std::vector<std::string> chosen;
    for (const sim::scenario::Reference& name : process.elements) {
      if (std::find(all.begin(), all.end(), name.text) == all.end()) {
        problems.unknown(sim::topology::to_string(kind), name.text, all);
      } else if (std::find(chosen.begin(), chosen.end(), name.text) == chosen.end()) {
        chosen.push_back(name.text);
      }
    }
    return chosen;
  }

  std::vector<std::int64_t> osds(const FailureProcessSpec& process, const std::string& device_class, Problems& problems) {
    if (world_.rook == nullptr) {
      problems.error("there is no Ceph in this scenario: it has no section 'ceph'");
      return {};
    }
    const auto& all = world_.rook->cluster().osds();
    if (!process.osds.empty()) {
      std::vector<std::int64_t> chosen;
      for (const std::int64_t osd : process.osds) {
        if (osd < 0 || osd >= std::ssize(all)) {
          problems.error(fmt::format("there is no osd.{}: the OSDs are 0 to {}", osd, std::ssize(all) - 1));
        } else if (std::find(chosen.begin(), chosen.end(), osd) == chosen.end()) {
          chosen.push_back(osd);
        }
      }
      return chosen;
    }
    std::vector<std::int64_t> chosen;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if ((all[i].device_class == "hdd") == (device_class == "hdd")) chosen.push_back(static_cast<std::int64_t>(i));
    }
    if (chosen.empty()) problems.error(device_class == "hdd" ? "no OSD has the device class hdd" : "all OSDs have the device class hdd");
    return chosen;
  }

  /// Of a node, or of what is no node the name itself.
  std::string group_of(const std::string& component, CommonCauseSpec::Group group) {
    if (group == CommonCauseSpec::Group::kAll) return {};
    if (group == CommonCauseSpec::Group::kPool) {
      for (const auto* pools : {&pools_, &machines_}) {
        for (const auto& [pool, names] : *pools) {
          if (std::find(names.begin(), names.end(), component) != names.end()) return pool;
        }
      }
      return {};
    }
    const sim::topology::ElementId rack = world_.topology.enclosing(world_.topology.find(component), sim::topology::ElementKind::kRack);
    return rack ? world_.topology.name(rack) : std::string();
  }

 private:
  sim::World& world_;
  std::map<std::string, std::vector<std::string>> pools_;
  std::map<std::string, std::vector<std::string>> machines_;
};

}  // namespace

struct Failures::Part {
  const FailureProcessSpec* process = nullptr;
  std::string component;  // "w3", "osd.7"
  std::string fields;     // of its fault
  std::shared_ptr<const FaultSpec> fault;  // made when it first fails
  std::uint64_t failures = 0;
  FaultSchedule::Occurrence* active = nullptr;
  CauseId cause{};
};

// ---- planned work ---------------------------------------------------------------------------------------------------

/// Opens windows, and walks through the domains in them.
struct Failures::Calendar {
  Failures& all;
  const MaintenanceSpec& spec;
  sim::k8s::CronSchedule schedule;
  std::vector<std::pair<std::string, std::vector<std::string>>> domains;  // name, nodes
  std::size_t next = 0;
  std::int64_t rounds = 0;
  std::uint64_t begun = 0;
  bool busy = false;
  double open_until = -1.0;
  CauseId window_cause{};
  sim::Timer opens;
  sim::Timer again;

  Calendar(Failures& failures, const MaintenanceSpec& maintenance, sim::k8s::CronSchedule when) : all(failures), spec(maintenance), schedule(std::move(when)) {}

  double now() const { return sim::seconds(all.world_.engine.now()); }
  std::int64_t wall(double seconds) const { return all.scenario_.run.start_unix_seconds + static_cast<std::int64_t>(std::floor(seconds)); }

  void start() {
    opens = sim::Timer(all.world_.engine);
    again = sim::Timer(all.world_.engine);
    plan(wall(now()) - 1);
  }

  bool is_wanted(std::int64_t at) const {
    for (const auto& [from, to] : spec.blackout_seconds) {
      if (at >= from && at < to) return false;
    }
    if (spec.weeks.empty()) return true;
    const std::chrono::year_month_day day(std::chrono::sys_days(std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(at)))));
    const auto week = static_cast<std::int64_t>((static_cast<unsigned>(day.day()) - 1) / 7 + 1);
    return std::find(spec.weeks.begin(), spec.weeks.end(), week) != spec.weeks.end();
  }

  void plan(std::int64_t after) {
    for (;;) {
      const std::optional<std::int64_t> at = schedule.next(after);
      if (!at) return;
      after = *at;
      if (!is_wanted(*at)) continue;
      all.world_.engine.set_cause(CauseId{});
      opens.set_at(sim::SimTime(std::chrono::seconds(*at - all.scenario_.run.start_unix_seconds)), [this, opened = *at] { open(opened); });
      return;
    }
  }

  void open(std::int64_t at) {
    if (spec.rounds > 0 && rounds >= spec.rounds) return;
    open_until = now() + sim::seconds(spec.window);
    window_cause = all.root("MaintenanceWindow", "Maintenance/" + spec.name,
                            fmt::format("window of {}: {} of {} are next", sim::format_duration(spec.window), domains[next].first, domains.size()));
    proceed();
    plan(at);
  }

  void proceed() {
    if (busy || now() >= open_until || (spec.rounds > 0 && rounds >= spec.rounds)) return;
    if (spec.waits_for_repairs && all.cycles_.broken() > 0) {
      // Looked at again when something has been repaired, or is forgotten until the next window.
      again.set_after(std::chrono::minutes(5), [this] { proceed(); });
      return;
    }
    const auto& [name, nodes] = domains[next];
    Diagnostics ignored;
    const std::string full = fmt::format("{}/{}{}", spec.name, name, rounds == 0 ? "" : fmt::format("#{}", rounds + 1));
    std::shared_ptr<const FaultSpec> fault = make_fault(full, fmt::format("kind: planned-maintenance, target: {{nodes: {}}}", quoted_list(nodes)), spec.work, spec.where, ignored);
    SIM_CHECK(fault != nullptr, "the work was read before the run");
    busy = true;
    ++begun;
    const double risk = sim::seconds(spec.window);
    all.cycles_.begin_risk(risk);
    advance();
    // Through an event of its own: it may be done before inject_now() has returned.
    const auto done = [this, risk](bool) {
      again.set_after(sim::SimDuration::zero(), [this, risk] {
        busy = false;
        all.cycles_.end_risk(risk);
        sim::ScopedCause because(all.world_.engine, window_cause);
        proceed();
      });
    };
    const bool is_matched = all.schedule_->inject_now(std::move(fault), full, window_cause, done) != nullptr || again.is_pending();
    if (!is_matched) done(true);
  }
  void advance() {
    if (++next < domains.size()) return;
    next = 0;
    ++rounds;
  }
};

// ---- recorded failures ----------------------------------------------------------------------------------------------

struct Failures::Trace {
  Failures& all;
  const FailureTraceSpec& spec;
  std::vector<std::string> nodes;
  std::size_t row = 0;
  std::uint64_t number = 0;
  sim::RandomStream random;
  sim::Timer next;

  Trace(Failures& failures, const FailureTraceSpec& trace) : all(failures), spec(trace) {}

  void start() {
    random = all.world_.random.stream("failure/trace", spec.name);
    next = sim::Timer(all.world_.engine);
    wait();
  }
  void wait() {
    if (row == spec.rows.size()) {
      if (!spec.repeat) return;
      row = 0;
    }
    all.world_.engine.set_cause(CauseId{});
    next.set_after(sim::from_seconds(spec.rows[row].interval / spec.speed), [this] { fail(); });
  }
  void fail() {
    const FailureTraceSpec::Row& now = spec.rows[row++];
    // As OpenDC does: that share of the hosts, cut to a whole number; which ones is drawn.
    const auto victims = static_cast<std::size_t>(now.intensity * static_cast<double>(nodes.size()));
    if (victims == 0) {
      next.set_after(sim::from_seconds(now.duration), [this] { wait(); });
    } else {
      std::vector<std::string> hit = nodes;
      choose(hit, static_cast<std::int64_t>(victims), Pick::kRandom, random);
      ++number;
      const std::string name = fmt::format("{}{}", spec.name, number == 1 ? "" : fmt::format("#{}", number));
      const CauseId cause = all.root("FailureTrace", "Trace/" + spec.name,
                                     fmt::format("line {}: {} of {} nodes for {}", row + 1, victims, nodes.size(), sim::describe_lifetime(now.duration)));
      Diagnostics ignored;
      const std::string more = spec.fault == "network-partition" ? ", isolate: each" : "";
      std::shared_ptr<const FaultSpec> fault = make_fault(name, fmt::format("kind: {}{}, target: {{nodes: {}}}", spec.fault, more, quoted_list(hit)), {}, spec.where, ignored);
      SIM_CHECK(fault != nullptr, "node names and kinds of faults were checked");
      all.cycles_.begin_risk(now.duration);
      FaultSchedule::Occurrence* active = all.schedule_->inject_now(std::move(fault), name, cause);
      sim::ScopedCause because(all.world_.engine, active != nullptr ? active->run.cause : cause);
      // The next interval counts from the end of this failure, as OpenDC's injector waits for it.
      next.set_after(sim::from_seconds(now.duration), [this, active, risk = now.duration] {
        if (active != nullptr) all.schedule_->end_now(*active, "over");
        all.cycles_.end_risk(risk);
        wait();
      });
    }
  }
};

// ---- building -------------------------------------------------------------------------------------------------------

Failures::Failures(const sim::scenario::ScenarioSpec& scenario, sim::World& world, FaultSchedule* schedule, Diagnostics* diagnostics)
    : scenario_(scenario), spec_(*scenario.failures), world_(world), schedule_(schedule), cycles_(world.engine, world.random, *this) {
  build(diagnostics);
}
Failures::Failures(const sim::scenario::ScenarioSpec& scenario, sim::World& world, FaultSchedule& schedule) : Failures(scenario, world, &schedule, nullptr) {}
Failures::~Failures() = default;

void Failures::build(Diagnostics* told) {
  Diagnostics unheard;
  Diagnostics& diagnostics = told != nullptr ? *told : unheard;
  Finder finder(scenario_, world_);
  for (const sim::scenario::CrewSpec& crew : spec_.crews) {
    LifeCycles::Crew one{crew.name, crew.people, {}};
    if (!crew.days.empty() || !crew.from.empty()) {
      const auto begin = static_cast<double>(scenario_.run.start_unix_seconds);
      one.done = [hours = sim::scenario::WorkingHours(crew), begin](double start, double work) { return hours.done(begin + start, work) - begin; };
    }
    cycles_.add(std::move(one));
  }
  for (const sim::scenario::SpareSpec& spare : spec_.spares) cycles_.add(LifeCycles::Spare{spare.name, spare.stock, spare.delivery_law});
  const auto index_of = [](const auto& list, const std::string& name) -> std::optional<std::size_t> {
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (list[i].name == name) return i;
    }
    return std::nullopt;
  };

  for (const FailureProcessSpec& process : spec_.processes) {
    Problems problems(diagnostics, process.where, fmt::format("failure process '{}'", process.name));
    const FailureClass& klass = *sim::scenario::find_failure_class(process.klass);
    const std::size_t number = process_names_.size();
    process_names_.push_back(process.name);
    std::vector<std::pair<std::string, std::string>> found;  // component, fields of its fault
    const std::string body = body_of(klass.fault);
    using Of = FailureClass::Of;
    switch (klass.of) {
      case Of::kNodes:
      case Of::kMembers:
        for (const std::string& name : finder.nodes(process, klass.of, problems)) found.emplace_back(name, fmt::format("{}, target: {{nodes: [{}]}}", body, quoted(name)));
        break;
      case Of::kHypervisors:
        for (const std::string& name : finder.nodes(process, klass.of, problems)) found.emplace_back(name, fmt::format("{}, elements: [{}]", body, quoted(name)));
        break;
      case Of::kElements:
        for (const std::string& name : finder.elements(process, klass.element, problems)) found.emplace_back(name, fmt::format("{}, elements: [{}]", body, quoted(name)));
        break;
      case Of::kOsds:
        for (const std::int64_t osd : finder.osds(process, klass.device_class, problems)) found.emplace_back(fmt::format("osd.{}", osd), fmt::format("{}, osds: [{}]", body, osd));
        break;
      case Of::kPods: {
        std::string labels;
        for (const auto& [key, value] : process.selector) labels += fmt::format("{}{}: {}", labels.empty() ? "" : ", ", quoted(key), quoted(value));
        found.emplace_back("pods", fmt::format("{}, target: {{namespace: {}, selector: {{{}}}, count: 1, pick: random}}", body, quoted(process.ns), labels));
        break;
      }
      case Of::kGiven:
        for (const std::string_view key : {"at", "every", "times", "duration", "name"}) {
          if (process.fault.find(key)) diagnostics.error(process.fault.find_key(key), fmt::format("'{}' does not belong into the fault of a failure process: its laws say when it comes and goes", key));
        }
        found.emplace_back("fault", "");
        break;
    }
    if (told != nullptr && !found.empty()) {
      // The first one stands for all: they differ in the name of the target alone.
      const std::size_t before = diagnostics.error_count();
      const std::shared_ptr<const FaultSpec> fault = make_fault(process.name, found.front().second.empty() ? "times: null" : found.front().second, process.fault, process.where, diagnostics);
      if (fault != nullptr && diagnostics.error_count() == before) {
        FaultEnvironment environment(world_, scenario_.nodes_of_pools());
        fault->check(environment, problems);
      }
    }

    sim::RandomStream batches = world_.random.stream("failure/batch", process.name);
    double batch_factor = 1.0;
    std::map<std::string, LifeCycles::Shock> shocks;
    for (std::size_t i = 0; i < found.size(); ++i) {
      LifeCycles::Component component;
      component.name = process.name + "/" + found[i].first;
      component.process = number;
      component.failure = process.failure_law;
      component.repair = process.repair_law;
      component.age = process.age ? LifeCycles::Age::kGiven : process.starts_new ? LifeCycles::Age::kNew : LifeCycles::Age::kStationary;
      component.given_age = process.age ? sim::seconds(*process.age) : 0.0;
      component.crew = index_of(spec_.crews, process.crew.text);
      component.spare = index_of(spec_.spares, process.spare.text);
      if (process.batch) {
        if (i == 0 || (process.batch->size > 0 && i % static_cast<std::size_t>(process.batch->size) == 0)) batch_factor = batches.lognormal(1.0, process.batch->sigma);
        component.failure = component.failure.with_hazard(batch_factor).value_or(component.failure);
      }
      const sim::LifetimeLaw whole = component.failure;
      if (process.common_cause) component.failure = whole.with_hazard(1.0 - process.common_cause->share).value_or(whole);
      const LifeCycles::Age age = component.age;
      const double given_age = component.given_age;
      const std::size_t index = cycles_.add(std::move(component));
      if (process.common_cause) {
        const std::string group = finder.group_of(found[i].first, process.common_cause->group);
        const auto [place, is_new] = shocks.try_emplace(group);
        if (is_new) {
          place->second.name = fmt::format("{}/common{}{}", process.name, group.empty() ? "" : "/", group);
          place->second.process = number;
          place->second.law = whole.with_hazard(process.common_cause->share).value_or(whole);
          place->second.age = age;
          place->second.given_age = given_age;
          place->second.spread = sim::seconds(process.common_cause->spread);
        }
        place->second.members.push_back(index);
      }
      Part part;
      part.process = &process;
      part.component = found[i].first;
      part.fields = found[i].second.empty() ? "times: null" : found[i].second;
      parts_.push_back(std::move(part));
    }
    for (auto& [group, shock] : shocks) cycles_.add(std::move(shock));
  }
  shock_records_.resize(cycles_.shocks().size());

  for (const MaintenanceSpec& maintenance : spec_.maintenance) {
    Problems problems(diagnostics, maintenance.where, fmt::format("maintenance '{}'", maintenance.name));
    std::string error;
    std::optional<sim::k8s::CronSchedule> schedule = sim::k8s::CronSchedule::parse(maintenance.schedule.text, error);
    const std::vector<std::string> nodes = finder.nodes(maintenance, FailureClass::Of::kNodes, problems);
    if (!schedule || nodes.empty()) continue;
    auto calendar = std::make_unique<Calendar>(*this, maintenance, *schedule);
    std::set<std::string> taken;
    for (const sim::scenario::Reference& domain : maintenance.domains) {
      const std::optional<std::set<std::string>> within = finder.in_element(domain.text, problems);
      if (!within) continue;
      std::vector<std::string> members;
      for (const std::string& node : nodes) {
        if (within->contains(node) && taken.insert(node).second) members.push_back(node);
      }
      if (members.empty()) {
        problems.error(fmt::format("no node of it is in '{}' (or all are in a domain before it)", domain.text));
      } else {
        calendar->domains.emplace_back(domain.text, std::move(members));
      }
    }
    if (maintenance.domains.empty()) {
      for (const std::string& node : nodes) calendar->domains.emplace_back(node, std::vector<std::string>{node});
    } else if (taken.size() < nodes.size() && told != nullptr) {
      diagnostics.warning(maintenance.where, fmt::format("maintenance '{}': {} of {} nodes are in none of its domains, and are left alone", maintenance.name, nodes.size() - taken.size(), nodes.size()));
    }
    if (calendar->domains.empty()) continue;
    if (told != nullptr) {
      const std::shared_ptr<const FaultSpec> fault =
          make_fault(maintenance.name, fmt::format("kind: planned-maintenance, target: {{nodes: {}}}", quoted_list(calendar->domains.front().second)), maintenance.work, maintenance.where, diagnostics);
      if (fault != nullptr) {
        FaultEnvironment environment(world_, scenario_.nodes_of_pools());
        fault->check(environment, problems);
      }
    }
    calendars_.push_back(std::move(calendar));
  }
  for (const FailureTraceSpec& trace : spec_.traces) {
    Problems problems(diagnostics, trace.where, fmt::format("failure trace '{}'", trace.name));
    auto one = std::make_unique<Trace>(*this, trace);
    one->nodes = finder.nodes(trace, FailureClass::Of::kNodes, problems);
    if (!one->nodes.empty() && !trace.rows.empty()) traces_.push_back(std::move(one));
  }
}

void Failures::check(const sim::scenario::ScenarioSpec& scenario, sim::World& world, Diagnostics& diagnostics) {
  if (scenario.failures == nullptr) return;
  Failures(scenario, world, nullptr, &diagnostics);
}

void Failures::start() {
  cycles_.start();
  for (const std::unique_ptr<Calendar>& calendar : calendars_) calendar->start();
  for (const std::unique_ptr<Trace>& trace : traces_) trace->start();
  world_.engine.set_cause(CauseId{});
}

// ---- what happens ---------------------------------------------------------------------------------------------------

CauseId Failures::root(std::string_view kind, const std::string& subject, const std::string& message) {
  return world_.log.record(kind, world_.names.intern(subject), message, CauseId{});
}

void Failures::failed(std::size_t component, double age, std::optional<std::size_t> shock) {
  Part& part = parts_[component];
  const FailureProcessSpec& process = *part.process;
  CauseId cause{};
  if (shock) {
    const LifeCycles::Shock& common = cycles_.shocks()[*shock];
    ShockRecord& record = shock_records_[*shock];
    const double now = sim::seconds(world_.engine.now());
    if (!record.cause || now > record.until) {
      record.cause = root("CommonCause", "Failure/" + process.name, fmt::format("a common cause strikes {} of process {}: {}", common.members.size(), process.name, common.law.describe()));
      record.until = now + common.spread;
    }
    cause = record.cause;
  } else {
    cause = root("FailureProcess", "Failure/" + process.name, fmt::format("{} fails at the age of {}: {}", part.component, age_in_words(age), cycles_.components()[component].failure.describe()));
  }
  if (part.fault == nullptr) {
    Diagnostics ignored;
    part.fault = make_fault(cycles_.components()[component].name, part.fields, process.fault, process.where, ignored);
    SIM_CHECK(part.fault != nullptr, "the fault of the process was read before the run");
  }
  ++part.failures;
  const std::string& name = cycles_.components()[component].name;
  part.cause = cause;
  part.active = schedule_->inject_now(part.fault, part.failures == 1 ? name : fmt::format("{}#{}", name, part.failures), cause);
  if (part.active != nullptr) part.cause = part.active->run.cause;
}

void Failures::waits(std::size_t component, const std::string& for_what) {
  const Part& part = parts_[component];
  world_.log.record("RepairWaits", world_.names.intern("Failure/" + part.process->name), fmt::format("{}: {}", part.component, for_what), part.cause);
}

void Failures::repaired(std::size_t component) {
  Part& part = parts_[component];
  FaultSchedule::Occurrence* active = std::exchange(part.active, nullptr);
  if (active == nullptr) return;
  sim::ScopedCause because(world_.engine, part.cause);
  schedule_->end_now(*active, "repaired");
}

std::vector<FailureForecast> Failures::forecast() const {
  std::vector<FailureForecast> all(process_names_.size());
  for (std::size_t i = 0; i < process_names_.size(); ++i) {
    const FailureProcessSpec& process = spec_.processes[i];
    all[i].process = process.name;
    all[i].what = sim::scenario::find_failure_class(process.klass)->what;
    all[i].repair_hours = process.repair_law.mean() / 3600.0;
    all[i].law = process.failure_law.describe();
  }
  for (const LifeCycles::Component& component : cycles_.components()) {
    FailureForecast& one = all[component.process];
    ++one.components;
    one.per_year += kYear / (component.failure.mean() + component.repair.mean());
  }
  for (const LifeCycles::Shock& shock : cycles_.shocks()) all[shock.process].per_year += static_cast<double>(shock.members.size()) * kYear / shock.law.mean();
  return all;
}

std::vector<FailureForecast> failure_forecast(const sim::scenario::ScenarioSpec& scenario) {
  if (scenario.failures == nullptr) return {};
  const std::unique_ptr<sim::World> world = sim::scenario::build_world(scenario, scenario.run.seed);
  FaultSchedule schedule(*world, {}, scenario.nodes_of_pools());
  return Failures(scenario, *world, schedule).forecast();
}

}  // namespace chaos
