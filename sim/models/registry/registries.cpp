#include "sim/models/registry/registries.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/models/registry/node_store.hpp"

namespace sim::registry {

using k8s::Pod;
using k8s::Ref;

namespace {

// Source: containerd internal/cri/server/images/image_pull.go (dialer), Spegel's mirrorResolveTimeout.
constexpr SimDuration kDialTimeout = std::chrono::seconds(30);
constexpr SimDuration kRefusedAfter = std::chrono::milliseconds(1);
constexpr SimDuration kPeerLookup = std::chrono::milliseconds(20);
constexpr std::uint32_t kPeerTries = 3;
constexpr std::string_view kDefaultHost = "_default";

Registries::Fault fault_order(std::size_t i) {
  constexpr Registries::Fault kAll[] = {Registries::Fault::kDown, Registries::Fault::kRefused, Registries::Fault::kDenied, Registries::Fault::kTooMany};
  return kAll[i];
}
constexpr std::size_t kFaults = 4;

}  // namespace

const char* to_string(Part part) {
  switch (part) {
    case Part::kIngress: return "ingress";
    case Part::kCore: return "core";
    case Part::kDatabase: return "database";
    case Part::kRedis: return "redis";
    case Part::kRegistry: return "registry";
    case Part::kStorage: return "storage";
  }
  return "?";
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] == text[t] && pattern[p] != '*'))) {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Registries::Registries(Engine& engine, EventLog& log, const Randomness& random, host::Hosts& hosts, k8s::ApiServer& api, k8s::Kubelets& kubelets,
                       network::Network& network, const k8s::ImagePolicy& policy, std::unique_ptr<ImageCatalogue> catalogue, RegistriesConfig config)
    : engine_(engine), log_(log), random_(random), hosts_(hosts), api_(api), kubelets_(kubelets), network_(network), policy_(policy),
      config_(std::move(config)), catalogue_(std::move(catalogue)), watch_(engine, api, kubelets) {
  for (RegistryConfig& registry : config_.registries) add(std::move(registry));
  config_.registries.clear();
  watch_.on_change([this](std::size_t service, Ref<Pod> pod) { look_at_users_of(service, pod); });
}

Registries::~Registries() = default;

std::size_t Registries::add(RegistryConfig config) {
  registries_.emplace_back();
  Registry& registry = registries_.back();
  registry.config = std::move(config);
  registry.shown = registry.config.host;
  for (const PartConfig& part : registry.config.parts) registry.watched.push_back(watch_.follow(part.ns, part.service));
  if (registry.config.storage_bytes_per_second < SharedBandwidth::kNoLimit) {
    registry.storage = network_.bandwidth().add_link(registry.config.storage_bytes_per_second);
  }
  set_egress(registry);
  return registries_.size() - 1;
}

void Registries::start() {
  started_ = true;
  watch_.start();
  hosts_.on_change([this](const host::Hosts::Change&) { reevaluate(); });
  // A pod that is listed no more may still be sending.
  kubelets_.on_serving([this](Ref<Pod> pod, bool serving) {
    if (serving) return;
    for (NodeStore* store : stores_) {
      if (store->gets_from(pod)) store->reevaluate();
    }
  });
  for (std::size_t i = 0; i < registries_.size(); ++i) look(i);
}

std::unique_ptr<k8s::kubelet::NodeImages> Registries::make(const NodeContext& node, const k8s::kubelet::NodeImages::Hooks& hooks) {
  auto store = std::make_unique<NodeStore>(*this, hooks, node, static_cast<std::uint32_t>(stores_.size()));
  stores_.push_back(store.get());
  return store;
}

std::size_t Registries::find(std::string_view host) const {
  for (std::size_t i = 0; i < registries_.size(); ++i) {
    if (registries_[i].config.host == host) return i;
  }
  return SIZE_MAX;
}

bool Registries::is_observed(std::size_t registry) const {
  return registries_[registry].config.kind != RegistryKind::kUnreachable && registries_[registry].config.host != kDefaultHost;
}

// ---- state ----------------------------------------------------------------------------------------------------------

bool Registries::is_waiting_for_redis(const Registry& registry, Ref<Pod> pod) const {
  for (std::size_t i = 0; i < registry.config.parts.size(); ++i) {
    if (registry.config.parts[i].part == Part::kCore && waits_for_redis_.contains({registry.watched[i], pod})) return true;
  }
  return false;
}

bool Registries::part_serves(const Registry& registry, std::size_t index) const {
  const std::size_t service = registry.watched[index];
  if (registry.config.parts[index].part != Part::kCore) return watch_.serves(service);
  const std::vector<ServiceWatch::Endpoint>& all = watch_.endpoints(service);
  return std::any_of(all.begin(), all.end(),
                     [&](const ServiceWatch::Endpoint& one) { return one.serves && !waits_for_redis_.contains({service, one.pod}); });
}

std::string Registries::trouble(const Registry& registry, CauseId& cause) const {
  for (std::size_t i = 0; i < kFaults; ++i) {
    const auto found = registry.faults.find(fault_order(i));
    if (found == registry.faults.end() || found->second.empty()) continue;
    cause = found->second.back();
    switch (found->first) {
      case Fault::kDown: return "it does not answer";
      case Fault::kRefused: return "it refuses connections";
      case Fault::kDenied: return "it refuses the nodes' credentials";
      case Fault::kTooMany: return "it answers that the nodes pull too much";
    }
  }
  for (std::size_t i = 0; i < registry.config.parts.size(); ++i) {
    const PartConfig& part = registry.config.parts[i];
    if (part.part == Part::kRedis || part_serves(registry, i)) continue;
    cause = watch_.cause(registry.watched[i]);
    const std::string service = fmt::format("{}/{}", names().text(part.ns), names().text(part.service));
    if (watch_.serves(registry.watched[i])) return fmt::format("its {} (Service {}) waits for Redis before it starts", to_string(part.part), service);
    return fmt::format("its {} (Service {}) has no endpoint that serves", to_string(part.part), service);
  }
  return {};
}

void Registries::look(std::size_t index) {
  Registry& registry = registries_[index];
  if (!is_observed(index)) return;
  CauseId cause{};
  const std::string why = trouble(registry, cause);
  if (why.empty() == registry.told_up) return;
  registry.told_up = why.empty();
  const std::string subject = "Registry/" + registry.config.host;
  if (why.empty()) {
    // What starts for the first time was not down.
    registry.cause = registry.was_up || registry.told_down
                         ? log_.record("RegistryUp", subject, fmt::format("images can be pulled from {} again", registry.config.host))
                         : engine_.cause();
    registry.was_up = true;
  } else {
    tell_down(index);
  }
  const ScopedCause because(engine_, registry.cause);
  for (const auto& listener : listeners_) listener(index, registry.told_up);
}

void Registries::tell_down(std::size_t index) {
  Registry& registry = registries_[index];
  CauseId cause{};
  const std::string why = trouble(registry, cause);
  const CauseId before = engine_.cause();
  const ScopedCause because(engine_, cause);
  registry.cause = log_.record("RegistryDown", "Registry/" + registry.config.host, fmt::format("no image can be pulled from {}: {}", registry.config.host, why));
  log_.also_caused_by(registry.cause, before);
  registry.told_down = true;
}

void Registries::look_at_users_of(std::size_t service, Ref<Pod> pod) {
  for (std::size_t i = 0; i < registries_.size(); ++i) {
    const Registry& registry = registries_[i];
    std::size_t core = SIZE_MAX, redis = SIZE_MAX;
    for (std::size_t part = 0; part < registry.watched.size(); ++part) {
      if (registry.config.parts[part].part == Part::kCore) core = registry.watched[part];
      if (registry.config.parts[part].part == Part::kRedis) redis = registry.watched[part];
    }
    if (core == SIZE_MAX || redis == SIZE_MAX) continue;
    if (watch_.serves(redis)) {
      std::erase_if(waits_for_redis_, [core](const auto& entry) { return entry.first == core; });
    } else if (service == core && pod && kubelets_.is_serving(pod)) {
      waits_for_redis_.insert({core, pod});
    }
  }
  for (std::size_t i = 0; i < registries_.size(); ++i) {
    const std::vector<std::size_t>& all = registries_[i].watched;
    if (std::find(all.begin(), all.end(), service) != all.end()) look(i);
  }
  reevaluate();
}

void Registries::reevaluate() {
  for (NodeStore* store : stores_) store->reevaluate();
}

// ---- faults ---------------------------------------------------------------------------------------------------------

void Registries::set_fault(std::size_t index, Fault fault, bool on) {
  std::vector<CauseId>& held = registries_[index].faults[fault];
  if (on) held.push_back(engine_.cause());
  else if (!held.empty()) held.erase(held.begin());
  look(index);
  reevaluate();
}

void Registries::set_slow(std::size_t index, double bytes_per_second, SimDuration latency, bool on) {
  Registry& registry = registries_[index];
  if (on) {
    registry.slow.push_back(Slow{bytes_per_second, latency, engine_.cause()});
  } else {
    const auto found = std::find_if(registry.slow.begin(), registry.slow.end(),
                                    [&](const Slow& slow) { return slow.bytes_per_second == bytes_per_second && slow.latency == latency; });
    if (found != registry.slow.end()) registry.slow.erase(found);
  }
  set_egress(registry);
}

void Registries::set_egress(Registry& registry) {
  double capacity = registry.config.bytes_per_second;
  for (const Slow& slow : registry.slow) capacity = std::min(capacity, slow.bytes_per_second);
  // Every in-cluster and external registry has a link of its own, so that it can be slowed while bytes flow.
  if (registry.egress.value == UINT32_MAX) registry.egress = network_.bandwidth().add_link(capacity);
  else network_.bandwidth().set_capacity(registry.egress, capacity);
}

void Registries::set_missing(std::size_t index, const std::string& pattern, bool on) {
  auto& missing = registries_[index].missing;
  if (on) {
    missing.emplace_back(pattern, engine_.cause());
    return;
  }
  const auto found = std::find_if(missing.begin(), missing.end(), [&](const auto& entry) { return entry.first == pattern; });
  if (found != missing.end()) missing.erase(found);
}

// ---- asking ---------------------------------------------------------------------------------------------------------

std::size_t Registries::registry_for(const std::string& host) {
  if (const std::size_t found = find(host); found != SIZE_MAX) return found;
  // Nobody spoke of it: outside, and always there. Of the kind of `_default`, where that is given.
  RegistryConfig config;
  if (const std::size_t base = find(kDefaultHost); base != SIZE_MAX) config = registries_[base].config;
  config.host = host;  // and with its mirrors: the next node asks these first as well
  const std::size_t made = add(std::move(config));
  registries_[made].told_up = true;
  return made;
}

std::vector<std::size_t> Registries::sources(const Image& image) {
  std::vector<std::size_t> result;
  if (config_.peers != PeerMode::kNone) result.push_back(kPeers);
  std::size_t listed = find(image.reference.host);
  if (listed == SIZE_MAX) listed = find(kDefaultHost);
  if (listed != SIZE_MAX) {
    for (const std::string& mirror : registries_[listed].config.mirrors) result.push_back(registry_for(mirror));
  }
  result.push_back(registry_for(image.reference.host));
  return result;
}

host::HostId Registries::host_of(Ref<Pod> ref) const {
  const Pod* pod = api_.get(ref);
  return pod == nullptr ? host::HostId{} : kubelets_.host_of(pod->node);
}

Answer Registries::hop(const Registry& registry, std::size_t index, bool is_entry, host::HostId from, RandomStream& draws, Attempt& attempt,
                       Ref<Pod>& pod) const {
  const std::size_t service = registry.watched[index];
  const std::vector<ServiceWatch::Endpoint>& all = watch_.endpoints(service);
  if (all.empty()) {
    attempt.cause = watch_.cause(service);
    return is_entry ? Answer::kRefused : Answer::kServerError;
  }
  // kube-proxy takes any of those that are listed, also one that has just died.
  const std::size_t chosen = all.size() == 1 ? 0 : static_cast<std::size_t>(draws.uniform_int(0, std::ssize(all) - 1));
  const ServiceWatch::Endpoint& endpoint = all[chosen];
  pod = endpoint.pod;
  const host::HostId host = host_of(pod);
  const bool reaches = host && hosts_.reachable(from, host);
  const bool waits = is_waiting_for_redis(registry, pod);
  if (reaches && endpoint.serves && !waits) return Answer::kOk;
  if (!host || (reaches && hosts_.is_running(host) && (waits || !kubelets_.is_really_running(pod)))) {
    const Pod* object = api_.get(pod);
    attempt.cause = waits ? registry.cause : object != nullptr && object->meta.cause ? object->meta.cause : watch_.cause(service);
    return is_entry ? Answer::kRefused : Answer::kServerError;
  }
  if (!reaches) {
    attempt.cause = hosts_.last_cause(hosts_.is_running(host) && hosts_.has_network(host) ? from : host);
    return Answer::kSilent;
  }
  attempt.cause = watch_.cause(service);
  return Answer::kHangs;
}

void Registries::fail(Attempt& attempt, Answer answer, const std::string& shown, const Image& image, bool is_mirror, std::string_view status) const {
  attempt.answer = answer;
  const ImageReference& reference = image.reference;
  const std::string url = fmt::format("https://{}/v2/{}/manifests/{}{}", shown, reference.repository, reference.object,
                                      is_mirror ? fmt::format("?ns={}", reference.host) : std::string());
  const std::string port = shown.find(':') == std::string::npos ? shown + ":443" : shown;
  switch (answer) {
    case Answer::kOk: return;
    case Answer::kRefused: attempt.error = fmt::format("failed to do request: Head \"{}\": dial tcp {}: connect: connection refused", url, port); return;
    case Answer::kSilent: attempt.error = fmt::format("failed to do request: Head \"{}\": dial tcp {}: i/o timeout", url, port); return;
    case Answer::kHangs: attempt.error = fmt::format("failed to do request: Head \"{}\": context canceled", url); return;
    case Answer::kDenied:
      attempt.error = "pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials";
      return;
    case Answer::kNotFound: attempt.error = fmt::format("{}: not found", names().text(image.name)); return;
    case Answer::kTooMany: attempt.error = fmt::format("unexpected status from GET request to {}: 429 Too Many Requests", url); return;
    case Answer::kServerError:
      attempt.error = fmt::format("unexpected status from HEAD request to {}: {}", url, status.empty() ? "503 Service Unavailable" : status);
      return;
  }
}

bool Registries::is_over_limit(Registry& registry) {
  if (!registry.config.rate_limit) return false;
  const RateLimit& limit = *registry.config.rate_limit;
  while (!registry.pulls.empty() && engine_.now() - registry.pulls.front() >= limit.per) registry.pulls.pop_front();
  if (std::ssize(registry.pulls) < limit.pulls) {
    registry.told_limited = false;
    registry.pulls.push_back(engine_.now());
    return false;
  }
  if (!std::exchange(registry.told_limited, true)) {
    registry.limited_cause = log_.record("RateLimited", "Registry/" + registry.config.host,
                                         fmt::format("{} pulls within {}: {} serves no more for now", limit.pulls, format_duration(limit.per), registry.config.host));
  }
  return true;
}

Attempt Registries::ask(std::size_t index, const std::string& shown, host::HostId node, std::string_view node_name, const Image& image,
                        std::uint32_t serial, bool with_content, bool is_mirror) {
  Registry& registry = registries_[index];
  RandomStream draws(random_.seed(), "registry/request", fmt::format("{} {}", registry.config.host, node_name), serial);
  Attempt attempt;
  attempt.route.registry = index;
  attempt.route.limit = registry.config.connection_bytes_per_second * static_cast<double>(policy_.max_concurrent_downloads);
  SimDuration latency = registry.config.latency;
  for (const Slow& slow : registry.slow) {
    if (slow.latency > latency) latency = slow.latency;
  }
  attempt.after = registry.config.latency_sigma > 0.0 ? draws.lognormal(latency, registry.config.latency_sigma) : latency;
  for (const Slow& slow : registry.slow) attempt.cause = slow.cause;

  const bool is_outside = registry.config.parts.empty();
  if (registry.config.kind == RegistryKind::kUnreachable || (is_outside && !hosts_.has_network(node))) {
    attempt.after = kDialTimeout;
    attempt.cause = hosts_.has_network(node) ? CauseId{} : hosts_.last_cause(node);
    fail(attempt, Answer::kSilent, shown, image, is_mirror);
    return attempt;
  }
  for (std::size_t i = 0; i < kFaults; ++i) {
    const auto found = registry.faults.find(fault_order(i));
    if (found == registry.faults.end() || found->second.empty()) continue;
    attempt.cause = registry.told_up ? found->second.back() : registry.cause;
    const Fault fault = found->first;
    if (fault == Fault::kDown) attempt.after = kDialTimeout;
    if (fault == Fault::kRefused) attempt.after = kRefusedAfter;
    fail(attempt,
         fault == Fault::kDown      ? Answer::kSilent
         : fault == Fault::kRefused ? Answer::kRefused
         : fault == Fault::kDenied  ? Answer::kDenied
                                    : Answer::kTooMany,
         shown, image, is_mirror);
    return attempt;
  }

  // Somebody needs it before it was ever there.
  if (!registry.told_up && !registry.told_down && is_observed(index)) tell_down(index);
  // Part after part, from the node inward; then the way back of the bytes.
  std::vector<Ref<Pod>> chain;      // that the bytes pass, from the outermost
  host::HostId from = node;
  host::HostId storage{};
  bool entry = true;
  for (std::size_t i = 0; i < registry.config.parts.size(); ++i) {
    const Part part = registry.config.parts[i].part;
    if (part == Part::kRedis) continue;
    Ref<Pod> pod{};
    const Answer answer = hop(registry, i, entry, from, draws, attempt, pod);
    if (answer != Answer::kOk) {
      // Down as a whole: that is what people call it. Otherwise this one endpoint.
      if (!registry.told_up && registry.cause) attempt.cause = registry.cause;
      std::string_view status;
      Answer told = answer;
      if (!entry && answer == Answer::kSilent) {
        told = Answer::kServerError;
        attempt.after = kDialTimeout;
        status = "504 Gateway Timeout";
      } else if (answer == Answer::kSilent) {
        attempt.after = kDialTimeout;
      } else if (answer == Answer::kRefused) {
        attempt.after = kRefusedAfter;
      } else if (answer == Answer::kHangs) {
        attempt.after = policy_.image_pull_progress_timeout;
      } else if (part == Part::kDatabase || part == Part::kStorage) {
        status = "500 Internal Server Error";
      } else if (part == Part::kRegistry) {
        status = "502 Bad Gateway";
      }
      fail(attempt, told, shown, image, is_mirror, status);
      return attempt;
    }
    attempt.route.pods.push_back(pod);
    if (part == Part::kDatabase) continue;  // asked by core; carries no bytes
    if (part == Part::kStorage) storage = host_of(pod);
    else chain.push_back(pod);
    from = host_of(pod);
    entry = false;
  }

  // Does it have the image?
  const std::string& name = names().text(image.name);
  for (const auto& [pattern, cause] : registry.missing) {
    if (!matches_pattern(pattern, name)) continue;
    attempt.cause = cause;
    fail(attempt, Answer::kNotFound, shown, image, is_mirror);
    return attempt;
  }
  if (registry.config.images) {
    const auto& patterns = *registry.config.images;
    if (std::none_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) { return matches_pattern(pattern, name); })) {
      fail(attempt, Answer::kNotFound, shown, image, is_mirror);
      return attempt;
    }
  }
  // Redirected blobs take the short way from the storage; all others come back through every part.
  host::HostId to = node;
  if (registry.config.redirects && storage) {
    network_.add_path(storage, node, attempt.route.links);
  } else {
    for (const Ref<Pod> pod : chain) {
      const host::HostId at = host_of(pod);
      network_.add_path(at, to, attempt.route.links);
      to = at;
    }
    if (storage) network_.add_path(storage, to, attempt.route.links);
  }
  if (is_outside) network_.add_path_from_outside(node, attempt.route.links);
  attempt.route.links.push_back(registry.egress);
  if (registry.storage.value != UINT32_MAX) attempt.route.links.push_back(registry.storage);

  if (!registry.config.upstream.empty() && !registry.cached.contains(image.name)) {
    const auto& patterns = registry.config.cached;
    const bool preset = std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) { return matches_pattern(pattern, name); });
    if (!preset) {
      const std::size_t upstream = registry_for(registry.config.upstream);
      const host::HostId at = chain.empty() ? node : host_of(chain.back());
      Attempt beyond = ask(upstream, registries_[upstream].shown, at, fmt::format("{} for {}", registry.config.host, node_name), image, serial, with_content, false);
      attempt.after += beyond.after;
      if (beyond.answer != Answer::kOk) {
        attempt.cause = beyond.cause;
        const bool passes = beyond.answer == Answer::kNotFound || beyond.answer == Answer::kTooMany;
        fail(attempt, passes ? beyond.answer : Answer::kServerError, shown, image, is_mirror, "502 Bad Gateway");
        return attempt;
      }
      attempt.route.links.insert(attempt.route.links.end(), beyond.route.links.begin(), beyond.route.links.end());
    }
    registry.cached.insert(image.name);
  }
  network::Network::make_unique(attempt.route.links);
  if (with_content && is_over_limit(registry)) {
    attempt.cause = registry.limited_cause;
    fail(attempt, Answer::kTooMany, shown, image, is_mirror);
  }
  return attempt;
}

