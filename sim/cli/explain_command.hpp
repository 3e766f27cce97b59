/// squall explain pod: why a pod of a scenario is where it is, or why it is Pending, at any instant.
#pragma once

namespace CLI {
class App;
}

namespace cli {

void add_explain_command(CLI::App& app, int& exit_code);

}  // namespace cli
