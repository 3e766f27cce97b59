#include <fmt/format.h>

#include "sim/loop/model/codec.hpp"
#include "sim/models/kubernetes/api/take_spec.hpp"
#include "sim/models/world.hpp"

namespace sim::loop {

using namespace sim::k8s;
using ReplicaSetCodec = Codec<ReplicaSet>;

void ReplicaSetCodec::render(const ReplicaSet& set, Json& document, RenderContext& context) {
  Json& spec = document["spec"];
  spec.set("replicas", set.replicas);
  if (spec.at("selector").is_null()) spec.set("selector", selector_json(set.selector, context.world.names));
  if (spec.at("template").is_null()) spec.set("template", context.pod_template(set.pod_template));
  if (set.min_ready_seconds > 0) spec.set("minReadySeconds", set.min_ready_seconds);
  Json& status = document["status"];
  if (!context.external_controllers) {
    Json& annotations = document["metadata"]["annotations"];
    if (set.revision > 0) annotations.set("deployment.kubernetes.io/revision", fmt::format("{}", set.revision));
    if (set.desired_replicas >= 0) annotations.set("deployment.kubernetes.io/desired-replicas", fmt::format("{}", set.desired_replicas));
    if (set.max_replicas >= 0) annotations.set("deployment.kubernetes.io/max-replicas", fmt::format("{}", set.max_replicas));
    set_count(status, "observedGeneration", static_cast<std::int64_t>(set.observed_generation));
    set_count(status, "fullyLabeledReplicas", set.status_replicas);
    set_count(status, "readyReplicas", set.ready_replicas);
    set_count(status, "availableReplicas", set.available_replicas);
    status.set("replicas", set.status_replicas);
  }
  status.set_default("replicas", 0);
}

Change ReplicaSetCodec::apply_spec(ReplicaSet& to, ReplicaSet& from, const Json& document, RenderContext&) {
  to.selector = from.selector;
  take_spec(to, from);
  const Json& annotations = document.at({"metadata", "annotations"});
  const auto number = [&](std::string_view key, std::int64_t& value) {
    const std::string& text = annotations.at(key).text();
    if (const std::optional<std::int64_t> parsed = parse_quantity(text); parsed && !text.empty()) value = *parsed;
  };
  number("deployment.kubernetes.io/revision", to.revision);
  number("deployment.kubernetes.io/desired-replicas", to.desired_replicas);
  number("deployment.kubernetes.io/max-replicas", to.max_replicas);
  return Change::kSpec;
}

Change ReplicaSetCodec::apply_status(ReplicaSet& to, const Json&, const Json& document, RenderContext&) {
  const Json& status = document.at("status");
  to.observed_generation = static_cast<std::uint64_t>(status.at("observedGeneration").as_integer());
  to.status_replicas = status.at("replicas").as_integer();
  to.ready_replicas = status.at("readyReplicas").as_integer();
  to.available_replicas = status.at("availableReplicas").as_integer();
  return Change::kStatus;
}

void ReplicaSetCodec::created(ReplicaSet& set, Json& document, RenderContext& context, std::string&) { apply_spec(set, set, document, context); }

}  // namespace sim::loop
