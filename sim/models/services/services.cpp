#include "sim/models/services/services.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/core/check.hpp"
#include "sim/models/network/pod_network.hpp"

namespace sim::services {

using k8s::ProcessState;
using k8s::Ref;

Services::Services(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, k8s::ApiServer& api, k8s::Kubelets& kubelets, ServicesConfig config)
    : engine_(engine), log_(log), random_(random), hosts_(hosts), api_(api), kubelets_(kubelets) {
  for (ServiceConfig& service : config.services) add_group(std::move(service));
  for (std::size_t group = 0; group < groups_.size(); ++group) link(group);
}

Services::~Services() {
  if (is_started_) api_.unwatch(*this);
}

// ---- what is there --------------------------------------------------------------------------------------------------

void Services::add_group(ServiceConfig config) {
  auto group = std::make_unique<Group>();
  group->config = std::move(config);
  if (!group->config.name.empty()) {
    group->named = named_.size();
    named_.push_back(groups_.size());
    auto own = std::make_unique<Provider>();
    own->kind = Provider::Kind::kGroup;
    own->name = group->config.name;
    own->group = groups_.size();
    group->provider = providers_.size();
    provider_of_name_[own->name] = providers_.size();
    providers_.push_back(std::move(own));
  }
  groups_.push_back(std::move(group));
}

std::size_t Services::find_provider(std::string_view name) const {
  const auto found = provider_of_name_.find(name);
  return found == provider_of_name_.end() ? SIZE_MAX : found->second;
}

/// A name that is no service of the section and has a slash is a Service of Kubernetes; any other is something external.
std::size_t Services::provider(const std::string& name) {
  if (const std::size_t found = find_provider(name); found != SIZE_MAX) return found;
  auto made = std::make_unique<Provider>();
  made->name = name;
  const std::size_t slash = name.find('/');
  if (slash != std::string::npos && name.find(':') == std::string::npos) {
    made->kind = Provider::Kind::kEndpoints;
    made->ns = api_.names().intern(name.substr(0, slash));
    made->service = api_.names().intern(name.substr(slash + 1));
  } else {
    made->up = true;
  }
  provider_of_name_[name] = providers_.size();
  providers_.push_back(std::move(made));
  return providers_.size() - 1;
}

void Services::link(std::size_t index) {
  Group& group = *groups_[index];
  const ServiceConfig& config = group.config;
  const auto resolve = [&](const std::vector<std::string>& names, std::vector<std::size_t>& to, std::vector<std::size_t> Provider::*back) {
    for (const std::string& name : names) {
      const std::size_t one = provider(name);
      if (std::find(to.begin(), to.end(), one) != to.end()) continue;
      to.push_back(one);
      (providers_[one].get()->*back).push_back(index);
      providers_[one]->is_needed = true;
    }
  };
  resolve(config.needs, group.needs, &Provider::needed_by);
  resolve(config.uses, group.uses, &Provider::used_by);
  resolve(config.waits_for, group.waits_for, &Provider::awaited_by);
  resolve(config.probes_need, group.probes_need, &Provider::probed_by);
  for (const CacheConfig& cache : config.caches) {
    Bridge bridge;
    bridge.of = provider(cache.of);
    bridge.in = provider(cache.in);
    bridge.lasts = cache.lasts;
    providers_[bridge.in]->needed_by.push_back(index);
    group.bridges.push_back(bridge);
  }
  if (config.service) {
    group.endpoints = provider(api_.names().text(config.service_ns) + "/" + api_.names().text(config.service));
    providers_[group.endpoints]->shown_by.push_back(index);
  }
  for (const OperationConfig& one : config.operations) {
    Operation operation;
    operation.config = &one;
    operation.group = index;
    const std::size_t number = operations_.size();
    const auto add = [&](const std::vector<std::string>& names, std::vector<std::size_t>& to) {
      for (const std::string& name : names) {
        to.push_back(provider(name));
        providers_[to.back()]->operations.push_back(number);
        providers_[to.back()]->is_needed = true;
      }
    };
    add(one.needs, operation.needs);
    add(one.uses, operation.uses);
    if (group.provider != SIZE_MAX) providers_[group.provider]->operations.push_back(number);
    operations_.push_back(std::move(operation));
  }
  group.needs_met = false;

  ModeContext context{engine_, log_, random_, hosts_, group.config, group.members, [this, index] { update(index); },
                      [this, &group] { return replicas_of(group); }, [this] { return api_.writable(); },
                      [this](PodRef from, PodRef to) { return reaches(from, to); },
                      [this](PodRef from, PodRef to, double rate) { return rate_between(from, to, rate); },
                      [this, index](const std::vector<std::vector<std::size_t>>& sides) { return clients_of(index, sides); }};
  switch (config.mode) {
    case Mode::kStateless: group.mode = make_stateless(std::move(context)); break;
    case Mode::kQuorum: group.mode = make_quorum(std::move(context)); break;
    case Mode::kRaft:
    case Mode::kLeader: group.mode = make_election(std::move(context)); break;
    case Mode::kBroker: group.mode = make_broker(std::move(context)); break;
    case Mode::kProxy: {
      const std::size_t behind = find_provider(config.proxy.backend);
      SIM_CHECK(behind != SIZE_MAX && providers_[behind]->kind == Provider::Kind::kGroup, "the reader has looked up every backend");
      const std::size_t target = providers_[behind]->group;
      groups_[target]->proxies.push_back(index);
      auto backend = std::make_unique<Backend>();
      Group* place = groups_[target].get();
      backend->size = [place] { return place->members.size(); };
      backend->answers = [this, place](std::size_t member) { return answers(*place, member); };
      backend->member = [place](std::size_t member) -> const Member& { return *place->members[member]; };
      group.mode = make_proxy(std::move(context), std::move(backend));
      break;
    }
  }
}

void Services::add_external(const std::string& name, bool up) { providers_[provider(name)]->up = up; }

void Services::set_external(const std::string& name, bool up) {
  const std::size_t index = find_provider(name);
  if (index == SIZE_MAX || providers_[index]->up == up) return;
  changed(index, up, engine_.cause());
}

void Services::start() {
  is_started_ = true;
  api_.watch({k8s::Kind::kEndpoints}, *this);
  kubelets_.on_process([this](PodRef pod) { process_changed(pod); });
  kubelets_.on_serving([this](PodRef pod, bool) { serving_changed(pod); });
  hosts_.on_change([this](const host::Hosts::Change& change) { network_changed(change.host); });
  kubelets_.set_start_gate([this](PodRef pod) { return may_start(pod); });
  if (find_provider(kKubernetesApi) != SIZE_MAX) set_external(std::string(kKubernetesApi), api_.writable());
  api_.on_availability([this] {
    set_external(std::string(kKubernetesApi), api_.writable());
    for (std::size_t i = 0; i < providers_.size(); ++i) look_at_gates(i);
    for (const auto& group : groups_) group->mode->api_changed();
  });
  for (std::size_t group = 0; group < groups_.size(); ++group) look_at_needs(group);
}

std::vector<MemberView> Services::members(std::size_t service) const {
  const Group& group = *groups_[named_[service]];
  std::vector<MemberView> result;
  for (std::size_t i = 0; i < group.members.size(); ++i) {
    const Member& member = *group.members[i];
    const bool is_gone = member.process.state == ProcessState::kGone && api_.get(member.pod) == nullptr && !group.mode->remembers_members();
    if (is_gone && !group.config.host_datapath) continue;
    result.push_back(MemberView{member.name, group.mode->member_state(i), lets_clients_in(group, i), member.process.host});
  }
  std::sort(result.begin(), result.end(), [](const MemberView& a, const MemberView& b) { return a.name < b.name; });
  return result;
}

std::vector<std::string> Services::missing(std::size_t service) const {
  const Group& group = *groups_[named_[service]];
  std::vector<std::string> result;
  for (const std::size_t need : group.needs) {
    if (!providers_[need]->up && !is_bridged(group, need)) result.push_back(providers_[need]->name);
  }
  return result;
}

std::size_t Services::find(std::string_view name) const {
  for (std::size_t i = 0; i < named_.size(); ++i) {
    if (config(i).name == name) return i;
  }
  return SIZE_MAX;
}
std::size_t Services::find_operation(std::string_view name) const {
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    if (operations_[i].config->name == name) return i;
  }
  return SIZE_MAX;
}
bool Services::is_up(std::string_view name) const {
  const std::size_t index = find_provider(name);
  return index != SIZE_MAX && providers_[index]->up;
}
CauseId Services::cause_of(std::string_view name) const {
  const std::size_t index = find_provider(name);
  return index == SIZE_MAX ? CauseId{} : providers_[index]->cause;
}
void Services::on_provider(std::string_view name, std::function<void()> listener) {
  const std::size_t index = provider(std::string(name));
  providers_[index]->is_needed = true;
  providers_[index]->listeners.push_back(std::move(listener));
}

