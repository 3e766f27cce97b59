#include "sim/scenario/dump/object_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "sim/core/check.hpp"
#include "sim/scenario/yaml_text.hpp"

namespace sim::scenario::dump {

Selection Selection::everything() {
  Selection all;
  all.everything_ = true;
  return all;
}

Selection Selection::parse_list(std::string_view text, std::size_t& at) {
  Selection result;
  while (at < text.size() && text[at] != ')') {
    const std::size_t begin = at;
    while (at < text.size() && text[at] != ',' && text[at] != '(' && text[at] != ')' && text[at] != '*') ++at;
    std::string name(text.substr(begin, at - begin));
    Selection below;
    if (at < text.size() && text[at] == '(') {
      ++at;
      below = parse_list(text, at);
      SIM_CHECK(at < text.size() && text[at] == ')', "a selection closes what it opens");
      ++at;
    } else {
      if (at < text.size() && text[at] == '*') ++at;
      below = everything();
    }
    result.below_.emplace(std::move(name), std::move(below));
    if (at < text.size() && text[at] == ',') ++at;
  }
  return result;
}

Selection Selection::parse(std::string_view text) {
  std::size_t at = 0;
  return parse_list(text, at);
}

const Selection* Selection::below(std::string_view key) const {
  if (everything_) return this;
  const auto found = below_.find(key);
  return found == below_.end() ? nullptr : &found->second;
}

namespace {

bool is_alnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

/// What YAML 1.1 takes for something else than a string.
bool is_special_word(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kWords = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "nan", "inf"};
  if (text.size() > 5) return false;
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

/// "250m", "16Gi", "1.5Gi": a quantity with a suffix is no number to anybody.
bool is_quantity(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) != 0) ++i;
  if (i == 0 || i == text.size()) return false;
  if (text[i] == '.') {
    const std::size_t fraction = ++i;
    while (i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) != 0) ++i;
    if (i == fraction) return false;
  }
  static constexpr std::array<std::string_view, 11> kSuffixes = {"m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
  return std::find(kSuffixes.begin(), kSuffixes.end(), text.substr(i)) != kSuffixes.end();
}

bool is_plain_string(std::string_view text) {
  if (text.empty() || text.back() == ' ' || text.back() == ':') return false;
  const char first = text.front();
  if (!is_alnum(first) && first != '_' && first != '/') return false;
  const bool may_be_number = std::isdigit(static_cast<unsigned char>(first)) != 0;
  if (may_be_number && !is_quantity(text)) return false;
  if (is_special_word(text)) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c < 0x20 || c > 0x7e) return false;
    if (c == ':' && i + 1 < text.size() && text[i + 1] == ' ') return false;
    if (c == '#' && text[i - 1] == ' ') return false;
  }
  return true;
}

/// Of the volumes of a pod those that are backed by a claim, or take room on the node; of mounts all but the one that every pod has.
bool is_wanted_item(std::string_view path, Node item) {
  if (path.ends_with(".volumes")) {
    return item.size() <= 1 || item.find("persistentVolumeClaim") || item.find("ephemeral") || item.find("emptyDir");
  }
  if (path.ends_with(".volumeMounts")) return !item.find("mountPath").text().starts_with("/var/run/secrets/");
  return true;
}
std::string kind_of_volume(Node item) {
  for (std::size_t i = 0; i < item.size(); ++i) {
    if (item.key(i).text() != "name") return std::string(item.key(i).text());
  }
  return {};
}

constexpr std::size_t kAnnotationBytes = 256;  // what the reader of manifests looks at

}  // namespace

std::string yaml_scalar(std::string_view text, bool is_string) {
  if (!is_string) return std::string(text);
  if (is_plain_string(text)) return std::string(text);
  const bool is_one_line = std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (is_one_line && text.find('\'') == std::string_view::npos) return fmt::format("'{}'", text);
  return yaml_quoted(text);
}

void write_yaml(std::string& to, Node node, const Selection& selection, std::size_t indent, const std::string& path, FieldCounts& left_out) {
  switch (node.kind()) {
    case NodeKind::kNull: to += " null\n"; return;
    case NodeKind::kScalar:
      to += ' ';
      to += yaml_scalar(node.text(), node.is_string());
      to += '\n';
      return;
    case NodeKind::kSequence: {
      std::string items;
      for (std::size_t i = 0; i < node.size(); ++i) {
        const Node item = node.item(i);
        if (!selection.is_everything() && !is_wanted_item(path, item)) {
          ++left_out[path + " (" + kind_of_volume(item) + ")"];
          continue;
        }
        items.append(indent, ' ');
        items += '-';
        if (!item.is_map()) {
          write_yaml(items, item, selection, indent + 2, path, left_out);
          continue;
        }
        std::string inner;
        write_yaml_map(inner, item, selection, indent + 2, path, left_out);
        if (inner.empty()) {
          items += " {}\n";
        } else {
          items += ' ';
          items.append(inner, indent + 2);
        }
      }
      to += items.empty() ? " []\n" : "\n" + items;
      return;
    }
    case NodeKind::kMap: {
      std::string inner;
      write_yaml_map(inner, node, selection, indent, path, left_out);
      if (inner.empty()) {
        to += " {}\n";
      } else {
        to += '\n';
        to += inner;
      }
      return;
    }
  }
}

void write_yaml_map(std::string& to, Node map, const Selection& selection, std::size_t indent, const std::string& path, FieldCounts& left_out) {
  for (std::size_t i = 0; i < map.size(); ++i) {
    const std::string_view key = map.key(i).text();
    const Selection* below = selection.below(key);
    const Node value = map.value(i);
    const bool is_long_annotation = value.text().size() > kAnnotationBytes && path.ends_with(".metadata.annotations");
    const bool is_of_no_use = key == "managedFields" && path.ends_with(".metadata");
    if (below == nullptr || is_long_annotation || is_of_no_use) {
      if (value.is_null()) continue;
      std::string full = path;
      full += '.';
      full += key;
      ++left_out[std::move(full)];
      continue;
    }
    if (value.is_null()) continue;  // the same as absent
    to.append(indent, ' ');
    to += yaml_scalar(key, true);
    to += ':';
    if (value.is_scalar()) {
      to += ' ';
      to += yaml_scalar(value.text(), value.is_string());
      to += '\n';
      continue;
    }
    std::string full = path;
    full += '.';
    full += key;
    // A list stands at the column of its key, as kubectl writes it.
    write_yaml(to, value, *below, value.is_sequence() ? indent : indent + 2, full, left_out);
  }
}

}  // namespace sim::scenario::dump
