#include "sim/models/ceph/crush/text_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace sim::ceph::crush {

namespace {

/// Ids of buckets index an array: more than a million of them is a typing error.
constexpr std::int64_t kBucketIdMin = -1048576;
/// So do ids of devices.
constexpr std::int64_t kDeviceIdMax = 16777215;
/// Enough to see what is wrong; the rest of a file that is no CRUSH map is not of interest.
constexpr std::size_t kProblemsMax = 1000;

struct Token {
  std::string_view text;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '+';
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return is_word_character(c) && c != '+'; });
}

struct IdLine {
  Token id;
  Token device_class;  // empty: the bucket's own id
};
struct ItemLine {
  Token name;
  Token weight;  // empty: not given
  Token pos;
};
struct BucketText {
  Token type;
  Token name;
  std::vector<IdLine> ids;
  bool id_comes_first = false;
  Token alg;
  Token hash;
  std::vector<ItemLine> items;
};
struct StepText {
  Token op;    // "take", "choose", "set_choose_tries", ...
  Token mode;  // firstn, indep
  Token value;
  Token type_or_class;
};
struct RuleText {
  Token name;  // empty: none
  Token id;
  Token type;
  Token min_size;
  Token max_size;
  std::vector<StepText> steps;
  Token keyword;
};
struct ChooseArgText {
  Token bucket_id;
  std::vector<std::vector<Token>> weight_set;
  std::vector<Token> ids;
  bool has_ids = false;
  Token ids_keyword;
};
struct ChooseArgsText {
  Token key;
  std::vector<ChooseArgText> args;
};

struct Statement {
  enum class Kind : std::uint8_t { kTunable, kDevice, kType, kBucket, kRule, kChooseArgs } kind;
  std::size_t index;  // into the list of its kind
};
struct TunableText {
  Token name;
  Token value;
};
struct DeviceText {
  Token id;
  Token name;
  Token device_class;
};
struct TypeText {
  Token id;
  Token name;
};

const std::vector<std::string> kTopWords = {"tunable", "device", "type", "rule", "choose_args"};
const std::vector<std::string> kTunableNames = {"choose_local_tries",   "choose_local_fallback_tries", "choose_total_tries", "chooseleaf_descend_once",
                                                "chooseleaf_vary_r",    "chooseleaf_stable",           "straw_calc_version", "allowed_bucket_algs"};
const std::vector<std::string> kAlgWords = {"uniform", "list", "tree", "straw", "straw2"};
const std::vector<std::string> kStepWords = {"take",
                                             "choose",
                                             "chooseleaf",
                                             "emit",
                                             "set_choose_tries",
                                             "set_choose_local_tries",
                                             "set_choose_local_fallback_tries",
                                             "set_chooseleaf_tries",
                                             "set_chooseleaf_vary_r",
                                             "set_chooseleaf_stable"};

struct SetStep {
  std::string_view word;
  RuleOp op;
};
constexpr SetStep kSetSteps[] = {{"set_choose_tries", RuleOp::kSetChooseTries},
                                 {"set_choose_local_tries", RuleOp::kSetChooseLocalTries},
                                 {"set_choose_local_fallback_tries", RuleOp::kSetChooseLocalFallbackTries},
                                 {"set_chooseleaf_tries", RuleOp::kSetChooseleafTries},
                                 {"set_chooseleaf_vary_r", RuleOp::kSetChooseleafVaryR},
                                 {"set_chooseleaf_stable", RuleOp::kSetChooseleafStable}};

class Reader {
 public:
  Reader(std::string_view text, std::vector<TextProblem>& problems) : problems_(problems), before_(problems.size()) { split(text); }

  std::optional<CrushMap> read() {
    parse();
    order_buckets();
    build();
    if (problems_.size() != before_) return std::nullopt;
    return std::move(map_);
  }

 private:
  // Words.
  void split(std::string_view text) {
    std::uint32_t line = 1;
    std::size_t line_begin = 0;
    for (std::size_t at = 0; at < text.size();) {
      const char c = text[at];
      const auto column = [&](std::size_t place) { return static_cast<std::uint32_t>(place - line_begin + 1); };
      if (c == '\n') {
        ++line;
        line_begin = ++at;
      } else if (c == '#') {
        while (at < text.size() && text[at] != '\n') ++at;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f') {
        ++at;
      } else if (is_word_character(c)) {
        const std::size_t begin = at;
        while (at < text.size() && is_word_character(text[at])) ++at;
        tokens_.push_back({text.substr(begin, at - begin), line, column(begin)});
      } else {
        const bool known = c == '{' || c == '}' || c == '[' || c == ']';
        if (known) {
          tokens_.push_back({text.substr(at, 1), line, column(at)});
        } else if (problems_.size() < kProblemsMax && (problems_.empty() || problems_.back().line != line)) {  // one a line is enough
          const unsigned char byte = static_cast<unsigned char>(c);
          problems_.push_back({line, column(at), byte >= 0x20 && byte < 0x7f ? fmt::format("unexpected '{}'", c) : fmt::format("unexpected byte 0x{:02x}", byte),
                               {}, {}});
        }
        ++at;
      }
    }
    end_ = {{}, line, static_cast<std::uint32_t>(text.size() - line_begin + 1)};
  }

  const Token& peek(std::size_t ahead = 0) const { return at_ + ahead < tokens_.size() ? tokens_[at_ + ahead] : end_; }
  bool at_end() const { return at_ >= tokens_.size(); }
  Token next() {
    const Token token = peek();
    if (!at_end()) ++at_;
    return token;
  }
  bool accept(std::string_view text) {
    if (at_end() || peek().text != text) return false;
    ++at_;
    return true;
  }

