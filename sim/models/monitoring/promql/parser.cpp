#include "sim/models/monitoring/promql/parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace sim::promql {

const char* to_string(Type type) {
  switch (type) {
    case Type::kScalar: return "scalar";
    case Type::kVector: return "instant vector";
    case Type::kMatrix: return "range vector";
    case Type::kString: return "string";
  }
  return "";
}

const char* to_string(Op op) {
  static constexpr const char* kWords[] = {"+", "-", "*", "/", "%", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or", "unless"};
  return kWords[static_cast<std::size_t>(op)];
}

std::string Selector::metric() const {
  for (const Matcher& matcher : matchers) {
    if (matcher.name == "__name__" && matcher.kind == Matcher::Kind::kEqual) return matcher.value;
  }
  return {};
}

const std::vector<Function>& functions() {
  constexpr Type kV = Type::kVector, kM = Type::kMatrix, kS = Type::kScalar, kT = Type::kString;
  static const std::vector<Function> kFunctions = {
      {"abs", {kV}},
      {"absent", {kV}},
      {"absent_over_time", {kM}},
      {"avg_over_time", {kM}},
      {"ceil", {kV}},
      {"changes", {kM}},
      {"clamp", {kV, kS, kS}},
      {"clamp_max", {kV, kS}},
      {"clamp_min", {kV, kS}},
      {"count_over_time", {kM}},
      {"day_of_month", {kV}, 1},
      {"day_of_week", {kV}, 1},
      {"day_of_year", {kV}, 1},
      {"days_in_month", {kV}, 1},
      {"deg", {kV}},
      {"delta", {kM}},
      {"deriv", {kM}},
      {"exp", {kV}},
      {"first_over_time", {kM}},
      {"floor", {kV}},
      {"histogram_quantile", {kS, kV}},
      {"hour", {kV}, 1},
      {"idelta", {kM}},
      {"increase", {kM}},
      {"irate", {kM}},
      {"label_join", {kV, kT, kT, kT}, -1},
      {"label_replace", {kV, kT, kT, kT, kT}},
      {"last_over_time", {kM}},
      {"ln", {kV}},
      {"log10", {kV}},
      {"log2", {kV}},
      {"max_over_time", {kM}},
      {"min_over_time", {kM}},
      {"minute", {kV}, 1},
      {"month", {kV}, 1},
      {"pi", {}, 0, kS},
      {"predict_linear", {kM, kS}},
      {"present_over_time", {kM}},
      {"quantile_over_time", {kS, kM}},
      {"rad", {kV}},
      {"rate", {kM}},
      {"resets", {kM}},
      {"round", {kV, kS}, 1},
      {"scalar", {kV}, 0, kS},
      {"sgn", {kV}},
      {"sort", {kV}},
      {"sort_desc", {kV}},
      {"sqrt", {kV}},
      {"stddev_over_time", {kM}},
      {"stdvar_over_time", {kM}},
      {"sum_over_time", {kM}},
      {"time", {}, 0, kS},
      {"timestamp", {kV}},
      {"vector", {kS}},
      {"year", {kV}, 1},
      // Right in Prometheus, left out here.
      {"acos", {kV}, 0, kV, false},
      {"acosh", {kV}, 0, kV, false},
      {"asin", {kV}, 0, kV, false},
      {"asinh", {kV}, 0, kV, false},
      {"atan", {kV}, 0, kV, false},
      {"atanh", {kV}, 0, kV, false},
      {"cos", {kV}, 0, kV, false},
      {"cosh", {kV}, 0, kV, false},
      {"sin", {kV}, 0, kV, false},
      {"sinh", {kV}, 0, kV, false},
      {"tan", {kV}, 0, kV, false},
      {"tanh", {kV}, 0, kV, false},
      {"double_exponential_smoothing", {kM, kS, kS}, 0, kV, false},
      {"histogram_avg", {kV}, 0, kV, false},
      {"histogram_count", {kV}, 0, kV, false},
      {"histogram_fraction", {kS, kS, kV}, 0, kV, false},
      {"histogram_quantiles", {kV, kT, kS}, 0, kV, false},
      {"histogram_stddev", {kV}, 0, kV, false},
      {"histogram_stdvar", {kV}, 0, kV, false},
      {"histogram_sum", {kV}, 0, kV, false},
      {"info", {kV, kV}, 0, kV, false},
      {"mad_over_time", {kM}, 0, kV, false},
      {"sort_by_label", {kV, kT}, 0, kV, false},
      {"sort_by_label_desc", {kV, kT}, 0, kV, false},
      {"end", {}, 0, kS, false},
      {"range", {}, 0, kS, false},
      {"start", {}, 0, kS, false},
      {"step", {}, 0, kS, false},
      {"max_of", {kS, kS}, 0, kS, false},
      {"min_of", {kS, kS}, 0, kS, false},
      {"ts_of_first_over_time", {kM}, 0, kV, false},
      {"ts_of_last_over_time", {kM}, 0, kV, false},
      {"ts_of_max_over_time", {kM}, 0, kV, false},
      {"ts_of_min_over_time", {kM}, 0, kV, false},
  };
  return kFunctions;
}

std::optional<Millis> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    Millis millis;
  };
  // In this order, each at most once: as Prometheus wants it.
  static constexpr Unit kUnits[] = {{"y", 365ll * 86'400'000}, {"w", 7ll * 86'400'000}, {"d", 86'400'000}, {"h", 3'600'000},
                                    {"m", 60'000},             {"s", 1000},              {"ms", 1}};
  Millis total = 0;
  std::size_t next_unit = 0;
  std::size_t i = 0;
  if (text.empty()) return std::nullopt;
  if (text == "0") return 0;
  while (i < text.size()) {
    const std::size_t begin = i;
    while (i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) != 0) ++i;
    if (i == begin) return std::nullopt;
    Millis count = 0;
    if (std::from_chars(text.data() + begin, text.data() + i, count).ec != std::errc()) return std::nullopt;
    const std::size_t unit_begin = i;
    while (i < text.size() && std::isalpha(static_cast<unsigned char>(text[i])) != 0) ++i;
    const std::string_view unit = text.substr(unit_begin, i - unit_begin);
    bool found = false;
    for (; next_unit < std::size(kUnits) && !found; ++next_unit) {
      if (kUnits[next_unit].name != unit) continue;
      if (count > (std::numeric_limits<Millis>::max() - total) / kUnits[next_unit].millis) return std::nullopt;
      total += count * kUnits[next_unit].millis;
      found = true;
    }
    if (!found) return std::nullopt;
  }
  return total;
}

