// The fields of the section `plan:`, and what it refers to.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "sim/models/kubernetes/api/resources.hpp"
#include "sim/scenario/capacity_plan.hpp"
#include "sim/scenario/lookups.hpp"
#include "sim/scenario/monitoring_builder.hpp"
#include "sim/scenario/names.hpp"
#include "sim/scenario/path.hpp"
#include "sim/scenario/scenario_fields.hpp"

namespace sim::scenario {

void describe(Fields<PlanPoolSpec>& fields) {
  fields.title("A pool of the scenario; its `count` is what is searched.")
      .add("price", &PlanPoolSpec::price, 0.0, 1e12, "Of one node, in whatever money: only sums are compared.")
      .required()
      .default_text("")
      .add("min", &PlanPoolSpec::least, 0, 100'000, "At least so many nodes.")
      .add("max", &PlanPoolSpec::most, 0, 100'000, "At most so many nodes.")
      .rule([](const PlanPoolSpec& pool, Node node, Reader& reader) {
        if (pool.least > pool.most) reader.diagnostics.error(node.find("min") ? node.find("min") : node, fmt::format("'min' {} is above 'max' {}", pool.least, pool.most));
        if (pool.price <= 0.0) reader.diagnostics.error(node.find("price"), "the price must be above 0").hint = "nodes that are there in any case stand in `pools` alone";
      });
}

void describe(Fields<InstanceTypesSpec>& fields) {
  fields.title("Instance types of a file as Karpenter's kwok provider has it (instance_types.json). Each becomes a pool of its name.")
      .add("file", &InstanceTypesSpec::file, "The file, relative to the one in which this stands.")
      .required()
      .default_text("")
      .add("names", &InstanceTypesSpec::names, "Which types: patterns with * and ?.")
      .choice("capacityType", &InstanceTypesSpec::capacity_type, std::vector<std::pair<std::string, std::string>>{{"on-demand", "on-demand"}, {"spot", "spot"}},
              "Which offerings. Spot nodes are cheaper, and here nobody takes them back.")
      .add("zones", &InstanceTypesSpec::zones, "Only offerings in these zones. Nodes are spread evenly over the zones; those of the file that `topology` has as elements are where the nodes stand.")
      .default_text("all of the file")
      .add("max", &InstanceTypesSpec::most, 1, 100'000, "At most so many nodes of each type.");
}

void describe(Fields<PlanSurviveSpec>& fields) {
  fields.title("What may be lost at once, each by itself: the scheduler has to find a place for every pod of what is lost on what is left.")
      .add("nodes", &PlanSurviveSpec::nodes, 0, 3, "Any so many nodes.")
      .add("racks", &PlanSurviveSpec::racks, 0, 3, "Any so many racks of the topology.")
      .add("zones", &PlanSurviveSpec::zones, 0, 3, "Any so many zones of the topology.")
      .add("duringDrain", &PlanSurviveSpec::during_drain, "One more node is drained at that time, any one.");
}

void describe(Fields<PlanVariantSpec>& fields) {
  fields.title("The platform built in another way: what is set before the search. With variants, all of them are planned and compared.")
      .add("description", &PlanVariantSpec::description, "For people.")
      .add("set", &PlanVariantSpec::set, "As on the command line: path=value, like \"pools.infra.taints=[]\".")
      .rule([](const PlanVariantSpec& variant, Node node, Reader& reader) {
        for (const Reference& one : variant.set) {
          const std::optional<Override> parsed = parse_override(one.text);
          std::vector<std::string> steps;
          if (parsed && split_path(parsed->path, steps)) continue;
          reader.diagnostics.error(one.where.file ? one.where : node.place(), fmt::format("'{}' is no override", one.text)).expected = "path=value, like pools.workers.cpu=16";
        }
      });
}

void describe(Fields<CapacityPlanSpec>& fields) {
  using Nodes = CapacityPlanSpec::Nodes;
  fields.title("What `squall plan` searches: the cheapest numbers of nodes with which the platform stands what it has to (docs/plan.md).")
      .named("pools", &CapacityPlanSpec::pools, "planned pool", "Pools of the scenario whose number of nodes is to be found, by name.")
      .add("instanceTypes", &CapacityPlanSpec::instance_types, "Types to choose from, beside `pools`.")
      .choice("existingNodes", &CapacityPlanSpec::existing, {{"keep", Nodes::kKeep}, {"drop", Nodes::kDrop}},
              "Nodes of manifests (an imported cluster's). keep: they stay, with the pods that are bound to them. drop: those without the control plane go, and their pods look for a place.")
      .named("variants", &CapacityPlanSpec::variants, "variant", "Ways to build it, by name: control plane shared or dedicated, with or without an infra pool. Without any: as the scenario is.")
      .add("unit", &CapacityPlanSpec::unit, "What a price is for: \"USD/h\". Shown only.")
      .add("mix", &CapacityPlanSpec::mix, 1, 6, "At most so many different pools of those that are searched in one design.")
      .fraction("headroom", &CapacityPlanSpec::headroom, "This share of CPU, of memory and of pod slots of all schedulable nodes remains free with everything placed.")
      .add("survive", &CapacityPlanSpec::survive, "Losses after which every pod still finds a place.")
      .fraction("availability", &CapacityPlanSpec::availability, "Of the worst of `services`: mean share of the time in which it serves, over all runs.")
      .add("services", &CapacityPlanSpec::services, "Services that count, as namespace/name.")
      .default_text("all")
      .add("longestOutage", &CapacityPlanSpec::longest_outage, "No outage of `services` lasts longer, in any run.")
      .add("recovery", &CapacityPlanSpec::recovery, "99 of 100 outages of `services` are over within this time.")
      .fraction("expectations", &CapacityPlanSpec::expectations, "Share of the runs in which all of `expect` hold, at least.")
      .add("horizon", &CapacityPlanSpec::horizon, "How long each run is.")
      .default_text("run.until")
      .add("replications", &CapacityPlanSpec::replications, 2, 100'000, "Runs of a design that stays in the race to its end. All designs meet the same luck.")
      .fraction("confidence", &CapacityPlanSpec::confidence, "Of everything that is said about simulated figures, all designs together.")
      .fraction("tolerance", &CapacityPlanSpec::tolerance, "The search ends when no design can be cheaper by more than this share.")
      .rule([](const CapacityPlanSpec& plan, Node node, Reader& reader) {
        if (plan.pools.empty() && !plan.instance_types) reader.diagnostics.error(node, "nothing to choose from").expected = "pools, instanceTypes, or both";
        if (plan.headroom >= 1.0) reader.diagnostics.error(node.find("headroom"), "a headroom of everything leaves no room for a pod");
        if (plan.confidence < 0.5 || plan.confidence >= 1.0) reader.diagnostics.error(node.find("confidence"), "the confidence must be from 0.5 to below 1");
        if (plan.tolerance > 0.5) reader.diagnostics.error(node.find("tolerance"), "the tolerance must be at most 0.5");
        if (plan.horizon && *plan.horizon <= SimDuration::zero()) reader.diagnostics.error(node.find("horizon"), "the horizon must be longer than 0s");
        const auto required = std::count_if(plan.pools.begin(), plan.pools.end(), [](const PlanPoolSpec& pool) { return pool.least > 0; });
        if (required > plan.mix) reader.diagnostics.error(node.find("mix") ? node.find("mix") : node.find("pools"), fmt::format("{} pools have a 'min' above 0, and 'mix' allows {}", required, plan.mix));
      });
}

void add_capacity_plan(Fields<ScenarioFile>& fields) {
  fields.custom("plan", Codec<CapacityPlanSpec>::type(), "What `squall plan` searches: which machines there are to buy, and what the platform has to stand.",
                [](Node node, ScenarioFile&, Reader& reader) {
                  CapacityPlanSpec read;  // kept in the document: see capacity_plan()
                  return Codec<CapacityPlanSpec>::read(node, read, reader, "plan");
                });
}

std::optional<CapacityPlanSpec> capacity_plan(const ScenarioSpec& spec) {
  const Node node = spec.document == nullptr ? Node{} : spec.document->root().find("plan");
  if (node.is_null()) return std::nullopt;
  Diagnostics told_already;
  Reader reader{told_already};
  CapacityPlanSpec plan;
  if (!Codec<CapacityPlanSpec>::read(node, plan, reader, "plan")) return std::nullopt;
  return plan;
}

namespace {

bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] == text[t] && pattern[p] != '*'))) {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

/// The values of one requirement of an offering: {key, operator: In, values}.
std::vector<std::string> values_of(Node offering, std::string_view key) {
  std::vector<std::string> values;
  const Node requirements = offering.find("Requirements");
  for (std::size_t i = 0; requirements.is_sequence() && i < requirements.size(); ++i) {
    const Node one = requirements.item(i);
    if (one.find("key").text() != key || one.find("operator").text() != "In") continue;
    const Node list = one.find("values");
    for (std::size_t v = 0; list.is_sequence() && v < list.size(); ++v) values.emplace_back(list.item(v).text());
  }
  return values;
}

class TypeReader {
 public:
  TypeReader(const InstanceTypesSpec& wanted, Diagnostics& diagnostics) : wanted_(wanted), diagnostics_(diagnostics) {}

  std::optional<InstanceType> read(Node node) {
    if (!node.is_map() || node.find("name").text().empty()) {
      Diagnostic& d = diagnostics_.error(node, "no instance type");
      d.expected = "a map with name, offerings, architecture, operatingSystems and resources";
      d.found = node.describe();
      return std::nullopt;
    }
    InstanceType type;
    type.name = node.find("name").text();
    names_.push_back(type.name);
    if (std::none_of(wanted_.names.begin(), wanted_.names.end(), [&](const std::string& pattern) { return matches(pattern, type.name); })) return std::nullopt;
    any_name_ = true;
    if (!is_object_name(type.name)) {
      diagnostics_.error(node.find("name"), fmt::format("'{}' cannot be the name of nodes", type.name)).expected = "lower case letters, digits, '-' and '.'";
      return std::nullopt;
    }
    if (!seen_.insert(type.name).second) {
      diagnostics_.error(node.find("name"), fmt::format("the instance type '{}' stands there twice", type.name));
      return std::nullopt;
    }
    const Node systems = node.find("operatingSystems");
    for (std::size_t i = 0; systems.is_sequence() && i < systems.size(); ++i) {
      if (type.os.empty() || systems.item(i).text() == "linux") type.os = systems.item(i).text();
    }
    type.architecture = node.find("architecture").text();
    type.capacity_type = wanted_.capacity_type;
    if (!resources(node.find("resources"), node, type)) return std::nullopt;
    offerings(node.find("offerings"), node, type);
    if (type.zones.empty()) return std::nullopt;
    return type;
  }

  void finish(Node root) {
    if (any_name_) return;
    Diagnostic& d = diagnostics_.error(root, fmt::format("no instance type matches {}", fmt::join(wanted_.names, ", ")));
    if (!wanted_.names.empty()) d.hint = did_you_mean(wanted_.names.front(), names_);
    if (d.hint.empty() && !names_.empty()) d.hint = fmt::format("there are {}, the first is '{}'", names_.size(), names_.front());
  }

 private:
  bool resources(Node node, Node type_node, InstanceType& type) {
    if (!node.is_map()) {
      diagnostics_.error(node ? node : type_node, fmt::format("the instance type '{}' has no resources", type.name)).expected = "a map with cpu and memory";
      return false;
    }
    bool good = true;
    for (std::size_t i = 0; i < node.size(); ++i) {
      const std::string key(node.key(i).text());
      const std::string value(node.value(i).text());
      const std::optional<std::int64_t> amount = k8s::parse_quantity(value);
      if (!amount || *amount < 0) {
        diagnostics_.error(node.value(i), fmt::format("'{}' is no amount of {}", value, key)).expected = "a quantity such as 4, 500m or 16Gi";
        good = false;
      } else if (key == "cpu") {
        type.cpu = value;
      } else if (key == "memory") {
        type.memory = value;
      } else if (key == "ephemeral-storage") {
        type.ephemeral_storage = value;
      } else if (key == "pods") {
        type.pods = value;
      } else {
        type.other.emplace_back(key, value);
      }
    }
    for (const auto& [key, value] : {std::pair{"cpu", &type.cpu}, std::pair{"memory", &type.memory}}) {
      if (!value->empty()) continue;
      diagnostics_.error(node, fmt::format("the instance type '{}' has no {}", type.name, key));
      good = false;
    }
    return good;
  }

  void offerings(Node list, Node type_node, InstanceType& type) {
    if (!list.is_sequence()) {
      diagnostics_.error(list ? list : type_node, fmt::format("the instance type '{}' has no offerings", type.name)).expected = "a list of {Price, Available, Requirements}";
      return;
    }
    double sum = 0.0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const Node one = list.item(i);
      if (one.find("Available").as_bool() == std::optional<bool>(false)) continue;
      const std::vector<std::string> types = values_of(one, "karpenter.sh/capacity-type");
      if (!types.empty() && std::find(types.begin(), types.end(), wanted_.capacity_type) == types.end()) continue;
      const std::optional<double> price = one.find("Price").as_number();
      if (!price || *price <= 0.0) {
        Diagnostic& d = diagnostics_.error(one.find("Price") ? one.find("Price") : one, fmt::format("an offering of '{}' has no price above 0", type.name));
        d.found = one.find("Price").describe();
        continue;
      }
      for (const std::string& zone : values_of(one, "topology.kubernetes.io/zone")) {
        zones_.insert(zone);
        const bool is_wanted = wanted_.zones.empty() || std::any_of(wanted_.zones.begin(), wanted_.zones.end(), [&](const Reference& z) { return z.text == zone; });
        if (!is_wanted || std::find(type.zones.begin(), type.zones.end(), zone) != type.zones.end()) continue;
        type.zones.push_back(zone);
        sum += *price;
      }
    }
    if (!type.zones.empty()) type.price = sum / static_cast<double>(type.zones.size());
  }

 public:
  void check_zones() {
    if (zones_.empty()) return;
    const std::vector<std::string> known(zones_.begin(), zones_.end());
    for (const Reference& zone : wanted_.zones) {
      if (zones_.contains(zone.text)) continue;
      Diagnostic& d = diagnostics_.error(zone.where, fmt::format("nothing is offered in the zone '{}'", zone.text));
      d.expected = fmt::format("one of: {}", fmt::join(known, ", "));
      d.hint = did_you_mean(zone.text, known);
    }
  }

 private:
  const InstanceTypesSpec& wanted_;
  Diagnostics& diagnostics_;
  std::vector<std::string> names_;
  std::set<std::string> seen_;
  std::set<std::string> zones_;
  bool any_name_ = false;
};

}  // namespace

std::vector<InstanceType> read_instance_types(const InstanceTypesSpec& wanted, const std::string& scenario_file, Diagnostics& diagnostics) {
  std::vector<InstanceType> types;
  const std::string path = beside(wanted.file, scenario_file);
  Diagnostics found;
  const std::shared_ptr<const Document> document = load_file(path, found);
  if (document == nullptr) {
    const std::string why = found.sorted().empty() ? std::string() : found.sorted().front().message;
    diagnostics.error(wanted.file.where, fmt::format("the file '{}' {}", path, why));
    return types;
  }
  diagnostics.append(std::move(found));
  const Node root = document->root();
  if (!root.is_sequence()) {
    Diagnostic& d = root ? diagnostics.error(root, "no list of instance types") : diagnostics.error_in(path, "no list of instance types");
    d.expected = "a list, as in Karpenter's kwok/cloudprovider/instance_types.json";
    if (root) d.found = root.describe();
    return types;
  }
  TypeReader reader(wanted, diagnostics);
  for (std::size_t i = 0; i < root.size(); ++i) {
    if (std::optional<InstanceType> type = reader.read(root.item(i))) types.push_back(std::move(*type));
  }
  reader.finish(root);
  reader.check_zones();
  return types;
}

void check_capacity_plan(const ScenarioSpec& spec, Diagnostics& diagnostics) {
  const std::optional<CapacityPlanSpec> plan = capacity_plan(spec);
  if (!plan) return;
  std::vector<std::string> pools;
  for (const PoolSpec& pool : spec.pools) pools.push_back(pool.name);
  for (const PlanPoolSpec& planned : plan->pools) {
    const auto found = std::find_if(spec.pools.begin(), spec.pools.end(), [&](const PoolSpec& pool) { return pool.name == planned.name; });
    if (found == spec.pools.end()) {
      Diagnostic& d = diagnostics.error(planned.where, fmt::format("there is no pool '{}'", planned.name));
      d.expected = pools.empty() ? "a pool of the section 'pools'" : fmt::format("one of: {}", fmt::join(pools, ", "));
      d.hint = did_you_mean(planned.name, pools);
    } else if (!found->node) {
      diagnostics.error(planned.where, fmt::format("the machines of pool '{}' are no nodes", planned.name));
    } else if (found->node_name.find('{') == std::string::npos && !found->node_name.empty() && planned.most > 1) {
      diagnostics.error(planned.where, fmt::format("nodeName of pool '{}' gives all its nodes the same name", planned.name)).hint = "put {n} where the number goes";
    }
  }
  const auto has = [&](topology::ElementKind kind) {
    return std::any_of(spec.topology.begin(), spec.topology.end(), [&](const ElementSpec& e) { return e.kind == kind; });
  };
  const Node survive = spec.document->root().find("plan").find("survive");
  if (plan->survive.racks > 0 && !has(topology::ElementKind::kRack)) diagnostics.error(survive.find("racks"), "the topology has no racks that could be lost");
  if (plan->survive.zones > 0 && !has(topology::ElementKind::kZone)) diagnostics.error(survive.find("zones"), "the topology has no zones that could be lost");
  for (const Reference& service : plan->services) expect_service(spec.objects, spec.ceph, *spec.names, split_service(service.text).full(), service.where, diagnostics);
  if (plan->instance_types) {
    const std::vector<InstanceType> types = read_instance_types(*plan->instance_types, spec.file, diagnostics);
    for (const InstanceType& type : types) {
      if (std::find(pools.begin(), pools.end(), type.name) == pools.end()) continue;
      diagnostics.error(plan->instance_types->file.where, fmt::format("the instance type '{}' has the name of a pool", type.name));
    }
  }
}

}  // namespace sim::scenario
