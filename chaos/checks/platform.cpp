/// operation, platform-service, vms: what users can do with the platform, what of it answers, and how their VMs are.
#include <fmt/format.h>

#include "chaos/checks/check_files.hpp"
#include "sim/models/services/services.hpp"
#include "sim/models/services/virtual_machines.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

/// An operation or a service: it is there, or not.
struct PresenceExpectation : Expectation {
  std::string what;  // its name
  std::optional<double> availability;
  std::optional<SimDuration> longest_outage;
};

template <class Kind>
void describe_presence(Fields<Kind>& fields) {
  fields.fraction("availability", &PresenceExpectation::availability, "At least for this share of the time.")
      .add("longestOutage", &PresenceExpectation::longest_outage, "Never away for longer than this.");
  fields.rule([](const Kind& e, sim::scenario::Node node, sim::scenario::Reader& reader) {
    if (!e.availability && !e.longest_outage) {
      reader.diagnostics.error(node, fmt::format("expectation '{}' has no bound: give availability or longestOutage", e.name));
    }
  });
}

class PresenceCheck : public Check {
 public:
  PresenceCheck(const PresenceExpectation& spec, bool is_operation) : spec_(spec), is_operation_(is_operation) {}
  void judge(const Judgement& run, ExpectationResult& result) override {
    const PlatformObserver& platform = run.observers.platform();
    const PlatformHistory* history = is_operation_ ? platform.operation(spec_.what) : platform.service(spec_.what);
    result.subject = (is_operation_ ? "operation/" : "platform/") + spec_.what;
    if (history == nullptr) {
      result.not_judged = result.subject + " does not exist";
      return;
    }
    if (!spec_.from) result.from = std::max(result.from, PlatformObserver::counts_from(*history, run.warm_up_end));
    if (result.from >= result.to) {
      result.not_judged = "its window is over before it was first there";
      return;
    }
    if (spec_.availability) result.measures.push_back(measure_availability(history->up, *spec_.availability, result.from, result.to));
    if (spec_.longest_outage) result.measures.push_back(measure_longest("longestOutage", history->up, 1.0, *spec_.longest_outage, result.from, result.to));
  }

 private:
  const PresenceExpectation& spec_;
  bool is_operation_;
};

struct OperationExpectation : PresenceExpectation {
  std::unique_ptr<Check> make(sim::World&, SimTime) const override { return std::make_unique<PresenceCheck>(*this, true); }
  void check(const Preview& preview, Problems& problems) const override {
    const sim::services::Services* services = preview.world.services.get();
    if (services != nullptr && services->find_operation(what) != SIZE_MAX) return;
    std::vector<std::string> known;
    for (std::size_t i = 0; services != nullptr && i < services->operation_count(); ++i) known.push_back(services->operation(i).name);
    problems.unknown("operation", what, known);
  }
};
void describe(Fields<OperationExpectation>& fields) {
  describe_window(fields);
  fields.add("operation", &PresenceExpectation::what, "Its name, as a service offers it.").required();
  describe_presence(fields);
}

struct PlatformServiceExpectation : PresenceExpectation {
  std::unique_ptr<Check> make(sim::World&, SimTime) const override { return std::make_unique<PresenceCheck>(*this, false); }
  void check(const Preview& preview, Problems& problems) const override {
    const sim::services::Services* services = preview.world.services.get();
    if (services != nullptr && services->find(what) != SIZE_MAX) return;
    std::vector<std::string> known;
    for (std::size_t i = 0; services != nullptr && i < services->size(); ++i) known.push_back(services->config(i).name);
    problems.unknown("service of the platform", what, known);
  }
};
void describe(Fields<PlatformServiceExpectation>& fields) {
  describe_window(fields);
  fields.add("service", &PresenceExpectation::what, "Its name in the section `services`.").required();
  describe_presence(fields);
}

struct VmsExpectation : Expectation {
  std::string vms;
  std::optional<double> availability;
  std::optional<double> running_min;
  std::optional<double> reachable_min;

  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  void check(const Preview& preview, Problems& problems) const override {
    const sim::services::VirtualMachines* machines = preview.world.machines.get();
    if (machines != nullptr && machines->find(vms) != SIZE_MAX) return;
    std::vector<std::string> known;
    for (std::size_t i = 0; machines != nullptr && i < machines->size(); ++i) known.push_back(machines->config(i).name);
    problems.unknown("VMs", vms, known);
  }
};
void describe(Fields<VmsExpectation>& fields) {
  describe_window(fields);
  fields.add("vms", &VmsExpectation::vms, "Their name in the section `vms`.").required()
      .fraction("availability", &VmsExpectation::availability, "At least this, as the time average of the share of VMs that run and do not wait for their volume.")
      .fraction("minRunning", &VmsExpectation::running_min, "At least this share of them runs at all times.")
      .fraction("minReachable", &VmsExpectation::reachable_min, "At least this share of them is reached from outside at all times.")
      .rule([](const VmsExpectation& e, sim::scenario::Node node, sim::scenario::Reader& reader) {
        if (!e.availability && !e.running_min && !e.reachable_min) {
          reader.diagnostics.error(node, fmt::format("expectation '{}' has no bound: give availability, minRunning or minReachable", e.name));
        }
      });
}

class VmsCheck : public Check {
 public:
  explicit VmsCheck(const VmsExpectation& spec) : spec_(spec) {}
  void judge(const Judgement& run, ExpectationResult& result) override {
    result.subject = "vms/" + spec_.vms;
    const VmHistory* history = run.observers.platform().vms(spec_.vms);
    if (history == nullptr) {
      result.not_judged = result.subject + " do not exist";
      return;
    }
    if (spec_.availability) result.measures.push_back(measure_availability(history->running, *spec_.availability, result.from, result.to));
    const auto lowest = [&](const char* name, const Signal& signal, double bound) {
      Measure measure = measure_lowest(name, signal, bound, result.from, result.to);
      measure.unit = Unit::kRatio;
      result.measures.push_back(std::move(measure));
    };
    if (spec_.running_min) lowest("minRunning", history->running, *spec_.running_min);
    if (spec_.reachable_min) lowest("minReachable", history->reachable, *spec_.reachable_min);
  }

 private:
  const VmsExpectation& spec_;
};

std::unique_ptr<Check> VmsExpectation::make(sim::World&, SimTime) const { return std::make_unique<VmsCheck>(*this); }

}  // namespace

void add_platform(ExpectationKinds& kinds) {
  kinds.add<OperationExpectation>("operation", "How available something is that users do with a service of the platform.");
  kinds.add<PlatformServiceExpectation>("platform-service", "How available a service of the platform is.");
  kinds.add<VmsExpectation>("vms", "How many of the tenants' VMs run and are reached.");
}

}  // namespace chaos
