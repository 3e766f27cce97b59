/// The part that pods and templates share.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sim/loop/kinds/rules.hpp"
#include "sim/loop/store/selectors.hpp"
#include "sim/models/kubernetes/api/admission.hpp"
#include "sim/models/kubernetes/api/resources.hpp"

namespace sim::loop {

namespace {

void default_probe(Json& container, std::string_view name) {
  Json* probe = container.find(name);
  if (probe == nullptr || !probe->is_object()) return;
  probe->set_default("timeoutSeconds", 1);
  probe->set_default("periodSeconds", 10);
  probe->set_default("successThreshold", 1);
  probe->set_default("failureThreshold", 3);
  if (Json* http = probe->find("httpGet"); http != nullptr && http->is_object()) {
    http->set_default("path", "/");
    http->set_default("scheme", "HTTP");
  }
  if (Json* grpc = probe->find("grpc"); grpc != nullptr && grpc->is_object()) grpc->set_default("service", "");
}

void default_container(Json& container, bool host_network) {
  container.set_default("imagePullPolicy", k8s::default_pull_policy(container.at("image").text()) == k8s::PullPolicy::kAlways ? "Always" : "IfNotPresent");
  container.set_default("terminationMessagePath", "/dev/termination-log");
  container.set_default("terminationMessagePolicy", "File");
  container.set_default("resources", Json::object());
  if (Json* ports = container.find("ports")) {
    for (Json& port : ports->items()) {
      port.set_default("protocol", "TCP");
      if (host_network && port.at("hostPort").as_integer() == 0) port.set("hostPort", port.at("containerPort"));
    }
  }
  for (const std::string_view probe : {"livenessProbe", "readinessProbe", "startupProbe"}) default_probe(container, probe);
  Json& resources = container["resources"];
  if (const Json* limits = resources.find("limits"); limits != nullptr && limits->is_object()) {
    const Json copy = *limits;
    for (const Member& limit : copy.members()) resources["requests"].set_default(limit.key, limit.value);
  }
  if (Json* env = container.find("env")) {
    for (Json& variable : env->items()) {
      if (Json* from = variable.find("valueFrom")) {
        if (Json* field = from->find("fieldRef"); field != nullptr && field->is_object()) field->set_default("apiVersion", "v1");
      }
    }
  }
}

void default_volume(Json& volume) {
  constexpr int kMode = 0644;
  if (volume.size() <= 1) volume.set("emptyDir", Json::object());
  for (const std::string_view source : {"configMap", "secret", "projected", "downwardAPI"}) {
    if (Json* found = volume.find(source); found != nullptr && found->is_object()) found->set_default("defaultMode", kMode);
  }
  if (Json* path = volume.find("hostPath"); path != nullptr && path->is_object()) path->set_default("type", "");
  if (Json* projected = volume.find("projected")) {
    if (Json* sources = projected->find("sources")) {
      for (Json& source : sources->items()) {
        if (Json* token = source.find("serviceAccountToken")) token->set_default("expirationSeconds", 3600);
      }
    }
  }
}

void validate_quantities(const Json& amounts, const std::string& path, FieldErrors& errors) {
  for (const Member& amount : amounts.members()) {
    if (!amount.value.is_string() && !amount.value.is_number()) continue;
    const std::string text = amount.value.is_string() ? amount.value.text() : amount.value.dump();
    const std::optional<std::int64_t> value = k8s::parse_quantity_milli(text);
    if (!value) {
      errors.invalid(fmt::format("{}[{}]", path, amount.key), amount.value,
                     "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    } else if (*value < 0) {
      errors.invalid(fmt::format("{}[{}]", path, amount.key), text, "must be greater than or equal to 0");
    }
  }
}

bool is_dns_label(const std::string& text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= 63 && letter(text.front()) && letter(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || c == '-'; });
}

}  // namespace

void default_pod_spec(Json& spec) {
  if (!spec.is_object()) return;
  spec.set_default("restartPolicy", "Always");
  spec.set_default("terminationGracePeriodSeconds", 30);
  spec.set_default("dnsPolicy", "ClusterFirst");
  spec.set_default("securityContext", Json::object());
  spec.set_default("schedulerName", "default-scheduler");
  const bool host_network = spec.at("hostNetwork").as_bool();
  for (const std::string_view list : {"initContainers", "containers"}) {
    Json* containers = spec.find(list);
    if (containers == nullptr) continue;
    for (Json& container : containers->items()) {
      if (container.is_object()) default_container(container, host_network);
    }
  }
  if (Json* volumes = spec.find("volumes")) {
    for (Json& volume : volumes->items()) {
      if (volume.is_object()) default_volume(volume);
    }
  }
  if (const Json* account = spec.find("serviceAccountName"); account != nullptr && !account->text().empty()) {
    const Json name = *account;
    spec.set_default("serviceAccount", name);
  }
}

void default_pod_template(Json& workload_spec) {
  if (Json* pods = workload_spec.find("template"); pods != nullptr && pods->is_object()) {
    if (Json* spec = pods->find("spec")) default_pod_spec(*spec);
  }
}

void validate_pod_spec(const Json& spec, const std::string& path, FieldErrors& errors) {
  if (spec.at("containers").is_empty()) errors.required(path + ".containers", "");
  std::set<std::string> taken;
  for (const std::string_view list : {"initContainers", "containers"}) {
    const Json::Array& containers = spec.at(list).items();
    for (std::size_t i = 0; i < containers.size(); ++i) {
      const Json& container = containers[i];
      const std::string at = fmt::format("{}.{}[{}]", path, list, i);
      const std::string& name = container.at("name").text();
      if (name.empty()) {
        errors.required(at + ".name", "");
      } else if (!is_dns_label(name)) {
        errors.invalid(at + ".name", name, "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. "
                                           "'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')");
      } else if (!taken.insert(name).second) {
        errors.invalid(at + ".name", name, "duplicate");
      }
      if (container.at("image").text().empty()) errors.required(at + ".image", "");
      const Json& resources = container.at("resources");
      validate_quantities(resources.at("limits"), at + ".resources.limits", errors);
      validate_quantities(resources.at("requests"), at + ".resources.requests", errors);
      for (const Member& request : resources.at("requests").members()) {
        const Json* limit = resources.at("limits").find(request.key);
        if (limit == nullptr) continue;
        const auto wanted = k8s::parse_quantity_milli(request.value.is_string() ? request.value.text() : request.value.dump());
        const auto most = k8s::parse_quantity_milli(limit->is_string() ? limit->text() : limit->dump());
        if (wanted && most && *wanted > *most) {
          errors.invalid(at + ".resources.requests", request.value, fmt::format("must be less than or equal to {} limit of {}", request.key, limit->is_string() ? limit->text() : limit->dump()));
        }
      }
    }
  }
  const std::string& restart = spec.at("restartPolicy").text();
  if (!restart.empty() && restart != "Always" && restart != "OnFailure" && restart != "Never") {
    errors.not_supported(path + ".restartPolicy", restart, {"Always", "OnFailure", "Never"});
  }
}

}  // namespace sim::loop
