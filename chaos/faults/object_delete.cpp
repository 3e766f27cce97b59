/// object-delete: kubectl delete of something that was still needed: a workload, a Service, a claim, or a namespace with all that is in it. Nobody
/// puts it back.
///
/// Of a namespace everything in it is deleted at once, dependents left to the garbage collector, and the Namespace object with them.
///
/// Leaves out: the order and pace of the namespace controller, the refusal of new objects while a namespace ends; restoring from a backup.
#include <fmt/format.h>

#include "chaos/faults/fault_files.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

namespace k8s = sim::k8s;
using Propagation = k8s::DeleteOptions::Propagation;

enum class Deletable : std::uint8_t { kNamespace, kDeployment, kStatefulSet, kDaemonSet, kReplicaSet, kJob, kCronJob, kService, kClaim, kBudget };

struct ObjectDelete : FaultSpec {
  Deletable object_kind = Deletable::kDeployment;
  std::string ns = "default";
  std::string object;
  Propagation cascade = Propagation::kBackground;

  Lasting lasting() const override { return Lasting::kInstant; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override;
};

/// Calls `act` with an empty reference of the kind. Not for namespaces.
template <class Act>
void with_kind(Deletable kind, Act&& act) {
  switch (kind) {
    case Deletable::kNamespace: break;
    case Deletable::kDeployment: act(k8s::Ref<k8s::Deployment>{}); break;
    case Deletable::kStatefulSet: act(k8s::Ref<k8s::StatefulSet>{}); break;
    case Deletable::kDaemonSet: act(k8s::Ref<k8s::DaemonSet>{}); break;
    case Deletable::kReplicaSet: act(k8s::Ref<k8s::ReplicaSet>{}); break;
    case Deletable::kJob: act(k8s::Ref<k8s::Job>{}); break;
    case Deletable::kCronJob: act(k8s::Ref<k8s::CronJob>{}); break;
    case Deletable::kService: act(k8s::Ref<k8s::Service>{}); break;
    case Deletable::kClaim: act(k8s::Ref<k8s::PersistentVolumeClaim>{}); break;
    case Deletable::kBudget: act(k8s::Ref<k8s::PodDisruptionBudget>{}); break;
  }
}

constexpr Deletable kInNamespaces[] = {Deletable::kDeployment, Deletable::kStatefulSet, Deletable::kDaemonSet, Deletable::kReplicaSet, Deletable::kJob,
                                       Deletable::kCronJob,    Deletable::kService,     Deletable::kClaim,     Deletable::kBudget};

template <class T>
std::vector<k8s::Ref<T>> in_namespace(sim::World& world, const std::string& ns) {
  std::vector<k8s::Ref<T>> found;
  world.api.all<T>().for_each([&](k8s::Ref<T> ref, const T& one) {
    if (world.names.text(one.meta.ns) == ns) found.push_back(ref);
  });
  return found;
}

bool is_there(sim::World& world, const std::string& ns) {
  bool any = !in_namespace<k8s::Pod>(world, ns).empty() || static_cast<bool>(world.api.find<k8s::Namespace>(sim::Symbol{}, world.names.find(ns)));
  for (const Deletable kind : kInNamespaces) {
    with_kind(kind, [&]<class T>(k8s::Ref<T>) { any = any || !in_namespace<T>(world, ns).empty(); });
  }
  return any;
}

void ObjectDelete::check(FaultEnvironment& environment, Problems& problems) const {
  sim::World& world = environment.world();
  if (object_kind == Deletable::kNamespace) {
    if (object == "kube-system") problems.error("the namespace kube-system cannot be deleted: the API server forbids it");
    else if (!is_there(world, object)) problems.error(fmt::format("there is no namespace '{}'", object));
    return;
  }
  with_kind(object_kind, [&]<class T>(k8s::Ref<T>) {
    if (world.api.find<T>(world.names.find(ns), world.names.find(object))) return;
    std::vector<std::string> there;
    for (const k8s::Ref<T> ref : in_namespace<T>(world, ns)) there.push_back(world.names.text(world.api.all<T>().at(ref).meta.name));
    // A claim of a StatefulSet is made when it runs.
    if (object_kind == Deletable::kClaim && !in_namespace<k8s::StatefulSet>(world, ns).empty()) return;
    problems.unknown(fmt::format("{} in namespace '{}'", k8s::to_string(T::kKind), ns), object, there);
  });
}

void describe(Fields<ObjectDelete>& fields) {
  describe_schedule(fields);
  fields.choice("objectKind", &ObjectDelete::object_kind,
                std::vector<std::pair<std::string, Deletable>>{{"Namespace", Deletable::kNamespace},
                                                               {"Deployment", Deletable::kDeployment},
                                                               {"StatefulSet", Deletable::kStatefulSet},
                                                               {"DaemonSet", Deletable::kDaemonSet},
                                                               {"ReplicaSet", Deletable::kReplicaSet},
                                                               {"Job", Deletable::kJob},
                                                               {"CronJob", Deletable::kCronJob},
                                                               {"Service", Deletable::kService},
                                                               {"PersistentVolumeClaim", Deletable::kClaim},
                                                               {"PodDisruptionBudget", Deletable::kBudget}},
                "What kind of object.").required()
      .add("namespace", &ObjectDelete::ns, "Its namespace; of a Namespace it is not looked at.")
      .add("object", &ObjectDelete::object, "Its name.").required()
      .choice("cascade", &ObjectDelete::cascade,
              std::vector<std::pair<std::string, Propagation>>{
                  {"background", Propagation::kBackground}, {"foreground", Propagation::kForeground}, {"orphan", Propagation::kOrphan}},
              "What becomes of its dependents, as kubectl delete --cascade takes it.");
}

class ObjectDeleteInjection : public Injection {
 public:
  ObjectDeleteInjection(InjectionContext context, const ObjectDelete& spec) : context_(std::move(context)), spec_(spec) {}
  std::vector<std::string> targets() const override {
    std::vector<std::string> subjects;
    if (spec_.object_kind == Deletable::kNamespace) {
      if (is_there(world(), spec_.object)) subjects.push_back("Namespace/" + spec_.object);
      return subjects;
    }
    with_kind(spec_.object_kind, [&]<class T>(k8s::Ref<T>) {
      if (find<T>()) subjects.push_back(fmt::format("{}/{}/{}", k8s::to_string(T::kKind), spec_.ns, spec_.object));
    });
    return subjects;
  }
  void inject() override {
    context_.environment.when_writable(alive_, [this] {
      if (spec_.object_kind == Deletable::kNamespace) return empty_namespace();
      with_kind(spec_.object_kind, [&]<class T>(k8s::Ref<T>) { remove(find<T>()); });
    });
  }