std::int64_t Services::replicas_of(const Group& group) const {
  for (const std::unique_ptr<Member>& member : group.members) {
    const k8s::Pod* pod = api_.get(member->pod);
    const k8s::OwnerReference* owner = pod == nullptr ? nullptr : pod->meta.controller();
    if (owner == nullptr || owner->owner.kind != k8s::Kind::kStatefulSet) continue;
    const k8s::StatefulSet* set = api_.get(Ref<k8s::StatefulSet>{owner->owner.slot, owner->owner.generation});
    if (set != nullptr) return set->replicas;
  }
  return 0;
}

// ---- members --------------------------------------------------------------------------------------------------------

bool Services::selects(const Group& group, const k8s::Pod& pod) const {
  if (group.config.service) {
    if (pod.meta.ns != group.config.service_ns) return false;
    const Ref<k8s::Service> ref = api_.find<k8s::Service>(group.config.service_ns, group.config.service);
    const k8s::Service* service = ref ? api_.get(ref) : nullptr;
    return service != nullptr && service->has_selector && service->selector.matches(pod.meta.labels, api_.names());
  }
  if (group.config.ns && group.config.ns != pod.meta.ns) return false;
  return !group.config.selector || group.config.selector->matches(pod.meta.labels, api_.names());
}

std::vector<Services::Membership>& Services::attach(PodRef ref) {
  const auto [place, is_new] = memberships_.try_emplace(key(ref));
  const k8s::Pod* pod = api_.get(ref);
  if (!is_new || pod == nullptr) return place->second;
  std::vector<Membership> found;
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    if (selects(*groups_[group], *pod)) found.push_back(join(group, ref, *pod));
  }
  return memberships_[key(ref)] = std::move(found);
}

