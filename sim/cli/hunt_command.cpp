#include "sim/cli/hunt_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include "analysis/atomic_file.hpp"
#include "analysis/hunt_output.hpp"
#include "chaos/harness.hpp"
#include "chaos/hunt/finding_file.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/progress.hpp"
#include "sim/cli/run_options.hpp"
#include "sim/models/kubernetes/api/resources.hpp"
#include "sim/scenario/scenario.hpp"

namespace cli {

namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::string file;
  std::size_t faults = 2;
  std::vector<std::string> kinds;
  std::vector<std::string> elements;
  std::string from;
  std::string to;
  std::string time_budget;
  std::uint64_t tries = 0;
  std::optional<std::uint64_t> seed;
  std::size_t findings = 10;
  std::size_t seeds = 10;
  bool without_faults = false;
  bool survey_only = false;
  std::vector<std::string> overrides;
  std::size_t jobs = 0;
  std::string memory;
  std::string output;
  std::string format = "text";
  bool quiet = false;
};

int wrong(const std::string& what) {
  std::fputs(("squall hunt: " + what + "\n").c_str(), stderr);
  return kWrongInput;
}

std::optional<sim::SimDuration> span(const std::string& text) { return text.empty() ? std::nullopt : sim::parse_duration(text); }

/// A quoted word where the shell needs one.
std::string shell_word(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::isalnum(c) != 0 || std::string_view("-_./=,:@%+").find(static_cast<char>(c)) != std::string_view::npos; });
  if (plain) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// What to type to search the same again.
std::string command_of(const Arguments& arguments, std::uint64_t seed, std::uint64_t tries) {
  std::string out = fmt::format("squall hunt {} --faults {} --seed {} --tries {}", shell_word(arguments.file), arguments.faults, seed, tries);
  if (!arguments.kinds.empty()) out += fmt::format(" --kinds {}", fmt::join(arguments.kinds, ","));
  if (!arguments.elements.empty()) out += " --elements " + shell_word(fmt::format("{}", fmt::join(arguments.elements, ",")));
  if (!arguments.from.empty()) out += " --from " + arguments.from;
  if (!arguments.to.empty()) out += " --to " + arguments.to;
  if (arguments.without_faults) out += " --without-faults";
  for (const std::string& one : arguments.overrides) out += " --set " + shell_word(one);
  return out;
}

/// Empty when all words are known; else what is wrong with the first that is not.
std::string unknown_kind(const std::vector<std::string>& kinds) {
  const std::vector<std::string> known = chaos::hunt::known_kinds();
  const std::vector<std::string> rest = chaos::hunt::kinds_left_out();
  for (const std::string& kind : kinds) {
    if (std::find(known.begin(), known.end(), kind) != known.end()) continue;
    if (std::find(rest.begin(), rest.end(), kind) != rest.end()) return fmt::format("--kinds: faults of kind '{}' are not searched; there are: {}", kind, fmt::join(known, ", "));
    const std::string hint = sim::scenario::did_you_mean(kind, known);
    return fmt::format("--kinds: '{}' is no kind of fault{}; there are: {}", kind, hint.empty() ? std::string() : " (" + hint + ")", fmt::join(known, ", "));
  }
  return {};
}

/// Patterns of --elements that stand for nothing here.
std::string unknown_element(const Arguments& arguments, const chaos::hunt::Survey& survey, const sim::scenario::ScenarioSpec& spec, std::uint64_t seed) {
  for (const std::string& pattern : arguments.elements) {
    const bool any = std::any_of(survey.actions.begin(), survey.actions.end(), [&](const chaos::hunt::Action& action) {
      return chaos::hunt::matches(pattern, action.element) || (!action.node.empty() && chaos::hunt::matches(pattern, action.node));
    });
    if (any) continue;
    chaos::hunt::HuntOptions all;
    all.choice.kinds = arguments.kinds;
    all.seed = seed;
    chaos::hunt::Hunter hunter(spec, all);
    std::vector<std::string> names;
    for (const chaos::hunt::Action& action : hunter.survey().actions) {
      for (const std::string& name : {action.node, action.element}) {
        if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
      }
    }
    const std::string hint = sim::scenario::did_you_mean(pattern, names);
    if (names.size() > 12) {
      names.resize(12);
      names.emplace_back("...");
    }
    return fmt::format("--elements: nothing that can fail here is called '{}'{}; there are: {}", pattern, hint.empty() ? std::string() : " (" + hint + ")", fmt::join(names, ", "));
  }
  return {};
}

