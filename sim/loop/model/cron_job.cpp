#include <algorithm>
#include "sim/loop/model/codec.hpp"
#include "sim/models/kubernetes/api/take_spec.hpp"
#include "sim/models/world.hpp"

namespace sim::loop {

using namespace sim::k8s;
using CronJobCodec = Codec<CronJob>;

void CronJobCodec::render(const CronJob& job, Json& document, RenderContext& context) {
  Json& spec = document["spec"];
  spec.set("schedule", job.schedule);
  spec.set("suspend", job.suspend);
  Json& status = document["status"];
  if (status.is_null()) status = Json::object();
  if (context.external_controllers) return;
  if (job.last_schedule_time) status.set("lastScheduleTime", context.time(*job.last_schedule_time));
  if (job.last_successful_time) status.set("lastSuccessfulTime", context.time(*job.last_successful_time));
  Json active = Json::array();
  context.world.api.all<Job>().for_each([&](Ref<Job>, const Job& made) {
    const OwnerReference* owner = made.meta.controller();
    if (owner == nullptr || owner->uid != job.meta.uid || made.is_finished()) return;
    active.push_back(Json::object({{"apiVersion", "batch/v1"}, {"kind", "Job"}, {"name", context.text(made.meta.name)}, {"namespace", context.text(made.meta.ns)},
                                   {"uid", context.store.uid_text(made.meta.uid)}}));
  });
  if (active.is_empty()) {
    status.erase("active");
  } else {
    status.set("active", std::move(active));
  }
}

Change CronJobCodec::apply_spec(CronJob& to, CronJob& from, const Json&, RenderContext&) {
  take_spec(to, from);
  return Change::kSpec;
}

Change CronJobCodec::apply_status(CronJob& to, const Json&, const Json& document, RenderContext& context) {
  to.last_schedule_time = context.sim_time(document.at({"status", "lastScheduleTime"}));
  to.last_successful_time = context.sim_time(document.at({"status", "lastSuccessfulTime"}));
  return Change::kStatus;
}

void CronJobCodec::created(CronJob&, Json&, RenderContext&, std::string&) {}

}  // namespace sim::loop