Services::Membership Services::join(std::size_t index, PodRef ref, const k8s::Pod& pod) {
  Group& group = *groups_[index];
  const bool is_tied_to_host = group.config.host_datapath;
  const host::HostId host = kubelets_.process_of(ref).host;
  std::size_t place = SIZE_MAX;
  for (std::size_t i = 0; i < group.members.size() && place == SIZE_MAX; ++i) {
    const Member& other = *group.members[i];
    if (is_tied_to_host ? other.process.host == host : other.pod_name == pod.meta.name && other.ns == pod.meta.ns) place = i;
  }
  // A place that nobody holds any more.
  const bool may_reuse = !is_tied_to_host && !group.mode->remembers_members();
  for (std::size_t i = 0; may_reuse && i < group.members.size() && place == SIZE_MAX; ++i) {
    const Member& other = *group.members[i];
    if (other.process.state == ProcessState::kGone && api_.get(other.pod) == nullptr) place = i;
  }
  if (place == SIZE_MAX) {
    place = group.members.size();
    group.members.push_back(std::make_unique<Member>());
    group.answered.push_back(false);
    group.members.back()->name = is_tied_to_host ? hosts_.spec(host).name : api_.names().text(pod.meta.name);
    group.mode->added(place);
  }
  Member& member = *group.members[place];
  if (!is_tied_to_host) member.name = api_.names().text(pod.meta.name);
  member.ns = pod.meta.ns;
  member.pod_name = pod.meta.name;
  member.pod = ref;
  member.process.host = host;
  member.is_connected = group.needs_met;
  member.is_severed = pod_network_ != nullptr && pod_network_->any() && !reaches_needs(group, member, nullptr);
  member.listed = group.endpoints != SIZE_MAX && providers_[group.endpoints]->listed.contains(ref);
  return Membership{index, place};
}

void Services::process_changed(PodRef ref) {
  const k8s::PodProcess process = kubelets_.process_of(ref);
  const std::vector<Membership> memberships = attach(ref);
  for (const Membership& m : memberships) {
    Group& group = *groups_[m.group];
    Member& member = *group.members[m.member];
    if (member.pod != ref) continue;  // another pod has its place
    const ProcessState before = member.process.state;
    const host::HostId host = member.process.host;
    member.process = process;
    if (!process.host) member.process.host = host;
    if (before == process.state) continue;
    if (process.state == ProcessState::kUp) member.is_set_up = true;
    const bool is_worse = process.state == ProcessState::kGone || process.state == ProcessState::kFrozen || process.state == ProcessState::kHung;
    if (is_worse) keeps_down(m.group, engine_.cause());
    if (process.state != ProcessState::kUp) engine_.cancel(std::exchange(member.reconnect, TimerId{}));
    // What starts now finds what is there, or does not.
    if (before != ProcessState::kHung && process.state == ProcessState::kUp) member.is_connected = group.needs_met;
    group.mode->process_changed(m.member, before);
  }
  apply(ref);
  for (const Membership& m : memberships) look_at_status(m.group);
  if (process.state == ProcessState::kGone && (memberships.empty() || api_.get(ref) == nullptr)) memberships_.erase(key(ref));
}

void Services::serving_changed(PodRef ref) {
  for (std::size_t i = 0; i < providers_.size(); ++i) {
    if (providers_[i]->kind == Provider::Kind::kEndpoints && providers_[i]->listed.contains(ref)) look_at_endpoints(i);
  }
  const auto found = memberships_.find(key(ref));
  if (found == memberships_.end()) return;
  const std::vector<Membership> memberships = found->second;
  for (const Membership& m : memberships) look_at_status(m.group);
}

