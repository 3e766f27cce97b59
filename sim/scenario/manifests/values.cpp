#include "sim/scenario/manifests/object_reader.hpp"

#include <algorithm>

#include "sim/scenario/source_document.hpp"

namespace sim::scenario::manifests {

Diagnostic& ObjectReader::wrong(Yaml node, std::string_view expected) {
  Diagnostic& d = diagnostics.error(node, "wrong type of value");
  d.expected = expected;
  d.found = node.describe();
  return d;
}

void ObjectReader::not_simulated(Yaml node, std::string field) {
  if (node.is_null()) return;
  Unmodelled& entry = unmodelled[std::move(field)];
  if (entry.count++ == 0) entry.first = node.place();
}

void ObjectReader::expect_fields(Yaml map, std::string_view where, std::span<const std::string_view> fields) {
  for (std::size_t i = 0; i < map.size(); ++i) {
    const std::string_view key = map.key(i).text();
    if (std::find(fields.begin(), fields.end(), key) != fields.end()) continue;
    Unmodelled& entry = unknown[fmt::format("{}.{}", where, key)];
    if (entry.count++ != 0) continue;
    entry.first = map.key(i).place();
    entry.hint = did_you_mean(key, std::vector<std::string>(fields.begin(), fields.end()));
  }
}

std::string_view ObjectReader::text(Yaml map, std::string_view key) {
  const Yaml node = map.find(key);
  if (node.is_null()) return {};
  if (!node.is_string()) {
    Diagnostic& d = wrong(node, "a string");
    if (node.is_scalar()) d.hint = fmt::format("with quotes: \"{}\"", node.text());
    return {};
  }
  return node.text();
}

bool ObjectReader::boolean(Yaml map, std::string_view key, bool absent) {
  const Yaml node = map.find(key);
  if (node.is_null()) return absent;
  const std::optional<bool> value = node.as_bool();
  if (!value) wrong(node, "true or false");
  return value.value_or(absent);
}

std::optional<std::int64_t> ObjectReader::integer(Yaml map, std::string_view key, std::int64_t low, std::int64_t high) {
  const Yaml node = map.find(key);
  if (node.is_null()) return std::nullopt;
  const std::optional<std::int64_t> value = node.as_integer();
  if (!value) {
    Diagnostic& d = wrong(node, "an integer");
    if (node.is_scalar() && !node.is_plain()) d.hint = "without quotes";
    return std::nullopt;
  }
  if (*value < low || *value > high) {
    Diagnostic& d = impossible(node, "value out of range");
    d.expected = fmt::format("an integer from {} to {}", low, high);
    d.found = node.describe();
    return std::nullopt;
  }
  return value;
}

std::optional<IntOrPercent> ObjectReader::int_or_percent(Yaml map, std::string_view key) {
  const Yaml node = map.find(key);
  if (node.is_null()) return std::nullopt;
  if (const std::optional<std::int64_t> value = node.as_integer(); value && *value >= 0 && *value <= kMaxInt32) return IntOrPercent{*value, false};
  const std::string_view t = node.text();
  if (node.is_scalar() && t.size() > 1 && t.size() < 6 && t.back() == '%') {
    std::int64_t value = 0;
    for (const char c : t.substr(0, t.size() - 1)) {
      if (c < '0' || c > '9') value = 1'000'000;
      else value = value * 10 + (c - '0');
    }
    if (value <= 100) return IntOrPercent{value, true};
  }
  wrong(node, "a number, or a percentage such as \"25%\"");
  return std::nullopt;
}

Yaml ObjectReader::map(Yaml parent, std::string_view key) {
  const Yaml node = parent.find(key);
  if (node.is_null()) return Yaml{};
  if (!node.is_map()) {
    wrong(node, "a map");
    return Yaml{};
  }
  return node;
}

std::vector<Yaml> ObjectReader::maps(Yaml parent, std::string_view key) {
  std::vector<Yaml> result;
  const Yaml node = parent.find(key);
  if (node.is_null()) return result;
  if (!node.is_sequence()) {
    wrong(node, "a list");
    return result;
  }
  for (std::size_t i = 0; i < node.size(); ++i) {
    if (node.item(i).is_map()) {
      result.push_back(node.item(i));
    } else {
      wrong(node.item(i), "a map");
    }
  }
  return result;
}

std::vector<Symbol> ObjectReader::strings(Yaml parent, std::string_view key) {
  std::vector<Symbol> result;
  const Yaml node = parent.find(key);
  if (node.is_null()) return result;
  if (!node.is_sequence()) {
    wrong(node, "a list of strings");
    return result;
  }
  for (std::size_t i = 0; i < node.size(); ++i) {
    if (node.item(i).is_string()) {
      result.push_back(intern(node.item(i).text()));
    } else {
      wrong(node.item(i), "a string");
    }
  }
  return result;
}

Resources ObjectReader::resources(Yaml node, Given* given) {
  Resources result;
  for (std::size_t i = 0; i < node.size(); ++i) {
    const std::string_view key = node.key(i).text();
    const Yaml value = node.value(i);
    if (value.is_null()) continue;
    const bool is_cpu = key == "cpu";
    const std::optional<std::int64_t> amount =
        !value.is_scalar() ? std::nullopt : is_cpu ? parse_quantity_milli(value.text()) : parse_quantity(value.text());
    if (!amount) {
      wrong(value, is_cpu ? "a quantity such as 500m or 4" : "a quantity such as 512Mi");
      continue;
    }
    if (*amount < 0) {
      impossible(value, fmt::format("the amount of {} is negative", key));
      continue;
    }
    if (is_cpu) {
      result.cpu_milli = *amount;
      if (given != nullptr) given->cpu = true;
    } else if (key == "memory") {
      result.memory = *amount;
      if (given != nullptr) given->memory = true;
    } else if (key == "ephemeral-storage") {
      result.ephemeral_storage = *amount;
    } else if (key == "pods") {
      result.pods = *amount;
    } else {
      result.set(intern(key), *amount);
    }
  }
  return result;
}

std::shared_ptr<const SourceDocument> ObjectReader::source_of(Yaml node) {
  auto source = std::make_shared<SourceDocument>();
  source->file = node.file()->shared_from_this();
  source->range = source_range(node);
  source->line = node.line();
  return source;
}

}  // namespace sim::scenario::manifests
