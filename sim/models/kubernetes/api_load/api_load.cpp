#include "sim/models/kubernetes/api_load/api_load.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "sim/core/check.hpp"
#include "sim/models/kubernetes/flow_control/work_estimate.hpp"

namespace sim::k8s::api_load {

using namespace std::chrono_literals;
using flow_control::FlowController;
using flow_control::QueueSet;

namespace {

constexpr SimDuration kServerTimeout = 60s;           // --request-timeout
constexpr SimDuration kLeaseRenew = 10s;              // a quarter of the 40 s of a node's lease; also its client's time-out
constexpr SimDuration kLeaderRetry = 2s;
constexpr SimDuration kLeaderTimeout = 5s;            // half of the renew deadline
constexpr SimDuration kComponentEvery = 1s;
constexpr SimDuration kComponentLate = 2s;
constexpr std::int64_t kRetriesMax = 10;              // client-go rest.Request
constexpr SimDuration kReconnectMin = 800ms;          // a reflector's first back-off, times 1 to 2
constexpr SimDuration kReconnectMax = 30s;
constexpr std::int64_t kListsOfAKubelet = 4;          // its pods, its node, Services, and drivers and classes as one
constexpr std::int64_t kStreamed = 1'000'000;         // of a streamed list in memory at once: what priority and fairness counts it as
constexpr SimDuration kQuietFor = 30s;
constexpr SimDuration kRefusalsOver = 60s;
constexpr SimDuration kProbeTimeout = 15s;            // kubeadm's liveness probe: every 10 s, here when seats are adjusted
constexpr int kProbeFailures = 8;

bool is_write(std::string_view verb) { return verb == "create" || verb == "update" || verb == "patch" || verb == "delete"; }

flow_control::RequestInfo request_of(const ClientGroup& group) {
  flow_control::RequestInfo info;
  info.user = group.user;
  info.groups = group.groups;
  constexpr std::string_view kServiceAccount = "system:serviceaccount:";
  if (group.user.starts_with(kServiceAccount)) {
    const std::string rest = group.user.substr(kServiceAccount.size());
    for (std::string& one : flow_control::service_account_groups(rest.substr(0, rest.find(':')))) info.groups.push_back(std::move(one));
  } else if (group.user != "system:anonymous") {
    info.groups.emplace_back("system:authenticated");
  } else {
    info.groups.emplace_back("system:unauthenticated");
  }
  info.verb = group.verb;
  info.api_group = group.api_group;
  info.resource = group.resource;
  info.ns = group.ns;
  return info;
}

}  // namespace

ApiLoad::ApiLoad(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, ApiServer& api, ControlPlane& control_plane, Kubelets& kubelets,
                 ApiClient& scheduler, ApiClient& controllers, const Config& config)
    : engine_(engine),
      log_(log),
      random_(random),
      hosts_(hosts),
      api_(api),
      control_plane_(control_plane),
      kubelets_(kubelets),
      scheduler_(scheduler),
      controllers_(controllers),
      config_(config) {}

ApiLoad::~ApiLoad() = default;

void ApiLoad::start() {
  for (const ClientGroup& spec : config_.clients) make_group(spec, Kind::kSteady);
}

std::size_t ApiLoad::make_group(const ClientGroup& spec, Kind kind) {
  auto group = std::make_unique<Group>();
  group->spec = spec;
  group->kind = kind;
  group->writes = is_write(spec.verb);
  group->report.name = spec.name;
  group->report.is_flood = kind == Kind::kFlood;
  group->cause = engine_.cause();
  group->clients.resize(static_cast<std::size_t>(spec.clients));
  groups_.push_back(std::move(group));
  return groups_.size() - 1;
}

std::size_t ApiLoad::add(const ClientGroup& spec) {
  SIM_CHECK(control_plane_.member_count() > 0, "who adds clients has looked whether there are API servers");
  begin();
  const std::size_t group = make_group(spec, Kind::kFlood);
  begin_group(group, true);
  return group;
}

void ApiLoad::remove(std::size_t index) {
  Group& group = *groups_[index];
  group.is_asking = false;
  for (Client& client : group.clients) engine_.cancel(client.next);
  last_flood_ = engine_.now();
  const Report& r = group.report;
  log_.record("ClientsServed", group.spec.name,
              fmt::format("{}: {} requests of {} in flow schema {}, priority level {}: {} served, {} refused (429), {} timed out, {} without an answer", r.name, r.sent,
                          group.spec.user, r.schema, r.level, r.served, r.refused, r.timed_out, r.failed));
}

// ---- when requests are simulated ---------------------------------------------------------------------------------------

void ApiLoad::begin() {
  last_flood_ = engine_.now();
  if (is_active_) return;
  is_active_ = true;
  servers_.resize(control_plane_.member_count());
  if (!is_listening_) {
    is_listening_ = true;
    control_plane_.on_reachability([this] { look_at_servers(); });
  }
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    servers_[i].was_running = is_serving(i);
    servers_[i].updated = engine_.now();
  }
  if (!std::exchange(has_component_groups_, true)) make_component_groups();
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const Kind kind = groups_[i]->kind;
    if (kind != Kind::kFlood && kind != Kind::kList) begin_group(i, true);
  }
  engine_.cancel(tick_);
  tick_ = engine_.after(FlowController::kAdjustEvery, [this] { tick(); });
}

