#include "sim/scenario/manifests/object_reader.hpp"

namespace sim::scenario::manifests {

void ObjectReader::container_statuses(Yaml status, std::string_view key, const std::vector<Container>& containers, std::vector<ContainerStatus>& to) {
  to.resize(containers.size());
  for (const Yaml entry : maps(status, key)) {
    const Symbol name = names.find(text(entry, "name"));
    for (std::size_t i = 0; i < containers.size(); ++i) {
      if (containers[i].name != name) continue;
      ContainerStatus& c = to[i];
      c.restart_count = static_cast<std::uint32_t>(integer_or(entry, "restartCount", 0));
      c.ready = boolean(entry, "ready", false);
      c.started = boolean(entry, "started", false);
      const Yaml state = map(entry, "state");
      if (state.find("running")) {
        c.state = ContainerState::kRunning;
      } else if (const Yaml ended = map(state, "terminated"); ended) {
        c.state = ContainerState::kTerminated;
        c.exit_code = static_cast<std::int32_t>(integer_or(ended, "exitCode", 0, INT32_MIN, INT32_MAX));
        c.reason = symbol(ended, "reason");
      } else {
        c.reason = symbol(map(state, "waiting"), "reason");
      }
    }
  }
}

void ObjectReader::pod(Yaml object) {
  Manifest<Pod> m = begin<Pod>(object, true);
  Pod& p = m.object;
  const Yaml spec = spec_of(object);
  p.spec = spec ? pod_spec(spec, false) : std::make_shared<const PodSpec>();
  p.node_name = p.spec->node_name;
  const Yaml status = map(object, "status");
  // Only a bound pod can have got further than Pending.
  if (status && p.node_name) {
    p.phase = word<PodPhase>(status, "phase", {{"Pending", PodPhase::kPending}, {"Running", PodPhase::kRunning}, {"Succeeded", PodPhase::kSucceeded},
                                               {"Failed", PodPhase::kFailed}, {"Unknown", PodPhase::kRunning}});
    p.reason = symbol(status, "reason");
    start_time(status, p);
    for (const Yaml condition : maps(status, "conditions")) {
      if (text(condition, "type") == "Ready") p.ready = text(condition, "status") == "True";
    }
    if (p.phase != PodPhase::kPending) {
      container_statuses(status, "containerStatuses", p.spec->containers, p.containers);
      container_statuses(status, "initContainerStatuses", p.spec->init_containers, p.init_containers);
    }
  }
  if (status && !p.node_name) p.nominated_node = symbol(status, "nominatedNodeName");
  put(set->pods, std::move(m));
}

}  // namespace sim::scenario::manifests
