/// status, scale, binding, eviction, log, token, finalize, approval; the reviews.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sim/loop/json/yaml.hpp"
#include "sim/loop/patch/patches.hpp"
#include "sim/loop/protobuf/protobuf.hpp"
#include "sim/loop/rest/api.hpp"

namespace sim::loop {

namespace {

Subject about(const ResourceInfo& resource, std::string_view name) { return {resource.group, resource.plural, std::string(name)}; }

std::optional<Json> plain_body(const Request& request, std::string& error) {
  if (request.content_type.starts_with("application/vnd.kubernetes.protobuf")) return parse_protobuf(request.body, error);
  if (request.content_type.starts_with("application/yaml")) return parse_yaml(request.body, error);
  return parse_json(request.body, error);
}

std::string selector_string(const Json& selector) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ",") + part; };
  for (const Member& m : selector.at("matchLabels").members()) add(fmt::format("{}={}", m.key, m.value.text()));
  for (const Json& e : selector.at("matchExpressions").items()) {
    std::string values;
    for (const Json& v : e.at("values").items()) values += (values.empty() ? "" : ",") + v.text();
    const std::string& op = e.at("operator").text();
    if (op == "Exists") add(e.at("key").text());
    if (op == "DoesNotExist") add("!" + e.at("key").text());
    if (op == "In") add(fmt::format("{} in ({})", e.at("key").text(), values));
    if (op == "NotIn") add(fmt::format("{} notin ({})", e.at("key").text(), values));
  }
  return text;
}

/// ".spec.replicas" of a custom resource's scale.
const Json& by_simple_path(const Json& document, std::string_view path) {
  const Json* here = &document;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('.'), path.size());
    here = &here->at(path.substr(0, end));
    path.remove_prefix(end);
  }
  return *here;
}
void set_by_simple_path(Json& document, std::string_view path, Json value) {
  Json* here = &document;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('.'), path.size());
    here = &(*here)[path.substr(0, end)];
    path.remove_prefix(end);
  }
  *here = std::move(value);
}

}  // namespace

Response Api::subresource(const Request& request, const Target& target) {
  const std::string& name = target.subresource;
  const ResourceInfo& resource = *target.served.resource;
  const SubresourceInfo& info = *resource.subresource(name);
  const std::string& method = request.method;
  const std::string_view verb = method == "GET" ? "get" : method == "POST" ? "create" : method == "PUT" ? "update" : method == "PATCH" ? "patch" : "delete";
  if (std::find(info.verbs.begin(), info.verbs.end(), verb) == info.verbs.end()) return answer(method_not_supported({resource.group, resource.plural, {}}, verb));
  if (name == "scale") return scale(request, target);
  if (name == "binding") return bind(request, target);
  if (name == "eviction") return evict(request, target);
  if (name == "log") return log(request, target);
  if (name == "token") return token(request, target);
  if (name == "finalize") return finalize_namespace(request, target);
  if (name == "status" || name == "approval" || name == "ephemeralcontainers" || name == "resize") {
    Target main = target;
    if (name == "resize" || name == "ephemeralcontainers") return answer(Refusal{501, status(501, "NotImplemented", fmt::format("pods/{} is not simulated", name))});
    if (name == "approval") main.subresource = "status";
    if (method == "GET") return get(request, main);
    return method == "PUT" ? update(request, main) : patch(request, main);
  }
  return answer(Refusal{501, status(501, "NotImplemented", fmt::format("{}/{} is not simulated: no container stands behind this pod", resource.plural, name))});
}

