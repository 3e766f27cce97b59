#include "sim/cli/plan_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "analysis/atomic_file.hpp"
#include "analysis/capacity_plan.hpp"
#include "analysis/capacity_plan_output.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/progress.hpp"
#include "sim/cli/run_options.hpp"
#include "sim/scenario/capacity_plan.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/yaml_text.hpp"

namespace cli {

namespace {

namespace scenario = sim::scenario;

struct Arguments {
  std::string file;
  std::vector<std::string> overrides;
  std::optional<std::uint64_t> seed;
  std::optional<std::int64_t> replications;
  std::size_t tests = analysis::PlanOptions{}.tests_max;
  bool no_runs = false;
  bool compact = false;
  std::size_t orders = analysis::CompactionOptions{}.orders;
  double pending = analysis::CompactionOptions{}.pending_share * 100.0;
  std::size_t jobs = 0;
  std::string output;
  std::string format = "text";
  bool quiet = false;
  std::size_t threads() const { return jobs != 0 ? jobs : std::max(1u, std::thread::hardware_concurrency()); }
};

int wrong(const std::string& what, const std::string& hint = {}) {
  std::fputs(fmt::format("squall plan: {}\n{}", what, hint.empty() ? "" : "  " + hint + "\n").c_str(), stderr);
  return kWrongInput;
}
int cannot_write(const std::string& error) {
  std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
  return kCannotWrite;
}

int compact(const Arguments& arguments) {
  const LoadedScenario loaded = load_scenario(arguments.file, arguments.overrides, arguments.quiet);
  if (loaded.spec == nullptr) return kWrongInput;
  analysis::CompactionOptions options;
  options.orders = arguments.orders;
  options.pending_share = arguments.pending / 100.0;
  options.first_seed = arguments.seed.value_or(loaded.seed);
  options.jobs = arguments.threads();
  options.stop = &stop_on_interrupt();
  Progress progress(arguments.quiet);
  std::mutex telling;
  options.progress = [&](double share, const std::string& text) {
    const std::lock_guard<std::mutex> lock(telling);
    progress.update(share, text);
  };
  const analysis::Compaction compaction = analysis::compact(*loaded.spec, options);
  progress.finish();
  const analysis::CompactionReport report{loaded.name, loaded.file, &compaction};
  const std::string json = analysis::compaction_json(report);
  std::fputs(arguments.format == "json" ? json.c_str() : analysis::compaction_text(report).c_str(), stdout);
  if (!arguments.output.empty()) {
    if (const std::string error = analysis::make_folder(arguments.output); !error.empty()) return cannot_write(error);
    if (const std::string error = analysis::write_whole_file(arguments.output + "/compaction.json", json); !error.empty()) return cannot_write(error);
  }
  if (!compaction.is_complete) return kInterrupted;
  return compaction.kept.empty() ? kExpectationFailed : kOk;
}

/// The scenario of a design as a file that extends the one that was planned.
std::string design_file(const Arguments& arguments, const std::string& base, const analysis::CapacityPlan& plan, const analysis::PlanDesign& design, const std::vector<std::string>& set) {
  std::string text = fmt::format("# {}: {}\n", analysis::design_name(plan, design), design.label);
  std::vector<std::string> all = arguments.overrides;
  all.insert(all.end(), set.begin(), set.end());
  for (const std::string& one : all) text += fmt::format("# run it with --set {}\n", scenario::yaml_quoted(one));
  text += fmt::format("extends: {}\nplan: null\n{}", scenario::yaml_quoted(base), plan.variants[design.variant].ground->yaml(design.counts));
  return text;
}

int plan(const Arguments& arguments) {
  const LoadedScenario loaded = load_scenario(arguments.file, arguments.overrides, arguments.quiet);
  if (loaded.spec == nullptr) return kWrongInput;
  const std::optional<scenario::CapacityPlanSpec> asked = scenario::capacity_plan(*loaded.spec);
  if (!asked) return wrong(fmt::format("{} has no section 'plan'", loaded.file), "docs/plan.md tells what stands in it; --compact needs none");
  // The instance types were read without error when the scenario was checked; a file may have changed since.
  scenario::Diagnostics diagnostics;
  std::vector<analysis::PlanInput> inputs;
  std::vector<std::vector<std::string>> sets;
  const auto add = [&](const std::string& name, const std::string& description, const std::shared_ptr<const scenario::ScenarioSpec>& spec, const scenario::CapacityPlanSpec& of) {
    analysis::PlanInput input{name, description, spec, of, {}};
    if (arguments.replications) input.plan.replications = *arguments.replications;
    if (of.instance_types) input.types = scenario::read_instance_types(*of.instance_types, spec->file, diagnostics);
    inputs.push_back(std::move(input));
  };
  if (asked->variants.empty()) {
    add("", "", loaded.spec, *asked);
    sets.emplace_back();
  }
  for (const scenario::PlanVariantSpec& variant : asked->variants) {
    std::vector<std::string> overrides = arguments.overrides;
    sets.emplace_back();
    for (const scenario::Reference& one : variant.set) {
      overrides.push_back(one.text);
      sets.back().push_back(one.text);
    }
    const LoadedScenario changed = load_scenario(arguments.file, overrides, Telling::kErrors);
    if (changed.spec == nullptr) return wrong(fmt::format("the variant '{}' of {} is no scenario any more", variant.name, loaded.file));
    const std::optional<scenario::CapacityPlanSpec> of = scenario::capacity_plan(*changed.spec);
    if (!of) return wrong(fmt::format("the variant '{}' of {} takes the section 'plan' away", variant.name, loaded.file));
    add(variant.name, variant.description, changed.spec, *of);
  }
  if (diagnostics.has_errors()) {
    diagnostics.print(stderr);
    return kWrongInput;
  }
  if (asked->availability || asked->longest_outage || asked->recovery) {
    for (const analysis::PlanInput& input : inputs) {
      if (!input.scenario->objects.services.empty() || input.scenario->ceph) continue;
      return wrong(fmt::format("{} has no v1 Service whose availability could be judged", loaded.file), "objectives of outages and availability are about Services");
    }
  }
  if (!arguments.output.empty()) {
    // Before the work, not after it.
    if (const std::string error = analysis::make_folder(arguments.output); !error.empty()) return cannot_write(error);
  }
  analysis::PlanOptions options;
  options.jobs = arguments.threads();
  options.first_seed = arguments.seed.value_or(loaded.seed);
  options.tests_max = arguments.tests;
  options.runs = !arguments.no_runs;
  options.stop = &stop_on_interrupt();
  Progress progress(arguments.quiet);
  options.progress = [&](double share, const std::string& text) { progress.update(share, text); };
  const analysis::CapacityPlan found = analysis::make_plan(inputs, options);
  progress.finish();
  analysis::PlanReport report{loaded.name, loaded.file, asked->unit, inputs.front().plan, asked->confidence, &found};
  if (!report.asked.horizon) report.asked.horizon = loaded.spec->run.until;
  const std::string json = analysis::plan_json(report);
  std::fputs(arguments.format == "json" ? json.c_str() : analysis::plan_text(report, use_colour(), terminal_width()).c_str(), stdout);
  if (!arguments.output.empty()) {
    if (const std::string error = analysis::remove_file(arguments.output + "/plan.json"); !error.empty()) return cannot_write(error);
    for (std::size_t d = 0; d < found.designs.size(); ++d) {
      // As seen from the folder in which it stands.
      std::error_code ignored;
      const std::filesystem::path seen = std::filesystem::relative(arguments.file, arguments.output, ignored);
      const std::string base = arguments.file == "-" ? "scenario.yaml" : seen.empty() ? arguments.file : seen.string();
      const std::string text = design_file(arguments, base, found, found.designs[d], sets[found.designs[d].variant]);
      if (const std::string error = analysis::write_whole_file(fmt::format("{}/design-{}.yaml", arguments.output, d + 1), text); !error.empty()) return cannot_write(error);
    }
    if (const std::string error = analysis::write_whole_file(arguments.output + "/report.html", analysis::plan_html(json)); !error.empty()) return cannot_write(error);
    if (const std::string error = analysis::write_whole_file(arguments.output + "/plan.json", json); !error.empty()) return cannot_write(error);
  }
  if (!found.is_complete) return kInterrupted;
  return found.chosen ? kOk : kExpectationFailed;
}

}  // namespace

void add_plan_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("plan", "The cheapest machines that carry the workload and stand what the scenario's section `plan` asks for");
  command->add_option("scenario", arguments->file, "Scenario file with a section plan; with --compact any, for example one that squall import made")->required()->option_text(" ");
  command->add_flag("--compact", arguments->compact, "Instead of a search: how many of the nodes that there are would do (taken away in random order, packed from scratch)");
  command->add_option("--orders", arguments->orders, "With --compact: random orders, 1 to 1000 (default: 11); the answer is their 90th percentile")->check(CLI::Range(1, 1000))->option_text("N");
  command->add_option("--pending", arguments->pending, "With --compact: this many percent of the pods may have no place (default: 0.2)")->check(CLI::Range(0.0, 50.0))->option_text("PERCENT");
  command->add_option("--replications", arguments->replications, "Runs of each design that stays in the race, 2 to 100000 (default: plan.replications)")->check(CLI::Range(std::int64_t{2}, std::int64_t{100'000}))->option_text("N");
  command->add_flag("--no-runs", arguments->no_runs, "Search and losses only, nothing is simulated");
  command->add_option("--tests", arguments->tests, "Placements that are tried at most for each variant (default: 2000)")->check(CLI::Range(std::size_t{1}, std::size_t{10'000'000}))->option_text("N");
  add_overrides(*command, arguments->overrides);
  command->add_option("--seed", arguments->seed, "Seed of the first run, and of the first order (default: run.seed of the scenario)")->check(is_seed)->option_text("N");
  command->add_option("-j,--jobs", arguments->jobs, "Threads, 1 to 1024 (default: one a processor); results do not depend on it")->check(CLI::Range(1, 1024))->option_text("N");
  command->add_option("-o,--output", arguments->output, "Folder for plan.json, report.html and a scenario file of each design")->option_text("DIR");
  command->add_option("--format", arguments->format, "text for people (the default), json for programs")->check(CLI::IsMember({"text", "json"}))->option_text("text|json");
  command->add_flag("-q,--quiet", arguments->quiet, "No progress and no warnings");
  command->footer("Exit codes: 0 a design meets everything, 1 none does, 2 the input is wrong, 130 interrupted (what was found is printed).\n\n"
                  "Examples: squall plan scenarios/plan-shop.yaml -o out\n"
                  "          squall plan scenarios/plan-shop.yaml --set plan.survive.zones=1 --set plan.mix=3 --no-runs\n"
                  "          squall plan cluster.yaml --compact");
  command->callback([arguments, command, &exit_code] {
    for (const char* name : {"--orders", "--pending"}) {
      if (command->count(name) > 0 && !arguments->compact) {
        exit_code = wrong(fmt::format("{} is for --compact", name));
        return;
      }
    }
    for (const char* name : {"--replications", "--no-runs", "--tests"}) {
      if (command->count(name) > 0 && arguments->compact) {
        exit_code = wrong(fmt::format("{} is for the search, and --compact searches nothing", name));
        return;
      }
    }
    exit_code = arguments->compact ? compact(*arguments) : plan(*arguments);
  });
}

}  // namespace cli
