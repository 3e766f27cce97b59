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
#include <optional>
#include <sstream>

#include "analysis/atomic_file.hpp"
#include "analysis/golden_log.hpp"
#include "analysis/json_text.hpp"
#include "analysis/junit.hpp"
#include "analysis/precision.hpp"
#include "analysis/run_report.hpp"
#include "analysis/shard.hpp"
#include "analysis/shared_tasks.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/many_runs.hpp"
#include "sim/cli/mpi_ranks.hpp"
#include "sim/cli/progress.hpp"
#include "sim/cli/run_options.hpp"
#include "sim/core/check.hpp"
#include "sim/core/inference.hpp"
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
  ManyFlags many;
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

/// The share of a scenario's runs in which all expectations held.
analysis::Estimate held_share(const analysis::TestedScenario& tested, double confidence) {
  if (tested.confidence > 0.0) confidence = tested.confidence;  // of several looks the last one holds with the confidence asked for
  std::vector<double> held(tested.runs, 0.0);
  std::fill_n(held.begin(), tested.held, 1.0);
  return analysis::estimate_share(held, confidence);
}

std::string result_line(const analysis::TestedScenario& tested, double confidence, bool colour) {
  const auto style = [&](const char* code, const std::string& content) { return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, content) : content; };
  if (!tested.error.empty()) {
    std::string out = fmt::format("{}  {}\n", style("1;31", "ERROR "), tested.error.starts_with(tested.file) ? tested.error : tested.file + ": " + tested.error);
    // What its runs have said until it was interrupted.
    for (const analysis::TestedExpectation& result : tested.expectations) {
      if (!result.holds()) out += fmt::format("  {} {}: {}", style("1;31", "✗"), style("1", result.name), indented(analysis::violation_text(result)));
    }
    return out;
  }
  const auto failed = static_cast<std::size_t>(std::count_if(tested.expectations.begin(), tested.expectations.end(), [](const auto& one) { return !one.holds(); }));
  const std::size_t total = tested.expectations.size();
  std::string what = "expects nothing";
  if (total > 0 && tested.runs <= 1) {
    what = fmt::format("{} of {} expectations hold, seed {}, {:.2f} s", total - failed, total, tested.seed, tested.wall_seconds);
  } else if (total > 0) {
    const analysis::Estimate share = held_share(tested, confidence);
    what = fmt::format("{} of {} expectations hold; all of them in {} of {} runs ({:g} %: {:.1f} % to {:.1f} %), seeds from {}, {:.2f} s", total - failed, total, tested.held, tested.runs,
                       confidence * 100.0, share.low * 100.0, share.high * 100.0, tested.seed, tested.wall_seconds);
  }
  std::string out = fmt::format("{}  {}  {}\n", tested.passed() ? style("32", "ok    ") : style("1;31", "FAILED"), tested.file, style("2", what));
  if (!tested.golden_accepted.empty()) out += fmt::format("  accepted: {}\n", tested.golden_accepted);
  if (!tested.golden_difference.empty()) {
    out += fmt::format("  {} {}: {}", style("1;31", "✗"), style("1", "event log"), indented(tested.golden_difference));
  }
  for (const analysis::TestedExpectation& result : tested.expectations) {
    if (!result.holds()) out += fmt::format("  {} {}: {}", style("1;31", "✗"), style("1", result.name), indented(analysis::violation_text(result)));
  }
  return out;
}

std::string results_json(const std::vector<analysis::TestedScenario>& tested, double confidence) {
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
    if (scenario.runs > 1) {
      const analysis::Estimate share = held_share(scenario, confidence);
      analysis::field(writer, "runs", scenario.runs);
      analysis::field(writer, "runsHeld", scenario.held);
      analysis::key(writer, "ci");
      writer.StartArray();
      writer.Double(share.low);
      writer.Double(share.high);
      writer.EndArray();
    }
    analysis::key(writer, "expectations");
    writer.StartArray();
    for (const analysis::TestedExpectation& result : scenario.expectations) {
      writer.StartObject();
      analysis::field(writer, "name", result.name);
      analysis::field(writer, "held", result.holds());
      if (result.runs > 1) analysis::field(writer, "runsHeld", result.held);
      if (!result.holds()) {
        analysis::field(writer, "violation", analysis::violation_text(result));
        if (result.runs > 1) analysis::field(writer, "firstSeed", result.violation_seed);
      }
      writer.EndObject();
    }
    writer.EndArray();
    writer.EndObject();
  }
  writer.EndArray();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

