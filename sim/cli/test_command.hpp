/// squall test: expectations as a verdict for CI.
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

void add_test_command(CLI::App& app, int& exit_code);

/// Tells and writes what one process would have: of all shards of one job, sorted. The exit code.
int merge_tests(const std::vector<analysis::ShardFile>& shards, const std::string& junit, const std::string& format);

}  // namespace cli