void Services::network_changed(host::HostId host) {
  for (std::size_t index = 0; index < groups_.size(); ++index) {
    Group& group = *groups_[index];
    if (group.config.mode == Mode::kStateless && !group.config.host_datapath) continue;
    const bool is_concerned = std::any_of(group.members.begin(), group.members.end(), [&](const auto& member) { return member->process.host == host; });
    for (const std::unique_ptr<Member>& member : group.members) {
      if (member->process.host == host && !hosts_.is_running(host)) member->is_set_up = false;
    }
    // A proxy is concerned by its backend's hosts too.
    if (is_concerned || group.config.mode == Mode::kProxy) group.mode->network_changed();
    if (is_concerned) look_at_status(index);
  }
}

void Services::on_event(const k8s::WatchEvent& event) {
  const bool deleted = event.type == k8s::WatchEvent::Type::kDeleted;
  const k8s::Endpoints* object = deleted ? &event.last_state<k8s::Endpoints>() : api_.get(event.ref<k8s::Endpoints>());
  if (object == nullptr) return;
  const std::size_t index = find_provider(api_.names().text(object->meta.ns) + "/" + api_.names().text(object->meta.name));
  if (index == SIZE_MAX || providers_[index]->kind != Provider::Kind::kEndpoints) return;
  Provider& endpoints = *providers_[index];
  std::set<PodRef> listed;
  if (!deleted) {
    for (const k8s::Endpoints::Address& address : object->addresses) {
      if (address.ready) listed.insert(address.pod);
    }
  }
  const bool was_open = is_gate_open(endpoints);
  endpoints.listed = std::move(listed);
  for (const std::size_t group : endpoints.shown_by) {
    for (const std::unique_ptr<Member>& member : groups_[group]->members) member->listed = endpoints.listed.contains(member->pod);
  }
  look_at_endpoints(index);
  if (is_gate_open(endpoints) != was_open) {
    look_at_gates(index);
    for (const std::size_t group : endpoints.shown_by) {
      if (groups_[group]->provider != SIZE_MAX) look_at_gates(groups_[group]->provider);
    }
  }
}

// ---- who answers ----------------------------------------------------------------------------------------------------

bool Services::answers(const Group& group, std::size_t member) const {
  return group.mode->answers(member) && group.members[member]->is_connected && !group.members[member]->is_severed;
}

/// As clients see it.
bool Services::lets_clients_in(const Group& group, std::size_t index) const {
  const Member& member = *group.members[index];
  if (group.config.host_datapath) {
    return answers(group, index) && member.process.host && hosts_.is_running(member.process.host) && hosts_.has_network(member.process.host);
  }
  return (group.endpoints == SIZE_MAX || member.listed) && kubelets_.is_serving(member.pod);
}

/// A pod answers nobody when any of its groups says so; its probes fail when any of them makes them.
void Services::apply(PodRef ref) {
  const auto found = memberships_.find(key(ref));
  if (found == memberships_.end() || found->second.empty()) return;
  bool lacks = false;
  bool readiness = false;
  bool liveness = false;
  for (const Membership& m : found->second) {
    const Group& group = *groups_[m.group];
    if (group.members[m.member]->pod != ref) continue;
    const bool state = group.mode->answers(m.member);
    const bool needs = group.members[m.member]->is_connected && !group.members[m.member]->is_severed;
    lacks = lacks || !state || !needs;
    const bool beyond = std::any_of(group.probes_need.begin(), group.probes_need.end(), [this](std::size_t need) { return !providers_[need]->up; });
    const bool takes_part = group.mode->takes_part(m.member);
    const auto fails = [&](ProbeDepth depth, bool well) { return beyond || (depth != ProbeDepth::kProcess && !well) || (depth == ProbeDepth::kNeeds && !needs); };
    readiness = readiness || fails(group.config.readiness, takes_part);
    liveness = liveness || fails(group.config.liveness, takes_part || group.mode->is_joining(m.member));
  }
  kubelets_.set_probes_fail(ref, readiness, liveness);
  kubelets_.set_lacking(ref, k8s::Says::kServices, lacks);
}

void Services::update(std::size_t index) {
  Group& group = *groups_[index];
  for (std::size_t i = 0; i < group.members.size(); ++i) apply(group.members[i]->pod);
  bool tell = false;
  for (std::size_t i = 0; i < group.members.size(); ++i) {
    const bool now = answers(group, i);
    tell = tell || now != group.answered[i];
    group.answered[i] = now;
  }
  if (tell) {
    for (const std::size_t proxy : group.proxies) groups_[proxy]->mode->backend_changed();
  }
  look_at_status(index);
}

// ---- needs ----------------------------------------------------------------------------------------------------------

bool Services::is_bridged(const Group& group, std::size_t provider) const {
  return std::any_of(group.bridges.begin(), group.bridges.end(), [&](const Bridge& bridge) { return bridge.of == provider && bridge.is_holding; });
}

