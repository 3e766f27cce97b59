#include "sim/cli/serve_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "sim/cli/run_options.hpp"
#include "sim/scenario/scenario.hpp"

namespace cli {

namespace {

/// "127.0.0.1:8443", "[::1]:0"
bool split_address(const std::string& text, std::string& address, std::uint16_t& port) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return false;
  address = text.substr(0, colon);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') address = address.substr(1, address.size() - 2);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number > 65535 || address.empty()) return false;
  port = static_cast<std::uint16_t>(number);
  return true;
}

}  // namespace

void add_serve_flags(CLI::App& command, ServeFlags& flags) {
  const auto is_address = [](const std::string& text) {
    std::string address;
    std::uint16_t port = 0;
    return split_address(text, address, port) ? std::string() : "'" + text + "' is no address with a port, like 127.0.0.1:0 (0: any free port)";
  };
  const auto is_duration = [](const std::string& text) {
    const auto span = sim::parse_duration(text);
    return span && *span > sim::SimDuration::zero() ? std::string() : "'" + text + "' is no duration above zero (like 200ms)";
  };
  command.add_option("--listen", flags.listen, "Address and port of the API; port 0 takes a free one (default: 127.0.0.1:0)")->check(is_address)->option_text("ADDR:PORT");
  command.add_option("--coupling", flags.coupling, "paced: the simulated clock follows the wall clock (the default); quiescent: it jumps on when no client is busy")
      ->check(CLI::IsMember({"paced", "quiescent"}))
      ->option_text("paced|quiescent");
  command.add_option("--speed", flags.speed, "Simulated seconds per second of the wall clock, in paced coupling; timers of real controllers are right at 1 only (default: 1)")
      ->check(CLI::Range(0.001, 100'000.0))
      ->option_text("FACTOR");
  command.add_option("--settle", flags.settle, "Silence after which the clock jumps on, in quiescent coupling (default: 200ms)")->check(is_duration)->option_text("TIME");
  command.add_option("--start", flags.start,
                     "Wall-clock time of the simulated start: now, so that clients' clocks agree (the default), or scenario, the scenario's own (the default in virtual time)")
      ->check(CLI::IsMember({"now", "scenario"}))
      ->option_text("now|scenario");
  command.add_option("--seed", flags.seed, "Seed of the run (default: run.seed of the scenario)")->check(is_seed)->option_text("N");
  add_overrides(command, flags.overrides);
  command.add_flag("-q,--quiet", flags.quiet, "No progress and no warnings");
}

std::optional<Prepared> prepare_session(const std::string& scenario, const ServeFlags& flags) {
  Prepared prepared;
  prepared.loaded = load_scenario(scenario, flags.overrides, flags.quiet, ControlLoops::kModelOrExternal);
  if (prepared.loaded.spec == nullptr) return std::nullopt;
  prepared.spec = std::make_shared<sim::scenario::ScenarioSpec>(*prepared.loaded.spec);
  if (flags.start == "now" || (flags.start.empty() && !flags.virtual_time)) {
    prepared.spec->run.start_unix_seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
  sim::loop::SessionOptions& session = prepared.session;
  split_address(flags.listen, session.address, session.port);
  session.coupling = flags.virtual_time ? sim::loop::Coupling::kVirtual : flags.coupling == "paced" ? sim::loop::Coupling::kPaced : sim::loop::Coupling::kQuiescent;
  session.speed = flags.speed;
  session.settle = std::chrono::duration_cast<std::chrono::milliseconds>(*sim::parse_duration(flags.settle));
  session.epoch_seconds = prepared.spec->run.start_unix_seconds;
  session.external_controllers = prepared.spec->control_plane.controller_manager == sim::k8s::ControlPlaneConfig::Worker::kExternal;
  return prepared;
}

}  // namespace cli
