/// squall catalog.
#pragma once

namespace CLI {
class App;
}

namespace cli {
void add_catalog_command(CLI::App& app, int& exit_code);
}
