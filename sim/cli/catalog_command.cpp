#include "sim/cli/catalog_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "analysis/json_text.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/load.hpp"
#include "sim/cli/progress.hpp"

namespace cli {

namespace {

struct Arguments {
  std::string folder;  // empty: scenarios, or what was installed
  std::string format = "text";
};

/// The scenarios that were installed with the program; empty when there are none.
std::string installed_scenarios() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const std::filesystem::path folder = program.parent_path().parent_path() / "share/squall/scenarios";
  return std::filesystem::is_directory(folder, error) ? folder.string() : std::string();
}

int list_catalog(const Arguments& given) {
  Arguments arguments = given;
  std::error_code error;
  if (arguments.folder.empty()) {
    arguments.folder = "scenarios";
    if (const std::string installed = installed_scenarios(); !std::filesystem::is_directory(arguments.folder, error) && !installed.empty()) arguments.folder = installed;
    error.clear();
  }
  std::vector<std::string> files;
  for (std::filesystem::recursive_directory_iterator it(arguments.folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const std::filesystem::path& path = it->path();
    if ((path.extension() == ".yaml" || path.extension() == ".yml") && it->is_regular_file(ignored) && is_scenario_file(path.string())) files.push_back(path.string());
  }
  if (error) {
    std::fputs(fmt::format("squall: {}: {}\n", arguments.folder, error.message()).c_str(), stderr);
    return kWrongInput;
  }
  if (files.empty()) {
    std::fputs(fmt::format("squall: {}: no scenario in this folder (files with `kind: Scenario`)\n", arguments.folder).c_str(), stderr);
    return kWrongInput;
  }
  std::sort(files.begin(), files.end());
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  writer.StartArray();
  int exit_code = kOk;
  for (const std::string& file : files) {
    const LoadedScenario loaded = load_scenario(file, {}, true);
    if (loaded.spec == nullptr) {
      exit_code = kWrongInput;
      continue;
    }
    const std::string first_line = loaded.description.substr(0, loaded.description.find('\n'));
    if (arguments.format == "text") std::fputs(fmt::format("{}\n    {}\n", file, first_line).c_str(), stdout);
    writer.StartObject();
    analysis::field(writer, "file", file);
    analysis::field(writer, "name", loaded.name);
    analysis::field(writer, "description", loaded.description);
    writer.EndObject();
  }
  writer.EndArray();
  if (arguments.format == "json") std::fputs((std::string(buffer.GetString(), buffer.GetSize()) + "\n").c_str(), stdout);
  return exit_code;
}

}  // namespace

void add_catalog_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("catalog", "Lists the scenarios of a folder with the first line of their story");
  command->add_option("folder", arguments->folder, "Where the scenarios are (default: scenarios, else those that were installed with the program)")->option_text(" ");
  command->add_option("--format", arguments->format, "text for people (the default), json for programs")->check(CLI::IsMember({"text", "json"}))->option_text("text|json");
  command->footer("Example: squall catalog scenarios");
  command->callback([arguments, &exit_code] { exit_code = list_catalog(*arguments); });
}

}  // namespace cli
