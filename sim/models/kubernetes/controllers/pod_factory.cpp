#include "sim/models/kubernetes/controllers/pod_factory.hpp"

#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>

namespace sim::k8s {

namespace {

constexpr std::string_view kNameLetters = "bcdfghjklmnpqrstvwxz2456789";
constexpr std::size_t kNameBaseMax = 58;
constexpr int kNameTries = 8;
constexpr std::int64_t kDefaultTolerationSeconds = 300;

struct PriorityOf {
  std::int32_t value = 0;
  bool preempts = true;
};

/// Empty when there is no such class.
std::optional<PriorityOf> resolve_priority(const ApiServer& api, const PodSpec& spec) {
  if (!spec.priority_class_name) {
    if (spec.has_priority) return PriorityOf{spec.priority, spec.preempts};
    std::optional<PriorityOf> lowest;
    api.all<PriorityClass>().for_each([&](Ref<PriorityClass>, const PriorityClass& c) {
      if (c.global_default && (!lowest || c.value < lowest->value)) lowest = PriorityOf{c.value, c.preempts};
    });
    return lowest.value_or(PriorityOf{0, spec.preempts});
  }
  const std::string& name = api.names().text(spec.priority_class_name);
  if (name == "system-cluster-critical") return PriorityOf{2'000'000'000, spec.preempts};
  if (name == "system-node-critical") return PriorityOf{2'000'001'000, spec.preempts};
  const PriorityClass* found = api.get(api.find<PriorityClass>(Symbol{}, spec.priority_class_name));
  if (found == nullptr) return std::nullopt;
  return PriorityOf{found->value, found->preempts && spec.preempts};
}

bool tolerates_no_execute(const PodSpec& spec, Symbol key) {
  for (const Toleration& t : spec.tolerations) {
    if ((t.key == key || !t.key) && (t.effect == TaintEffect::kNoExecute || t.effect == TaintEffect::kNone)) return true;
  }
  return false;
}

}  // namespace

std::string encoded_hash(std::uint64_t template_hash) {
  const auto folded = static_cast<std::uint32_t>(template_hash ^ (template_hash >> 32));
  std::string text = fmt::format("{}", folded);
  for (char& letter : text) letter = kNameLetters[static_cast<unsigned char>(letter) % kNameLetters.size()];
  return text;
}

std::shared_ptr<const PodSpec> PodFactory::admit(const PodTemplate& from, std::string& error) {
  const std::optional<PriorityOf> priority = resolve_priority(api_, *from.spec);
  if (!priority) {
    error = fmt::format("no PriorityClass with name {} was found", api_.names().text(from.spec->priority_class_name));
    return nullptr;
  }
  Admitted& cached = admitted_[from.hash];
  if (cached.given == from.spec && cached.result->priority == priority->value && cached.result->preempts == priority->preempts) {
    return cached.result;
  }
  const WellKnown& wk = api_.well_known();
  auto spec = std::make_shared<PodSpec>(*from.spec);
  spec->priority = priority->value;
  spec->has_priority = true;
  spec->preempts = priority->preempts;
  for (const Symbol key : {wk.not_ready, wk.unreachable}) {
    if (!tolerates_no_execute(*spec, key)) {
      spec->tolerations.push_back(Toleration{key, true, Symbol{}, TaintEffect::kNoExecute, kDefaultTolerationSeconds});
    }
  }
  finish_pod_spec(*spec);
  cached = Admitted{from.spec, std::move(spec)};
  return cached.result;
}

Symbol PodFactory::random_name(ObjectRef owner, Symbol ns, Symbol base) {
  Interner& names = api_.names();
  const auto [stream, is_new] = names_.try_emplace(owner);
  if (is_new) {
    stream->second = random_.stream("pod-name", fmt::format("{}/{}/{}", to_string(owner.kind), names.text(ns), names.text(base)));
  }
  const std::string_view prefix = std::string_view(names.text(base)).substr(0, kNameBaseMax);
  for (int attempt = 0; attempt < kNameTries; ++attempt) {
    std::array<char, 5> suffix{};
    for (char& letter : suffix) {
      letter = kNameLetters[static_cast<std::size_t>(stream->second.uniform_int(0, static_cast<std::int64_t>(kNameLetters.size()) - 1))];
    }
    const Symbol name = names.intern(fmt::format("{}-{}", prefix, std::string_view(suffix.data(), suffix.size())));
    if (!api_.find<Pod>(ns, name)) return name;
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
