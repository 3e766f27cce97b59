#include <algorithm>
#include <chrono>

#include "sim/scenario/manifests/object_reader.hpp"
#include "sim/scenario/names.hpp"
#include "sim/scenario/start_times.hpp"

namespace sim::scenario {

namespace manifests {

void ObjectReader::start_time(Yaml status, Pod& pod) {
  const std::string_view given = text(status, "startTime");
  if (given.empty()) return;
  const std::optional<std::int64_t> seconds = parse_instant(given);
  if (!seconds) {
    wrong(status.find("startTime"), "a time such as 2026-01-31T07:08:09Z");
    return;
  }
  pod.start_time = SimTime(std::chrono::seconds(*seconds));
}

/// The latest start is the beginning of time here; the others lie before it.
void ObjectReader::settle_start_times() {
  std::optional<SimTime> latest;
  for (const Manifest<Pod>& m : own.pods) {
    if (m.object.start_time) latest = std::max(latest.value_or(*m.object.start_time), *m.object.start_time);
  }
  for (Manifest<Pod>& m : own.pods) {
    if (m.object.start_time) m.object.start_time = SimTime(*m.object.start_time - *latest);
  }
}

}  // namespace manifests

void keep_start_times(const ManifestSet& set, k8s::ApiServer& api) {
  for (const Manifest<k8s::Pod>& manifest : set.pods) {
    if (!manifest.object.start_time) continue;
    const k8s::Ref<k8s::Pod> ref = api.find<k8s::Pod>(manifest.object.meta.ns, manifest.object.meta.name);
    if (!ref) continue;
    api.update(ref, k8s::Change::kStatus, [&](k8s::Pod& pod) { pod.start_time = manifest.object.start_time; });
  }
}

}  // namespace sim::scenario