  void problem(const Token& at, std::string message, std::vector<std::string> choices = {}) {
    if (problems_.size() >= kProblemsMax) return;
    problems_.push_back({at.line, at.column, std::move(message), std::string(at.text), std::move(choices)});
  }
  std::string here() const { return at_end() ? std::string("the end of the text") : fmt::format("'{}'", peek().text); }

  bool expect(std::string_view text, std::string_view where) {
    if (accept(text)) return true;
    problem(peek(), fmt::format("{} where '{}' was expected{}{}", here(), text, where.empty() ? "" : " ", where), {std::string(text)});
    return false;
  }
  bool expect_name(Token& token, std::string_view what) {
    if (at_end() || !is_name(peek().text)) {
      problem(peek(), fmt::format("{} where {} was expected", here(), what));
      return false;
    }
    token = next();
    return true;
  }
  bool expect_number(Token& token, std::string_view what, bool negative) {
    const std::string_view text = peek().text;
    std::string_view digits = text;
    if (negative && !digits.empty() && digits[0] == '-') digits.remove_prefix(1);
    if (digits.empty() || !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      problem(peek(), fmt::format("{} where {} was expected", here(), what));
      return false;
    }
    token = next();
    return true;
  }
  bool expect_real(Token& token, std::string_view what) {
    float value = 0;
    if (!parse_real(peek().text, value)) {
      problem(peek(), fmt::format("{} where {} was expected", here(), what));
      return false;
    }
    token = next();
    return true;
  }
  static bool parse_real(std::string_view text, float& value) {
    if (!text.empty() && text[0] == '+') text.remove_prefix(1);
    // from_chars would take "inf" and "nan" too.
    if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E'; })) {
      return false;
    }
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec == std::errc::result_out_of_range) {
      value = std::numeric_limits<float>::infinity();
      return true;
    }
    return result.ec == std::errc{} && result.ptr == text.data() + text.size();
  }

  void skip_line(std::uint32_t line) {
    while (!at_end() && peek().line == line && peek().text != "}") ++at_;
  }

  // Grammar.
  void parse() {
    while (!at_end() && problems_.size() < kProblemsMax) {
      const Token word = peek();
      const bool in_header = word.text == "tunable" || word.text == "device" || word.text == "type";
      if (in_header && stage_ > Stage::kHeader) problem(word, fmt::format("'{}' stands after the first bucket, rule or choose_args: it must stand before", word.text));
      if (word.text == "tunable") {
        parse_tunable();
      } else if (word.text == "device") {
        parse_device();
      } else if (word.text == "type") {
        parse_type();
      } else if (word.text == "rule") {
        enter(Stage::kBody, word);
        parse_rule();
      } else if (word.text == "choose_args") {
        enter(Stage::kChooseArgs, word);
        parse_choose_args();
      } else if (is_name(word.text) && (peek(2).text == "{" || peek(1).text == "{")) {
        enter(Stage::kBody, word);
        parse_bucket();
      } else {
        problem(word, fmt::format("'{}' begins nothing that a CRUSH map has", word.text), kTopWords);
        skip_line(word.line);
        accept("}");
      }
    }
  }

  enum class Stage : std::uint8_t { kHeader, kBody, kChooseArgs };
  void enter(Stage stage, const Token& word) {
    if (stage < stage_) problem(word, fmt::format("'{}' stands after choose_args: it must stand before", word.text));
    stage_ = std::max(stage_, stage);
  }

  void parse_tunable() {
    const Token keyword = next();
    TunableText text;
    if (expect_name(text.name, "the name of a tunable") && expect_number(text.value, "a number", false)) {
      statements_.push_back({Statement::Kind::kTunable, tunables_.size()});
      tunables_.push_back(text);
    } else {
      skip_line(keyword.line);
    }
  }

  void parse_device() {
    const Token keyword = next();
    DeviceText text;
    bool good = expect_number(text.id, "the id of a device", false) && expect_name(text.name, "the name of a device");
    if (good && accept("class")) good = expect_name(text.device_class, "the name of a device class");
    if (!good) return skip_line(keyword.line);
    statements_.push_back({Statement::Kind::kDevice, devices_.size()});
    devices_.push_back(text);
  }

  void parse_type() {
    const Token keyword = next();
    TypeText text;
    if (!expect_number(text.id, "the number of a type", false) || !expect_name(text.name, "the name of a type")) return skip_line(keyword.line);
    statements_.push_back({Statement::Kind::kType, types_.size()});
    types_.push_back(text);
  }

  void parse_bucket() {
    BucketText text;
    text.type = next();
    if (!expect_name(text.name, "the name of a bucket")) text.name = peek();
    if (!expect("{", "")) return skip_line(text.type.line);
    text.id_comes_first = peek().text == "id";
    enum class Part : std::uint8_t { kIds, kAlg, kHash, kItems } part = Part::kIds;
    const auto in_order = [&](Part wanted, const Token& word) {
      if (wanted < part) problem(word, fmt::format("'{}' must stand before what precedes it: a bucket has id, alg, hash, item in this order", word.text));
      part = std::max(part, wanted);
    };
    while (!at_end() && peek().text != "}") {
      const Token word = next();
      bool good = true;
      if (word.text == "id") {
        in_order(Part::kIds, word);
        IdLine line;
        good = expect_number(line.id, "the id of a bucket, such as -1", true);
        if (good && accept("class")) good = expect_name(line.device_class, "the name of a device class");
        if (good) text.ids.push_back(line);
      } else if (word.text == "alg") {
        if (!text.alg.text.empty()) problem(word, fmt::format("bucket '{}' has a second alg", text.name.text));
        in_order(Part::kAlg, word);
        good = expect_name(text.alg, "uniform, list, tree, straw or straw2");
      } else if (word.text == "hash") {
        in_order(Part::kHash, word);
        if (peek().text == "rjenkins1") {
          text.hash = next();
        } else {
          good = expect_number(text.hash, "0 or rjenkins1", false);
        }
      } else if (word.text == "item") {
        in_order(Part::kItems, word);
        ItemLine line;
        good = expect_name(line.name, "the name of an item");
        if (good && accept("weight")) good = expect_real(line.weight, "a weight such as 1.819");
        if (good && accept("pos")) good = expect_number(line.pos, "a position", false);
        if (good) text.items.push_back(line);
      } else if (word.text == "{" || is_top_word(word.text)) {
        --at_;
        problem(word, fmt::format("'{}' inside of bucket '{}': its '}}' is missing", word.text, text.name.text));
        return;
      } else {
        problem(word, fmt::format("bucket '{}' has no '{}'", text.name.text, word.text), {"id", "alg", "hash", "item", "weight", "class", "pos"});
        good = false;
      }
      if (!good) skip_line(word.line);
    }
    const Token close = peek();
    if (!expect("}", fmt::format("at the end of bucket '{}'", text.name.text))) return;
    if (text.alg.text.empty()) {
      problem(close, fmt::format("bucket '{}' has no alg", text.name.text));
      return;
    }
    statements_.push_back({Statement::Kind::kBucket, buckets_.size()});
    buckets_.push_back(std::move(text));
  }

  static bool is_top_word(std::string_view text) { return text == "rule" || text == "choose_args" || text == "tunable" || text == "device"; }

  void parse_rule() {
    RuleText text;
    text.keyword = next();
    if (peek().text != "{" && !expect_name(text.name, "the name of a rule")) return skip_line(text.keyword.line);
    if (!expect("{", "after the name of a rule")) return skip_line(text.keyword.line);
    const std::string of = fmt::format("in rule '{}'", text.name.text);
    const std::size_t before = problems_.size();
    if (peek().text == "ruleset") {
      next();
    } else {
      expect("id", of);
    }
    expect_number(text.id, "the id of the rule", false);
    if (expect("type", of)) {
      const Token type = peek();
      if (type.text == "msr_firstn" || type.text == "msr_indep") {
        problem(type, fmt::format("rules of type {} (Ceph 19) are not supported", type.text));
        next();
      } else if (type.text != "replicated" && type.text != "erasure") {
        problem(type, fmt::format("{} where replicated or erasure was expected", here()), {"replicated", "erasure"});
        next();
      } else {
        text.type = next();
      }
    }
    if (accept("min_size")) expect_number(text.min_size, "a number", false);
    if (accept("max_size")) expect_number(text.max_size, "a number", false);
    if (problems_.size() != before) {
      // The head is wrong: what follows is read for its own errors from the first step on.
      while (!at_end() && peek().text != "step" && peek().text != "}") ++at_;
    }
    while (!at_end() && peek().text != "}") {
      const Token word = peek();
      if (is_top_word(word.text) || word.text == "{") {
        problem(word, fmt::format("'{}' inside of rule '{}': its '}}' is missing", word.text, text.name.text));
        return;
      }
      if (!expect("step", of) || !parse_step(text)) skip_line(word.line);
    }
    const Token close = peek();
    if (!expect("}", fmt::format("at the end of rule '{}'", text.name.text))) return;
    if (text.steps.empty() && problems_.size() == before) problem(close, fmt::format("rule '{}' has no steps", text.name.text));
    statements_.push_back({Statement::Kind::kRule, rules_.size()});
    rules_.push_back(std::move(text));
  }

  bool parse_step(RuleText& rule) {
    StepText step;
    step.op = next();
    bool good = true;
    if (step.op.text == "take") {
      good = expect_name(step.value, "the name of an item");
      if (good && accept("class")) good = expect_name(step.type_or_class, "the name of a device class");
    } else if (step.op.text == "choose" || step.op.text == "chooseleaf") {
      step.mode = peek();
      if (step.mode.text != "firstn" && step.mode.text != "indep") {
        problem(step.mode, fmt::format("{} where firstn or indep was expected", here()), {"firstn", "indep"});
        return false;
      }
      next();
      good = expect_number(step.value, "how many to choose", true) && expect("type", "") && expect_name(step.type_or_class, "the name of a type");
    } else if (step.op.text == "set_msr_descents" || step.op.text == "set_msr_collision_tries" || step.op.text == "choosemsr") {
      problem(step.op, fmt::format("step {} (MSR rules, Ceph 19) is not supported", step.op.text));
      return false;
    } else if (std::any_of(std::begin(kSetSteps), std::end(kSetSteps), [&step](const SetStep& set) { return set.word == step.op.text; })) {
      good = expect_number(step.value, "a number", false);
    } else if (step.op.text != "emit") {
      problem(step.op, fmt::format("'{}' is no step of a rule", step.op.text), kStepWords);
      return false;
    }
    if (good) rule.steps.push_back(step);
    return good;
  }

  void parse_choose_args() {
    const Token keyword = next();
    ChooseArgsText text;
    if (!expect_number(text.key, "the number of a pool", true) || !expect("{", "")) return skip_line(keyword.line);
    while (!at_end() && peek().text == "{") {
      next();
      if (!parse_choose_arg(text)) {
        // To the end of this entry: a line with a lone brace.
        while (!at_end() && peek().text != "}") ++at_;
        accept("}");
      }
    }
    if (!expect("}", "at the end of choose_args")) return skip_line(peek().line);
    statements_.push_back({Statement::Kind::kChooseArgs, choose_args_.size()});
    choose_args_.push_back(std::move(text));
  }

  bool parse_choose_arg(ChooseArgsText& args) {
    ChooseArgText arg;
    if (!expect("bucket_id", "") || !expect_number(arg.bucket_id, "the id of a bucket, such as -1", true)) return false;
    if (accept("weight_set")) {
      if (!expect("[", "after weight_set")) return false;
      while (accept("[")) {
        std::vector<Token>& weights = arg.weight_set.emplace_back();
        while (!at_end() && peek().text != "]") {
          Token weight;
          if (!expect_real(weight, "a weight such as 1.819")) return false;
          weights.push_back(weight);
        }
        if (!expect("]", "after the weights")) return false;
      }
      if (!expect("]", "at the end of the weight_set")) return false;
    }
    arg.ids_keyword = peek();
    if (accept("ids")) {
      arg.has_ids = true;
      if (!expect("[", "after ids")) return false;
      while (!at_end() && peek().text != "]") {
        Token id;
        if (!expect_number(id, "an id", true)) return false;
        arg.ids.push_back(id);
      }
      if (!expect("]", "after the ids")) return false;
    }
    if (peek().text != "}") {
      problem(peek(), fmt::format("{} where weight_set, ids or '}}' was expected", here()), {"weight_set", "ids"});
      return false;
    }
    next();
    args.args.push_back(std::move(arg));
    return true;
  }

  // Meaning.

  /// Buckets that are used before they are defined change places with their users, pair by pair, as crushtool does it: ids that are not given depend on
  /// the order that this leads to.
  void order_buckets() {
    std::vector<std::size_t> places;  // of bucket statements
    for (std::size_t i = 0; i < statements_.size(); ++i) {
      if (statements_[i].kind == Statement::Kind::kBucket) places.push_back(i);
    }
    std::map<std::string_view, std::size_t> place_of;
    std::vector<std::set<std::string_view>> items(buckets_.size());
    for (const std::size_t place : places) {
      const BucketText& bucket = buckets_[statements_[place].index];
      place_of[bucket.name.text] = place;
      for (const ItemLine& item : bucket.items) items[statements_[place].index].insert(item.name.text);
    }
    const std::size_t count = buckets_.size();
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = i + 1; j < count; ++j) {
        if (!items[i].contains(buckets_[j].name.text)) continue;
        if (items[j].contains(buckets_[i].name.text)) {
          problem(buckets_[j].name, fmt::format("buckets '{}' and '{}' contain each other", buckets_[i].name.text, buckets_[j].name.text));
          return;
        }
        std::swap(statements_[place_of[buckets_[i].name.text]], statements_[place_of[buckets_[j].name.text]]);
      }
    }
  }

  bool number(const Token& token, std::int64_t low, std::int64_t high, std::string_view what, std::int64_t& value) {
    const auto result = std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
    if (result.ec == std::errc{} && result.ptr == token.text.data() + token.text.size() && value >= low && value <= high) return true;
    problem(token, fmt::format("{} {} is not between {} and {}", what, token.text, low, high));
    return false;
  }

  void build() {
    map_ = CrushMap(TunablesProfile::kLegacy);  // a text leaves out the tunables that have their legacy value
    for (const BucketText& bucket : buckets_) {
      // Only an id on the first line is known before all buckets are read: crushtool looks no further either.
      std::int64_t id = 0;
      if (bucket.id_comes_first && !bucket.ids.empty()) {
        std::from_chars(bucket.ids[0].id.text.data(), bucket.ids[0].id.text.data() + bucket.ids[0].id.text.size(), id);
        used_ids_.insert(id);
      }
    }
    for (const Statement& statement : statements_) {
      switch (statement.kind) {
        case Statement::Kind::kTunable: build_tunable(tunables_[statement.index]); break;
        case Statement::Kind::kDevice: build_device(devices_[statement.index]); break;
        case Statement::Kind::kType: build_type(types_[statement.index]); break;
        case Statement::Kind::kBucket: build_bucket(buckets_[statement.index]); break;
        case Statement::Kind::kRule: build_rule(rules_[statement.index]); break;
        case Statement::Kind::kChooseArgs: build_choose_args(choose_args_[statement.index]); break;
      }
    }
    map_.trim_choose_args();
  }

  void build_tunable(const TunableText& text) {
    std::int64_t value = 0;
    if (!number(text.value, 0, UINT32_MAX, "value", value)) return;
    Tunables& tunables = map_.tunables;
    const std::uint32_t wide = static_cast<std::uint32_t>(value);
    const std::uint8_t narrow = static_cast<std::uint8_t>(value);  // a byte in the map: crushtool cuts it off too
    if (text.name.text == "choose_local_tries") {
      tunables.choose_local_tries = wide;
    } else if (text.name.text == "choose_local_fallback_tries") {
      tunables.choose_local_fallback_tries = wide;
    } else if (text.name.text == "choose_total_tries") {
      tunables.choose_total_tries = wide;
    } else if (text.name.text == "chooseleaf_descend_once") {
      tunables.chooseleaf_descend_once = narrow;
    } else if (text.name.text == "chooseleaf_vary_r") {
      tunables.chooseleaf_vary_r = narrow;
    } else if (text.name.text == "chooseleaf_stable") {
      tunables.chooseleaf_stable = narrow;
    } else if (text.name.text == "straw_calc_version") {
      tunables.straw_calc_version = narrow;
    } else if (text.name.text == "allowed_bucket_algs") {
      tunables.allowed_bucket_algs = wide;
    } else {
      problem(text.name, fmt::format("unknown tunable '{}'", text.name.text), kTunableNames);
    }
  }

  void build_device(const DeviceText& text) {
    std::int64_t id = 0;
    if (!number(text.id, 0, kDeviceIdMax, "id of a device", id)) return;
    const std::int32_t device = static_cast<std::int32_t>(id);
    if (map_.item_id(text.name.text)) return problem(text.name, fmt::format("item '{}' is defined twice", text.name.text));
    if (!map_.item_name(device).empty()) {
      return problem(text.id, fmt::format("device {} is defined twice: it is '{}' already", device, map_.item_name(device)));
    }
    map_.set_item_name(device, std::string(text.name.text));
    if (!text.device_class.text.empty()) map_.set_device_class(device, text.device_class.text);
  }

  void build_type(const TypeText& text) {
    std::int64_t id = 0;
    if (!number(text.id, 0, UINT16_MAX, "number of a type", id)) return;
    type_ids_[std::string(text.name.text)] = static_cast<std::uint16_t>(id);
    map_.set_type(static_cast<std::uint16_t>(id), std::string(text.name.text));
  }

  std::vector<std::string> type_names() const {
    std::vector<std::string> names;
    for (const auto& [name, id] : type_ids_) names.push_back(name);
    return names;
  }
  std::vector<std::string> item_names() const {
    std::vector<std::string> names;
    for (const auto& [id, name] : map_.item_names()) names.push_back(name);
    return names;
  }

  bool weight_of(const Token& token, std::uint32_t limit, std::uint32_t& weight) {
    float value = 0;
    parse_real(token.text, value);
    // Compared before the conversion: beyond the limit it may not fit.
    if (value < 0 || !(value * static_cast<float>(kWeightOne) < static_cast<float>(limit) + 1.0F)) {
      problem(token, fmt::format("weight {} is not between 0 and {}", token.text, limit / kWeightOne));
      return false;
    }
    weight = weight_from_float(value);
    if (weight > limit) {
      problem(token, fmt::format("weight {} is not between 0 and {}", token.text, limit / kWeightOne));
      return false;
    }
    return true;
  }

  void build_bucket(const BucketText& text) {
    const std::string name(text.name.text);
    if (saw_rule_) problem(text.type, fmt::format("bucket '{}' is defined after a rule: buckets come first", name));
    Bucket bucket;
    const auto type = type_ids_.find(text.type.text);
    if (type == type_ids_.end()) {
      std::vector<std::string> choices = type_names();
      choices.insert(choices.end(), kTopWords.begin(), kTopWords.end());
      problem(text.type, fmt::format("bucket type '{}' is not defined", text.type.text), std::move(choices));
    } else {
      bucket.type = type->second;
      if (bucket.type == 0) problem(text.type, fmt::format("'{}' is the type of devices: no bucket can have it", text.type.text));
    }
    if (map_.item_id(name)) return problem(text.name, fmt::format("bucket or device '{}' is already defined", name));
    if (const std::optional<BucketAlg> alg = parse_bucket_alg(text.alg.text)) {
      bucket.alg = *alg;
    } else {
      problem(text.alg, fmt::format("unknown bucket alg '{}'", text.alg.text), kAlgWords);
    }
    if (!text.hash.text.empty() && text.hash.text != "rjenkins1") {
      std::int64_t hash = 0;
      if (number(text.hash, 0, UINT8_MAX, "hash", hash)) bucket.hash = static_cast<std::uint8_t>(hash);
    }
    std::map<std::int32_t, std::int32_t> class_ids;
    for (const IdLine& line : text.ids) {
      std::int64_t id = 0;
      if (!number(line.id, kBucketIdMin, -1, "id of a bucket", id)) continue;
      if (line.device_class.text.empty()) {
        bucket.id = static_cast<std::int32_t>(id);
      } else if (!class_ids.emplace(map_.class_id(line.device_class.text), static_cast<std::int32_t>(id)).second) {
        problem(line.device_class, fmt::format("class '{}' has two ids in bucket '{}'", line.device_class.text, name));
      }
    }
    if (!place_items(text, bucket)) {
      // Its name is known from here on, so that its users are not told to be wrong as well.
      bucket.items.clear();
      bucket.weights.clear();
    }
    define(text, bucket, name, class_ids);
  }

  bool place_items(const BucketText& text, Bucket& bucket) {
    std::set<std::int64_t> taken;
    for (const ItemLine& line : text.items) {
      std::int64_t pos = 0;
      if (line.pos.text.empty()) continue;
      if (!number(line.pos, 0, static_cast<std::int64_t>(text.items.size()) - 1, "position", pos)) return false;
      if (!taken.insert(pos).second) {
        problem(line.pos, fmt::format("position {} in bucket '{}' is taken", pos, text.name.text));
        return false;
      }
    }
    bucket.items.resize(text.items.size());
    bucket.weights.resize(text.items.size());
    std::uint64_t sum = 0;
    std::optional<std::uint32_t> uniform;
    std::int64_t free = 0;
    bool good = true;
    for (const ItemLine& line : text.items) {
      const std::optional<std::int32_t> item = map_.item_id(line.name.text);
      if (!item) {
        problem(line.name, fmt::format("item '{}' in bucket '{}' is not defined", line.name.text, text.name.text), item_names());
        good = false;
        continue;
      }
      std::uint32_t weight = *item < 0 ? map_.bucket(*item) != nullptr ? map_.bucket(*item)->weight : 0 : kWeightOne;
      if (!line.weight.text.empty() && !weight_of(line.weight, *item >= 0 ? kDeviceWeightMax : kBucketWeightMax, weight)) good = false;
      if (bucket.alg == BucketAlg::kUniform) {
        if (uniform && *uniform != weight) {
          problem(line.name, fmt::format("item '{}' in uniform bucket '{}' has weight {:.3f} but those before it {:.3f}: all must be equal", line.name.text,
                                         text.name.text, static_cast<double>(weight) / kWeightOne, static_cast<double>(*uniform) / kWeightOne));
          good = false;
        }
        if (weight == 0) {
          problem(line.name, fmt::format("item '{}' in uniform bucket '{}' has no weight: crushtool cannot make such a bucket", line.name.text, text.name.text));
          good = false;
        }
        uniform = weight;
      }
      std::int64_t pos = 0;
      if (line.pos.text.empty()) {
        while (taken.contains(free)) ++free;
        pos = free++;
      } else {
        std::from_chars(line.pos.text.data(), line.pos.text.data() + line.pos.text.size(), pos);
      }
      bucket.items[static_cast<std::size_t>(pos)] = *item;
      bucket.weights[static_cast<std::size_t>(pos)] = weight;
      sum += weight;
      if (sum > UINT32_MAX) {
        problem(line.name, fmt::format("the weights of bucket '{}' are more than 65535 together", text.name.text));
        return false;
      }
    }
    return good;
  }

  void define(const BucketText& text, Bucket& bucket, const std::string& name, const std::map<std::int32_t, std::int32_t>& class_ids) {
    if (bucket.id == 0) {
      bucket.id = -1;
      while (used_ids_.contains(bucket.id) || map_.bucket(bucket.id) != nullptr) --bucket.id;
    }
    const std::int32_t id = bucket.id;
    if (const Bucket* other = map_.bucket(id)) {
      return problem(text.ids.empty() ? text.name : text.ids[0].id, fmt::format("id {} of bucket '{}' is taken by '{}'", id, name, map_.item_name(other->id)));
    }
    for (const auto& [device_class, shadow] : class_ids) shadow_ids_[id][device_class] = shadow;
    map_.put_bucket(std::move(bucket), name);
  }

  void build_rule(const RuleText& text) {
    if (!saw_rule_) {
      saw_rule_ = true;
      for (const auto& [bucket, by_class] : shadow_ids_) {
        for (const auto& [device_class, id] : by_class) map_.reserve_shadow_id(bucket, device_class, id);
      }
      std::string error;
      // Not with errors so far: they would only be told again in other words.
      if (problems_.empty() && !map_.rebuild_shadows(&error)) problem(text.keyword, fmt::format("device classes: {}", error));
    }
    Rule rule;
    rule.name = text.name.text;
    std::int64_t id = 0;
    if (text.id.text.empty() || !number(text.id, 0, kRuleIdMax, "id of a rule", id)) return;
    if (!rule.name.empty() && map_.rule_id(rule.name)) return problem(text.name, fmt::format("rule name '{}' is already defined", rule.name));
    if (map_.rule(static_cast<int>(id)) != nullptr) return problem(text.id, fmt::format("rule {} already exists", id));
    rule.type = text.type.text == "erasure" ? PoolType::kErasure : PoolType::kReplicated;
    std::int64_t size = 0;
    // Bytes in the map: crushtool cuts them off. Texts of Ceph 18 have none; its maps say 1 to 100 to older releases.
    constexpr std::uint8_t kMaxSizeOfReef = 100;
    rule.max_size = kMaxSizeOfReef;
    if (!text.min_size.text.empty() && number(text.min_size, 0, INT32_MAX, "min_size", size)) rule.min_size = static_cast<std::uint8_t>(size);
    if (!text.max_size.text.empty() && number(text.max_size, 0, INT32_MAX, "max_size", size)) rule.max_size = static_cast<std::uint8_t>(size);
    for (const StepText& step : text.steps) build_step(step, rule);
    map_.add_rule(std::move(rule), static_cast<int>(id));
  }

  void build_step(const StepText& text, Rule& rule) {
    RuleStep step;
    if (text.op.text == "take") {
      step.op = RuleOp::kTake;
      const std::optional<std::int32_t> item = map_.item_id(text.value.text);
      if (!item) return problem(text.value, fmt::format("in rule '{}' item '{}' is not defined", rule.name, text.value.text), item_names());
      step.arg1 = *item;
      if (!text.type_or_class.text.empty()) {
        const std::optional<std::int32_t> device_class = map_.find_class(text.type_or_class.text);
        if (!device_class) {
          std::vector<std::string> classes;
          for (const auto& [id, name] : map_.classes()) classes.push_back(name);
          return problem(text.type_or_class, fmt::format("in rule '{}' device class '{}' is not defined", rule.name, text.type_or_class.text), classes);
        }
        const std::optional<std::int32_t> shadow = map_.shadow(*item, *device_class);
        if (!shadow) {
          if (!problems_.empty()) return;  // shadows were not built
          return problem(text.value, fmt::format("in rule '{}' '{}' has no devices of class '{}' below it", rule.name, text.value.text, text.type_or_class.text));
        }
        step.arg1 = *shadow;
      }
    } else if (text.op.text == "emit") {
      step.op = RuleOp::kEmit;
    } else if (text.op.text == "choose" || text.op.text == "chooseleaf") {
      const bool leaf = text.op.text == "chooseleaf";
      const bool firstn = text.mode.text == "firstn";
      step.op = leaf ? firstn ? RuleOp::kChooseleafFirstn : RuleOp::kChooseleafIndep : firstn ? RuleOp::kChooseFirstn : RuleOp::kChooseIndep;
      std::int64_t count = 0;
      if (!number(text.value, -1000000, 1000000, "number of choices", count)) return;
      step.arg1 = static_cast<std::int32_t>(count);
      const auto type = type_ids_.find(text.type_or_class.text);
      if (type == type_ids_.end()) {
        return problem(text.type_or_class, fmt::format("in rule '{}' type '{}' is not defined", rule.name, text.type_or_class.text), type_names());
      }
      step.arg2 = type->second;
    } else {
      for (const SetStep& set : kSetSteps) {
        if (set.word == text.op.text) step.op = set.op;
      }
      std::int64_t value = 0;
      if (!number(text.value, 0, INT32_MAX, "value", value)) return;
      step.arg1 = static_cast<std::int32_t>(value);
    }
    rule.steps.push_back(step);
  }

  void build_choose_args(const ChooseArgsText& text) {
    std::int64_t key = kDefaultChooseArgs;
    // crushtool prints the default weight set, -1, as an unsigned number of 64 bits.
    if (text.key.text != "18446744073709551615" && !number(text.key, -1, INT32_MAX, "number of a pool", key)) return;
    if (map_.choose_args.contains(key)) return problem(text.key, fmt::format("choose_args {} are already defined", key));
    ChooseArgs& args = map_.choose_args[key];
    for (const ChooseArgText& arg_text : text.args) {
      std::int64_t id = 0;
      if (!number(arg_text.bucket_id, kBucketIdMin, -1, "id of a bucket", id)) continue;
      const Bucket* bucket = map_.bucket(static_cast<std::int32_t>(id));
      if (bucket == nullptr) {
        if (problems_.empty()) problem(arg_text.bucket_id, fmt::format("bucket {} does not exist", id));
        continue;
      }
      ChooseArg arg;
      for (const std::vector<Token>& tokens : arg_text.weight_set) {
        if (tokens.size() != bucket->items.size()) {
          problem(tokens.empty() ? arg_text.bucket_id : tokens[0],
                  fmt::format("bucket {} needs exactly {} weights but got {}", id, bucket->items.size(), tokens.size()));
          continue;
        }
        std::vector<std::uint32_t>& weights = arg.weight_set.emplace_back();
        for (const Token& token : tokens) {
          std::uint32_t weight = 0;
          weight_of(token, kBucketWeightMax, weight);
          weights.push_back(weight);
        }
      }
      if (arg_text.has_ids && arg_text.ids.size() != bucket->items.size()) {
        problem(arg_text.ids_keyword, fmt::format("bucket {} needs exactly {} ids but got {}", id, bucket->items.size(), arg_text.ids.size()));
      }
      for (const Token& token : arg_text.ids) {
        std::int64_t value = 0;
        if (number(token, INT32_MIN, INT32_MAX, "id", value)) arg.ids.push_back(static_cast<std::int32_t>(value));
      }
      args[static_cast<std::int32_t>(id)] = std::move(arg);
    }
  }

  std::vector<TextProblem>& problems_;
  std::size_t before_;  // problems of others
  std::vector<Token> tokens_;
  Token end_;
  std::size_t at_ = 0;
  Stage stage_ = Stage::kHeader;

  std::vector<Statement> statements_;
  std::vector<TunableText> tunables_;
  std::vector<DeviceText> devices_;
  std::vector<TypeText> types_;
  std::vector<BucketText> buckets_;
  std::vector<RuleText> rules_;
  std::vector<ChooseArgsText> choose_args_;

  CrushMap map_;
  std::map<std::string, std::uint16_t, std::less<>> type_ids_;  // a type may have had several names
  std::set<std::int64_t> used_ids_;
  std::map<std::int32_t, std::map<std::int32_t, std::int32_t>> shadow_ids_;
  bool saw_rule_ = false;
};

}  // namespace

