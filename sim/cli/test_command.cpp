#include "sim/cli/test_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>

#include "analysis/atomic_file.hpp"
#include "analysis/golden_log.hpp"
#include "analysis/json_text.hpp"
#include "analysis/junit.hpp"
#include "analysis/parallel.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/mpi_ranks.hpp"
#include "sim/cli/progress.hpp"
#include "sim/cli/run_options.hpp"
#include "sim/models/world.hpp"
#include "sim/scenario/document.hpp"
#include "sim/scenario/printable.hpp"

namespace cli {

namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::vector<std::string> paths;
  std::string junit;
  std::string golden;
  bool update = false;
  RunFlags flags;
};

struct TestFile {
  std::string path;
  std::string golden;  // of its golden log, below the folder of them
};

/// Files as named; folders stand for the scenarios in them (files ending in .yaml or .yml, those with `kind: Scenario`), sorted by name.
std::vector<TestFile> expand(const std::vector<std::string>& paths) {
  std::vector<TestFile> files;
  const auto add = [&files](const std::string& file, const std::filesystem::path& below) {
    std::filesystem::path name = below.empty() ? std::filesystem::path(file).filename() : std::filesystem::path(file).lexically_relative(below);
    files.push_back({file, name.replace_extension(".events").string()});
  };
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) {
      add(path, {});
      continue;
    }
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path, std::filesystem::directory_options::skip_permission_denied, ignored)) {
      const std::string extension = entry.path().extension().string();
      if (entry.is_regular_file(ignored) && (extension == ".yaml" || extension == ".yml") && is_scenario_file(entry.path().string())) found.push_back(entry.path().string());
    }
    std::sort(found.begin(), found.end());
    for (const std::string& file : found) add(file, path);
  }
  return files;
}

/// Holds the run against its accepted log, or accepts it (--update). What cannot be read or written is the answer; empty: all is well.
std::string judge_log(const Arguments& arguments, const TestFile& file, const sim::EventLog& log, analysis::TestedScenario& place) {
  const std::filesystem::path path = std::filesystem::path(arguments.golden) / file.golden;
  const std::string now = analysis::golden_log(log, place.name, place.seed);
  place.has_golden_log = true;
  std::string accepted;
  std::error_code ignored;
  const bool exists = std::filesystem::exists(path, ignored);
  if (exists) {
    std::ifstream in(path, std::ios::binary);
    accepted.assign(std::istreambuf_iterator<char>(in), {});
    if (!in) return fmt::format("{}: cannot be read", path.string());
  }
  if (exists && accepted == now) return {};
  if (!arguments.update) {
    place.golden_difference = exists ? analysis::first_golden_difference(accepted, now)
                                     : fmt::format("there is no golden log {}: accept this run with --update\n", sim::scenario::printable(path.string()));
    return {};
  }
  if (const std::string error = analysis::make_folder(path.parent_path()); !error.empty()) return error;
  const std::string error = analysis::write_whole_file(path, now);
  if (error.empty()) place.golden_accepted = fmt::format("{} ({})", sim::scenario::printable(path.string()), exists ? "changed" : "new");
  return error;
}

/// The lines after the first one, under it.
std::string indented(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += "    ";
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

std::string result_line(const analysis::TestedScenario& tested, bool colour) {
  const auto style = [&](const char* code, const std::string& content) { return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, content) : content; };
  if (!tested.error.empty()) return fmt::format("{}  {}\n", style("1;31", "ERROR "), tested.error.starts_with(tested.file) ? tested.error : tested.file + ": " + tested.error);
  std::size_t failed = 0;
  for (const chaos::ExpectationResult& result : tested.verdict.expectations) failed += result.held ? 0 : 1;
  const std::size_t total = tested.verdict.expectations.size();
  std::string out = fmt::format("{}  {}  {}\n", tested.passed() ? style("32", "ok    ") : style("1;31", "FAILED"), tested.file,
                                style("2", total == 0 ? std::string("expects nothing") : fmt::format("{} of {} expectations hold, seed {}, {:.2f} s", total - failed, total, tested.seed, tested.wall_seconds)));
  if (!tested.golden_accepted.empty()) out += fmt::format("  accepted: {}\n", tested.golden_accepted);
  if (!tested.golden_difference.empty()) {
    out += fmt::format("  {} {}: {}", style("1;31", "✗"), style("1", "event log"), indented(tested.golden_difference));
  }
  for (const chaos::ExpectationResult& result : tested.verdict.expectations) {
    if (result.held) continue;
    const std::string violation = analysis::describe_violation(result);
    out += fmt::format("  {} {}: {}", style("1;31", "✗"), style("1", result.name), indented(violation));
  }
  return out;
}

std::string results_json(const std::vector<analysis::TestedScenario>& tested) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  writer.StartArray();
  for (const analysis::TestedScenario& scenario : tested) {
    writer.StartObject();
    analysis::field(writer, "file", scenario.file);
    analysis::field(writer, "scenario", scenario.name);
    analysis::field(writer, "seed", scenario.seed);
    analysis::field(writer, "verdict", !scenario.error.empty() ? "error" : scenario.passed() ? "held" : "failed");
    if (!scenario.error.empty()) analysis::field(writer, "error", scenario.error);
    if (scenario.has_golden_log) analysis::field(writer, "eventLog", scenario.golden_difference.empty() ? "as accepted" : scenario.golden_difference);
    analysis::key(writer, "expectations");
    writer.StartArray();
    for (const chaos::ExpectationResult& result : scenario.verdict.expectations) {
      writer.StartObject();
      analysis::field(writer, "name", result.name);
      analysis::field(writer, "held", result.held);
      if (!result.held) analysis::field(writer, "violation", analysis::describe_violation(result));
      writer.EndObject();
    }
    writer.EndArray();
    writer.EndObject();
  }
  writer.EndArray();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