void Services::look_at_needs(std::size_t index) {
  Group& group = *groups_[index];
  for (Bridge& bridge : group.bridges) {
    const bool is_away = !providers_[bridge.of]->up;
    const bool is_kept = providers_[bridge.in]->up;
    bridge.is_spent = is_away && (bridge.is_spent || !is_kept);
    if (bridge.is_holding && (!is_away || !is_kept)) {
      bridge.is_holding = false;
      engine_.cancel(std::exchange(bridge.expiry, TimerId{}));
    } else if (!bridge.is_holding && is_away && !bridge.is_spent && group.needs_met && std::find(group.needs.begin(), group.needs.end(), bridge.of) != group.needs.end()) {
      bridge.is_holding = true;
      const std::string& of = providers_[bridge.of]->name;
      const CauseId id = log_.record("BridgedByCache", "platform/" + group.config.name,
                                     fmt::format("{} does not answer; what {} holds of it is good for {}", of, providers_[bridge.in]->name, format_duration(bridge.lasts)));
      const ScopedCause because(engine_, id);
      Bridge* place = &bridge;
      bridge.expiry = engine_.after(bridge.lasts, [this, index, place] {
        place->expiry = TimerId{};
        place->is_holding = false;
        place->is_spent = true;
        const CauseId expired = log_.record("CacheExpired", "platform/" + groups_[index]->config.name,
                                            fmt::format("what {} held of {} is no longer good", providers_[place->in]->name, providers_[place->of]->name));
        const ScopedCause again(engine_, expired);
        look_at_needs(index);
      });
    }
  }
  const bool met = std::all_of(group.needs.begin(), group.needs.end(), [&](std::size_t need) { return providers_[need]->up || is_bridged(group, need); });
  if (met == group.needs_met) return;
  const SimDuration was_away = engine_.now() - group.needs_changed;
  group.needs_met = met;
  group.needs_changed = engine_.now();
  for (std::size_t i = 0; i < group.members.size(); ++i) {
    Member& member = *group.members[i];
    engine_.cancel(std::exchange(member.reconnect, TimerId{}));
    if (!met) {
      member.is_connected = false;
      continue;
    }
    const SimDuration longest = std::min(group.config.reconnect, was_away);
    if (longest == SimDuration::zero() || member.process.state != ProcessState::kUp) {
      member.is_connected = true;
      continue;
    }
    RandomStream draws(random_.seed(), "services/reconnect", group.config.name + "/" + member.name, static_cast<std::uint32_t>(engine_.now().time_since_epoch() / std::chrono::seconds(1)));
    member.reconnect = engine_.after(draws.uniform(SimDuration{}, longest), [this, index, i] { connect(index, i); });
  }
  update(index);
}

void Services::connect(std::size_t group, std::size_t index) {
  Member& member = *groups_[group]->members[index];
  member.reconnect = TimerId{};
  member.is_connected = groups_[group]->needs_met;
  update(group);
}

void Services::look_at_endpoints(std::size_t index) {
  Provider& endpoints = *providers_[index];
  const bool up = std::any_of(endpoints.listed.begin(), endpoints.listed.end(), [this](PodRef pod) { return kubelets_.is_serving(pod); });
  if (up != endpoints.up) {
    CauseId id = engine_.cause();
    if (endpoints.is_needed) {
      const std::string& name = api_.names().text(endpoints.service);
      id = log_.record(up ? "DependencyUp" : "DependencyDown", "Service/" + endpoints.name,
                       up ? fmt::format("{} serves again: what needs it can go on", name) : fmt::format("no endpoint of {} serves: what needs it answers nobody", name));
    }
    changed(index, up, id);
  }
  for (const std::size_t group : endpoints.shown_by) look_at_status(group);
}

void Services::changed(std::size_t index, bool up, CauseId cause) {
  Provider& it = *providers_[index];
  it.up = up;
  it.cause = cause;
  it.since = engine_.now();
  const ScopedCause because(engine_, cause);
  if (!up) {
    for (const std::size_t group : it.needed_by) keeps_down(group, cause);
    for (const std::size_t operation : it.operations) {
      if (!operations_[operation].status.up) contribute(operations_[operation].status.cause, cause);
    }
  }
  for (const std::size_t group : it.needed_by) look_at_needs(group);
  if (pod_network_ != nullptr) {
    for (const std::size_t group : it.needed_by) look_at_paths(group);
  }
  for (const std::size_t group : it.used_by) look_at_status(group);
  for (const std::size_t group : it.probed_by) {
    for (std::size_t i = 0; i < groups_[group]->members.size(); ++i) apply(groups_[group]->members[i]->pod);
  }
  for (const std::size_t operation : it.operations) look_at_operation(operation);
  for (const auto& listener : it.listeners) listener();
  look_at_gates(index);
}