namespace {

struct Token {
  enum class Kind : std::uint8_t { kEnd, kNumber, kString, kWord, kSymbol } kind = Kind::kEnd;
  std::string text;  // of a string: its contents
  std::size_t begin = 0;
  double number = 0.0;
  std::optional<Millis> duration;  // a number that was written as one
};

struct Failure {
  ParseError error;
};

[[noreturn]] void fail(std::size_t offset, std::string message, std::string suggestion = {}, bool unsupported = false) {
  throw Failure{ParseError{offset, std::move(message), std::move(suggestion), unsupported}};
}

bool is_word_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<Token> all() {
    std::vector<Token> tokens;
    for (;;) {
      tokens.push_back(next());
      if (tokens.back().kind == Token::Kind::kEnd) return tokens;
    }
  }

 private:
  Token next() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
        if (at_ >= text_.size()) break;
      } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
        break;
      }
    }
    Token token;
    token.begin = at_;
    if (at_ >= text_.size()) return token;
    const char c = text_[at_];
    if (c == '"' || c == '\'' || c == '`') return string();
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 ||
        (c == '.' && at_ + 1 < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_ + 1])) != 0)) {
      return number();
    }
    // Within brackets a colon parts a range from its step.
    if (is_word_start(c) || (c == ':' && brackets_ == 0)) {
      const std::size_t begin = at_;
      while (at_ < text_.size() && (is_word(text_[at_]) || (text_[at_] == ':' && brackets_ == 0))) ++at_;
      token.kind = Token::Kind::kWord;
      token.text = std::string(text_.substr(begin, at_ - begin));
      return token;
    }
    token.kind = Token::Kind::kSymbol;
    for (const std::string_view two : {"==", "!=", "<=", ">=", "=~", "!~"}) {
      if (text_.substr(at_).starts_with(two)) {
        token.text = std::string(two);
        at_ += 2;
        return token;
      }
    }
    if (std::string_view("+-*/%^<>=(){}[],:@").find(c) == std::string_view::npos) fail(at_, fmt::format("unexpected character: '{}'", c));
    if (c == '[') ++brackets_;
    if (c == ']' && brackets_ > 0) --brackets_;
    token.text = std::string(1, c);
    ++at_;
    return token;
  }

  Token string() {
    Token token;
    token.kind = Token::Kind::kString;
    token.begin = at_;
    const char quote = text_[at_++];
    for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
      char c = text_[at_];
      if (quote != '`' && c == '\n') fail(token.begin, "unterminated quoted string");
      if (quote != '`' && c == '\\') {
        if (++at_ >= text_.size()) break;
        c = text_[at_];
        switch (c) {
          case 'n': c = '\n'; break;
          case 't': c = '\t'; break;
          case 'r': c = '\r'; break;
          case 'a': c = '\a'; break;
          case 'b': c = '\b'; break;
          case 'f': c = '\f'; break;
          case 'v': c = '\v'; break;
          case '\\': break;
          case '"':
          case '\'':
            if (c != quote) fail(at_, "unknown escape sequence");
            break;
          case 'x':
          case 'u':
          case 'U':
          case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7':
            escape(token.text, c);
            continue;
          default: fail(at_, fmt::format("unknown escape sequence '\\{}'", c));
        }
      }
      token.text += c;
    }
    if (at_ >= text_.size()) fail(token.begin, "unterminated quoted string");
    ++at_;
    return token;
  }

  void escape(std::string& to, char kind) {
    const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 3;
    const std::size_t begin = kind >= '0' && kind <= '7' ? at_ : at_ + 1;
    const int base = kind >= '0' && kind <= '7' ? 8 : 16;
    std::uint32_t code = 0;
    if (begin + digits > text_.size()) fail(at_, "escape sequence not terminated");
    const auto result = std::from_chars(text_.data() + begin, text_.data() + begin + digits, code, base);
    if (result.ptr != text_.data() + begin + digits) fail(at_, "unknown escape sequence");
    at_ = begin + digits - 1;
    if (kind != 'u' && kind != 'U') {
      to += static_cast<char>(code);
    } else if (code < 0x80) {
      to += static_cast<char>(code);
    } else if (code < 0x800) {
      to += static_cast<char>(0xc0 | (code >> 6));
      to += static_cast<char>(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
      to += static_cast<char>(0xe0 | (code >> 12));
      to += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
      to += static_cast<char>(0x80 | (code & 0x3f));
    } else {
      to += static_cast<char>(0xf0 | (code >> 18));
      to += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
      to += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
      to += static_cast<char>(0x80 | (code & 0x3f));
    }
  }

  Token number() {
    Token token;
    token.kind = Token::Kind::kNumber;
    token.begin = at_;
    std::size_t end = at_;
    const bool hex = text_.substr(at_, 2) == "0x" || text_.substr(at_, 2) == "0X";
    while (end < text_.size()) {
      const char c = text_[end];
      const bool exponent_sign = !hex && (c == '+' || c == '-') && end > at_ && (text_[end - 1] == 'e' || text_[end - 1] == 'E') &&
                                 std::isdigit(static_cast<unsigned char>(text_[at_])) != 0;
      if (!is_word(c) && c != '.' && !exponent_sign) break;
      ++end;
    }
    std::string text(text_.substr(at_, end - at_));
    std::erase(text, '_');
    token.text = text;
    if (const std::optional<Millis> duration = text.find_first_of("ywdhms") == std::string::npos || hex ? std::nullopt : parse_duration(text)) {
      token.duration = duration;
      token.number = static_cast<double>(*duration) / 1000.0;
      at_ = end;
      return token;
    }
    if (hex) {
      std::uint64_t value = 0;
      const auto result = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
      if (result.ec != std::errc() || result.ptr != text.data() + text.size()) fail(at_, fmt::format("bad number or duration syntax: \"{}\"", text));
      token.number = static_cast<double>(value);
    } else if (text.size() > 1 && text[0] == '0' && text.find_first_not_of("01234567") == std::string::npos) {
      std::uint64_t value = 0;
      std::from_chars(text.data(), text.data() + text.size(), value, 8);
      token.number = static_cast<double>(value);
    } else {
      const auto result = std::from_chars(text.data(), text.data() + text.size(), token.number);
      if (result.ptr != text.data() + text.size() || result.ec == std::errc::invalid_argument) {
        fail(at_, fmt::format("bad number or duration syntax: \"{}\"", text));
      }
      if (result.ec == std::errc::result_out_of_range) token.number = std::strtod(text.c_str(), nullptr);
    }
    at_ = end;
    return token;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int brackets_ = 0;
};

struct NamedAggregation {
  const char* name;
  Aggregation aggregation;
};
constexpr NamedAggregation kAggregations[] = {
    {"sum", Aggregation::kSum},       {"avg", Aggregation::kAvg},         {"min", Aggregation::kMin},         {"max", Aggregation::kMax},
    {"count", Aggregation::kCount},   {"group", Aggregation::kGroup},     {"stddev", Aggregation::kStddev},   {"stdvar", Aggregation::kStdvar},
    {"topk", Aggregation::kTopk},     {"bottomk", Aggregation::kBottomk}, {"quantile", Aggregation::kQuantile},
    {"count_values", Aggregation::kCountValues},
};
bool takes_parameter(Aggregation a) {
  return a == Aggregation::kTopk || a == Aggregation::kBottomk || a == Aggregation::kQuantile || a == Aggregation::kCountValues;
}

class Parser {
 public:
  Parser(std::string_view text, std::uint32_t& next_selector) : tokens_(Lexer(text).all()), next_selector_(next_selector) {}

  std::unique_ptr<Expr> all() {
    if (peek().kind == Token::Kind::kEnd) fail(0, "no expression found in input");
    std::unique_ptr<Expr> expr = binary(0);
    if (peek().kind != Token::Kind::kEnd) fail(peek().begin, fmt::format("unexpected {}", shown(peek())));
    return expr;
  }

 private:
  using ExprPtr = std::unique_ptr<Expr>;
  static constexpr int kPowLevel = 5;

  const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& take() { return tokens_[std::min(at_++, tokens_.size() - 1)]; }
  bool is(std::string_view symbol) const { return peek().kind == Token::Kind::kSymbol && peek().text == symbol; }
  bool is_word(std::string_view word, std::size_t ahead = 0) const { return peek(ahead).kind == Token::Kind::kWord && lower(peek(ahead).text) == word; }
  bool accept(std::string_view symbol) {
    if (!is(symbol)) return false;
    ++at_;
    return true;
  }
  bool accept_word(std::string_view word) {
    if (!is_word(word)) return false;
    ++at_;
    return true;
  }
  static std::string shown(const Token& token) {
    switch (token.kind) {
      case Token::Kind::kEnd: return "end of input";
      case Token::Kind::kString: return fmt::format("string \"{}\"", token.text);
      default: return fmt::format("\"{}\"", token.text);
    }
  }
  void expect(std::string_view symbol, std::string_view where) {
    if (!accept(symbol)) fail(peek().begin, fmt::format("unexpected {} in {}, expected \"{}\"", shown(peek()), where, symbol));
  }

  static ExprPtr make(Expr::Kind kind, Type type, std::size_t begin) {
    auto expr = std::make_unique<Expr>();
    expr->kind = kind;
    expr->type = type;
    expr->begin = begin;
    return expr;
  }

  struct Operator {
    Op op;
    int level;
  };
  std::optional<Operator> binary_operator() const {
    const Token& token = peek();
    if (token.kind == Token::Kind::kWord) {
      const std::string word = lower(token.text);
      if (word == "or") return Operator{Op::kOr, 0};
      if (word == "and") return Operator{Op::kAnd, 1};
      if (word == "unless") return Operator{Op::kUnless, 1};
      if (word == "atan2") fail(token.begin, "the operator atan2 is not supported", {}, true);
      return std::nullopt;
    }
    if (token.kind != Token::Kind::kSymbol) return std::nullopt;
    static constexpr std::pair<std::string_view, Operator> kOperators[] = {
        {"==", {Op::kEqual, 2}}, {"!=", {Op::kNotEqual, 2}},     {"<", {Op::kLess, 2}}, {"<=", {Op::kLessEqual, 2}}, {">", {Op::kGreater, 2}},
        {">=", {Op::kGreaterEqual, 2}}, {"+", {Op::kAdd, 3}},    {"-", {Op::kSub, 3}},  {"*", {Op::kMul, 4}},        {"/", {Op::kDiv, 4}},
        {"%", {Op::kMod, 4}},    {"^", {Op::kPow, kPowLevel}},
    };
    for (const auto& [text, op] : kOperators) {
      if (token.text == text) return op;
    }
    return std::nullopt;
  }

  ExprPtr binary(int level) {
    if (++depth_ > 200) fail(peek().begin, "the expression is nested too deeply");
    ExprPtr left = unary();
    for (;;) {
      const std::optional<Operator> op = binary_operator();
      if (!op || op->level < level) break;
      const std::size_t begin = peek().begin;
      ++at_;
      ExprPtr expr = make(Expr::Kind::kBinary, Type::kVector, begin);
      expr->op = op->op;
      modifiers(*expr);
      // The power operator binds to the right, all others to the left.
      ExprPtr right = binary(op->op == Op::kPow ? op->level : op->level + 1);
      expr->args.push_back(std::move(left));
      expr->args.push_back(std::move(right));
      check_binary(*expr);
      left = std::move(expr);
    }
    --depth_;
    return left;
  }

  std::vector<std::string> label_list(std::string_view where) {
    std::vector<std::string> labels;
    expect("(", where);
    while (!is(")")) {
      if (peek().kind != Token::Kind::kWord && peek().kind != Token::Kind::kString) {
        fail(peek().begin, fmt::format("unexpected {} in {}, expected label", shown(peek()), where));
      }
      labels.push_back(take().text);
      if (!accept(",")) break;
    }
    expect(")", where);
    return labels;
  }

  void modifiers(Expr& expr) {
    if (is_set_operation(expr.op)) expr.matching.card = Matching::Card::kManyToMany;
    if (is_word("bool")) {
      if (!is_comparison(expr.op)) fail(peek().begin, "bool modifier can only be used on comparison operators");
      ++at_;
      expr.returns_bool = true;
    }
    if (is_word("on") || is_word("ignoring")) {
      expr.matching.on = is_word("on");
      ++at_;
      expr.matching.labels = label_list("grouping");
      if (is_word("group_left") || is_word("group_right")) {
        if (is_set_operation(expr.op)) fail(peek().begin, fmt::format("no grouping allowed for \"{}\" operation", to_string(expr.op)));
        expr.matching.card = is_word("group_left") ? Matching::Card::kManyToOne : Matching::Card::kOneToMany;
        ++at_;
        if (is("(")) expr.matching.include = label_list("grouping");
        for (const std::string& label : expr.matching.labels) {
          if (expr.matching.on && std::find(expr.matching.include.begin(), expr.matching.include.end(), label) != expr.matching.include.end()) {
            fail(expr.begin, fmt::format("label \"{}\" must not occur in ON and GROUP clause at once", label));
          }
        }
      }
    }
    if (is_word("fill") || is_word("fill_left") || is_word("fill_right")) fail(peek().begin, "the fill modifier is not supported", {}, true);
  }

  void check_binary(Expr& expr) {
    const Type left = expr.args[0]->type;
    const Type right = expr.args[1]->type;
    for (const ExprPtr& arg : expr.args) {
      if (arg->type != Type::kScalar && arg->type != Type::kVector) {
        fail(arg->begin, "binary expression must contain only scalar and instant vector types");
      }
    }
    const bool scalars = left == Type::kScalar && right == Type::kScalar;
    if (is_comparison(expr.op) && scalars && !expr.returns_bool) fail(expr.begin, "comparisons between scalars must use BOOL modifier");
    if (is_set_operation(expr.op) && (left == Type::kScalar || right == Type::kScalar)) {
      fail(expr.begin, fmt::format("set operator \"{}\" not allowed in binary scalar expression", to_string(expr.op)));
    }
    if (!expr.matching.labels.empty() && (left != Type::kVector || right != Type::kVector)) {
      fail(expr.begin, "vector matching only allowed between instant vectors");
    }
    expr.type = scalars ? Type::kScalar : Type::kVector;
  }

  ExprPtr unary() {
    if (is("+") || is("-")) {
      if (++depth_ > 200) fail(peek().begin, "the expression is nested too deeply");
      ExprPtr expr = make(Expr::Kind::kUnary, Type::kScalar, peek().begin);
      expr->negative = is("-");
      ++at_;
      // Looser than a power, tighter than everything else.
      expr->args.push_back(binary(kPowLevel));
      expr->type = expr->args[0]->type;
      if (expr->type != Type::kScalar && expr->type != Type::kVector) {
        fail(expr->begin, fmt::format("unary expression only allowed on expressions of type scalar or instant vector, got \"{}\"", to_string(expr->type)));
      }
      --depth_;
      return expr;
    }
    return postfix(primary());
  }

  Millis duration(std::string_view where, bool with_sign) {
    const std::size_t begin = peek().begin;
    const bool negative = with_sign && is("-");
    if (with_sign && (is("-") || is("+"))) ++at_;
    if (peek().kind != Token::Kind::kNumber) {
      if (is("(") || peek().kind == Token::Kind::kWord) fail(begin, fmt::format("duration expressions are not supported in {}", where), {}, true);
      fail(begin, fmt::format("unexpected {} in {}, expected number or duration", shown(peek()), where));
    }
    const Token& token = take();
    const double seconds = token.number;
    if (!(seconds < 9e12)) fail(begin, "duration out of range");
    for (const std::string_view op : {"+", "-", "*", "/", "%", "^"}) {
      if (with_sign) break;
      if (is(op)) fail(peek().begin, fmt::format("duration expressions are not supported in {}", where), {}, true);
    }
    const auto millis = token.duration ? *token.duration : static_cast<Millis>(std::llround(seconds * 1000.0));
    return negative ? -millis : millis;
  }

  ExprPtr postfix(ExprPtr expr) {
    for (;;) {
      const std::size_t begin = peek().begin;
      if (is("[")) {
        ++at_;
        const Millis range = duration("range", false);
        if (range <= 0) fail(begin, "duration must be greater than 0");
        if (accept(":")) {
          const Millis step = is("]") ? 0 : duration("subquery", false);
          expect("]", "subquery");
          if (expr->type != Type::kVector) {
            fail(expr->begin, fmt::format("subquery is only allowed on instant vector, got {} instead", to_string(expr->type)));
          }
          ExprPtr outer = make(Expr::Kind::kSubquery, Type::kMatrix, expr->begin);
          outer->selector.range = range;
          outer->step = step;
          outer->args.push_back(std::move(expr));
          expr = std::move(outer);
        } else {
          expect("]", "range selector");
          if (expr->kind != Expr::Kind::kSelector || expr->type != Type::kVector) fail(begin, "ranges only allowed for vector selectors");
          if (moved_ == expr.get()) fail(begin, "no offset or @ modifiers allowed before range");
          expr->selector.range = range;
          expr->type = Type::kMatrix;
        }
      } else if (is_word("offset")) {
        ++at_;
        selector_of(*expr, begin, "offset").offset = duration("offset", true);
        moved_ = expr.get();
      } else if (is("@")) {
        ++at_;
        Selector& selector = selector_of(*expr, begin, "@");
        moved_ = expr.get();
        const bool negative = accept("-");
        if (!negative) accept("+");
        if (peek().kind == Token::Kind::kNumber) {
          const double at = take().number;
          selector.at = static_cast<Millis>(std::llround((negative ? -at : at) * 1000.0));
        } else if (is_word("start") || is_word("end")) {
          // Of an instant evaluation both are the evaluation's own time; only a subquery would differ.
          fail(peek().begin, fmt::format("@ {}() is not supported", lower(peek().text)), {}, true);
        } else {
          fail(peek().begin, fmt::format("unexpected {} in @ modifier, expected timestamp", shown(peek())));
        }
      } else if (is_word("anchored") || is_word("smoothed")) {
        fail(begin, fmt::format("the modifier {} is not supported", lower(peek().text)), {}, true);
      } else {
        return expr;
      }
    }
  }

  static Selector& selector_of(Expr& expr, std::size_t begin, std::string_view what) {
    if (expr.kind != Expr::Kind::kSelector && expr.kind != Expr::Kind::kSubquery) {
      fail(begin, fmt::format("{} modifier must be preceded by an instant vector selector or range vector selector or a subquery", what));
    }
    return expr.selector;
  }

  ExprPtr primary() {
    const Token& token = peek();
    if (token.kind == Token::Kind::kNumber) {
      ExprPtr expr = make(Expr::Kind::kNumber, Type::kScalar, token.begin);
      expr->number = take().number;
      return expr;
    }
    if (token.kind == Token::Kind::kString) {
      ExprPtr expr = make(Expr::Kind::kString, Type::kString, token.begin);
      expr->text = take().text;
      return expr;
    }
    if (is("(")) {
      ExprPtr expr = make(Expr::Kind::kParen, Type::kScalar, token.begin);
      ++at_;
      expr->args.push_back(binary(0));
      expect(")", "parenthesised expression");
      expr->type = expr->args[0]->type;
      return expr;
    }
    if (is("{")) return selector({}, token.begin);
    if (token.kind != Token::Kind::kWord) fail(token.begin, fmt::format("unexpected {}", shown(token)));
    const std::string word = lower(token.text);
    const bool before_call = peek(1).kind == Token::Kind::kSymbol && peek(1).text == "(";
    if (before_call || is_word("by", 1) || is_word("without", 1)) {
      for (const NamedAggregation& named : kAggregations) {
        if (word == named.name) return aggregate(named.aggregation);
      }
      if (word == "limitk" || word == "limit_ratio") fail(token.begin, fmt::format("the aggregation {} is not supported", word), {}, true);
    }
    if (before_call) return call();
    if (word == "nan" || word == "inf") {
      ExprPtr expr = make(Expr::Kind::kNumber, Type::kScalar, token.begin);
      expr->number = word == "nan" ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
      ++at_;
      return expr;
    }
    for (const std::string_view reserved : {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset"}) {
      if (word == reserved) fail(token.begin, fmt::format("unexpected \"{}\"", token.text));
    }
    const std::size_t begin = token.begin;
    return selector(take().text, begin);
  }

  ExprPtr selector(std::string name, std::size_t begin) {
    ExprPtr expr = make(Expr::Kind::kSelector, Type::kVector, begin);
    std::vector<Matcher>& matchers = expr->selector.matchers;
    if (accept("{")) {
      while (!is("}")) {
        const Token label = peek();
        if (label.kind != Token::Kind::kWord && label.kind != Token::Kind::kString) {
          fail(label.begin, fmt::format("unexpected {} in label matching, expected identifier or \"}}\"", shown(label)));
        }
        ++at_;
        static constexpr std::pair<std::string_view, Matcher::Kind> kKinds[] = {
            {"=", Matcher::Kind::kEqual}, {"!=", Matcher::Kind::kNotEqual}, {"=~", Matcher::Kind::kRegex}, {"!~", Matcher::Kind::kNotRegex}};
        const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& k) { return is(k.first); });
        if (kind == std::end(kKinds)) {
          // A quoted word alone is the metric's name.
          if (label.kind != Token::Kind::kString || !name.empty()) {
            fail(peek().begin, fmt::format("unexpected {} in label matching, expected label matching operator", shown(peek())));
          }
          name = label.text;
        } else {
          ++at_;
          if (peek().kind != Token::Kind::kString) fail(peek().begin, fmt::format("unexpected {} in label matching, expected string", shown(peek())));
          matchers.push_back(Matcher{kind->second, label.text, take().text});
        }
        if (!accept(",")) break;
      }
      expect("}", "label matching");
    }
    if (!name.empty()) {
      for (const Matcher& matcher : matchers) {
        if (matcher.name == "__name__") fail(begin, fmt::format("metric name must not be set twice: \"{}\" or \"{}\"", name, matcher.value));
      }
      matchers.insert(matchers.begin(), Matcher{Matcher::Kind::kEqual, "__name__", std::move(name)});
    }
    const bool selects = std::any_of(matchers.begin(), matchers.end(), [](const Matcher& m) {
      if (m.kind == Matcher::Kind::kEqual) return !m.value.empty();
      if (m.kind == Matcher::Kind::kNotEqual) return m.value.empty();
      // A pattern that matches the empty text selects everything.
      if (m.kind == Matcher::Kind::kRegex) return !m.value.empty() && m.value != ".*";
      return m.value.empty() || m.value == ".*";
    });
    if (!selects) fail(begin, "vector selector must contain at least one non-empty matcher");
    expr->selector.id = next_selector_++;
    return expr;
  }

  ExprPtr call() {
    const Token name = take();
    const std::vector<Function>& all = functions();
    const auto found = std::find_if(all.begin(), all.end(), [&](const Function& f) { return f.name == name.text; });
    if (found == all.end()) {
      std::string nearest;
      std::size_t best = 3;
      for (const Function& f : all) {
        if (const std::size_t d = distance(f.name, name.text); d < best) {
          best = d;
          nearest = f.name;
        }
      }
      fail(name.begin, fmt::format("unknown function with name \"{}\"", name.text), nearest);
    }
    if (!found->supported) fail(name.begin, fmt::format("the function {} is not supported", name.text), {}, true);
    ExprPtr expr = make(Expr::Kind::kCall, found->returns, name.begin);
    expr->text = found->name;
    expr->function = static_cast<std::uint32_t>(found - all.begin());
    expect("(", "function call");
    while (!is(")")) {
      expr->args.push_back(binary(0));
      if (!accept(",")) break;
      if (is(")")) fail(peek().begin, "trailing commas not allowed in function call args");
    }
    expect(")", "function call");
    const std::size_t count = expr->args.size();
    const std::size_t least = found->args.size() - static_cast<std::size_t>(found->optional < 0 ? 1 : found->optional);
    if (count < least || (found->optional >= 0 && count > found->args.size())) {
      fail(name.begin, fmt::format("expected {}{} argument(s) in call to \"{}\", got {}", least == found->args.size() ? "" : "at least ", least,
                                   name.text, count));
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Type wanted = found->args[std::min(i, found->args.size() - 1)];
      if (expr->args[i]->type != wanted) {
        fail(expr->args[i]->begin,
             fmt::format("expected type {} in call to function \"{}\", got {}", to_string(wanted), name.text, to_string(expr->args[i]->type)));
      }
    }
    return expr;
  }

  ExprPtr aggregate(Aggregation aggregation) {
    const Token name = take();
    ExprPtr expr = make(Expr::Kind::kAggregate, Type::kVector, name.begin);
    expr->aggregation = aggregation;
    expr->text = lower(name.text);
    bool grouped = grouping(*expr);
    expect("(", "aggregation");
    std::vector<ExprPtr> args;
    while (!is(")")) {
      args.push_back(binary(0));
      if (!accept(",")) break;
    }
    expect(")", "aggregation");
    if (!grouped) grouping(*expr);
    const std::size_t wanted = takes_parameter(aggregation) ? 2 : 1;
    if (args.size() != wanted) {
      fail(name.begin, fmt::format("wrong number of arguments for aggregate expression provided, expected {}, got {}", wanted, args.size()));
    }
    if (args.back()->type != Type::kVector) {
      fail(args.back()->begin, fmt::format("expected type instant vector in aggregation expression, got {}", to_string(args.back()->type)));
    }
    if (wanted == 2) {
      const Type parameter = aggregation == Aggregation::kCountValues ? Type::kString : Type::kScalar;
      if (args[0]->type != parameter) {
        fail(args[0]->begin, fmt::format("expected type {} in aggregation parameter, got {}", to_string(parameter), to_string(args[0]->type)));
      }
    }
    expr->args.push_back(std::move(args.back()));
    if (wanted == 2) expr->args.push_back(std::move(args[0]));
    return expr;
  }

  bool grouping(Expr& expr) {
    if (!is_word("by") && !is_word("without")) return false;
    expr.without = is_word("without");
    ++at_;
    expr.grouping = label_list("grouping opts");
    return true;
  }

  std::vector<Token> tokens_;
  std::uint32_t& next_selector_;
  std::size_t at_ = 0;
  int depth_ = 0;
  const Expr* moved_ = nullptr;
};

}  // namespace

Parsed parse(std::string_view text, std::uint32_t& next_selector) {
  Parsed parsed;
  try {
    parsed.expr = Parser(text, next_selector).all();
  } catch (const Failure& failure) {
    parsed.error = failure.error;
  }
  return parsed;
}

}  // namespace sim::promql
