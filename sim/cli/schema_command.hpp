/// squall schema.
#pragma once

namespace CLI {
class App;
}

namespace cli {
void add_schema_command(CLI::App& app, int& exit_code);
}
