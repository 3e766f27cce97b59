#include "sim/models/kubernetes/controllers/pod_factory.hpp"

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "sim/models/kubernetes/api/admission.hpp"

namespace sim::k8s {

namespace {

constexpr std::string_view kNameLetters = "bcdfghjklmnpqrstvwxz2456789";
constexpr std::size_t kNameBaseMax = 58;
constexpr int kNameTries = 8;

}  // namespace

std::string encoded_hash(std::uint64_t template_hash) {
  const auto folded = static_cast<std::uint32_t>(template_hash ^ (template_hash >> 32));
  std::string text = fmt::format("{}", folded);
  for (char& letter : text) letter = kNameLetters[static_cast<unsigned char>(letter) % kNameLetters.size()];
  return text;
}

std::string refused_creation(std::string_view owner_name, std::string_view error) {
  if (error.empty()) return fmt::format("Error creating: pods \"{}-\" already exists, the server was not able to generate a unique name", owner_name);
  return fmt::format("Error creating: pods \"{}-\" is forbidden: {}", owner_name, error);
}

std::shared_ptr<const PodSpec> PodFactory::admit(const PodTemplate& from, std::string& error) {
  const std::vector<const PriorityClass*> classes = priority_classes(api_);
  Admitted& cached = admitted_[from.hash];
  if (cached.given == from.spec) {
    // Only the priority depends on other objects, which may have come or gone since.
    const std::optional<PodPriority> priority = resolve_priority(*from.spec, classes, api_.names());
    if (priority && priority->value == cached.result->priority && priority->preempts == cached.result->preempts) return cached.result;
  }
  auto spec = std::make_shared<PodSpec>(*from.spec);
  if (const std::optional<std::string> refused = admit_pod(*spec, classes, api_.names(), api_.well_known())) {
    error = *refused;
    return nullptr;
  }
  finish_pod_spec(*spec);
  cached = Admitted{from.spec, std::move(spec)};
  return cached.result;
}

Symbol PodFactory::random_name(ObjectRef owner, const ObjectMeta& owner_meta, std::string_view base) {
  Interner& names = api_.names();
  const auto [stream, is_new] = names_.try_emplace(owner);
  if (is_new) {
    stream->second =
        random_.stream("pod-name", fmt::format("{}/{}/{}", to_string(owner.kind), names.text(owner_meta.ns), names.text(owner_meta.name)));
  }
  for (int attempt = 0; attempt < kNameTries; ++attempt) {
    std::array<char, 5> suffix{};
    for (char& letter : suffix) {
      letter = kNameLetters[static_cast<std::size_t>(stream->second.uniform_int(0, static_cast<std::int64_t>(kNameLetters.size()) - 1))];
    }
    // The dash is part of what is cut.
    const std::string prefix = fmt::format("{}-", base).substr(0, kNameBaseMax);
    const Symbol name = names.intern(fmt::format("{}{}", prefix, std::string_view(suffix.data(), suffix.size())));
    if (!api_.find<Pod>(owner_meta.ns, name)) return name;
  }
  return Symbol{};
}

Pod PodFactory::make(const ObjectMeta& owner_meta, ObjectRef owner, const PodTemplate& from, std::shared_ptr<const PodSpec> spec,
                     Symbol name) const {
  Pod pod;
  pod.meta.ns = owner_meta.ns;
  pod.meta.name = name;
  pod.meta.labels = from.labels;
  pod.meta.annotations = from.annotations;
  pod.meta.owners.push_back(OwnerReference{owner, owner_meta.uid, true});
  pod.spec = std::move(spec);
  if (pod.spec->node_name) {
    pod.node_name = pod.spec->node_name;
    pod.node = api_.find<Node>(Symbol{}, pod.node_name);
  }
  return pod;
}

}  // namespace sim::k8s