std::optional<CrushMap> read_text_map(std::string_view text, std::vector<TextProblem>& problems) { return Reader(text, problems).read(); }

namespace {

class Writer {
 public:
  Writer(const CrushMap& map, TextStyle style) : map_(map), style_(style) {}

  std::string write() {
    text_ = "# begin crush map\n";
    tunables();
    devices_and_types();
    text_ += "\n# buckets\n";
    for (std::int32_t id = -1; id >= -map_.max_buckets(); --id) bucket_after_its_items(id);
    text_ += "\n# rules\n";
    for (int id = 0; id < map_.max_rules(); ++id) {
      if (const Rule* rule = map_.rule(id)) write_rule(*rule, id);
    }
    if (!map_.choose_args.empty()) {
      text_ += "\n# choose_args\n";
      for (const auto& [key, args] : map_.choose_args) write_choose_args(key, args);
    }
    text_ += "\n# end crush map\n";
    return std::move(text_);
  }

 private:
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }
  void weight(std::uint32_t value) {
    // In single precision, as crushtool divides.
    const double rounded = static_cast<double>(static_cast<float>(static_cast<std::int32_t>(value)) / static_cast<float>(kWeightOne));
    add("{:.{}f}", rounded, style_ == TextStyle::kPacific ? 3 : 5);
  }
  void tunable(std::string_view name, std::uint32_t value, std::uint32_t legacy) {
    if (value != legacy) add("tunable {} {}\n", name, value);
  }

