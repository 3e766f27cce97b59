/// api-requests: what became of the requests of a group of clients while the API servers were flooded. Over the whole run: it has no window.
#include <fmt/format.h>

#include "chaos/checks/check_files.hpp"
#include "sim/models/kubernetes/api_load/api_load.hpp"

namespace chaos {
namespace {

using sim::k8s::api_load::ApiLoad;
using sim::scenario::Fields;

struct ApiRequestsExpectation : Expectation {
  std::string clients;
  std::optional<double> served;
  std::optional<SimDuration> longest;

  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  void check(const Preview&, Problems&) const override {}
};

void describe(Fields<ApiRequestsExpectation>& fields) {
  fields.add("clients", &ApiRequestsExpectation::clients,
             "Whose: the name of a group of apiServers.clients or of a fault api-overload, or 'kube-scheduler', 'kube-controller-manager', 'kubelets (leases)'.")
      .required()
      .fraction("served", &ApiRequestsExpectation::served, "At least this share of the requests that ended was served: not refused with 429, not timed out, not lost.")
      .add("longest", &ApiRequestsExpectation::longest, "None that was served took longer than this.")
      .rule([](const ApiRequestsExpectation& e, sim::scenario::Node node, sim::scenario::Reader& reader) {
        if (!e.served && !e.longest) reader.diagnostics.error(node, fmt::format("expectation '{}' has no bound: give served or longest", e.name));
      });
}

class ApiRequestsCheck : public Check {
 public:
  explicit ApiRequestsCheck(const ApiRequestsExpectation& spec) : spec_(spec) {}

  void judge(const Judgement& run, ExpectationResult& result) override {
    result.subject = spec_.clients;
    const ApiLoad* load = run.world.api_load.get();
    const std::optional<ApiLoad::Report> report = load == nullptr ? std::nullopt : load->report(spec_.clients);
    if (!report || report->ended() == 0) {
      result.not_judged = fmt::format("no request of '{}' was simulated: requests are while a fault api-overload floods the API servers", spec_.clients);
      return;
    }
    if (spec_.served) {
      const double share = static_cast<double>(report->served) / static_cast<double>(report->ended());
      result.measures.push_back(measure("served", Unit::kRatio, Comparison::kAtLeast, *spec_.served, share, run, result));
    }
    if (spec_.longest) {
      result.measures.push_back(
          measure("longest", Unit::kSeconds, Comparison::kAtMost, sim::seconds(*spec_.longest), sim::seconds(report->served_in_max), run, result));
    }
  }

 private:
  static Measure measure(std::string name, Unit unit, Comparison comparison, double bound, double measured, const Judgement& run, const ExpectationResult& result) {
    Measure m;
    m.name = std::move(name);
    m.unit = unit;
    m.comparison = comparison;
    m.bound = bound;
    m.measured = measured;
    m.held = comparison == Comparison::kAtLeast ? measured >= bound : measured <= bound;
    if (m.held) return m;
    m.excess = comparison == Comparison::kAtLeast ? bound - measured : measured - bound;
    m.first_violation = result.to;
    // The first record that says why somebody's requests were refused, or that a server was killed.
    const sim::EventLog& log = run.world.log;
    for (std::size_t i = 0; i < log.records().size(); ++i) {
      const sim::EventLog::Record& record = log.records()[i];
      const std::string_view kind = log.kind(record);
      if (kind != "RequestsRefused" && kind != "OOMKilling") continue;
      m.first_violation = record.time;
      m.cause = CauseId{static_cast<std::uint32_t>(i + 1)};
      break;
    }
    return m;
  }
  const ApiRequestsExpectation& spec_;
};

std::unique_ptr<Check> ApiRequestsExpectation::make(sim::World&, SimTime) const { return std::make_unique<ApiRequestsCheck>(*this); }

}  // namespace

void add_api_requests(ExpectationKinds& kinds) {
  kinds.add<ApiRequestsExpectation>("api-requests", "What became of the requests of a group of clients at the API servers.");
}

}  // namespace chaos
