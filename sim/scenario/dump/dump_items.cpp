#include "sim/scenario/dump/dump_items.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace sim::scenario::dump {

namespace {

struct Part {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// The objects of a list and the list without them.
struct Cut {
  std::vector<Part> items;
  std::string shell;
};

class Cutter {
 public:
  Cutter(const std::string& name, std::string_view text, Diagnostics& diagnostics, const ItemSink& sink, const std::function<void()>& remains)
      : name_(name), text_(text), diagnostics_(diagnostics), sink_(sink), remains_(remains) {}

  void run() {
    std::size_t begin = text_.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    const std::size_t first = text_.find_first_not_of(" \t\r\n", begin);
    if (first == std::string_view::npos) return;
    if ((text_[first] == '{' || text_[first] == '[') && json(first)) return;
    yaml(begin);
  }

 private:
  // ---- JSON ----

  /// One past the value that begins at `from`, which is an object or a list; npos when it never ends.
  std::size_t json_end(std::size_t from) const {
    std::size_t depth = 0;
    for (std::size_t i = from; i < text_.size(); ++i) {
      switch (text_[i]) {
        case '"':
          i = string_end(i);
          if (i == std::string_view::npos) return i;
          break;
        case '{':
        case '[': ++depth; break;
        case '}':
        case ']':
          if (--depth == 0) return i + 1;
          break;
        default: break;
      }
    }
    return std::string_view::npos;
  }
  /// The closing quote of the string that begins at `from`.
  std::size_t string_end(std::size_t from) const {
    std::size_t i = from + 1;
    for (;;) {
      i = text_.find('"', i);
      if (i == std::string_view::npos) return i;
      std::size_t slashes = 0;
      while (text_[i - 1 - slashes] == '\\') ++slashes;
      if (slashes % 2 == 0) return i;
      ++i;
    }
  }
  std::size_t blank(std::size_t at) const {
    const std::size_t found = text_.find_first_not_of(" \t\r\n", at);
    return found == std::string_view::npos ? text_.size() : found;
  }

  /// False when it is no JSON after all (YAML's flow style), or broken: nothing has been handed on then.
  bool json(std::size_t first) {
    std::vector<Part> values;
    for (std::size_t at = first; at < text_.size(); at = blank(at)) {
      // kubectl cluster-info dump puts the logs of containers between its lists.
      if (text_.compare(at, 14, "==== START log") == 0) {
        const std::size_t over = text_.find("\n==== END log", at);
        if (over == std::string_view::npos) break;
        at = std::min(text_.find('\n', over + 1), text_.size());
        continue;
      }
      if (text_[at] != '{' && text_[at] != '[') return false;
      const std::size_t end = json_end(at);
      if (end == std::string_view::npos) return false;
      values.push_back(Part{at, end});
      at = end;
    }
    for (const Part& value : values) {
      if (const std::optional<Cut> cut = json_items(value)) {
        list(*cut, value, false);
      } else {
        one(value, ListOf{}, false);
      }
    }
    return true;
  }

  /// The members of "items" of the object, when it has such a list.
  std::optional<Cut> json_items(const Part& value) const {
    if (text_[value.begin] == '[') return elements(value.begin, value);
    std::size_t at = blank(value.begin + 1);
    while (at < value.end && text_[at] == '"') {
      const std::size_t key_end = string_end(at);
      if (key_end == std::string_view::npos) return std::nullopt;
      const std::string_view key = text_.substr(at + 1, key_end - at - 1);
      at = blank(key_end + 1);
      if (at >= value.end || text_[at] != ':') return std::nullopt;
      at = blank(at + 1);
      if (at >= value.end) return std::nullopt;
      if (key == "items" && text_[at] == '[') return elements(at, value);
      if (text_[at] == '{' || text_[at] == '[') {
        at = json_end(at);
      } else if (text_[at] == '"') {
        at = string_end(at);
        if (at != std::string_view::npos) ++at;
      } else {
        at = text_.find_first_of(",}", at);
      }
      if (at == std::string_view::npos) return std::nullopt;
      at = blank(at);
      if (at < value.end && text_[at] == ',') at = blank(at + 1);
    }
    return std::nullopt;
  }

  std::optional<Cut> elements(std::size_t bracket, const Part& value) const {
    Cut cut;
    std::size_t at = blank(bracket + 1);
    while (at < value.end && text_[at] != ']') {
      if (text_[at] != '{') return std::nullopt;
      const std::size_t end = json_end(at);
      if (end == std::string_view::npos) return std::nullopt;
      cut.items.push_back(Part{at, end});
      at = blank(end);
      if (at < value.end && text_[at] == ',') at = blank(at + 1);
    }
    if (at >= value.end) return std::nullopt;
    cut.shell = std::string(text_.substr(value.begin, bracket + 1 - value.begin)) + std::string(text_.substr(at, value.end - at));
    return cut;
  }

  // ---- YAML ----

