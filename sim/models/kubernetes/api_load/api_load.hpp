/// Requests at the API servers, one by one, while somebody floods them: priority and fairness, the servers' CPU and memory, and what components notice.
///
/// Nothing is simulated until add() is called, and nothing any more once the flood is over and all is served. In between each server has its own
/// FlowController; a request that got its seats shares the server's cores with all others (processor sharing, one core a request at most), a write then
/// waits for etcd's commit, and a list holds memory until its answer is there. A server whose memory is used up is killed; its clients go to the
/// others, list anew, and bring their load along.
///
/// Who notices: kubelets (the renewal of the lease, 10 s), the leaders of scheduler and controller-manager (their leases every 2 s, 5 s each; and their
/// own writes), and the groups of clients of the scenario.
///
/// Records: RequestsRefused ("PriorityLevel/NAME"), OOMKilling, Unhealthy (the mirror pod), LeaseRenewalFailed, LeaseRenewed (Node), RequestsThrottled,
/// RequestsServed (kube-scheduler, kube-controller-manager), ClientsServed (a group, when it ends or the flood is over).
///
/// Source:     see docs/models/api_load.md, where what is assumed is called so. Leaves out: the same.
/// Checked by: tests/chaos/api_overload_test.cpp; the flow control in it: tests/differential/apf.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/core/event_log.hpp"
#include "sim/core/random.hpp"
#include "sim/models/host/hosts.hpp"
#include "sim/models/kubernetes/api/api_server.hpp"
#include "sim/models/kubernetes/api_load/config.hpp"
#include "sim/models/kubernetes/control_plane/control_plane.hpp"
#include "sim/models/kubernetes/flow_control/flow_controller.hpp"
#include "sim/models/kubernetes/kubelet/kubelets.hpp"

namespace sim::k8s::api_load {

class ApiLoad {
 public:
  ApiLoad(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, ApiServer& api, ControlPlane& control_plane, Kubelets& kubelets,
          ApiClient& scheduler, ApiClient& controllers, const Config& config);
  ~ApiLoad();
  ApiLoad(const ApiLoad&) = delete;
  ApiLoad& operator=(const ApiLoad&) = delete;

  /// The clients of the configuration are there from now on. They are counted while requests are simulated.
  void start();
  /// These clients begin to ask. Needs API servers in this world (control_plane.member_count() > 0). Returns a number for remove().
  std::size_t add(const ClientGroup& group);
  /// They ask no more; what is in flight ends by itself.
  void remove(std::size_t group);
  /// Requests are simulated now.
  bool is_active() const { return is_active_; }

  struct Report {
    std::string name;
    std::string schema;
    std::string level;
    bool is_flood = false;
    std::uint64_t sent = 0;
    std::uint64_t served = 0;
    std::uint64_t refused = 0;   ///< 429
    std::uint64_t timed_out = 0;
    std::uint64_t failed = 0;    ///< no server, or it died meanwhile
    SimDuration served_in_total{};
    SimDuration served_in_max{};
    std::uint64_t ended() const { return served + refused + timed_out + failed; }
  };
  /// One for each group of clients and each component, in the order in which they came.
  std::vector<Report> reports() const;
  std::optional<Report> report(std::string_view name) const;

  const Config& config() const { return config_; }
  /// 0 before the first flood.
  std::size_t server_count() const { return servers_.size(); }
  /// Null before the first flood.
  const flow_control::FlowController* flow_control_of(std::size_t server) const;
  std::string_view server_name(std::size_t server) const;
  std::int64_t base_memory_of(std::size_t server) const;
  std::int64_t memory_of(std::size_t server) const;
  std::int64_t memory_limit_of(std::size_t server) const;
  std::size_t requests_in_service(std::size_t server) const;
  std::uint32_t out_of_memory_kills() const { return kills_; }

