#include "chaos/faults/drain_fields.hpp"

#include <fmt/format.h>

namespace chaos {

sim::k8s::DrainOptions DrainFields::options() const {
  sim::k8s::DrainOptions options;
  options.grace_period_seconds = grace_period;
  options.timeout = timeout.value_or(sim::SimDuration::zero());
  options.force = force;
  options.delete_emptydir_data = delete_emptydir_data;
  options.disable_eviction = disable_eviction;
  return options;
}

void describe(sim::scenario::Fields<DrainFields>& fields) {
  fields.title("Options of kubectl drain. DaemonSet pods are always skipped (--ignore-daemonsets).")
      .add("timeout", &DrainFields::timeout, "--timeout: give up after this long. Without it, never.")
      .add("gracePeriodSeconds", &DrainFields::grace_period, 0, 1'000'000, "--grace-period, instead of each pod's own.")
      .add("force", &DrainFields::force, "--force: also pods that no controller would make anew.")
      .add("deleteEmptydirData", &DrainFields::delete_emptydir_data, "--delete-emptydir-data: also pods with local storage.")
      .add("disableEviction", &DrainFields::disable_eviction, "--disable-eviction: DELETE instead of eviction; budgets are not asked.");
}

std::string describe_result(sim::World& world, const sim::k8s::DrainResult& result) {
  std::string text = sim::k8s::to_string(result.outcome);
  if (result.left.empty()) return text;
  const sim::k8s::PodLeft& left = result.left.front();
  text += fmt::format("; {}: {}", world.names.text(left.subject), left.why);
  if (left.budget) text += fmt::format(" ({})", world.names.text(left.budget));
  if (result.left.size() > 1) text += fmt::format(" and {} more", result.left.size() - 1);
  return text;
}

}  // namespace chaos
