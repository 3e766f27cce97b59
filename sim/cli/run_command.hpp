/// squall run: one scenario, once or many times.
#pragma once

namespace CLI {
class App;
}

namespace cli {
void add_run_command(CLI::App& app, int& exit_code);
}
