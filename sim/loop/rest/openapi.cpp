/// OpenAPI of what is served: enough for kubectl apply, diff and explain. From the table of types; without descriptions.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sim/core/hash.hpp"
#include "sim/loop/protobuf/openapi_v2.hpp"
#include "sim/loop/rest/api.hpp"

namespace sim::loop {

namespace {

/// "core.v1.Pod" as clients know it.
std::string model_name(const std::string& type) {
  if (type.starts_with("meta.v1.")) return "io.k8s.apimachinery.pkg.apis." + type;
  if (type.starts_with("apiextensions.v1.")) return "io.k8s.apiextensions-apiserver.pkg.apis." + type;
  if (type.starts_with("apiregistration.v1.")) return "io.k8s.kube-aggregator.pkg.apis." + type;
  return "io.k8s.api." + type;
}

class Writer {
 public:
  explicit Writer(bool v3) : v3_(v3) {}
  std::set<std::string> wanted;

  Json reference(const std::string& type) {
    wanted.insert(type);
    return Json::object({{"$ref", (v3_ ? "#/components/schemas/" : "#/definitions/") + model_name(type)}});
  }

  Json value(const TypeRef& type) {
    switch (type.kind) {
      case 's': return Json::object({{"type", "string"}});
      case 'i': return Json::object({{"type", "integer"}, {"format", "int32"}});
      case 'l': return Json::object({{"type", "integer"}, {"format", "int64"}});
      case 'b': return Json::object({{"type", "boolean"}});
      case 'd': return Json::object({{"type", "number"}, {"format", "double"}});
      case 'y': return Json::object({{"type", "string"}, {"format", "byte"}});
      case 't':
      case 'u': return Json::object({{"type", "string"}, {"format", "date-time"}});
      case 'D': return Json::object({{"type", "string"}});
      case 'q': return v3_ ? Json::object({{"oneOf", Json::array({Json::object({{"type", "string"}}), Json::object({{"type", "number"}})})}}) : Json::object({{"type", "string"}});
      case 'x':
        return v3_ ? Json::object({{"format", "int-or-string"}, {"oneOf", Json::array({Json::object({{"type", "integer"}}), Json::object({{"type", "string"}})})}})
                   : Json::object({{"type", "string"}, {"format", "int-or-string"}});
      case '*': {
        const std::string& name = type.type->name;
        if (name.ends_with("OrBool") || name.ends_with("OrArray") || name.ends_with("OrStringArray")) return Json::object();
        if (!v3_) return reference(name);
        return Json::object({{"allOf", Json::array({reference(name)})}});
      }
      case '[': return Json::object({{"type", "array"}, {"items", value(*type.element)}});
      case '{': return Json::object({{"type", "object"}, {"additionalProperties", value(*type.element)}});
      default: return Json::object({{"type", "object"}});
    }
  }

  Json definition(const TypeInfo& type) {
    Json properties = Json::object();
    Json required = Json::array();
    add_fields(type, properties, required);
    Json result = Json::object({{"description", ""}, {"type", "object"}, {"properties", properties}});
    if (!type.kind.empty()) {
      result.set("x-kubernetes-group-version-kind", Json::array({Json::object({{"group", type.group}, {"kind", type.kind}, {"version", type.version}})}));
    }
    return result;
  }

