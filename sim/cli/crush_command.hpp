/// squall crush: placements, dumps and look-ups as crushtool and osdmaptool print them.
#pragma once

namespace CLI {
class App;
}

namespace cli {
void add_crush_command(CLI::App& app, int& exit_code);
}