Attempt Registries::ask_peers(const NodeStore& node, const Image& image, std::uint32_t serial) {
  Attempt attempt;
  attempt.after = kPeerLookup;
  attempt.answer = Answer::kNotFound;
  RandomStream draws(random_.seed(), "registry/peer", names().text(node.name()), serial);
  if (const auto found = holders_.find(image.name); found != holders_.end() && !found->second.empty()) {
    const std::vector<std::uint32_t>& all = found->second;
    for (std::uint32_t i = 0; i < kPeerTries; ++i) {
      const std::uint32_t peer = all[static_cast<std::size_t>(draws.uniform_int(0, std::ssize(all) - 1))];
      if (peer == node.number() || !hosts_.reachable(stores_[peer]->host(), node.host())) continue;
      attempt.answer = Answer::kOk;
      attempt.route.peer = peer;
      network_.add_path(stores_[peer]->host(), node.host(), attempt.route.links);
      return attempt;
    }
  }
  if (config_.peers == PeerMode::kPieces && has_seed(node, image.name)) {
    // Every byte that a peer gets another one sends: on average each sends as much as it gets.
    attempt.answer = Answer::kOk;
    attempt.route.from_pieces = true;
    network_.add_both_ways(node.host(), attempt.route.links);
  }
  return attempt;
}