// ---- status ---------------------------------------------------------------------------------------------------------

void Services::keeps_down(std::size_t group, CauseId reason) {
  // The reader refuses circles of needs and proxies. A cache may close one (what keeps the answers needs who asks): who is being told is not told again.
  std::vector<std::size_t> path;
  const auto tell = [&](const auto& again, std::size_t index) -> void {
    const Group& it = *groups_[index];
    if (it.provider == SIZE_MAX || it.status.up || it.mode == nullptr || std::find(path.begin(), path.end(), index) != path.end()) return;
    path.push_back(index);
    contribute(it.status.cause, reason);
    for (const std::size_t proxy : it.proxies) again(again, proxy);
    for (const std::size_t needy : providers_[it.provider]->needed_by) again(again, needy);
    for (const std::size_t operation : providers_[it.provider]->operations) {
      if (!operations_[operation].status.up) contribute(operations_[operation].status.cause, reason);
    }
    path.pop_back();
  };
  tell(tell, group);
}

void Services::contribute(CauseId down, CauseId reason) {
  if (!down || !reason || reason == down) return;
  constexpr std::size_t kSteps = 6;
  const std::vector<CauseId> known = log_.chain(down);
  std::size_t steps = 0;
  for (const CauseId step : log_.chain(reason)) {
    // Where both paths meet the rest is told already.
    if (++steps > kSteps || std::find(known.begin(), known.end(), step) != known.end()) return;
    log_.also_caused_by(down, step);
  }
}

std::string Services::why_down(const Group& group) const {
  std::string missing;
  for (const std::size_t need : group.needs) {
    if (!providers_[need]->up && !is_bridged(group, need)) missing += (missing.empty() ? "" : ", ") + providers_[need]->name;
  }
  if (!missing.empty()) return fmt::format("needs {}, which does not answer", missing);
  for (std::size_t i = 0; i < group.members.size(); ++i) {
    if (group.endpoints != SIZE_MAX && answers(group, i) && !group.members[i]->listed) return "the API lists no member as ready that answers";
  }
  if (pod_network_ != nullptr) {
    for (const std::unique_ptr<Member>& member : group.members) {
      std::string why;
      if (member->is_severed && !reaches_needs(group, *member, &why)) return why;
    }
  }
  const std::string state = group.mode->state();
  return state.empty() ? std::string("no member answers") : state;
}

std::string Services::why_degraded(const Group& group) const {
  std::string missing;
  for (const std::size_t use : group.uses) {
    if (!providers_[use]->up) missing += (missing.empty() ? "" : ", ") + providers_[use]->name;
  }
  if (!missing.empty()) return fmt::format("without {}", missing);
  std::string text = group.mode->degraded();
  return text.empty() && pod_network_ != nullptr ? slow_paths(group) : text;
}

// ---- the network of pods ----------------------------------------------------------------------------------------------

void Services::use(network::PodNetwork& pods) {
  pod_network_ = &pods;
  pods.on_change([this] {
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      groups_[group]->mode->network_changed();
      look_at_paths(group);
      look_at_status(group);
    }
  });
}

bool Services::reaches(PodRef from, PodRef to) const { return pod_network_ == nullptr || pod_network_->reaches(from, to); }

std::vector<double> Services::clients_of(std::size_t index, const std::vector<std::vector<std::size_t>>& sides) const {
  std::vector<double> result(sides.size(), 0.0);
  const Group& group = *groups_[index];
  std::set<std::size_t> users;
  for (const std::size_t one : {group.provider, group.endpoints}) {
    if (one == SIZE_MAX) continue;
    users.insert(providers_[one]->needed_by.begin(), providers_[one]->needed_by.end());
    users.insert(providers_[one]->used_by.begin(), providers_[one]->used_by.end());
  }
  for (const std::size_t user : users) {
    for (const std::unique_ptr<Member>& client : groups_[user]->members) {
      if (client->process.state != ProcessState::kUp) continue;
      std::vector<std::size_t> reached;
      for (std::size_t side = 0; side < sides.size(); ++side) {
        const bool any = std::any_of(sides[side].begin(), sides[side].end(), [&](std::size_t i) {
          const Member& member = *group.members[i];
          return member.answers_peers() && hosts_.reachable(client->process.host, member.process.host) && reaches(client->pod, member.pod);
        });
        if (any) reached.push_back(side);
      }
      for (const std::size_t side : reached) result[side] += 1.0 / static_cast<double>(reached.size());
    }
  }
  return result;
}

