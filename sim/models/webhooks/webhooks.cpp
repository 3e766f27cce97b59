#include "sim/models/webhooks/webhooks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sim::webhooks {

using k8s::Endpoints;
using k8s::Pod;
using k8s::Ref;

namespace {

/// --request-timeout: all webhooks of one request share it.
constexpr SimDuration kRequestTimeout = std::chrono::seconds(60);

}  // namespace

bool is_asked(const Webhook& webhook, k8s::Kind kind, const k8s::Labels& of_namespace, const k8s::Labels& of_object, const Interner& names) {
  return webhook.resources.has(kind) && (!webhook.namespaces || webhook.namespaces->matches(of_namespace, names)) &&
         (!webhook.objects || webhook.objects->matches(of_object, names));
}

Webhooks::Webhooks(Engine& engine, const Randomness& random, const host::Hosts& hosts, k8s::ApiServer& api, const k8s::ControlPlane& control_plane,
                   k8s::Kubelets& kubelets, WebhooksConfig config)
    : engine_(engine), hosts_(hosts), api_(api), control_plane_(control_plane), kubelets_(kubelets), config_(std::move(config)), watch_(engine, api, kubelets) {
  const Interner& names = api.names();
  std::stable_sort(config_.configurations.begin(), config_.configurations.end(), [&](const Configuration& a, const Configuration& b) {
    return a.mutates != b.mutates ? a.mutates : names.text(a.meta.name) < names.text(b.meta.name);
  });
  for (const Configuration& configuration : config_.configurations) {
    for (const Webhook& webhook : configuration.webhooks) {
      const std::size_t watched = webhook.service ? watch_.follow(webhook.service_ns, webhook.service) : 0;
      hooks_.push_back(Hook{webhook, configuration.mutates, watched, false,
                            random.stream("webhook/endpoint", fmt::format("{}/{}", names.text(configuration.meta.name), webhook.name))});
    }
  }
}

bool Webhooks::is_in_force(Hook& hook) const {
  if (!hook.in_force) hook.in_force = engine_.now() >= config_.in_force_from || (hook.webhook.service && watch_.serves(hook.watched));
  return hook.in_force;
}

host::HostId Webhooks::api_server_host() const {
  if (control_plane_.is_external()) return {};
  const std::optional<std::size_t> leader = control_plane_.leader(k8s::Component::kControllerManager);
  return leader ? control_plane_.member_host(*leader) : host::HostId{};
}

Webhooks::Call Webhooks::call(Hook& hook) {
  const Webhook& webhook = hook.webhook;
  const Interner& names = api_.names();
  Call call;
  const std::string host = fmt::format("{}.{}.svc", names.text(webhook.service), names.text(webhook.service_ns));
  const auto failed = [&](const std::string& error, CauseId cause) {
    call.error = fmt::format("failed calling webhook \"{}\": failed to call webhook: Post \"https://{}:{}{}?timeout={}s\": {}", webhook.name, host, webhook.port,
                             webhook.path.empty() ? "/" : webhook.path, webhook.timeout_seconds, error);
    call.cause = cause;
    return call;
  };
  const k8s::Service* service = api_.get(api_.find<k8s::Service>(webhook.service_ns, webhook.service));
  if (service == nullptr) return failed(fmt::format("service \"{}\" not found", names.text(webhook.service)), CauseId{});
  if (!service->has_selector) {  // somebody else says where it is: outside
    call.answered = true;
    return call;
  }
  std::vector<Ref<Pod>> candidates;
  if (const Endpoints* endpoints = api_.get(api_.find<Endpoints>(webhook.service_ns, webhook.service))) {
    for (const Endpoints::Address& address : endpoints->addresses) {
      if (address.ready) candidates.push_back(address.pod);
    }
    if (candidates.empty() && !config_.aggregator_routing) {
      // kube-proxy: with no ready endpoint, those that terminate and are still serving.
      for (const Endpoints::Address& address : endpoints->addresses) {
        if (address.terminating && kubelets_.is_serving(address.pod)) candidates.push_back(address.pod);
      }
    }
  }
  if (candidates.empty()) {
    return failed(config_.aggregator_routing ? fmt::format("no endpoints available for service \"{}\"", names.text(webhook.service))
                                             : fmt::format("dial tcp {}:{}: connect: connection refused", host, webhook.port),
                  watch_.cause(hook.watched));
  }
  const std::size_t chosen = candidates.size() == 1 ? 0 : static_cast<std::size_t>(hook.endpoint.uniform_int(0, std::ssize(candidates) - 1));
  const Ref<Pod> pod = candidates[chosen];
  const Pod* object = api_.get(pod);
  const host::HostId to = object == nullptr ? host::HostId{} : kubelets_.host_of(object->node);
  const host::HostId from = api_server_host();
  const bool reaches = to && (from ? hosts_.reachable(from, to) : hosts_.has_network(to));
  if (reaches && kubelets_.is_serving(pod)) {
    call.answered = true;
    return call;
  }
  CauseId cause = object != nullptr ? object->meta.cause : CauseId{};
  if (to && !reaches) cause = hosts_.last_cause(hosts_.is_running(to) && hosts_.has_network(to) && from ? from : to);
  if (!cause) cause = watch_.cause(hook.watched);
  if (!to || (reaches && hosts_.is_running(to) && !kubelets_.is_really_running(pod))) {
    return failed(fmt::format("dial tcp {}:{}: connect: connection refused", host, webhook.port), cause);
  }
  call.took = std::chrono::seconds(webhook.timeout_seconds);
  return failed("context deadline exceeded", cause);
}

k8s::CreateReview Webhooks::review(k8s::Kind kind, Symbol ns, const k8s::Labels& labels) {
  k8s::CreateReview review;
  static const k8s::Labels kNone;
  const k8s::Namespace* space = api_.get(api_.find<k8s::Namespace>(Symbol{}, ns));
  const k8s::Labels& of_namespace = space == nullptr ? kNone : space->meta.labels;
  SimDuration in_turn{};    // the mutating ones, one after the other
  SimDuration together{};   // the validating ones
  for (Hook& hook : hooks_) {
    if (!hook.webhook.service || !is_asked(hook.webhook, kind, of_namespace, labels, api_.names()) || !is_in_force(hook)) continue;
    const Call answer = call(hook);
    if (hook.mutates) in_turn += answer.took;
    else together = std::max(together, answer.took);
    if (answer.answered || !hook.webhook.fails_closed || !review.allowed) continue;
    review.allowed = false;
    review.message = "Internal error occurred: " + answer.error;
    review.cause = answer.cause;
    if (hook.mutates) break;  // nobody else is asked
  }
  review.took = in_turn + together;
  if (review.took > kRequestTimeout) {
    review.took = kRequestTimeout;
    if (review.allowed) review.message = "Timeout: request did not complete within requested timeout - context deadline exceeded";
    review.allowed = false;
  }
  return review;
}

}  // namespace sim::webhooks
