/// squall import: dumps of a cluster become a scenario.
#pragma once

namespace CLI {
class App;
}

namespace cli {

void add_import_command(CLI::App& app, int& exit_code);

}  // namespace cli