double Services::rate_between(PodRef from, PodRef to, double rate) const {
  if (pod_network_ == nullptr || !pod_network_->has_path_rules()) return rate;
  const network::PathQuality path = pod_network_->path(from, to);
  // 0.5 ms between machines of one site, as between members of etcd.
  constexpr SimDuration kRoundTrip{std::chrono::microseconds(500)};
  const double loss = 1.0 - (1.0 - path.trip.loss_there) * (1.0 - path.trip.loss_back);
  rate = std::min(rate, network::tcp_bytes_per_second(kRoundTrip + path.trip.delay, loss));
  return path.bytes_per_second > 0.0 ? std::min(rate, path.bytes_per_second) : rate;
}

bool Services::reaches_needs(const Group& group, const Member& member, std::string* why) const {
  for (const std::size_t need : group.needs) {
    const Provider& it = *providers_[need];
    if (!it.up || is_bridged(group, need)) continue;  // that is another story
    const Group* behind = it.kind == Provider::Kind::kGroup ? groups_[it.group].get() : nullptr;
    std::string name;
    if (it.kind == Provider::Kind::kEndpoints) name = api_.names().text(it.service) + "." + api_.names().text(it.ns);
    if (behind != nullptr && behind->config.service) name = api_.names().text(behind->config.service) + "." + api_.names().text(behind->config.service_ns);
    if (!name.empty() && !pod_network_->resolves(member.pod, name + ".svc.cluster.local")) {
      if (why != nullptr) *why = fmt::format("{} finds no address of {}.svc.cluster.local", member.name, name);
      return false;
    }
    if (!pod_network_->has_path_rules() || it.kind == Provider::Kind::kExternal) continue;
    bool found = false;
    if (behind != nullptr) {
      for (std::size_t i = 0; i < behind->members.size() && !found; ++i) found = lets_clients_in(*behind, i) && reaches(member.pod, behind->members[i]->pod);
    } else {
      found = std::any_of(it.listed.begin(), it.listed.end(), [&](PodRef pod) { return kubelets_.is_serving(pod) && reaches(member.pod, pod); });
    }
    if (found) continue;
    if (why != nullptr) *why = fmt::format("{} reaches nobody of {}", member.name, it.name);
    return false;
  }
  return true;
}

void Services::look_at_paths(std::size_t index) {
  Group& group = *groups_[index];
  bool any = false;
  for (const std::unique_ptr<Member>& member : group.members) {
    std::string why;
    const bool severed = !reaches_needs(group, *member, &why);
    if (severed == member->is_severed) continue;
    member->is_severed = severed;
    any = true;
    if (api_.get(member->pod) != nullptr) {
      const CauseId id = api_.record(member->pod, severed ? "DependencyUnreachable" : "DependencyReachable", severed ? why : "it reaches what it needs again");
      const ScopedCause because(engine_, id);
      apply(member->pod);
    }
  }
  if (any) update(index);
}

/// Of a service that works: calls of its members to what they need, and to each other, that take longer than they should.
std::string Services::slow_paths(const Group& group) const {
  if (!pod_network_->has_path_rules()) return {};
  for (const std::unique_ptr<Member>& member : group.members) {
    const auto look = [&](const Group& other, const std::string& name) -> std::string {
      for (const std::unique_ptr<Member>& peer : other.members) {
        if (peer->pod == member->pod || peer->process.state != ProcessState::kUp) continue;
        const network::PathQuality path = pod_network_->path(member->pod, peer->pod);
        if (path.is_impaired()) return fmt::format("between {} and {} of {}: {}", member->name, peer->name, name, path.describe());
      }
      return {};
    };
    if (group.config.mode != Mode::kStateless && group.config.mode != Mode::kProxy) {
      if (std::string text = look(group, group.config.name); !text.empty()) return text;
    }
    for (const std::size_t need : group.needs) {
      if (providers_[need]->kind != Provider::Kind::kGroup) continue;
      if (std::string text = look(*groups_[providers_[need]->group], providers_[need]->name); !text.empty()) return text;
    }
  }
  return {};
}

void Services::look_at_status(std::size_t index) {
  Group& group = *groups_[index];
  if (group.provider == SIZE_MAX) return;
  std::int64_t answering = 0;
  for (std::size_t i = 0; i < group.members.size(); ++i) answering += lets_clients_in(group, i) ? 1 : 0;
  const bool up = answering >= group.config.members_min;
  const std::string degraded = up ? why_degraded(group) : std::string();
  if (up == group.status.up && degraded == group.status.degraded) return;
  const bool was_up = std::exchange(group.status.up, up);
  const bool was_degraded = !std::exchange(group.status.degraded, degraded).empty();
  const std::string& name = group.config.name;
  const std::string subject = "platform/" + name;
  CauseId id{};
  if (!up) {
    id = log_.record("PlatformServiceDown", subject, fmt::format("{} answers nobody: {}", name, why_down(group)));
  } else if (!degraded.empty()) {
    if (was_up && was_degraded) return;  // another reason for the same
    id = log_.record("PlatformServiceDegraded", subject, fmt::format("{} answers, but not as it should: {}", name, degraded));
  } else {
    id = log_.record("PlatformServiceUp", subject, was_up ? fmt::format("{} works fully again", name) : fmt::format("{} answers", name));
  }
  group.status.cause = id;
  group.status.since = engine_.now();
  const ScopedCause because(engine_, id);
  for (const auto& listener : listeners_) listener(group.named);
  if (up != was_up) changed(group.provider, up, id);
}

