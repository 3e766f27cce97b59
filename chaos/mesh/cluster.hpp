/// Chaos Mesh in one world: the resources that were created in it, and the controllers that carry them out.
///
/// An experiment selects its targets once, does what its kind does to each, and takes it back when its duration is over or it is deleted. What cannot be done is
/// tried again after 5 ms, 10 ms ... up to 1000 s. A selection that finds nothing is not repeated. A Schedule makes experiments at its times, a Workflow one after
/// the other or beside each other.
///
/// Records, subject "KIND/NAMESPACE/NAME", with the reasons of the controllers' events: Started, Paused, Applied, Failed, TimeUp, Recovered, Deleted; Spawned,
/// Forbid, MissSchedule; NodesCreated, ChaosCRCreated, ChaosCRDeleted, DeadlineExceed, NodeAccomplished, WorkflowAccomplished, WorkflowAborted.
///
/// Source:     chaos-mesh controllers/common/{desiredphase,records,condition}, controllers/schedule/{cron,gc}, pkg/workflow/controllers, commit 608b61e7.
/// Leaves out: the pods of Chaos Mesh itself (its controller works while the API can be written, its daemons while their machines run); the time that a
///             reconciliation takes (milliseconds); changes of a resource after its creation.
/// Checked by: tests/chaos/mesh_test.cpp.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "chaos/mesh/resource.hpp"

namespace chaos::mesh {

/// What `squall query ... chaos` shows of a resource.
struct ObjectView {
  std::string kind, ns, name, phase;
  bool has_conditions = false;  // those of an experiment
  bool is_selected = false;
  bool all_injected = false;
  bool all_recovered = false;
  bool is_paused = false;
  std::size_t targets = 0;
  SimTime created{};
};

/// A resource that was created.
class Object {
 public:
  Object(Cluster& cluster, std::string kind, std::string ns, std::string name);
  virtual ~Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  const std::string& name() const { return name_; }
  std::string subject() const { return kind_ + "/" + ns_ + "/" + name_; }
  bool is_deleted() const { return is_deleted_; }
  SimTime created() const { return created_; }
  std::shared_ptr<const void> alive() const { return alive_; }

  /// The controller sees it.
  virtual void start() = 0;
  /// Takes back what it did. Called once.
  void remove();
  /// Nothing more will come of it by itself.
  virtual bool is_finished() const = 0;
  /// How it went, for the fault that made it: empty while it goes well.
  virtual std::string failure() const { return failure_; }
  virtual ObjectView view() const;
  /// Called when is_finished() may have become true.
  std::function<void()> changed;

 protected:
  virtual void removed() = 0;
  sim::CauseId record(std::string_view reason, std::string_view message);
  void tell() {
    if (changed) changed();
  }
  sim::World& world() const;

  Cluster& cluster_;
  std::string kind_, ns_, name_;
  SimTime created_{};
  bool is_deleted_ = false;
  std::string failure_;
  std::shared_ptr<const void> alive_ = std::make_shared<int>(0);
};

struct Options {
  bool allows_host_network = false;                // controllerManager.allowHostNetworkTesting of the Helm chart
  std::map<std::string, std::string> instances;    // nodes by the names that a cloud has for them
  std::int64_t start_unix_seconds = 0;             // the wall-clock time of the run's begin
};

class Cluster {
 public:
  explicit Cluster(FaultEnvironment& environment) : environment_(environment) {}
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  sim::World& world() { return environment_.world(); }
  FaultEnvironment& environment() { return environment_; }
  const Options& options() const { return options_; }
  void set_options(Options options) { options_ = std::move(options); }
  /// Creates it now, or when the API can be written. It lives as long as this, or until it is forgotten.
  Object& create(std::shared_ptr<const Spec> spec, const Meta& meta);
  /// A deleted one that nobody asks for any more. Not from inside of it.
  void forget(const Object& object);
  std::int64_t start_unix_seconds() const { return options_.start_unix_seconds; }
  std::vector<ObjectView> views() const;
  /// "name-x7k2p", as the API server does it.
  std::string generate_name(const std::string& prefix);
  /// Takes turns with the others that slow the disk of a member of etcd down.
  void delay_disk(std::size_t member, SimDuration delay, double share, bool undo);
  /// Puts the clock of a member's kube-controller-manager forward by so much (back, when negative). It counts while that member leads.
  void skew_clock(std::size_t member, SimDuration by);
  /// Loads a container beside whatever loads it already; the number takes it back. 0: it does not run. What ran in it went with its last restart.
  std::uint64_t stress(const Target& target, const sim::k8s::Kubelets::Stress& stress);
  void relieve(std::uint64_t number);
  std::shared_ptr<const void> alive() const { return alive_; }

 private:
  FaultEnvironment& environment_;
  Options options_;
  std::vector<std::unique_ptr<Object>> objects_;
  std::uint64_t names_ = 0;
  std::map<std::size_t, std::vector<std::pair<SimDuration, double>>> disk_delays_;
  struct Load {
    Target target;
    std::uint32_t restarts = 0;
    sim::k8s::Kubelets::Stress stress;
  };
  std::optional<std::uint32_t> restarts_of(const Target& target);
  bool update_load(const Target& target);
  std::map<std::uint64_t, Load> loads_;
  std::uint64_t last_load_ = 0;
  std::shared_ptr<const void> alive_ = std::make_shared<int>(0);
};

std::unique_ptr<Object> make_engine(Cluster& cluster, const std::shared_ptr<const Spec>& spec, const Meta& meta);  // null: it is none
std::unique_ptr<Object> make_object(Cluster& cluster, std::shared_ptr<const Spec> spec, const Meta& meta);
std::unique_ptr<Object> make_experiment(Cluster& cluster, std::shared_ptr<const ChaosSpec> spec, const Meta& meta);

}  // namespace chaos::mesh
