// The fields of the sections `traffic:` and `kubeProxy:`.
#include <fmt/format.h>

#include "sim/scenario/scenario_fields.hpp"
#include "sim/scenario/traffic.hpp"

namespace sim::traffic {

using scenario::Fields;
using scenario::Node;
using scenario::Reader;

void describe(Fields<ProxyConfig>& fields) {
  fields.title("kube-proxy, on every node.")
      .choice("mode", &ProxyConfig::mode,
              std::vector<std::pair<std::string, ProxyConfig::Mode>>{
                  {"iptables", ProxyConfig::Mode::kIptables}, {"nftables", ProxyConfig::Mode::kNftables}, {"ipvs", ProxyConfig::Mode::kIpvs}},
              "As in a KubeProxyConfiguration: what minSyncPeriod is unless it is given.")
      .add("minSyncPeriod", &ProxyConfig::min_sync, "From the end of one run to the next.")
      .default_text("1s; ipvs: 0s")
      .add("syncTime", &ProxyConfig::sync_time, "How long a run takes, until its rules are in force (10 to 100 ms; seconds with ten thousand endpoints).");
}

void describe(Fields<LoadBalancerConfig>& fields) {
  fields.title("What brings requests to the nodes from outside, and looks whether they answer.")
      .add("interval", &LoadBalancerConfig::interval, "Between two looks.")
      .add("unhealthyThreshold", &LoadBalancerConfig::unhealthy_threshold, 1, 1000, "Looks without an answer until a node gets no more requests.")
      .add("healthyThreshold", &LoadBalancerConfig::healthy_threshold, 1, 1000, "Looks with an answer until it gets some again.")
      .rule([](const LoadBalancerConfig& to, Node node, Reader& reader) {
        if (to.interval <= SimDuration::zero()) reader.diagnostics.error(node.find("interval"), "'interval' must be longer than 0s");
      });
}

void describe(Fields<RateChange>& fields) {
  fields.title("Another rate from a time on.")
      .add("at", &RateChange::at, "From the start of the run.").required()
      .add("requestsPerSecond", &RateChange::requests_per_second, 0.0, 1e9, "From then on.").required();
}

}  // namespace sim::traffic

namespace sim::scenario {

void describe(Fields<FlowSpec>& fields) {
  fields.title("Requests to a Service.")
      .add("service", &FlowSpec::service, "namespace/name of the Service.").required()
      .add("requestsPerSecond", &FlowSpec::requests_per_second, 0.0, 1e9, "Mean rate, retries not counted; requests come at random (a Poisson process).").required()
      .add("profile", &FlowSpec::profile, "Other rates, each from a time on.")
      .add("serviceTime", &FlowSpec::service_time, "Mean time that a worker takes for a request on an idle machine (exponential); a machine that is slowed down takes longer.").required()
      .add("workers", &FlowSpec::workers, 1, 1'000'000, "Requests that a pod works on at the same time; the others wait, first come first served.")
      .add("timeout", &FlowSpec::timeout, "A client gives an attempt up after this.")
      .add("retries", &FlowSpec::retries, 0, 20, "Further attempts after one that failed, at once, each to an endpoint chosen anew.")
      .fraction("acceptable", &FlowSpec::acceptable, "When fewer of the requests are answered it is an outage (requests-failing).")
      .add("from", &FlowSpec::from, "Pools on whose nodes the clients are, or through whose nodes the requests come in.")
      .default_text("all nodes but the control plane's")
      .add("loadBalancer", &FlowSpec::load_balancer, "The requests come from outside, through a load balancer, to kube-proxy on those nodes; without it the clients are on the nodes themselves.")
      .rule([](const FlowSpec& to, Node node, Reader& reader) {
        if (to.service_time <= SimDuration::zero()) reader.diagnostics.error(node.find("serviceTime"), "'serviceTime' must be longer than 0s");
        if (to.timeout <= SimDuration::zero()) reader.diagnostics.error(node.find("timeout"), "'timeout' must be longer than 0s");
      });
}

void add_traffic(Fields<ScenarioFile>& fields) {
  const auto part = [&fields](std::string_view name, TypeInfo type, std::string_view doc, auto&& read) {
    fields.custom(name, std::move(type), doc, [read](Node node, ScenarioFile& to, Reader& reader) {
      auto spec = to.spec.traffic == nullptr ? std::make_shared<TrafficSpec>() : std::make_shared<TrafficSpec>(*to.spec.traffic);
      const bool good = read(node, *spec, reader);
      to.spec.traffic = std::move(spec);
      return good;
    });
  };
  TypeInfo flows = Codec<FlowSpec>::type();
  flows.kind = TypeInfo::Kind::kNamed;
  part("traffic", std::move(flows), "What users ask of Services, by a name of yours: how much of it is answered, and how soon (docs/models/traffic.md).",
       [](Node node, TrafficSpec& to, Reader& reader) { return read_named(node, to.flows, "flow", reader); });
  part("kubeProxy", Codec<traffic::ProxyConfig>::type(), "kube-proxy: how soon the nodes follow a change of endpoints. Only `traffic` sees it.",
       [](Node node, TrafficSpec& to, Reader& reader) { return Codec<traffic::ProxyConfig>::read(node, to.proxy, reader, "kubeProxy"); });
}

}  // namespace sim::scenario
