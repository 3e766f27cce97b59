/// `squall replay`: a run again, compared with what it was, and looked at.
#pragma once

namespace CLI {
class App;
}

namespace cli {

void add_replay_command(CLI::App& app, int& exit_code);

}  // namespace cli
