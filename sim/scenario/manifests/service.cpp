#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

namespace {

constexpr Names kServiceFields[] = {"ports", "selector", "clusterIP", "clusterIPs", "type", "externalIPs", "sessionAffinity", "loadBalancerIP",
                                    "loadBalancerSourceRanges", "externalName", "externalTrafficPolicy", "healthCheckNodePort", "publishNotReadyAddresses",
                                    "sessionAffinityConfig", "ipFamilies", "ipFamilyPolicy", "allocateLoadBalancerNodePorts", "loadBalancerClass",
                                    "internalTrafficPolicy", "trafficDistribution"};

}  // namespace

void ObjectReader::service(Yaml object) {
  Manifest<Service> m = begin<Service>(object, true);
  const Yaml spec = map(object, "spec");
  expect_fields(spec, "Service.spec", kServiceFields);
  const Labels pairs = labels(spec, "selector");
  for (const Labels::Pair& pair : pairs) m.object.selector.requirements.push_back(Requirement{pair.key, SelectorOperator::kIn, {pair.value}});
  m.object.has_selector = !pairs.empty() && text(spec, "type") != "ExternalName";
  m.object.publish_not_ready = boolean(spec, "publishNotReadyAddresses", false);
  m.object.headless = text(spec, "clusterIP") == "None";
  put(set->services, std::move(m));
}

}  // namespace sim::scenario::manifests