  static bool is_separator(std::string_view line) { return line.starts_with("---") && (line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r'); }
  std::string_view line_at(std::size_t at) const {
    const std::size_t stop = text_.find('\n', at);
    return text_.substr(at, (stop == std::string_view::npos ? text_.size() : stop) - at);
  }

  void yaml(std::size_t begin) {
    for (std::size_t at = begin; at < text_.size(); at += line_at(at).size() + 1) {
      if (text_[at] == '%') return whole();  // directives belong to the document after them
    }
    std::size_t start = begin;
    for (std::size_t at = begin; at < text_.size();) {
      const std::string_view line = line_at(at);
      if (at > start && is_separator(line)) {
        document(Part{start, at});
        start = at;
      }
      at += line.size() + 1;
    }
    document(Part{start, text_.size()});
  }

  void document(const Part& part) {
    if (const std::optional<Cut> cut = yaml_items(part)) {
      list(*cut, part, true);
    } else {
      one(part, ListOf{}, true);
    }
  }

  /// The members of a block sequence under `items:` at the left margin.
  std::optional<Cut> yaml_items(const Part& part) const {
    std::size_t items = std::string_view::npos;
    for (std::size_t at = part.begin; at < part.end;) {
      const std::string_view line = line_at(at);
      if (line.starts_with("items:") && line.find_first_not_of(" \t\r", 6) == std::string_view::npos) {
        items = at;
        break;
      }
      at += line.size() + 1;
    }
    if (items == std::string_view::npos) return std::nullopt;
    Cut cut;
    std::size_t at = items + line_at(items).size() + 1;
    std::size_t indent = std::string_view::npos;
    while (at < part.end) {
      const std::string_view line = line_at(at);
      const std::size_t content = line.find_first_not_of(' ');
      const bool is_blank = content == std::string_view::npos || line[content] == '\r' || line[content] == '#';
      if (!is_blank) {
        const bool dash = line[content] == '-' && (content + 1 == line.size() || line[content + 1] == ' ' || line[content + 1] == '\r');
        if (indent == std::string_view::npos) {
          if (!dash) return std::nullopt;
          indent = content;
        }
        if (content < indent || (content == indent && !dash)) break;
        if (content == indent) cut.items.push_back(Part{at, at});
      }
      at += line.size() + 1;
      if (!cut.items.empty()) cut.items.back().end = std::min(at, part.end);
    }
    if (cut.items.empty()) return std::nullopt;
    // An alias may stand for something in another item.
    for (std::size_t i = part.begin; (i = text_.find_first_of("&*", i)) != std::string_view::npos && i < part.end; ++i) {
      if (i > part.begin && text_[i - 1] == ' ' && i + 1 < part.end && text_[i + 1] != ' ' && text_[i + 1] != '\n') {
        const std::size_t before = text_.find_last_not_of(' ', i - 1);
        if (before != std::string_view::npos && (text_[before] == ':' || text_[before] == '-')) return std::nullopt;
      }
    }
    const std::size_t end = cut.items.back().end;
    cut.shell = std::string(text_.substr(part.begin, items - part.begin)) + std::string(text_.substr(end, part.end - end));
    return cut;
  }

  // ---- both ----

  void whole() {
    Diagnostics found;
    const std::shared_ptr<const Document> read = load_text(name_, std::string(text_), found);
    diagnostics_.append(std::move(found));
    for (const Node& root : read->roots()) sink_(Item{read, root, ListOf{}, 0});
  }

  void list(const Cut& cut, const Part& part, bool is_yaml) {
    ListOf list;
    {
      Diagnostics found;
      const std::shared_ptr<const Document> shell = load_text(name_, cut.shell, found);
      const Node root = shell->root();
      const std::string_view kind = root.find("kind").text();
      const std::string_view version = root.find("apiVersion").text();
      // A custom resource of a user's may have `items` of its own.
      if (found.has_errors() || (root.is_map() && !kind.empty() && !kind.ends_with("List"))) return one(part, ListOf{}, is_yaml);
      if (kind.size() > 4) {
        list.kind = std::string(kind.substr(0, kind.size() - 4));
        list.api_version = std::string(version);
      }
      if (remains_ && !root.find("metadata").find("continue").text().empty()) remains_();
    }
    for (const Part& item : cut.items) one(item, list, is_yaml);
  }

  /// Reads one object by itself; what is wrong with it is told at its place in the whole text.
  void one(const Part& part, const ListOf& list, bool is_yaml) {
    line_ += static_cast<std::uint32_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(counted_), text_.begin() + static_cast<std::ptrdiff_t>(part.begin), '\n'));
    counted_ = part.begin;
    std::string own(text_.substr(part.begin, part.end - part.begin));
    const bool is_item = is_yaml && !own.starts_with("---") && own.find_first_not_of(' ') != std::string::npos && own[own.find_first_not_of(' ')] == '-';
    // The dash of its list goes; the columns stay.
    if (is_item) own[own.find_first_not_of(' ')] = ' ';
    Diagnostics found;
    const std::shared_ptr<const Document> read = load_text(name_, std::move(own), found);
    if (found.has_errors() || found.warning_count() > 0) {
      const std::size_t line_begin = part.begin == 0 ? 0 : text_.rfind('\n', part.begin - 1) == std::string_view::npos ? 0 : text_.rfind('\n', part.begin - 1) + 1;
      for (Diagnostic diagnostic : found.sorted()) {
        if (diagnostic.line == 1) diagnostic.column += static_cast<std::uint32_t>(part.begin - line_begin);
        if (diagnostic.line != 0) diagnostic.line += line_;
        diagnostics_.add(std::move(diagnostic));
      }
    }
    for (const Node& root : read->roots()) sink_(Item{read, root, list, line_});
  }

  const std::string& name_;
  std::string_view text_;
  Diagnostics& diagnostics_;
  const ItemSink& sink_;
  const std::function<void()>& remains_;
  std::size_t counted_ = 0;  // up to here lines have been counted
  std::uint32_t line_ = 0;
};

}  // namespace

void for_each_item(const std::string& name, std::string_view text, Diagnostics& diagnostics, const ItemSink& sink, const std::function<void()>& remains) {
  Cutter(name, text, diagnostics, sink, remains).run();
}

}  // namespace sim::scenario::dump
