#include "sim/scenario/dump/usage_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/models/kubernetes/api/resources.hpp"

namespace sim::scenario::dump {

namespace {

/// The words of a line: separated by commas, or by blanks.
std::vector<std::string_view> words_of(std::string_view line, bool is_csv) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < line.size();) {
    if (is_csv) {
      const std::size_t stop = std::min(line.find(',', at), line.size());
      words.push_back(line.substr(at, stop - at));
      at = stop + 1;
      continue;
    }
    at = line.find_first_not_of(" \t", at);
    if (at == std::string_view::npos) break;
    const std::size_t stop = std::min(line.find_first_of(" \t", at), line.size());
    words.push_back(line.substr(at, stop - at));
    at = stop;
  }
  return words;
}

std::string_view line_at(std::string_view text, std::size_t at) {
  std::string_view line = text.substr(at, std::min(text.find('\n', at), text.size()) - at);
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  return line;
}

}  // namespace

bool is_table(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first == std::string_view::npos) return false;
  const std::string_view line = line_at(text, first);
  for (const std::string_view head : {"NAME", "NAMESPACE", "POD"}) {
    if (line.starts_with(head) && line.size() > head.size() && (line[head.size()] == ' ' || line[head.size()] == ',' || line[head.size()] == '\t')) return true;
  }
  return false;
}

Table read_table(const std::string& name, std::string_view text, Diagnostics& diagnostics) {
  Table table;
  std::size_t at = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  std::uint32_t number = 1 + static_cast<std::uint32_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
  const std::string_view head = line_at(text, at);
  const bool is_csv = head.find(',') != std::string_view::npos;
  const std::vector<std::string_view> columns = words_of(head, is_csv);
  const auto column = [&](std::string_view wanted) -> std::optional<std::size_t> {
    const auto found = std::find(columns.begin(), columns.end(), wanted);
    return found == columns.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - columns.begin()));
  };
  table.columns = std::string(head);
  const std::optional<std::size_t> ns = column("NAMESPACE");
  const std::optional<std::size_t> pod = column("NAME");
  const std::optional<std::size_t> cpu = column("CPU(cores)");
  const std::optional<std::size_t> memory = column("MEMORY(bytes)");
  table.is_of_pods = pod && cpu && memory && !column("CPU%") && !column("CPU(%)");
  if (!table.is_of_pods) return table;
  for (at += head.size(); at < text.size();) {
    at = std::min(text.find('\n', at), text.size());
    if (at == text.size()) break;
    ++at;
    ++number;
    const std::string_view line = line_at(text, at);
    if (line.empty()) continue;
    const std::vector<std::string_view> words = words_of(line, is_csv);
    const auto word = [&](std::size_t index) { return index < words.size() ? words[index] : std::string_view{}; };
    PodUsage usage;
    if (ns) usage.ns = word(*ns);
    usage.name = word(*pod);
    const std::optional<std::int64_t> milli = k8s::parse_quantity_milli(word(*cpu));
    const std::optional<std::int64_t> bytes = k8s::parse_quantity(word(*memory));
    if (usage.name.empty() || !milli || !bytes || *milli < 0 || *bytes < 0) {
      Diagnostic wrong;
      wrong.file = name;
      wrong.line = number;
      wrong.column = 1;
      wrong.message = "is no row of kubectl top pods";
      wrong.expected = "values under NAME, CPU(cores) and MEMORY(bytes), like web-0 101m 17Mi";
      wrong.source_line = std::string(line);
      diagnostics.add(std::move(wrong));
      continue;
    }
    usage.cpu_milli = *milli;
    usage.memory = *bytes;
    table.pods.push_back(std::move(usage));
  }
  return table;
}

}  // namespace sim::scenario::dump
