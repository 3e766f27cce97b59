/// squall fit.
#pragma once

namespace CLI {
class App;
}

namespace cli {
void add_fit_command(CLI::App& app, int& exit_code);
}