 private:
  sim::World& world() const { return context_.environment.world(); }
  template <class T>
  k8s::Ref<T> find() const {
    return world().api.find<T>(world().names.find(spec_.ns), world().names.find(spec_.object));
  }
  template <class T>
  void remove(k8s::Ref<T> ref) {
    if (world().api.get(ref) == nullptr) return;
    k8s::DeleteOptions options;
    options.propagation = spec_.cascade;
    const sim::ScopedCause because(world().engine, world().api.record(ref, "Deleted", "deleted by fault " + context_.name));
    world().api.remove(ref, options);
  }
  void empty_namespace() {
    // What would make pods again goes before the pods.
    for (const Deletable kind : kInNamespaces) {
      with_kind(kind, [&]<class T>(k8s::Ref<T>) {
        for (const k8s::Ref<T> ref : in_namespace<T>(world(), spec_.object)) remove(ref);
      });
    }
    for (const k8s::Ref<k8s::Pod> pod : in_namespace<k8s::Pod>(world(), spec_.object)) remove(pod);
    remove(world().api.find<k8s::Namespace>(sim::Symbol{}, world().names.find(spec_.object)));
  }

  InjectionContext context_;
  const ObjectDelete& spec_;
  std::shared_ptr<const void> alive_ = std::make_shared<int>(0);
};

std::unique_ptr<Injection> ObjectDelete::make(InjectionContext context) const { return std::make_unique<ObjectDeleteInjection>(std::move(context), *this); }

}  // namespace

void add_object_delete(FaultKinds& kinds) {
  kinds.add<ObjectDelete>("object-delete", "An object is deleted that was still needed: a workload, a Service, a claim, or a namespace with all that is in it.");
}

}  // namespace chaos
