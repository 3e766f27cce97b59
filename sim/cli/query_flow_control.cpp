#include "sim/cli/query_flow_control.hpp"

#include <fmt/format.h>

#include "sim/models/kubernetes/api_load/api_load.hpp"
#include "sim/models/world.hpp"

namespace cli {

using sim::k8s::api_load::ApiLoad;
using sim::k8s::flow_control::FlowController;

bool is_flow_control_word(std::string_view word) { return word == "priority-levels" || word == "api-requests"; }

namespace {

void add_levels(const FlowController& controller, std::string_view server, sim::k8s::views::TextTable& table) {
  for (std::size_t i = 0; i < controller.level_count(); ++i) {
    const FlowController::Level& level = controller.level(i);
    const auto& queues = level.queues;
    table.rows.push_back({std::string(server), level.spec.name, fmt::format("{}", queues.active_queues()), queues.is_idle() ? "true" : "false", "false",
                          fmt::format("{}", queues.requests_waiting()), fmt::format("{}", queues.requests_executing()), fmt::format("{}", queues.dispatched()),
                          fmt::format("{}", queues.rejected()), "0", fmt::format("{}", queues.cancelled()), fmt::format("{}", level.nominal_seats),
                          fmt::format("{}", level.current_seats), fmt::format("{}", queues.seats_in_use())});
  }
}

}  // namespace

sim::k8s::views::TextTable flow_control_table(sim::World& world, std::string_view word) {
  sim::k8s::views::TextTable table;
  if (word == "api-requests") {
    table.columns = {"CLIENTS", "FLOWSCHEMA", "PRIORITYLEVEL", "SENT", "SERVED", "REFUSED", "TIMEDOUT", "FAILED", "MEAN", "LONGEST"};
    if (world.api_load == nullptr) return table;
    for (const ApiLoad::Report& r : world.api_load->reports()) {
      if (r.sent == 0) continue;
      const sim::SimDuration mean = r.served == 0 ? sim::SimDuration{} : r.served_in_total / static_cast<std::int64_t>(r.served);
      table.rows.push_back({r.name, r.schema, r.level, fmt::format("{}", r.sent), fmt::format("{}", r.served), fmt::format("{}", r.refused), fmt::format("{}", r.timed_out),
                            fmt::format("{}", r.failed), sim::humanize(mean), sim::humanize(r.served_in_max)});
    }
    return table;
  }
  // The columns of the API server's own dump (TimedoutRequests counts nothing there either), and seats.
  table.columns = {"SERVER", "PRIORITYLEVELNAME", "ACTIVEQUEUES", "ISIDLE", "ISQUIESCING", "WAITINGREQUESTS", "EXECUTINGREQUESTS", "DISPATCHEDREQUESTS", "REJECTEDREQUESTS",
                   "TIMEDOUTREQUESTS", "CANCELLEDREQUESTS", "NOMINALSEATS", "CURRENTSEATS", "SEATSINUSE"};
  const ApiLoad& load = world.load_of_api_servers();
  bool any = false;
  for (std::size_t i = 0; i < load.server_count(); ++i) {
    if (load.flow_control_of(i) == nullptr) continue;
    any = true;
    add_levels(*load.flow_control_of(i), load.server_name(i), table);
  }
  if (any) return table;
  // Idle servers, all alike.
  const FlowController idle(load.config().flow_control, static_cast<int>(load.config().max_requests_inflight + load.config().max_mutating_requests_inflight), world.engine.now());
  for (std::size_t i = 0; i < world.control_plane.member_count(); ++i) add_levels(idle, world.hosts.spec(world.control_plane.member_host(i)).name, table);
  return table;
}

std::string flow_control_metrics(const sim::World& world) {
  struct Metric {
    std::string_view name;
    std::string_view help;
    double (*value)(const FlowController::Level&);
  };
  using L = FlowController::Level;
  static constexpr Metric kMetrics[] = {
      {"nominal_limit_seats", "Nominal number of execution seats configured for each priority level", [](const L& l) { return static_cast<double>(l.nominal_seats); }},
      {"lower_limit_seats", "Configured lower bound on number of execution seats available to each priority level", [](const L& l) { return static_cast<double>(l.min_seats); }},
      {"upper_limit_seats", "Configured upper bound on number of execution seats available to each priority level", [](const L& l) { return static_cast<double>(l.max_seats); }},
      {"current_limit_seats", "current derived number of execution seats available to each priority level", [](const L& l) { return static_cast<double>(l.current_seats); }},
      {"current_executing_seats", "Concurrency (number of seats) occupied by the currently executing requests", [](const L& l) { return static_cast<double>(l.queues.seats_in_use()); }},
      {"current_inqueue_seats", "Number of seats currently pending in queues", [](const L& l) { return static_cast<double>(l.queues.seats_waiting()); }},
      {"demand_seats_high_watermark", "High watermark of the seat demand over the last adjustment period", [](const L& l) { return static_cast<double>(l.demand.high_watermark); }},
      {"demand_seats_average", "Time-weighted average of the seat demand over the last adjustment period", [](const L& l) { return l.demand.average; }},
      {"demand_seats_stdev", "Standard deviation of the seat demand over the last adjustment period", [](const L& l) { return l.demand.deviation; }},
      {"demand_seats_smoothed", "Smoothed seat demands", [](const L& l) { return l.demand.smoothed; }},
      {"target_seats", "Seat allocation targets", [](const L& l) { return l.target; }}};
  std::string text;
  if (world.api_load == nullptr) return text;
  for (const Metric& metric : kMetrics) {
    bool is_first = true;
    for (std::size_t i = 0; i < world.api_load->server_count(); ++i) {
      const FlowController* controller = world.api_load->flow_control_of(i);
      if (controller == nullptr) continue;
      if (std::exchange(is_first, false)) text += fmt::format("# HELP apiserver_flowcontrol_{0} {1}\n# TYPE apiserver_flowcontrol_{0} gauge\n", metric.name, metric.help);
      for (std::size_t l = 0; l < controller->level_count(); ++l) {
        text += fmt::format("apiserver_flowcontrol_{}{{instance=\"{}\",priority_level=\"{}\"}} {}\n", metric.name, world.api_load->server_name(i), controller->level(l).spec.name,
                            metric.value(controller->level(l)));
      }
    }
  }
  return text;
}

}  // namespace cli
