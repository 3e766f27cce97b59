#include "sim/loop/model/endpoint_slices.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "sim/loop/schema/schema.hpp"
#include "sim/models/world.hpp"

namespace sim::loop {

using namespace sim::k8s;

namespace {

constexpr std::string_view kServiceName = "kubernetes.io/service-name";

const ResourceInfo& resource() {
  static const ResourceInfo* const found = [] {
    for (const ResourceInfo& r : Schema::kubernetes().resources()) {
      if (r.plural == "endpointslices") return &r;
    }
    return static_cast<const ResourceInfo*>(nullptr);
  }();
  return *found;
}

const std::string& service_of(const Json& slice) { return slice.at({"metadata", "labels", kServiceName}).text(); }

}  // namespace

EndpointSlices::EndpointSlices(World& world, Store& store) : world_(world), slices_(store.collection(resource())) { slices_.watch(*this); }

EndpointSlices::~EndpointSlices() { slices_.unwatch(*this); }

void EndpointSlices::on_change(const DocumentChange& change) {
  const Document& slice = change.document;
  if (const std::string& service = service_of(*slice); !service.empty()) gather(slice->at({"metadata", "namespace"}).text(), service);
}

void EndpointSlices::gather(const std::string& ns, const std::string& service) {
  const Symbol ns_symbol = world_.names.intern(ns);
  const Symbol name = world_.names.intern(service);
  std::vector<std::pair<std::string, Endpoints::Address>> found;  // by the pod's name
  for (const auto& [key, slice] : slices_.objects()) {
    if (service_of(*slice) != service || slice->at({"metadata", "namespace"}).text() != ns) continue;
    for (const Json& endpoint : slice->at("endpoints").items()) {
      const std::string& pod_name = endpoint.at({"targetRef", "name"}).text();
      const Ref<Pod> pod = world_.api.find<Pod>(ns_symbol, world_.names.intern(pod_name));
      if (!pod) continue;
      Endpoints::Address address;
      address.pod = pod;
      address.ready = endpoint.at({"conditions", "ready"}).as_bool(true);
      address.terminating = endpoint.at({"conditions", "terminating"}).as_bool();
      found.emplace_back(pod_name, address);
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  // A pod may stand in two slices while it moves from one to the other.
  found.erase(std::unique(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first == b.first; }), found.end());
  std::vector<Endpoints::Address> addresses;
  for (const auto& [pod, address] : found) addresses.push_back(address);
  const Ref<Endpoints> known = world_.api.find<Endpoints>(ns_symbol, name);
  const Ref<Service> owner = world_.api.find<Service>(ns_symbol, name);
  if (!owner) {
    if (known) world_.api.remove(known);
    return;
  }
  if (!known) {
    Endpoints made;
    made.meta.ns = ns_symbol;
    made.meta.name = name;
    made.addresses = std::move(addresses);
    world_.api.create(std::move(made));
    return;
  }
  if (world_.api.get(known)->addresses == addresses) return;
  world_.api.update(known, Change::kStatus, [&](Endpoints& endpoints) { endpoints.addresses = std::move(addresses); });
}

}  // namespace sim::loop