void ApiLoad::make_component_groups() {
  ClientGroup kubelets;
  kubelets.name = "kubelets (leases)";
  kubelets.verb = "update";
  kubelets.api_group = "coordination.k8s.io";
  kubelets.resource = "leases";
  kubelets.ns = "kube-node-lease";
  kubelets.groups = {"system:nodes"};
  kubelets.interval = kubelets.timeout = kLeaseRenew;
  kubelets.objects = 0;
  std::vector<Ref<Node>> nodes = api_.all<Node>().refs();
  kubelets.clients = static_cast<std::int64_t>(nodes.size());
  groups_[make_group(kubelets, Kind::kKubeletLease)]->nodes = nodes;

  ClientGroup lists = kubelets;
  lists.name = "kubelets (lists after a reconnect)";
  lists.verb = "list";
  lists.api_group.clear();
  lists.resource = "pods";
  lists.ns.clear();
  lists.has_selector = true;
  lists.objects = 30;  // of one node, by the cache's index
  lists.timeout = kServerTimeout;
  lists.clients = kubelets.clients * kListsOfAKubelet;
  groups_[make_group(lists, Kind::kList)]->nodes = std::move(nodes);

  for (const Component component : {Component::kScheduler, Component::kControllerManager}) {
    ClientGroup lease;
    lease.name = fmt::format("{} (lease)", to_string(component));
    lease.user = fmt::format("system:{}", to_string(component));
    lease.verb = "update";
    lease.api_group = "coordination.k8s.io";
    lease.resource = "leases";
    lease.ns = "kube-system";
    lease.interval = kLeaderRetry;
    lease.timeout = kLeaderTimeout;
    lease.clients = static_cast<std::int64_t>(control_plane_.member_count());
    groups_[make_group(lease, Kind::kLeaderLease)]->component = component;
    ClientGroup writes = lease;
    writes.name = to_string(component);
    writes.verb = "create";
    writes.api_group.clear();
    writes.resource = "pods";
    writes.ns = "default";
    writes.interval = kComponentEvery;
    writes.timeout = kServerTimeout;
    writes.clients = 1;
    groups_[make_group(writes, Kind::kComponent)]->component = component;
  }
}

void ApiLoad::begin_group(std::size_t index, bool spread) {
  Group& group = *groups_[index];
  group.is_asking = true;
  const char* purpose = group.kind == Kind::kKubeletLease ? "api-load/lease-phase" : "api-load/phase";
  RandomStream stream = random_.stream(purpose, group.spec.name);
  for (std::size_t i = 0; i < group.clients.size(); ++i) {
    Client& client = group.clients[i];
    client.last_served = engine_.now();
    client.is_failing = false;
    const SimDuration wait = spread ? stream.uniform(SimDuration{}, group.spec.interval) : SimDuration{};
    client.next = engine_.after(wait, [this, index, i] { ask(index, i); });
  }
}

void ApiLoad::tick() {
  end_if_quiet();
  if (is_active_) tick_ = engine_.after(FlowController::kAdjustEvery, [this] { tick(); });
}

/// Each server lends its seats anew every 10 s of its own life.
void ApiLoad::adjust_later(std::size_t index, SimDuration wait) {
  engine_.cancel(servers_[index].adjust);
  servers_[index].adjust = engine_.after(wait, [this, index] {
    servers_[index].flow_control->adjust(engine_.now());
    adjust_later(index, FlowController::kAdjustEvery);
    probe(index);
  });
}

