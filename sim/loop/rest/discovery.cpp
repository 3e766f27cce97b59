/// What is served: aggregated discovery (v2, v2beta1) and the older form of one document a group.
#include <fmt/format.h>

#include <algorithm>

#include "sim/core/hash.hpp"
#include "sim/loop/rest/api.hpp"

namespace sim::loop {

namespace {

Json strings(const std::vector<std::string>& list) {
  Json result = Json::array();
  for (const std::string& text : list) result.push_back(text);
  return result;
}

Json kind_of(std::string_view group, std::string_view version, std::string_view kind) { return Json::object({{"group", group}, {"version", version}, {"kind", kind}}); }

struct GroupVersion {
  std::string group;
  std::string version;
  std::vector<Api::Served> resources;
};

std::vector<GroupVersion> grouped(const std::vector<Api::Served>& all) {
  std::vector<GroupVersion> result;
  for (const Api::Served& served : all) {
    const ResourceInfo& r = *served.resource;
    auto place = std::find_if(result.begin(), result.end(), [&](const GroupVersion& g) { return g.group == r.group && g.version == r.version; });
    if (place == result.end()) place = result.insert(result.end(), GroupVersion{r.group, r.version, {}});
    place->resources.push_back(served);
  }
  return result;
}

/// Served by name only where something stands behind it.
bool is_advertised(const SubresourceInfo& sub) {
  static const std::vector<std::string_view> kNot = {"exec", "attach", "portforward", "proxy", "ephemeralcontainers", "resize"};
  return std::find(kNot.begin(), kNot.end(), sub.name) == kNot.end();
}

}  // namespace

Json Api::resource_list(std::string_view group, std::string_view version) const {
  Json resources = Json::array();
  for (const Served& served : this->served()) {
    const ResourceInfo& r = *served.resource;
    if (r.group != group || r.version != version) continue;
    Json entry = Json::object({{"name", r.plural}, {"singularName", r.singular}, {"namespaced", r.namespaced}, {"kind", r.kind}, {"verbs", strings(r.verbs)}});
    if (!r.short_names.empty()) entry.set("shortNames", strings(r.short_names));
    if (!r.categories.empty()) entry.set("categories", strings(r.categories));
    if (r.allows("list")) entry.set("storageVersionHash", fmt::format("{:011x}=", fnv1a(r.qualified()) & 0xfffffffffffull));
    resources.push_back(std::move(entry));
    for (const SubresourceInfo& sub : r.subresources) {
      if (!is_advertised(sub)) continue;
      Json below = Json::object({{"name", r.plural + "/" + sub.name}, {"singularName", ""}, {"namespaced", r.namespaced}, {"kind", sub.kind}, {"verbs", strings(sub.verbs)}});
      if (sub.group != r.group || sub.version != r.version) {
        below.set("group", sub.group);
        below.set("version", sub.version);
      }
      resources.push_back(std::move(below));
    }
  }
  Json result = Json::object({{"kind", "APIResourceList"}, {"apiVersion", "v1"}, {"groupVersion", group.empty() ? std::string(version) : fmt::format("{}/{}", group, version)}});
  result.set("resources", std::move(resources));
  return result;
}

Response Api::discovery(const Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return answer(Refusal{405, status(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")});
  std::string path = request.path;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::vector<GroupVersion> all = grouped(served());
  const auto group_json = [&](const std::string& group) {
    Json versions = Json::array();
    for (const GroupVersion& gv : all) {
      if (gv.group == group) versions.push_back(Json::object({{"groupVersion", group + "/" + gv.version}, {"version", gv.version}}));
    }
    return Json::object({{"name", group}, {"versions", versions}, {"preferredVersion", versions.items()[0]}});
  };
  if (path == "/api" || path == "/apis") {
    const bool core = path == "/api";
    std::string_view form;
    if (const std::size_t at = request.accept.find("g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"); at != std::string::npos) {
      form = "v2";
    } else if (request.accept.find("g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList") != std::string::npos) {
      form = "v2beta1";
    }
    Json body;
    if (!form.empty()) {
      Json items = Json::array();
      std::vector<std::string> groups;
      for (const GroupVersion& gv : all) {
        if (gv.group.empty() == core && std::find(groups.begin(), groups.end(), gv.group) == groups.end()) groups.push_back(gv.group);
      }
      for (const std::string& group : groups) {
        Json versions = Json::array();
        for (const GroupVersion& gv : all) {
          if (gv.group != group) continue;
          Json resources = Json::array();
          for (const Served& served : gv.resources) {
            const ResourceInfo& r = *served.resource;
            Json entry = Json::object({{"resource", r.plural}, {"responseKind", kind_of("", "", r.kind)}, {"scope", r.namespaced ? "Namespaced" : "Cluster"}, {"singularResource", r.singular},
                                       {"verbs", strings(r.verbs)}});
            if (r.group != gv.group) entry.set("responseKind", kind_of(r.group, r.version, r.kind));
            if (!r.short_names.empty()) entry.set("shortNames", strings(r.short_names));
            if (!r.categories.empty()) entry.set("categories", strings(r.categories));
            Json subresources = Json::array();
            for (const SubresourceInfo& sub : r.subresources) {
              if (!is_advertised(sub)) continue;
              const bool own = sub.group == r.group && sub.version == r.version;
              subresources.push_back(Json::object({{"subresource", sub.name}, {"responseKind", own ? kind_of("", "", sub.kind) : kind_of(sub.group, sub.version, sub.kind)}, {"verbs", strings(sub.verbs)}}));
            }
            if (!subresources.is_empty()) entry.set("subresources", std::move(subresources));
            resources.push_back(std::move(entry));
          }
          versions.push_back(Json::object({{"version", gv.version}, {"resources", resources}, {"freshness", "Current"}}));
        }
        Json metadata = Json::object({{"creationTimestamp", Json()}});
        if (!group.empty()) metadata.set("name", group);
        items.push_back(Json::object({{"metadata", metadata}, {"versions", versions}}));
      }
      body = Json::object({{"kind", "APIGroupDiscoveryList"}, {"apiVersion", fmt::format("apidiscovery.k8s.io/{}", form)}, {"metadata", Json::object()}, {"items", items}});
    } else if (core) {
      body = Json::object({{"kind", "APIVersions"}, {"versions", Json::array({"v1"})},
                           {"serverAddressByClientCIDRs", Json::array({Json::object({{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", options_.host}})})}});
    } else {
      Json groups = Json::array();
      std::vector<std::string> seen;
      for (const GroupVersion& gv : all) {
        if (gv.group.empty() || std::find(seen.begin(), seen.end(), gv.group) != seen.end()) continue;
        seen.push_back(gv.group);
        groups.push_back(group_json(gv.group));
      }
      body = Json::object({{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", groups}});
    }
    Response response = answer(200, body);
    if (!form.empty()) {
      response.content_type = fmt::format("application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList", form);
      const std::string tag = fmt::format("\"{:016X}\"", fnv1a(response.body));
      response.headers.emplace_back("ETag", tag);
      response.headers.emplace_back("Vary", "Accept");
      if (request.if_none_match == tag) {
        response.code = 304;
        response.body.clear();
      }
    }
    return response;
  }
  if (path == "/api/v1") return answer(200, resource_list("", "v1"));
  const std::string rest = path.substr(std::string_view("/apis/").size());
  const std::size_t slash = rest.find('/');
  const std::string group = rest.substr(0, slash);
  const bool known = std::any_of(all.begin(), all.end(), [&](const GroupVersion& gv) {
    return gv.group == group && !group.empty() && (slash == std::string::npos || gv.version == rest.substr(slash + 1));
  });
  if (!known || path.starts_with("/api/")) return answer(no_such_path());
  if (slash != std::string::npos) return answer(200, resource_list(group, rest.substr(slash + 1)));
  Json body = Json::object({{"kind", "APIGroup"}, {"apiVersion", "v1"}});
  const Json group_body = group_json(group);
  for (const Member& member : group_body.members()) body.set(member.key, member.value);
  return answer(200, body);
}

}  // namespace sim::loop
