/// `squall hunt`: searches for faults that break an expectation.
#pragma once

namespace CLI {
class App;
}

namespace cli {

void add_hunt_command(CLI::App& app, int& exit_code);

}  // namespace cli
