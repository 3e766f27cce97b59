/// squall query: any instant of a scenario in the words of kubectl and ceph.
#pragma once

namespace CLI {
class App;
}

namespace cli {

void add_query_command(CLI::App& app, int& exit_code);

}  // namespace cli
