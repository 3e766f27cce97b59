/// squall what-if.
#pragma once

namespace CLI {
class App;
}

namespace cli {
void add_what_if_command(CLI::App& app, int& exit_code);
}
