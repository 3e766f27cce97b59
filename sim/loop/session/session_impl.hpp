/// What a Session is made of, for the three ways of coupling its clock (paced.cpp, quiescent.cpp, virtual_time.cpp).
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/loop/model/bridge.hpp"
#include "sim/loop/net/server.hpp"
#include "sim/loop/rest/api.hpp"
#include "sim/loop/session/session.hpp"
#include "sim/models/world.hpp"

namespace sim::loop {

struct Session::Impl {
  using Clock = std::chrono::steady_clock;

  Impl(World& w, SessionOptions o);
  ApiOptions api_options();
  ServerOptions server_options() const;

  /// What has come: requests are answered, watches begin and end.
  void handle(std::vector<Server::Incoming> requests);
  void handle(Server::Incoming& incoming);
  /// What the server does by itself: bookmarks, leases of kubelets, the end of watches and of old events.
  void upkeep();
  /// When something is to happen next, in the simulation or in upkeep().
  SimTime next_time();
  bool leases_are_watched();
  void sweep_events();
  /// Why to end before the time, if so.
  std::optional<RunEnd> asked_to_end(const RunHooks& hooks);

  VirtualClock clock_at(SimTime when) const;
  RunEnd run_paced(SimTime until, const RunHooks& hooks);
  RunEnd run_quiescent(SimTime until, const RunHooks& hooks);
  RunEnd run_virtual(SimTime until, const RunHooks& hooks);

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
  std::set<std::pair<SimTime, std::uint64_t>> watch_ends;
  SessionStatistics statistics;
  std::string failure;
  std::function<void(std::string)> tell_request;  // RunHooks::request
  std::uint64_t frames_sent = 0;
  SimTime next_bookmark{};
  SimTime next_lease{};
  SimTime next_event_sweep{};
};

}  // namespace sim::loop
