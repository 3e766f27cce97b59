/// squall serve: the simulated cluster's API for real clients.
#pragma once

namespace CLI {
class App;
}

namespace cli {

void add_serve_command(CLI::App& app, int& exit_code);

}  // namespace cli