  void tunables() {
    const Tunables legacy = Tunables::of(TunablesProfile::kLegacy);
    const Tunables& now = map_.tunables;
    tunable("choose_local_tries", now.choose_local_tries, legacy.choose_local_tries);
    tunable("choose_local_fallback_tries", now.choose_local_fallback_tries, legacy.choose_local_fallback_tries);
    tunable("choose_total_tries", now.choose_total_tries, legacy.choose_total_tries);
    tunable("chooseleaf_descend_once", now.chooseleaf_descend_once, legacy.chooseleaf_descend_once);
    tunable("chooseleaf_vary_r", now.chooseleaf_vary_r, legacy.chooseleaf_vary_r);
    tunable("chooseleaf_stable", now.chooseleaf_stable, legacy.chooseleaf_stable);
    tunable("straw_calc_version", now.straw_calc_version, legacy.straw_calc_version);
    tunable("allowed_bucket_algs", now.allowed_bucket_algs, legacy.allowed_bucket_algs);
  }

  void devices_and_types() {
    text_ += "\n# devices\n";
    for (const auto& [id, name] : map_.item_names()) {
      if (id < 0 || id >= map_.max_devices()) continue;
      add("device {} {}", id, name);
      if (!map_.device_class(id).empty()) add(" class {}", map_.device_class(id));
      text_ += '\n';
    }
    text_ += "\n# types\n";
    if (!map_.types().empty() && !map_.types().contains(0)) text_ += "type 0 osd\n";
    for (const auto& [id, name] : map_.types()) add("type {} {}\n", id, name);
  }

