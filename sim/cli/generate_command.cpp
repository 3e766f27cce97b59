#include "sim/cli/generate_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "analysis/atomic_file.hpp"
#include "analysis/cluster_generator.hpp"
#include "sim/cli/interrupt.hpp"
#include "sim/cli/run_options.hpp"

namespace cli {

namespace {

int write_into(const std::string& folder, const analysis::GeneratedCluster& cluster) {
  const std::filesystem::path path(folder);
  std::string error = analysis::make_folder(path);
  if (error.empty()) error = analysis::write_whole_file(path / "nodes.yaml", cluster.nodes);
  if (error.empty()) error = analysis::write_whole_file(path / "pods.yaml", cluster.pods);
  if (error.empty()) return kOk;
  std::fputs(fmt::format("squall: {}\n", error).c_str(), stderr);
  return kCannotWrite;
}

}  // namespace

void add_generate_command(CLI::App& app, int& exit_code) {
  struct Arguments {
    std::size_t nodes = 1213;
    std::size_t pods = 7064;
    std::uint64_t seed = 1;
    std::string folder;
  };
  CLI::App* command = app.add_subcommand("generate", "Makes manifests of a made-up cluster, for trying out and measuring");
  command->require_subcommand(1);
  command->footer("Example: squall generate k8s-sims -o cluster && squall schedule cluster");
  auto arguments = std::make_shared<Arguments>();
  CLI::App* sims = command->add_subcommand("k8s-sims", "A machine-learning cluster in the shape of the k8s-sims benchmark (our own mix of sizes)");
  sims->add_option("--nodes", arguments->nodes, "How many nodes (default: 1213)")->check(CLI::Range(0, 1'000'000))->option_text("N");
  sims->add_option("--pods", arguments->pods, "How many pods (default: 7064)")->check(CLI::Range(0, 10'000'000))->option_text("N");
  sims->add_option("--seed", arguments->seed, "The same seed gives the same manifests (default: 1)")->check(is_seed)->option_text("N");
  sims->add_option("-o,--output", arguments->folder, "Folder for nodes.yaml and pods.yaml; without it everything goes to standard output")->option_text("DIR");
  sims->footer("Example: squall generate k8s-sims --nodes 500 --pods 3000 -o cluster && squall schedule cluster");
  sims->callback([arguments, &exit_code] {
    const analysis::GeneratedCluster cluster = analysis::generate_k8s_sims(arguments->nodes, arguments->pods, arguments->seed);
    if (!arguments->folder.empty()) {
      exit_code = write_into(arguments->folder, cluster);
      return;
    }
    std::fwrite(cluster.nodes.data(), 1, cluster.nodes.size(), stdout);
    if (!cluster.nodes.empty() && !cluster.pods.empty()) std::fputs("---\n", stdout);
    std::fwrite(cluster.pods.data(), 1, cluster.pods.size(), stdout);
  });
}

}  // namespace cli
