/// A JSON value that can be changed: what objects of the API are made of between the socket and the typed models.
///
/// Members keep the order in which they came. Integers of 64 bits stay integers.
///
/// Source:     RFC 8259; RapidJSON reads the text.
/// Leaves out: integers beyond 64 bits (they become doubles); duplicate keys are kept as the last of them.
/// Checked by: tests/loop/json_test.cpp.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sim::loop {

struct Member;

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;

  Json() = default;
  Json(bool value) : value_(value) {}                  // NOLINT: literals stand for values
  Json(std::int64_t value) : value_(value) {}          // NOLINT
  Json(int value) : value_(std::int64_t{value}) {}     // NOLINT
  Json(double value) : value_(value) {}                // NOLINT
  Json(std::string value) : value_(std::move(value)) {}         // NOLINT
  Json(std::string_view value) : value_(std::string(value)) {}  // NOLINT
  Json(const char* value) : value_(std::string(value)) {}       // NOLINT
  static Json array(std::vector<Json> items = {});
  static Json object();
  static Json object(std::initializer_list<std::pair<std::string_view, Json>> members);

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_integer() const { return std::holds_alternative<std::int64_t>(value_); }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  bool as_bool(bool otherwise = false) const { return is_bool() ? std::get<bool>(value_) : otherwise; }
  std::int64_t as_integer(std::int64_t otherwise = 0) const;
  double as_double(double otherwise = 0) const;
  /// Empty for everything that is no string.
  const std::string& text() const;

  /// Items of an array, members of an object; empty for everything else.
  const Array& items() const;
  const Object& members() const;
  Array& items();
  Object& members();
  std::size_t size() const;
  bool is_empty() const { return size() == 0; }

  /// The member; null when there is none, or this is no object.
  const Json* find(std::string_view key) const;
  Json* find(std::string_view key);
  /// The value at the end of the keys; JSON null when a step is missing.
  const Json& at(std::initializer_list<std::string_view> keys) const;
  const Json& at(std::string_view key) const { return at({key}); }
  /// Makes it an object when it is null, and the member when there is none: references to other members are void then.
  Json& operator[](std::string_view key);
  void set(std::string_view key, Json value) { (*this)[key] = std::move(value); }
  /// Sets it unless it is there and not null.
  void set_default(std::string_view key, Json value);
  bool erase(std::string_view key);
  /// Makes it an array when it is null.
  void push_back(Json value);

  /// By content: the order of members does not count, 1 equals 1.0.
  friend bool operator==(const Json& a, const Json& b);

  void write(std::string& to) const;
  std::string dump() const;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

struct Member {
  std::string key;
  Json value;
};

inline constexpr int kJsonDepthLimit = 100;

/// What is wrong with the text goes to `error`; empty then.
std::optional<Json> parse_json(std::string_view text, std::string& error);
/// `text` in quotes, with what JSON escapes.
void write_json_string(std::string_view text, std::string& to);

}  // namespace sim::loop