int hunt(const Arguments& arguments) {
  const std::atomic<bool>& interrupted = stop_on_interrupt();
  if (const std::string problem = unknown_kind(arguments.kinds); !problem.empty()) return wrong(problem);
  if (!arguments.time_budget.empty() && arguments.tries != 0) return wrong("--time-budget or --tries, not both: a number of tries takes the time that it takes");
  LoadedScenario loaded = load_scenario(arguments.file, arguments.overrides, arguments.quiet);
  if (loaded.spec == nullptr) return kWrongInput;
  std::shared_ptr<const sim::scenario::ScenarioSpec> spec = loaded.spec;
  for (const std::string& one : arguments.overrides) {
    if (const std::string problem = chaos::hunt::override_problem(one, *spec); !problem.empty() && !arguments.output.empty()) return wrong(problem);
  }
  analysis::HuntReport report;
  chaos::hunt::FindingContext context;
  if (arguments.without_faults) {
    const std::filesystem::path path(arguments.file);
    const std::string text = chaos::hunt::text_without_faults(*spec, path.filename().string(), report.expectations_out);
    context.without_own_faults = true;
    context.own_faults = chaos::hunt::names_of(spec->faults);
    context.expectations_out = report.expectations_out;
    sim::scenario::Diagnostics diagnostics;
    std::vector<sim::scenario::Override> overrides;
    for (const std::string& one : arguments.overrides) {
      if (one.starts_with("faults.")) continue;
      if (auto parsed = sim::scenario::parse_override(one)) overrides.push_back(std::move(*parsed));
    }
    // Relative paths are taken from the folder of this name: that of the scenario.
    spec = sim::scenario::read_scenario_text((path.parent_path() / "without-its-faults.yaml").string(), text, overrides, diagnostics);
    if (spec == nullptr || !chaos::check_scenario(*spec, diagnostics)) {
      diagnostics.print(stderr);
      return wrong("without its own faults the scenario is not right: see above");
    }
    report.own_faults_out = true;
  }

  chaos::hunt::HuntOptions options;
  options.faults = arguments.faults;
  options.choice = {arguments.kinds, arguments.elements};
  options.from = span(arguments.from);
  options.to = span(arguments.to);
  options.seed = arguments.seed.value_or(loaded.seed);
  options.findings_max = arguments.findings;
  options.verify_seeds = arguments.seeds;
  options.runner.jobs = arguments.jobs != 0 ? arguments.jobs : std::max(1u, std::thread::hardware_concurrency());
  if (!arguments.memory.empty()) options.runner.memory_bytes = static_cast<std::uint64_t>(*sim::k8s::parse_quantity(arguments.memory));
  if (options.from && *options.from >= spec->run.until) return wrong(fmt::format("--from {}: the run ends at {}", arguments.from, sim::format_duration(spec->run.until)));
  const sim::SimDuration from = options.from.value_or(spec->run.warm_up);
  if (options.to && *options.to <= from) return wrong(fmt::format("--to {}: the search begins at {}{}", arguments.to, sim::format_duration(from), options.from ? "" : ", the end of the warm-up"));
  const auto began = Clock::now();
  const sim::SimDuration budget = span(arguments.time_budget).value_or(std::chrono::minutes(10));
  bool time_was_up = false;
  if (arguments.tries != 0) {
    options.tries_max = arguments.tries;
  } else {
    options.time_is_up = [&] {
      time_was_up = time_was_up || Clock::now() - began >= budget;
      return time_was_up;
    };
  }
  options.stop = [&interrupted] { return interrupted.load(); };
  Progress progress(arguments.quiet);
  options.progress = [&](const chaos::hunt::HuntProgress& now) {
    const double elapsed = std::chrono::duration<double>(Clock::now() - began).count();
    double share = std::chrono::duration<double>(Clock::now() - began) / std::chrono::duration<double>(budget);
    if (arguments.tries != 0) share = static_cast<double>(now.tries) / static_cast<double>(arguments.tries);
    std::string text = now.stage;
    if (now.stage_total > 0) text += fmt::format(" {} of {}", now.tries_of_stage, now.stage_total);
    if (std::string_view(now.stage) == "shrinking") {
      share = 1.0;
      text += fmt::format(" ({} runs)", now.tries_of_stage);
    }
    text += fmt::format(", {} tries ({:.0f}/s), {} new states, {} found", now.tries, static_cast<double>(now.tries) / std::max(elapsed, 1e-3), now.states, now.findings);
    progress.update(share, text);
  };

  chaos::hunt::Hunter hunter(*spec, options);
  const chaos::hunt::Survey& survey = hunter.survey();
  report.scenario = loaded.name;
  report.file = loaded.file;
  report.seed = options.seed;
  report.hunter = &hunter;
  report.survey = &survey;
  const bool json = arguments.format == "json";
  if (survey.actions.empty() && !arguments.elements.empty()) {
    if (const std::string problem = unknown_element(arguments, survey, *spec, options.seed); !problem.empty()) return wrong(problem);
  }
  if (const std::string problem = unknown_element(arguments, survey, *spec, options.seed); !problem.empty()) return wrong(problem);
  if (survey.actions.empty()) return wrong("there is nothing here that faults of these kinds can be done to");
  if (arguments.survey_only) {
    const std::string text = json ? analysis::hunt_json(report) : analysis::survey_text(report);
    std::fwrite(text.data(), 1, text.size(), stdout);
    return kOk;
  }
  // Before the search: it may be long, and perhaps it is not what was meant.
  if (!json) std::fputs(analysis::survey_text(report).c_str(), stdout);
  std::fflush(stdout);
  if (!arguments.output.empty()) {
    if (const std::string error = analysis::make_folder(arguments.output); !error.empty()) {
      std::fputs(fmt::format("squall hunt: {}\n", error).c_str(), stderr);
      return kCannotWrite;
    }
  }

  const chaos::hunt::HuntResult result = hunter.hunt();
  progress.finish();
  report.result = &result;
  report.time_was_up = time_was_up;
  std::string cannot_write;
  if (!arguments.output.empty()) {
    const std::filesystem::path folder(arguments.output);
    std::error_code ignored;
    const std::filesystem::path target = std::filesystem::weakly_canonical(arguments.file, ignored);
    const std::filesystem::path relative = std::filesystem::relative(target, std::filesystem::weakly_canonical(folder, ignored), ignored);
    context.extends = (relative.empty() ? target : relative).string();
    context.scenario = loaded.name;
    context.command = command_of(arguments, options.seed, result.tries);
    context.seed = options.seed;
    context.overrides = arguments.overrides;
    if (arguments.without_faults) std::erase_if(context.overrides, [](const std::string& one) { return one.starts_with("faults."); });
    for (std::size_t i = 0; i < result.findings.size(); ++i) {
      context.number = i + 1;
      const std::filesystem::path path = folder / fmt::format("finding-{}.yaml", i + 1);
      cannot_write = analysis::write_whole_file(path, chaos::hunt::finding_yaml(result.findings[i], hunter, *spec, context));
      if (!cannot_write.empty()) break;
      report.files.push_back(path.string());
    }
    // Of an earlier search in the same folder: who counts the files counts these findings.
    for (std::size_t i = result.findings.size() + 1; cannot_write.empty(); ++i) {
      const std::filesystem::path path = folder / fmt::format("finding-{}.yaml", i);
      if (!std::filesystem::exists(path, ignored)) break;
      cannot_write = analysis::remove_file(path);
    }
    if (cannot_write.empty()) cannot_write = analysis::write_whole_file(folder / "hunt.json", analysis::hunt_json(report));
  }
  const std::string text = json ? analysis::hunt_json(report) : analysis::hunt_text(report, use_colour());
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (!json && arguments.output.empty() && !result.findings.empty()) {
    std::fputs(fmt::format("with -o DIR each finding is written as a scenario; the same search: {} -o DIR\n", command_of(arguments, options.seed, result.tries)).c_str(), stdout);
  }
  if (!cannot_write.empty()) {
    std::fputs(fmt::format("squall hunt: {}\n", cannot_write).c_str(), stderr);
    return kCannotWrite;
  }
  if (result.interrupted) return kInterrupted;
  return result.findings.empty() && survey.broken_already.empty() ? kOk : kExpectationFailed;
}

}  // namespace

