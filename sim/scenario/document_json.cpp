#include <rapidjson/reader.h>

#include <algorithm>

#include "sim/scenario/document_parsers.hpp"

namespace sim::scenario::detail {

namespace {

/// The file's text as RapidJSON reads it: closed by a NUL, which a text that is read never holds itself (load_text refuses it).
class Text {
 public:
  using Ch = char;
  Text(std::string_view text, std::size_t begin) : head_(text.data()), at_(text.data() + begin) {}
  Ch Peek() const { return *at_; }
  Ch Take() { return *at_++; }
  std::size_t Tell() const { return static_cast<std::size_t>(at_ - head_); }
  // Of a stream that is written to; RapidJSON names them in code that it never reaches for this one.
  Ch* PutBegin() { return nullptr; }
  void Put(Ch) {}
  std::size_t PutEnd(Ch*) { return 0; }

 private:
  const char* head_;
  const char* at_;
};

/// Builds the tree from RapidJSON's events, which come without a place. An event comes right behind its token, and between two tokens
/// stand only white space, ',' and ':', so the place is found from the end of the token before, at the price of looking at those once more.
class Handler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Handler> {
 public:
  Handler(std::string_view text, std::size_t begin, const Text& stream, TreeBuilder& builder)
      : text_(text), stream_(stream), builder_(builder), at_(begin), line_begin_(begin) {}

  bool Null() {
    builder_.null(begin_token());
    return end_token();
  }
  bool Bool(bool value) {
    builder_.scalar(begin_token(), value ? "true" : "false", true);
    return end_token();
  }
  bool RawNumber(const char*, rapidjson::SizeType, bool) {
    const Position at = begin_token();
    builder_.scalar(at, text_.substr(at.begin, stream_.Tell() - at.begin), true);  // as it is written
    return end_token();
  }
  bool String(const char* content, rapidjson::SizeType size, bool) {
    builder_.scalar(begin_token(), std::string_view(content, size), false);
    return end_token();
  }
  bool Key(const char* content, rapidjson::SizeType size, bool copy) { return String(content, size, copy); }
  bool StartObject() {
    builder_.begin_map(begin_token());
    return end_token();
  }
  bool EndObject(rapidjson::SizeType) {
    begin_token();
    builder_.end_map();
    return end_token();
  }
  bool StartArray() {
    builder_.begin_sequence(begin_token());
    return end_token();
  }
  bool EndArray(rapidjson::SizeType) {
    begin_token();
    builder_.end_sequence();
    return end_token();
  }

  /// Goes on to the next token and says where it is.
  Position begin_token() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') {
        ++line_;
        line_begin_ = at_ + 1;
      } else if (c != ' ' && c != '\t' && c != '\r' && c != ',' && c != ':') {
        break;
      }
    }
    return position(at_);
  }
  /// Of a byte behind the last token, in the text of the token or the gap that follows.
  Position position_of(std::size_t offset) {
    for (; at_ < std::min(offset, text_.size()); ++at_) {
      if (text_[at_] != '\n') continue;
      ++line_;
      line_begin_ = at_ + 1;
    }
    return position(offset);
  }

 private:
  Position position(std::size_t offset) const {
    return Position{line_, static_cast<std::uint32_t>(offset - line_begin_) + 1, static_cast<std::uint32_t>(offset)};
  }
  bool end_token() {
    at_ = stream_.Tell();
    return true;
  }

  std::string_view text_;
  const Text& stream_;
  TreeBuilder& builder_;
  std::size_t at_;  // end of the last token
  std::size_t line_begin_;
  std::uint32_t line_ = 1;
};

const char* what_is_wrong(rapidjson::ParseErrorCode code, char there) {
  switch (code) {
    case rapidjson::kParseErrorDocumentRootNotSingular: return "unexpected content after the end of the value";
    case rapidjson::kParseErrorObjectMissName: return "expected a key in double quotes";
    case rapidjson::kParseErrorObjectMissColon: return "expected ':'";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket: return "expected ',' or '}'";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket: return "expected ',' or ']'";
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex: return "expected four hexadecimal digits";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid: return "half of a surrogate pair";
    case rapidjson::kParseErrorStringEscapeInvalid: return there == '\\' ? "unknown escape in a string" : "a control character must be escaped in a string";
    case rapidjson::kParseErrorStringMissQuotationMark: return "expected the end of the string";
    case rapidjson::kParseErrorNumberTooBig: return "the number is too large";
    case rapidjson::kParseErrorNumberMissFraction:
    case rapidjson::kParseErrorNumberMissExponent: return "expected a digit";
    default: return "expected a value";
  }
}

}  // namespace

void parse_json(const SourceFile& file, Arena& arena, Diagnostics& diagnostics, std::vector<const NodeData*>& roots) {
  const std::string_view text = file.text();
  const std::size_t begin = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  if (text.find_first_not_of(" \t\r\n", begin) == std::string_view::npos) return;
  TreeBuilder builder(file, arena, diagnostics);
  Text stream(text, begin);
  Handler handler(text, begin, stream, builder);
  try {
    builder.begin_document();
    // Numbers stay as they are written. Recursion is bounded by the builder, which gives up at kDepthLimit.
    rapidjson::Reader reader;
    const rapidjson::ParseResult result = reader.Parse<rapidjson::kParseNumbersAsStringsFlag>(stream, handler);
    if (result.IsError()) {
      // Of a word that is none ("tru") the beginning is told, of everything else the byte that should not be there.
      const bool is_word = result.Code() == rapidjson::kParseErrorValueInvalid;
      const Position at = is_word ? handler.begin_token() : handler.position_of(result.Offset());
      builder.fail(at, std::string("not valid JSON: ") + (at.begin >= text.size() ? "the file ends here, " : "") + what_is_wrong(result.Code(), at.begin < text.size() ? text[at.begin] : '\0'));
    }
    if (const NodeData* root = builder.end_document(); root != nullptr) roots.push_back(root);
  } catch (const GiveUp&) {
    // The builder has said why.
  }
}

}  // namespace sim::scenario::detail
