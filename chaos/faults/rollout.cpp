/// rollout: kubectl rollout restart, as people and pipelines do all day: the pod templates of some workloads get a new annotation, and their controllers replace the pods. Its
/// work is done when kubectl rollout status says so for all of them; it failed when a Deployment exceeded its progress deadline, or a workload is gone.
///
/// Source:     kubectl pkg/polymorphichelpers/{objectrestarter,rollout_status}.go (v1.36): the annotation kubectl.kubernetes.io/restartedAt, what a paused Deployment and an
///             OnDelete strategy answer, and when a rollout is complete.
/// Leaves out: a time-out of rollout status (the expectation fault-completes has one); a new image or other settings (workload-edit has those that are for the worse).
/// Checked by: tests/chaos/faults_test.cpp, tests/chaos/rollout_test.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"
#include "sim/core/hash.hpp"
#include "sim/scenario/diagnostic.hpp"

namespace chaos {
namespace {

using sim::scenario::Fields;

namespace k8s = sim::k8s;

enum class Workload : std::uint8_t { kDeployment, kStatefulSet, kDaemonSet };

struct Rollout : FaultSpec {
  Workload workload = Workload::kDeployment;
  std::string ns;
  std::vector<std::string> objects;
  std::map<std::string, std::string> selector;
  std::optional<std::int64_t> count;
  Pick pick = Pick::kFirst;

  Lasting lasting() const override { return Lasting::kWork; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override;
};

/// Calls `act` with the table that holds the kind.
template <class Act>
auto with_kind(Workload kind, sim::World& world, Act&& act) {
  switch (kind) {
    case Workload::kStatefulSet: return act(world.api.all<k8s::StatefulSet>());
    case Workload::kDaemonSet: return act(world.api.all<k8s::DaemonSet>());
    case Workload::kDeployment: break;
  }
  return act(world.api.all<k8s::Deployment>());
}

/// Those that the fault speaks of, by namespace and name; `count` is not looked at.
template <class T>
std::vector<k8s::Ref<T>> matching(const Rollout& spec, sim::World& world, const k8s::Table<T>& table) {
  const k8s::LabelSelector selector = to_selector(spec.selector, world.names);
  std::map<std::pair<std::string, std::string>, k8s::Ref<T>> found;
  table.for_each([&](k8s::Ref<T> ref, const T& one) {
    std::string ns(world.names.text(one.meta.ns));
    std::string name(world.names.text(one.meta.name));
    if (!spec.ns.empty() && ns != spec.ns) return;
    if (!spec.objects.empty() && std::find(spec.objects.begin(), spec.objects.end(), name) == spec.objects.end()) return;
    if (!selector.matches(one.meta.labels, world.names)) return;
    found.emplace(std::pair(std::move(ns), std::move(name)), ref);
  });
  std::vector<k8s::Ref<T>> all;
  for (const auto& [name, ref] : found) all.push_back(ref);
  return all;
}

void Rollout::check(FaultEnvironment& environment, Problems& problems) const {
  sim::World& world = environment.world();
  with_kind(workload, world, [&]<class T>(const k8s::Table<T>& table) {
    std::vector<std::string> there;
    table.for_each([&](k8s::Ref<T>, const T& one) {
      if (ns.empty() || world.names.text(one.meta.ns) == ns) there.emplace_back(world.names.text(one.meta.name));
    });
    bool all_there = true;
    for (const std::string& object : objects) {
      if (std::find(there.begin(), there.end(), object) != there.end()) continue;
      all_there = false;
      problems.unknown(ns.empty() ? std::string(k8s::to_string(T::kKind)) : fmt::format("{} in namespace '{}'", k8s::to_string(T::kKind), ns), object, there);
    }
    if (all_there && matching(*this, world, table).empty()) {
      problems.error(fmt::format("no {}{}{} to roll out", k8s::to_string(T::kKind), ns.empty() ? "" : fmt::format(" in namespace '{}'", ns),
                                 selector.empty() ? "" : fmt::format(" with labels {}", describe_selector(selector))));
    }
  });
}

void describe(Fields<Rollout>& fields) {
  describe_schedule(fields);
  fields.choice("workload", &Rollout::workload,
                std::vector<std::pair<std::string, Workload>>{
                    {"Deployment", Workload::kDeployment}, {"StatefulSet", Workload::kStatefulSet}, {"DaemonSet", Workload::kDaemonSet}},
                "What is rolled out.")
      .add("namespace", &Rollout::ns, "Those of this namespace; without it, of every one.")
      .add("objects", &Rollout::objects, "Those with these names.")
      .add("selector", &Rollout::selector, "Those with these labels.")
      .add("count", &Rollout::count, 1, 1'000'000, "Only so many of them.")
      .choice("pick", &Rollout::pick, std::vector<std::pair<std::string, Pick>>{{"first", Pick::kFirst}, {"random", Pick::kRandom}},
              "Which ones, with `count`: the first by namespace and name, or at random (the same ones for the same seed).");
}

/// What kubectl rollout status waits for.
bool is_rolled_out(const k8s::Deployment& one) {
  return one.observed_generation >= one.meta.generation && one.updated_replicas >= one.replicas && one.status_replicas <= one.updated_replicas &&
         one.available_replicas >= one.updated_replicas;
}
bool is_rolled_out(const k8s::StatefulSet& one) {
  if (one.observed_generation < one.meta.generation || one.ready_replicas < one.replicas) return false;
  if (one.partition > 0) return one.updated_replicas >= one.replicas - one.partition;
  return one.update_revision == one.current_revision;
}
bool is_rolled_out(const k8s::DaemonSet& one) {
  return one.observed_generation >= one.meta.generation && one.updated_scheduled >= one.desired_scheduled && one.available_count >= one.desired_scheduled;
}

/// Why it will not be rolled out any more; empty: it may.
std::string given_up(const k8s::Deployment& one) { return one.observed_generation >= one.meta.generation && one.progress_deadline_exceeded ? "exceeded its progress deadline" : ""; }
std::string given_up(const k8s::StatefulSet&) { return ""; }
std::string given_up(const k8s::DaemonSet&) { return ""; }

/// Why kubectl refuses, at the restart or when it is asked for the status; empty: it does not.
std::string refused(const k8s::Deployment& one) { return one.paused ? "can't restart paused deployment (run rollout resume first)" : ""; }
std::string refused(const k8s::StatefulSet& one) { return one.on_delete ? "rollout status is only available for RollingUpdate strategy type" : ""; }
std::string refused(const k8s::DaemonSet& one) { return one.on_delete ? "rollout status is only available for RollingUpdate strategy type" : ""; }

template <class T>
class RolloutInjection : public Injection, public k8s::Watcher {
 public:
  RolloutInjection(InjectionContext context, const Rollout& spec) : context_(std::move(context)), done_(context_.environment.world().engine) {
    workloads_ = matching(spec, world(), world().api.template all<T>());
    choose(workloads_, spec.count, spec.pick, context_.random);
  }
  ~RolloutInjection() override { world().api.unwatch(*this); }

