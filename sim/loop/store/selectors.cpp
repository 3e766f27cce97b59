#include "sim/loop/store/selectors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace sim::loop {

namespace {

bool is_word(char c) { return c != '\0' && std::string_view("=!(),<> \t").find(c) == std::string_view::npos; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// IsQualifiedName, IsValidLabelValue.
bool is_name_part(std::string_view text) {
  if (text.empty() || text.size() > 63 || !is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}
bool is_label_key(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return is_name_part(text);
  const std::string_view prefix = text.substr(0, slash);
  const bool domain = !prefix.empty() && prefix.size() <= 253 && is_alphanumeric(prefix.front()) && is_alphanumeric(prefix.back()) &&
                      std::all_of(prefix.begin(), prefix.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
  return domain && is_name_part(text.substr(slash + 1));
}

}  // namespace

class LabelParser {
 public:
  LabelParser(std::string_view text, std::string& error) : text_(text), error_(error) {}

  std::optional<LabelQuery> run() {
    LabelQuery query;
    skip();
    while (at_ < text_.size()) {
      LabelQuery::Term term;
      if (!requirement(term)) return std::nullopt;
      query.terms_.push_back(std::move(term));
      skip();
      if (at_ >= text_.size()) break;
      if (!take(',')) return fail(fmt::format("found '{}', expected: ',' or 'end of string'", rest()));
      skip();
      if (at_ >= text_.size()) return fail("found '', expected: identifier after ','");
    }
    return query;
  }

 private:
  using Operator = LabelQuery::Operator;
  std::nullopt_t fail(std::string what) {
    error_ = "unable to parse requirement: " + std::move(what);
    return std::nullopt;
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view rest() const { return text_.substr(at_, 1); }
  std::string_view word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  bool check(const LabelQuery::Term& term) {
    if (!is_label_key(term.key)) {
      fail(fmt::format("<nil>: Invalid value: \"{}\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
                       "'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')", term.key));
      return false;
    }
    for (const std::string& value : term.values) {
      if (value.empty() || is_name_part(value)) continue;
      fail(fmt::format("values[0][{}]: Invalid value: \"{}\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
                       "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')", term.key, value));
      return false;
    }
    return true;
  }
  bool requirement(LabelQuery::Term& term) {
    if (take('!')) {
      skip();
      term.key = word();
      term.op = Operator::kAbsent;
      return check(term);
    }
    term.key = word();
    if (term.key.empty()) {
      fail(fmt::format("found '{}', expected: !, identifier, or 'end of string'", rest()));
      return false;
    }
    skip();
    if (at_ >= text_.size() || text_[at_] == ',') return check(term);
    if (take('=')) {
      take('=');
      term.op = Operator::kIn;
      return exact(term);
    }
    if (take('!')) {
      if (!take('=')) {
        fail(fmt::format("found '!{}', expected: in, notin, =, ==, !=, gt, lt", rest()));
        return false;
      }
      term.op = Operator::kNotIn;
      return exact(term);
    }
    if (take('>')) {
      term.op = Operator::kGreater;
      return number(term);
    }
    if (take('<')) {
      term.op = Operator::kLess;
      return number(term);
    }
    const std::string_view op = word();
    if (op != "in" && op != "notin") {
      fail(fmt::format("found '{}', expected: in, notin, =, ==, !=, gt, lt", op.empty() ? rest() : op));
      return false;
    }
    term.op = op == "in" ? Operator::kIn : Operator::kNotIn;
    skip();
    if (!take('(')) {
      fail(fmt::format("found '{}' expected: '('", rest()));
      return false;
    }
    for (;;) {
      skip();
      term.values.emplace_back(word());
      skip();
      if (take(',')) continue;
      if (take(')')) break;
      fail(fmt::format("found '{}', expected: ',', ')' or identifier", rest()));
      return false;
    }
    return check(term);
  }
  bool exact(LabelQuery::Term& term) {
    skip();
    term.values = {std::string(word())};
    return check(term);
  }
  bool number(LabelQuery::Term& term) {
    skip();
    term.values = {std::string(word())};
    if (!integer(term.values[0])) {
      fail(fmt::format("values[0]: Invalid value: \"{}\": for 'Gt', 'Lt' operators, the value must be an integer", term.values[0]));
      return false;
    }
    return check(term);
  }

  std::string_view text_;
  std::string& error_;
  std::size_t at_ = 0;
};

std::optional<LabelQuery> LabelQuery::parse(std::string_view text, std::string& error) { return LabelParser(text, error).run(); }

bool LabelQuery::matches(const Json& document) const {
  if (terms_.empty()) return true;
  const Json& labels = document.at({"metadata", "labels"});
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    const Json* value = labels.find(term.key);
    const auto is_in = [&] { return std::find(term.values.begin(), term.values.end(), value->text()) != term.values.end(); };
    switch (term.op) {
      case Operator::kIn: return value != nullptr && is_in();
      case Operator::kNotIn: return value == nullptr || !is_in();
      case Operator::kExists: return value != nullptr;
      case Operator::kAbsent: return value == nullptr;
      case Operator::kGreater:
      case Operator::kLess: {
        const std::optional<std::int64_t> number = value == nullptr ? std::nullopt : integer(value->text());
        if (!number) return false;
        return term.op == Operator::kGreater ? *number > *integer(term.values[0]) : *number < *integer(term.values[0]);
      }
    }
    return false;
  });
}

std::optional<FieldQuery> FieldQuery::parse(std::string_view text, std::string& error) {
  FieldQuery query;
  std::size_t at = 0;
  while (at <= text.size() && !text.empty()) {
    // A comma may be escaped by a backslash.
    std::string term;
    while (at < text.size() && text[at] != ',') {
      if (text[at] == '\\' && at + 1 < text.size()) term += text[at++];
      term += text[at++];
    }
    const bool last = at >= text.size();
    ++at;
    if (!term.empty()) {
      Term parsed;
      std::size_t sign = term.find("!=");
      std::size_t width = 2;
      if (sign != std::string::npos) {
        parsed.equal = false;
      } else if (sign = term.find("=="); sign == std::string::npos) {
        sign = term.find('=');
        width = 1;
      }
      if (sign == std::string::npos) {
        error = fmt::format("invalid selector: '{}'; can't understand '{}'", text, term);
        return std::nullopt;
      }
      parsed.field = trimmed(std::string_view(term).substr(0, sign));
      const std::string_view value = std::string_view(term).substr(sign + width);
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (value[i] == '\\' && i + 1 < value.size()) ++i;
        parsed.value += value[i];
      }
      query.terms_.push_back(std::move(parsed));
    }
    if (last) break;
  }
  return query;
}

namespace {

/// The value that a field selector sees; absent fields are empty.
std::string field_value(const Json& document, std::string_view field) {
  const Json* here = &document;
  std::string_view rest = field;
  while (here != nullptr && !rest.empty()) {
    const std::size_t dot = std::min(rest.find('.'), rest.size());
    here = here->find(rest.substr(0, dot));
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  if (here == nullptr || here->is_null()) {
    // What the printer would show for a field that has a default in the internal version.
    if (field == "spec.unschedulable" || field == "spec.hostNetwork") return "false";
    // events.k8s.io calls it `regarding`.
    constexpr std::string_view kInvolved = "involvedObject.";
    if (field.starts_with(kInvolved) && document.find("regarding") != nullptr) return field_value(document, fmt::format("regarding.{}", field.substr(kInvolved.size())));
    if (field == "source" && document.find("reportingComponent") != nullptr) return document.at("reportingComponent").text();
    return {};
  }
  if (here->is_string()) return here->text();
  if (here->is_object()) return here->at("component").text();
  return here->dump();
}

const std::vector<std::string_view>& fields_of(std::string_view kind) {
  static const std::map<std::string_view, std::vector<std::string_view>> kFields = {
      {"Pod", {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork", "status.phase", "status.podIP",
               "status.podIPs", "status.nominatedNodeName"}},
      {"Node", {"spec.unschedulable"}},
      {"Event", {"involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion",
                 "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"}},
      {"Namespace", {"status.phase"}},
      {"Secret", {"type"}},
      {"ReplicaSet", {"status.replicas"}},
      {"ReplicationController", {"status.replicas"}},
      {"Job", {"status.successful"}},
      {"Service", {"spec.clusterIP", "spec.type"}},
      {"CertificateSigningRequest", {"spec.signerName"}},
      {"ResourceSlice", {"spec.nodeName", "spec.driver"}},
      {"IPAddress", {"spec.parentRef.resource"}},
  };
  static const std::vector<std::string_view> kNone;
  const auto found = kFields.find(kind);
  return found == kFields.end() ? kNone : found->second;
}

}  // namespace

bool FieldQuery::matches(const Json& document) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) { return (field_value(document, term.field) == term.value) == term.equal; });
}

