/// Admission webhooks that run in the cluster: whether new pods, ReplicaSets and Jobs are let in while what must admit them answers, or does not.
///
/// The mutating webhooks are asked one after the other, by the names of their configurations, then the validating ones all at a time. Each call goes to the
/// webhook's Service: to one of its endpoints that the API lists as ready (those that terminate and still serve, when there is no other). What answers lets the
/// object in. Without an answer failurePolicy decides: Fail refuses the object, with the words of the API server; Ignore lets it in. A call to a pod on a machine
/// that is silent takes the whole timeoutSeconds, one without endpoints no time.
///
/// A webhook is in force from when its Service first has an endpoint, at the latest from the end of the warm-up: it was installed into a cluster that ran.
///
/// Source:     apiserver pkg/admission/plugin/webhook/{validating,mutating}/dispatcher.go, predicates/{namespace,object,rules}, pkg/util/webhook/{client,error}.go;
///             kube-aggregator pkg/apiserver/resolvers.go and apiserver pkg/util/proxy/proxy.go (--enable-aggregator-routing); reference kubernetes 4.12, 7.3.
/// Leaves out: other operations than CREATE, other resources (updates of status and leases among them), matchConditions, reinvocation; what a webhook
///             changes or rejects; the time of an answer; TLS. A webhook with clientConfig.url, or behind a Service without a
///             selector, is outside and answers.
/// Checked by: tests/chaos/webhooks_test.cpp, the scenarios webhook-*.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/random.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/api/create_review.hpp"
#include "sim/models/kubernetes/control_plane/control_plane.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"
#include "sim/models/kubernetes/proxy/service_watch.hpp"
#include "sim/models/webhooks/configuration.hpp"

namespace sim::webhooks {

struct WebhooksConfig {
  std::vector<Configuration> configurations;
  /// --enable-aggregator-routing: the API server asks the endpoints themselves, not the Service's address (whose rules are kube-proxy's).
  bool aggregator_routing = false;
  SimTime in_force_from{};  // at the latest
};

class Webhooks final : public k8s::CreateReviewer {
 public:
  Webhooks(Engine& engine, const Randomness& random, const host::Hosts& hosts, k8s::ApiServer& api, const k8s::ControlPlane& control_plane,
           k8s::Kubelets& kubelets, WebhooksConfig config);

  void start() { watch_.start(); }
  k8s::CreateReview review(k8s::Kind kind, Symbol ns, const k8s::Labels& labels) override;

 private:
  struct Hook {
    Webhook webhook;
    bool mutates = false;
    std::size_t watched = 0;
    bool in_force = false;
    RandomStream endpoint;  // which one a call goes to
  };
  struct Call {
    bool answered = false;
    std::string error;  // of a call that was not
    CauseId cause{};
    SimDuration took{};
  };
  bool is_in_force(Hook& hook) const;
  Call call(Hook& hook);
  /// Where the request comes from: the API server that kube-controller-manager uses; none for an external control plane.
  host::HostId api_server_host() const;

  Engine& engine_;
  const host::Hosts& hosts_;
  k8s::ApiServer& api_;
  const k8s::ControlPlane& control_plane_;
  k8s::Kubelets& kubelets_;
  WebhooksConfig config_;
  k8s::ServiceWatch watch_;
  std::vector<Hook> hooks_;  // in the order in which they are asked
};

}  // namespace sim::webhooks
