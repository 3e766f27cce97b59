#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "sim/loop/patch/patches.hpp"

namespace sim::loop {

namespace {

std::vector<std::string> pointer_steps(std::string_view pointer) {
  std::vector<std::string> steps;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);  // the slash
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    std::string step;
    for (std::size_t i = 0; i < end; ++i) {
      if (pointer[i] == '~' && i + 1 < end && (pointer[i + 1] == '0' || pointer[i + 1] == '1')) {
        step += pointer[++i] == '0' ? '~' : '/';
      } else {
        step += pointer[i];
      }
    }
    steps.push_back(std::move(step));
    pointer.remove_prefix(end);
  }
  return steps;
}

std::optional<std::size_t> index_of(std::string_view step, std::size_t size, bool may_append) {
  if (step == "-" && may_append) return size;
  std::int64_t index = 0;
  const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
  if (error != std::errc{} || end != step.data() + step.size()) return std::nullopt;
  const auto count = static_cast<std::int64_t>(size);
  if (index < 0) index += count;  // as json-patch.v4 with SupportNegativeIndices
  if (index < 0 || index > count || (index == count && !may_append)) return std::nullopt;
  return static_cast<std::size_t>(index);
}

Json* walk(Json& root, const std::vector<std::string>& steps, std::size_t count) {
  Json* here = &root;
  for (std::size_t i = 0; i < count && here != nullptr; ++i) {
    if (here->is_array()) {
      const std::optional<std::size_t> index = index_of(steps[i], here->size(), false);
      here = index ? &here->items()[*index] : nullptr;
    } else {
      here = here->is_object() ? here->find(steps[i]) : nullptr;
    }
  }
  return here;
}

std::string add(Json& document, const std::vector<std::string>& steps, Json value, std::string_view path, bool replaces) {
  if (steps.empty()) {
    document = std::move(value);
    return {};
  }
  const std::string_view op = replaces ? "replace" : "add";
  Json* parent = walk(document, steps, steps.size() - 1);
  if (parent == nullptr) return fmt::format("{} operation does not apply: doc is missing path: \"{}\": missing value", op, path);
  if (parent->is_array()) {
    const std::optional<std::size_t> index = index_of(steps.back(), parent->size(), !replaces);
    if (!index) return fmt::format("{} operation does not apply: doc is missing path: \"{}\": missing value", op, path);
    if (replaces) {
      parent->items()[*index] = std::move(value);
    } else {
      parent->items().insert(parent->items().begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
    }
    return {};
  }
  if (!parent->is_object()) return fmt::format("{} operation does not apply: doc is missing path: \"{}\": missing value", op, path);
  if (replaces && parent->find(steps.back()) == nullptr) return fmt::format("replace operation does not apply: doc is missing key: {}: missing value", path);
  parent->set(steps.back(), std::move(value));
  return {};
}

std::string remove(Json& document, const std::vector<std::string>& steps, std::string_view path) {
  Json* parent = steps.empty() ? nullptr : walk(document, steps, steps.size() - 1);
  if (parent == nullptr) return fmt::format("remove operation does not apply: doc is missing path: \"{}\": missing value", path);
  if (parent->is_array()) {
    const std::optional<std::size_t> index = index_of(steps.back(), parent->size(), false);
    if (!index) return fmt::format("error in remove for path: '{}': Unable to access invalid index: {}: invalid index referenced", path, steps.back());
    parent->items().erase(parent->items().begin() + static_cast<std::ptrdiff_t>(*index));
    return {};
  }
  if (!parent->erase(steps.back())) return fmt::format("error in remove for path: '{}': Unable to remove nonexistent key: {}: missing value", path, steps.back());
  return {};
}

}  // namespace

std::string json_patch(Json& document, const Json& patch) {
  constexpr std::size_t kOperationsMax = 10'000;
  if (!patch.is_array()) return "json: cannot unmarshal object into Go value of type jsonpatch.Patch";
  if (patch.size() > kOperationsMax) {
    return fmt::format("The allowed maximum operations in a JSON patch is {}, got {}", kOperationsMax, patch.size());
  }
  for (const Json& operation : patch.items()) {
    const std::string& op = operation.at("op").text();
    const std::string& path = operation.at("path").text();
    if (!operation.at("path").is_string() || (!path.empty() && path[0] != '/')) return fmt::format("Unexpected kind: unknown: path '{}'", path);
    const std::vector<std::string> steps = pointer_steps(path);
    const Json* value = operation.find("value");
    const Json given = value == nullptr ? Json() : *value;
    std::string error;
    if (op == "add" || op == "replace") {
      if (value == nullptr) return fmt::format("{} operation does not apply: value is missing", op);
      error = add(document, steps, given, path, op == "replace");
    } else if (op == "remove") {
      error = remove(document, steps, path);
    } else if (op == "test") {
      const Json* there = walk(document, steps, steps.size());
      const bool same = there == nullptr ? given.is_null() : *there == given;
      if (!same) error = fmt::format("testing value {} failed: test failed", path);
    } else if (op == "move" || op == "copy") {
      const std::string& from = operation.at("from").text();
      if (!from.empty() && from[0] != '/') return fmt::format("{} operation does not apply: from '{}'", op, from);
      const std::vector<std::string> source = pointer_steps(from);
      const Json* there = walk(document, source, source.size());
      if (there == nullptr) {
        error = fmt::format("{} operation does not apply: doc is missing from path: {}: missing value", op, from);
      } else {
        Json moved = *there;
        if (op == "move") error = remove(document, source, from);
        if (error.empty()) error = add(document, steps, std::move(moved), path, false);
      }
    } else {
      error = fmt::format("Unexpected kind: {}", op);
    }
    if (!error.empty()) return error;
  }
  return {};
}

}  // namespace sim::loop
