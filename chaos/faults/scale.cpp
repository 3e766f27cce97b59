/// scale: kubectl scale, as somebody types it by mistake: a Deployment, StatefulSet or ReplicaSet gets another number of replicas, and its own back
/// after the duration.
///
/// Somebody else may scale it meanwhile: then it stays as they left it.
///
/// Leaves out: an autoscaler that sets the number back; two of these faults on the same object at the same time.
#include <fmt/format.h>

#include "chaos/faults/fault_files.hpp"
#include "sim/scenario/diagnostic.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

namespace k8s = sim::k8s;

enum class Scalable : std::uint8_t { kDeployment, kStatefulSet, kReplicaSet };

struct Scale : FaultSpec {
  Scalable workload = Scalable::kDeployment;
  std::string ns = "default";
  std::string object;
  std::int64_t replicas = 0;

  Lasting lasting() const override { return Lasting::kState; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override;
};

/// Calls `act` with the table that holds the kind.
template <class Act>
auto with_kind(Scalable kind, sim::World& world, Act&& act) {
  switch (kind) {
    case Scalable::kStatefulSet: return act(world.api.all<k8s::StatefulSet>());
    case Scalable::kReplicaSet: return act(world.api.all<k8s::ReplicaSet>());
    case Scalable::kDeployment: break;
  }
  return act(world.api.all<k8s::Deployment>());
}

void Scale::check(FaultEnvironment& environment, Problems& problems) const {
  sim::World& world = environment.world();
  with_kind(workload, world, [&]<class T>(const k8s::Table<T>& table) {
    if (table.find(world.names.find(ns), world.names.find(object))) return;
    std::vector<std::string> there;
    table.for_each([&](k8s::Ref<T>, const T& one) {
      if (world.names.text(one.meta.ns) == ns) there.push_back(world.names.text(one.meta.name));
    });
    problems.unknown(fmt::format("{} in namespace '{}'", k8s::to_string(T::kKind), ns), object, there);
  });
}

void describe(Fields<Scale>& fields) {
  describe_schedule(fields);
  describe_duration(fields, "Until somebody scales it back; without it, for ever.");
  fields.choice("workload", &Scale::workload,
                std::vector<std::pair<std::string, Scalable>>{
                    {"Deployment", Scalable::kDeployment}, {"StatefulSet", Scalable::kStatefulSet}, {"ReplicaSet", Scalable::kReplicaSet}},
                "What is scaled.")
      .add("namespace", &Scale::ns, "Its namespace.")
      .add("object", &Scale::object, "Its name.").required()
      .add("replicas", &Scale::replicas, 0, 1'000'000, "The new number of replicas.");
}

class ScaleInjection : public Injection {
 public:
  ScaleInjection(InjectionContext context, const Scale& spec) : context_(std::move(context)), spec_(spec) {}
  std::vector<std::string> targets() const override {
    return with_kind(spec_.workload, world(), [&]<class T>(const k8s::Table<T>& table) -> std::vector<std::string> {
      const k8s::Ref<T> ref = table.find(world().names.find(spec_.ns), world().names.find(spec_.object));
      if (!ref) return {};
      return {fmt::format("{}/{}/{}", k8s::to_string(T::kKind), spec_.ns, spec_.object)};
    });
  }
  void inject() override {
    context_.environment.when_writable(alive_, [this] {
      if (!over_) before_ = set(spec_.replicas, "scaled by fault " + context_.name);
    });
  }
  void end() override {
    over_ = true;
    if (!before_) return;
    context_.environment.when_writable(alive_, [this] {
      if (now() == spec_.replicas) set(*before_, "end of fault " + context_.name);
    });
  }

 private:
  sim::World& world() const { return context_.environment.world(); }
  std::optional<std::int64_t> now() const {
    return with_kind(spec_.workload, world(), [&]<class T>(const k8s::Table<T>& table) -> std::optional<std::int64_t> {
      const k8s::Ref<T> ref = table.find(world().names.find(spec_.ns), world().names.find(spec_.object));
      return ref ? std::optional(table.at(ref).replicas) : std::nullopt;
    });
  }
  /// The number that it had; none when it is gone.
  std::optional<std::int64_t> set(std::int64_t replicas, const std::string& why) {
    return with_kind(spec_.workload, world(), [&]<class T>(const k8s::Table<T>& table) -> std::optional<std::int64_t> {
      const k8s::Ref<T> ref = table.find(world().names.find(spec_.ns), world().names.find(spec_.object));
      if (!ref) return std::nullopt;
      const std::int64_t before = table.at(ref).replicas;
      if (before == replicas) return before;
      const sim::ScopedCause because(world().engine, world().api.record(ref, "Scaled", fmt::format("{}: from {} to {} replicas", why, before, replicas)));
      world().api.update(ref, k8s::Change::kSpec, [&](T& one) { one.replicas = replicas; });
      return before;
    });
  }

  InjectionContext context_;
  const Scale& spec_;
  std::optional<std::int64_t> before_;
  bool over_ = false;
  std::shared_ptr<const void> alive_ = std::make_shared<int>(0);
};

std::unique_ptr<Injection> Scale::make(InjectionContext context) const { return std::make_unique<ScaleInjection>(std::move(context), *this); }

}  // namespace

void add_scale(FaultKinds& kinds) {
  kinds.add<Scale>("scale", "A Deployment, StatefulSet or ReplicaSet is scaled, to nothing for example, and back after the duration.");
}

}  // namespace chaos
