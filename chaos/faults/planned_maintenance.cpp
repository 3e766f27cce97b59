/// planned-maintenance: what a team does every month: one node after the other (or a few at a time) is drained, rebooted or switched off for
/// a while, waited for, and uncordoned.
///
///   drain --done--> off / reboot --Ready--> uncordon --pause--> the next node
///     \--timeout, refused: skip (uncordon, next), force (delete what is left, go on), stop (leave it cordoned, all ends)
///
/// Leaves out: a team that looks at its services before it goes on to the next node (pause is all the care that it takes).
#include <fmt/format.h>

#include <memory>

#include "chaos/faults/drain_fields.hpp"
#include "chaos/faults/fault_files.hpp"
#include "chaos/target.hpp"
#include "sim/models/kubernetes/controllers/drain.hpp"

namespace chaos {
namespace {

using sim::host::HostId;
using sim::host::HostState;
using sim::k8s::Drain;
using sim::k8s::DrainResult;
using sim::k8s::Node;
using sim::k8s::Ref;
using sim::scenario::Fields;

enum class Action : std::uint8_t { kReboot, kPowerOff, kNone };
enum class Policy : std::uint8_t { kSkip, kForce, kStop };

struct PlannedMaintenance : FaultSpec {
  NodeTarget target;
  DrainFields drain;
  Action action = Action::kReboot;
  SimDuration off_for = std::chrono::minutes(20);
  std::int64_t concurrent = 1;
  Policy on_drain_timeout = Policy::kStop;
  SimDuration pause{};
  SimDuration ready_timeout = std::chrono::hours(1);

  PlannedMaintenance() { drain.timeout = std::chrono::minutes(30); }
  Lasting lasting() const override { return Lasting::kWork; }
  std::unique_ptr<Injection> make(InjectionContext context) const override;
  void check(FaultEnvironment& environment, Problems& problems) const override { target.check(environment, problems); }
};

void describe(Fields<PlannedMaintenance>& fields) {
  describe_schedule(fields);
  fields.add("target", &PlannedMaintenance::target, "The nodes that it walks through, in this order.").required()
      .choice("action", &PlannedMaintenance::action,
              std::vector<std::pair<std::string, Action>>{{"reboot", Action::kReboot}, {"power-off", Action::kPowerOff}, {"none", Action::kNone}},
              "What is done to a node once it is drained. none: nothing that takes it down (a configuration change); offFor is how long that takes.")
      .add("offFor", &PlannedMaintenance::off_for, "power-off: how long it is off. none: how long the work takes.")
      .add("maxConcurrent", &PlannedMaintenance::concurrent, 1, 1'000'000, "How many nodes at a time.")
      .add("drain", &PlannedMaintenance::drain, "Options of kubectl drain. Its timeout is 30m unless given.")
      .choice("onDrainTimeout", &PlannedMaintenance::on_drain_timeout,
              std::vector<std::pair<std::string, Policy>>{{"stop", Policy::kStop}, {"skip", Policy::kSkip}, {"force", Policy::kForce}},
              "When a node cannot be drained. stop: the maintenance ends there, the node stays cordoned. skip: it is uncordoned and left alone. "
              "force: what is left is deleted without asking budgets, and the work goes on.")
      .add("pause", &PlannedMaintenance::pause, "From the end of one node to the beginning of the next.")
      .add("readyTimeout", &PlannedMaintenance::ready_timeout, "How long a node may take to become Ready again; then the maintenance stops.");
}

class Maintenance : public NodeInjection, public sim::k8s::Watcher {
 public:
  Maintenance(InjectionContext context, const PlannedMaintenance& spec) : NodeInjection(std::move(context), spec.target), spec_(spec) {}
  ~Maintenance() override {
    if (watching_) world().api.unwatch(*this);
  }