/// What is told when all has run, after the lines of the scenarios. The exit code.
int conclude(const std::vector<analysis::TestedScenario>& tested, double confidence, bool is_json, const std::string& junit, bool is_stopped) {
  if (is_json) std::fputs(results_json(tested, confidence).c_str(), stdout);
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
  if (!junit.empty()) {
    if (const std::string error = analysis::write_whole_file(junit, analysis::junit_xml(tested)); !error.empty()) {
      std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
      return kCannotWrite;
    }
  }
  if (is_stopped) return kInterrupted;
  for (const analysis::TestedScenario& scenario : tested) {
    if (scenario.cannot_write.empty()) continue;
    std::fputs(fmt::format("squall: {}\n", scenario.cannot_write).c_str(), stderr);
    return kCannotWrite;
  }
  return wrong > 0 ? kWrongInput : failed > 0 ? kExpectationFailed : kOk;
}

const std::string kInterruptedRun = "interrupted";

/// Runs one scenario under one seed after the other, whoever asks for them.
class Tester {
 public:
  Tester(const Arguments& arguments, std::vector<TestFile> files, const std::atomic<bool>& stop) : arguments_(arguments), files_(std::move(files)), stop_(stop), loaded_(files_.size()) {}

  const std::vector<TestFile>& files() const { return files_; }
  /// Wrong input is told once, on stderr; from several threads.
  const LoadedScenario& load(std::size_t file, Telling telling) {
    const std::lock_guard<std::mutex> lock(loading_);  // its diagnostics in one piece
    if (!loaded_[file]) loaded_[file] = load_scenario(files_[file].path, arguments_.flags.overrides, telling);
    return *loaded_[file];
  }
  analysis::TestedScenario test(std::size_t file, std::uint64_t run) {
    analysis::TestedScenario tested;
    tested.file = tested.name = sim::scenario::printable(files_[file].path);
    const auto began = Clock::now();
    if (stop_.load()) {
      tested.error = kInterruptedRun;
      return tested;
    }
    const LoadedScenario& loaded = load(file, Telling::kErrors);
    if (loaded.spec == nullptr) {
      tested.error = loaded.error;
    } else {
      tested.name = loaded.name;
      tested.seed = arguments_.flags.seed.value_or(loaded.seed) + run;
      chaos::RunOptions options;
      options.stop = &stop_;
      options.until = arguments_.flags.until();
      options.keep_world = !arguments_.golden.empty() && run == 0;
      const chaos::RunOutcome outcome = chaos::run_scenario(*loaded.spec, tested.seed, options);
      if (!outcome.verdict.complete) {
        tested.error = kInterruptedRun;
      } else {
        analysis::add_verdict(tested, outcome.verdict);
        if (options.keep_world) tested.cannot_write = judge_log(arguments_, files_[file], outcome.world->log, tested);
      }
    }
    tested.wall_seconds = std::chrono::duration<double>(Clock::now() - began).count();
    return tested;
  }

 private:
  const Arguments& arguments_;
  std::vector<TestFile> files_;
  const std::atomic<bool>& stop_;
  std::mutex loading_;
  std::vector<std::optional<LoadedScenario>> loaded_;
};

/// Runs `from` to `to` of one file.
struct Stretch {
  std::size_t file = 0;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};
/// As rank 0 tells it to the others: "0 0 30\n4 0 30\n".
std::string to_text(const std::vector<Stretch>& stretches) {
  std::string out;
  for (const Stretch& one : stretches) out += fmt::format("{} {} {}\n", one.file, one.from, one.to);
  return out;
}
std::vector<Stretch> to_stretches(const std::string& text) {
  std::vector<Stretch> all;
  std::istringstream in(text);
  for (Stretch one; in >> one.file >> one.from >> one.to;) all.push_back(one);
  return all;
}

/// What is run, by whom, and what comes of it, look by look.
class TestJob {
 public:
  TestJob(const Arguments& arguments, Tester& tester, analysis::TaskSharing sharing) : arguments_(arguments), tester_(tester), sharing_(std::move(sharing)), tested_(tester.files().size()) {}

