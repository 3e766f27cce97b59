/// squall loop: a real controller beside a scenario with its faults and expectations.
#pragma once

namespace CLI {
class App;
}

namespace cli {

void add_loop_command(CLI::App& app, int& exit_code);

}  // namespace cli