  void inject() override {
    for (Ref<Node> node : nodes_) {
      Work work;
      work.node = node;
      work.name = world().names.text(world().api.all<Node>().at(node).meta.name);
      works_.push_back(std::move(work));
    }
    world().api.watch({sim::k8s::Kind::kNode}, *this);
    watching_ = true;
    // These outlive the injection: they look whether it is still there.
    const std::weak_ptr<const void> alive = alive_;
    world().hosts.on_change([this, alive](const sim::host::Hosts::Change&) {
      if (!alive.expired()) look();
    });
    world().kubelets.on_heartbeat([this, alive](Ref<Node>) {
      if (!alive.expired()) look();
    });
    for (std::int64_t i = 0; i < spec_.concurrent; ++i) next();
  }

  void on_event(const sim::k8s::WatchEvent&) override { look(); }

 private:
  enum class Stage : std::uint8_t { kWaiting, kDraining, kForcing, kDown, kReturning, kDone };
  struct Work {
    Ref<Node> node;
    std::string name;
    Stage stage = Stage::kWaiting;
    std::unique_ptr<Drain> drain;
    sim::Timer timer;
    CauseId cause{};
  };

  CauseId note(Work& work, std::string_view kind, std::string_view message) {
    work.cause = world().api.get(work.node) != nullptr ? world().api.record(work.node, kind, message)
                                                       : world().log.record(kind, "Node/" + work.name, message);
    return work.cause;
  }

  /// Begins with the next node, or ends everything after the last one.
  void next() {
    if (stopped_) return;
    std::size_t index = 0;
    while (index < works_.size() && works_[index].stage != Stage::kWaiting) ++index;
    if (index == works_.size()) return finish_if_done();
    Work& work = works_[index];
    if (world().api.get(work.node) == nullptr) {
      work.stage = Stage::kDone;
      ++skipped_;
      return next();
    }
    sim::ScopedCause because(world().engine, note(work, "MaintenanceStarted", fmt::format("node {} of {}", index + 1, works_.size())));
    drain(work, Stage::kDraining, spec_.drain.options());
  }

  void drain(Work& work, Stage stage, const sim::k8s::DrainOptions& options) {
    work.stage = stage;
    work.drain = std::make_unique<Drain>(world().api, work.node, options);
    work.drain->start([this, &work](const DrainResult& result) { drained(work, result); });
  }

  void drained(Work& work, const DrainResult& result) {
    if (stopped_) return;
    // A copy: the result goes with the Drain.
    const DrainResult end = result;
    work.drain.reset();
    if (end.outcome == DrainResult::Outcome::kNodeGone) return left_alone(work, "the Node object is gone");
    if (end.outcome == DrainResult::Outcome::kDone || work.stage == Stage::kForcing) return take_down(work);
    const std::string why = describe_result(world(), end);
    switch (spec_.on_drain_timeout) {
      case Policy::kSkip:
        // The drain may have timed out because the API could not be written.
        context_.environment.when_writable(alive_, [this, &work] { sim::k8s::uncordon(world().api, work.node, "maintenance skips it"); });
        return left_alone(work, why);
      case Policy::kStop: return stop(work, fmt::format("{} cannot be drained: {}", work.name, why));
      case Policy::kForce: {
        sim::ScopedCause because(world().engine, note(work, "MaintenanceForced", why));
        sim::k8s::DrainOptions options = spec_.drain.options();
        options.disable_eviction = true;
        options.force = true;
        options.delete_emptydir_data = true;
        return drain(work, Stage::kForcing, options);
      }
    }
  }

  void take_down(Work& work) {
    const HostId host = world().kubelets.host_of(work.node);
    work.stage = Stage::kDown;
    work.timer = sim::Timer(world().engine);
    if (spec_.action == Action::kNone || !host) {
      work.timer.set_after(spec_.off_for, [this, &work] { came_back(work); });
      return;
    }
    if (spec_.action == Action::kPowerOff) {
      sim::ScopedCause because(world().engine, note(work, "MaintenancePowerOff", fmt::format("off for {}", sim::format_duration(spec_.off_for))));
      world().hosts.power_off(host);
      work.timer.set_after(spec_.off_for, [this, &work, host] {
        await_ready(work);
        world().hosts.power_on(host);
      });
      return;
    }
    sim::ScopedCause because(world().engine, note(work, "MaintenanceReboot", "reboot"));
    await_ready(work);
    world().hosts.reboot(host);
  }

