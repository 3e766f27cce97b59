/// Compact JSON, written in order: what `ceph ... -f json` prints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace sim::ceph {

class JsonWriter {
 public:
  JsonWriter& open(char bracket) {
    comma();
    text_ += bracket;
    first_ = true;
    return *this;
  }
  JsonWriter& close(char bracket) {
    text_ += bracket;
    first_ = false;
    return *this;
  }
  JsonWriter& key(std::string_view name) {
    comma();
    quote(name);
    text_ += ':';
    first_ = true;  // no comma before its value
    return *this;
  }
  JsonWriter& string(std::string_view value) {
    comma();
    quote(value);
    return *this;
  }
  JsonWriter& number(std::int64_t value) { return raw(fmt::format("{}", value)); }
  JsonWriter& real(double value) { return raw(fmt::format("{:.17g}", value)); }
  JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
  const std::string& text() const { return text_; }

 private:
  JsonWriter& raw(std::string_view value) {
    comma();
    text_ += value;
    return *this;
  }
  void comma() {
    if (!first_) text_ += ',';
    first_ = false;
  }
  void quote(std::string_view value) {
    text_ += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') {
        text_ += '\\';
        text_ += c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        text_ += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }
  std::string text_;
  bool first_ = true;
};

}  // namespace sim::ceph
