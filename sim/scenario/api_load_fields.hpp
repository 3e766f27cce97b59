/// The section `apiServers`, and the fields of a group of clients, which the fault api-overload shares.
///
/// Checked by: tests/scenario/flow_control_test.cpp, tests/chaos/faults_test.cpp.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "sim/models/kubernetes/api_load/config.hpp"
#include "sim/scenario/fields.hpp"

namespace sim::scenario {

void describe(Fields<k8s::api_load::Config>& fields);
}  // namespace sim::scenario

namespace sim::k8s::api_load {

inline constexpr std::int64_t kObjectBytesMax = 16ll << 20;

/// Of ClientGroup and of what derives from it: all fields but the name.
template <class T>
void describe_clients(scenario::Fields<T>& fields) {
  using Source = ClientGroup::Source;
  const std::vector<std::pair<std::string, Source>> sources = {{"cache", Source::kCache}, {"etcd", Source::kEtcd}};
  fields.add("clients", &ClientGroup::clients, 1, 100'000, "How many there are. Each waits for its answer before it asks again.")
      .add("user", &ClientGroup::user, "Who they are to the API servers. system:serviceaccount:NAMESPACE:NAME is in its groups; every user is in system:authenticated.")
      .add("groups", &ClientGroup::groups, "Groups of the user, beside those: system:masters is exempt from priority and fairness, system:nodes are kubelets.")
      .add("verb", &ClientGroup::verb, "get, list, create, update, patch or delete.")
      .add("apiGroup", &ClientGroup::api_group, "Of the resource; empty: the core group.")
      .add("resource", &ClientGroup::resource, "What they ask for: pods, configmaps, leases.")
      .add("namespace", &ClientGroup::ns, "Of the objects; empty: of the whole cluster.")
      .add("interval", &ClientGroup::interval, "From one request of a client to its next; later when the answer took longer.")
      .add("timeout", &ClientGroup::timeout, "When a client gives up. The API server does so too, after 60s at the latest, and lets a request queue for a quarter of it.")
      .choice("from", &ClientGroup::source, sources, "Where an API server takes a list from: its watch cache, or etcd (an exact resourceVersion, a continue token).")
      .add("limit", &ClientGroup::limit, 0, 1'000'000, "Objects of one page of a list; 0: all.")
      .add("selector", &ClientGroup::has_selector, "The list has a label or field selector: of a list from etcd, half of the objects count as loaded.")
      .add("objects", &ClientGroup::objects, 0, 100'000'000, "How many objects there are of the resource. Without it, as many as the cluster has, for pods, nodes and other kinds that Squall models.")
      .bytes("objectSize", &ClientGroup::object_bytes, "Of one object; 0: apiServers.objectSize.")
      .add("retries", &ClientGroup::retries, "A refused request is sent again when its Retry-After is over, up to 10 times (client-go). false: the client goes on as if it had its answer.")
      .rule([](const T& group, scenario::Node node, scenario::Reader& reader) {
        const auto wrong = [&](std::string_view key, std::string message) {
          const scenario::Node at = node.find(key);
          reader.diagnostics.error(at ? at : node, std::move(message));
        };
        static constexpr std::string_view kVerbs[] = {"get", "list", "create", "update", "patch", "delete"};
        if (std::find(std::begin(kVerbs), std::end(kVerbs), group.verb) == std::end(kVerbs)) {
          wrong("verb", "unknown verb '" + group.verb + "': one of get, list, create, update, patch, delete is modelled");
        }
        if (group.user.empty()) wrong("user", "'user' is needed: who asks decides who waits");
        if (group.object_bytes > kObjectBytesMax) wrong("objectSize", "an object of more than 16Mi is more than etcd takes");
        if (group.resource.empty()) wrong("resource", "'resource' is needed");
        if (group.interval < std::chrono::milliseconds(1)) wrong("interval", "must be at least 1ms");
        if (group.timeout < std::chrono::milliseconds(100)) wrong("timeout", "must be at least 100ms");
      });
}

inline void describe(scenario::Fields<ClientGroup>& fields) {
  fields.title("Clients that do the same.");
  describe_clients(fields);
}

}  // namespace sim::k8s::api_load