Attempt Registries::attempt(std::size_t source, const NodeStore& node, const Image& image, std::uint32_t serial, bool with_content) {
  if (source == kPeers) return ask_peers(node, image, serial);
  const bool is_mirror = registries_[source].config.host != image.reference.host;
  return ask(source, registries_[source].shown, node.host(), names().text(node.name()), image, serial, with_content, is_mirror);
}

// ---- while bytes flow -----------------------------------------------------------------------------------------------

RouteState Registries::state(const Route& route, const NodeStore& node) const {
  if (!hosts_.is_running(node.host())) return RouteState::kBroken;
  if (route.from_pieces) return RouteState::kOpen;
  if (route.peer != UINT32_MAX) {
    const host::HostId peer = stores_[route.peer]->host();
    return hosts_.reachable(peer, node.host()) ? RouteState::kOpen : RouteState::kStalled;
  }
  const Registry& registry = registries_[route.registry];
  if (registry.config.parts.empty() && !hosts_.has_network(node.host())) return RouteState::kStalled;
  const auto has = [&](Fault fault) {
    const auto found = registry.faults.find(fault);
    return found != registry.faults.end() && !found->second.empty();
  };
  if (has(Fault::kDown)) return RouteState::kStalled;
  if (has(Fault::kRefused)) return RouteState::kBroken;
  RouteState worst = RouteState::kOpen;
  for (const Ref<Pod> pod : route.pods) {
    const host::HostId host = host_of(pod);
    if (!host) return RouteState::kBroken;
    if (hosts_.reachable(host, node.host())) {
      if (kubelets_.is_serving(pod)) continue;
      if (!kubelets_.is_really_running(pod)) return RouteState::kBroken;
    }
    worst = RouteState::kStalled;
  }
  return worst;
}

