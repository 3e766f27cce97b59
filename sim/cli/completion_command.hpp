/// squall completion and squall manual: what shells and man need to know, from the same definitions as --help.
#pragma once

namespace CLI {
class App;
}

namespace cli {

/// After all others: they tell of the commands that the program has then.
void add_completion_command(CLI::App& app, int& exit_code);

}  // namespace cli
