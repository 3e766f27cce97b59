/// What a fault is: read once from the scenario (FaultSpec, shared by all runs), carried out in one world (Injection).
///
/// A new kind of fault is one file in chaos/faults and one line in chaos/all_faults.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chaos/problems.hpp"
#include "sim/core/random.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/fields.hpp"

namespace chaos {

namespace mesh {
class Cluster;
}

using sim::CauseId;
using sim::SimDuration;
using sim::SimTime;

/// How long a kind lasts.
enum class Lasting : std::uint8_t {
  kInstant,  ///< it happens, and that was it: no duration
  kState,    ///< until its duration is over
  kWork,     ///< until it has done its work, or given up
};

/// What the faults of one run share.
class FaultEnvironment {
 public:
  FaultEnvironment(sim::World& world, std::map<std::string, std::vector<std::string>> pools);
  FaultEnvironment(const FaultEnvironment&) = delete;
  FaultEnvironment& operator=(const FaultEnvironment&) = delete;

  sim::World& world() { return world_; }
  /// Names of the nodes of each pool of the scenario.
  const std::map<std::string, std::vector<std::string>>& pools() const { return pools_; }

  /// Does it now if the API can be written, else (under the cause that is current now) when it can: a person's command that fails is tried
  /// again. Dropped when `owner` is gone by then.
  void when_writable(const std::shared_ptr<const void>& owner, std::function<void()> action);

  /// Puts a host into one more partition; the newest one counts. leave_partition() takes that one back.
  std::uint32_t new_partition() { return ++last_partition_; }
  void enter_partition(sim::host::HostId host, std::uint32_t partition);
  void leave_partition(sim::host::HostId host, std::uint32_t partition);
  /// Slows a member's disk by one more factor (they multiply); with `undo` takes it back.
  void slow_disk(std::size_t member, double factor, bool undo);

  /// When the API servers' certificates were issued and how long they are valid.
  struct CertificateTerm {
    SimDuration age{};
    SimDuration life{};
  };
  /// Puts the clock of a machine forward by so much (back, when negative), beside what is wrong with it already.
  void skew_machine(sim::host::HostId host, SimDuration by, CertificateTerm term);
  /// ... of a member's kube-controller-manager alone. It counts while that member leads.
  void skew_controllers(std::size_t member, SimDuration by);

  /// Chaos Mesh in this world; made when it is first asked for.
  mesh::Cluster& chaos_mesh();
  /// ... or null.
  const mesh::Cluster* chaos_mesh_if_any() const { return chaos_mesh_.get(); }
  /// The wall-clock time of the begin of the run.
  std::int64_t start_unix_seconds = sim::k8s::kDefaultStartUnixSeconds;

  /// What a fault does to a thing and takes back at its end, when several do it to the same thing: it is taken back with the last of them.
  /// A fault without a duration never releases.
  enum class Held : std::uint8_t { kHostOff, kProcess, kCordon, kUnready, kCertificate, kCephDiskFailed, kCephDiskHangs, kCephDiskSlow, kCephDiskFilled, kCephFlag, kCephNetwork, kTaint, kHung, kLease, kDefragmentation, kEtcdData, kMemberCertificate };
  using HeldThing = std::pair<std::uint64_t, std::uint64_t>;
  void hold(Held what, HeldThing thing) { ++holds_[{what, thing}]; }
  bool is_held(Held what, HeldThing thing) const {
    const auto found = holds_.find({what, thing});
    return found != holds_.end() && found->second > 0;
  }
  /// True when nobody holds it any more.
  bool release(Held what, HeldThing thing);
  /// The same of things that are done by degrees: the values that are in force now, this one among them or taken back.
  const std::vector<double>& put(Held what, HeldThing thing, double value);
  const std::vector<double>& take_back(Held what, HeldThing thing, double value);