Response Api::scale(const Request& request, const Target& target) {
  const ResourceInfo& resource = *target.served.resource;
  const Document document = store_.get(resource, target.ns, target.name);
  if (document == nullptr) return answer(not_found(about(resource, target.name)));
  const CustomResource* custom = target.served.custom;
  const std::string spec_path = custom == nullptr ? ".spec.replicas" : custom->scale.at("specReplicasPath").text();
  const std::string status_path = custom == nullptr ? ".status.replicas" : custom->scale.at("statusReplicasPath").text();
  const auto scale_of = [&](const Json& from) {
    Json metadata = Json::object();
    for (const std::string_view field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) metadata.set(field, from.at({"metadata", field}));
    Json result = Json::object({{"kind", "Scale"}, {"apiVersion", "autoscaling/v1"}, {"metadata", metadata},
                                {"spec", Json::object({{"replicas", by_simple_path(from, spec_path).as_integer()}})},
                                {"status", Json::object({{"replicas", by_simple_path(from, status_path).as_integer()}})}});
    const std::string selector = custom == nullptr ? selector_string(from.at({"spec", "selector"}))
                                                   : (custom->scale.at("labelSelectorPath").is_null() ? std::string() : by_simple_path(from, custom->scale.at("labelSelectorPath").text()).text());
    if (!selector.empty()) result["status"].set("selector", selector);
    return result;
  };
  if (request.method == "GET") return answer(200, scale_of(*document));
  std::string error;
  const std::optional<Json> body = request.method == "PATCH" && request.content_type.starts_with("application/apply") ? parse_yaml(request.body, error) : plain_body(request, error);
  if (!body) return answer(bad_request(error));
  Json wanted = scale_of(*document);
  if (request.method == "PUT") {
    wanted = *body;
  } else if (request.content_type.starts_with("application/json-patch+json")) {
    if (const std::string wrong = json_patch(wanted, *body); !wrong.empty()) return answer(Refusal{422, status(422, "Invalid", wrong)});
  } else {
    merge_patch(wanted, *body);
  }
  const std::string& version = wanted.at({"metadata", "resourceVersion"}).text();
  if (!version.empty() && version != document->at({"metadata", "resourceVersion"}).text()) {
    return answer(conflict(about(resource, target.name), "the object has been modified; please apply your changes to the latest version and try again"));
  }
  const Json& replicas = wanted.at({"spec", "replicas"});
  if (!replicas.is_null() && (!replicas.is_integer() || replicas.as_integer() < 0)) {
    FieldErrors errors;
    errors.invalid("spec.replicas", replicas, "must be greater than or equal to 0");
    return answer(invalid({"autoscaling", "Scale", target.name}, errors));
  }
  Json changed = *document;
  set_by_simple_path(changed, spec_path, replicas.as_integer());
  if (std::optional<Refusal> refusal = finish_update(target.served, document, changed, "")) return answer(*refusal);
  track_update(document.get(), changed, shape_of(target.served), manager_of(request, target.served, "Update", "scale"), store_.timestamp());
  Document result;
  const bool dry_run = request.parameter("dryRun") == "All";
  if (std::optional<Refusal> refusal = store_.update(resource, document, std::move(changed), "", dry_run, result)) return answer(*refusal);
  return answer(200, scale_of(*result));
}

