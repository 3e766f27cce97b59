/// squall merge SHARD...: what one process would have told, from the parts that many ran.
#pragma once

namespace CLI {
class App;
}

namespace cli {

void add_merge_command(CLI::App& app, int& exit_code);

}  // namespace cli