CauseId Registries::cause_of(const Route& route, const NodeStore& node) const {
  if (!hosts_.has_network(node.host())) return hosts_.last_cause(node.host());
  if (route.peer != UINT32_MAX) return hosts_.last_cause(stores_[route.peer]->host());
  if (route.registry == SIZE_MAX) return {};
  const Registry& registry = registries_[route.registry];
  if (!registry.told_up) return registry.cause;
  for (const Ref<Pod> pod : route.pods) {
    const host::HostId host = host_of(pod);
    if (host && !hosts_.reachable(host, node.host())) return hosts_.last_cause(host);
    const Pod* object = api_.get(pod);
    if (object != nullptr && !kubelets_.is_serving(pod) && object->meta.cause) return object->meta.cause;
  }
  return {};
}

void Registries::pulled(const NodeStore&, const Route& route, SimDuration took, std::int64_t bytes) {
  const auto count = [&](PullCounts& counts) {
    ++counts.pulled;
    counts.longest = std::max(counts.longest, took);
    counts.bytes += static_cast<std::uint64_t>(bytes);
  };
  count(counts_);
  if (route.registry != SIZE_MAX) count(registries_[route.registry].counts);
  pulls_.push_back(PullEnd{engine_.now(), took, route.registry != SIZE_MAX ? route.registry : kPeers, true, engine_.cause()});
}

void Registries::failed(std::size_t source, SimDuration took, CauseId cause) {
  ++counts_.failed;
  if (source < registries_.size()) ++registries_[source].counts.failed;
  pulls_.push_back(PullEnd{engine_.now(), took, source, false, cause ? cause : engine_.cause()});
}

void Registries::holds(const NodeStore& node, Symbol image, bool has) {
  if (config_.peers == PeerMode::kNone) return;
  std::vector<std::uint32_t>& all = holders_[image];
  if (has) all.push_back(node.number());
  else std::erase(all, node.number());
}

void Registries::pulls_pieces(const NodeStore& node, Symbol image, bool on) {
  if (config_.peers != PeerMode::kPieces) return;
  std::set<std::uint32_t>& all = seeds_[image];
  if (on) {
    all.insert(node.number());
    return;
  }
  if (all.erase(node.number()) == 0 || !all.empty()) return;
  for (NodeStore* store : stores_) store->seed_ended(image);
}

bool Registries::has_seed(const NodeStore& except, Symbol image) const {
  const auto found = seeds_.find(image);
  return found != seeds_.end() && (found->second.size() > 1 || (found->second.size() == 1 && *found->second.begin() != except.number()));
}

}  // namespace sim::registry
