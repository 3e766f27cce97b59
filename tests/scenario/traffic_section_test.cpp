// The sections traffic and kubeProxy: what is wrong with them is told with its place.
#include <gtest/gtest.h>

#include "sim/scenario/scenario.hpp"
#include "sim/scenario/traffic.hpp"

namespace sim::scenario {
namespace {

std::string problems_of(const std::string& sections) {
  Diagnostics diagnostics;
  const auto spec = read_scenario_text("test.yaml", R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata: {name: traffic}
pools:
  control: {count: 1, controlPlane: true}
  workers: {count: 2}
objects: |
  apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: shop}
  spec: {selector: {app: web}, ports: [{port: 80}]}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: outside, namespace: shop}
  spec: {ports: [{port: 80}]}
)" + sections, {}, diagnostics);
  return diagnostics.format();
}

TEST(TrafficSection, IsReadWithItsDefaults) {
  Diagnostics diagnostics;
  EXPECT_EQ(problems_of("traffic: {shop: {service: shop/web, requestsPerSecond: 10, serviceTime: 10ms}}\nkubeProxy: {mode: ipvs}\n"), "");
}

TEST(TrafficSection, WhatIsWrongIsTold) {
  const auto has = [](const std::string& sections, const std::string& text) {
    const std::string told = problems_of(sections);
    EXPECT_NE(told.find(text), std::string::npos) << sections << "\n" << told;
  };
  has("traffic: {shop: {service: shop/wep, requestsPerSecond: 10, serviceTime: 10ms}}\n", "did you mean 'shop/web'");
  has("traffic: {shop: {service: shop/outside, requestsPerSecond: 10, serviceTime: 10ms}}\n", "has no selector");
  has("traffic: {shop: {service: shop/web, requestsPerSecond: 10, serviceTime: 0s}}\n", "'serviceTime' must be longer than 0s");
  has("traffic: {shop: {service: shop/web, requestsPerSecond: 10, serviceTime: 1s, timeout: 0s}}\n", "'timeout' must be longer than 0s");
  has("traffic: {shop: {service: shop/web, serviceTime: 1s}}\n", "requestsPerSecond");
  has("traffic: {shop: {service: shop/web, requestsPerSecond: 10, serviceTime: 1s, from: [worker]}}\n", "did you mean 'workers'");
  has("traffic: {shop: {service: shop/web, requestsPerSecond: 10, serviceTime: 1s, retries: 21}}\n", "20");
  has("traffic: {shop: {service: shop/web, requestsPerSecond: 10, serviceTime: 1s, loadBalancer: {interval: 0s}}}\n", "'interval' must be longer than 0s");
  has("traffic: {shop: {service: shop/web, requestsPerSecond: 10, serviceTime: 1s, profile: [{at: 1m}]}}\n", "requestsPerSecond");
  has("kubeProxy: {mode: iptable}\n", "iptables");
  has("kubeProxy: {mode: iptables}\n", "has no effect");
}

}  // namespace
}  // namespace sim::scenario