  /// Alone, or rank 0.
  void run() {
    const std::size_t files = tested_.size();
    if (arguments_.many.until_ci.empty()) {
      std::vector<Stretch> all;
      for (std::size_t file = 0; file < files; ++file) all.push_back({file, 0, arguments_.flags.replications});
      run_all(all);
    } else {
      const sim::StoppingRule::Params params{*parse_share(arguments_.many.until_ci), arguments_.many.level(), arguments_.many.minimum, arguments_.many.maximum};
      std::vector<sim::StoppingRule> rules(files, sim::StoppingRule(params));
      for (;;) {
        std::vector<Stretch> next;
        for (std::size_t file = 0; file < files; ++file) {
          if (tested_[file].error.empty() && !rules[file].done()) next.push_back({file, tested_[file].runs, rules[file].next_look()});
        }
        if (next.empty()) break;
        run_all(next);
        for (const Stretch& one : next) {
          const analysis::TestedScenario& tested = tested_[one.file];
          if (!tested.error.empty()) continue;
          sim::StoppingRule& rule = rules[one.file];
          tested_[one.file].confidence = rule.look_confidence();
          const analysis::Estimate share = held_share(tested, 0.0);
          const bool is_constant = tested.held == 0 || tested.held == tested.runs;
          rule.looked((is_constant ? rule.others_at_most(tested.runs) : (share.high - share.low) / 2.0) <= params.target);
        }
      }
    }
    if (sharing_.ranks != nullptr) sharing_.ranks->broadcast("");
  }
  /// Ranks above 0.
  void serve() {
    for (;;) {
      const std::vector<Stretch> stretches = to_stretches(sharing_.ranks->broadcast({}));
      if (stretches.empty()) return;
      lines_of(stretches, {});
    }
  }
  /// One shard: its lines.
  std::vector<std::string> run_shard() {
    std::vector<Stretch> all;
    for (std::size_t file = 0; file < tested_.size(); ++file) all.push_back({file, 0, arguments_.flags.replications});
    return analysis::own_lines(lines_of(all, {}), *sharing_.shard);
  }
  const std::vector<analysis::TestedScenario>& tested() const { return tested_; }
  /// The scenarios that are complete, from the first on, are told.
  void print_ready(std::size_t ready) {
    if (arguments_.flags.format == "json") return;
    for (; printed_ < ready; ++printed_) std::fputs(result_line(tested_[printed_], arguments_.many.level(), use_colour()).c_str(), stdout);
    std::fflush(stdout);
  }

 private:
  /// Calls ready(task, result) from one thread at a time, where the tasks are run here.
  std::vector<std::string> lines_of(const std::vector<Stretch>& stretches, const std::function<void(std::size_t, const analysis::TestedScenario&)>& ready) {
    std::vector<std::pair<std::size_t, std::uint64_t>> tasks;
    for (const Stretch& one : stretches) {
      for (std::uint64_t run = one.from; run < one.to; ++run) tasks.emplace_back(one.file, run);
    }
    return analysis::share_tasks(tasks.size(), sharing_, [&](std::size_t task) {
      const analysis::TestedScenario result = tester_.test(tasks[task].first, tasks[task].second);
      if (ready) {
        const std::lock_guard<std::mutex> lock(report_);
        ready(task, result);
      }
      return analysis::tested_line(result);
    });
  }
  void run_all(const std::vector<Stretch>& stretches) {
    if (sharing_.ranks != nullptr) sharing_.ranks->broadcast(to_text(stretches));
    // One run of each: told as they come, in the order of the files, whoever was first.
    const bool as_they_come = sharing_.ranks == nullptr && arguments_.many.until_ci.empty() && arguments_.flags.replications == 1;
    std::vector<bool> done(as_they_come ? stretches.size() : 0, false);
    std::size_t first_undone = 0;
    const auto tell = [&](std::size_t task, const analysis::TestedScenario& result) {
      tested_[stretches[task].file] = result;
      done[task] = true;
      while (first_undone < done.size() && done[first_undone]) ++first_undone;
      print_ready(first_undone);
    };
    const std::vector<std::string> lines = lines_of(stretches, as_they_come ? std::function<void(std::size_t, const analysis::TestedScenario&)>(tell) : nullptr);
    if (as_they_come) return;
    std::size_t task = 0;
    for (const Stretch& one : stretches) {
      analysis::TestedScenario& tested = tested_[one.file];
      bool is_interrupted = false;
      for (std::uint64_t run = one.from; run < one.to; ++run, ++task) {
        analysis::TestedScenario result;
        if (!lines[task].empty()) SIM_CHECK(analysis::read_tested_line(lines[task], result), "processes of one program speak one language");
        if (lines[task].empty() || result.error == kInterruptedRun) {
          is_interrupted = true;
        } else {
          analysis::add_runs(tested, result);
        }
      }
      if (!is_interrupted || !tested.error.empty()) continue;
      // There is no verdict, but what the complete runs say is kept.
      tested.file = sim::scenario::printable(tester_.files()[one.file].path);
      if (tested.name.empty()) tested.name = tested.file;
      tested.error = kInterruptedRun;
      if (tested.runs > 0) tested.error += fmt::format(" after {} of {} runs; all expectations hold in {} of them", tested.runs, one.to, tested.held);
    }
  }

