#include "sim/cli/import_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/atomic_file.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/progress.hpp"
#include "sim/loop/net/cluster_reader.hpp"
#include "sim/scenario/dump/importer.hpp"
#include "sim/scenario/manifests.hpp"
#include "sim/scenario/scenario.hpp"

namespace cli {

namespace {

namespace fs = std::filesystem;
namespace dump = sim::scenario::dump;

/// More than any API server answers with; a file that never ends must not fill the memory.
constexpr std::size_t kInputBytesMax = std::size_t{4} << 30;

struct Arguments {
  std::vector<std::string> inputs;
  std::string kubeconfig;
  std::string context;
  std::string output;
  std::string format = "text";
  std::vector<std::string> pools;
  bool strict = false;
  bool keep_all = false;
  bool quiet = false;
};

/// False, with the reason told, when it cannot be read.
bool read_text(const std::string& path, std::string& text, sim::scenario::Diagnostics& diagnostics) {
  std::FILE* stream = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  if (stream == nullptr) {
    diagnostics.error_in(path, fmt::format("cannot be opened: {}", std::strerror(errno)));
    return false;
  }
  std::error_code ignored;
  if (path != "-") {
    const std::uintmax_t size = fs::file_size(path, ignored);
    if (!ignored && size <= kInputBytesMax) text.reserve(size + 1);
  }
  constexpr std::size_t kPiece = 1u << 20;
  std::size_t used = 0;
  for (;;) {
    text.resize(used + std::max(kPiece, std::min(text.capacity() - used, std::size_t{64} << 20)));
    const std::size_t got = std::fread(text.data() + used, 1, text.size() - used, stream);
    used += got;
    if (got == 0 || used > kInputBytesMax) break;
  }
  text.resize(used);
  const bool failed = std::ferror(stream) != 0;
  const int error = errno;
  if (path != "-") std::fclose(stream);
  if (failed) diagnostics.error_in(path, fmt::format("cannot be read: {}", std::strerror(error)));
  if (used > kInputBytesMax) diagnostics.error_in(path, "is larger than 4 GiB");
  return !failed && used <= kInputBytesMax;
}

/// Of a folder all dumps in it and below it (kubectl cluster-info dump --output-directory makes one for each namespace).
std::vector<std::string> files_of(const std::string& input, sim::scenario::Diagnostics& diagnostics) {
  std::error_code error;
  if (!fs::is_directory(input, error)) return sim::scenario::expand_path(input, sim::scenario::Place{}, diagnostics);
  std::vector<std::string> found;
  for (fs::recursive_directory_iterator it(input, error), end; !error && it != end; it.increment(error)) {
    const std::string extension = it->path().extension().string();
    std::error_code ignored;
    if (it->is_regular_file(ignored) && (extension == ".yaml" || extension == ".yml" || extension == ".json")) found.push_back(it->path().string());
  }
  if (error) diagnostics.error_in(input, fmt::format("cannot be read: {}", error.message()));
  else if (found.empty()) diagnostics.error_in(input, "the folder holds no .yaml, .yml or .json file");
  std::sort(found.begin(), found.end());
  return found;
}

/// "worker=5,cpu=8,memory=32Gi" as an entry of `pools`. Empty, with the reason told, when it is none.
std::string pool_of(const std::string& text, sim::scenario::Diagnostics& diagnostics) {
  const auto wrong = [&](std::string_view message) {
    sim::scenario::Diagnostic& d = diagnostics.error_in("--pool " + text, std::string(message));
    d.expected = "NAME=COUNT,KEY=VALUE..., like worker=5,cpu=8,memory=32Gi";
    return std::string();
  };
  std::string yaml;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t stop = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, stop - at);
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == part.size()) return wrong("is no pool");
    const std::string key = part.substr(0, equals);
    const std::string value = part.substr(equals + 1);
    if (key.find_first_of(" :#{}[]\"'") != std::string::npos || value.find_first_of(":#{}[]\"'\n") != std::string::npos) return wrong("is no pool");
    yaml += yaml.empty() ? fmt::format("  {}:\n    count: {}\n", key, value) : fmt::format("    {}: {}\n", key, value);
    at = stop + 1;
  }
  // The reader of scenarios knows what a pool may say.
  sim::scenario::Diagnostics found;
  sim::scenario::read_scenario_text("--pool " + text, fmt::format("apiVersion: squall.dev/v1alpha1\nkind: Scenario\n{}pools:\n{}", yaml.find("controlPlane: true") == std::string::npos ? "controlPlane: {external: true}\n" : "", yaml),
                                    {}, found);
  if (!found.has_errors()) return yaml;
  const sim::scenario::Diagnostic first = found.sorted().front();
  sim::scenario::Diagnostic& d = diagnostics.error_in("--pool " + text, first.message);
  d.expected = first.expected;
  d.hint = first.hint;
  return {};
}