/// The kubelet's liveness probe of a server: exempt, so it waits for nothing but its share of the CPU.
void ApiLoad::probe(std::size_t index) {
  Server& server = servers_[index];
  const double takes = seconds(config_.request_cpu) / std::min(1.0 / hosts_.slowdown(control_plane_.member_host(index)), cores(index) / static_cast<double>(server.on_cpu.size() + 1));
  if (!is_serving(index) || takes <= seconds(kProbeTimeout)) {
    server.probes_failed = 0;
    return;
  }
  if (++server.probes_failed < kProbeFailures) return;
  server.probes_failed = 0;
  const ScopedCause because(engine_, flood_cause({}));
  control_plane_.end_process(Component::kApiServer, index, "Unhealthy",
                             fmt::format("Liveness probe failed: Get \"https://{}:6443/livez\": context deadline exceeded: {} requests share {} cores; {} probes in a row took "
                                         "longer than {}, the container is restarted",
                                         server_name(index), server.on_cpu.size(), cores(index), kProbeFailures, format_duration(kProbeTimeout)));
  look_at_servers();
}

void ApiLoad::end_if_quiet() {
  const bool floods = std::any_of(groups_.begin(), groups_.end(), [](const auto& g) { return g->kind == Kind::kFlood && g->is_asking; });
  if (floods || engine_.now() - last_flood_ < kQuietFor) return;
  for (const Request& request : requests_) {
    // What is in service now is what components ask in quiet times; those of a flood have to be over.
    if (request.serial != 0 && groups_[request.group]->kind == Kind::kFlood) return;
  }
  for (const auto& group : groups_) {
    if (group->kind == Kind::kFlood) continue;
    for (const Client& client : group->clients) {
      if (client.is_failing) return;
    }
  }
  is_active_ = false;
  for (std::uint32_t slot = 0; slot < requests_.size(); ++slot) {
    if (requests_[slot].serial != 0) release_request(slot);
  }
  for (Server& server : servers_) {
    engine_.cancel(server.next_done);
    server.on_cpu.clear();
    server.flow_control.reset();
    engine_.cancel(server.adjust);
    server.memory = 0;
    ++server.life;
  }
  for (const auto& group : groups_) {
    group->is_asking = false;
    for (Client& client : group->clients) {
      engine_.cancel(client.next);
      engine_.cancel(client.late);
      client.is_waiting = false;
    }
    if (group->kind != Kind::kSteady || group->report.ended() == group->report.served) continue;
    const Report& r = group->report;
    log_.record("ClientsServed", r.name, fmt::format("{}: {} requests while the API servers were flooded: {} served, {} refused (429), {} timed out, {} without an answer", r.name,
                                                     r.sent, r.served, r.refused, r.timed_out, r.failed));
  }
}

// ---- clients -------------------------------------------------------------------------------------------------------------

bool ApiLoad::is_serving(std::size_t server) const { return control_plane_.is_running(Component::kApiServer, server); }

std::optional<std::size_t> ApiLoad::server_for(Group& group, std::uint32_t index) {
  Client& client = group.clients[index];
  // What runs on a control-plane node asks the API server beside it.
  if (group.kind == Kind::kLeaderLease) return is_serving(index) ? std::optional<std::size_t>(index) : std::nullopt;
  if (group.kind == Kind::kComponent) {
    const std::optional<std::size_t> leader = control_plane_.leader(group.component);
    return leader && is_serving(*leader) ? leader : std::nullopt;
  }
  if (client.server && is_serving(*client.server)) return client.server;
  std::vector<std::size_t> running;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (is_serving(i)) running.push_back(i);
  }
  if (running.empty()) return std::nullopt;
  // A load balancer takes any; the connection stays there as long as the server does.
  RandomStream stream = random_.stream("api-load/server", fmt::format("{}/{}#{}", group.spec.name, index, client.moves++));
  client.server = running[static_cast<std::size_t>(stream.uniform_int(0, static_cast<std::int64_t>(running.size()) - 1))];
  return client.server;
}

void ApiLoad::ask(std::size_t group, std::size_t index) {
  Group& g = *groups_[group];
  if (!g.is_asking && g.kind != Kind::kList) return;
  Client& client = g.clients[index];
  const bool is_there = g.kind == Kind::kKubeletLease ? kubelets_.is_kubelet_running(g.nodes[index])
                        : g.kind == Kind::kLeaderLease ? control_plane_.is_running(g.component, index)
                        : g.kind == Kind::kComponent ? control_plane_.leader(g.component).has_value()
                                                     : true;
  if (!is_there) {
    // Nothing refuses what nobody asks.
    engine_.cancel(client.late);
    if (std::exchange(client.is_failing, false)) let_through(g, index, true);
    client.next = engine_.after(g.spec.interval, [this, group, index] { ask(group, index); });
    return;
  }
  client.asked = engine_.now();
  client.tries = 0;
  engine_.cancel(client.late);
  if (g.kind == Kind::kKubeletLease || g.kind == Kind::kLeaderLease || g.kind == Kind::kComponent) {
    const SimDuration late = g.kind == Kind::kKubeletLease ? kLeaseRenew : g.kind == Kind::kLeaderLease ? kLeaderRetry : kComponentLate;
    client.late = engine_.after(late, [this, group, index] { component_result(group, index, false); });
  }
  send(group, index);
}

