// Webhook configurations as manifests: what is wrong with them, what is not simulated, and circles.
#include <gtest/gtest.h>

#include "sim/scenario/scenario.hpp"

namespace sim::scenario {
namespace {

constexpr std::string_view kRules = "rules: [{operations: [CREATE], apiGroups: [\"\"], apiVersions: [v1], resources: [pods]}]";
constexpr std::string_view kService = "clientConfig: {service: {namespace: policy, name: hook}}";

std::string hook(const std::string& fields) { return "  - {name: pods.policy.example, sideEffects: None, admissionReviewVersions: [v1], " + fields + "}\n"; }

std::string with(const std::string& hooks, const std::string& more = "") {
  return R"(apiVersion: squall.dev/v1alpha1
kind: Scenario
pools: {control: {count: 1, controlPlane: true}}
objects: |
  {apiVersion: v1, kind: Service, metadata: {name: hook, namespace: policy}, spec: {selector: {app: engine}}}
  ---
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: engine, namespace: policy}
  spec:
    selector: {matchLabels: {app: engine}}
    template: {metadata: {labels: {app: engine}}, spec: {containers: [{name: engine, image: "engine:1"}]}}
  ---
  apiVersion: admissionregistration.k8s.io/v1
  kind: ValidatingWebhookConfiguration
  metadata: {name: policy}
  webhooks:
)" + hooks + more;
}

std::string told(const std::string& text) {
  Diagnostics diagnostics;
  const auto spec = read_scenario_text("test.yaml", text, {}, diagnostics);
  return diagnostics.format();
}

struct Case {
  std::string_view name;
  std::string fields;
  std::string_view message;
};

TEST(WebhookManifests, WhatIsWrongIsSaid) {
  const std::string rules(kRules);
  const std::string service(kService);
  const Case cases[] = {
      {"no client", rules, "a webhook needs 'clientConfig'"},
      {"both clients", rules + ", clientConfig: {url: 'https://a.example', service: {namespace: policy, name: hook}}", "clientConfig needs one of 'service' and 'url'"},
      {"service without name", rules + ", clientConfig: {service: {namespace: policy}}", "clientConfig.service needs 'name'"},
      {"a path", rules + ", clientConfig: {service: {namespace: policy, name: hook, path: validate}}", "a path begins with '/'"},
      {"a port", rules + ", clientConfig: {service: {namespace: policy, name: hook, port: 70000}}", "an integer from 1 to 65535"},
      {"policy", service + ", " + rules + ", failurePolicy: Fial", "did you mean 'Fail'?"},
      {"timeout", service + ", " + rules + ", timeoutSeconds: 31", "an integer from 1 to 30"},
      {"timeout of another type", service + ", " + rules + ", timeoutSeconds: 10s", "an integer"},
      {"operation", service + ", rules: [{operations: [CRATE], apiGroups: [''], apiVersions: [v1], resources: [pods]}]", "did you mean 'CREATE'?"},
      {"rule without resources", service + ", rules: [{operations: [CREATE], apiGroups: [''], apiVersions: [v1]}]", "a rule needs 'resources'"},
      {"scope", service + ", rules: [{operations: [CREATE], apiGroups: [''], apiVersions: [v1], resources: [pods], scope: cluster}]", "unknown word for scope"},
      {"rules are no list", service + ", rules: {operations: [CREATE]}", "a list"},
      {"misspelt", service + ", " + rules + ", failurePolice: Fail", "Kubernetes has no field ValidatingWebhookConfiguration.webhooks.failurePolice"},
      {"conditions", service + ", " + rules + ", matchConditions: [{name: a, expression: 'true'}]", "not simulated: ValidatingWebhookConfiguration.webhooks.matchConditions (taken as true)"},
      {"updates", service + ", rules: [{operations: [CREATE, UPDATE], apiGroups: [''], apiVersions: [v1], resources: [pods]}]",
       "not simulated: ValidatingWebhookConfiguration.webhooks.rules.operations UPDATE"},
      {"other resources", service + ", rules: [{operations: [CREATE], apiGroups: [''], apiVersions: [v1], resources: [pods, services]}]",
       "not simulated: ValidatingWebhookConfiguration.webhooks.rules.resources services"},
      {"a Service that is not there", rules + ", clientConfig: {service: {namespace: policy, name: hok}}", "webhook pods.policy.example: there is no Service policy/hok, so every call of it fails"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const std::string said = told(with(hook(one.fields)));
    EXPECT_NE(said.find(one.message), std::string::npos) << said;
  }
  EXPECT_NE(told(with("  - {name: pods, " + service + ", " + rules + "}\n")).find("'pods' is no valid name of a webhook"), std::string::npos);
  EXPECT_NE(told(with("  - {name: pods, " + service + ", " + rules + "}\n")).find("a webhook needs 'sideEffects'"), std::string::npos);
  const std::string twice = told(with(hook(service + ", " + rules) + hook(service + ", " + rules)));
  EXPECT_NE(twice.find("there are two webhooks with the name 'pods.policy.example'"), std::string::npos) << twice;
  const std::string again = "  ---\n  {apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: policy}, webhooks: []}\n";
  EXPECT_NE(told(with(hook(service + ", " + rules), again)).find("there are two ValidatingWebhookConfigurations with the name 'policy'"), std::string::npos);
}

TEST(WebhookManifests, CirclesAreToldBeforeARun) {
  const std::string catches = std::string(kService) + ", " + std::string(kRules);
  EXPECT_NE(told(with(hook(catches))).find("circular dependency: webhook pods.policy.example -> Deployment policy/engine -> webhook pods.policy.example"), std::string::npos);
  for (const std::string_view open : {", failurePolicy: Ignore", ", namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [policy]}]}",
                                      ", objectSelector: {matchExpressions: [{key: app, operator: NotIn, values: [engine]}]}"}) {
    EXPECT_EQ(told(with(hook(catches + std::string(open)))).find("circular"), std::string::npos) << open;
  }
}

// Each leaves itself out, and must be admitted by the other.
TEST(WebhookManifests, TwoThatAdmitEachOtherAreACircle) {
  const auto of = [](const std::string& name, const std::string& service) {
    return "  - {name: " + name + ".policy.example, sideEffects: None, admissionReviewVersions: [v1], clientConfig: {service: {namespace: policy, name: " + service + "}}, " +
           std::string(kRules) + ", objectSelector: {matchExpressions: [{key: app, operator: NotIn, values: [" + name + "]}]}}\n";
  };
  const std::string other = R"(  ---
  {apiVersion: v1, kind: Service, metadata: {name: second, namespace: policy}, spec: {selector: {app: second}}}
  ---
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: second, namespace: policy}
  spec:
    selector: {matchLabels: {app: second}}
    template: {metadata: {labels: {app: second}}, spec: {containers: [{name: second, image: "engine:1"}]}}
)";
  const std::string said = told(with(of("engine", "hook") + of("second", "second"), other));
  EXPECT_NE(said.find("webhook engine.policy.example -> Deployment policy/engine -> webhook second.policy.example -> Deployment policy/second -> webhook engine.policy.example"),
            std::string::npos)
      << said;
}

}  // namespace
}  // namespace sim::scenario
