/// create, update, patch, delete, deletecollection.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "sim/core/hash.hpp"
#include "sim/loop/json/yaml.hpp"
#include "sim/loop/kinds/rules.hpp"
#include "sim/loop/patch/patches.hpp"
#include "sim/loop/protobuf/protobuf.hpp"
#include "sim/loop/rest/api.hpp"
#include "sim/loop/schema/check.hpp"
#include "sim/scenario/names.hpp"

namespace sim::loop {

namespace {

constexpr std::string_view kNameLetters = "bcdfghjklmnpqrstvwxz2456789";
constexpr std::size_t kNameBaseMax = 58;

Subject about(const ResourceInfo& resource, std::string_view name) { return {resource.group, resource.plural, std::string(name)}; }
Subject kind_about(const ResourceInfo& resource, std::string_view name) { return {resource.group, resource.kind, std::string(name)}; }

std::string media_type(const std::string& content_type) {
  std::string type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  return type;
}

std::optional<Refusal> read_dry_run(std::string_view value, bool given, bool& dry_run) {
  if (!given || value.empty()) return std::nullopt;
  if (value != "All") {
    FieldErrors errors;
    errors.not_supported("dryRun", Json(value), {"All"});
    return invalid({"meta.k8s.io", "CreateOptions", ""}, errors);
  }
  dry_run = true;
  return std::nullopt;
}

/// RBAC objects have any name that fits in a path.
bool is_name(const ResourceInfo& resource, const std::string& name) {
  if (resource.group == "rbac.authorization.k8s.io") return !name.empty() && name != "." && name != ".." && name.find_first_of("/%") == std::string::npos;
  return scenario::is_object_name(name);
}

void add_header(Response& response, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) {
    std::string quoted;
    for (const char c : warning) {
      if (c == '"' || c == '\\') quoted += '\\';
      if (static_cast<unsigned char>(c) >= 0x20) quoted += c;
    }
    response.headers.emplace_back("Warning", fmt::format("299 - \"{}\"", quoted));
  }
}

bool returns_deleted(const ResourceInfo& resource) {
  static const std::vector<std::string_view> kKinds = {"Pod", "Service", "ServiceAccount", "PersistentVolume", "PersistentVolumeClaim", "ResourceQuota", "PodTemplate", "Namespace"};
  return resource.group.empty() && std::find(kKinds.begin(), kKinds.end(), resource.kind) != kKinds.end();
}

/// Kinds whose PUT must say which version it replaces.
bool needs_version(const Api::Served& served) {
  static const std::vector<std::string_view> kKinds = {"CustomResourceDefinition", "Lease", "APIService", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"};
  return served.custom != nullptr || std::find(kKinds.begin(), kKinds.end(), served.resource->kind) != kKinds.end();
}

Refusal modified(const ResourceInfo& resource, std::string_view name) {
  return conflict(about(resource, name), "the object has been modified; please apply your changes to the latest version and try again");
}

std::optional<Refusal> check_preconditions(const ResourceInfo& resource, const Json& preconditions, const Json& document) {
  const std::string& name = document.at({"metadata", "name"}).text();
  const std::string& uid = preconditions.at("uid").text();
  const std::string& own = document.at({"metadata", "uid"}).text();
  if (!uid.empty() && uid != own) {
    return conflict(about(resource, name), fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", uid, own));
  }
  const std::string& version = preconditions.at("resourceVersion").text();
  const std::string& own_version = document.at({"metadata", "resourceVersion"}).text();
  if (!version.empty() && version != own_version) {
    return conflict(about(resource, name), fmt::format("Precondition failed: ResourceVersion in precondition: {}, ResourceVersion in object meta: {}", version, own_version));
  }
  return std::nullopt;
}

Json with_type_first(Json document, const ResourceInfo& resource) {
  Json result = Json::object({{"kind", resource.kind}, {"apiVersion", resource.api_version()}});
  document.erase("kind");
  document.erase("apiVersion");
  for (Member& member : document.members()) result.members().push_back(std::move(member));
  return result;
}

}  // namespace

Shape Api::shape_of(const Served& served) const {
  if (served.custom == nullptr) return Shape(served.resource->type);
  return Shape::of_schema(&served.custom->schema);
}

Manager Api::manager_of(const Request& request, const Served& served, std::string_view operation, std::string_view subresource) const {
  Manager manager;
  manager.name = request.parameter("fieldManager");
  if (manager.name.empty()) {
    manager.name = request.user_agent.substr(0, request.user_agent.find('/'));
    if (manager.name.size() > 128) manager.name.resize(128);
  }
  if (manager.name.empty()) manager.name = "unknown";
  manager.operation = operation;
  manager.api_version = served.resource->plural == "events" ? "v1" : served.resource->api_version();
  manager.subresource = subresource;
  return manager;
}

std::optional<Refusal> Api::read_body(const Request& request, const Served& served, Json& body, std::vector<std::string>& warnings) {
  const std::string type = media_type(request.content_type);
  std::string error;
  std::optional<Json> value;
  if (type == "application/yaml") {
    value = parse_yaml(request.body, error);
  } else if (type == "application/vnd.kubernetes.protobuf") {
    value = parse_protobuf(request.body, error);
  } else if (type.empty() || type == "application/json" || type == "application/x-www-form-urlencoded") {
    value = parse_json(request.body, error);
  } else {
    return unsupported_media_type("the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf");
  }
  const ResourceInfo& resource = *served.resource;
  if (!value) return bad_request(fmt::format("couldn't get version/kind; json parse error: {}", error));
  if (!value->is_object()) return bad_request("couldn't get version/kind; json parse error: json: cannot unmarshal into Go value of type struct { APIVersion string; Kind string }");
  const std::string kind = value->at("kind").text();
  const std::string version = value->at("apiVersion").text();
  if (!kind.empty() && (kind != resource.kind || (!version.empty() && version != resource.api_version()))) {
    return bad_request(fmt::format("the object provided is unrecognized (must be of type {}): {} in version \"{}\" was given", resource.kind, kind, version));
  }
  body = with_type_first(std::move(*value), resource);
  return check_fields(request, served, body, warnings);
}

std::optional<Refusal> Api::check_fields(const Request& request, const Served& served, const Json& document, std::vector<std::string>& warnings) {
  const std::string_view validation = request.parameter("fieldValidation");
  if (!validation.empty() && validation != "Strict" && validation != "Warn" && validation != "Ignore") {
    FieldErrors errors;
    errors.not_supported("fieldValidation", Json(validation), {"", "Ignore", "Strict", "Warn"});
    return invalid({"meta.k8s.io", "CreateOptions", ""}, errors);
  }
  std::vector<std::string> unknown;
  const ResourceInfo& resource = *served.resource;
  if (served.custom == nullptr) {
    Decoded decoded = check_document(document, *resource.type);
    if (!decoded.error.empty()) return bad_request(fmt::format("{0} in version \"{1}\" cannot be handled as a {0}: {2}", resource.kind, resource.version, decoded.error));
    unknown = std::move(decoded.unknown);
  } else {
    unknown_fields(document, served.custom->schema, {}, true, unknown);
  }
  if (unknown.empty() || validation == "Ignore") return std::nullopt;
  if (validation == "Strict") {
    std::vector<std::string> parts;
    for (const std::string& path : unknown) parts.push_back(fmt::format("unknown field \"{}\"", path));
    return bad_request(fmt::format("{} in version \"{}\" cannot be handled as a {}: strict decoding error: {}", resource.kind, resource.version, resource.kind, fmt::join(parts, ", ")));
  }
  for (const std::string& path : unknown) warnings.push_back(fmt::format("unknown field \"{}\"", path));
  return std::nullopt;
}

std::string Api::next_cluster_ip() {
  // 10.96.0.0/12; .1 is the API's own, .10 is left to DNS.
  ++service_ips_;
  const std::uint32_t number = service_ips_ + 99;
  return fmt::format("10.{}.{}.{}", 96 + number / 65'000 % 16, number / 250 % 256, number % 250 + 1);
}

std::optional<Refusal> Api::prepare_create(const Served& served, const std::string& ns, Json& document) {
  const ResourceInfo& resource = *served.resource;
  Json& metadata = document["metadata"];
  if (!metadata.is_object()) metadata = Json::object();
  const std::string given = metadata.at("namespace").text();
  if (resource.namespaced) {
    if (!given.empty() && given != ns) return bad_request("the namespace of the provided object does not match the namespace sent on the request");
    metadata.set("namespace", ns);
    const Document space = store_.get(*find_resource("", "v1", "namespaces").resource, {}, ns);
    if (space == nullptr) return not_found({"", "namespaces", ns});
    if (space->at({"status", "phase"}).text() == "Terminating" && resource.plural != "events") {
      Refusal refusal = forbidden(about(resource, metadata.at("name").text()), fmt::format("unable to create new content in namespace {} because it is being terminated", ns));
      refusal.status["details"].set("causes", Json::array({Json::object({{"reason", "NamespaceTerminating"}, {"message", fmt::format("namespace {} is being terminated", ns)}, {"field", "metadata.namespace"}})}));
      return refusal;
    }
  } else if (!given.empty()) {
    return bad_request("namespace should be empty for a cluster-scoped resource");
  }
  if (!metadata.at("resourceVersion").text().empty() && metadata.at("resourceVersion").text() != "0") return bad_request("resourceVersion should not be set on objects to be created");
  for (const std::string_view field : {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"}) metadata.erase(field);
  if (metadata.at("name").text().empty() && !metadata.at("generateName").text().empty()) {
    const std::string base = metadata.at("generateName").text().substr(0, kNameBaseMax);
    for (int attempt = 0; attempt < 8; ++attempt) {
      std::uint64_t mixed = fnv1a(base, kFnvBasis + ++names_made_);
      std::string suffix;
      for (int i = 0; i < 5; ++i) {
        mixed = (mixed ^ (mixed >> 31)) * 0x9e3779b97f4a7c15ull;
        suffix += kNameLetters[(mixed >> 33) % kNameLetters.size()];
      }
      metadata.set("name", base + suffix);
      if (store_.get(resource, ns, base + suffix) == nullptr) break;
    }
  }
  const std::string name = metadata.at("name").text();
  FieldErrors errors;
  if (name.empty()) {
    errors.required("metadata.name", "name or generateName is required");
    return invalid(kind_about(resource, ""), errors);
  }
  if (!is_name(resource, name)) {
    errors.invalid("metadata.name", name,
                   "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "
                   "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
  }
  if (store_.get(resource, ns, name) != nullptr) return already_exists(about(resource, name));
  // As Go keeps it: no empty labels and annotations.
  if (served.custom != nullptr) {
    prune(document, served.custom->schema, true);
    apply_schema_defaults(document, served.custom->schema);
    if (served.custom->has_status) document.erase("status");
    validate_schema(document, served.custom->schema, {}, errors);
  } else {
    const KindRules* rules = rules_of(resource.group, resource.kind);
    if (rules != nullptr && rules->defaults != nullptr) rules->defaults(document);
    if (rules != nullptr && rules->prepare != nullptr) {
      rules->prepare(document, nullptr);
    } else if (resource.subresource("status") != nullptr && resource.kind != "Node" && resource.kind != "CustomResourceDefinition") {
      document.erase("status");
    }
    if (rules != nullptr && rules->validate != nullptr) rules->validate(document, nullptr, errors);
  }
  if (!errors.is_empty()) return invalid(kind_about(resource, name), errors);
  if (resource.kind == "Service" && resource.group.empty()) {
    Json& spec = document["spec"];
    if (spec.at("type").text() != "ExternalName") {
      if (spec.at("clusterIP").text().empty()) spec.set("clusterIP", next_cluster_ip());
      const Json ip = spec.at("clusterIP");
      spec.set("clusterIPs", Json::array({ip}));
    }
  }
  if (resource.kind == "CustomResourceDefinition") {
    if (std::optional<Refusal> refusal = accept_definition(document)) return refusal;
  }
  document = stored_form(std::move(document), resource);
  return std::nullopt;
}

std::optional<Refusal> Api::create(std::string_view group, std::string_view version, std::string_view plural, Json document) {
  const Served served = find_resource(group, version, plural);
  document = with_type_first(std::move(document), *served.resource);
  const std::string ns = document.at({"metadata", "namespace"}).text();
  if (std::optional<Refusal> refusal = prepare_create(served, ns, document)) return refusal;
  Document result;
  return store_.create(*served.resource, std::move(document), false, result);
}

Response Api::create(const Request& request, const Target& target) {
  const Negotiated negotiated = negotiate(request);
  if (negotiated.refusal) return answer(*negotiated.refusal);
  const ResourceInfo& resource = *target.served.resource;
  Json document;
  std::vector<std::string> warnings;
  bool dry_run = false;
  if (std::optional<Refusal> refusal = read_dry_run(request.parameter("dryRun"), request.has_parameter("dryRun"), dry_run)) return answer(*refusal);
  if (std::optional<Refusal> refusal = read_body(request, target.served, document, warnings)) return answer(*refusal);
  if (std::optional<Refusal> refusal = prepare_create(target.served, target.ns, document)) return answer(*refusal);
  document["metadata"].erase("managedFields");
  track_update(nullptr, document, shape_of(target.served), manager_of(request, target.served, "Update", ""), store_.timestamp());
  Document result;
  if (std::optional<Refusal> refusal = store_.create(resource, std::move(document), dry_run, result)) return answer(*refusal);
  Response response = answer_object(201, target, *result, negotiated.rendering);
  add_header(response, warnings);
  return response;
}

std::optional<Refusal> Api::finish_update(const Served& served, const Document& before, Json& document, const std::string& subresource) {
  const ResourceInfo& resource = *served.resource;
  const std::string& name = before->at({"metadata", "name"}).text();
  Json& metadata = document["metadata"];
  if (!metadata.is_object()) metadata = Json::object();
  const std::string version = metadata.at("resourceVersion").text();
  if (!version.empty() && version != "0" && version != before->at({"metadata", "resourceVersion"}).text()) return modified(resource, name);
  const std::string uid = metadata.at("uid").text();
  if (!uid.empty() && uid != before->at({"metadata", "uid"}).text()) {
    return conflict(about(resource, name), fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", uid, before->at({"metadata", "uid"}).text()));
  }
  for (const std::string_view field : {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName"}) {
    const Json& old = before->at({"metadata", field});
    if (old.is_null()) {
      metadata.erase(field);
    } else {
      metadata.set(field, old);
    }
  }
  metadata.erase("selfLink");
  FieldErrors errors;
  if (!before->at({"metadata", "deletionTimestamp"}).is_null()) {
    std::vector<std::string> fresh;
    const Json::Array& old = before->at({"metadata", "finalizers"}).items();
    for (const Json& finalizer : metadata.at("finalizers").items()) {
      if (std::none_of(old.begin(), old.end(), [&](const Json& o) { return o == finalizer; })) fresh.push_back(finalizer.text());
    }
    if (!fresh.empty()) {
      errors.forbidden("metadata.finalizers", fmt::format("no new finalizers can be added if the object is being deleted, found new finalizers []string{{\"{}\"}}", fmt::join(fresh, "\", \"")));
    }
  }
  if (subresource == "status") {
    const Json status = document.at("status");
    const Json sent = metadata;
    document = *before;
    document.set("status", status);
    if (served.custom == nullptr) {
      for (const std::string_view field : {"labels", "annotations", "finalizers"}) {
        if (const Json* value = sent.find(field)) {
          document["metadata"].set(field, *value);
        } else {
          document["metadata"].erase(field);
        }
      }
    }
    if (const Json* managed = sent.find("managedFields")) document["metadata"].set("managedFields", *managed);
    if (served.custom != nullptr) {
      prune(document, served.custom->schema, true);
      validate_schema(document, served.custom->schema, {}, errors);
    }
    return errors.is_empty() ? std::nullopt : std::optional<Refusal>(invalid(kind_about(resource, name), errors));
  }
  if (served.custom != nullptr) {
    prune(document, served.custom->schema, true);
    apply_schema_defaults(document, served.custom->schema);
    if (served.custom->has_status) {
      if (const Json* status = before->find("status")) {
        document.set("status", *status);
      } else {
        document.erase("status");
      }
    }
    validate_schema(document, served.custom->schema, {}, errors);
  } else {
    const KindRules* rules = rules_of(resource.group, resource.kind);
    if (rules != nullptr && rules->defaults != nullptr) rules->defaults(document);
    if (rules != nullptr && rules->prepare != nullptr) {
      rules->prepare(document, before.get());
    } else if (resource.subresource("status") != nullptr) {
      document.set("status", before->at("status"));
    }
    if (document.at("status").is_null()) document.erase("status");
    if (rules != nullptr && rules->validate != nullptr) rules->validate(document, before.get(), errors);
    if (before->at("immutable").as_bool()) {
      for (const std::string_view field : {"data", "stringData", "binaryData", "immutable"}) {
        if (!(before->at(field) == document.at(field))) errors.forbidden(std::string(field), "field is immutable when `immutable` is set");
      }
    }
  }
  if (!errors.is_empty()) return invalid(kind_about(resource, name), errors);
  if (resource.kind == "CustomResourceDefinition") return accept_definition(document);
  return std::nullopt;
}

Response Api::update(const Request& request, const Target& target) {
  const Negotiated negotiated = negotiate(request);
  if (negotiated.refusal) return answer(*negotiated.refusal);
  const ResourceInfo& resource = *target.served.resource;
  Json document;
  std::vector<std::string> warnings;
  bool dry_run = false;
  if (std::optional<Refusal> refusal = read_dry_run(request.parameter("dryRun"), request.has_parameter("dryRun"), dry_run)) return answer(*refusal);
  if (std::optional<Refusal> refusal = read_body(request, target.served, document, warnings)) return answer(*refusal);
  const std::string& name = document.at({"metadata", "name"}).text();
  if (name != target.name) return answer(bad_request(fmt::format("the name of the object ({}) does not match the name on the URL ({})", name, target.name)));
  const std::string& ns = document.at({"metadata", "namespace"}).text();
  if (!ns.empty() && ns != target.ns) return answer(bad_request(fmt::format("the namespace of the object ({}) does not match the namespace on the URL ({})", ns, target.ns)));
  const Document before = store_.get(resource, target.ns, target.name);
  if (before == nullptr) return answer(not_found(about(resource, target.name)));
  if (needs_version(target.served) && document.at({"metadata", "resourceVersion"}).text().empty()) {
    FieldErrors errors;
    errors.invalid("metadata.resourceVersion", Json(0), "must be specified for an update");
    return answer(invalid(kind_about(resource, target.name), errors));
  }
  document = stored_form(std::move(document), resource);
  if (std::optional<Refusal> refusal = finish_update(target.served, before, document, target.subresource)) return answer(*refusal);
  track_update(before.get(), document, shape_of(target.served), manager_of(request, target.served, "Update", target.subresource), store_.timestamp());
  Document result;
  if (std::optional<Refusal> refusal = store_.update(resource, before, std::move(document), target.subresource, dry_run, result)) return answer(*refusal);
  Response response = answer_object(200, target, *result, negotiated.rendering);
  add_header(response, warnings);
  return response;
}

Response Api::patch(const Request& request, const Target& target) {
  const Negotiated negotiated = negotiate(request);
  if (negotiated.refusal) return answer(*negotiated.refusal);
  const ResourceInfo& resource = *target.served.resource;
  bool dry_run = false;
  if (std::optional<Refusal> refusal = read_dry_run(request.parameter("dryRun"), request.has_parameter("dryRun"), dry_run)) return answer(*refusal);
  const std::string type = media_type(request.content_type);
  const bool is_apply = type == "application/apply-patch+yaml";
  const bool is_json = type == "application/json-patch+json";
  const bool is_merge = type == "application/merge-patch+json";
  const bool is_strategic = type == "application/strategic-merge-patch+json";
  if (!(is_apply || is_json || is_merge || is_strategic) || (is_strategic && target.served.custom != nullptr)) {
    return answer(unsupported_media_type(
        fmt::format("the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json{}, application/apply-patch+yaml",
                    target.served.custom == nullptr ? ", application/strategic-merge-patch+json" : "")));
  }
  std::string error;
  const std::optional<Json> patch = is_apply ? parse_yaml(request.body, error) : parse_json(request.body, error);
  if (!patch) return answer(bad_request(is_apply ? fmt::format("error decoding YAML: {}", error) : fmt::format("error decoding patch: {}", error)));
  Document before = store_.get(resource, target.ns, target.name);
  std::vector<std::string> warnings;
  Json document;
  bool creates = false;
  if (is_apply) {
    if (request.parameter("fieldManager").empty()) {
      FieldErrors errors;
      errors.required("fieldManager", "is required for apply patch");
      return answer(invalid({"meta.k8s.io", "PatchOptions", ""}, errors));
    }
    if (!patch->is_object()) return answer(bad_request("error decoding YAML: the configuration is no object"));
    Json configuration = with_type_first(*patch, resource);
    if (patch->at("kind").text() != resource.kind || patch->at("apiVersion").text() != resource.api_version()) {
      return answer(bad_request(fmt::format("invalid object type: {}, Kind={}", patch->at("apiVersion").text(), patch->at("kind").text())));
    }
    if (!patch->at({"metadata", "managedFields"}).is_null()) return answer(bad_request("metadata.managedFields must be nil"));
    const std::string& name = patch->at({"metadata", "name"}).text();
    if (!name.empty() && name != target.name) {
      return answer(bad_request(fmt::format("the name of the object ({} based on URL) was undeterminable: name must be provided", target.name)));
    }
    configuration["metadata"].set("name", target.name);
    if (resource.namespaced) configuration["metadata"].set("namespace", target.ns);
    if (std::optional<Refusal> refusal = check_fields(request, target.served, configuration, warnings)) return answer(*refusal);
    const std::string& version = patch->at({"metadata", "resourceVersion"}).text();
    if (before != nullptr && !version.empty() && version != before->at({"metadata", "resourceVersion"}).text()) return answer(modified(resource, target.name));
    if (before == nullptr && !target.subresource.empty()) return answer(not_found(about(resource, target.name)));
    const Manager manager = manager_of(request, target.served, "Apply", target.subresource);
    Applied applied = apply_configuration(before.get(), configuration, shape_of(target.served), manager, request.is_set("force"), store_.timestamp());
    if (!applied.conflicts.empty()) {
      Json causes = Json::array();
      std::vector<std::string> parts;
      std::size_t count = 0;
      for (const ApplyConflict& c : applied.conflicts) {
        for (const std::string& path : c.paths) {
          causes.push_back(Json::object({{"reason", "FieldManagerConflict"}, {"message", fmt::format("conflict with {}", c.manager)}, {"field", path}}));
        }
        count += c.paths.size();
        parts.push_back(c.paths.size() == 1 ? fmt::format("conflict with {}: {}", c.manager, c.paths.front()) : fmt::format("conflicts with {}:\n- {}", c.manager, fmt::join(c.paths, "\n- ")));
      }
      Refusal refusal{409, status(409, "Conflict", fmt::format("Apply failed with {} conflict{}: {}", count, count == 1 ? "" : "s", fmt::join(parts, "\n")))};
      refusal.status.set("details", Json::object({{"causes", causes}}));
      return answer(refusal);
    }
    document = std::move(applied.document);
    creates = before == nullptr;
  } else {
    if (before == nullptr) return answer(not_found(about(resource, target.name)));
    document = presented(*before, resource);
    if (is_merge) {
      if (!patch->is_object()) return answer(bad_request("error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"));
      merge_patch(document, *patch);
    } else if (is_strategic) {
      if (const std::string wrong = strategic_merge_patch(document, *patch, *resource.type); !wrong.empty()) return answer(bad_request(wrong));
    } else if (const std::string wrong = json_patch(document, *patch); !wrong.empty()) {
      Refusal refusal{422, status(422, "Invalid", "the server rejected our request due to an error in our request")};
      refusal.status.set("details", Json::object({{"causes", Json::array({Json::object({{"reason", "UnexpectedServerResponse"}, {"message", wrong}})})}}));
      return answer(refusal);
    }
    if (!document.is_object()) return answer(bad_request("the patched object is no object"));
    if (document.at("kind").text() != resource.kind || document.at("apiVersion").text() != resource.api_version()) {
      return answer(bad_request("the kind and apiVersion of an object cannot be patched"));
    }
    if (document.at({"metadata", "name"}).text() != target.name) {
      return answer(bad_request(fmt::format("the name of the object ({}) does not match the name on the URL ({})", document.at({"metadata", "name"}).text(), target.name)));
    }
    if (std::optional<Refusal> refusal = check_fields(request, target.served, document, warnings)) return answer(*refusal);
    document = stored_form(std::move(document), resource);
  }
  Document result;
  if (creates) {
    const Json managed = document.at({"metadata", "managedFields"});
    if (std::optional<Refusal> refusal = prepare_create(target.served, target.ns, document)) return answer(*refusal);
    document["metadata"].set("managedFields", managed);
    if (std::optional<Refusal> refusal = store_.create(resource, std::move(document), dry_run, result)) return answer(*refusal);
  } else {
    if (std::optional<Refusal> refusal = finish_update(target.served, before, document, target.subresource)) return answer(*refusal);
    if (!is_apply) track_update(before.get(), document, shape_of(target.served), manager_of(request, target.served, "Update", target.subresource), store_.timestamp());
    if (std::optional<Refusal> refusal = store_.update(resource, before, std::move(document), target.subresource, dry_run, result)) return answer(*refusal);
  }
  Response response = answer_object(creates ? 201 : 200, target, *result, negotiated.rendering);
  add_header(response, warnings);
  return response;
}

std::optional<Refusal> Api::read_deletion(const Request& request, const Served& served, Deletion& deletion, Json& preconditions, bool& dry_run) {
  Json options = Json::object();
  if (!request.body.empty()) {
    std::string error;
    const std::string type = media_type(request.content_type);
    std::optional<Json> body = type == "application/yaml"                     ? parse_yaml(request.body, error)
                               : type == "application/vnd.kubernetes.protobuf" ? parse_protobuf(request.body, error)
                                                                               : parse_json(request.body, error);
    if (!body || !body->is_object()) return bad_request(fmt::format("couldn't get version/kind; json parse error: {}", error));
    options = std::move(*body);
  }
  for (const std::string_view name : {"propagationPolicy", "dryRun"}) {
    if (!request.parameter(name).empty()) options.set(name, request.parameter(name));
  }
  if (const std::string_view grace = request.parameter("gracePeriodSeconds"); !grace.empty()) {
    std::int64_t seconds = 0;
    const auto [end, wrong] = std::from_chars(grace.data(), grace.data() + grace.size(), seconds);
    if (wrong != std::errc{} || end != grace.data() + grace.size()) return bad_request(fmt::format("gracePeriodSeconds: Invalid value: \"{}\"", grace));
    options.set("gracePeriodSeconds", seconds);
  }
  if (options.at("gracePeriodSeconds").is_integer()) deletion.grace_seconds = options.at("gracePeriodSeconds").as_integer();
  const std::string& policy = options.at("propagationPolicy").text();
  if (policy == "Foreground") {
    deletion.propagation = Propagation::kForeground;
  } else if (policy == "Orphan") {
    deletion.propagation = Propagation::kOrphan;
  } else if (!policy.empty() && policy != "Background") {
    FieldErrors errors;
    errors.not_supported("propagationPolicy", policy, {"Foreground", "Background", "Orphan"});
    return invalid({"meta.k8s.io", "DeleteOptions", ""}, errors);
  } else if (policy.empty()) {
    if (options.at("orphanDependents").as_bool() || request.is_set("orphanDependents")) {
      deletion.propagation = Propagation::kOrphan;
    } else if (served.resource->kind == "ReplicationController" || (served.resource->kind == "Job" && served.resource->group == "batch")) {
      deletion.propagation = Propagation::kOrphan;  // the default of the registry for these
    }
  }
  preconditions = options.at("preconditions");
  const Json& dry = options.at("dryRun");
  return read_dry_run(dry.is_array() && !dry.is_empty() ? dry.items()[0].text() : dry.text(), !dry.is_null(), dry_run);
}

std::optional<Refusal> Api::remove_one(const Served& served, const Document& document, const Deletion& deletion, bool dry_run, Document& result, bool& gone) {
  const ResourceInfo& resource = *served.resource;
  if (resource.kind == "Namespace" && resource.group.empty()) {
    const std::string& name = document->at({"metadata", "name"}).text();
    gone = false;
    result = document;
    if (name == "default" || name == "kube-system" || name == "kube-public") {
      return forbidden({"", "namespaces", name}, "this namespace may not be deleted");
    }
    if (dry_run || !document->at({"metadata", "deletionTimestamp"}).is_null()) return std::nullopt;
    Json changed = *document;
    changed["metadata"].set("deletionTimestamp", store_.timestamp());
    changed["status"].set("phase", "Terminating");
    if (std::optional<Refusal> refusal = store_.update(resource, document, std::move(changed), "", false, result)) return refusal;
    if (!options_.external_controllers) end_namespace(name);
    return std::nullopt;
  }
  return store_.remove(resource, document, deletion, dry_run, result, gone);
}

Response Api::remove(const Request& request, const Target& target) {
  const Negotiated negotiated = negotiate(request);
  if (negotiated.refusal) return answer(*negotiated.refusal);
  const ResourceInfo& resource = *target.served.resource;
  Deletion deletion;
  Json preconditions;
  bool dry_run = false;
  if (std::optional<Refusal> refusal = read_deletion(request, target.served, deletion, preconditions, dry_run)) return answer(*refusal);
  const Document document = store_.get(resource, target.ns, target.name);
  if (document == nullptr) return answer(not_found(about(resource, target.name)));
  if (std::optional<Refusal> refusal = check_preconditions(resource, preconditions, *document)) return answer(*refusal);
  Document result;
  bool gone = false;
  const std::string uid = document->at({"metadata", "uid"}).text();
  if (std::optional<Refusal> refusal = remove_one(target.served, document, deletion, dry_run, result, gone)) return answer(*refusal);
  if (gone && !returns_deleted(resource)) return answer(200, success(about(resource, target.name), uid));
  return answer_object(200, target, *result, negotiated.rendering);
}

Response Api::remove_collection(const Request& request, const Target& target) {
  const ResourceInfo& resource = *target.served.resource;
  Deletion deletion;
  Json preconditions;
  bool dry_run = false;
  if (std::optional<Refusal> refusal = read_deletion(request, target.served, deletion, preconditions, dry_run)) return answer(*refusal);
  std::string error;
  const std::optional<LabelQuery> labels = LabelQuery::parse(request.parameter("labelSelector"), error);
  if (!labels) return answer(bad_request(error));
  const std::optional<FieldQuery> fields = FieldQuery::parse(request.parameter("fieldSelector"), error);
  if (!fields) return answer(bad_request(error));
  if (const std::string wrong = fields->unsupported(resource.kind); !wrong.empty()) return answer(bad_request(fmt::format("field label not supported: {}", wrong)));
  std::vector<Document> chosen;
  for (const auto& [key, document] : store_.collection(resource).objects()) {
    if (!target.ns.empty() && document->at({"metadata", "namespace"}).text() != target.ns) continue;
    if (labels->matches(*document) && fields->matches(*document)) chosen.push_back(document);
  }
  Json items = Json::array();
  for (const Document& document : chosen) {
    // Deleting one may take others with it.
    const Document now = store_.get(resource, document->at({"metadata", "namespace"}).text(), document->at({"metadata", "name"}).text());
    if (now == nullptr) continue;
    Document result;
    bool gone = false;
    if (std::optional<Refusal> refusal = remove_one(target.served, now, deletion, dry_run, result, gone)) return answer(*refusal);
    items.push_back(presented(*result, resource));
  }
  return answer(200, Json::object({{"kind", resource.list_kind}, {"apiVersion", resource.api_version()}, {"metadata", Json::object({{"resourceVersion", fmt::format("{}", store_.version())}})}, {"items", items}}));
}

}  // namespace sim::loop