 private:
  enum class Result : std::uint8_t { kServed, kRefused, kTimedOut, kFailed };
  enum class Kind : std::uint8_t { kFlood, kSteady, kKubeletLease, kLeaderLease, kComponent, kList };
  struct Client {
    std::optional<std::size_t> server;
    flow_control::Flow flow;
    std::uint32_t moves = 0;
    std::uint32_t tries = 0;     // of this request, after refusals
    std::uint32_t failures = 0;  // one after the other
    SimTime asked{};             // this request, at first
    SimTime last_served{};
    bool is_failing = false;
    bool is_classified = false;
    bool is_waiting = false;     // for an answer
    TimerId next{};
    TimerId late{};
  };
  struct Group {
    ClientGroup spec;
    Kind kind = Kind::kFlood;
    Report report;
    std::vector<Client> clients;
    std::vector<Ref<Node>> nodes;  // of kubelets: whose
    Component component = Component::kScheduler;
    bool is_asking = false;
    bool writes = false;
    CauseId cause{};
  };
  struct Request {
    std::uint64_t serial = 0;  // 0: nobody's
    std::uint32_t group = 0;
    std::uint32_t client = 0;
    std::size_t server = 0;
    std::uint32_t level = 0;
    flow_control::QueueSet::RequestId id = flow_control::QueueSet::kNone;
    enum class State : std::uint8_t { kQueued, kOnCpu, kCommitting } state = State::kQueued;
    bool is_abandoned = false;  // its client has gone
    double cpu_seconds = 0;
    double done_at = 0;         // of the server's virtual time
    std::int64_t memory = 0;
    SimTime sent{};
    TimerId wait_limit{};
    TimerId timeout{};
    TimerId commit{};
  };
  struct Server {
    std::unique_ptr<flow_control::FlowController> flow_control;
    std::set<std::pair<double, std::uint32_t>> on_cpu;  // when done, which
    double virtual_seconds = 0;
    SimTime updated{};
    TimerId next_done{};
    TimerId adjust{};
    std::int64_t memory = 0;
    std::uint64_t life = 1;
    bool was_running = true;
    int probes_failed = 0;
    std::map<std::uint32_t, std::pair<CauseId, SimTime>> refusals;  // by level: its record, the last one
  };

  void begin();
  void end_if_quiet();
  void tick();
  void adjust_later(std::size_t server, SimDuration wait);
  void probe(std::size_t server);
  std::size_t make_group(const ClientGroup& spec, Kind kind);
  void begin_group(std::size_t group, bool spread);
  void make_component_groups();
  void look_at_servers();

  void ask(std::size_t group, std::size_t client);
  void send(std::size_t group, std::size_t client);
  void ask_later(std::size_t group, std::size_t client, SimDuration wait);
  void ask_next(std::size_t group, std::size_t client);
  void answered(std::uint32_t request, Result result, std::int64_t retry_after);
  void tell(std::size_t group, std::size_t client, Result result, std::int64_t retry_after);
  void note(Group& group, Result result, SimDuration took);
  void component_result(std::size_t group, std::size_t client, bool ok);
  CauseId why(const Group& group, const Client& client) const;
  CauseId flood_cause(std::string_view level) const;
  void let_through(Group& group, std::size_t client, bool ok);

  std::optional<std::size_t> server_for(Group& group, std::uint32_t client);
  bool is_serving(std::size_t server) const;
  void dispatched(std::size_t server, std::uint32_t request);
  void advance(Server& server, std::size_t index);
  void schedule(std::size_t server);
  void cpu_done(std::size_t server);
  void finish(std::uint32_t request);
  void refuse(std::uint32_t request, std::string_view reason);
  void release_request(std::uint32_t request);
  void out_of_memory(std::size_t server);
  void server_gone(std::size_t server);
  double cores(std::size_t server) const;
  std::int64_t objects_of(const ClientGroup& group) const;
  std::uint32_t allocate();

  Engine& engine_;
  EventLog& log_;
  const Randomness& random_;
  host::Hosts& hosts_;
  ApiServer& api_;
  ControlPlane& control_plane_;
  Kubelets& kubelets_;
  ApiClient& scheduler_;
  ApiClient& controllers_;
  const Config config_;
  std::vector<Server> servers_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<Request> requests_;
  std::vector<std::uint32_t> free_;
  std::uint64_t serial_ = 0;
  bool is_active_ = false;
  bool is_listening_ = false;
  bool has_component_groups_ = false;
  TimerId tick_{};
  SimTime last_flood_{};
  std::uint32_t kills_ = 0;
};

}  // namespace sim::k8s::api_load