void Services::look_at_operation(std::size_t index) {
  Operation& operation = operations_[index];
  const std::string& owner = groups_[operation.group]->config.name;
  std::string missing;
  const auto need = [&](std::size_t provider, std::string& to) {
    if (!providers_[provider]->up) to += (to.empty() ? "" : ", ") + providers_[provider]->name;
  };
  need(groups_[operation.group]->provider, missing);
  for (const std::size_t one : operation.needs) need(one, missing);
  std::string slow;
  for (const std::size_t one : operation.uses) need(one, slow);
  const bool up = missing.empty();
  const std::string degraded = up && !slow.empty() ? "without " + slow : std::string();
  Status& status = operation.status;
  if (up == status.up && degraded == status.degraded) return;
  const bool was_up = std::exchange(status.up, up);
  const bool was_degraded = !std::exchange(status.degraded, degraded).empty();
  if (up && was_up && was_degraded && !degraded.empty()) return;
  const std::string subject = "operation/" + operation.config->name;
  if (!up) {
    status.cause = log_.record("OperationImpossible", subject, fmt::format("{} of {} cannot be done: {} does not answer", operation.config->name, owner, missing));
  } else if (!degraded.empty()) {
    status.cause = log_.record("OperationDegraded", subject, fmt::format("{} works, but not as it should: {}", operation.config->name, degraded));
  } else {
    status.cause = log_.record("OperationPossible", subject, fmt::format("{} of {} can be done", operation.config->name, owner));
  }
  status.since = engine_.now();
  const ScopedCause because(engine_, status.cause);
  for (const auto& listener : operation_listeners_) listener(index);
}

// ---- start ----------------------------------------------------------------------------------------------------------

bool Services::is_gate_open(const Provider& it) const {
  switch (it.kind) {
    case Provider::Kind::kEndpoints: return !it.listed.empty() && api_.readable();
    case Provider::Kind::kGroup: {
      const std::size_t endpoints = groups_[it.group]->endpoints;
      return endpoints == SIZE_MAX ? it.up : is_gate_open(*providers_[endpoints]);
    }
    case Provider::Kind::kExternal: return it.up;
  }
  return true;
}

bool Services::are_gates_open(const Group& group) const {
  return std::all_of(group.waits_for.begin(), group.waits_for.end(), [this](std::size_t need) { return is_gate_open(*providers_[need]); });
}

bool Services::may_start(PodRef ref) {
  const k8s::Pod* pod = api_.get(ref);
  if (pod == nullptr) return true;
  bool may = true;
  for (const auto& group : groups_) {
    if (group->waits_for.empty() || !selects(*group, *pod) || are_gates_open(*group)) continue;
    may = false;
    if (std::find(group->waiting.begin(), group->waiting.end(), ref) != group->waiting.end()) continue;
    group->waiting.push_back(ref);
    std::string closed;
    CauseId cause{};
    for (const std::size_t need : group->waits_for) {
      if (is_gate_open(*providers_[need])) continue;
      closed += (closed.empty() ? "" : ", ") + providers_[need]->name;
      if (!cause) cause = providers_[need]->cause;
    }
    const CauseId before = engine_.cause();
    const ScopedCause because(engine_, before ? before : cause);
    const CauseId id = api_.record(ref, "WaitsForDependencies", fmt::format("its init container waits for {}", closed));
    if (before) log_.also_caused_by(id, cause);
  }
  return may;
}

void Services::look_at_gates(std::size_t index) {
  for (const std::size_t group : providers_[index]->awaited_by) look_at_gate(group);
}

void Services::look_at_gate(std::size_t index) {
  Group& group = *groups_[index];
  if (group.waiting.empty() || !are_gates_open(group)) return;
  const std::vector<PodRef> waiting = std::exchange(group.waiting, {});
  for (const PodRef ref : waiting) {
    const k8s::Pod* pod = api_.get(ref);
    if (pod == nullptr) continue;
    // Its init container looks every few seconds.
    RandomStream draws(random_.seed(), "services/gate", api_.names().text(pod->meta.name), static_cast<std::uint32_t>(engine_.now().time_since_epoch() / std::chrono::seconds(1)));
    engine_.after(draws.uniform(SimDuration{}, group.config.wait_poll), [this, ref] { kubelets_.start_gate_opened(ref); });
  }
}

}  // namespace sim::services
