#include "sim/scenario/dump/report.hpp"

#include <fmt/format.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>

namespace sim::scenario::dump {

void Report::note(std::vector<Note>& list, std::string_view what, std::string_view why, const std::string& first) {
  for (Note& one : list) {
    if (one.what != what || one.why != why) continue;
    ++one.count;
    return;
  }
  // A broken dump of a large cluster has as many reasons as objects.
  constexpr std::size_t kNotesMax = 1000;
  constexpr std::string_view kOther = "other reasons";
  if (list.size() >= kNotesMax && why != kOther) return note(list, "object", kOther, first);
  list.push_back(Note{std::string(what), std::string(why), 1, first});
}

namespace {

std::string counts(const std::map<std::string, std::uint64_t>& map) {
  std::string text;
  for (const auto& [name, count] : map) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
  return text;
}

/// Words in lines of at most `width`, each after `indent`.
std::string wrapped(const std::string& words, std::string_view indent, std::size_t width) {
  std::string text;
  std::string line(indent);
  for (std::size_t at = 0; at < words.size();) {
    std::size_t stop = words.find(", ", at);
    stop = stop == std::string::npos ? words.size() : stop + 2;
    std::string_view piece = std::string_view(words).substr(at, stop - at);
    if (line.size() > indent.size() && line.size() + piece.size() > width) {
      while (line.back() == ' ') line.pop_back();
      text += line + "\n";
      line = indent;
    }
    line += piece;
    at = stop;
  }
  return text + line + "\n";
}

void notes(std::string& text, std::string_view title, const std::vector<Report::Note>& list, std::string_view prefix) {
  if (list.empty()) return;
  text += fmt::format("{}{}\n", prefix, title);
  constexpr std::size_t kShown = 40;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Report::Note& one = list[i];
    if (i == kShown) {
      text += fmt::format("{}  and {} more, which --format json tells\n", prefix, list.size() - kShown);
      return;
    }
    text += fmt::format("{}  {} {}", prefix, one.count, one.what);
    if (!one.why.empty()) text += fmt::format(": {}", one.why);
    if (!one.first.empty()) text += fmt::format(" ({}{})", one.count == 1 ? "" : "first: ", one.first);
    text += '\n';
  }
}

std::string fields_of(const FieldCounts& fields) {
  std::string text;
  for (const auto& [field, count] : fields) text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", field, count);
  return text;
}

}  // namespace

std::string report_text(const Report& report) {
  constexpr std::size_t kWidth = 150;
  std::string text = "Taken over\n" + wrapped(report.taken.empty() ? "nothing" : counts(report.taken), "  ", kWidth);
  if (!report.pods_by_phase.empty()) text += fmt::format("  pods: {}\n", counts(report.pods_by_phase));
  notes(text, "Made up, because the dump names it and does not hold it", report.made, "");
  notes(text, "Different when the run begins", report.changed, "");
  notes(text, "Not taken over", report.objects_left_out, "");
  notes(text, "Fields that would change what happens, and are not simulated", report.fields_not_simulated, "");
  if (!report.derived.empty()) text += "Made anew by the simulated cluster\n" + wrapped(counts(report.derived), "  ", kWidth);
  if (!report.without_effect.empty()) text += "Left out: nothing that is simulated reads them\n" + wrapped(counts(report.without_effect), "  ", kWidth);
  if (!report.fields_without_effect.empty()) {
    text += "Fields left out: nothing that is simulated reads them\n" + wrapped(fields_of(report.fields_without_effect), "  ", kWidth);
  }
  return text;
}

std::string report_comment(const Report& report) {
  std::string text;
  notes(text, "Made up, because the dump names it and does not hold it:", report.made, "# ");
  notes(text, "Different when the run begins:", report.changed, "# ");
  notes(text, "Not taken over:", report.objects_left_out, "# ");
  notes(text, "Fields that would change what happens, and are not simulated:", report.fields_not_simulated, "# ");
  return text;
}

std::string report_json(const Report& report, const std::vector<std::string>& files) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  const auto string = [&](std::string_view value) { writer.String(value.data(), static_cast<rapidjson::SizeType>(value.size())); };
  const auto key = [&](std::string_view value) { writer.Key(value.data(), static_cast<rapidjson::SizeType>(value.size())); };
  const auto list = [&](std::string_view name, const std::vector<std::string>& values) {
    key(name);
    writer.StartArray();
    for (const std::string& value : values) string(value);
    writer.EndArray();
  };
  const auto map = [&](std::string_view name, const auto& values) {
    key(name);
    writer.StartObject();
    for (const auto& [what, count] : values) {
      key(what);
      writer.Uint64(count);
    }
    writer.EndObject();
  };
  const auto notes_json = [&](std::string_view name, const std::vector<Report::Note>& values) {
    key(name);
    writer.StartArray();
    for (const Report::Note& one : values) {
      writer.StartObject();
      key("what");
      string(one.what);
      key("why");
      string(one.why);
      key("count");
      writer.Uint64(one.count);
      key("first");
      string(one.first);
      writer.EndObject();
    }
    writer.EndArray();
  };
  writer.StartObject();
  key("schemaVersion");
  writer.Int(1);
  list("sources", report.sources);
  list("files", files);
  key("complete");
  writer.Bool(report.is_complete());
  map("takenOver", report.taken);
  map("podsByPhase", report.pods_by_phase);
  notes_json("madeUp", report.made);
  notes_json("different", report.changed);
  notes_json("notTakenOver", report.objects_left_out);
  notes_json("fieldsNotSimulated", report.fields_not_simulated);
  map("madeAnew", report.derived);
  map("kindsWithoutEffect", report.without_effect);
  map("fieldsWithoutEffect", report.fields_without_effect);
  writer.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

}  // namespace sim::scenario::dump
