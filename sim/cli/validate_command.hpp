/// squall validate.
#pragma once

namespace CLI {
class App;
}

namespace cli {
void add_validate_command(CLI::App& app, int& exit_code);
}
