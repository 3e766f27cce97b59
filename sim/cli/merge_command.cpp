#include "sim/cli/merge_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "analysis/atomic_file.hpp"
#include "analysis/run_report.hpp"
#include "analysis/shard.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/many_runs.hpp"
#include "sim/cli/survive_command.hpp"
#include "sim/cli/test_command.hpp"

namespace cli {

namespace {

struct Arguments {
  std::vector<std::string> paths;
  std::string output;
  std::string format = "text";
  std::string junit;
};

int wrong(const std::string& problem) {
  std::fputs(problem.c_str(), stderr);
  return kWrongInput;
}

/// Folders stand for the shards in them.
std::vector<std::string> expand(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(path, ignored)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("shard-") && name.ends_with(".jsonl")) found.push_back(entry.path().string());
    }
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

int merge(const Arguments& arguments) {
  const std::vector<std::string> paths = expand(arguments.paths);
  if (paths.empty()) return wrong("squall: no shards in the given folders (files named shard-I-of-N.jsonl)\n");
  std::vector<analysis::ShardFile> shards(paths.size());
  std::string problems;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (const std::string problem = analysis::read_shard(paths[i], shards[i]); !problem.empty()) problems += fmt::format("squall: {}\n", problem);
  }
  if (!problems.empty()) return wrong(problems);
  if (const std::string found = analysis::put_together(shards); !found.empty()) {
    for (std::size_t begin = 0; begin < found.size(); begin = found.find('\n', begin) + 1) problems += fmt::format("squall: {}\n", found.substr(begin, found.find('\n', begin) - begin));
    return wrong(problems);
  }
  const analysis::JobDescription& job = shards.front().job;
  if (job.program != analysis::program_version()) {
    return wrong(fmt::format("squall: {}: written by squall {}, and this is {}\n", shards.front().path, job.program, analysis::program_version()));
  }
  if (job.command != "test" && !arguments.junit.empty()) return wrong(fmt::format("squall: --junit is for shards of squall test, and these are of squall {}\n", job.command));
  if ((job.command == "test" || job.command == "survive") && !arguments.output.empty()) {
    return wrong(fmt::format("squall: squall {} writes no folder{}\n", job.command, job.command == "test" ? "; --junit FILE takes its results" : ""));
  }
  if (job.command == "test") return merge_tests(shards, arguments.junit, arguments.format);
  if (job.command == "survive") return merge_survival(shards, arguments.format);
  std::vector<analysis::ScenarioResults> results;
  if (const std::string problem = analysis::collect(shards, results); !problem.empty()) return wrong(fmt::format("squall: {}\n", problem));
  ManyResults many;
  many.job = &job;
  many.results = &results;
  many.replications = job.replications;
  many.write_firsts = [&](const std::string& folder, const std::string&) -> std::string {
    for (const auto& [name, content] : shards.front().files) {
      if (job.command == "run" && name == "summary.json") continue;  // that of all runs is there
      const std::filesystem::path path = std::filesystem::path(folder) / name;
      if (std::string error = analysis::make_folder(path.parent_path()); !error.empty()) return error;
      if (std::string error = analysis::write_whole_file(path, content); !error.empty()) return error;
    }
    return {};
  };
  return tell(many, arguments.output, arguments.format);
}

}  // namespace

void add_merge_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("merge", "Puts the shards of run, compare, test or survive together: what one process would have told and written, byte for byte");
  command->add_option("shard", arguments->paths, "All shards of one job, or the folder that they are in")->required()->option_text(" ");
  command->add_option("-o,--output", arguments->output, "Folder for what run or compare would have written")->option_text("DIR");
  command->add_option("--format", arguments->format, "text for people (the default), json for programs")->check(CLI::IsMember({"text", "json"}))->option_text("text|json");
  command->add_option("--junit", arguments->junit, "Of shards of test: writes the results as JUnit XML")->option_text("FILE");
  command->footer("Missing shards, those that are there twice, damaged ones and those of another job (other scenarios, seeds, options, versions) are named; exit code 2.\n\n"
                  "Examples: for i in 0 1 2 3; do squall compare a.yaml b.yaml --replications 1000 --shard $i/4 -o parts & done; wait\n"
                  "          squall merge parts -o out");
  command->callback([arguments, &exit_code] { exit_code = merge(*arguments); });
}

}  // namespace cli