std::int64_t ApiLoad::objects_of(const ClientGroup& group) const {
  if (group.objects) return *group.objects;
  const std::string& r = group.resource;
  if (r == "pods") return static_cast<std::int64_t>(api_.all<Pod>().size());
  if (r == "nodes") return static_cast<std::int64_t>(api_.all<Node>().size());
  if (r == "services") return static_cast<std::int64_t>(api_.all<Service>().size());
  if (r == "endpoints" || r == "endpointslices") return static_cast<std::int64_t>(api_.all<Endpoints>().size());
  if (r == "deployments") return static_cast<std::int64_t>(api_.all<Deployment>().size());
  if (r == "replicasets") return static_cast<std::int64_t>(api_.all<ReplicaSet>().size());
  if (r == "jobs") return static_cast<std::int64_t>(api_.all<Job>().size());
  if (r == "leases") return static_cast<std::int64_t>(api_.all<Node>().size());
  return static_cast<std::int64_t>(api_.all<OtherObject>().size());
}

std::uint32_t ApiLoad::allocate() {
  if (free_.empty()) {
    requests_.emplace_back();
    return static_cast<std::uint32_t>(requests_.size() - 1);
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  requests_[slot] = Request{};
  return slot;
}

void ApiLoad::send(std::size_t group, std::size_t index) {
  Group& g = *groups_[group];
  Client& client = g.clients[index];
  ++g.report.sent;
  client.is_waiting = true;
  const std::optional<std::size_t> target = server_for(g, static_cast<std::uint32_t>(index));
  if (!target) {
    note(g, Result::kFailed, SimDuration{});
    tell(group, index, Result::kFailed, 0);
    return;
  }
  Server& server = servers_[*target];
  if (!server.flow_control) {
    server.flow_control = std::make_unique<FlowController>(
        config_.flow_control, static_cast<int>(config_.max_requests_inflight + config_.max_mutating_requests_inflight), engine_.now());
    server.flow_control->on_dispatch = [this, place = *target](std::uint64_t tag, QueueSet::RequestId id) {
      const auto slot = static_cast<std::uint32_t>(tag);
      requests_[slot].id = id;
      dispatched(place, slot);
    };
    server.updated = engine_.now();
    // One that has run for long is anywhere between two turns; one that has just started begins with the first.
    RandomStream stream = random_.stream("api-load/adjust-phase", server_name(*target));
    adjust_later(*target, server.life == 1 ? stream.uniform(SimDuration{}, FlowController::kAdjustEvery) : FlowController::kAdjustEvery);
  }
  if (!std::exchange(client.is_classified, true)) {
    flow_control::RequestInfo info = request_of(g.spec);
    if (!g.nodes.empty()) {
      const std::size_t node = g.kind == Kind::kList ? index / kListsOfAKubelet : index;
      const Node* object = api_.get(g.nodes[node]);
      info.user = fmt::format("system:node:{}", object == nullptr ? std::string() : api_.names().text(object->meta.name));
    }
    client.flow = server.flow_control->classify(info);
    g.report.schema = server.flow_control->schemas()[client.flow.schema].name;
    g.report.level = server.flow_control->level(client.flow.level).spec.name;
  }
  const std::int64_t most = server.flow_control->level(client.flow.level).max_request_seats;
  flow_control::WorkEstimate work;
  const std::uint32_t slot = allocate();
  Request& request = requests_[slot];
  request.serial = ++serial_;
  request.group = static_cast<std::uint32_t>(group);
  request.client = static_cast<std::uint32_t>(index);
  request.server = *target;
  request.level = client.flow.level;
  request.sent = engine_.now();
  request.cpu_seconds = seconds(config_.request_cpu);
  if (g.spec.verb == "list") {
    const std::int64_t objects = objects_of(g.spec);
    const std::int64_t bytes_each = g.spec.object_bytes > 0 ? g.spec.object_bytes : config_.object_bytes;
    const bool cached = g.spec.source == ClientGroup::Source::kCache;
    work = flow_control::estimate_list({.objects = objects, .average_bytes = bytes_each, .limit = g.spec.limit, .from_cache = cached, .has_selector = g.spec.has_selector}, most);
    const std::int64_t answer = g.spec.limit > 0 ? std::min(g.spec.limit, objects) : objects;
    const std::int64_t read = !cached && g.spec.has_selector ? std::max(answer, objects / 2) : answer;
    request.cpu_seconds += static_cast<double>(read * bytes_each) / config_.list_bytes_per_cpu_second;
    const double whole = static_cast<double>(read * bytes_each) * config_.list_memory_factor;
    request.memory = cached && config_.streams_lists ? std::min(read * bytes_each, kStreamed) : static_cast<std::int64_t>(whole);
  }
  const SimDuration timeout = g.spec.timeout;
  const FlowController::Started started = server.flow_control->start(engine_.now(), client.flow, work, slot);
  if (started.id == QueueSet::kNone) {
    refuse(slot, started.outcome == QueueSet::Outcome::kQueueFull ? "queue-full" : "concurrency-limit");
    return;
  }
  Request& placed = requests_[slot];  // others may have been dispatched by its arrival
  placed.id = started.id;
  if (started.outcome == QueueSet::Outcome::kQueued) {
    placed.state = Request::State::kQueued;
    placed.wait_limit = engine_.after(std::min(timeout, kServerTimeout) / 4, [this, slot] {
      Request& late = requests_[slot];
      servers_[late.server].flow_control->cancel(engine_.now(), late.level, late.id);
      refuse(slot, "time-out");
    });
  }
  placed.timeout = engine_.after(timeout, [this, slot] {
    Request& late = requests_[slot];
    if (late.state == Request::State::kQueued) {
      servers_[late.server].flow_control->cancel(engine_.now(), late.level, late.id);
      answered(slot, Result::kTimedOut, 0);
      return;
    }
    // The client is gone; the server does the work all the same.
    late.is_abandoned = true;
    const std::size_t of = late.group;
    const std::size_t who = late.client;
    note(*groups_[of], Result::kTimedOut, engine_.now() - late.sent);
    tell(of, who, Result::kTimedOut, 0);
  });
}

void ApiLoad::note(Group& group, Result result, SimDuration took) {
  Report& r = group.report;
  switch (result) {
    case Result::kServed:
      ++r.served;
      r.served_in_total += took;
      r.served_in_max = std::max(r.served_in_max, took);
      break;
    case Result::kRefused: ++r.refused; break;
    case Result::kTimedOut: ++r.timed_out; break;
    case Result::kFailed: ++r.failed; break;
  }
}

/// A request is over, and its client hears of it.
void ApiLoad::answered(std::uint32_t slot, Result result, std::int64_t retry_after) {
  const std::size_t group = requests_[slot].group;
  const std::size_t client = requests_[slot].client;
  const bool is_abandoned = requests_[slot].is_abandoned;
  const SimDuration took = engine_.now() - requests_[slot].sent;
  release_request(slot);
  if (is_abandoned) return;
  note(*groups_[group], result, took);
  tell(group, client, result, retry_after);
}

void ApiLoad::release_request(std::uint32_t slot) {
  Request& request = requests_[slot];
  engine_.cancel(request.wait_limit);
  engine_.cancel(request.timeout);
  engine_.cancel(request.commit);
  request.serial = 0;
  free_.push_back(slot);
}

void ApiLoad::tell(std::size_t group, std::size_t index, Result result, std::int64_t retry_after) {
  Group& g = *groups_[group];
  Client& client = g.clients[index];
  client.is_waiting = false;
  if (result == Result::kServed) {
    client.failures = 0;
    client.last_served = engine_.now();
    component_result(group, index, true);
    ask_next(group, index);
    return;
  }
  if (result == Result::kRefused && g.spec.retries && client.tries < kRetriesMax && (g.is_asking || g.kind == Kind::kList)) {
    // client-go waits as it was told. Who has less time left than that gives up, which the timer of the whole request says.
    const SimDuration wait = std::chrono::seconds(retry_after);
    const bool has_time = g.kind == Kind::kFlood || g.kind == Kind::kSteady || g.kind == Kind::kList || engine_.now() + wait < client.asked + g.spec.timeout;
    if (has_time) {
      ++client.tries;
      client.next = engine_.after(wait, [this, group, index] {
        if (groups_[group]->is_asking || groups_[group]->kind == Kind::kList) send(group, index);
      });
      return;
    }
  }
  if (result == Result::kFailed) {
    engine_.cancel(client.late);
    // No connection: again with a back-off, as a reflector does. What has no API server at all is the control plane's business.
    const SimDuration wait = std::min<SimDuration>(kReconnectMin * (std::int64_t{1} << std::min<std::uint32_t>(client.failures++, 6)), kReconnectMax);
    RandomStream stream = random_.stream("api-load/reconnect", fmt::format("{}/{}#{}", g.spec.name, index, g.report.sent));
    ask_later(group, index, wait + stream.uniform(SimDuration{}, wait));
    return;
  }
  component_result(group, index, false);
  ask_next(group, index);
}

void ApiLoad::ask_later(std::size_t group, std::size_t index, SimDuration wait) {
  Group& g = *groups_[group];
  if (!g.is_asking && g.kind != Kind::kList) return;
  engine_.cancel(g.clients[index].next);
  g.clients[index].next = engine_.after(wait, [this, group, index] { ask(group, index); });
}

void ApiLoad::ask_next(std::size_t group, std::size_t index) {
  Group& g = *groups_[group];
  if (g.kind == Kind::kList) return;  // once is enough
  ask_later(group, index, std::max<SimDuration>(g.clients[index].asked + g.spec.interval - engine_.now(), SimDuration{}));
}

// ---- what components make of it ------------------------------------------------------------------------------------------

CauseId ApiLoad::why(const Group& group, const Client& client) const {
  std::optional<std::size_t> server = client.server;
  if (!server && group.kind == Kind::kComponent) server = control_plane_.leader(group.component);
  if (server && *server < servers_.size()) {
    const auto refusal = servers_[*server].refusals.find(client.flow.level);
    if (refusal != servers_[*server].refusals.end()) return refusal->second.first;
  }
  return flood_cause({});
}

/// Of the newest flood, of one in this level if there is any.
CauseId ApiLoad::flood_cause(std::string_view level) const {
  CauseId cause = engine_.cause();
  bool in_level = false;
  for (const auto& group : groups_) {
    if (group->kind != Kind::kFlood || (in_level && group->report.level != level)) continue;
    in_level = in_level || group->report.level == level;
    cause = group->cause;
  }
  return cause;
}

void ApiLoad::let_through(Group& g, std::size_t index, bool ok) {
  if (g.kind == Kind::kKubeletLease) {
    kubelets_.set_throttled(g.nodes[index], ok ? std::nullopt : std::optional<SimTime>(g.clients[index].last_served));
  } else if (g.kind == Kind::kLeaderLease) {
    control_plane_.set_lease_throttled(g.component, index, !ok);
  } else if (g.kind == Kind::kComponent) {
    (g.component == Component::kScheduler ? scheduler_ : controllers_).set_throttled(!ok);
  }
}

void ApiLoad::component_result(std::size_t group, std::size_t index, bool ok) {
  Group& g = *groups_[group];
  Client& client = g.clients[index];
  if (ok) engine_.cancel(client.late);
  if (g.kind == Kind::kFlood || g.kind == Kind::kSteady || g.kind == Kind::kList || client.is_failing != ok) return;
  client.is_failing = !ok;
  const ScopedCause because(engine_, ok ? engine_.cause() : why(g, client));
  CauseId id = engine_.cause();
  if (g.kind == Kind::kKubeletLease) {
    const Node* node = api_.get(g.nodes[index]);
    if (node == nullptr) return;
    const std::string& name = api_.names().text(node->meta.name);
    id = log_.record(ok ? "LeaseRenewed" : "LeaseRenewalFailed", api_.subject(*node),
                     ok ? fmt::format("the kubelet of {} renews its lease again", name)
                        : fmt::format("the kubelet of {} could not renew its lease for {}: the API server refuses it or does not answer", name, format_duration(kLeaseRenew)));
  } else if (g.kind == Kind::kLeaderLease && control_plane_.leader(g.component) == index) {
    id = log_.record(ok ? "LeaseRenewed" : "LeaseRenewalFailed", fmt::format("Lease/kube-system/{}", to_string(g.component)),
                     ok ? fmt::format("{} on {} renews its lease again", to_string(g.component), server_name(index))
                        : fmt::format("{} on {} could not renew its lease: the API server refuses it or does not answer", to_string(g.component), server_name(index)));
  } else if (g.kind == Kind::kComponent) {
    id = log_.record(ok ? "RequestsServed" : "RequestsThrottled", to_string(g.component),
                     ok ? fmt::format("requests of {} go through again", to_string(g.component))
                        : fmt::format("requests of {} are refused or wait for more than {}", to_string(g.component), format_duration(kComponentLate)));
  }
  const ScopedCause then(engine_, id);
  let_through(g, index, ok);
}

// ---- servers ----------------------------------------------------------------------------------------------------------------

double ApiLoad::cores(std::size_t server) const {
  const host::HostId host = control_plane_.member_host(server);
  const double cores = config_.cpu_cores > 0 ? config_.cpu_cores : hosts_.spec(host).cpu_cores;
  return cores / hosts_.slowdown(host);
}

void ApiLoad::advance(Server& server, std::size_t index) {
  const SimTime now = engine_.now();
  const double passed = seconds(now - server.updated);
  server.updated = now;
  if (server.on_cpu.empty()) return;
  server.virtual_seconds += passed * std::min(1.0 / hosts_.slowdown(control_plane_.member_host(index)), cores(index) / static_cast<double>(server.on_cpu.size()));
}

void ApiLoad::schedule(std::size_t index) {
  Server& server = servers_[index];
  engine_.cancel(server.next_done);
  if (server.on_cpu.empty()) return;
  const double rate = std::min(1.0 / hosts_.slowdown(control_plane_.member_host(index)), cores(index) / static_cast<double>(server.on_cpu.size()));
  const double left = std::max(0.0, server.on_cpu.begin()->first - server.virtual_seconds);
  server.next_done = engine_.after(from_seconds(left / rate) + SimDuration(1), [this, index] { cpu_done(index); });
}

void ApiLoad::dispatched(std::size_t index, std::uint32_t slot) {
  Server& server = servers_[index];
  Request& request = requests_[slot];
  engine_.cancel(request.wait_limit);
  request.state = Request::State::kOnCpu;
  advance(server, index);
  request.done_at = server.virtual_seconds + request.cpu_seconds;
  server.on_cpu.insert({request.done_at, slot});
  server.memory += request.memory;
  schedule(index);
  if (memory_of(index) <= memory_limit_of(index)) return;
  // Not from inside the queues: they go with the process.
  const ScopedCause because(engine_, flood_cause({}));
  engine_.after(SimDuration{}, [this, index, life = server.life] {
    if (servers_[index].life == life) out_of_memory(index);
  });
}

void ApiLoad::cpu_done(std::size_t index) {
  Server& server = servers_[index];
  advance(server, index);
  // The timer is set for the first; its rounding must not leave it there.
  bool is_first = true;
  std::vector<std::uint32_t> done;
  while (!server.on_cpu.empty() && (is_first || server.on_cpu.begin()->first <= server.virtual_seconds)) {
    is_first = false;
    done.push_back(server.on_cpu.begin()->second);
    server.on_cpu.erase(server.on_cpu.begin());
  }
  schedule(index);
  const std::uint64_t life = server.life;
  for (const std::uint32_t slot : done) {
    if (servers_[index].life != life) return;
    Request& request = requests_[slot];
    if (!groups_[request.group]->writes) {
      finish(slot);
      continue;
    }
    request.state = Request::State::kCommitting;
    request.commit = engine_.after(control_plane_.commit_latency(), [this, slot] { finish(slot); });
  }
}

void ApiLoad::finish(std::uint32_t slot) {
  const Request request = requests_[slot];
  Server& server = servers_[request.server];
  server.memory -= request.memory;
  // The answer first: what its end lets in may be the same client's next request.
  const SimDuration lingers = server.flow_control->finish(engine_.now(), request.level, request.id);
  if (lingers > SimDuration{}) {
    engine_.after(lingers, [this, index = request.server, life = server.life, level = request.level, id = request.id] {
      if (servers_[index].life == life) servers_[index].flow_control->release(engine_.now(), level, id);
    });
  }
  answered(slot, Result::kServed, 0);
}

void ApiLoad::refuse(std::uint32_t slot, std::string_view reason) {
  const Request request = requests_[slot];
  Server& server = servers_[request.server];
  const std::int64_t retry_after = server.flow_control->refuse(request.level, engine_.now().time_since_epoch() / 1s + 1);
  const Group& group = *groups_[request.group];
  auto [entry, is_new] = server.refusals.try_emplace(request.level, CauseId{}, engine_.now());
  if (is_new || engine_.now() - entry->second.second > kRefusalsOver) {
    const FlowController::Level& level = server.flow_control->level(request.level);
    entry->second.first =
        log_.record("RequestsRefused", api_.names().intern(fmt::format("PriorityLevel/{}", level.spec.name)),
                    fmt::format("kube-apiserver on {} refuses a request of {} (flow schema {}) with 429, {}: {} of {} seats are in use, {} requests wait", server_name(request.server),
                                group.spec.user.empty() ? group.spec.name : group.spec.user, group.report.schema, reason, level.queues.seats_in_use(), level.current_seats,
                                level.queues.requests_waiting()),
                    flood_cause(level.spec.name));
  }
  entry->second.second = engine_.now();
  answered(slot, Result::kRefused, retry_after);
}

void ApiLoad::out_of_memory(std::size_t index) {
  if (!is_serving(index) || memory_of(index) <= memory_limit_of(index)) return;
  ++kills_;
  std::size_t lists = 0;
  for (const Request& request : requests_) {
    if (request.serial != 0 && request.server == index && request.state != Request::State::kQueued && request.memory > 0) ++lists;
  }
  const std::string message = fmt::format("kube-apiserver on {} was killed for memory: {} lists that it serves at once take {} MiB beside its {} MiB, it may have {} MiB",
                                          server_name(index), lists, servers_[index].memory >> 20, base_memory_of(index) >> 20, memory_limit_of(index) >> 20);
  control_plane_.end_process(Component::kApiServer, index, "OOMKilling", message);
  look_at_servers();
}

void ApiLoad::look_at_servers() {
  if (!is_active_) return;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const bool runs = is_serving(i);
    if (std::exchange(servers_[i].was_running, runs) && !runs) server_gone(i);
  }
}