  std::string type_name(std::uint16_t id) const {
    const std::string& name = map_.type_name(id);
    return !name.empty() ? name : id == 0 ? "device" : fmt::format("type{}", id);
  }
  std::string item_name(std::int32_t id) const {
    const std::string& name = map_.item_name(id);
    return !name.empty() ? name : id >= 0 ? fmt::format("device{}", id) : fmt::format("bucket{}", -1 - id);
  }

  void bucket_after_its_items(std::int32_t id) {
    const Bucket* bucket = map_.bucket(id);
    if (bucket == nullptr || !done_.insert(id).second) return;
    for (const std::int32_t item : bucket->items) bucket_after_its_items(item);
    if (!map_.is_shadow(id)) write_bucket(*bucket);
  }

  void write_bucket(const Bucket& bucket) {
    add("{} {} {{\n\tid {}\t\t# do not change unnecessarily\n", type_name(bucket.type), item_name(bucket.id), bucket.id);
    if (const auto shadows = map_.shadows().find(bucket.id); shadows != map_.shadows().end()) {
      for (const auto& [device_class, id] : shadows->second) {
        add("\tid {} class {}\t\t# do not change unnecessarily\n", id, map_.classes().at(device_class));
      }
    }
    text_ += "\t# weight ";
    weight(bucket.weight);
    add("\n\talg {}", to_string(bucket.alg));
    const bool with_positions = bucket.alg == BucketAlg::kUniform || bucket.alg == BucketAlg::kTree;
    if (bucket.alg == BucketAlg::kUniform) {
      add("\t# do not change bucket size ({}) unnecessarily", bucket.items.size());
    } else if (bucket.alg == BucketAlg::kList) {
      text_ += "\t# add new items at the end; do not change order unnecessarily";
    } else if (bucket.alg == BucketAlg::kTree) {
      text_ += "\t# do not change pos for existing items unnecessarily";
    }
    add("\n\thash {}\t# {}\n", bucket.hash, bucket.hash == 0 ? "rjenkins1" : "unknown");
    for (std::size_t i = 0; i < bucket.items.size(); ++i) {
      add("\titem {} weight ", item_name(bucket.items[i]));
      weight(bucket.weights[i]);
      if (with_positions) add(" pos {}", i);
      text_ += '\n';
    }
    text_ += "}\n";
  }

