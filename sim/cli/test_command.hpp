/// squall test: expectations as a verdict for CI.
#pragma once

namespace CLI {
class App;
}

namespace cli {
void add_test_command(CLI::App& app, int& exit_code);
}
