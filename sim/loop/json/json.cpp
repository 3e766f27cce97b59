#include "sim/loop/json/json.hpp"

#include <fmt/format.h>
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <cmath>

namespace sim::loop {

namespace {

const Json kNull;
const std::string kNoText;
const Json::Array kNoItems;
const Json::Object kNoMembers;

/// Builds the value from RapidJSON's events.
class Builder {
 public:
  bool Null() { return put(Json()); }
  bool Bool(bool value) { return put(Json(value)); }
  bool Int(int value) { return put(Json(std::int64_t{value})); }
  bool Uint(unsigned value) { return put(Json(std::int64_t{value})); }
  bool Int64(std::int64_t value) { return put(Json(value)); }
  bool Uint64(std::uint64_t value) {
    return value <= static_cast<std::uint64_t>(INT64_MAX) ? put(Json(static_cast<std::int64_t>(value))) : put(Json(static_cast<double>(value)));
  }
  bool Double(double value) { return put(Json(value)); }
  bool RawNumber(const char*, rapidjson::SizeType, bool) { return false; }
  bool String(const char* text, rapidjson::SizeType size, bool) { return put(Json(std::string(text, size))); }
  bool StartObject() { return open(Json::object()); }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    keys_.emplace_back(text, size);
    return true;
  }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool StartArray() { return open(Json::array()); }
  bool EndArray(rapidjson::SizeType) { return close(); }

  Json take() { return std::move(root_); }
  bool is_too_deep() const { return too_deep_; }

 private:
  bool open(Json value) {
    if (static_cast<int>(stack_.size()) >= kJsonDepthLimit) {
      too_deep_ = true;
      return false;
    }
    stack_.push_back(std::move(value));
    return true;
  }
  bool close() {
    Json value = std::move(stack_.back());
    stack_.pop_back();
    return put(std::move(value));
  }
  bool put(Json value) {
    if (stack_.empty()) {
      root_ = std::move(value);
      return true;
    }
    Json& parent = stack_.back();
    if (parent.is_array()) {
      parent.items().push_back(std::move(value));
      return true;
    }
    std::string key = std::move(keys_.back());
    keys_.pop_back();
    if (Json* before = parent.members().empty() ? nullptr : parent.find(key)) {
      *before = std::move(value);
    } else {
      parent.members().push_back(Member{std::move(key), std::move(value)});
    }
    return true;
  }

  std::vector<Json> stack_;
  std::vector<std::string> keys_;
  Json root_;
  bool too_deep_ = false;
};

/// RapidJSON's StringStream wants a terminator; requests have none.
struct View {
  using Ch = char;
  std::string_view text;
  std::size_t at = 0;
  char Peek() const { return at < text.size() ? text[at] : '\0'; }
  char Take() { return at < text.size() ? text[at++] : '\0'; }
  std::size_t Tell() const { return at; }
  char* PutBegin() { return nullptr; }
  void Put(char) {}
  void Flush() {}
  std::size_t PutEnd(char*) { return 0; }
};

}  // namespace

Json Json::array(std::vector<Json> items) {
  Json result;
  result.value_ = std::move(items);
  return result;
}

Json Json::object() {
  Json result;
  result.value_ = Object{};
  return result;
}

Json Json::object(std::initializer_list<std::pair<std::string_view, Json>> members) {
  Json result = object();
  Object& list = result.members();
  list.reserve(members.size());
  for (const auto& [key, value] : members) list.push_back(Member{std::string(key), value});
  return result;
}

std::int64_t Json::as_integer(std::int64_t otherwise) const {
  if (is_integer()) return std::get<std::int64_t>(value_);
  if (const double* number = std::get_if<double>(&value_); number != nullptr && std::abs(*number) < 9e18) return static_cast<std::int64_t>(*number);
  return otherwise;
}

double Json::as_double(double otherwise) const {
  if (is_integer()) return static_cast<double>(std::get<std::int64_t>(value_));
  if (const double* number = std::get_if<double>(&value_)) return *number;
  return otherwise;
}

const std::string& Json::text() const { return is_string() ? std::get<std::string>(value_) : kNoText; }
const Json::Array& Json::items() const { return is_array() ? std::get<Array>(value_) : kNoItems; }
const Json::Object& Json::members() const { return is_object() ? std::get<Object>(value_) : kNoMembers; }

