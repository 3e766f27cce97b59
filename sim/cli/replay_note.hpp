/// replay.json: what `squall replay` needs to make a run again, in the folder that the run's files are in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cli {

struct ReplayNote {
  std::string scenario;  // file; written as seen from the folder, read as seen from here
  std::uint64_t seed = 1;
  std::string until;     // empty: the scenario's
  std::vector<std::string> overrides;
  std::string hash;      // event-log hash; empty: not known
};

/// Empty on success, else why it cannot be written.
std::string write_replay_note(const ReplayNote& note, const std::string& folder);
/// Nothing, with the reason in `error`, when the folder has none or it cannot be read.
std::optional<ReplayNote> read_replay_note(const std::string& folder, std::string& error);

}  // namespace cli