int import(const Arguments& arguments) {
  sim::scenario::Diagnostics diagnostics;
  const bool to_stdout = arguments.output == "-";
  dump::ImportOptions options;
  options.keep_all = arguments.keep_all;
  const fs::path output(arguments.output);
  if (to_stdout) {
    options.name = "imported";
    options.inline_bytes = static_cast<std::size_t>(-1);
  } else {
    std::error_code ignored;
    if (fs::is_directory(output, ignored)) diagnostics.error_in(arguments.output, "is a folder").expected = "the name of the scenario's file, like cluster.yaml";
    const std::string extension = output.extension().string();
    if (extension != ".yaml" && extension != ".yml") diagnostics.error_in("-o " + arguments.output, "is no name of a scenario").expected = "a file that ends in .yaml";
    options.name = output.stem().string();
  }
  if (arguments.inputs.empty() && arguments.kubeconfig.empty()) diagnostics.error_in("squall import", "nothing to import").expected = "files of dumps, or --kubeconfig FILE for a live cluster";
  if (!arguments.context.empty() && arguments.kubeconfig.empty()) diagnostics.error_in("--context", "needs --kubeconfig FILE");
  std::optional<sim::loop::ClusterAccess> access;
  if (!arguments.kubeconfig.empty()) access = sim::loop::read_kubeconfig(arguments.kubeconfig, arguments.context, diagnostics);
  for (const std::string& pool : arguments.pools) options.pools += pool_of(pool, diagnostics);
  std::vector<std::string> files;
  for (const std::string& input : arguments.inputs) {
    if (input == "-") {
      files.push_back(input);
      continue;
    }
    for (const std::string& file : files_of(input, diagnostics)) files.push_back(file);
  }
  if (diagnostics.has_errors()) {
    diagnostics.print(stderr);
    return kWrongInput;
  }
  const std::atomic<bool>& stop = stop_on_interrupt();
  Progress progress(arguments.quiet);
  dump::Importer importer(options, diagnostics);
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (stop.load()) return kInterrupted;
    progress.update(static_cast<double>(i) / static_cast<double>(files.size()), files[i]);
    std::string text;
    if (read_text(files[i], text, diagnostics)) importer.read(files[i] == "-" ? "stdin" : files[i], text);
  }
  std::vector<std::string> refused;
  if (access && !diagnostics.has_errors()) {
    const sim::loop::ClusterReading reading = sim::loop::read_cluster(
        *access, [&](const std::string& path, const std::string& text) { importer.read_page(arguments.kubeconfig, path, text); },
        [&](std::size_t done, std::size_t total, const std::string& path) { progress.update(static_cast<double>(done) / static_cast<double>(total), path); }, stop);
    if (stop.load()) return kInterrupted;
    refused = reading.refused;
    if (!reading.error.empty()) diagnostics.error_in(arguments.kubeconfig, reading.error);
  }
  for (const std::string& list : refused) importer.not_had(list);
  const std::vector<dump::OutputFile> made = importer.finish();
  progress.finish();
  if (stop.load()) return kInterrupted;
  if (diagnostics.has_errors() || made.empty()) {
    diagnostics.print(stderr);
    return kWrongInput;
  }
  // What one file holds is read once more before it is written: a pool of --pool may have the name of a node.
  if (made.size() == 1) {
    sim::scenario::Diagnostics again;
    if (sim::scenario::read_scenario_text(output.string(), made.back().content, {}, again) == nullptr) {
      std::fputs("squall import: the scenario would not be valid; nothing is written\n", stderr);
      again.print(stderr);
      return kWrongInput;
    }
  }
  std::vector<std::string> names;
  if (to_stdout) {
    std::fwrite(made.back().content.data(), 1, made.back().content.size(), stdout);
    names.emplace_back("-");
  } else {
    // The scenario last: what it refers to is there when it is.
    for (const dump::OutputFile& file : made) {
      const fs::path path = &file == &made.back() ? output : output.parent_path() / file.name;
      if (const std::string error = analysis::write_whole_file(path, file.content); !error.empty()) {
        std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
        return kCannotWrite;
      }
      names.push_back(path.string());
    }
  }
  const dump::Report& report = importer.report();
  std::string told = arguments.format == "json" ? dump::report_json(report, names) : dump::report_text(report);
  if (arguments.format != "json" && !to_stdout) told += fmt::format("\nNext: squall query {0} --at 1s pods\n      squall run {0}\n", names.back());
  if (!arguments.quiet || arguments.format == "json") std::fputs(told.c_str(), to_stdout ? stderr : stdout);
  return arguments.strict && !report.is_complete() ? kExpectationFailed : kOk;
}

}  // namespace

