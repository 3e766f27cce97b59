#include "sim/cli/query_command.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "chaos/harness.hpp"
#include "chaos/mesh/cluster.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/views.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/scenario.hpp"

namespace cli {

namespace {

struct Arguments {
  std::string file;
  std::string at;
  std::vector<std::string> words;
  std::vector<std::string> overrides;
  std::optional<std::uint64_t> seed;
  std::string name_space;
  std::string format = "text";
  bool dash_s = false;
};

int wrong(const std::string& what) {
  std::fputs(("squall: " + what + "\n").c_str(), stderr);
  return kWrongInput;
}

int query(const Arguments& arguments) {
  const LoadedScenario loaded = load_scenario(arguments.file, arguments.overrides, true);
  if (loaded.spec == nullptr) return kWrongInput;
  if (const std::string problem = view_problem(arguments.words, loaded.spec->ceph.has_value(), loaded.spec->monitoring.has_value()); !problem.empty()) return wrong(problem);
  chaos::RunOptions options;
  options.stop = &stop_on_interrupt();
  options.until = arguments.at.empty() ? loaded.until : sim::SimTime(*sim::parse_duration(arguments.at));
  const chaos::RunOutcome outcome = chaos::run_scenario(*loaded.spec, arguments.seed.value_or(loaded.seed), options);
  if (outcome.end == sim::RunEnd::kStopped) return kInterrupted;
  const View shown = view_of(*outcome.world, loaded.spec->run.start_unix_seconds, arguments.words, arguments.name_space, chaos::chaos_objects(outcome), arguments.format == "json");
  std::fputs(shown.note.c_str(), stderr);
  std::fwrite(shown.text.data(), 1, shown.text.size(), stdout);
  return kOk;
}

}  // namespace

void add_query_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("query", "Runs a scenario up to an instant and shows it in the words of kubectl and ceph");
  command->add_option("scenario", arguments->file, "Scenario file")->required();
  command->add_option("what", arguments->words,
                      "pods, nodes, deployments, events, ... or: ceph status, ceph osd tree, ... or: platform, members, operations, vms, or: chaos (resources of Chaos Mesh), or: metrics, rules, alerts, notifications, or: priority-levels, api-requests (priority and fairness), or: top nodes, top pods, free, df")
      ->required();
  command->add_option("--at", arguments->at, "The instant, as time since the start: 90s, 2h30m (default: the end of the run)")
      ->check([](const std::string& text) {
        const auto span = sim::parse_duration(text);
        return span && *span >= sim::SimDuration::zero() ? std::string() : "'" + text + "' is no time since the start (like 90s or 2h30m)";
      });
  command->add_option("--seed", arguments->seed, "Seed of the run (default: run.seed of the scenario)");
  command->add_option("--set", arguments->overrides, "Overrides a value: path=value (may be repeated)")->take_all()->expected(1)->allow_extra_args(false);
  command->add_option("-n,--namespace", arguments->name_space, "Only this namespace (default: all)");
  command->add_option("--format", arguments->format, "text for people, json for programs")->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  command->footer("Example: squall query scenarios/incident-2-colocated.yaml --at 3h ceph status");
  command->add_flag("-s", arguments->dash_s, "After ceph: its status, as `ceph -s`");
  command->callback([arguments, &exit_code] {
    if (arguments->dash_s) arguments->words.emplace_back("-s");
    exit_code = query(*arguments);
  });
}

}  // namespace cli
