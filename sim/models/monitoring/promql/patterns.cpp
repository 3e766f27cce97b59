// Regular expressions of matchers and label_replace: RE2's, as far as ECMAScript's mean the same.
#include <cctype>
#include <map>
#include <regex>

#include "sim/models/monitoring/promql/evaluator.hpp"

namespace sim::promql {

namespace {

/// `.` matches every character in Prometheus (flag s); a dot of ECMAScript leaves out line ends. (?i) becomes classes of both cases.
std::string translated(const std::string& pattern) {
  std::string result;
  bool in_class = false;
  std::vector<bool> outer;  // whether case was ignored outside of each open group
  bool ignores_case = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      result += c;
      result += pattern[++i];
    } else if (!in_class && pattern.compare(i, 4, "(?i)") == 0) {
      ignores_case = true;
      i += 3;
    } else if (!in_class && pattern.compare(i, 4, "(?i:") == 0) {
      outer.push_back(ignores_case);
      ignores_case = true;
      result += "(?:";
      i += 3;
    } else if (!in_class && c == '(') {
      outer.push_back(ignores_case);
      result += c;
    } else if (!in_class && c == ')') {
      if (!outer.empty()) {
        ignores_case = outer.back();
        outer.pop_back();
      }
      result += c;
    } else if (c == '[') {
      in_class = true;
      result += c;
    } else if (c == ']') {
      in_class = false;
      result += c;
    } else if (c == '.' && !in_class) {
      result += "[\\s\\S]";
    } else if (ignores_case && std::isalpha(static_cast<unsigned char>(c)) != 0) {
      const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      const auto upper = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      result += in_class ? std::string{lower, upper} : std::string{'[', lower, upper, ']'};
    } else {
      result += c;
    }
  }
  return result;
}

/// A range like [a-z] under (?i) is not taken apart.
bool has_range_without_case(const std::string& pattern) {
  const std::size_t flag = pattern.find("(?i");
  if (flag == std::string::npos) return false;
  const std::size_t open = pattern.find('[', flag);
  return open != std::string::npos && pattern.find('-', open) != std::string::npos;
}

}  // namespace

std::string check_pattern(const std::string& pattern) {
  if (pattern.find("(?=") != std::string::npos || pattern.find("(?!") != std::string::npos || pattern.find("(?<") != std::string::npos) {
    return "look-ahead and look-behind are no part of RE2";
  }
  if (has_range_without_case(pattern)) return "ranges of characters are not supported under (?i)";
  if (pattern.find("(?s") != std::string::npos || pattern.find("(?P") != std::string::npos ||
      pattern.find("(?U") != std::string::npos || pattern.find("(?m") != std::string::npos || pattern.find("\\p") != std::string::npos ||
      pattern.find("\\Q") != std::string::npos) {
    return "flags, named groups, \\p and \\Q are not supported in regular expressions";
  }
  // A back-reference is right in ECMAScript and wrong in RE2.
  for (std::size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] != '\\') continue;
    if (pattern[i + 1] >= '1' && pattern[i + 1] <= '9') return "back-references are no part of RE2";
    ++i;
  }
  try {
    const std::regex regex(translated(pattern), std::regex::ECMAScript);
  } catch (const std::regex_error& error) {
    return error.what();
  }
  return {};
}

struct ValueMatcher::Pattern {
  std::regex regex;
};

ValueMatcher::ValueMatcher(const Matcher& matcher) : kind_(matcher.kind), value_(matcher.value) {
  if (kind_ != Matcher::Kind::kRegex && kind_ != Matcher::Kind::kNotRegex) return;
  pattern_ = std::make_unique<Pattern>();
  try {
    pattern_->regex = std::regex(translated(value_), std::regex::ECMAScript);
  } catch (const std::regex_error&) {
    pattern_->regex = std::regex("[^\\s\\S]");  // check_pattern() has refused it: nothing matches
  }
}
ValueMatcher::~ValueMatcher() = default;
ValueMatcher::ValueMatcher(ValueMatcher&&) noexcept = default;

bool ValueMatcher::operator()(Symbol value, const Interner& names) {
  const std::string& text = names.text(value);
  switch (kind_) {
    case Matcher::Kind::kEqual: return text == value_;
    case Matcher::Kind::kNotEqual: return text != value_;
    default: break;
  }
  const auto [place, is_new] = known_.try_emplace(value, false);
  if (is_new) place->second = std::regex_match(text, pattern_->regex) == (kind_ == Matcher::Kind::kRegex);
  return place->second;
}

std::optional<std::string> replace_pattern(const std::string& pattern, const std::string& text, const std::string& replacement) {
  std::smatch match;
  try {
    // A pattern is the same at each evaluation.
    thread_local std::map<std::string, std::regex> compiled;
    auto found = compiled.find(pattern);
    if (found == compiled.end()) found = compiled.emplace(pattern, std::regex(translated(pattern), std::regex::ECMAScript)).first;
    if (!std::regex_match(text, match, found->second)) return std::nullopt;
  } catch (const std::regex_error&) {
    return std::nullopt;
  }
  std::string result;
  for (std::size_t i = 0; i < replacement.size(); ++i) {
    if (replacement[i] != '$' || i + 1 >= replacement.size()) {
      result += replacement[i];
      continue;
    }
    std::size_t begin = i + 1;
    if (replacement[begin] == '$') {
      result += '$';
      i = begin;
      continue;
    }
    const bool braces = replacement[begin] == '{';
    if (braces) ++begin;
    std::size_t end = begin;
    while (end < replacement.size() && (std::isalnum(static_cast<unsigned char>(replacement[end])) != 0 || replacement[end] == '_')) ++end;
    if (end == begin || (braces && (end >= replacement.size() || replacement[end] != '}'))) {
      result += '$';
      continue;
    }
    // The longest run of letters and digits is the name: $1x is a group "1x", which does not exist.
    const std::string name = replacement.substr(begin, end - begin);
    if (name.find_first_not_of("0123456789") == std::string::npos && name.size() < 4) {
      const auto group = static_cast<std::size_t>(std::stoi(name));
      if (group < match.size()) result += match[group].str();
    }
    i = braces ? end : end - 1;
  }
  return result;
}

}  // namespace sim::promql
