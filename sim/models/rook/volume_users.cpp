#include "sim/models/rook/volume_users.hpp"

#include <fmt/format.h>

namespace sim::rook {

std::optional<Symbol> volume_name_in(const k8s::ApiServer& api, const k8s::Pod& pod, Symbol volume) {
  if (pod.spec == nullptr) return std::nullopt;
  for (const k8s::PodVolume& one : pod.spec->volumes) {
    const Symbol claim = one.claim ? one.claim : api.names().find(fmt::format("{}-{}", api.names().text(pod.meta.name), api.names().text(one.name)));
    const auto ref = claim ? api.find<k8s::PersistentVolumeClaim>(pod.meta.ns, claim) : k8s::Ref<k8s::PersistentVolumeClaim>{};
    const k8s::PersistentVolumeClaim* object = ref ? api.get(ref) : nullptr;
    if (object != nullptr && object->spec.volume_name == volume) return one.name;
  }
  return std::nullopt;
}

}  // namespace sim::rook