  const Arguments& arguments_;
  Tester& tester_;
  analysis::TaskSharing sharing_;
  std::vector<analysis::TestedScenario> tested_;
  std::mutex report_;
  std::size_t printed_ = 0;
};

std::string contradiction_of(const Arguments& arguments) {
  if (arguments.update && arguments.golden.empty()) return "--update needs --golden DIR: the folder of the golden event logs";
  if (arguments.many.shard.empty()) {
    if (!arguments.flags.output.empty()) return "-o is the folder of a shard's file, and needs --shard; --junit writes the results";
  } else {
    if (!arguments.many.until_ci.empty()) return "--shard and --until-ci exclude each other: when to stop depends on all runs, and a shard has only its own; give --replications";
    if (arguments.flags.output.empty()) return "--shard needs -o DIR: the folder of the shard's file";
    if (arguments.flags.format == "json" || !arguments.junit.empty()) return "--shard prints no results that --format json or --junit could be of; squall merge does";
  }
  ManyFlags alone = arguments.many;
  alone.shard.clear();
  return contradiction(alone, RunFlags{});
}

int wrong(const std::string& problem) {
  std::fputs(fmt::format("squall: {}\n", problem).c_str(), stderr);
  return kWrongInput;
}

int write_the_shard(const Arguments& arguments, Tester& tester, TestJob& job, analysis::Shard part, const std::atomic<bool>& stop) {
  if (const std::string error = analysis::make_folder(arguments.flags.output); !error.empty()) {
    std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
    return kCannotWrite;
  }
  analysis::ShardFile shard;
  shard.path = analysis::shard_path(arguments.flags.output, part);
  shard.shard = part;
  shard.job.command = "test";
  shard.job.program = analysis::program_version();
  shard.job.overrides = arguments.flags.overrides;
  shard.job.until = arguments.flags.until_text;
  shard.job.first_seed = arguments.flags.seed.value_or(0);  // 0: that of each file
  shard.job.replications = arguments.flags.replications;
  shard.job.confidence = arguments.many.level();
  if (arguments.flags.seed) shard.job.options.push_back(fmt::format("--seed={}", *arguments.flags.seed));
  if (!arguments.golden.empty()) shard.job.options.push_back("--golden");
  // All files are read, so that shards of other files are told from these.
  for (std::size_t i = 0; i < tester.files().size(); ++i) {
    const std::string name = sim::scenario::printable(tester.files()[i].path);
    shard.job.scenarios.push_back({name, {}, name, tester.load(i, Telling::kNothing).inputs});
  }
  shard.lines = job.run_shard();
  if (stop.load()) {
    std::fputs("squall: interrupted: no shard was written\n", stderr);
    return kInterrupted;
  }
  if (const std::string error = analysis::write_shard(shard); !error.empty()) {
    std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
    return kCannotWrite;
  }
  if (!arguments.flags.quiet) {
    std::fputs(fmt::format("shard {} of {}: {} runs of {}; {}\n", part.index, part.count, shard.lines.size(), shard.job.replications * shard.job.scenarios.size(), shard.path).c_str(), stdout);
  }
  return kOk;
}

