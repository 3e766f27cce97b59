// The only file that includes yaml-cpp. Its events are fast enough; its own tree is not, and forgets duplicate keys.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <istream>
#include <streambuf>

#include "sim/scenario/document_parsers.hpp"

namespace sim::scenario::detail {

namespace {

/// A stream over bytes that are in memory already.
class MemoryBuffer : public std::streambuf {
 public:
  explicit MemoryBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // a get area is never written to
    setg(begin, begin, begin + text.size());
  }
};

class Handler : public YAML::EventHandler {
 public:
  Handler(TreeBuilder& builder, std::string_view text, std::uint32_t begin, std::uint32_t first_line)
      : builder_(builder), text_(text), begin_(begin), first_line_(first_line) {}

  Position at(const YAML::Mark& mark) const {
    if (mark.is_null()) return Position{first_line_, 1, begin_};
    return Position{first_line_ + static_cast<std::uint32_t>(mark.line), static_cast<std::uint32_t>(mark.column) + 1,
                    begin_ + static_cast<std::uint32_t>(mark.pos)};
  }

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { builder_.null(at(mark), anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override { builder_.alias(at(mark), anchor); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    bool plain = false;
    if (tag != "?") expect_closing_quote(mark);
    if (tag == "?") {  // no tag, no quotes
      plain = true;
    } else if (tag == "!" || tag == "tag:yaml.org,2002:str" || tag.empty()) {
      plain = false;
    } else if (tag == "tag:yaml.org,2002:int" || tag == "tag:yaml.org,2002:float" || tag == "tag:yaml.org,2002:bool" ||
               tag == "tag:yaml.org,2002:merge") {
      plain = true;
    } else if (tag == "tag:yaml.org,2002:null") {
      builder_.null(at(mark), anchor);
      return;
    } else {
      builder_.fail(at(mark), "the tag '" + tag + "' is not supported");
    }
    builder_.scalar(at(mark), value, plain, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    if (tag != "?" && tag != "!" && !tag.empty() && tag != "tag:yaml.org,2002:seq") {
      builder_.fail(at(mark), "the tag '" + tag + "' is not supported");
    }
    builder_.begin_sequence(at(mark), anchor);
  }
  void OnSequenceEnd() override { builder_.end_sequence(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    if (tag != "?" && tag != "!" && !tag.empty() && tag != "tag:yaml.org,2002:map") {
      builder_.fail(at(mark), "the tag '" + tag + "' is not supported");
    }
    builder_.begin_map(at(mark), anchor);
  }
  void OnMapEnd() override { builder_.end_map(); }

  const YAML::Mark& start() const { return start_; }

 private:
  /// yaml-cpp takes the end of the file for the end of a quoted string when a line break stands before it: half of a file would pass for all of it.
  void expect_closing_quote(const YAML::Mark& mark) {
    auto at = static_cast<std::size_t>(mark.pos);
    while (at < text_.size() && (text_[at] == '&' || text_[at] == '!')) {  // anchor and tag
      at = std::min(text_.find_first_of(" \t\r\n", at), text_.size());
      at = std::min(text_.find_first_not_of(" \t\r\n", at), text_.size());
    }
    if (at >= text_.size() || (text_[at] != '"' && text_[at] != '\'')) return;
    const char quote = text_[at];
    for (std::size_t i = at + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\' && quote == '"') {
        ++i;
      } else if (text_[i] == quote) {
        if (quote == '"' || i + 1 >= text_.size() || text_[i + 1] != quote) return;
        ++i;  // '' is a quote inside of the string
      }
    }
    builder_.fail(this->at(mark), "not valid YAML: this quote is never closed");
  }

  TreeBuilder& builder_;
  std::string_view text_;
  std::uint32_t begin_;
  std::uint32_t first_line_;
  YAML::Mark start_;
};

/// Whether [from, to) holds a line that begins with a document marker.
bool has_marker(std::string_view text, std::size_t from, std::size_t to) {
  while (from < to) {
    const std::string_view line = text.substr(from, to - from);
    if (line.starts_with("---") || line.starts_with("...")) return true;
    const std::size_t next = line.find('\n');
    if (next == std::string_view::npos) return false;
    from += next + 1;
  }
  return false;
}

}  // namespace

void parse_yaml(const SourceFile& file, std::uint32_t begin, std::uint32_t end, std::uint32_t first_line, Arena& arena,
                Diagnostics& diagnostics, std::vector<const NodeData*>& roots) {
  const std::string_view text = file.text().substr(begin, end - begin);
  MemoryBuffer buffer(text);
  std::istream stream(&buffer);
  TreeBuilder builder(file, arena, diagnostics);
  Handler handler(builder, text, begin, first_line);
  try {
    YAML::Parser parser(stream);
    std::size_t document_start = 0;
    for (bool first = true;; first = false) {
      builder.begin_document();
      if (!parser.HandleNextDocument(handler)) break;
      const auto position = static_cast<std::size_t>(handler.start().pos);
      // yaml-cpp takes whatever follows a finished document for a new one, and can do so without end.
      if (!first && !has_marker(text, document_start, std::min(position + 3, text.size()))) {
        builder.fail(handler.at(handler.start()), "unexpected content after the end of the document");
      }
      const std::size_t line_end = text.find('\n', position);
      document_start = line_end == std::string_view::npos ? text.size() : line_end + 1;
      if (const NodeData* root = builder.end_document(); root != nullptr) roots.push_back(root);
    }
  } catch (const YAML::Exception& error) {
    const Position at = handler.at(error.mark);
    Diagnostic& d = diagnostics.error(Place{file.shared_from_this(), at.line, at.column}, "not valid YAML: " + error.msg);
    const std::size_t content = d.source_line.find_first_not_of(" \t");
    if (d.source_line.substr(0, content).find('\t') != std::string::npos) d.hint = "YAML is indented with spaces, and a tab stands here";
  } catch (const GiveUp&) {
    // The builder has said why.
  }
}

}  // namespace sim::scenario::detail
