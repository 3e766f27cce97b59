#include <fmt/format.h>

#include "sim/loop/model/codec.hpp"
#include "sim/models/kubernetes/api/take_spec.hpp"
#include "sim/models/kubernetes/controllers/pod_factory.hpp"
#include "sim/models/world.hpp"

namespace sim::loop {

using namespace sim::k8s;
using StatefulSetCodec = Codec<StatefulSet>;

void StatefulSetCodec::render(const StatefulSet& set, Json& document, RenderContext& context) {
  Json& spec = document["spec"];
  spec.set("replicas", set.replicas);
  if (spec.at("selector").is_null()) spec.set("selector", selector_json(set.selector, context.world.names));
  if (spec.at("template").is_null()) spec.set("template", context.pod_template(set.pod_template));
  if (set.service_name) spec.set("serviceName", context.text(set.service_name));
  Json& status = document["status"];
  if (!context.external_controllers) {
    set_count(status, "observedGeneration", static_cast<std::int64_t>(set.observed_generation));
    status.set("replicas", set.status_replicas);
    set_count(status, "readyReplicas", set.ready_replicas);
    set_count(status, "currentReplicas", set.current_replicas);
    set_count(status, "updatedReplicas", set.updated_replicas);
    status.set("availableReplicas", set.available_replicas);
    const std::string& name = context.text(set.meta.name);
    if (set.current_revision != 0) status.set("currentRevision", fmt::format("{}-{}", name, encoded_hash(set.current_revision)));
    if (set.update_revision != 0) status.set("updateRevision", fmt::format("{}-{}", name, encoded_hash(set.update_revision)));
    status.set_default("collisionCount", 0);
  }
  status.set_default("replicas", 0);
}

Change StatefulSetCodec::apply_spec(StatefulSet& to, StatefulSet& from, const Json&, RenderContext&) {
  take_spec(to, from);
  return Change::kSpec;
}

Change StatefulSetCodec::apply_status(StatefulSet& to, const Json&, const Json& document, RenderContext&) {
  const Json& status = document.at("status");
  to.observed_generation = static_cast<std::uint64_t>(status.at("observedGeneration").as_integer());
  to.status_replicas = status.at("replicas").as_integer();
  to.ready_replicas = status.at("readyReplicas").as_integer();
  to.available_replicas = status.at("availableReplicas").as_integer();
  to.current_replicas = status.at("currentReplicas").as_integer();
  to.updated_replicas = status.at("updatedReplicas").as_integer();
  return Change::kStatus;
}

void StatefulSetCodec::created(StatefulSet&, Json&, RenderContext&, std::string&) {}

}  // namespace sim::loop