 private:
  struct Waiting {
    std::weak_ptr<const void> owner;
    CauseId cause;
    std::function<void()> action;
  };
  sim::World& world_;
  std::map<std::string, std::vector<std::string>> pools_;
  std::vector<Waiting> waiting_;
  bool listening_ = false;
  std::uint32_t last_partition_ = 0;
  std::map<sim::host::HostId, std::vector<std::uint32_t>> partitions_;
  std::map<std::size_t, std::vector<double>> disk_factors_;
  std::map<std::pair<Held, HeldThing>, std::size_t> holds_;
  std::map<std::pair<Held, HeldThing>, std::vector<double>> degrees_;
  std::shared_ptr<mesh::Cluster> chaos_mesh_;
  void update_controllers_clock();
  std::map<sim::host::HostId, SimDuration> machine_clocks_;
  std::map<std::size_t, SimDuration> controllers_clocks_;
  bool follows_leaders_ = false;
};

/// One occurrence of a fault in one world.
class Injection {
 public:
  virtual ~Injection() = default;
  /// What it hits, as subjects of the log ("Node/w3", "Pod/shop/web-0", "rack-a"), known from its construction on. Empty: nothing matched, and it is
  /// not injected.
  virtual std::vector<std::string> targets() const = 0;
  /// Does it. The FaultInjected record is the current cause.
  virtual void inject() = 0;
  /// Of a kind that lasts: its time is over. The FaultEnded record is the current cause.
  virtual void end() {}
  /// Of a kind that works: called by it once, from inside or after inject(); `failed` when it could not do its work.
  std::function<void(bool failed, std::string outcome)> finished;
};

class FaultSpec;

/// What makes an injection.
struct InjectionContext {
  FaultEnvironment& environment;
  std::string name;  // of this occurrence: "crash", "crash#2"
  /// For random choices: keyed by the fault's name and the number of the occurrence.
  sim::RandomStream random;
};

/// One entry of `faults:`. A kind derives from it, and has `describe(Fields<Kind>&)`.
class FaultSpec {
 public:
  std::string name;
  std::string kind;
  sim::scenario::Place where;
  SimDuration at{};                     // of the first injection, from the start of the run
  std::optional<SimDuration> duration;  // absent: for ever (or until its work is done)
  std::optional<SimDuration> every;     // from one injection to the next
  std::optional<std::int64_t> times;    // injections in all; absent with `every`: until the run ends
  // Somebody who is told of it mends it: by a person who was paged, by who reads tickets. Absent: nobody reacts.
  std::optional<SimDuration> mended_after_page;
  std::optional<SimDuration> mended_after_ticket;

  virtual ~FaultSpec() = default;
  virtual Lasting lasting() const = 0;
  /// Reads the world, and changes nothing yet.
  virtual std::unique_ptr<Injection> make(InjectionContext context) const = 0;
  /// Before the start: what can be known of it beforehand (a certificate's last day). `context` is that of the first injection.
  virtual void foresee(InjectionContext context) const { (void)context; }
  /// Of a kind that can be foreseen: somebody mended it before its time, and it does not come.
  virtual bool is_foreseeable() const { return false; }
  virtual void avert(InjectionContext context) const { (void)context; }
  /// Says what cannot be right in this world as it is before the start.
  virtual void check(FaultEnvironment& environment, Problems& problems) const = 0;

 protected:
  FaultSpec() = default;
  FaultSpec(const FaultSpec&) = default;
  FaultSpec& operator=(const FaultSpec&) = default;
};

/// The fields that every kind has; each describe() calls it first.
template <class Kind>
void describe_schedule(sim::scenario::Fields<Kind>& fields) {
  fields.add("at", &FaultSpec::at, "When it is injected first, from the start of the run.").required()
      .add("every", &FaultSpec::every, "Injected again each time that this long has passed.")
      .add("times", &FaultSpec::times, 1, 1'000'000, "How many times in all; without it, and with `every`, until the run ends.");
  fields.rule([](const Kind& fault, sim::scenario::Node node, sim::scenario::Reader& reader) {
    if (fault.every && *fault.every == SimDuration::zero()) reader.diagnostics.error(node.find("every"), "'every' must be longer than 0s");
    if (fault.times && *fault.times > 1 && !fault.every) {
      reader.diagnostics.error(node.find("times"), "'times' needs 'every': how long from one injection to the next");
    }
  });
}

/// Of kinds that last until they are ended.
template <class Kind>
void describe_duration(sim::scenario::Fields<Kind>& fields, std::string_view doc) {
  fields.add("duration", &FaultSpec::duration, doc)
      .add("mendedAfterPage", &FaultSpec::mended_after_page,
           "It ends so long after a person was paged whom the message leads to it: its chain of causes, what it names, or what kubectl describe shows of that. Without it, nobody reacts.")
      .add("mendedAfterTicket", &FaultSpec::mended_after_ticket, "The same of a message that only a queue got.");
}

/// The kinds of faults: chaos/all_faults.cpp.
using FaultKinds = sim::scenario::Alternatives<FaultSpec>;
const FaultKinds& all_faults();

}  // namespace chaos
