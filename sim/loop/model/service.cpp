#include "sim/loop/model/codec.hpp"
#include "sim/models/world.hpp"

namespace sim::loop {

using namespace sim::k8s;
using ServiceCodec = Codec<Service>;

void ServiceCodec::render(const Service& service, Json& document, RenderContext& context) {
  Json& spec = document["spec"];
  if (spec.at("selector").is_null() && service.has_selector) {
    spec.set("selector", selector_json(service.selector, context.world.names).at("matchLabels"));
  }
  spec.set_default("type", "ClusterIP");
  spec.set_default("sessionAffinity", "None");
  if (service.headless) {
    spec.set("clusterIP", "None");
    spec.set("clusterIPs", Json::array({"None"}));
  } else if (spec.at("clusterIP").text().empty() && spec.at("type").text() != "ExternalName") {
    // From the second half of the range: the first is handed out to clients.
    std::string ip = pod_address(static_cast<std::uint32_t>(service.meta.uid));
    ip = "10.104" + ip.substr(ip.find('.', 3));
    spec.set("clusterIP", ip);
    spec.set("clusterIPs", Json::array({ip}));
  }
  document["status"].set_default("loadBalancer", Json::object());
}

Change ServiceCodec::apply_spec(Service& to, Service& from, const Json&, RenderContext&) {
  to.selector = from.selector;
  to.has_selector = from.has_selector;
  to.publish_not_ready = from.publish_not_ready;
  to.headless = from.headless;
  return Change::kSpec;
}

Change ServiceCodec::apply_status(Service&, const Json&, const Json&, RenderContext&) { return Change::kStatus; }
void ServiceCodec::created(Service&, Json&, RenderContext&, std::string&) {}

}  // namespace sim::loop