Response Api::bind(const Request& request, const Target& target) {
  const ResourceInfo& resource = *target.served.resource;
  std::string error;
  const std::optional<Json> body = plain_body(request, error);
  if (!body) return answer(bad_request(error));
  const Document pod = store_.get(resource, target.ns, target.name);
  if (pod == nullptr) return answer(not_found(about(resource, target.name)));
  const std::string& node = body->at({"target", "name"}).text();
  FieldErrors errors;
  if (node.empty()) errors.required("target.name", "");
  const std::string& kind = body->at({"target", "kind"}).text();
  if (!kind.empty() && kind != "Node") errors.not_supported("target.kind", kind, {"Node", "<empty>"});
  if (!errors.is_empty()) return answer(invalid({"", "Binding", target.name}, errors));
  const auto refuse = [&](std::string_view why) {
    return answer(conflict({"", "pods/binding", target.name}, why));
  };
  const std::string& uid = body->at({"metadata", "uid"}).text();
  if (!uid.empty() && uid != pod->at({"metadata", "uid"}).text()) {
    return refuse(fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", uid, pod->at({"metadata", "uid"}).text()));
  }
  if (!pod->at({"metadata", "deletionTimestamp"}).is_null()) return refuse(fmt::format("pod {} is being deleted, cannot be assigned to a host", target.name));
  if (!pod->at({"spec", "nodeName"}).text().empty()) return refuse(fmt::format("pod {} is already assigned to node \"{}\"", target.name, pod->at({"spec", "nodeName"}).text()));
  if (!pod->at({"spec", "schedulingGates"}).is_empty()) return refuse(fmt::format("pod {} has non-empty .spec.schedulingGates", target.name));
  if (request.parameter("dryRun") != "All") {
    if (platform_ != nullptr) {
      if (std::optional<Refusal> refusal = platform_->bind(*pod, node)) return answer(*refusal);
    } else {
      Json changed = *pod;
      changed["spec"].set("nodeName", node);
      Document result;
      if (std::optional<Refusal> refusal = store_.update(resource, pod, std::move(changed), "binding", false, result)) return answer(*refusal);
    }
  }
  return answer(201, status(201, "", ""));
}

Response Api::evict(const Request& request, const Target& target) {
  const ResourceInfo& resource = *target.served.resource;
  std::string error;
  const std::optional<Json> body = plain_body(request, error);
  if (!body) return answer(bad_request(error));
  const Document pod = store_.get(resource, target.ns, target.name);
  if (pod == nullptr) return answer(not_found(about(resource, target.name)));
  Deletion deletion;
  const Json& options = body->at("deleteOptions");
  if (options.at("gracePeriodSeconds").is_integer()) deletion.grace_seconds = options.at("gracePeriodSeconds").as_integer();
  const std::string& uid = options.at({"preconditions", "uid"}).text();
  if (!uid.empty() && uid != pod->at({"metadata", "uid"}).text()) return answer(conflict(about(resource, target.name), "the UID in the precondition does not match"));
  if (request.parameter("dryRun") == "All" || (!options.at("dryRun").is_empty())) return answer(201, status(201, "", ""));
  if (platform_ != nullptr) {
    if (std::optional<Refusal> refusal = platform_->evict(*pod, deletion)) return answer(*refusal);
  } else {
    Document result;
    bool gone = false;
    if (std::optional<Refusal> refusal = store_.remove(resource, pod, deletion, false, result, gone)) return answer(*refusal);
  }
  return answer(201, status(201, "", ""));
}

Response Api::log(const Request& request, const Target& target) {
  const ResourceInfo& resource = *target.served.resource;
  const Document pod = store_.get(resource, target.ns, target.name);
  if (pod == nullptr) return answer(not_found(about(resource, target.name)));
  std::string container(request.parameter("container"));
  const Json::Array& containers = pod->at({"spec", "containers"}).items();
  if (container.empty()) {
    if (containers.size() != 1) {
      std::string names;
      for (const Json& c : containers) names += (names.empty() ? "" : " ") + c.at("name").text();
      return answer(bad_request(fmt::format("a container name must be specified for pod {}, choose one of: [{}]", target.name, names)));
    }
    container = containers[0].at("name").text();
  }
  bool known = false;
  for (const std::string_view list : {"containers", "initContainers"}) {
    for (const Json& c : pod->at({"spec", list}).items()) known = known || c.at("name").text() == container;
  }
  if (!known) return answer(bad_request(fmt::format("container {} is not valid for pod {}", container, target.name)));
  if (pod->at({"spec", "nodeName"}).text().empty()) return answer(bad_request(fmt::format("container \"{}\" in pod \"{}\" is waiting to start: not scheduled yet", container, target.name)));
  for (const Json& state : pod->at({"status", "containerStatuses"}).items()) {
    const std::string& reason = state.at({"state", "waiting", "reason"}).text();
    if (state.at("name").text() == container && !reason.empty() && state.at("lastState").is_empty()) {
      const std::string why = reason == "ErrImagePull" || reason == "ImagePullBackOff" ? "trying and failing to pull image" : reason;
      return answer(bad_request(fmt::format("container \"{}\" in pod \"{}\" is waiting to start: {}", container, target.name, why)));
    }
  }
  std::vector<Platform::LogLine> lines;
  if (platform_ != nullptr) lines = platform_->log(*pod, container);
  const auto number = [&](std::string_view parameter) -> std::optional<std::int64_t> {
    const std::string_view text = request.parameter(parameter);
    std::int64_t value = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || wrong != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
  };
  if (const auto seconds = number("sinceSeconds")) {
    std::erase_if(lines, [&](const Platform::LogLine& line) { return line.unix_nanoseconds < store_.now_nanoseconds() - *seconds * 1'000'000'000; });
  }
  if (const auto since = parse_rfc3339(request.parameter("sinceTime"))) std::erase_if(lines, [&](const Platform::LogLine& line) { return line.unix_nanoseconds < *since; });
  if (const auto tail = number("tailLines"); tail && *tail >= 0 && static_cast<std::size_t>(*tail) < lines.size()) {
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(*tail));
  }
  Response response;
  response.content_type = "text/plain";
  for (const Platform::LogLine& line : lines) {
    if (request.is_set("timestamps")) response.body += rfc3339_micro(line.unix_nanoseconds) + " ";
    response.body += line.text + "\n";
  }
  if (const auto limit = number("limitBytes"); limit && *limit >= 0 && static_cast<std::size_t>(*limit) < response.body.size()) response.body.resize(static_cast<std::size_t>(*limit));
  return response;
}

Response Api::token(const Request& request, const Target& target) {
  const Document account = store_.get(*target.served.resource, target.ns, target.name);
  if (account == nullptr) return answer(not_found(about(*target.served.resource, target.name)));
  std::string error;
  std::optional<Json> body = plain_body(request, error);
  if (!body) return answer(bad_request(error));
  if (!options_.issue_token) return answer(Refusal{501, status(501, "NotImplemented", "tokens are not issued here")});
  const std::int64_t seconds = body->at({"spec", "expirationSeconds"}).as_integer(3600);
  FieldErrors errors;
  if (seconds < 600) errors.invalid("spec.expirationSeconds", Json(seconds), "may not specify a duration less than 10 minutes");
  if (!errors.is_empty()) return answer(invalid({"authentication.k8s.io", "TokenRequest", ""}, errors));
  Json result = Json::object({{"kind", "TokenRequest"}, {"apiVersion", "authentication.k8s.io/v1"},
                              {"metadata", Json::object({{"name", target.name}, {"namespace", target.ns}, {"creationTimestamp", store_.timestamp()}})}, {"spec", body->at("spec")}});
  result["spec"].set("expirationSeconds", seconds);
  result["status"].set("token", options_.issue_token(fmt::format("system:serviceaccount:{}:{}", target.ns, target.name)));
  result["status"].set("expirationTimestamp", rfc3339(store_.now_nanoseconds() + seconds * 1'000'000'000));
  return answer(201, result);
}

Response Api::finalize_namespace(const Request& request, const Target& target) {
  const ResourceInfo& resource = *target.served.resource;
  std::string error;
  const std::optional<Json> body = plain_body(request, error);
  if (!body) return answer(bad_request(error));
  const Document before = store_.get(resource, {}, target.name);
  if (before == nullptr) return answer(not_found(about(resource, target.name)));
  const std::string& version = body->at({"metadata", "resourceVersion"}).text();
  if (!version.empty() && version != before->at({"metadata", "resourceVersion"}).text()) {
    return answer(conflict(about(resource, target.name), "the object has been modified; please apply your changes to the latest version and try again"));
  }
  Json changed = *before;
  changed["spec"].set("finalizers", body->at({"spec", "finalizers"}));
  Document result;
  if (!before->at({"metadata", "deletionTimestamp"}).is_null() && body->at({"spec", "finalizers"}).is_empty() && before->at({"metadata", "finalizers"}).is_empty()) {
    bool gone = false;
    if (std::optional<Refusal> refusal = store_.remove(resource, before, {}, false, result, gone)) return answer(*refusal);
    return answer(200, changed);
  }
  if (std::optional<Refusal> refusal = store_.update(resource, before, std::move(changed), "finalize", false, result)) return answer(*refusal);
  return answer(200, *result);
}

Response Api::review(const Request& request, const Target& target) {
  std::string error;
  std::optional<Json> body = plain_body(request, error);
  if (!body || !body->is_object()) return answer(bad_request(error.empty() ? "a review is an object" : error));
  const std::string& kind = target.served.resource->kind;
  Json result = *body;
  result.set("kind", kind);
  result.set("apiVersion", target.served.resource->api_version());
  Json verdict = Json::object();
  const bool is_admin = std::find(request.groups.begin(), request.groups.end(), "system:masters") != request.groups.end();
  if (kind == "SelfSubjectReview") {
    Json groups = Json::array();
    for (const std::string& group : request.groups) groups.push_back(group);
    verdict.set("userInfo", Json::object({{"username", request.user}, {"groups", groups}}));
  } else if (kind == "TokenReview") {
    const std::string user = options_.user_of_token ? options_.user_of_token(body->at({"spec", "token"}).text()) : std::string();
    verdict.set("authenticated", !user.empty());
    if (user.empty()) {
      verdict.set("error", "invalid bearer token");
    } else {
      verdict.set("user", Json::object({{"username", user}, {"groups", Json::array({"system:authenticated"})}}));
    }
  } else if (kind == "SelfSubjectRulesReview") {
    const Json all = Json::array({"*"});
    verdict = Json::object({{"resourceRules", Json::array({Json::object({{"verbs", all}, {"apiGroups", all}, {"resources", all}})})},
                            {"nonResourceRules", Json::array({Json::object({{"verbs", all}, {"nonResourceURLs", all}})})}, {"incomplete", false}});
  } else {
    // Everybody who has a credential may do everything: RBAC objects are kept, not enforced.
    verdict.set("allowed", true);
    verdict.set("reason", is_admin ? "" : "squall does not enforce RBAC");
    if (is_admin) verdict.erase("reason");
  }
  result.set("status", verdict);
  return answer(201, result);
}

}  // namespace sim::loop