void add_hunt_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("hunt", "Searches for a combination and timing of faults that breaks an expectation, and shrinks what it finds");
  const auto is_duration = [](const std::string& text) {
    const auto value = sim::parse_duration(text);
    return value && *value > sim::SimDuration::zero() ? std::string() : "'" + text + "' is no duration above zero (like 90s, 2h30m, 30d)";
  };
  const auto is_bytes = [](const std::string& text) {
    const auto value = sim::k8s::parse_quantity(text);
    return value && *value >= (1 << 20) ? std::string() : "'" + text + "' is no size of 1Mi or more (like 512Mi or 4Gi)";
  };
  const auto list = [&](const char* name, std::vector<std::string>& to, const char* doc, const char* shown) {
    command->add_option(name, to, doc)->delimiter(',')->take_all()->expected(1)->allow_extra_args(false)->option_text(shown);
  };
  command->add_option("scenario", arguments->file, "Scenario file with expectations")->required()->option_text(" ");
  command->add_option("--faults", arguments->faults, "How many faults at once at most, 1 to 4 (default: 2); the scenario's own come on top")->check(CLI::Range(1, 4))->option_text("K");
  list("--kinds", arguments->kinds, "Kinds of faults, like node-crash,drain (default: all that can be searched)", "LIST");
  list("--elements", arguments->elements, "Whom they may hit: names of nodes, racks, workloads ... with * and ? (default: everything)", "LIST");
  command->add_option("--from", arguments->from, "Faults come no earlier, like 30m (default: the end of the warm-up)")->check(is_duration)->option_text("TIME");
  command->add_option("--to", arguments->to, "Faults come before that (default: the end of the run)")->check(is_duration)->option_text("TIME");
  command->add_option("--time-budget", arguments->time_budget, "How long to search (default: 10m); shrinking comes on top")->check(is_duration)->option_text("TIME");
  command->add_option("--tries", arguments->tries, "How many runs to search with, instead of a time: the result is then the same everywhere")->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000}))->option_text("N");
  command->add_option("--seed", arguments->seed, "Seed of the runs and of the search (default: run.seed of the scenario)")->check(is_seed)->option_text("N");
  command->add_option("--findings", arguments->findings, "How many findings are shrunk at most (default: 10)")->check(CLI::Range(0, 1000))->option_text("N");
  command->add_option("--verify-seeds", arguments->seeds, "Under how many seeds each is run in the end (default: 10)")->check(CLI::Range(1, 1000))->option_text("N");
  command->add_flag("--without-faults", arguments->without_faults, "Takes the scenario's own faults out, and expectations about them");
  command->add_flag("--survey", arguments->survey_only, "Says what would be searched, and searches nothing");
  add_overrides(*command, arguments->overrides);
  command->add_option("-j,--jobs", arguments->jobs, "Processes at a time, 1 to 1024 (default: one a processor); results do not depend on it")->check(CLI::Range(1, 1024))->option_text("N");
  command->add_option("--memory", arguments->memory, "What one of them may take, like 2Gi (default: no bound)")->check(is_bytes)->option_text("SIZE");
  command->add_option("-o,--output", arguments->output, "Folder for finding-N.yaml, each a scenario that reproduces a finding, and hunt.json")->option_text("DIR");
  command->add_option("--format", arguments->format, "text for people (the default), json for programs")->check(CLI::IsMember({"text", "json"}))->option_text("text|json");
  command->add_flag("-q,--quiet", arguments->quiet, "No progress and no warnings");
  command->footer("Exit codes: 0 nothing breaks, 1 something does, 2 the input is wrong, 3 a file cannot be written, 130 interrupted (what was found is told).\n\n"
                  "Examples: squall hunt scenarios/incident-5-many-small.yaml --survey\n"
                  "          squall hunt scenarios/incident-2-five-nodes.yaml --without-faults --kinds node-crash,planned-maintenance -o found\n"
                  "          squall test found/finding-1.yaml;  squall replay found/finding-1.yaml --step");
  command->callback([arguments, &exit_code] { exit_code = hunt(*arguments); });
}

}  // namespace cli
