#include "sim/loop/session/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "sim/loop/model/bridge.hpp"
#include "sim/loop/net/server.hpp"
#include "sim/loop/rest/api.hpp"
#include "sim/models/world.hpp"

namespace sim::loop {

using Clock = std::chrono::steady_clock;

const char* to_string(Coupling coupling) { return coupling == Coupling::kPaced ? "paced" : "quiescent"; }

namespace {

constexpr std::chrono::seconds kBookmarkEvery{60};
constexpr std::chrono::seconds kLeaseEvery{10};  // of virtual time
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

}  // namespace

struct Session::Impl {
  Impl(World& w, SessionOptions o)
      : world(w),
        options(o),
        certificates(make_certificates(certificate_names(o.address))),
        store(Bridge::numbers(w, o.epoch_seconds * 1'000'000'000)),
        bridge(w, store, {o.epoch_seconds * 1'000'000'000, o.external_controllers}),
        api(store, api_options(), &bridge),
        server(server_options()) {
    users[admin_token] = {"kubernetes-admin", {"system:masters", "system:authenticated"}};
    api.add_built_in_objects();
  }

  ApiOptions api_options() {
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
  ServerOptions server_options() const {
    ServerOptions result;
    result.address = options.address;
    result.port = options.port;
    result.certificates = certificates;
    return result;
  }

  World& world;
  SessionOptions options;
  Certificates certificates;
  std::string admin_token = random_token();
  struct User {
    std::string name;
    std::vector<std::string> groups;
  };
  std::map<std::string, User, std::less<>> users;  // by token
  Store store;
  Bridge bridge;
  Api api;
  Server server;
  std::map<std::uint64_t, std::unique_ptr<WatchSession>> watches;  // by request
  SessionStatistics statistics;
  std::uint64_t frames_sent = 0;
  Clock::time_point next_bookmark = Clock::now() + kBookmarkEvery;
  SimTime next_lease{};
  SimTime next_event_sweep{};

  void handle(Server::Incoming& incoming) {
    if (incoming.closed) {
      watches.erase(incoming.id);
      return;
    }
    ++statistics.requests;
    Request& request = incoming.request;
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
    std::unique_ptr<WatchSession> watch = std::move(response.watch);
    const std::uint64_t id = incoming.id;
    server.answer(id, std::move(response));
    watch->connect([this, id](std::string frame) {
      ++frames_sent;
      server.send(id, std::move(frame));
    });
    watches[id] = std::move(watch);
  }

  bool leases_are_watched() {
    const Collection* leases = store.find_collection("coordination.k8s.io", "leases");
    return leases != nullptr && leases->watcher_count() > 0;
  }

  void upkeep() {
    if (Clock::now() >= next_bookmark) {
      next_bookmark = Clock::now() + kBookmarkEvery;
      for (const auto& [id, watch] : watches) watch->bookmark();
    }
    const SimTime now = world.engine.now();
    if (now >= next_lease && leases_are_watched()) {
      next_lease = now + kLeaseEvery;
      bridge.refresh_leases();
    }
    if (now >= next_event_sweep) {
      next_event_sweep = now + std::chrono::minutes(1);
      sweep_events();
    }
  }

  /// Events live for an hour.
  void sweep_events() {
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

  /// When something is to happen next, also here.
  SimTime next_time() {
    SimTime next = world.engine.next_event_time();
    if (leases_are_watched()) next = std::min(next, std::max(next_lease, world.engine.now()));
    return next;
  }
};

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

std::string Session::ca_certificate() const { return impl_->certificates.ca; }

std::string Session::kubeconfig() const {
  return fmt::format(
      "apiVersion: v1\nkind: Config\nclusters:\n- name: squall\n  cluster:\n    server: {}\n    certificate-authority-data: {}\ncontexts:\n- name: squall\n  context:\n    cluster: squall\n"
      "    user: squall-admin\ncurrent-context: squall\nusers:\n- name: squall-admin\n  user:\n    token: {}\n",
      url(), base64(impl_->certificates.ca), impl_->admin_token);
}

const SessionStatistics& Session::statistics() const { return impl_->statistics; }

RunEnd Session::run(SimTime until, const std::atomic<bool>* stop, const std::function<bool()>& enough, const std::function<void(SimTime)>& progress) {
  Impl& in = *impl_;
  Engine& engine = in.world.engine;
  const Clock::time_point began = Clock::now();
  const SimTime from = engine.now();
  Clock::time_point quiet_since = began;
  const auto paced_time = [&] {
    const double elapsed = std::chrono::duration<double>(Clock::now() - began).count() * in.options.speed;
    return std::min(until, from + SimDuration(static_cast<std::int64_t>(elapsed * 1e9)));
  };
  const auto wall_until = [&](SimTime when) {
    const double seconds = static_cast<double>((when - from).count()) / 1e9 / in.options.speed;
    return std::chrono::duration_cast<std::chrono::nanoseconds>(began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(std::min(seconds, 1e6))) - Clock::now());
  };
  constexpr std::chrono::nanoseconds kLongestWait = std::chrono::milliseconds(100);  // so that stop and enough are looked at
  for (;;) {
    if (stop != nullptr && stop->load(std::memory_order_relaxed)) return RunEnd::kStopped;
    if (enough && enough()) return RunEnd::kRequested;
    if (progress) progress(engine.now());
    std::chrono::nanoseconds wait = kLongestWait;
    if (in.options.coupling == Coupling::kPaced) {
      const SimTime target = paced_time();
      if (engine.now() < target) {
        const RunEnd end = engine.run_until(target, stop);
        if (end == RunEnd::kStopped || end == RunEnd::kRequested) return end;
      }
      in.statistics.behind_seconds_max = std::max(in.statistics.behind_seconds_max, static_cast<double>((paced_time() - engine.now()).count()) / 1e9);
      in.upkeep();
      if (engine.now() >= until) return RunEnd::kTimeLimit;
      const SimTime next = in.next_time();
      if (next < until) wait = std::clamp(wall_until(next), std::chrono::nanoseconds(0), kLongestWait);
      if (until < next) wait = std::clamp(wall_until(until), std::chrono::nanoseconds(0), kLongestWait);
    } else {
      in.upkeep();
      if (engine.now() >= until) return RunEnd::kTimeLimit;
      if (in.server.in_flight() > 0) quiet_since = Clock::now();
      if (Clock::now() - quiet_since >= in.options.settle) {
        const SimTime next = std::min(until, in.next_time());
        const std::uint64_t sent = in.frames_sent;
        const RunEnd end = engine.run_until(next, stop);
        if (end == RunEnd::kStopped || end == RunEnd::kRequested) return end;
        in.upkeep();
        // What that made the clients do comes first; when they were told nothing the next event may follow at once.
        if (in.frames_sent != sent) quiet_since = Clock::now();
        wait = std::chrono::nanoseconds(0);
      } else {
        wait = std::min<std::chrono::nanoseconds>(kLongestWait, in.options.settle / 4);
      }
    }
    std::vector<Server::Incoming> requests = in.server.take(wait);
    if (requests.empty()) continue;
    if (in.options.coupling == Coupling::kPaced) {
      // They came now, not when we fell asleep.
      const SimTime target = paced_time();
      if (engine.now() < target) engine.run_until(target, stop);
    }
    for (Server::Incoming& incoming : requests) in.handle(incoming);
    quiet_since = Clock::now();
  }
}

}  // namespace sim::loop
