#include "sim/loop/schema/check.hpp"

#include <fmt/format.h>

namespace sim::loop {

namespace {

class Checker {
 public:
  Decoded result;

  void object(const Json& value, const TypeInfo& type, const std::string& path) {
    for (const Member& member : value.members()) {
      const FieldInfo* field = type.find(member.key);
      const std::string below = path.empty() ? member.key : path + "." + member.key;
      if (field == nullptr) {
        result.unknown.push_back(below);
        continue;
      }
      check(member.value, field->type, below, type);
    }
  }

 private:
  static std::string_view word(const Json& value) {
    return value.is_string() ? "string" : value.is_bool() ? "bool" : value.is_number() ? "number" : value.is_array() ? "array" : "object";
  }
  void wrong(const Json& value, std::string_view wanted, const std::string& path, const TypeInfo& of) {
    if (!result.error.empty()) return;
    const std::size_t dot = of.name.rfind('.');
    result.error = fmt::format("json: cannot unmarshal {} into Go struct field {}.{} of type {}", word(value), of.name.substr(dot + 1), path, wanted);
  }
  void check(const Json& value, const TypeRef& type, const std::string& path, const TypeInfo& of) {
    if (value.is_null()) return;
    switch (type.kind) {
      case 's':
        if (!value.is_string()) wrong(value, "string", path, of);
        return;
      case 'y':
        if (!value.is_string()) wrong(value, "[]uint8", path, of);
        return;
      case 'i':
      case 'l':
        if (!value.is_integer()) wrong(value, type.kind == 'i' ? "int32" : "int64", path, of);
        return;
      case 'd':
        if (!value.is_number()) wrong(value, "float64", path, of);
        return;
      case 'b':
        if (!value.is_bool()) wrong(value, "bool", path, of);
        return;
      case 't':
      case 'u':
      case 'D':
        if (!value.is_string()) wrong(value, "v1.Time", path, of);
        return;
      case 'q':
        if (!value.is_string() && !value.is_number()) wrong(value, "resource.Quantity", path, of);
        return;
      case 'x':
        if (!value.is_string() && !value.is_integer()) wrong(value, "intstr.IntOrString", path, of);
        return;
      case '*':
        if (!value.is_object()) {
          const std::size_t dot = type.type->name.rfind('.');
          // JSONSchemaPropsOrBool and the like are several things.
          if (type.type->name.find("Or") != std::string::npos) return;
          return wrong(value, "v1." + type.type->name.substr(dot + 1), path, of);
        }
        if (type.type->name.find("JSONSchemaProps") != std::string::npos) return;  // schemas are checked as such
        return object(value, *type.type, path);
      case '[':
        if (!value.is_array()) return wrong(value, "[]" + std::string(1, type.element->kind == 's' ? 's' : 'v'), path, of);
        for (std::size_t i = 0; i < value.size(); ++i) check(value.items()[i], *type.element, fmt::format("{}[{}]", path, i), of);
        return;
      case '{':
        if (!value.is_object()) return wrong(value, type.element->kind == 's' ? "map[string]string" : "map", path, of);
        for (const Member& member : value.members()) check(member.value, *type.element, path + "." + member.key, of);
        return;
      default: return;
    }
  }
};

}  // namespace

Decoded check_document(const Json& document, const TypeInfo& type) {
  Checker checker;
  checker.object(document, type, {});
  return std::move(checker.result);
}

}  // namespace sim::loop
