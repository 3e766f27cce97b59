#include <algorithm>
#include <fmt/format.h>

#include "sim/loop/model/codec.hpp"
#include "sim/models/kubernetes/api/take_spec.hpp"
#include "sim/models/world.hpp"

namespace sim::loop {

using namespace sim::k8s;
using DeploymentCodec = Codec<Deployment>;

void DeploymentCodec::render(const Deployment& d, Json& document, RenderContext& context) {
  Json& spec = document["spec"];
  spec.set("replicas", d.replicas);
  if (d.paused) spec.set("paused", true);
  if (spec.at("selector").is_null()) spec.set("selector", selector_json(d.selector, context.world.names));
  if (spec.at("template").is_null()) spec.set("template", context.pod_template(d.pod_template));
  Json& status = document["status"];
  if (status.is_null()) status = Json::object();
  if (context.external_controllers) return;
  set_count(status, "observedGeneration", static_cast<std::int64_t>(d.observed_generation));
  set_count(status, "replicas", d.status_replicas);
  set_count(status, "updatedReplicas", d.updated_replicas);
  set_count(status, "readyReplicas", d.ready_replicas);
  set_count(status, "availableReplicas", d.available_replicas);
  set_count(status, "unavailableReplicas", std::max<std::int64_t>(0, d.status_replicas - d.available_replicas));
  if (d.observed_generation == 0) return;
  std::int64_t revision = 0;
  context.world.api.all<ReplicaSet>().for_each([&](Ref<ReplicaSet>, const ReplicaSet& set) {
    const OwnerReference* owner = set.meta.controller();
    if (owner != nullptr && owner->uid == d.meta.uid) revision = std::max(revision, set.revision);
  });
  if (revision > 0) document["metadata"]["annotations"].set("deployment.kubernetes.io/revision", fmt::format("{}", revision));
  const std::string now = context.time(context.world.engine.now());
  set_condition(status, "Available", d.available ? "True" : "False", d.available ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                d.available ? "Deployment has minimum availability." : "Deployment does not have minimum availability.", now);
  if (d.progressing_reason) {
    const std::string reason = d.progress_deadline_exceeded ? "ProgressDeadlineExceeded" : context.text(d.progressing_reason);
    std::string message;
    if (reason == "NewReplicaSetAvailable") message = fmt::format("Deployment \"{}\" has successfully progressed.", context.text(d.meta.name));
    if (reason == "ReplicaSetUpdated") message = fmt::format("Deployment \"{}\" is progressing.", context.text(d.meta.name));
    if (reason == "ProgressDeadlineExceeded") message = fmt::format("Deployment \"{}\" has timed out progressing.", context.text(d.meta.name));
    set_condition(status, "Progressing", d.progress_deadline_exceeded ? "False" : "True", reason, message, now);
    for (Json& condition : status["conditions"].items()) {
      if (condition.find("lastUpdateTime") == nullptr) condition.set("lastUpdateTime", condition.at("lastTransitionTime"));
    }
  }
}

Change DeploymentCodec::apply_spec(Deployment& to, Deployment& from, const Json&, RenderContext&) {
  to.selector = from.selector;
  take_spec(to, from);
  return Change::kSpec;
}

Change DeploymentCodec::apply_status(Deployment& to, const Json&, const Json& document, RenderContext& context) {
  const Json& status = document.at("status");
  to.observed_generation = static_cast<std::uint64_t>(status.at("observedGeneration").as_integer());
  to.status_replicas = status.at("replicas").as_integer();
  to.updated_replicas = status.at("updatedReplicas").as_integer();
  to.ready_replicas = status.at("readyReplicas").as_integer();
  to.available_replicas = status.at("availableReplicas").as_integer();
  if (const Json* condition = find_condition(document, "Available")) to.available = condition->at("status").text() == "True";
  if (const Json* condition = find_condition(document, "Progressing")) {
    to.progressing_reason = context.world.names.intern(condition->at("reason").text());
    to.progress_deadline_exceeded = condition->at("reason").text() == "ProgressDeadlineExceeded";
  }
  return Change::kStatus;
}

void DeploymentCodec::created(Deployment&, Json&, RenderContext&, std::string&) {}

}  // namespace sim::loop
