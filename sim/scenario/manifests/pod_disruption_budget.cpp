#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

namespace {

constexpr Names kBudgetFields[] = {"minAvailable", "selector", "maxUnavailable", "unhealthyPodEvictionPolicy"};

}  // namespace

void ObjectReader::budget(Yaml object) {
  Manifest<PodDisruptionBudget> m = begin<PodDisruptionBudget>(object, true);
  const Yaml spec = map(object, "spec");
  expect_fields(spec, "PodDisruptionBudget.spec", kBudgetFields);
  m.object.selector = optional_selector(spec, "selector");
  m.object.min_available = int_or_percent(spec, "minAvailable");
  m.object.max_unavailable = int_or_percent(spec, "maxUnavailable");
  // As it stands in a dump; where the disruption controller runs it writes its own.
  m.object.disruptions_allowed = integer_or(map(object, "status"), "disruptionsAllowed", 0);
  const Yaml disrupted = map(map(object, "status"), "disruptedPods");
  for (std::size_t i = 0; i < disrupted.size(); ++i) {
    set->disrupted_pods.push_back({m.object.meta.ns, m.object.meta.name, intern(disrupted.key(i).text())});
  }
  if (m.object.min_available && m.object.max_unavailable) impossible(spec, "minAvailable and maxUnavailable exclude each other");
  m.object.always_allow_unhealthy = word<bool>(spec, "unhealthyPodEvictionPolicy", {{"IfHealthyBudget", false}, {"AlwaysAllow", true}});
  put(set->budgets, std::move(m));
}

}  // namespace sim::scenario::manifests
