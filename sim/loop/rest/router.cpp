/// From a path to what answers it.
#include <fmt/format.h>

#include <algorithm>

#include "sim/loop/kinds/rules.hpp"
#include "sim/loop/rest/api.hpp"

namespace sim::loop {

namespace {

std::vector<std::string> path_parts(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while (at < path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (end > at) parts.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

}  // namespace

Api::Api(Store& store, ApiOptions options, Platform* platform) : store_(store), options_(std::move(options)), platform_(platform) {
  for (const ResourceInfo& resource : Schema::kubernetes().resources()) store_.collection(resource);
  struct Definitions : Watcher {
    Api* api = nullptr;
    void on_change(const DocumentChange& change) override { api->definition_changed(*change.document, change.type == DocumentChange::Type::kDeleted); }
  };
  auto definitions = std::make_unique<Definitions>();
  definitions->api = this;
  definitions_ = std::move(definitions);
  const Served found = find_resource("apiextensions.k8s.io", "v1", "customresourcedefinitions");
  store_.collection(*found.resource).watch(*definitions_);
  store_.on_removed([this](const ResourceInfo& resource, const Json& document) { removed(resource, document); });
}

Api::~Api() {
  const Served found = find_resource("apiextensions.k8s.io", "v1", "customresourcedefinitions");
  store_.collection(*found.resource).unwatch(*definitions_);
}

Api::Served Api::find_resource(std::string_view group, std::string_view version, std::string_view plural) const {
  for (const ResourceInfo& resource : Schema::kubernetes().resources()) {
    if (resource.plural == plural && resource.version == version && resource.group == group) return {&resource, nullptr};
  }
  const auto custom = custom_.find(fmt::format("{}/{}/{}", group, version, plural));
  return custom == custom_.end() ? Served{} : Served{&custom->second->info, custom->second.get()};
}

std::vector<Api::Served> Api::served() const {
  std::vector<Served> all;
  for (const ResourceInfo& resource : Schema::kubernetes().resources()) {
    // The older version of the same objects is not converted to.
    if (resource.group == "autoscaling" && resource.version == "v1") continue;
    all.push_back({&resource, nullptr});
  }
  for (const auto& [key, custom] : custom_) all.push_back({&custom->info, custom.get()});
  return all;
}

Response Api::answer(const Refusal& refusal) {
  Response response = answer(refusal.code, refusal.status);
  const std::int64_t wait = refusal.status.at({"details", "retryAfterSeconds"}).as_integer();
  if (wait > 0) response.headers.emplace_back("Retry-After", fmt::format("{}", wait));
  return response;
}

Response Api::answer(int code, const Json& body) {
  Response response;
  response.code = code;
  body.write(response.body);
  response.body += '\n';
  return response;
}

Response Api::answer_object(int code, const Target& target, const Json& document, const Rendering& rendering) {
  const ResourceInfo& resource = *target.served.resource;
  if (rendering.as == Rendering::As::kPartial) return answer(code, partial(document));
  if (rendering.as == Rendering::As::kTable) {
    Json table = Json::object({{"kind", "Table"}, {"apiVersion", "meta.k8s.io/v1"}, {"metadata", Json::object({{"resourceVersion", document.at({"metadata", "resourceVersion"})}})},
                               {"columnDefinitions", table_columns(resource, target.served.custom)}});
    table["rows"].push_back(table_row(presented(document, resource), resource, target.served.custom, store_.now_nanoseconds(), rendering.whole_object, rendering.include_object));
    return answer(code, table);
  }
  return answer(code, presented(document, resource));
}

Api::Negotiated Api::negotiate(const Request& request) {
  Negotiated result;
  std::string_view rest = request.accept;
  if (rest.empty()) return result;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    std::string_view entry = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    std::string type;
    std::string as;
    std::string version;
    std::string group;
    bool first = true;
    while (!entry.empty()) {
      const std::size_t semicolon = std::min(entry.find(';'), entry.size());
      std::string_view part = entry.substr(0, semicolon);
      entry.remove_prefix(std::min(semicolon + 1, entry.size()));
      while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
      while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
      if (first) type = part;
      first = false;
      if (part.starts_with("as=")) as = part.substr(3);
      if (part.starts_with("v=")) version = part.substr(2);
      if (part.starts_with("g=")) group = part.substr(2);
    }
    if (type != "application/json" && type != "*/*" && type != "application/*") continue;
    if (as.empty()) return result;
    if (group != "meta.k8s.io" || (version != "v1" && version != "v1beta1")) continue;
    if (as == "Table") {
      const std::string_view include = request.parameter("includeObject");
      result.rendering.as = Rendering::As::kTable;
      result.rendering.include_object = include != "None";
      result.rendering.whole_object = include == "Object";
      return result;
    }
    if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList") {
      result.rendering.as = Rendering::As::kPartial;
      return result;
    }
  }
  result.refusal = not_acceptable();
  return result;
}

Response Api::handle(const Request& request) {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (!reads && request.method != "POST" && request.method != "PUT" && request.method != "PATCH" && request.method != "DELETE") {
    return answer(Refusal{405, status(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")});
  }
  return route(request);
}

Response Api::route(const Request& request) {
  const std::vector<std::string> parts = path_parts(request.path);
  if (parts.empty()) {
    Json paths = Json::array();
    for (const std::string_view path : {"/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"}) paths.push_back(path);
    return answer(200, Json::object({{"paths", paths}}));
  }
  if (parts[0] == "healthz" || parts[0] == "livez" || parts[0] == "readyz") {
    Response response;
    response.content_type = "text/plain; charset=utf-8";
    const bool well = platform_ == nullptr || platform_->is_writable();
    response.code = well ? 200 : 500;
    if (request.has_parameter("verbose")) {
      response.body = fmt::format("[+]ping ok\n[+]log ok\n{}{} check {}\n", well ? "[+]etcd ok\n" : "[-]etcd failed: reason withheld\n", parts[0], well ? "passed" : "failed");
    } else {
      response.body = well ? "ok" : fmt::format("[-]etcd failed: reason withheld\n{} check failed\n", parts[0]);
    }
    return response;
  }
  if (parts[0] == "version") {
    return answer(200, Json::object({{"major", "1"}, {"minor", "36"}, {"emulationMajor", "1"}, {"emulationMinor", "36"}, {"minCompatibilityMajor", "1"}, {"minCompatibilityMinor", "35"},
                                     {"gitVersion", "v1.36.3"}, {"gitCommit", ""}, {"gitTreeState", "clean"}, {"buildDate", "1970-01-01T00:00:00Z"}, {"goVersion", ""},
                                     {"compiler", ""}, {"platform", "linux/amd64"}}));
  }
  if (parts[0] == "metrics") {
    Response response;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = "# HELP apiserver_storage_objects Number of stored objects by resource.\n# TYPE apiserver_storage_objects gauge\n";
    for (const auto& [key, objects] : store_.collections()) {
      response.body += fmt::format("apiserver_storage_objects{{resource=\"{}\"}} {}\n", objects->resource().qualified(), objects->objects().size());
    }
    return response;
  }
  if (parts[0] == "openapi") return openapi(request);
  if (parts[0] != "api" && parts[0] != "apis") return answer(no_such_path());
  const std::size_t prefix = parts[0] == "api" ? 2 : 3;
  if (parts.size() <= prefix) return discovery(request);

  if (platform_ != nullptr && !platform_->is_readable()) return answer(unavailable("the API servers of this cluster are down"));
  Target target;
  const std::string group = parts[0] == "api" ? std::string() : parts[1];
  const std::string& version = parts[prefix - 1];
  std::size_t at = prefix;
  // /namespaces/NAME/RESOURCE..., but /namespaces/NAME and its subresources are about the namespace itself.
  if (parts[at] == "namespaces" && parts.size() > at + 2 && !(group.empty() && (parts[at + 2] == "status" || parts[at + 2] == "finalize"))) {
    target.ns = parts[at + 1];
    at += 2;
  }
  if (parts.size() > at + 3) return answer(no_such_path());
  target.served = find_resource(group, version, parts[at]);
  if (target.served.resource == nullptr || (group == "autoscaling" && version == "v1")) return answer(no_such_path());
  if (parts.size() > at + 1) target.name = parts[at + 1];
  if (parts.size() > at + 2) target.subresource = parts[at + 2];
  const ResourceInfo& resource = *target.served.resource;
  if (!resource.namespaced && !target.ns.empty()) return answer(no_such_path());
  if (resource.namespaced && target.ns.empty() && !target.name.empty()) return answer(no_such_path());
  const bool writes = request.method != "GET" && request.method != "HEAD";
  if (writes && platform_ != nullptr && !platform_->is_writable()) {
    return answer(Refusal{500, status(500, "", "etcdserver: request timed out")});
  }
  return route_resource(request, target);
}

Response Api::route_resource(const Request& request, const Target& target) {
  const ResourceInfo& resource = *target.served.resource;
  const bool is_watch = request.is_set("watch");
  const std::string& method = request.method;
  if (!target.subresource.empty()) {
    if (resource.subresource(target.subresource) == nullptr) return answer(no_such_path());
    return subresource(request, target);
  }
  if (resource.group == "authentication.k8s.io" || resource.group == "authorization.k8s.io") {
    return method == "POST" && target.name.empty() ? review(request, target) : answer(method_not_supported({resource.group, resource.plural, {}}, "the request"));
  }
  const auto refuse = [&](std::string_view verb) { return answer(method_not_supported({resource.group, resource.plural, {}}, verb)); };
  if (target.name.empty()) {
    if (method == "GET" || method == "HEAD") {
      if (!resource.allows(is_watch ? "watch" : "list")) return refuse(is_watch ? "watch" : "list");
      return is_watch ? watch(request, target) : list(request, target);
    }
    if (method == "POST") {
      if (!resource.allows("create")) return refuse("create");
      if (resource.namespaced && target.ns.empty()) return refuse("create");
      return create(request, target);
    }
    if (method == "DELETE") return resource.allows("deletecollection") ? remove_collection(request, target) : refuse("deletecollection");
    return refuse(method == "PUT" ? "update" : "patch");
  }
  if (method == "GET" || method == "HEAD") {
    if (!resource.allows("get")) return refuse("get");
    return is_watch ? watch(request, target) : get(request, target);
  }
  if (method == "PUT") return resource.allows("update") ? update(request, target) : refuse("update");
  if (method == "PATCH") return resource.allows("patch") ? patch(request, target) : refuse("patch");
  if (method == "DELETE") return resource.allows("delete") ? remove(request, target) : refuse("delete");
  return refuse("create");
}

Json partial(const Json& document) {
  return Json::object({{"kind", "PartialObjectMetadata"}, {"apiVersion", "meta.k8s.io/v1"}, {"metadata", document.at("metadata")}});
}

namespace {

struct Renamed {
  std::string_view core;
  std::string_view events;
};
constexpr Renamed kEventFields[] = {{"involvedObject", "regarding"}, {"message", "note"}, {"source", "deprecatedSource"}, {"firstTimestamp", "deprecatedFirstTimestamp"},
                                    {"lastTimestamp", "deprecatedLastTimestamp"}, {"count", "deprecatedCount"}, {"reportingComponent", "reportingController"}};

}  // namespace

Json presented(const Json& document, const ResourceInfo& resource) {
  const std::string version = resource.api_version();
  if (document.at("apiVersion").text() == version) return document;
  Json result = document;
  result.set("apiVersion", version);
  if (resource.group == "events.k8s.io") {
    for (Member& member : result.members()) {
      for (const Renamed& name : kEventFields) {
        if (member.key == name.core) member.key = name.events;
      }
    }
  }
  return result;
}

Json stored_form(Json document, const ResourceInfo& resource) {
  if (resource.group != "events.k8s.io") return document;
  document.set("apiVersion", "v1");
  for (Member& member : document.members()) {
    for (const Renamed& name : kEventFields) {
      if (member.key == name.events) member.key = name.core;
    }
  }
  return document;
}

}  // namespace sim::loop