  std::vector<std::string> targets() const override {
    std::vector<std::string> subjects;
    for (const k8s::Ref<T> ref : workloads_) {
      if (world().api.get(ref) != nullptr) subjects.push_back(subject(ref));
    }
    return subjects;
  }

  void inject() override {
    context_.environment.when_writable(alive_, [this] { restart(); });
  }

  void on_event(const k8s::WatchEvent& event) override {
    const auto changed = std::find_if(running_.begin(), running_.end(), [&](k8s::Ref<T> ref) { return k8s::ApiServer::untyped(ref) == event.object; });
    if (changed == running_.end()) return;
    look(*changed);
  }

 private:
  sim::World& world() const { return context_.environment.world(); }
  std::string subject(k8s::Ref<T> ref) const { return std::string(world().names.text(world().api.subject(*world().api.get(ref)))); }

  void restart() {
    all_ = workloads_.size();
    for (const k8s::Ref<T> ref : workloads_) {
      const T* one = world().api.get(ref);
      if (one == nullptr) {
        failed("it is gone");
        continue;
      }
      if (const std::string why = refused(*one); !why.empty()) {
        failed(fmt::format("{}: {}", subject(ref), why));
        continue;
      }
      running_.push_back(ref);
      k8s::PodTemplate anew = one->pod_template;
      const std::string when = std::to_string(world().engine.now().time_since_epoch().count());
      anew.annotations.set(world().names.intern("kubectl.kubernetes.io/restartedAt"), world().names.intern(when));
      anew.hash = sim::fnv1a("restartedAt " + when, anew.hash);
      const sim::ScopedCause because(world().engine, world().api.record(ref, "RolloutRestarted", "kubectl rollout restart: by fault " + context_.name));
      world().api.update(ref, k8s::Change::kSpec, [&](T& changed) { changed.pod_template = anew; });
    }
    if (running_.empty()) return end_soon();
    world().api.watch({T::kKind}, *this);
  }

  void look(k8s::Ref<T> ref) {
    const T* one = world().api.get(ref);
    const std::string why = one == nullptr ? "it was deleted meanwhile" : given_up(*one);
    if (why.empty() && !is_rolled_out(*one)) return;
    if (!why.empty()) failed(one == nullptr ? why : fmt::format("{} {}", subject(ref), why));
    running_.erase(std::find(running_.begin(), running_.end(), ref));
    if (running_.empty()) end_soon();
  }

  void failed(const std::string& why) {
    ++failures_;
    if (first_failure_.empty()) first_failure_ = why;
  }

  /// From an event of its own: whoever hears of it may end this injection.
  void end_soon() {
    done_.set_after(sim::SimDuration::zero(), [this] {
      world().api.unwatch(*this);
      if (failures_ == 0) return finished(false, "done");
      finished(true, fmt::format("{} of {} not rolled out: {}", failures_, all_, first_failure_));
    });
  }

  InjectionContext context_;
  std::vector<k8s::Ref<T>> workloads_;
  std::vector<k8s::Ref<T>> running_;
  std::size_t all_ = 0;
  std::size_t failures_ = 0;
  std::string first_failure_;
  sim::Timer done_;
  std::shared_ptr<const void> alive_ = std::make_shared<int>(0);
};

std::unique_ptr<Injection> Rollout::make(InjectionContext context) const {
  switch (workload) {
    case Workload::kStatefulSet: return std::make_unique<RolloutInjection<k8s::StatefulSet>>(std::move(context), *this);
    case Workload::kDaemonSet: return std::make_unique<RolloutInjection<k8s::DaemonSet>>(std::move(context), *this);
    case Workload::kDeployment: break;
  }
  return std::make_unique<RolloutInjection<k8s::Deployment>>(std::move(context), *this);
}

}  // namespace

void add_rollout(FaultKinds& kinds) {
  kinds.add<Rollout>("rollout", "Workloads are rolled out anew, as kubectl rollout restart does: every pod is replaced by their own rules.");
}

}  // namespace chaos
