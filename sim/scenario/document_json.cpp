#include "sim/scenario/document_parsers.hpp"

namespace sim::scenario::detail {

namespace {

/// RFC 8259 by recursive descent. The depth is bounded by the builder.
class JsonParser {
 public:
  JsonParser(const SourceFile& file, TreeBuilder& builder) : text_(file.text()), builder_(builder) {}

  const NodeData* parse() {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = line_begin_ = 3;
    builder_.begin_document();
    skip_space();
    if (at_ == text_.size()) return nullptr;
    value();
    skip_space();
    if (at_ != text_.size()) builder_.fail(here(), "not valid JSON: unexpected content after the end of the value");
    return builder_.end_document();
  }

 private:
  Position here() const {
    return Position{line_, static_cast<std::uint32_t>(at_ - line_begin_) + 1, static_cast<std::uint32_t>(at_)};
  }
  [[noreturn]] void fail(const char* what) {
    if (at_ >= text_.size()) builder_.fail(here(), std::string("not valid JSON: the file ends here, ") + what);
    builder_.fail(here(), std::string("not valid JSON: ") + what);
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_space() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') {
        ++line_;
        line_begin_ = at_ + 1;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        return;
      }
    }
  }

  void value() {
    switch (peek()) {
      case '{': object(); return;
      case '[': array(); return;
      case '"': {
        const Position start = here();
        const std::string_view content = string();
        builder_.scalar(start, content, false);
        return;
      }
      case 't': word("true"); return;
      case 'f': word("false"); return;
      case 'n': word("null"); return;
      default: number(); return;
    }
  }

  void object() {
    builder_.begin_map(here());
    ++at_;
    skip_space();
    if (peek() == '}') {
      ++at_;
      builder_.end_map();
      return;
    }
    for (;;) {
      if (peek() != '"') fail("expected a key in double quotes");
      const Position start = here();
      const std::string_view key = string();
      builder_.scalar(start, key, false);
      skip_space();
      if (peek() != ':') fail("expected ':'");
      ++at_;
      skip_space();
      value();
      skip_space();
      const char c = peek();
      if (c != ',' && c != '}') fail("expected ',' or '}'");
      ++at_;
      if (c == '}') break;
      skip_space();
    }
    builder_.end_map();
  }

  void array() {
    builder_.begin_sequence(here());
    ++at_;
    skip_space();
    if (peek() == ']') {
      ++at_;
      builder_.end_sequence();
      return;
    }
    for (;;) {
      value();
      skip_space();
      const char c = peek();
      if (c != ',' && c != ']') fail("expected ',' or ']'");
      ++at_;
      if (c == ']') break;
      skip_space();
    }
    builder_.end_sequence();
  }

  void word(std::string_view name) {
    if (!text_.substr(at_).starts_with(name)) fail("expected a value");
    const Position start = here();
    at_ += name.size();
    if (name == "null") {
      builder_.null(start);
    } else {
      builder_.scalar(start, name, true);
    }
  }

  void digits() {
    if (peek() < '0' || peek() > '9') fail("expected a digit");
    while (peek() >= '0' && peek() <= '9') ++at_;
  }
  void number() {
    const Position start = here();
    const std::size_t begin = at_;
    const char first = peek();
    if (first != '-' && (first < '0' || first > '9')) fail("expected a value");
    if (first == '-') ++at_;
    if (peek() == '0') {
      ++at_;
      if (peek() >= '0' && peek() <= '9') fail("a number must not begin with 0");
    } else {
      digits();
    }
    if (peek() == '.') {
      ++at_;
      digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      digits();
    }
    builder_.scalar(start, text_.substr(begin, at_ - begin), true);
  }

  unsigned hex4() {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      unsigned digit = 0;
      if (c >= '0' && c <= '9') {
        digit = static_cast<unsigned>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        digit = static_cast<unsigned>(c - 'a') + 10;
      } else if (c >= 'A' && c <= 'F') {
        digit = static_cast<unsigned>(c - 'A') + 10;
      } else {
        fail("expected four hexadecimal digits");
      }
      code = code * 16 + digit;
    }
    return code;
  }
  void append_utf8(unsigned code) {
    if (code < 0x80) {
      buffer_ += static_cast<char>(code);
    } else if (code < 0x800) {
      buffer_ += static_cast<char>(0xC0 | (code >> 6));
      buffer_ += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      buffer_ += static_cast<char>(0xE0 | (code >> 12));
      buffer_ += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
      buffer_ += static_cast<char>(0x80 | (code & 0x3F));
    } else {
      buffer_ += static_cast<char>(0xF0 | (code >> 18));
      buffer_ += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
      buffer_ += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
      buffer_ += static_cast<char>(0x80 | (code & 0x3F));
    }
  }

  /// The content, valid until the next string.
  std::string_view string() {
    ++at_;
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' && static_cast<unsigned char>(text_[at_]) >= 0x20) ++at_;
    if (peek() == '"') {
      ++at_;
      return text_.substr(begin, at_ - 1 - begin);
    }
    buffer_.assign(text_.substr(begin, at_ - begin));
    for (;;) {
      if (at_ >= text_.size()) fail("expected the end of the string");
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return buffer_;
      }
      if (static_cast<unsigned char>(c) < 0x20) fail("a control character must be escaped in a string");
      if (c != '\\') {
        buffer_ += c;
        ++at_;
        continue;
      }
      ++at_;
      const char escape = peek();
      switch (escape) {
        case '"': case '\\': case '/': buffer_ += escape; ++at_; break;
        case 'b': buffer_ += '\b'; ++at_; break;
        case 'f': buffer_ += '\f'; ++at_; break;
        case 'n': buffer_ += '\n'; ++at_; break;
        case 'r': buffer_ += '\r'; ++at_; break;
        case 't': buffer_ += '\t'; ++at_; break;
        case 'u': {
          ++at_;
          unsigned code = hex4();
          if (code >= 0xDC00 && code < 0xE000) fail("half of a surrogate pair");
          if (code >= 0xD800 && code < 0xDC00) {
            if (!text_.substr(at_).starts_with("\\u")) fail("half of a surrogate pair");
            at_ += 2;
            const unsigned low = hex4();
            if (low < 0xDC00 || low > 0xDFFF) fail("half of a surrogate pair");
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
          }
          if (code == 0) fail("a string must not hold a NUL character");
          append_utf8(code);
          break;
        }
        default: fail("unknown escape in a string");
      }
    }
  }

  std::string_view text_;
  TreeBuilder& builder_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::size_t line_begin_ = 0;
  std::string buffer_;
};

}  // namespace

void parse_json(const SourceFile& file, Arena& arena, Diagnostics& diagnostics, std::vector<const NodeData*>& roots) {
  TreeBuilder builder(file, arena, diagnostics);
  try {
    if (const NodeData* root = JsonParser(file, builder).parse(); root != nullptr) roots.push_back(root);
  } catch (const GiveUp&) {
    // The builder has said why.
  }
}

}  // namespace sim::scenario::detail
