/// squall plan: the cheapest machines that carry a scenario's workload and stand what its section `plan` asks for.
#pragma once

namespace CLI {
class App;
}

namespace cli {

void add_plan_command(CLI::App& app, int& exit_code);

}  // namespace cli
