/// How the members of one service work together: the interface that each mode implements, one file a mode.
///
/// A mode hears of changes of processes and of the network, decides which member answers, and says so with `context.changed()`. It
/// knows neither Services nor needs nor probes: those are the business of services.hpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/kubelet/process_state.hpp"
#include "sim/models/services/config.hpp"

namespace sim::services {

/// A pod of a service. In a mode that remembers its members it stays the same one when its pod is replaced by one of the same name.
struct Member {
  std::string name;  // of the pod
  Symbol ns;
  Symbol pod_name;
  k8s::Ref<k8s::Pod> pod;
  k8s::PodProcess process;
  bool is_connected = true;  // to what it needs; see Services
  bool listed = false;       // the Service's endpoints have it as ready
  bool is_severed = false;   // ... by the network of pods
  bool is_set_up = false;    // it was up since its host booted: what it set up in the kernel is there
  TimerId reconnect{};

  bool answers_peers() const { return process.state == k8s::ProcessState::kUp || process.state == k8s::ProcessState::kHung; }
};

struct ModeContext {
  Engine& engine;
  EventLog& log;
  const Randomness& random;
  const host::Hosts& hosts;
  const ServiceConfig& config;
  const std::vector<std::unique_ptr<Member>>& members;
  std::function<void()> changed;                      // what answers() or degraded() say may be different now
  std::function<std::int64_t()> replicas;             // how many members its controllers want
  std::function<bool()> is_api_writable;
  std::function<bool(k8s::Ref<k8s::Pod>, k8s::Ref<k8s::Pod>)> pods_reach;  // what is done to the network of pods lets them
  std::function<double(k8s::Ref<k8s::Pod>, k8s::Ref<k8s::Pod>, double)> rate_between;  // no more than this many bytes a second, and what that network carries

  /// Pods of others that need this service and reach each of some sets of its members: how many connections each set has. One that reaches several has a part in each.
  std::function<std::vector<double>(const std::vector<std::vector<std::size_t>>&)> clients;

  std::string subject() const { return "platform/" + config.name; }
  CauseId record(std::string_view kind, std::string_view message) const { return log.record(kind, subject(), message); }
  const Member& member(std::size_t i) const { return *members[i]; }
  /// Both take part, and a packet from one reaches the other.
  bool connected(std::size_t a, std::size_t b) const {
    return member(a).answers_peers() && member(b).answers_peers() && (a == b || (hosts.reachable(member(a).process.host, member(b).process.host) && pods_reach(member(a).pod, member(b).pod)));
  }
  /// Those of `which` that take part, by who reaches whom; each group and the groups in the order of the members.
  std::vector<std::vector<std::size_t>> groups(const std::vector<std::size_t>& which) const;
  std::vector<std::size_t> all() const;
  std::string names(const std::vector<std::size_t>& which) const;
};

class ModeModel {
 public:
  explicit ModeModel(ModeContext context) : context_(std::move(context)) {}
  virtual ~ModeModel() = default;
  ModeModel(const ModeModel&) = delete;
  ModeModel& operator=(const ModeModel&) = delete;

  /// Member `i` is new: its number is the number of members before.
  virtual void added(std::size_t) {}
  virtual void process_changed(std::size_t member, k8s::ProcessState before) = 0;
  virtual void network_changed() {}
  /// The API can be written again, or no more.
  virtual void api_changed() {}
  /// Of mode proxy: its backend answers otherwise than before.
  virtual void backend_changed() {}
  /// This member lets clients through, as far as its cluster is concerned.
  virtual bool answers(std::size_t member) const = 0;
  /// What a probe of depth `state` sees: that the member takes part, though nobody may get an answer at this moment.
  virtual bool takes_part(std::size_t member) const { return answers(member); }
  /// It is on its way to take part: a liveness probe lets it be.
  virtual bool is_joining(std::size_t) const { return false; }
  /// Of a service that does answer: why it does not do so as well as it should. Empty: it does.
  virtual std::string degraded() const { return {}; }
  /// Something that does not mend itself, and what a person must do. Empty: nothing.
  virtual std::string outstanding() const { return {}; }
  virtual std::string member_state(std::size_t member) const = 0;
  virtual std::string state() const { return {}; }
  /// Members are known by name, and stay members while they are away.
  virtual bool remembers_members() const { return false; }

 protected:
  Engine& engine() const { return context_.engine; }
  ModeContext context_;
};

struct Backend;
/// `backend`: of mode proxy only.
std::unique_ptr<ModeModel> make_stateless(ModeContext context);
std::unique_ptr<ModeModel> make_quorum(ModeContext context);
std::unique_ptr<ModeModel> make_election(ModeContext context);
std::unique_ptr<ModeModel> make_broker(ModeContext context);
std::unique_ptr<ModeModel> make_proxy(ModeContext context, std::unique_ptr<Backend> backend);

/// What a proxy sees of the service behind it.
struct Backend {
  std::function<std::size_t()> size;
  std::function<bool(std::size_t)> answers;
  std::function<const Member&(std::size_t)> member;
};

}  // namespace sim::services
