/// squall survive: which losses the scenario's Ceph survives.
#pragma once

namespace CLI {
class App;
}

namespace cli {
void add_survive_command(CLI::App& app, int& exit_code);
}
