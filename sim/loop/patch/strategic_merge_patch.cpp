#include <fmt/format.h>

#include <algorithm>

#include "sim/loop/patch/patches.hpp"

namespace sim::loop {

namespace {

constexpr std::string_view kDirective = "$patch";
constexpr std::string_view kDeletePrefix = "$deleteFromPrimitiveList/";
constexpr std::string_view kOrderPrefix = "$setElementOrder/";
constexpr std::string_view kRetainKeys = "$retainKeys";

bool is_directive(std::string_view key) {
  return key == kDirective || key == kRetainKeys || key.starts_with(kDeletePrefix) || key.starts_with(kOrderPrefix);
}

class Merger {
 public:
  std::string error;

  /// `type` is null below maps and raw values: there everything merges as RFC 7386 says.
  void object(Json& document, const Json& patch, const TypeInfo* type) {
    const std::string& directive = patch.at(kDirective).text();
    if (directive == "replace") {
      document = without_directives(patch);
      return;
    }
    if (directive == "delete") {
      document = Json::object();
      return;
    }
    if (!directive.empty() && directive != "merge") {
      error = fmt::format("unknown patch type: {}", directive);
      return;
    }
    if (!document.is_object()) document = Json::object();
    if (const Json* retained = patch.find(kRetainKeys)) {
      std::erase_if(document.members(), [&](const Member& m) {
        return std::none_of(retained->items().begin(), retained->items().end(), [&](const Json& key) { return key.text() == m.key; });
      });
    }
    for (const Member& member : patch.members()) {
      if (!error.empty()) return;
      if (member.key.starts_with(kDeletePrefix)) {
        remove_primitives(document, member.key.substr(kDeletePrefix.size()), member.value);
        continue;
      }
      if (is_directive(member.key)) continue;
      if (member.value.is_null()) {
        document.erase(member.key);
        continue;
      }
      const FieldInfo* field = type == nullptr ? nullptr : type->find(member.key);
      const TypeInfo* below = field != nullptr && field->type.kind == '*' ? field->type.type : nullptr;
      if (member.value.is_object()) {
        object(document[member.key], member.value, below);
      } else if (member.value.is_array() && field != nullptr && field->patch_merge) {
        list(document[member.key], member.value, *field, patch.find(std::string(kOrderPrefix) + member.key));
      } else {
        document.set(member.key, member.value);
      }
    }
    // An order alone moves what is there.
    for (const Member& member : patch.members()) {
      if (!member.key.starts_with(kOrderPrefix)) continue;
      const std::string name = member.key.substr(kOrderPrefix.size());
      const FieldInfo* field = type == nullptr ? nullptr : type->find(name);
      Json* items = document.find(name);
      if (field != nullptr && items != nullptr && items->is_array() && patch.find(name) == nullptr) order(*items, member.value, field->merge_key);
    }
  }

 private:
  static Json without_directives(const Json& patch) {
    if (!patch.is_object()) return patch;
    Json result = Json::object();
    for (const Member& member : patch.members()) {
      if (!is_directive(member.key) && !member.value.is_null()) result.set(member.key, without_directives(member.value));
    }
    return result;
  }

  static void remove_primitives(Json& document, const std::string& name, const Json& gone) {
    Json* items = document.find(name);
    if (items == nullptr) return;
    std::erase_if(items->items(), [&](const Json& item) {
      return std::any_of(gone.items().begin(), gone.items().end(), [&](const Json& g) { return g == item; });
    });
  }

  void list(Json& items, const Json& patch, const FieldInfo& field, const Json* wanted_order) {
    const bool of_objects = field.type.element != nullptr && field.type.element->kind == '*';
    const auto replaces = std::any_of(patch.items().begin(), patch.items().end(), [](const Json& p) { return p.at(kDirective).text() == "replace"; });
    if (replaces) items = Json::array();
    Json::Array& to = items.items();
    for (const Json& entry : patch.items()) {
      if (!of_objects || field.merge_key.empty()) {
        if (std::none_of(to.begin(), to.end(), [&](const Json& item) { return item == entry; })) to.push_back(entry);
        continue;
      }
      if (!entry.is_object()) {
        error = "unable to find api field: a list of objects is merged with other values";
        return;
      }
      const std::string& directive = entry.at(kDirective).text();
      if (directive == "replace" && entry.size() == 1) continue;
      const Json* key = entry.find(field.merge_key);
      if (key == nullptr) {
        error = fmt::format("map: {} does not contain declared merge key: {}", entry.dump(), field.merge_key);
        return;
      }
      const auto place = std::find_if(to.begin(), to.end(), [&](const Json& item) { return item.at(field.merge_key) == *key; });
      if (directive == "delete") {
        const Json value = *key;
        std::erase_if(to, [&](const Json& item) { return item.at(field.merge_key) == value; });
      } else if (place == to.end()) {
        Json fresh = Json::object();
        object(fresh, entry, field.type.element->type);
        to.push_back(std::move(fresh));
      } else {
        object(*place, entry, field.type.element->type);
      }
      if (!error.empty()) return;
    }
    if (wanted_order != nullptr) order(items, *wanted_order, of_objects ? field.merge_key : std::string());
  }

  /// Items that the order names stand in that order; the others keep their place relative to their left neighbours.
  static void order(Json& items, const Json& wanted, const std::string& merge_key) {
    const auto rank = [&](const Json& item) -> std::size_t {
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const Json& w = wanted.items()[i];
        if (merge_key.empty() ? w == item : w.at(merge_key) == item.at(merge_key)) return i;
      }
      return SIZE_MAX;
    };
    Json::Array named;
    Json::Array result;
    for (Json& item : items.items()) {
      if (rank(item) != SIZE_MAX) named.push_back(item);
    }
    std::stable_sort(named.begin(), named.end(), [&](const Json& a, const Json& b) { return rank(a) < rank(b); });
    std::size_t next = 0;
    for (Json& item : items.items()) {
      if (rank(item) == SIZE_MAX) {
        result.push_back(std::move(item));
      } else {
        result.push_back(std::move(named[next++]));
      }
    }
    items.items() = std::move(result);
  }
};

}  // namespace

std::string strategic_merge_patch(Json& document, const Json& patch, const TypeInfo& type) {
  if (!patch.is_object()) return "json: cannot unmarshal array into Go value of type map[string]interface {}";
  Merger merger;
  merger.object(document, patch, &type);
  return merger.error;
}

}  // namespace sim::loop
