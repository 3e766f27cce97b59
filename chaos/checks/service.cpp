/// service: how available a Service is to its clients: the share of its listed endpoints that really serve.
#include <fmt/format.h>

#include "chaos/checks/check_files.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

struct ServiceExpectation : Expectation {
  std::string service;
  std::string ns = "default";
  std::optional<double> availability;
  std::optional<SimDuration> longest_outage;
  std::optional<std::int64_t> serving_min;

  std::string subject() const { return fmt::format("Service/{}/{}", ns, service); }
  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  void check(const Preview& preview, Problems& problems) const override {
    sim::World& world = preview.world;
    if (world.api.find<sim::k8s::Service>(world.names.find(ns), world.names.find(service))) return;
    std::vector<std::string> names;
    world.api.all<sim::k8s::Service>().for_each([&](sim::k8s::Ref<sim::k8s::Service>, const sim::k8s::Service& other) {
      if (world.names.text(other.meta.ns) == ns) names.push_back(world.names.text(other.meta.name));
    });
    problems.unknown(fmt::format("Service (in namespace '{}')", ns), service, names);
  }
};

void describe(Fields<ServiceExpectation>& fields) {
  describe_window(fields);
  fields.add("service", &ServiceExpectation::service, "Name of the Service.").required()
      .add("namespace", &ServiceExpectation::ns, "Its namespace.")
      .fraction("availability", &ServiceExpectation::availability,
                "At least this, as the time average of serving endpoints / endpoints that the API lists as ready (0 when there is none).")
      .add("longestOutage", &ServiceExpectation::longest_outage, "No longer than this without any serving endpoint.")
      .add("minServing", &ServiceExpectation::serving_min, 0, 1'000'000, "At least so many serving endpoints at all times.")
      .rule([](const ServiceExpectation& e, sim::scenario::Node node, sim::scenario::Reader& reader) {
        if (!e.availability && !e.longest_outage && !e.serving_min) {
          reader.diagnostics.error(node, fmt::format("expectation '{}' has no bound: give availability, longestOutage or minServing", e.name));
        }
      });
}

class ServiceCheck : public Check {
 public:
  ServiceCheck(sim::World& world, const ServiceExpectation& spec) : world_(world), spec_(spec) {}

  void judge(const Judgement& run, ExpectationResult& result) override {
    result.subject = spec_.subject();
    const ServiceHistory* history = run.observers.services().find(world_.names.find(spec_.ns), world_.names.find(spec_.service));
    if (history == nullptr) {
      result.not_judged = result.subject + " never existed";
      return;
    }
    // What starts is not out: see counts_from().
    if (!spec_.from) result.from = std::max(result.from, counts_from(*history, run.warm_up_end).value_or(result.from));
    if (result.from >= result.to) {
      result.not_judged = "its window is over before the Service first served";
      return;
    }
    const Signal share = history->share();
    if (spec_.availability) result.measures.push_back(measure_availability(share, *spec_.availability, result.from, result.to));
    if (spec_.longest_outage) {
      result.measures.push_back(measure_longest("longestOutage", at_least(share, 1e-9), 1.0, *spec_.longest_outage, result.from, result.to));
    }
    if (spec_.serving_min) {
      result.measures.push_back(
          measure_lowest("minServing", history->serving(), static_cast<double>(*spec_.serving_min), result.from, result.to));
    }
  }

 private:
  sim::World& world_;
  const ServiceExpectation& spec_;
};

std::unique_ptr<Check> ServiceExpectation::make(sim::World& world, SimTime) const { return std::make_unique<ServiceCheck>(world, *this); }

}  // namespace

void add_service(ExpectationKinds& kinds) {
  kinds.add<ServiceExpectation>("service", "How available a Service is to its clients.");
}

}  // namespace chaos