std::string FieldQuery::unsupported(std::string_view kind, const std::vector<std::string>& also) const {
  const std::vector<std::string_view>& known = fields_of(kind);
  for (const Term& term : terms_) {
    if (term.field == "metadata.name" || term.field == "metadata.namespace") continue;
    if (std::find(known.begin(), known.end(), term.field) != known.end()) continue;
    if (std::find(also.begin(), also.end(), term.field) != also.end()) continue;
    return term.field;
  }
  return {};
}

std::optional<std::string> FieldQuery::name() const {
  for (const Term& term : terms_) {
    if (term.field == "metadata.name" && term.equal) return term.value;
  }
  return std::nullopt;
}

bool selector_matches(const Json& selector, const Json& labels) {
  if (!selector.is_object()) return false;
  for (const Member& wanted : selector.at("matchLabels").members()) {
    const Json* value = labels.find(wanted.key);
    if (value == nullptr || value->text() != wanted.value.text()) return false;
  }
  for (const Json& expression : selector.at("matchExpressions").items()) {
    const Json* value = labels.find(expression.at("key").text());
    const std::string& op = expression.at("operator").text();
    const Json::Array& values = expression.at("values").items();
    const bool is_in = value != nullptr && std::any_of(values.begin(), values.end(), [&](const Json& v) { return v.text() == value->text(); });
    if (op == "In" && !is_in) return false;
    if (op == "NotIn" && is_in) return false;
    if (op == "Exists" && value == nullptr) return false;
    if (op == "DoesNotExist" && value != nullptr) return false;
  }
  return true;
}

}  // namespace sim::loop
