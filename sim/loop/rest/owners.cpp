/// What follows from a deletion where no controller-manager is connected: dependents of documents, the contents of namespaces. Objects that Squall
/// simulates on both ends are its own garbage collector's business.
#include <fmt/format.h>

#include "sim/loop/rest/api.hpp"

namespace sim::loop {

void Api::removed(const ResourceInfo& resource, const Json& document) {
  if (options_.external_controllers) return;
  const std::string& ns = document.at({"metadata", "namespace"}).text();
  if (!ns.empty()) {
    const Document space = store_.get(*find_resource("", "v1", "namespaces").resource, {}, ns);
    if (space != nullptr && !space->at({"metadata", "deletionTimestamp"}).is_null()) end_namespace(ns);
  }
  if (resource.kind == "Event") return;
  collect_dependents(document.at({"metadata", "uid"}).text());
}

void Api::collect_dependents(const std::string& uid) {
  for (const auto& [owned, key] : store_.take_dependents(uid)) {
    const auto& objects = store_.collection(*owned).objects();
    const auto found = objects.find(key);
    if (found == objects.end()) continue;
    const Document document = found->second;
    // Another owner that still exists keeps it; the garbage collector of the model knows those of simulated kinds.
    Json left = Json::array();
    bool owned_by_it = false;
    for (const Json& owner : document->at({"metadata", "ownerReferences"}).items()) {
      if (owner.at("uid").text() == uid) {
        owned_by_it = true;
      } else {
        left.push_back(owner);
      }
    }
    if (!owned_by_it) continue;
    Document result;
    bool gone = false;
    if (left.is_empty()) {
      store_.remove(*owned, document, {}, false, result, gone);
    } else {
      Json changed = *document;
      changed["metadata"].set("ownerReferences", left);
      store_.update(*owned, document, std::move(changed), "", false, result);
    }
  }
}

void Api::end_namespace(const std::string& name) {
  bool empty = true;
  for (const auto& [key, collection] : store_.collections()) {
    if (!collection->resource().namespaced) continue;
    std::vector<Document> all;
    for (auto at = collection->objects().lower_bound(name + "/"); at != collection->objects().end() && at->first.starts_with(name + "/"); ++at) all.push_back(at->second);
    for (const Document& document : all) {
      empty = false;
      if (!document->at({"metadata", "deletionTimestamp"}).is_null()) continue;
      Document result;
      bool gone = false;
      store_.remove(collection->resource(), document, {}, false, result, gone);
    }
  }
  if (!empty) {
    for (const auto& [key, collection] : store_.collections()) {
      if (!collection->resource().namespaced) continue;
      const auto at = collection->objects().lower_bound(name + "/");
      if (at != collection->objects().end() && at->first.starts_with(name + "/")) return;  // somebody is still stopping
    }
  }
  const ResourceInfo& namespaces = *find_resource("", "v1", "namespaces").resource;
  const Document space = store_.get(namespaces, {}, name);
  if (space == nullptr || !space->at({"metadata", "finalizers"}).is_empty()) return;
  Document result;
  bool gone = false;
  store_.remove(namespaces, space, {}, false, result, gone);
}

void Api::add_built_in_objects() {
  const auto add = [&](std::string_view group, std::string_view version, std::string_view plural, Json document) { create(group, version, plural, std::move(document)); };
  for (const std::string_view ns : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
    if (store_.get(*find_resource("", "v1", "namespaces").resource, {}, ns) == nullptr) add("", "v1", "namespaces", Json::object({{"metadata", Json::object({{"name", ns}})}}));
  }
  add("", "v1", "configmaps", Json::object({{"metadata", Json::object({{"name", "extension-apiserver-authentication"}, {"namespace", "kube-system"}})},
                                            {"data", Json::object({{"client-ca-file", options_.ca_certificate}})}}));
  if (!options_.external_controllers) {
    const ResourceInfo& namespaces = *find_resource("", "v1", "namespaces").resource;
    std::vector<std::string> names;
    for (const auto& [key, document] : store_.collection(namespaces).objects()) names.push_back(document->at({"metadata", "name"}).text());
    for (const std::string& ns : names) {
      add("", "v1", "serviceaccounts", Json::object({{"metadata", Json::object({{"name", "default"}, {"namespace", ns}})}}));
      add("", "v1", "configmaps", Json::object({{"metadata", Json::object({{"name", "kube-root-ca.crt"}, {"namespace", ns}})}, {"data", Json::object({{"ca.crt", options_.ca_certificate}})}}));
    }
  }
  add("", "v1", "services", Json::object({{"metadata", Json::object({{"name", "kubernetes"}, {"namespace", "default"}, {"labels", Json::object({{"component", "apiserver"}, {"provider", "kubernetes"}})}})},
                                          {"spec", Json::object({{"clusterIP", "10.96.0.1"}, {"ports", Json::array({Json::object({{"name", "https"}, {"port", 443}, {"protocol", "TCP"}, {"targetPort", 6443}})})}})}}));
  const Json all = Json::array({"*"});
  add("rbac.authorization.k8s.io", "v1", "clusterroles",
      Json::object({{"metadata", Json::object({{"name", "cluster-admin"}, {"labels", Json::object({{"kubernetes.io/bootstrapping", "rbac-defaults"}})}})},
                    {"rules", Json::array({Json::object({{"apiGroups", all}, {"resources", all}, {"verbs", all}}), Json::object({{"nonResourceURLs", all}, {"verbs", all}})})}}));
  add("rbac.authorization.k8s.io", "v1", "clusterrolebindings",
      Json::object({{"metadata", Json::object({{"name", "cluster-admin"}})},
                    {"roleRef", Json::object({{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "ClusterRole"}, {"name", "cluster-admin"}})},
                    {"subjects", Json::array({Json::object({{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "Group"}, {"name", "system:masters"}})})}}));
}

}  // namespace sim::loop
