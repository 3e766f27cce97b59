#include "sim/cli/validate_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "chaos/failures/failures.hpp"
#include "chaos/mesh/resource.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/run_options.hpp"

namespace cli {

namespace {

/// A file of Chaos Mesh's or LitmusChaos' own: its resources, without a world that they could be done to. Nothing: it is none.
std::optional<bool> validate_chaos_file(const std::string& file) {
  sim::scenario::Diagnostics ignored;
  const auto document = sim::scenario::load_file(file, ignored);
  if (document == nullptr || !chaos::mesh::is_chaos_file(*document)) return std::nullopt;
  sim::scenario::Diagnostics diagnostics;
  std::shared_ptr<const sim::scenario::Document> kept;
  const auto resources = chaos::mesh::read_file(file, kept, diagnostics);
  diagnostics.print(stderr);
  if (diagnostics.has_errors()) return false;
  for (const auto& resource : resources) std::fputs(fmt::format("{}: {} {}/{}: modelled: {}\n", file, resource->kind, resource->meta.ns, resource->meta.name, chaos::mesh::find_kind(resource->kind)->doc).c_str(), stdout);
  return true;
}

}  // namespace

void add_validate_command(CLI::App& app, int& exit_code) {
  struct Arguments {
    std::vector<std::string> files;
    std::vector<std::string> overrides;
    bool strict = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("validate", "Checks scenario files, and files of Chaos Mesh or LitmusChaos, without running them: every error with its place");
  command->add_option("scenario", arguments->files, "Scenario files; - reads standard input")->required()->option_text(" ");
  add_overrides(*command, arguments->overrides);
  command->add_flag("--strict", arguments->strict, "A warning (a circular dependency, a field that is not simulated) counts as an error");
  command->footer("Exit codes: 0 all are valid, 2 one is not.\n\nA resource of Chaos Mesh is held against a cluster when a scenario has it (kind: chaos-mesh).\n\nExamples: squall validate scenarios/*.yaml\n          squall validate chaos.yaml");
  command->callback([arguments, &exit_code] {
    for (const std::string& file : arguments->files) {
      if (const std::optional<bool> good = file == "-" ? std::nullopt : validate_chaos_file(file)) {
        if (*good) std::fputs(fmt::format("{}: valid\n", file).c_str(), stdout);
        else exit_code = kWrongInput;
        continue;
      }
      const LoadedScenario loaded = load_scenario(file, arguments->overrides, false);
      if (loaded.spec == nullptr) {
        exit_code = kWrongInput;
      } else if (arguments->strict && loaded.warnings > 0) {
        exit_code = kWrongInput;
        std::fputs(fmt::format("{}: {} warnings, and --strict takes them for errors\n", file, loaded.warnings).c_str(), stdout);
      } else {
        std::fputs(fmt::format("{}: valid\n", file).c_str(), stdout);
        for (const chaos::FailureForecast& one : chaos::failure_forecast(*loaded.spec)) {
          std::fputs(fmt::format("  failures.processes.{}: {} of {} components, {:.3g} a year to be expected ({}), repaired in {:.3g} h on average\n", one.process, one.what,
                                 one.components, one.per_year, one.law, one.repair_hours).c_str(), stdout);
        }
      }
    }
  });
}

}  // namespace cli
