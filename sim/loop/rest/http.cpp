#include "sim/loop/rest/http.hpp"

#include <algorithm>

namespace sim::loop {

namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool decode(std::string_view text, bool plus_is_space, std::string& to) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return false;
      to += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      to += text[i] == '+' && plus_is_space ? ' ' : text[i];
    }
  }
  return true;
}

}  // namespace

std::string_view Request::parameter(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return {};
}

bool Request::has_parameter(std::string_view name) const {
  return std::any_of(query.begin(), query.end(), [&](const auto& entry) { return entry.first == name; });
}

bool Request::is_set(std::string_view name) const {
  const std::string_view value = parameter(name);
  return has_parameter(name) && value != "false" && value != "0";
}

bool read_target(std::string_view target, Request& request) {
  const std::size_t question = std::min(target.find('?'), target.size());
  if (!decode(target.substr(0, question), false, request.path)) return false;
  std::string_view rest = target.substr(std::min(question + 1, target.size()));
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    const std::size_t equal = std::min(pair.find('='), pair.size());
    std::string key;
    std::string value;
    if (!decode(pair.substr(0, equal), true, key) || !decode(pair.substr(std::min(equal + 1, pair.size())), true, value)) return false;
    if (!key.empty()) request.query.emplace_back(std::move(key), std::move(value));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return true;
}

}  // namespace sim::loop
