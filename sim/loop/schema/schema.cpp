#include "sim/loop/schema/schema.hpp"

#include <algorithm>
#include <charconv>

#include "sim/core/check.hpp"

namespace sim::loop {

namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> result;
  if (text == "-") return result;
  for (const std::string_view word : split(text, ',')) result.emplace_back(word);
  return result;
}

std::string unless_none(std::string_view text) { return text == "-" ? std::string() : std::string(text); }

}  // namespace

const FieldInfo* TypeInfo::find(std::string_view field) const {
  for (const FieldInfo& own : fields) {
    if (own.name == field) return &own;
    if (own.name != "." || own.type.type == nullptr) continue;
    if (const FieldInfo* inlined = own.type.type->find(field)) return inlined;
  }
  return nullptr;
}

bool ResourceInfo::allows(std::string_view verb) const { return std::find(verbs.begin(), verbs.end(), verb) != verbs.end(); }

const SubresourceInfo* ResourceInfo::subresource(std::string_view name) const {
  for (const SubresourceInfo& sub : subresources) {
    if (sub.name == name) return &sub;
  }
  return nullptr;
}

const Schema& Schema::kubernetes() {
  static const Schema schema(kubernetes_schema());
  return schema;
}

TypeRef Schema::parse_type(std::string_view& text) {
  TypeRef result;
  result.kind = text.front();
  text.remove_prefix(1);
  if (result.kind == '[' || result.kind == '{') {
    elements_.push_back(parse_type(text));
    result.element = &elements_.back();
    text.remove_prefix(1);
  } else if (result.kind == '*') {
    const std::size_t end = std::min(text.find_first_of("]}"), text.size());
    TypeInfo& type = types_[std::string(text.substr(0, end))];
    type.name = text.substr(0, end);
    result.type = &type;
    text.remove_prefix(end);
  }
  return result;
}

Schema::Schema(std::string_view text) {
  TypeInfo* current = nullptr;
  for (const std::string_view line : split(text, '\n')) {
    const std::vector<std::string_view> parts = split(line, ' ');
    if (parts.empty() || parts[0] == "#") continue;
    if (parts[0] == "R") {
      ResourceInfo& resource = resources_.emplace_back();
      resource.group = unless_none(parts[1]);
      resource.version = parts[2];
      resource.plural = parts[3];
      resource.singular = unless_none(parts[4]);
      resource.kind = parts[5];
      resource.list_kind = resource.kind + "List";
      resource.namespaced = parts[6] == "N";
      resource.verbs = words(parts[7]);
      resource.short_names = words(parts[8]);
      resource.categories = words(parts[9]);
    } else if (parts[0] == "S") {
      resources_.back().subresources.push_back(
          SubresourceInfo{std::string(parts[1]), unless_none(parts[2]), std::string(parts[3]), std::string(parts[4]), words(parts[5])});
    } else if (parts[0] == "T") {
      current = &types_[std::string(parts[1])];
      current->name = parts[1];
      if (parts[2] != "-") {
        const std::vector<std::string_view> gvk = split(parts[2], '/');
        current->group = unless_none(gvk[0]);
        current->version = gvk[1];
        current->kind = gvk[2];
      }
    } else if (parts[0] == "f") {
      SIM_CHECK(current != nullptr, "a field follows its type");
      FieldInfo& field = current->fields.emplace_back();
      field.name = parts[1];
      std::string_view type = parts[2];
      field.type = parse_type(type);
      std::from_chars(parts[3].data(), parts[3].data() + parts[3].size(), field.number);
      for (std::size_t i = 4; i < parts.size(); ++i) {
        const std::string_view flag = parts[i];
        if (flag == "!") field.always = true;
        if (flag == "F") field.fixed64 = true;
        if (flag == "A") field.atomic = true;
        if (flag == "L=set") field.set = true;
        if (flag.starts_with("K=")) field.merge_key = flag.substr(2);
        if (flag.starts_with("M=")) field.map_keys = words(flag.substr(2));
        if (flag.starts_with("P=")) {
          field.patch_merge = flag.find("merge") != std::string_view::npos;
          field.patch_retain_keys = flag.find("retainKeys") != std::string_view::npos;
        }
      }
    }
  }
  for (ResourceInfo& resource : resources_) resource.type = type_of(resource.group, resource.version, resource.kind);
}

const TypeInfo* Schema::type(std::string_view name) const {
  const auto found = types_.find(name);
  return found == types_.end() ? nullptr : &found->second;
}

const TypeInfo* Schema::type_of(std::string_view group, std::string_view version, std::string_view kind) const {
  for (const auto& [name, type] : types_) {
    if (type.kind == kind && type.version == version && type.group == group) return &type;
  }
  return nullptr;
}

}  // namespace sim::loop