int test_scenarios(const Arguments& arguments) {
  const std::string contradicts = contradiction_of(arguments);
  std::string problem;
  const std::unique_ptr<analysis::Ranks> ranks = join_ranks(problem);
  const bool is_first = ranks == nullptr || ranks->rank() == 0;
  if (problem.empty()) problem = contradicts;
  if (problem.empty() && ranks != nullptr && !arguments.many.shard.empty()) problem = "--shard is for machines without MPI: under mpirun leave it out";
  if (!problem.empty()) return is_first ? wrong(problem) : kWrongInput;
  const std::atomic<bool>& stop = stop_on_interrupt();
  Tester tester(arguments, expand(arguments.paths), stop);
  if (tester.files().empty()) {
    return is_first ? wrong("no scenario in the given folders (files with `kind: Scenario`)") : kWrongInput;
  }
  if (ranks != nullptr) {
    // Scenarios that are wrong are told by rank 0, like any other result; that all read the same is what matters here.
    std::uint64_t inputs = tester.files().size();
    for (std::size_t i = 0; i < tester.files().size(); ++i) inputs = inputs * 31 + tester.load(i, is_first ? Telling::kErrors : Telling::kNothing).inputs;
    if (const std::string found = disagreement(*ranks, {}, inputs); !found.empty()) return is_first ? wrong(found) : kWrongInput;
  }
  analysis::TaskSharing sharing;
  sharing.jobs = ranks != nullptr ? threads_of_rank(arguments.flags.jobs, *ranks) : arguments.flags.threads();
  sharing.ranks = ranks.get();
  sharing.shard = arguments.many.part();
  // A run that is stopped says so itself: every scenario has its line.
  Progress progress(arguments.flags.quiet || !is_first);
  if (arguments.flags.replications > 1 || !arguments.many.until_ci.empty()) {
    sharing.progress = [&](std::size_t done, std::size_t total) { progress.update(static_cast<double>(done) / static_cast<double>(total), fmt::format("{} of {} runs", done, total)); };
  }
  TestJob job(arguments, tester, sharing);
  if (!is_first) {
    job.serve();
    return kOk;
  }
  if (sharing.shard) return write_the_shard(arguments, tester, job, *sharing.shard, stop);
  job.run();
  progress.finish();
  job.print_ready(job.tested().size());
  return conclude(job.tested(), arguments.many.level(), arguments.flags.format == "json", arguments.junit, stop.load());
}

}  // namespace

int merge_tests(const std::vector<analysis::ShardFile>& shards, const std::string& junit, const std::string& format) {
  const analysis::JobDescription& job = shards.front().job;
  std::vector<std::vector<std::string>> parts;
  for (const analysis::ShardFile& shard : shards) parts.push_back(shard.lines);
  const std::vector<std::string> lines = analysis::lines_of_all(parts, job.scenarios.size() * job.replications);
  if (lines.empty()) return wrong(fmt::format("{}: the shards do not hold {} runs of {} scenarios", shards.front().path, job.replications, job.scenarios.size()));
  std::vector<analysis::TestedScenario> tested(job.scenarios.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    analysis::TestedScenario one;
    if (!analysis::read_tested_line(lines[i], one)) return wrong(fmt::format("{}: a line is no result of a test", shards[i % shards.size()].path));
    analysis::add_runs(tested[i / job.replications], one);
  }
  if (format != "json") {
    for (const analysis::TestedScenario& one : tested) std::fputs(result_line(one, job.confidence, use_colour()).c_str(), stdout);
  }
  return conclude(tested, job.confidence, format == "json", junit, false);
}

void add_test_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("test", "Runs scenarios and judges their expectations, for CI");
  command->add_option("path", arguments->paths, "Scenario files, or folders of them")->required()->option_text(" ");
  command->add_option("--junit", arguments->junit, "Writes the results as JUnit XML")->option_text("FILE");
  command->add_option("--golden", arguments->golden, "Folder of golden event logs: a run that differs from its accepted log fails, and is told where")->option_text("DIR");
  command->add_flag("--update", arguments->update, "Accepts what the runs do now: writes the golden event logs that differ or are missing");
  command->add_option("--replications", arguments->flags.replications, "Runs of each scenario, 1 to 1000000, with seeds from --seed or run.seed on; an expectation holds when it does in all (default: 1)")->check(CLI::Range(1, 1'000'000))->option_text("N");
  add_precision_flags(*command, arguments->many);
  command->remove_option(command->get_option("--ci-of"));
  add_shard_flag(*command, arguments->many);
  add_run_flags(*command, arguments->flags);
  command->remove_option(command->get_option("--output"));
  command->add_option("-o,--output", arguments->flags.output, "With --shard: folder of the shard's file")->option_text("DIR");
  command->footer("Exit codes: 0 all expectations hold, 1 some do not, 2 the input is wrong, 3 the JUnit file or a golden log cannot be written, 130 interrupted.\n\n"
                  "Examples: squall test scenarios/ --junit results.xml\n"
                  "          squall test scenarios/ --golden golden/ --update   (then commit golden/)\n"
                  "          squall test scenarios/ --replications 50           (no seed may break an expectation)\n"
                  "          squall test scenarios/ --until-ci 5%               (as many seeds as the share of good runs takes to be known to 5 points)\n"
                  "          squall test scenarios/ --shard 0/4 -o parts        (1/4, 2/4 and 3/4 elsewhere; then squall merge parts --junit results.xml)\n"
                  "          mpirun -n 8 squall test scenarios/ --junit results.xml");
  command->callback([arguments, command, &exit_code] {
    arguments->many.has_replications = command->count("--replications") > 0;
    exit_code = test_scenarios(*arguments);
  });
}

}  // namespace cli
