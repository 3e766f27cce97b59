#include <algorithm>

#include "sim/loop/model/codec.hpp"
#include "sim/models/kubernetes/api/take_spec.hpp"
#include "sim/models/world.hpp"

namespace sim::loop {

using namespace sim::k8s;
using DaemonSetCodec = Codec<DaemonSet>;

void DaemonSetCodec::render(const DaemonSet& set, Json& document, RenderContext& context) {
  Json& spec = document["spec"];
  if (spec.at("selector").is_null()) spec.set("selector", selector_json(set.selector, context.world.names));
  if (spec.at("template").is_null()) spec.set("template", context.pod_template(set.pod_template));
  Json& status = document["status"];
  if (!context.external_controllers) {
    set_count(status, "observedGeneration", static_cast<std::int64_t>(set.observed_generation));
    status.set("currentNumberScheduled", set.current_scheduled);
    status.set("desiredNumberScheduled", set.desired_scheduled);
    status.set("numberReady", set.ready_count);
    set_count(status, "numberAvailable", set.available_count);
    set_count(status, "numberUnavailable", std::max<std::int64_t>(0, set.desired_scheduled - set.available_count));
    set_count(status, "updatedNumberScheduled", set.updated_scheduled);
  }
  for (const std::string_view key : {"currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"}) status.set_default(key, 0);
}

Change DaemonSetCodec::apply_spec(DaemonSet& to, DaemonSet& from, const Json&, RenderContext&) {
  take_spec(to, from);
  return Change::kSpec;
}

Change DaemonSetCodec::apply_status(DaemonSet& to, const Json&, const Json& document, RenderContext&) {
  const Json& status = document.at("status");
  to.observed_generation = static_cast<std::uint64_t>(status.at("observedGeneration").as_integer());
  to.desired_scheduled = status.at("desiredNumberScheduled").as_integer();
  to.current_scheduled = status.at("currentNumberScheduled").as_integer();
  to.ready_count = status.at("numberReady").as_integer();
  to.available_count = status.at("numberAvailable").as_integer();
  to.updated_scheduled = status.at("updatedNumberScheduled").as_integer();
  return Change::kStatus;
}

void DaemonSetCodec::created(DaemonSet&, Json&, RenderContext&, std::string&) {}

}  // namespace sim::loop