 private:
  void add_fields(const TypeInfo& type, Json& properties, Json& required) {
    for (const FieldInfo& field : type.fields) {
      if (field.name == ".") {
        if (field.type.type != nullptr) add_fields(*field.type.type, properties, required);
        continue;
      }
      Json property = value(field.type);
      // A default, an example, the values of an enum in a custom resource's schema: any JSON, not objects alone.
      if (type.name.starts_with("apiextensions.")) {
        if (field.type.kind == 'j') property = Json::object();
        if (field.type.kind == '[' && field.type.element->kind == 'j') property = Json::object({{"type", "array"}, {"items", Json::object()}});
      }
      if (field.patch_merge || field.patch_retain_keys) {
        property.set("x-kubernetes-patch-strategy", field.patch_merge && field.patch_retain_keys ? "merge,retainKeys" : field.patch_merge ? "merge" : "retainKeys");
        if (!field.merge_key.empty()) property.set("x-kubernetes-patch-merge-key", field.merge_key);
      }
      if (!field.map_keys.empty()) {
        Json keys = Json::array();
        for (const std::string& key : field.map_keys) keys.push_back(key);
        property.set("x-kubernetes-list-map-keys", keys);
        property.set("x-kubernetes-list-type", "map");
      } else if (field.set) {
        property.set("x-kubernetes-list-type", "set");
      } else if (field.atomic && field.type.kind == '[') {
        property.set("x-kubernetes-list-type", "atomic");
      }
      properties.set(field.name, std::move(property));
    }
  }
  bool v3_;
};

/// What kubectl looks for in paths: which verbs a kind has, with the parameters that it may send.
Json path_item(const ResourceInfo& r, bool with_name, Writer& writer, bool v3) {
  const Json gvk = Json::object({{"group", r.group}, {"kind", r.kind}, {"version", r.version}});
  const auto parameter = [&](std::string_view name) {
    Json p = Json::object({{"name", name}, {"in", "query"}});
    if (v3) {
      p.set("schema", Json::object({{"type", "string"}}));
    } else {
      p.set("type", "string");
    }
    return p;
  };
  Json item = Json::object();
  const auto add = [&](std::string_view method, std::string_view action, bool writes) {
    Json operation = Json::object({{"operationId", fmt::format("{}{}{}{}", action, r.group, r.version, r.kind)}, {"x-kubernetes-action", action}, {"x-kubernetes-group-version-kind", gvk}});
    if (writes) operation.set("parameters", Json::array({parameter("dryRun"), parameter("fieldManager"), parameter("fieldValidation"), parameter("force")}));
    Json ok = Json::object({{"description", "OK"}});
    if (r.type != nullptr) {
      const Json schema = writer.reference(r.type->name);
      if (v3) {
        ok.set("content", Json::object({{"application/json", Json::object({{"schema", schema}})}}));
      } else {
        ok.set("schema", schema);
      }
    }
    operation.set("responses", Json::object({{"200", ok}}));
    item.set(method, std::move(operation));
  };
  if (with_name) {
    if (r.allows("get")) add("get", "get", false);
    if (r.allows("update")) add("put", "put", true);
    if (r.allows("patch")) add("patch", "patch", true);
    if (r.allows("delete")) add("delete", "delete", true);
  } else {
    if (r.allows("list")) add("get", "list", false);
    if (r.allows("create")) add("post", "post", true);
  }
  return item;
}

}  // namespace

Response Api::openapi(const Request& request) {
  const std::vector<Served> all = served();
  std::string path = request.path;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const auto group_path = [](const ResourceInfo& r) { return r.group.empty() ? "api/" + r.version : "apis/" + r.group + "/" + r.version; };
  if (path == "/openapi/v3") {
    Json paths = Json::object();
    for (const Served& s : all) {
      const std::string gv = group_path(*s.resource);
      if (paths.find(gv) != nullptr) continue;
      std::uint64_t hash = fnv1a(gv);
      for (const auto& [key, custom] : custom_) hash = fnv1a(key + custom->schema.dump(), hash);
      paths.set(gv, Json::object({{"serverRelativeURL", fmt::format("/openapi/v3/{}?hash={:016X}", gv, hash)}}));
    }
    return answer(200, Json::object({{"paths", paths}}));
  }
  const bool v3 = path.starts_with("/openapi/v3/");
  if (!v3 && path != "/openapi/v2") return answer(no_such_path());
  // As the real server: the first that is asked for of both forms; JSON for who does not care.
  const std::size_t as_protobuf = v3 ? std::string::npos : std::min(request.accept.find(kOpenApiV2Protobuf), request.accept.find(kOpenApiV2ProtobufOld));
  const bool protobuf = as_protobuf != std::string::npos && as_protobuf < std::min(request.accept.find("application/json"), request.accept.find("*/*"));
  if (!v3 && !protobuf && !request.accept.empty() && request.accept.find("json") == std::string::npos && request.accept.find("*/*") == std::string::npos) {
    return answer(Refusal{406, status(406, "NotAcceptable", fmt::format("only the following media types are accepted: application/json, {}", kOpenApiV2Protobuf))});
  }
  if (protobuf) path += "+protobuf";  // for what is kept
  const std::string wanted = v3 ? path.substr(std::string_view("/openapi/v3/").size()) : std::string();
  const auto cached = openapi_cache_.find(path);
  Response response;
  if (protobuf) response.content_type = kOpenApiV2Protobuf;
  if (cached != openapi_cache_.end()) {
    response.body = cached->second;
    return response;
  }
  Writer writer(v3);
  Json paths = Json::object();
  Json schemas = Json::object();
  bool found = false;
  for (const Served& s : all) {
    const ResourceInfo& r = *s.resource;
    if (v3 && group_path(r) != wanted) continue;
    found = true;
    const std::string base = "/" + group_path(r) + (r.namespaced ? "/namespaces/{namespace}/" : "/") + r.plural;
    paths.set(base, path_item(r, false, writer, v3));
    paths.set(base + "/{name}", path_item(r, true, writer, v3));
    if (r.type != nullptr) {
      writer.reference(r.type->name);
      continue;
    }
    // A custom resource brings its own schema.
    std::string name;
    std::string rest = r.group;
    while (!rest.empty()) {
      const std::size_t dot = rest.rfind('.');
      name += (name.empty() ? "" : ".") + rest.substr(dot == std::string::npos ? 0 : dot + 1);
      rest = dot == std::string::npos ? std::string() : rest.substr(0, dot);
    }
    Json schema = s.custom->schema;
    schema.set("type", "object");
    schema["properties"].set("metadata", v3 ? Json::object({{"allOf", Json::array({writer.reference("meta.v1.ObjectMeta")})}}) : writer.reference("meta.v1.ObjectMeta"));
    schema["properties"].set("apiVersion", Json::object({{"type", "string"}}));
    schema["properties"].set("kind", Json::object({{"type", "string"}}));
    schema.set("x-kubernetes-group-version-kind", Json::array({Json::object({{"group", r.group}, {"kind", r.kind}, {"version", r.version}})}));
    schemas.set(fmt::format("{}.{}.{}", name, r.version, r.kind), schema);
  }
  if (!found) return answer(no_such_path());
  writer.reference("meta.v1.DeleteOptions");
  std::set<std::string> done;
  while (done.size() < writer.wanted.size()) {
    const std::set<std::string> now = writer.wanted;
    for (const std::string& type : now) {
      if (!done.insert(type).second) continue;
      const TypeInfo* info = Schema::kubernetes().type(type);
      if (info != nullptr) schemas.set(model_name(type), writer.definition(*info));
    }
  }
  const Json info = Json::object({{"title", "Kubernetes"}, {"version", "v1.36.3"}});
  Json body = v3 ? Json::object({{"openapi", "3.0.0"}, {"info", info}, {"paths", paths}, {"components", Json::object({{"schemas", schemas}})}})
                 : Json::object({{"swagger", "2.0"}, {"info", info}, {"paths", paths}, {"definitions", schemas}});
  if (protobuf) {
    response.body = encode_openapi_v2(body);
  } else {
    body.write(response.body);
  }
  openapi_cache_[path] = response.body;
  return response;
}

}  // namespace sim::loop
