/// squall survive: which losses the scenario's Ceph survives.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}
namespace analysis {
struct ShardFile;
}

namespace cli {

void add_survive_command(CLI::App& app, int& exit_code);

/// Tells what one process would have: of all shards of one job, sorted. Reads the scenario again. The exit code.
int merge_survival(const std::vector<analysis::ShardFile>& shards, const std::string& format);

}  // namespace cli
