#include "sim/loop/session/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "sim/core/hash.hpp"
#include "sim/loop/session/object_log.hpp"
#include "sim/loop/session/session_impl.hpp"

namespace sim::loop {

const char* to_string(Coupling coupling) {
  switch (coupling) {
    case Coupling::kPaced: return "paced";
    case Coupling::kQuiescent: return "quiescent";
    case Coupling::kVirtual: return "virtual";
  }
  return "";
}

namespace {

// All of virtual time.
constexpr std::chrono::seconds kBookmarkEvery{60};
constexpr std::chrono::seconds kLeaseEvery{10};
constexpr std::chrono::minutes kSweepEvery{1};
constexpr std::int64_t kEventTtlSeconds = 3600;

std::vector<std::string> certificate_names(const std::string& address) {
  std::vector<std::string> names = {"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "127.0.0.1"};
  if (std::find(names.begin(), names.end(), address) == names.end() && address != "0.0.0.0" && address != "::") names.push_back(address);
  return names;
}

std::string client_name(const Request& request) {
  const std::string agent = request.user_agent.substr(0, request.user_agent.find('/'));
  return agent.empty() ? request.user : agent;
}

/// Over moment, method, URI and body.
std::uint64_t hash_of(const Request& request, SimTime when, std::uint64_t hash) {
  const std::int64_t nanoseconds = when.time_since_epoch().count();
  std::array<char, sizeof nanoseconds> bytes{};
  std::memcpy(bytes.data(), &nanoseconds, sizeof nanoseconds);
  hash = fnv1a(std::string_view(bytes.data(), bytes.size()), hash);
  for (const std::string_view part : {std::string_view(request.method), std::string_view(request.path), std::string_view(request.body)}) hash = fnv1a(part, fnv1a("\n", hash));
  for (const auto& [name, value] : request.query) hash = fnv1a(value, fnv1a("=", fnv1a(name, fnv1a("&", hash))));
  return hash;
}

std::string line_of(const Request& request, SimTime when) {
  std::string uri = request.path;
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    uri += fmt::format("{}{}={}", separator, name, value);
    separator = '&';
  }
  return fmt::format("{:.9f} {} {} {} {} {:016x}", seconds(when), client_name(request), request.method, uri, request.body.size(), fnv1a(request.body));
}

}  // namespace

Session::Impl::Impl(World& w, SessionOptions o)
    : world(w),
      options(o),
      certificates(make_certificates(certificate_names(o.address), o.epoch_seconds, o.coupling == Coupling::kVirtual ? std::optional(o.seed) : std::nullopt)),
      store(Bridge::numbers(w, o.epoch_seconds * 1'000'000'000)),
      bridge(w, store, {o.epoch_seconds * 1'000'000'000, o.external_controllers}),
      api(store, api_options(), &bridge),
      server(server_options()) {
  users[admin_token] = {"kubernetes-admin", {"system:masters", "system:authenticated"}};
  api.add_built_in_objects();
}

ApiOptions Session::Impl::api_options() {
  ApiOptions result;
  result.external_controllers = options.external_controllers;
  result.ca_certificate = certificates.ca;
  result.issue_token = [this](std::string_view user) {
    const std::string token = random_token();
    users[token] = {std::string(user), {"system:serviceaccounts", "system:authenticated"}};
    return token;
  };
  result.user_of_token = [this](std::string_view token) {
    const auto found = users.find(token);
    return found == users.end() ? std::string() : found->second.name;
  };
  return result;
}
ServerOptions Session::Impl::server_options() const {
  ServerOptions result;
  result.address = options.address;
  result.port = options.port;
  result.certificates = certificates;
  if (options.coupling == Coupling::kVirtual) {
    result.own_thread = false;
    constexpr std::uint16_t kFirstPort = 16443;
    result.first_port = kFirstPort;
    // Its clients' clock is not the wall's.
    result.idle_max = std::chrono::hours(24 * 365);
    result.handshake_max = result.idle_max;
  }
  return result;
}

void Session::Impl::handle(std::vector<Server::Incoming> requests) {
  for (Server::Incoming& incoming : requests) handle(incoming);
}

void Session::Impl::handle(Server::Incoming& incoming) {
  if (incoming.closed) {
    watches.erase(incoming.id);
    return;
  }
  ++statistics.requests;
  Request& request = incoming.request;
  statistics.request_hash = hash_of(request, world.engine.now(), statistics.request_hash);
  if (tell_request) tell_request(line_of(request, world.engine.now()));
  const bool open = request.path == "/healthz" || request.path == "/livez" || request.path == "/readyz" || request.path == "/version";
  const auto user = users.find(incoming.token);
  if (user == users.end() && !open) {
    Response response;
    response.code = 401;
    unauthorized().status.write(response.body);
    ++statistics.refused;
    server.answer(incoming.id, std::move(response));
    return;
  }
  if (user != users.end()) {
    request.user = user->second.name;
    request.groups = user->second.groups;
  }
  if (request.path.find("/leases") != std::string::npos) bridge.refresh_leases();
  bridge.set_client(client_name(request));
  if (request.method != "GET" && request.method != "HEAD") ++statistics.writes;
  Response response = api.handle(request);
  if (response.code >= 400) ++statistics.refused;
  if (!response.is_stream) {
    server.answer(incoming.id, std::move(response));
    return;
  }
  ++statistics.watches;
  watch_ends.emplace(world.engine.now() + std::chrono::seconds(std::max<std::int64_t>(0, response.timeout_seconds)), incoming.id);
  std::unique_ptr<WatchSession> watch = std::move(response.watch);
  const std::uint64_t id = incoming.id;
  server.answer(id, std::move(response));
  watch->connect([this, id](std::string frame) {
    ++frames_sent;
    server.send(id, std::move(frame));
  });
  watches[id] = std::move(watch);
}

bool Session::Impl::leases_are_watched() {
  const Collection* leases = store.find_collection("coordination.k8s.io", "leases");
  return leases != nullptr && leases->watcher_count() > 0;
}

void Session::Impl::upkeep() {
  const SimTime now = world.engine.now();
  while (!watch_ends.empty() && watch_ends.begin()->first <= now) {
    server.finish(watch_ends.begin()->second);
    watch_ends.erase(watch_ends.begin());
  }
  if (now >= next_bookmark) {
    next_bookmark = now + kBookmarkEvery;
    for (const auto& [id, watch] : watches) watch->bookmark();
  }
  if (now >= next_lease && leases_are_watched()) {
    next_lease = now + kLeaseEvery;
    bridge.refresh_leases();
  }
  if (now >= next_event_sweep) {
    next_event_sweep = now + kSweepEvery;
    sweep_events();
  }
}

/// Events live for an hour.
void Session::Impl::sweep_events() {
  Collection* events = store.find_collection("", "events");
  if (events == nullptr) return;
  const std::int64_t oldest = store.now_nanoseconds() - kEventTtlSeconds * 1'000'000'000;
  std::vector<Document> old;
  for (const auto& [key, event] : events->objects()) {
    const std::optional<std::int64_t> made = parse_rfc3339(event->at({"metadata", "creationTimestamp"}).text());
    if (made && *made < oldest) old.push_back(event);
  }
  for (const Document& event : old) {
    Document result;
    bool gone = false;
    store.remove(events->resource(), event, {}, false, result, gone);
  }
}

SimTime Session::Impl::next_time() {
  const SimTime now = world.engine.now();
  SimTime next = world.engine.next_event_time();
  if (leases_are_watched()) next = std::min(next, std::max(next_lease, now));
  if (!watches.empty()) next = std::min(next, std::max(next_bookmark, now));
  if (!watch_ends.empty()) next = std::min(next, std::max(watch_ends.begin()->first, now));
  return next;
}

VirtualClock Session::Impl::clock_at(SimTime when) const {
  constexpr std::int64_t kUptime = 1'000'000'000'000;  // a machine that has run for a while: programs take differences of small times
  const std::int64_t now = when.time_since_epoch().count();
  return {options.epoch_seconds * 1'000'000'000 + now, kUptime + now};
}

std::optional<RunEnd> Session::Impl::asked_to_end(const RunHooks& hooks) {
  if (hooks.stop != nullptr && hooks.stop->load(std::memory_order_relaxed)) return RunEnd::kStopped;
  if (hooks.enough && hooks.enough()) return RunEnd::kRequested;
  if (hooks.progress) hooks.progress(world.engine.now());
  return std::nullopt;
}

Session::Session(World& world, SessionOptions options) : impl_(std::make_unique<Impl>(world, options)) {}
Session::~Session() {
  impl_->server.stop();
  impl_->watches.clear();
}

std::string Session::start() {
  std::string error = impl_->server.start();
  if (error.empty()) impl_->api.set_host(fmt::format("{}:{}", impl_->options.address, impl_->server.port()));
  return error;
}

std::string Session::url() const {
  const bool v6 = impl_->options.address.find(':') != std::string::npos;
  const std::string host = impl_->options.address == "0.0.0.0" ? "127.0.0.1" : impl_->options.address;
  return fmt::format("https://{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", impl_->server.port());
}

std::uint16_t Session::port() const { return impl_->server.port(); }

std::string Session::ca_certificate() const { return impl_->certificates.ca; }

std::string Session::kubeconfig() const {
  return fmt::format(
      "apiVersion: v1\nkind: Config\nclusters:\n- name: squall\n  cluster:\n    server: {}\n    certificate-authority-data: {}\ncontexts:\n- name: squall\n  context:\n    cluster: squall\n"
      "    user: squall-admin\ncurrent-context: squall\nusers:\n- name: squall-admin\n  user:\n    token: {}\n",
      url(), base64(impl_->certificates.ca), impl_->admin_token);
}

const SessionStatistics& Session::statistics() const { return impl_->statistics; }

const std::string& Session::failure() const { return impl_->failure; }

VirtualClock Session::clock_at(SimTime when) const { return impl_->clock_at(when); }

RunEnd Session::run(SimTime until, const RunHooks& hooks) {
  impl_->tell_request = hooks.request;
  std::optional<ObjectLog> object_log;
  if (hooks.object) object_log.emplace(impl_->store, [this] { return impl_->world.engine.now(); }, hooks.object);
  switch (impl_->options.coupling) {
    case Coupling::kPaced: return impl_->run_paced(until, hooks);
    case Coupling::kQuiescent: return impl_->run_quiescent(until, hooks);
    case Coupling::kVirtual: return impl_->run_virtual(until, hooks);
  }
  return RunEnd::kStopped;
}

}  // namespace sim::loop
