#include "sim/cli/replay_note.hpp"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "analysis/atomic_file.hpp"
#include "analysis/json_text.hpp"
#include "sim/scenario/document.hpp"

namespace cli {

namespace {
constexpr const char* kFile = "replay.json";
}

std::string write_replay_note(const ReplayNote& note, const std::string& folder) {
  std::error_code ignored;
  const std::filesystem::path target = std::filesystem::weakly_canonical(note.scenario, ignored);
  const std::filesystem::path seen = std::filesystem::relative(target, std::filesystem::weakly_canonical(folder, ignored), ignored);
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  writer.StartObject();
  analysis::field(writer, "schemaVersion", std::uint64_t{1});
  analysis::field(writer, "scenario", (seen.empty() ? target : seen).string());
  // As a text: a seed may be larger than what every reader of JSON takes for a number.
  analysis::field(writer, "seed", fmt::format("{}", note.seed));
  if (!note.until.empty()) analysis::field(writer, "until", note.until);
  analysis::key(writer, "set");
  writer.StartArray();
  for (const std::string& one : note.overrides) analysis::text(writer, one);
  writer.EndArray();
  if (!note.hash.empty()) analysis::field(writer, "eventLogHash", note.hash);
  writer.EndObject();
  return analysis::write_whole_file(std::filesystem::path(folder) / kFile, std::string(buffer.GetString(), buffer.GetSize()) + "\n");
}

std::optional<ReplayNote> read_replay_note(const std::string& folder, std::string& error) {
  const std::filesystem::path path = std::filesystem::path(folder) / kFile;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    const bool hunted = std::filesystem::exists(std::filesystem::path(folder) / "hunt.json", ignored);
    error = hunted ? fmt::format("{}: squall hunt wrote this folder; name one of the findings in it, like {}", folder, (std::filesystem::path(folder) / "finding-1.yaml").string())
                   : fmt::format("{}: no {} in this folder; it is written by `squall run -o`", folder, kFile);
    return std::nullopt;
  }
  sim::scenario::Diagnostics diagnostics;
  const auto document = sim::scenario::load_file(path.string(), diagnostics);
  const sim::scenario::Node root = document == nullptr ? sim::scenario::Node{} : document->root();
  ReplayNote note;
  const std::string_view seed = root.find("seed").text();
  const auto [end, problem] = std::from_chars(seed.data(), seed.data() + seed.size(), note.seed);
  if (diagnostics.has_errors() || root.find("scenario").text().empty() || seed.empty() || problem != std::errc{} || end != seed.data() + seed.size()) {
    error = fmt::format("{}: not what `squall run -o` writes: it needs 'scenario' and 'seed'", path.string());
    return std::nullopt;
  }
  note.scenario = (std::filesystem::path(folder) / root.find("scenario").text()).lexically_normal().string();
  note.until = std::string(root.find("until").text());
  const sim::scenario::Node set = root.find("set");
  for (std::size_t i = 0; set.is_sequence() && i < set.size(); ++i) note.overrides.emplace_back(set.item(i).text());
  note.hash = std::string(root.find("eventLogHash").text());
  return note;
}

}  // namespace cli
