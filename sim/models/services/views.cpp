#include "sim/models/services/views.hpp"

#include <fmt/format.h>

#include "sim/models/services/services.hpp"
#include "sim/models/services/virtual_machines.hpp"
#include "sim/models/world.hpp"

namespace sim::services {

namespace {

using k8s::views::TextTable;

std::string word(const Status& status) { return !status.up ? "Down" : status.degraded.empty() ? "Up" : "Degraded"; }
std::string since(const World& world, const Status& status) { return k8s::views::human_duration(world.engine.now() - status.since); }
std::string joined(const std::vector<std::string>& list) { return fmt::format("{}", fmt::join(list, ",")); }

TextTable services_table(const World& world) {
  TextTable table;
  table.columns = {"NAME", "MODE", "STATUS", "ANSWERING", "FOR", "STATE", "LACKS", "TO DO"};
  const Services* services = world.services.get();
  for (std::size_t i = 0; services != nullptr && i < services->size(); ++i) {
    const std::vector<MemberView> members = services->members(i);
    std::size_t answering = 0;
    for (const MemberView& member : members) answering += member.answers ? 1 : 0;
    const Status& status = services->status(i);
    const std::string& degraded = status.degraded;
    std::string lacks = joined(services->missing(i));
    if (lacks.empty() && degraded.starts_with("without ")) lacks = degraded.substr(8);
    table.rows.push_back({services->config(i).name, to_string(services->config(i).mode), word(status), fmt::format("{}/{}", answering, members.size()), since(world, status),
                          services->state(i), lacks, services->outstanding(i)});
  }
  return table;
}

TextTable members_table(const World& world) {
  TextTable table;
  table.columns = {"SERVICE", "MEMBER", "STATE", "ANSWERS", "NODE"};
  const Services* services = world.services.get();
  for (std::size_t i = 0; services != nullptr && i < services->size(); ++i) {
    for (const MemberView& member : services->members(i)) {
      table.rows.push_back({services->config(i).name, member.name, member.state, member.answers ? "yes" : "no", member.host ? world.hosts.spec(member.host).name : std::string()});
    }
  }
  return table;
}

TextTable operations_table(const World& world) {
  TextTable table;
  table.columns = {"OPERATION", "SERVICE", "STATUS", "FOR", "WHY"};
  const Services* services = world.services.get();
  for (std::size_t i = 0; services != nullptr && i < services->operation_count(); ++i) {
    const Status& status = services->operation_status(i);
    const std::string why = status.up && status.degraded.empty() ? std::string() : status.cause ? std::string(world.log.message(world.log.at(status.cause))) : std::string("not yet");
    table.rows.push_back({services->operation(i).name, services->operation_owner(i), !status.up ? "Impossible" : status.degraded.empty() ? "Possible" : "Degraded", since(world, status), why});
  }
  return table;
}

TextTable vms_table(const World& world) {
  TextTable table;
  table.columns = {"NAME", "ALL", "RUNNING", "HANGING", "DEAD", "REACHABLE"};
  const VirtualMachines* machines = world.machines.get();
  for (std::size_t i = 0; machines != nullptr && i < machines->size(); ++i) {
    const VmCount& count = machines->count(i);
    table.rows.push_back({machines->config(i).name, std::to_string(count.all), std::to_string(count.running), std::to_string(count.hanging), std::to_string(count.dead),
                          std::to_string(count.reachable)});
  }
  return table;
}

}  // namespace

const std::vector<std::string_view>& platform_views() {
  static const std::vector<std::string_view> views = {"platform", "members", "operations", "vms"};
  return views;
}

std::optional<TextTable> platform_view(const World& world, std::string_view what) {
  if (what == "platform") return services_table(world);
  if (what == "members") return members_table(world);
  if (what == "operations") return operations_table(world);
  if (what == "vms") return vms_table(world);
  return std::nullopt;
}

}  // namespace sim::services