void ApiLoad::server_gone(std::size_t index) {
  Server& server = servers_[index];
  engine_.cancel(server.next_done);
  server.on_cpu.clear();
  server.flow_control.reset();
  engine_.cancel(server.adjust);
  server.memory = 0;
  server.refusals.clear();
  server.probes_failed = 0;
  ++server.life;
  std::vector<std::uint32_t> lost;
  for (std::uint32_t slot = 0; slot < requests_.size(); ++slot) {
    if (requests_[slot].serial != 0 && requests_[slot].server == index) lost.push_back(slot);
  }
  for (const std::uint32_t slot : lost) answered(slot, Result::kFailed, 0);
  // Its kubelets come to the others, and list what they watch.
  for (const auto& group : groups_) {
    if (group->kind != Kind::kKubeletLease) continue;
    for (std::size_t lists = 0; lists < groups_.size(); ++lists) {
      if (groups_[lists]->kind != Kind::kList) continue;
      RandomStream stream = random_.stream("api-load/list-again", fmt::format("{}#{}", index, server.life));
      for (std::size_t i = 0; i < group->clients.size(); ++i) {
        Client& client = group->clients[i];
        if (client.server != index) continue;
        client.server.reset();
        const SimDuration wait = kReconnectMin + stream.uniform(SimDuration{}, kReconnectMin);
        for (std::size_t n = 0; n < kListsOfAKubelet; ++n) {
          Client& list = groups_[lists]->clients[i * kListsOfAKubelet + n];
          if (!list.is_waiting) ask_later(lists, i * kListsOfAKubelet + n, wait);
        }
      }
    }
  }
}

