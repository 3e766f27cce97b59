/// `squall run --rare-event`: its flags, and what it does with them.
///
/// Checked by: tests/cli/rare_events.py.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "sim/cli/load.hpp"
#include "sim/cli/run_options.hpp"

namespace cli {

struct ManyFlags;

struct RareEventFlags {
  std::string subject;  // empty: not asked for
  std::size_t copies = 2;
  std::string settle = "30m";
  std::vector<std::string> bias;
};

/// Adds --rare-event, --copies, --bias, --settle.
void add_rare_event_flags(CLI::App& command, RareEventFlags& flags);
/// What does not go together; empty when all does.
std::string contradiction(const RareEventFlags& rare, const RunFlags& flags, const ManyFlags& many);
/// The exit code.
int run_rare_events(const LoadedScenario& loaded, const RareEventFlags& rare, const RunFlags& flags, bool has_replications, const std::atomic<bool>& stop);

}  // namespace cli
