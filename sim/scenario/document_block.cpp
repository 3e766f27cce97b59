#include "sim/scenario/document_parsers.hpp"

namespace sim::scenario::detail {

namespace {

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
bool is_key_char(char c) { return is_alnum(c) || c == '_' || c == '-' || c == '.' || c == '/'; }
bool is_null_word(std::string_view text) { return text == "~" || text == "null" || text == "Null" || text == "NULL"; }

// yaml-cpp takes no longer text for a key.
constexpr std::size_t kKeyLimit = 1000;

}  // namespace

BlockParser::BlockParser(const SourceFile& file, Arena& arena) : text_(file.text()), builder_(file, arena, diagnostics_) {}

bool BlockParser::parse(std::uint32_t begin, std::uint32_t end, std::uint32_t first_line, const NodeData*& root) {
  diagnostics_ = Diagnostics{};
  open_.clear();
  pending_ = false;
  builder_.begin_document();
  try {
    if (!lines(begin, end, first_line)) return false;
    if (pending_) builder_.null(pending_at_);
    while (!open_.empty()) close();
    root = builder_.end_document();
  } catch (const GiveUp&) {
    return false;
  }
  return diagnostics_.empty();
}

bool BlockParser::lines(std::size_t begin, std::size_t end, std::uint32_t number) {
  for (std::size_t at = begin; at < end; ++number) {
    std::size_t stop = text_.find('\n', at);
    if (stop == std::string_view::npos || stop > end) stop = end;
    const std::string_view line = text_.substr(at, stop - at);
    line_begin_ = at;
    line_ = number;
    at = stop + 1;
    std::size_t indent = 0;
    while (indent < line.size() && line[indent] == ' ') ++indent;
    if (indent == line.size() || line[indent] == '#') continue;
    for (const char c : line) {
      if (c < 0x20 || c > 0x7e) return false;
    }
    if (indent == 0 && (line.starts_with("---") || line.starts_with("..."))) {
      if (line_begin_ != begin || line.find_first_not_of(' ', 3) != std::string_view::npos || line[0] == '.') return false;
      continue;
    }
    if (!content(line, indent)) return false;
  }
  return true;
}

bool BlockParser::content(std::string_view line, std::size_t indent) {
  const bool dash = line[indent] == '-' && indent + 1 < line.size() && line[indent + 1] == ' ';
  bool opens = open_.empty();
  if (pending_) {
    const std::size_t of_key = open_.back().indent;
    if (indent > of_key || (indent == of_key && dash)) {
      opens = true;
    } else {
      builder_.null(pending_at_);
    }
    pending_ = false;
  }
  if (!opens) {
    while (!open_.empty() && (open_.back().indent > indent || (open_.back().indent == indent && open_.back().is_sequence && !dash))) close();
    if (open_.empty() || open_.back().indent != indent || open_.back().is_sequence != dash) return false;
  } else if (dash) {
    builder_.begin_sequence(at(indent));
    open_.push_back(Open{indent, true});
  }
  if (!dash) return key(line, indent, opens);
  const std::size_t item = line.find_first_not_of(' ', indent + 1);
  if (item == std::string_view::npos) return false;
  return is_key_char(line[item]) && key_end(line, item) != std::string_view::npos ? key(line, item, true) : value(line, item);
}

/// One past the key that begins at `from`, where its colon is; npos when there is no key of letters, digits and -_./ there.
std::size_t BlockParser::key_end(std::string_view line, std::size_t from) const {
  if (!is_alnum(line[from]) && line[from] != '_') return std::string_view::npos;
  std::size_t end = from;
  while (end < line.size() && is_key_char(line[end])) ++end;
  if (end >= line.size() || line[end] != ':' || (end + 1 < line.size() && line[end + 1] != ' ') || end - from > kKeyLimit) return std::string_view::npos;
  return end;
}

bool BlockParser::key(std::string_view line, std::size_t from, bool opens) {
  const std::size_t end = key_end(line, from);
  if (end == std::string_view::npos) return false;
  const std::string_view name = line.substr(from, end - from);
  if (is_null_word(name)) return false;
  if (opens) {
    builder_.begin_map(at(from));
    open_.push_back(Open{from, false});
  }
  builder_.scalar(at(from), name, true);
  const std::size_t begin = line.find_first_not_of(' ', end + 1);
  if (begin == std::string_view::npos || line[begin] == '#') {
    pending_ = true;
    pending_at_ = at(from);
    return true;
  }
  return value(line, begin);
}

bool BlockParser::value(std::string_view line, std::size_t from) {
  const char first = line[from];
  const auto nothing_after = [&](std::size_t end) {
    const std::size_t more = line.find_first_not_of(' ', end);
    return more == std::string_view::npos || (line[more] == '#' && more > end);
  };
  if (first == '"' || first == '\'') {
    const std::size_t end = line.find(first, from + 1);
    if (end == std::string_view::npos || !nothing_after(end + 1)) return false;
    const std::string_view inside = line.substr(from + 1, end - from - 1);
    if (first == '"' && inside.find('\\') != std::string_view::npos) return false;
    builder_.scalar(at(from), inside, false);
    return true;
  }
  if ((first == '{' || first == '[') && line.substr(from, 2) == (first == '{' ? "{}" : "[]") && nothing_after(from + 2)) {
    if (first == '{') {
      builder_.begin_map(at(from));
      builder_.end_map();
    } else {
      builder_.begin_sequence(at(from));
      builder_.end_sequence();
    }
    return true;
  }
  const bool minus = first == '-' && from + 1 < line.size() && is_alnum(line[from + 1]);
  if (!is_alnum(first) && first != '_' && first != '/' && first != '.' && first != '+' && !minus) return false;
  std::size_t end = line.size();
  for (std::size_t i = from; i < line.size(); ++i) {
    if (line[i] == ':' && (i + 1 == line.size() || line[i + 1] == ' ')) return false;
    if (line[i] == '#' && line[i - 1] == ' ') {
      end = i;
      break;
    }
  }
  while (line[end - 1] == ' ') --end;
  const std::string_view plain = line.substr(from, end - from);
  if (is_null_word(plain)) {
    builder_.null(at(from));
  } else {
    builder_.scalar(at(from), plain, true);
  }
  return true;
}

void BlockParser::close() {
  if (open_.back().is_sequence) {
    builder_.end_sequence();
  } else {
    builder_.end_map();
  }
  open_.pop_back();
}

}  // namespace sim::scenario::detail
