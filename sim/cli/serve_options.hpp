/// Options that serve and loop share: where the API is offered and how the clocks are coupled.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/cli/load.hpp"
#include "sim/loop/session/session.hpp"

namespace CLI {
class App;
}

namespace cli {

struct ServeFlags {
  std::string listen = "127.0.0.1:0";
  std::string coupling = "paced";
  double speed = 1.0;
  std::string settle = "200ms";
  std::string start;  // empty: as the coupling has it
  bool virtual_time = false;  // of loop
  std::string kubeconfig;
  std::vector<std::string> overrides;
  std::optional<std::uint64_t> seed;
  bool quiet = false;
};
/// Adds --listen, --kubeconfig, --coupling, --speed, --settle, --start, --seed, --set and --quiet.
void add_serve_flags(CLI::App& command, ServeFlags& flags);

/// What a command starts from: the scenario with its start of time, and the session's options. Empty when something is wrong (told already).
struct Prepared {
  LoadedScenario loaded;
  std::shared_ptr<sim::scenario::ScenarioSpec> spec;
  sim::loop::SessionOptions session;
};
std::optional<Prepared> prepare_session(const std::string& scenario, const ServeFlags& flags);

}  // namespace cli
