/// squall generate: manifests of made-up clusters, for trying out and measuring.
#pragma once

namespace CLI {
class App;
}

namespace cli {
void add_generate_command(CLI::App& app, int& exit_code);
}
