#include "sim/cli/query_traffic.hpp"

#include <fmt/format.h>

#include "sim/models/traffic/traffic.hpp"
#include "sim/models/world.hpp"

namespace cli {

using sim::traffic::Failure;
using sim::traffic::Traffic;

sim::k8s::views::TextTable traffic_table(const sim::World& world) {
  sim::k8s::views::TextTable table;
  table.columns = {"NAME", "SERVICE", "SERVING", "REQUESTS/S", "ATTEMPTS/S", "ANSWERED", "NO ENDPOINTS", "REFUSED", "NO ANSWER", "GIVEN UP", "BUSIEST", "P50", "P99"};
  if (world.traffic == nullptr) return table;
  const auto share = [](double value) { return fmt::format("{:.2f} %", 100.0 * value); };
  const auto time = [](double value) { return sim::humanize(sim::from_seconds(value)); };
  for (std::size_t i = 0; i < world.traffic->size(); ++i) {
    const sim::traffic::FlowConfig& config = world.traffic->config(i);
    if (world.traffic->steps(i).empty()) continue;
    const Traffic::Step& step = world.traffic->steps(i).back();
    const sim::traffic::RequestMix& mix = step.mix;
    table.rows.push_back({config.name, fmt::format("{}/{}", world.names.text(config.ns), world.names.text(config.service)), fmt::format("{}/{}", step.serving, step.endpoints),
                          fmt::format("{:.6g}", mix.rate()), fmt::format("{:.6g}", mix.rate() * mix.attempts()), share(mix.success()), share(mix.failed(Failure::kNoEndpoints)),
                          share(mix.failed(Failure::kRefused)), share(mix.failed(Failure::kSilent)), share(mix.failed(Failure::kOverload)), share(mix.utilisation()),
                          time(mix.quantile(0.5)), time(mix.quantile(0.99))});
  }
  return table;
}

}  // namespace cli
