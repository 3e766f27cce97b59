/// workload-available: replicas of a Deployment, StatefulSet, DaemonSet or ReplicaSet that its status counts as available.
///
/// It is what the API says, late as that may be (a dead node's pods count until it is NotReady): what clients see is the check `service`.
#include <fmt/format.h>

#include "chaos/checks/check_files.hpp"

namespace chaos {
namespace {

using sim::k8s::DaemonSet;
using sim::k8s::Deployment;
using sim::k8s::Kind;
using sim::k8s::Ref;
using sim::k8s::ReplicaSet;
using sim::k8s::StatefulSet;
using sim::scenario::Fields;

struct WorkloadAvailable : Expectation {
  Kind workload_kind = Kind::kDeployment;
  std::string workload;
  std::string ns = "default";
  std::optional<std::int64_t> replicas;
  std::optional<double> availability;
  std::optional<SimDuration> longest_outage;

  std::unique_ptr<Check> make(sim::World& world, SimTime window_begin) const override;
  void check(const Preview& preview, Problems& problems) const override;
};

void describe(Fields<WorkloadAvailable>& fields) {
  describe_window(fields);
  fields
      .choice("type", &WorkloadAvailable::workload_kind,
              std::vector<std::pair<std::string, Kind>>{{"Deployment", Kind::kDeployment},
                                                        {"StatefulSet", Kind::kStatefulSet},
                                                        {"DaemonSet", Kind::kDaemonSet},
                                                        {"ReplicaSet", Kind::kReplicaSet}},
              "Kind of the workload.")
      .add("workload", &WorkloadAvailable::workload, "Its name.").required()
      .add("namespace", &WorkloadAvailable::ns, "Its namespace.")
      .add("replicas", &WorkloadAvailable::replicas, 0, 1'000'000,
           "At least so many available replicas; without it, as many as it wants. At all times, unless availability or longestOutage allows less.")
      .fraction("availability", &WorkloadAvailable::availability, "Has them for at least this share of the time.")
      .add("longestOutage", &WorkloadAvailable::longest_outage, "Is never without them for longer than this.");
}

/// False when there is no such object.
template <class T, class Available, class Desired>
bool look_at(const sim::k8s::ApiServer& api, sim::Symbol ns, sim::Symbol name, Available available, Desired desired, std::int64_t& out_available,
             std::int64_t& out_desired) {
  const T* object = api.get(api.find<T>(ns, name));
  if (object == nullptr) return false;
  out_available = object->*available;
  out_desired = object->*desired;
  return true;
}

bool look(const sim::k8s::ApiServer& api, Kind kind, sim::Symbol ns, sim::Symbol name, std::int64_t& available, std::int64_t& desired) {
  switch (kind) {
    case Kind::kDeployment:
      return look_at<Deployment>(api, ns, name, &Deployment::available_replicas, &Deployment::replicas, available, desired);
    case Kind::kStatefulSet:
      return look_at<StatefulSet>(api, ns, name, &StatefulSet::available_replicas, &StatefulSet::replicas, available, desired);
    case Kind::kDaemonSet:
      return look_at<DaemonSet>(api, ns, name, &DaemonSet::available_count, &DaemonSet::desired_scheduled, available, desired);
    case Kind::kReplicaSet:
      return look_at<ReplicaSet>(api, ns, name, &ReplicaSet::available_replicas, &ReplicaSet::replicas, available, desired);
    default: return false;
  }
}

template <class T>
void names_in(const sim::World& world, const std::string& ns, std::vector<std::string>& names) {
  world.api.all<T>().for_each([&](Ref<T>, const T& object) {
    if (world.names.text(object.meta.ns) == ns) names.push_back(world.names.text(object.meta.name));
  });
}

void WorkloadAvailable::check(const Preview& preview, Problems& problems) const {
  sim::World& world = preview.world;
  std::int64_t available = 0;
  std::int64_t desired = 0;
  if (look(world.api, workload_kind, world.names.find(ns), world.names.find(workload), available, desired)) return;
  std::vector<std::string> names;
  switch (workload_kind) {
    case Kind::kStatefulSet: names_in<StatefulSet>(world, ns, names); break;
    case Kind::kDaemonSet: names_in<DaemonSet>(world, ns, names); break;
    case Kind::kReplicaSet: names_in<ReplicaSet>(world, ns, names); break;
    default: names_in<Deployment>(world, ns, names); break;
  }
  problems.unknown(fmt::format("{} (in namespace '{}')", sim::k8s::to_string(workload_kind), ns), workload, names);
}

class WorkloadAvailableCheck : public Check, public sim::k8s::Watcher {
 public:
  WorkloadAvailableCheck(sim::World& world, const WorkloadAvailable& spec) : world_(world), spec_(spec) {}
  ~WorkloadAvailableCheck() override {
    if (watching_) world_.api.unwatch(*this);
  }