// ---- views ------------------------------------------------------------------------------------------------------------------

std::vector<ApiLoad::Report> ApiLoad::reports() const {
  std::vector<Report> result;
  for (const auto& group : groups_) result.push_back(group->report);
  return result;
}

std::optional<ApiLoad::Report> ApiLoad::report(std::string_view name) const {
  for (const auto& group : groups_) {
    if (group->report.name == name) return group->report;
  }
  return std::nullopt;
}

const flow_control::FlowController* ApiLoad::flow_control_of(std::size_t server) const { return servers_[server].flow_control.get(); }
std::string_view ApiLoad::server_name(std::size_t server) const { return hosts_.spec(control_plane_.member_host(server)).name; }
std::int64_t ApiLoad::base_memory_of(std::size_t server) const { return std::min(config_.base_memory_bytes, memory_limit_of(server) / 2); }
std::int64_t ApiLoad::memory_of(std::size_t server) const { return base_memory_of(server) + servers_[server].memory; }
std::int64_t ApiLoad::memory_limit_of(std::size_t server) const {
  return config_.memory_bytes > 0 ? config_.memory_bytes : hosts_.spec(control_plane_.member_host(server)).memory_bytes / 5 * 4;
}
std::size_t ApiLoad::requests_in_service(std::size_t server) const { return servers_[server].on_cpu.size(); }

}  // namespace sim::k8s::api_load
