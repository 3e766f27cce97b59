#include "sim/cli/serve_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "analysis/atomic_file.hpp"
#include "chaos/harness.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/serve_options.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/scenario.hpp"

namespace cli {

namespace {

struct Arguments {
  std::string scenario;
  ServeFlags flags;
  std::string until_text;
};

int serve(const Arguments& arguments) {
  std::optional<Prepared> prepared = prepare_session(arguments.scenario, arguments.flags);
  if (!prepared) return kWrongInput;
  const std::atomic<bool>& stop = stop_on_interrupt();
  const std::string kubeconfig = arguments.flags.kubeconfig.empty() ? "squall.kubeconfig" : arguments.flags.kubeconfig;
  int exit_code = kOk;
  chaos::RunOptions options;
  options.stop = &stop;
  options.keep_world = false;
  constexpr std::chrono::hours kForEver{24 * 365 * 100};
  options.until = arguments.until_text.empty() ? sim::SimTime(kForEver) : sim::SimTime(*sim::parse_duration(arguments.until_text));
  options.drive = [&](sim::World& world, sim::SimTime until) {
    sim::loop::Session session(world, prepared->session);
    std::string error = session.start();
    if (error.empty()) {
      error = analysis::write_whole_file(kubeconfig, session.kubeconfig());
      // It holds the administrator's token.
      std::error_code ignored;
      std::filesystem::permissions(kubeconfig, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ignored);
    }
    if (!error.empty()) {
      std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
      exit_code = kCannotWrite;
      return sim::RunEnd::kRequested;
    }
    const bool paced = prepared->session.coupling == sim::loop::Coupling::kPaced;
    std::fputs(fmt::format("serving {} at {}\ncoupling: {}{}\nkubeconfig: {}\n", prepared->loaded.name, session.url(), to_string(prepared->session.coupling),
                           paced ? fmt::format(", speed {}", prepared->session.speed) : std::string(), kubeconfig)
                   .c_str(),
               stdout);
    std::fflush(stdout);
    sim::loop::RunHooks hooks;
    hooks.stop = &stop;
    const sim::RunEnd end = session.run(until, hooks);
    const sim::loop::SessionStatistics& seen = session.statistics();
    if (!arguments.flags.quiet) {
      std::fputs(fmt::format("served {} requests ({} writes, {} watches, {} refused) over {} of simulated time\n", seen.requests, seen.writes, seen.watches, seen.refused,
                             sim::humanize(std::chrono::duration_cast<std::chrono::seconds>(world.engine.now().time_since_epoch())))
                     .c_str(),
                 stderr);
    }
    return end;
  };
  chaos::run_scenario(*prepared->spec, arguments.flags.seed.value_or(prepared->loaded.seed), options);
  return exit_code;
}

}  // namespace

void add_serve_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("serve", "Offers the API of a simulated cluster to kubectl, controllers and other real clients");
  command->add_option("scenario", arguments->scenario, "The scenario file; - reads standard input")->required()->option_text(" ");
  command->add_option("--kubeconfig", arguments->flags.kubeconfig, "Where the kubeconfig is written when the API is ready (default: squall.kubeconfig)")->option_text("FILE");
  const auto is_duration = [](const std::string& text) {
    const auto span = sim::parse_duration(text);
    return span && *span > sim::SimDuration::zero() ? std::string() : "'" + text + "' is no duration above zero (like 90s, 2h30m)";
  };
  command->add_option("--until", arguments->until_text, "How much simulated time to serve (default: until Ctrl-C)")->check(is_duration)->option_text("TIME");
  add_serve_flags(*command, arguments->flags);
  command->footer(
      "Faults of the scenario happen at their times; expectations are `squall loop`'s business. The kubeconfig holds an administrator's token: who has\n"
      "it may do everything, nobody else gets in. With controlPlane: {scheduler: external, controllerManager: external} Squall's own model steps aside.\n\n"
      "Example:  squall serve scenarios/serve-small.yaml --kubeconfig k &\n"
      "          kubectl --kubeconfig k get nodes");
  command->callback([arguments, &exit_code] { exit_code = serve(*arguments); });
}

}  // namespace cli
