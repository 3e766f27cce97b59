/// squall compare: architectures under the same luck.
#pragma once

namespace CLI {
class App;
}

namespace cli {
void add_compare_command(CLI::App& app, int& exit_code);
}