int test_scenarios(const Arguments& arguments) {
  std::string problem;
  const std::unique_ptr<analysis::Ranks> ranks = join_ranks(problem);
  if (ranks != nullptr) problem = "a test of scenarios is not shared by several processes: each would run them all; `squall run` and `squall compare` are";
  if (!problem.empty()) {
    if (ranks == nullptr || ranks->rank() == 0) std::fputs(fmt::format("squall: {}\n", problem).c_str(), stderr);
    return kWrongInput;
  }
  const std::atomic<bool>& stop = stop_on_interrupt();
  if (arguments.update && arguments.golden.empty()) {
    std::fputs("squall: --update needs --golden DIR: the folder of the golden event logs\n", stderr);
    return kWrongInput;
  }
  const std::vector<TestFile> files = expand(arguments.paths);
  if (files.empty()) {
    std::fputs("squall: no scenario in the given folders (files with `kind: Scenario`)\n", stderr);
    return kWrongInput;
  }
  std::vector<analysis::TestedScenario> tested(files.size());
  std::mutex output;
  std::size_t printed = 0;
  std::vector<bool> done(files.size(), false);
  std::vector<std::string> cannot_write(files.size());
  const bool is_json = arguments.flags.format == "json";

  const auto test = [&](std::size_t i) {
    analysis::TestedScenario& place = tested[i];
    place.file = place.name = sim::scenario::printable(files[i].path);
    const auto began = Clock::now();
    if (stop.load()) {
      place.error = "interrupted";
    } else {
      LoadedScenario loaded;
      {
        const std::lock_guard<std::mutex> lock(output);  // its diagnostics in one piece
        loaded = load_scenario(files[i].path, arguments.flags.overrides, true);
      }
      if (loaded.spec == nullptr) {
        place.error = loaded.error;
      } else {
        place.name = loaded.name;
        place.seed = arguments.flags.seed.value_or(loaded.seed);
        chaos::RunOptions options;
        options.stop = &stop;
        options.until = arguments.flags.until();
        options.keep_world = !arguments.golden.empty();
        chaos::RunOutcome outcome = chaos::run_scenario(*loaded.spec, place.seed, options);
        place.verdict = std::move(outcome.verdict);
        if (!place.verdict.complete) place.error = "interrupted";
        else if (options.keep_world) cannot_write[i] = judge_log(arguments, files[i], outcome.world->log, place);
      }
    }
    place.wall_seconds = std::chrono::duration<double>(Clock::now() - began).count();
    const std::lock_guard<std::mutex> lock(output);
    done[i] = true;
    for (; printed < files.size() && done[printed]; ++printed) {  // in the order of the files, whoever was first
      if (!is_json) std::fputs(result_line(tested[printed], use_colour()).c_str(), stdout);
    }
    std::fflush(stdout);
  };
  analysis::for_each_task(files.size(), arguments.flags.threads(), test);

  if (is_json) std::fputs(results_json(tested).c_str(), stdout);
  std::size_t failed = 0;
  std::size_t wrong = 0;
  for (const analysis::TestedScenario& scenario : tested) {
    if (!scenario.error.empty()) {
      ++wrong;
    } else if (!scenario.passed()) {
      ++failed;
    }
  }
  if (!is_json) std::fputs(fmt::format("\n{} scenario{}: {} hold, {} do not, {} could not be run\n", tested.size(), tested.size() == 1 ? "" : "s", tested.size() - failed - wrong, failed, wrong).c_str(), stdout);
  if (!arguments.junit.empty()) {
    if (const std::string error = analysis::write_whole_file(arguments.junit, analysis::junit_xml(tested)); !error.empty()) {
      std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
      return kCannotWrite;
    }
  }
  if (stop.load()) return kInterrupted;
  for (const std::string& error : cannot_write) {
    if (error.empty()) continue;
    std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
    return kCannotWrite;
  }
  return wrong > 0 ? kWrongInput : failed > 0 ? kExpectationFailed : kOk;
}

}  // namespace

void add_test_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("test", "Runs scenarios and judges their expectations, for CI");
  command->add_option("path", arguments->paths, "Scenario files, or folders of them")->required()->option_text(" ");
  command->add_option("--junit", arguments->junit, "Writes the results as JUnit XML")->option_text("FILE");
  command->add_option("--golden", arguments->golden, "Folder of golden event logs: a run that differs from its accepted log fails, and is told where")->option_text("DIR");
  command->add_flag("--update", arguments->update, "Accepts what the runs do now: writes the golden event logs that differ or are missing");
  add_run_flags(*command, arguments->flags);
  command->remove_option(command->get_option("--output"));
  command->footer("Exit codes: 0 all expectations hold, 1 some do not, 2 the input is wrong, 3 the JUnit file or a golden log cannot be written, 130 interrupted.\n\n"
                  "Examples: squall test scenarios/ --junit results.xml\n"
                  "          squall test scenarios/ --golden golden/ --update   (then commit golden/)");
  command->callback([arguments, &exit_code] { exit_code = test_scenarios(*arguments); });
}

}  // namespace cli