  void write_rule(const Rule& rule, int id) {
    add("rule {} {{\n\tid {}\n\ttype {}\n", rule.name, id, rule.type == PoolType::kErasure ? "erasure" : "replicated");
    if (style_ == TextStyle::kPacific) add("\tmin_size {}\n\tmax_size {}\n", rule.min_size, rule.max_size);
    for (const RuleStep& step : rule.steps) write_step(step);
    text_ += "}\n";
  }

  void write_step(const RuleStep& step) {
    if (step.op == RuleOp::kTake) {
      const std::string name = item_name(step.arg1);
      const std::size_t tilde = name.find('~');
      add("\tstep take {}", name.substr(0, tilde));
      if (tilde != std::string::npos) add(" class {}", name.substr(tilde + 1));
      text_ += '\n';
      return;
    }
    for (const SetStep& set : kSetSteps) {
      if (set.op == step.op) add("\tstep {} {}\n", set.word, step.arg1);
    }
    if (step.op == RuleOp::kNoop) text_ += "\tstep noop\n";
    if (step.op == RuleOp::kEmit) text_ += "\tstep emit\n";
    const bool leaf = step.op == RuleOp::kChooseleafFirstn || step.op == RuleOp::kChooseleafIndep;
    const bool firstn = step.op == RuleOp::kChooseFirstn || step.op == RuleOp::kChooseleafFirstn;
    if (!leaf && step.op != RuleOp::kChooseFirstn && step.op != RuleOp::kChooseIndep) return;
    add("\tstep {} {} {} type {}\n", leaf ? "chooseleaf" : "choose", firstn ? "firstn" : "indep", step.arg1,
        type_name(static_cast<std::uint16_t>(step.arg2)));
  }

  void write_choose_args(std::int64_t key, const ChooseArgs& args) {
    add("choose_args {} {{\n", static_cast<std::uint64_t>(key));
    for (const auto& [bucket, arg] : args) {
      add("  {{\n    bucket_id {}\n", bucket);
      if (!arg.weight_set.empty()) {
        text_ += "    weight_set [\n";
        for (const auto& weights : arg.weight_set) {
          text_ += "      [ ";
          for (const std::uint32_t value : weights) {
            weight(value);
            text_ += ' ';
          }
          text_ += "]\n";
        }
        text_ += "    ]\n";
      }
      if (!arg.ids.empty()) {
        text_ += "    ids [ ";
        for (const std::int32_t id : arg.ids) add("{} ", id);
        text_ += "]\n";
      }
      text_ += "  }\n";
    }
    text_ += "}\n";
  }

  const CrushMap& map_;
  TextStyle style_;
  std::string text_;
  std::set<std::int32_t> done_;
};

}  // namespace

std::string write_text_map(const CrushMap& map, TextStyle style) { return Writer(map, style).write(); }

}  // namespace sim::ceph::crush
