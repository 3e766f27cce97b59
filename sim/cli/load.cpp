#include "sim/cli/load.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "sim/scenario/diagnostic.hpp"
#include "sim/scenario/printable.hpp"
#include "sim/scenario/scenario.hpp"

namespace cli {

LoadedScenario load_scenario(const std::string& file, const std::vector<std::string>& overrides, Telling telling, ControlLoops loops) {
  LoadedScenario loaded;
  loaded.file = sim::scenario::printable(file);
  sim::scenario::Diagnostics diagnostics;
  std::vector<sim::scenario::Override> parsed;
  for (const std::string& text : overrides) {
    if (auto one = sim::scenario::parse_override(text)) {
      parsed.push_back(std::move(*one));
    } else {
      sim::scenario::Diagnostic& wrong = diagnostics.error_in("--set " + text, "is no override");
      wrong.expected = "path=value, like pools.workers.count=96";
    }
  }
  std::shared_ptr<const sim::scenario::ScenarioSpec> spec;
  if (!diagnostics.has_errors()) spec = sim::scenario::read_scenario(file, parsed, diagnostics);
  using Worker = sim::k8s::ControlPlaneConfig::Worker;
  if (spec != nullptr && loops == ControlLoops::kModelOnly &&
      (spec->control_plane.scheduler == Worker::kExternal || spec->control_plane.controller_manager == Worker::kExternal)) {
    diagnostics.error(spec->place_of("controlPlane"), "a scheduler or controllerManager that is external takes part in squall serve and squall loop only").hint =
        "here: --set controlPlane.scheduler=model --set controlPlane.controllerManager=model";
  }
  if (spec != nullptr && !diagnostics.has_errors() && chaos::check_scenario(*spec, diagnostics)) {
    loaded.spec = spec;
    loaded.name = spec->metadata.name;
    loaded.description = spec->metadata.description;
    loaded.seed = spec->run.seed;
    loaded.until = sim::SimTime(spec->run.until);
  }
  loaded.warnings = diagnostics.warning_count();
  loaded.inputs = diagnostics.inputs();
  if (telling != Telling::kNothing && (diagnostics.has_errors() || telling == Telling::kAll)) diagnostics.print(stderr);
  if (loaded.spec == nullptr) {
    for (const sim::scenario::Diagnostic& diagnostic : diagnostics.sorted()) {
      if (diagnostic.severity != sim::scenario::Severity::kError) continue;
      loaded.error = diagnostic.line == 0 ? fmt::format("{}: {}", diagnostic.file, diagnostic.message)
                                          : fmt::format("{}:{}:{}: {}", diagnostic.file, diagnostic.line, diagnostic.column, diagnostic.message);
      break;
    }
  }
  return loaded;
}

bool is_scenario_file(const std::string& file) {
  sim::scenario::Diagnostics ignored;
  const auto document = sim::scenario::load_file(file, ignored);
  return document != nullptr && sim::scenario::is_scenario(*document);
}

}  // namespace cli
