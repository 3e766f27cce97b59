/// Kinds that are stored as they come: only what `kubectl get` shows of them is known.
#include <fmt/format.h>

#include "sim/loop/kinds/rules.hpp"

namespace sim::loop {

namespace {

Json name_of(const Json& d) { return d.at({"metadata", "name"}); }
Json age_of(const Json& d, Now now) { return age(d.at({"metadata", "creationTimestamp"}), now); }

std::string addresses(const Json& endpoints) {
  std::vector<std::string> all;
  for (const Json& subset : endpoints.at("subsets").items()) {
    for (const Json& address : subset.at("addresses").items()) {
      if (subset.at("ports").is_empty()) all.push_back(address.at("ip").text());
      for (const Json& port : subset.at("ports").items()) all.push_back(fmt::format("{}:{}", address.at("ip").text(), port.at("port").as_integer()));
    }
  }
  if (all.empty()) return "<none>";
  constexpr std::size_t kShown = 3;
  if (all.size() <= kShown) return join_text(all);
  const std::size_t more = all.size() - kShown;
  all.resize(kShown);
  return fmt::format("{} + {} more...", join_text(all), more);
}

void priority_defaults(Json& d) { d.set_default("preemptionPolicy", "PreemptLowerPriority"); }
void storage_class_defaults(Json& d) {
  d.set_default("reclaimPolicy", "Delete");
  d.set_default("volumeBindingMode", "Immediate");
}
void secret_defaults(Json& d) {
  d.set_default("type", "Opaque");
  // stringData is write-only: it becomes data.
  const Json plain = d.at("stringData");
  if (!plain.is_object()) return;
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (const Member& m : plain.members()) {
    std::string encoded;
    const std::string& text = m.value.text();
    for (std::size_t i = 0; i < text.size(); i += 3) {
      const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
      const unsigned bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
      encoded += kLetters[bits >> 18 & 63];
      encoded += kLetters[bits >> 12 & 63];
      encoded += i + 1 < text.size() ? kLetters[bits >> 6 & 63] : '=';
      encoded += i + 2 < text.size() ? kLetters[bits & 63] : '=';
    }
    d["data"].set(m.key, encoded);
  }
  d.erase("stringData");
}

}  // namespace

std::vector<KindRules> printed_rules() {
  return {
      {"", "Endpoints", nullptr, nullptr, nullptr, {{"Name", "string", "name"}, {"Endpoints"}, {"Age"}},
       [](const Json& d, Now now) { return std::vector<Json>{name_of(d), addresses(d), age_of(d, now)}; }},
      {"discovery.k8s.io", "EndpointSlice", nullptr, nullptr, nullptr, {{"Name", "string", "name"}, {"AddressType"}, {"Ports"}, {"Endpoints"}, {"Age"}},
       [](const Json& d, Now now) {
         std::vector<std::string> ports;
         for (const Json& p : d.at("ports").items()) ports.push_back(fmt::format("{}", p.at("port").as_integer()));
         std::vector<std::string> ips;
         for (const Json& e : d.at("endpoints").items()) {
           for (const Json& a : e.at("addresses").items()) ips.push_back(a.text());
         }
         return std::vector<Json>{name_of(d), d.at("addressType").text(), ports.empty() ? "<unset>" : join_text(ports), ips.empty() ? "<unset>" : join_text(ips), age_of(d, now)};
       }},
      {"", "ConfigMap", nullptr, nullptr, nullptr, {{"Name", "string", "name"}, {"Data", "integer"}, {"Age"}},
       [](const Json& d, Now now) { return std::vector<Json>{name_of(d), static_cast<std::int64_t>(d.at("data").size() + d.at("binaryData").size()), age_of(d, now)}; }},
      {"", "Secret", secret_defaults, nullptr, nullptr, {{"Name", "string", "name"}, {"Type"}, {"Data", "integer"}, {"Age"}},
       [](const Json& d, Now now) { return std::vector<Json>{name_of(d), d.at("type").text(), static_cast<std::int64_t>(d.at("data").size()), age_of(d, now)}; }},
      {"", "ServiceAccount", nullptr, nullptr, nullptr, {{"Name", "string", "name"}, {"Age"}}, [](const Json& d, Now now) { return std::vector<Json>{name_of(d), age_of(d, now)}; }},
      {"coordination.k8s.io", "Lease", nullptr, nullptr, nullptr, {{"Name", "string", "name"}, {"Holder"}, {"Age"}},
       [](const Json& d, Now now) { return std::vector<Json>{name_of(d), d.at({"spec", "holderIdentity"}).text(), age_of(d, now)}; }},
      {"scheduling.k8s.io", "PriorityClass", priority_defaults, nullptr, nullptr, {{"Name", "string", "name"}, {"Value", "integer"}, {"Global-Default", "boolean"}, {"Age"}, {"PreemptionPolicy"}},
       [](const Json& d, Now now) {
         return std::vector<Json>{name_of(d), d.at("value").as_integer(), d.at("globalDefault").as_bool(), age_of(d, now), d.at("preemptionPolicy").text()};
       }},
      {"storage.k8s.io", "StorageClass", storage_class_defaults, nullptr, nullptr,
       {{"Name", "string", "name"}, {"Provisioner"}, {"ReclaimPolicy"}, {"VolumeBindingMode"}, {"AllowVolumeExpansion"}, {"Age"}},
       [](const Json& d, Now now) {
         std::string name = name_of(d).text();
         if (d.at({"metadata", "annotations", "storageclass.kubernetes.io/is-default-class"}).text() == "true") name += " (default)";
         return std::vector<Json>{name, d.at("provisioner").text(), d.at("reclaimPolicy").text(), d.at("volumeBindingMode").text(), d.at("allowVolumeExpansion").as_bool(), age_of(d, now)};
       }},
      {"storage.k8s.io", "VolumeAttachment", nullptr, nullptr, nullptr, {{"Name", "string", "name"}, {"Attacher"}, {"PV"}, {"Node"}, {"Attached", "boolean"}, {"Age"}},
       [](const Json& d, Now now) {
         const Json& spec = d.at("spec");
         return std::vector<Json>{name_of(d), spec.at("attacher").text(), spec.at({"source", "persistentVolumeName"}).text(), spec.at("nodeName").text(),
                                  d.at({"status", "attached"}).as_bool(), age_of(d, now)};
       }},
      {"apiextensions.k8s.io", "CustomResourceDefinition", nullptr, nullptr, nullptr, {{"Name", "string", "name"}, {"Created At", "date"}},
       [](const Json& d, Now) { return std::vector<Json>{name_of(d), d.at({"metadata", "creationTimestamp"})}; }},
      {"apps", "ControllerRevision", nullptr, nullptr, nullptr, {{"Name", "string", "name"}, {"Controller"}, {"Revision", "integer"}, {"Age"}},
       [](const Json& d, Now now) {
         std::string owner = "<none>";
         for (const Json& o : d.at({"metadata", "ownerReferences"}).items()) {
           if (o.at("controller").as_bool()) owner = o.at("kind").text() + "/" + o.at("name").text();
         }
         return std::vector<Json>{name_of(d), owner, d.at("revision").as_integer(), age_of(d, now)};
       }},
  };
}

}  // namespace sim::loop