  void await_ready(Work& work) {
    work.stage = Stage::kReturning;
    work.timer.set_after(spec_.ready_timeout, [this, &work] {
      stop(work, fmt::format("{} is not Ready {} after its maintenance", work.name, sim::format_duration(spec_.ready_timeout)));
    });
  }

  /// Something changed: perhaps a node is back.
  void look() {
    for (Work& work : works_) {
      if (work.stage != Stage::kReturning) continue;
      const Node* node = world().api.get(work.node);
      if (node == nullptr) {
        left_alone(work, "the Node object is gone");
        continue;
      }
      // The API may not have noticed that it was away: its own word alone is not enough.
      const HostId host = world().kubelets.host_of(work.node);
      if (node->ready != sim::k8s::ConditionStatus::kTrue || world().hosts.state(host) != HostState::kUp) continue;
      if (!world().kubelets.heartbeat(work.node).renewing) continue;
      came_back(work);
    }
  }

  void came_back(Work& work) {
    work.timer.cancel();
    work.stage = Stage::kDone;
    context_.environment.when_writable(alive_, [this, &work] {
      sim::ScopedCause because(world().engine, note(work, "MaintenanceFinished", "uncordoned"));
      sim::k8s::uncordon(world().api, work.node, "maintenance is done");
    });
    ++done_;
    later();
  }

  void left_alone(Work& work, const std::string& why) {
    work.timer.cancel();
    work.stage = Stage::kDone;
    ++skipped_;
    if (first_skip_.empty()) first_skip_ = fmt::format("{}: {}", work.name, why);
    note(work, "MaintenanceSkipped", why);
    later();
  }

  void later() {
    // From an event of its own also without a pause: this may run inside a listener.
    pauses_.push_back(std::make_unique<sim::Timer>(world().engine));
    pauses_.back()->set_after(spec_.pause, [this] { next(); });
  }

  void stop(Work& work, const std::string& why) {
    if (stopped_) return;
    stopped_ = true;
    sim::ScopedCause because(world().engine, note(work, "MaintenanceStopped", why));
    // Drains under way are broken off; what is down already is brought back and uncordoned.
    for (Work& other : works_) other.drain.reset();
    finished(true, fmt::format("stopped after {} of {} nodes: {}", done_, works_.size(), why));
  }

  void finish_if_done() {
    for (const Work& work : works_) {
      if (work.stage != Stage::kDone) return;
    }
    if (stopped_) return;
    stopped_ = true;
    if (skipped_ == 0) {
      finished(false, "done");
    } else {
      finished(done_ == 0, fmt::format("done; {} of {} nodes skipped: {}", skipped_, works_.size(), first_skip_));
    }
  }

  const PlannedMaintenance& spec_;
  std::vector<Work> works_;  // complete before the first one begins: callbacks refer to its elements
  std::vector<std::unique_ptr<sim::Timer>> pauses_;
  std::size_t done_ = 0;
  std::size_t skipped_ = 0;
  std::string first_skip_;
  bool stopped_ = false;
  bool watching_ = false;
};

std::unique_ptr<Injection> PlannedMaintenance::make(InjectionContext context) const {
  return std::make_unique<Maintenance>(std::move(context), *this);
}

}  // namespace

void add_planned_maintenance(FaultKinds& kinds) {
  kinds.add<PlannedMaintenance>("planned-maintenance", "Nodes are drained, rebooted or switched off for a while, and uncordoned: one after the other, or a few at a time.");
}

}  // namespace chaos
