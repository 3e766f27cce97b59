#include "sim/scenario/manifests/object_reader.hpp"

#include <algorithm>

#include "sim/models/kubernetes/api/admission.hpp"

namespace sim::scenario::manifests {

namespace {

constexpr Names kContainerFields[] = {"name", "image", "command", "args", "workingDir", "ports", "envFrom", "env", "resources", "resizePolicy", "restartPolicy",
                                      "restartPolicyRules", "volumeMounts", "volumeDevices", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle",
                                      "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "securityContext", "stdin", "stdinOnce", "tty"};

}  // namespace

std::optional<Probe> ObjectReader::probe(Yaml parent, std::string_view key) {
  const Yaml node = map(parent, key);
  if (!node) return std::nullopt;
  Probe result;
  result.initial_delay_seconds = integer_or(node, "initialDelaySeconds", 0);
  result.timeout_seconds = std::max<std::int64_t>(1, integer_or(node, "timeoutSeconds", 1));  // 0 is defaulted
  const std::int64_t period = integer_or(node, "periodSeconds", 10);
  result.period_seconds = period == 0 ? 10 : period;
  const std::int64_t success = integer_or(node, "successThreshold", 1);
  result.success_threshold = success == 0 ? 1 : success;
  const std::int64_t failure = integer_or(node, "failureThreshold", 3);
  result.failure_threshold = failure == 0 ? 3 : failure;
  result.is_exec = !node.find("exec").is_null();
  result.is_http = !node.find("httpGet").is_null();
  for (const std::string_view handler : {"httpGet", "tcpSocket", "grpc"}) {
    const Yaml port = map(node, handler).find("port");
    if (const std::optional<std::int64_t> number = port.as_integer()) {
      result.port = static_cast<std::int32_t>(std::clamp<std::int64_t>(*number, 0, 65535));
    } else if (port.is_string()) {
      result.port_name = symbol(map(node, handler), "port");
    }
  }
  if (key != "readinessProbe" && result.success_threshold != 1) impossible(node.find("successThreshold"), "must be 1 for liveness and startup probes");
  return result;
}

Container ObjectReader::container(Yaml node, bool is_init) {
  Container c;
  c.name = symbol(node, "name");
  expect_fields(node, "Pod.spec.containers", kContainerFields);
  if (!c.name) impossible(node, "a container needs 'name'");
  const std::string_view image = text(node, "image");
  if (image.empty() && node.find("image").is_null()) impossible(node, "a container needs 'image'");
  c.image = intern(normalised_image(image));
  c.pull_policy = default_pull_policy(image);
  if (!node.find("imagePullPolicy").is_null()) {
    c.pull_policy = word<PullPolicy>(node, "imagePullPolicy", {{"IfNotPresent", PullPolicy::kIfNotPresent}, {"Always", PullPolicy::kAlways}, {"Never", PullPolicy::kNever}});
  }
  const Yaml amounts = map(node, "resources");
  Given requests;
  Given limits;
  c.requests = resources(map(amounts, "requests"), &requests);
  c.limits = resources(map(amounts, "limits"), &limits);
  c.has_cpu_request = requests.cpu;
  c.has_memory_request = requests.memory;
  c.has_cpu_limit = limits.cpu;
  c.has_memory_limit = limits.memory;
  if (requests.cpu && limits.cpu && c.requests.cpu_milli > c.limits.cpu_milli) {
    impossible(map(amounts, "requests").find("cpu"), "the request for cpu is larger than the limit");
  }
  if (requests.memory && limits.memory && c.requests.memory > c.limits.memory) {
    impossible(map(amounts, "requests").find("memory"), "the request for memory is larger than the limit");
  }
  for (const Yaml entry : maps(node, "ports")) {
    ContainerPort port;
    port.name = symbol(entry, "name");
    port.container_port = static_cast<std::int32_t>(integer_or(entry, "containerPort", 0, 1, 65535));
    if (entry.find("containerPort").is_null()) impossible(entry, "a port needs 'containerPort'");
    port.host_port = static_cast<std::int32_t>(integer_or(entry, "hostPort", 0, 0, 65535));
    // No address and 0.0.0.0 are the same to everybody who asks.
    if (text(entry, "hostIP") != "0.0.0.0") port.host_ip = symbol(entry, "hostIP");
    port.protocol = word<Protocol>(entry, "protocol", {{"TCP", Protocol::kTcp}, {"UDP", Protocol::kUdp}, {"SCTP", Protocol::kSctp}});
    c.ports.push_back(port);
  }
  c.readiness_probe = probe(node, "readinessProbe");
  c.liveness_probe = probe(node, "livenessProbe");
  c.startup_probe = probe(node, "startupProbe");
  if (is_init) c.is_sidecar = text(node, "restartPolicy") == "Always";
  for (const std::string_view key : {"volumeMounts", "volumeDevices"}) {
    for (const Yaml mount : maps(node, key)) {
      if (const Symbol name = symbol(mount, "name")) c.volume_mounts.push_back(name);
    }
  }
  not_simulated(map(node, "lifecycle").find("preStop"), "containers.lifecycle.preStop");
  not_simulated(map(node, "lifecycle").find("postStart"), "containers.lifecycle.postStart");
  not_simulated(amounts.find("claims"), "containers.resources.claims");
  return c;
}

}  // namespace sim::scenario::manifests
