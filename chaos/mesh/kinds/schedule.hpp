/// Schedule: makes experiments at times.
#pragma once

#include "chaos/mesh/embedded.hpp"
#include "sim/models/kubernetes/controllers/cron_schedule.hpp"

namespace chaos::mesh {

struct ScheduleSpec final : Spec {
  std::string text;
  std::optional<sim::k8s::CronSchedule> schedule;
  std::string type;
  bool forbids = true;
  std::int64_t history = 0;
  std::optional<std::int64_t> deadline_seconds;
  Embedded embedded;
  bool in_workflow = false;

  void check(CheckContext& context) const override { embedded.spec->check(context); }
};

void describe(Fields<ScheduleSpec>& fields);
std::unique_ptr<Object> make_schedule(Cluster& cluster, std::shared_ptr<const ScheduleSpec> spec, const Meta& meta);

}  // namespace chaos::mesh