void add_import_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("import", "Makes a scenario of a cluster's dumps: its first second is the cluster's state, and what could not be taken over is told");
  command->add_option("dump", arguments->inputs, "What kubectl get -o yaml or json printed, of any kinds, kubectl top pods, helm template: files, folders, patterns; - reads standard input")->option_text(" ");
  command->add_option("--kubeconfig", arguments->kubeconfig, "Reads a live cluster, as kubectl would (nothing is written to it)")->option_text("FILE");
  command->add_option("--context", arguments->context, "Of the kubeconfig (default: its current one)")->option_text("NAME");
  command->add_option("-o,--output", arguments->output, "The scenario to write (many objects go into files beside it); - writes one file to standard output")->required()->option_text("FILE");
  command->add_option("--pool", arguments->pools, "Machines for a dump without nodes: NAME=COUNT,cpu=8,memory=32Gi and whatever else a pool may say (may be repeated)")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false)
      ->option_text("POOL");
  command->add_flag("--keep-all", arguments->keep_all, "Keep also what nothing simulated reads, for clients of squall serve");
  command->add_flag("--strict", arguments->strict, "Exit 1 when anything that bears on a run could not be taken over");
  command->add_option("--format", arguments->format, "What is told of the import: text for people (the default), json for programs")->check(CLI::IsMember({"text", "json"}))->option_text("text|json");
  command->add_flag("-q,--quiet", arguments->quiet, "Tell nothing");
  command->footer("Exit codes: 0, 1 with --strict when something is missing, 2 the input is wrong, 3 an output cannot be written.\n\n"
                  "Examples: kubectl get nodes,pods,deploy,rs,sts,ds,jobs,cronjobs,svc,pdb,pvc,pv,sc,priorityclasses -A -o yaml | squall import - -o cluster.yaml\n"
                  "          squall import --kubeconfig ~/.kube/config -o cluster.yaml\n"
                  "          squall import dumps/*.json -o cluster.yaml --strict\n"
                  "          helm template shop ./chart | squall import - --pool worker=6,cpu=8,memory=32Gi -o shop.yaml");
  command->callback([arguments, &exit_code] { exit_code = import(*arguments); });
}

}  // namespace cli