  void start() override {
    ns_ = world_.names.intern(spec_.ns);
    name_ = world_.names.intern(spec_.workload);
    world_.api.watch({spec_.workload_kind}, *this);
    watching_ = true;
    note();
  }
  void on_event(const sim::k8s::WatchEvent& event) override {
    if (event.object.kind == spec_.workload_kind) note();
  }

  void judge(const Judgement& run, ExpectationResult& result) override {
    result.subject = fmt::format("{}/{}/{}", sim::k8s::to_string(spec_.workload_kind), spec_.ns, spec_.workload);
    if (available_.empty()) {
      result.not_judged = result.subject + " never existed";
      return;
    }
    // What starts is not out: without a warm-up it counts from when it was first complete.
    if (!spec_.from && run.warm_up_end == SimTime{} && first_enough_) result.from = std::max(result.from, *first_enough_);
    if (result.from >= result.to) {
      result.not_judged = "its window is over before it was first available";
      return;
    }
    if (spec_.availability) result.measures.push_back(measure_availability(enough_, *spec_.availability, result.from, result.to));
    if (spec_.longest_outage) {
      result.measures.push_back(measure_longest("longestOutage", enough_, 1.0, *spec_.longest_outage, result.from, result.to));
    }
    if (spec_.availability || spec_.longest_outage) return;
    if (spec_.replicas) {
      result.measures.push_back(measure_lowest("replicas", available_, static_cast<double>(*spec_.replicas), result.from, result.to));
    } else {
      result.measures.push_back(measure_longest("longestOutage", enough_, 1.0, SimDuration::zero(), result.from, result.to));
    }
  }

 private:
  void note() {
    std::int64_t available = 0;
    std::int64_t desired = 0;
    const bool exists = look(world_.api, spec_.workload_kind, ns_, name_, available, desired);
    if (!exists && available_.empty()) return;
    const SimTime now = world_.engine.now();
    // A DaemonSet that was not looked at yet wants 0: that is not enough, it is nothing.
    const std::int64_t wanted = spec_.replicas.value_or(desired);
    const bool enough = exists && available >= wanted && (wanted > 0 || spec_.replicas || spec_.workload_kind != Kind::kDaemonSet);
    available_.set(now, static_cast<double>(exists ? available : 0), world_.engine.cause());
    enough_.set(now, enough ? 1.0 : 0.0, world_.engine.cause());
    if (enough && !first_enough_) first_enough_ = now;
  }

  sim::World& world_;
  const WorkloadAvailable& spec_;
  sim::Symbol ns_;
  sim::Symbol name_;
  bool watching_ = false;
  Signal available_;
  Signal enough_;
  std::optional<SimTime> first_enough_;
};

std::unique_ptr<Check> WorkloadAvailable::make(sim::World& world, SimTime) const {
  return std::make_unique<WorkloadAvailableCheck>(world, *this);
}

}  // namespace

void add_workload_available(ExpectationKinds& kinds) {
  kinds.add<WorkloadAvailable>("workload-available", "A Deployment, StatefulSet, DaemonSet or ReplicaSet has its available replicas.");
}

}  // namespace chaos