Json::Array& Json::items() {
  if (!is_array()) value_ = Array{};
  return std::get<Array>(value_);
}

Json::Object& Json::members() {
  if (!is_object()) value_ = Object{};
  return std::get<Object>(value_);
}

std::size_t Json::size() const { return is_array() ? items().size() : members().size(); }

const Json* Json::find(std::string_view key) const {
  for (const Member& member : members()) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

Json* Json::find(std::string_view key) { return const_cast<Json*>(static_cast<const Json*>(this)->find(key)); }

const Json& Json::at(std::initializer_list<std::string_view> keys) const {
  const Json* here = this;
  for (const std::string_view key : keys) {
    here = here->find(key);
    if (here == nullptr) return kNull;
  }
  return *here;
}

Json& Json::operator[](std::string_view key) {
  Object& list = members();
  for (Member& member : list) {
    if (member.key == key) return member.value;
  }
  list.push_back(Member{std::string(key), Json()});
  return list.back().value;
}

void Json::set_default(std::string_view key, Json value) {
  Json& place = (*this)[key];
  if (place.is_null()) place = std::move(value);
}

bool Json::erase(std::string_view key) {
  if (!is_object()) return false;
  Object& list = members();
  const auto place = std::find_if(list.begin(), list.end(), [&](const Member& member) { return member.key == key; });
  if (place == list.end()) return false;
  list.erase(place);
  return true;
}

void Json::push_back(Json value) { items().push_back(std::move(value)); }

bool operator==(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) return a.is_integer() && b.is_integer() ? a.as_integer() == b.as_integer() : a.as_double() == b.as_double();
  if (a.value_.index() != b.value_.index()) return false;
  if (a.is_object()) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.members().size(); ++i) {
      const Member& member = a.members()[i];
      // Mostly both have the same order.
      const Member& same_place = b.members()[i];
      const Json* other = same_place.key == member.key ? &same_place.value : b.find(member.key);
      if (other == nullptr || !(member.value == *other)) return false;
    }
    return true;
  }
  if (a.is_array()) return a.items() == b.items();
  if (a.is_string()) return a.text() == b.text();
  if (a.is_bool()) return a.as_bool() == b.as_bool();
  return true;
}

void write_json_string(std::string_view text, std::string& to) {
  to += '"';
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    to.append(text, begin, i - begin);
    begin = i + 1;
    switch (c) {
      case '"': to += "\\\""; break;
      case '\\': to += "\\\\"; break;
      case '\n': to += "\\n"; break;
      case '\r': to += "\\r"; break;
      case '\t': to += "\\t"; break;
      default: fmt::format_to(std::back_inserter(to), "\\u{:04x}", c);
    }
  }
  to.append(text, begin, text.size() - begin);
  to += '"';
}

void Json::write(std::string& to) const {
  if (is_null()) {
    to += "null";
  } else if (is_bool()) {
    to += as_bool() ? "true" : "false";
  } else if (is_integer()) {
    const fmt::format_int number(as_integer());
    to.append(number.data(), number.size());
  } else if (is_number()) {
    fmt::format_to(std::back_inserter(to), "{}", as_double());
  } else if (is_string()) {
    write_json_string(text(), to);
  } else if (is_array()) {
    to += '[';
    bool first = true;
    for (const Json& item : items()) {
      if (!first) to += ',';
      first = false;
      item.write(to);
    }
    to += ']';
  } else {
    to += '{';
    bool first = true;
    for (const Member& member : members()) {
      if (!first) to += ',';
      first = false;
      write_json_string(member.key, to);
      to += ':';
      member.value.write(to);
    }
    to += '}';
  }
}

std::string Json::dump() const {
  std::string text;
  write(text);
  return text;
}

std::optional<Json> parse_json(std::string_view text, std::string& error) {
  View view{text};
  Builder builder;
  rapidjson::Reader reader;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseFullPrecisionFlag;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(view, builder);
  if (!result.IsError()) return builder.take();
  if (builder.is_too_deep()) {
    error = fmt::format("nested deeper than {}", kJsonDepthLimit);
  } else if (result.Code() == rapidjson::kParseErrorDocumentEmpty) {
    error = "unexpected end of JSON input";
  } else {
    error = fmt::format("{} (offset {})", rapidjson::GetParseError_En(result.Code()), result.Offset());
  }
  return std::nullopt;
}

}  // namespace sim::loop
