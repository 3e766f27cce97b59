/// CustomResourceDefinitions: what they serve, and their structural schemas (defaulting, pruning, validation).
///
/// Source:     apiextensions-apiserver pkg/apiserver/{validation,schema}; reference kubernetes 4.13.
/// Leaves out: conversion webhooks, CEL rules (x-kubernetes-validations are stored, not evaluated), patterns and formats.
#include <fmt/format.h>

#include <algorithm>

#include "sim/loop/rest/api.hpp"

namespace sim::loop {

std::optional<Refusal> Api::accept_definition(Json& definition) {
  definition["status"];  // a new member moves the others: before the reference
  Json& spec = definition["spec"];
  FieldErrors errors;
  const std::string group = spec.at("group").text();
  const std::string plural = spec.at({"names", "plural"}).text();
  const std::string& name = definition.at({"metadata", "name"}).text();
  if (group.empty()) errors.required("spec.group", "");
  if (plural.empty()) errors.required("spec.names.plural", "");
  if (spec.at({"names", "kind"}).text().empty()) errors.required("spec.names.kind", "");
  if (!group.empty() && !plural.empty() && name != plural + "." + group) {
    errors.invalid("metadata.name", name, fmt::format("must be spec.names.plural+\".\"+spec.group"));
  }
  const std::string& scope = spec.at("scope").text();
  if (scope != "Namespaced" && scope != "Cluster") errors.not_supported("spec.scope", scope, {"Cluster", "Namespaced"});
  std::int64_t storages = 0;
  for (std::size_t i = 0; i < spec.at("versions").size(); ++i) {
    const Json& version = spec.at("versions").items()[i];
    storages += version.at("storage").as_bool() ? 1 : 0;
    if (version.at({"schema", "openAPIV3Schema"}).is_null()) errors.required(fmt::format("spec.versions[{}].schema.openAPIV3Schema", i), "schemas are required");
  }
  if (storages != 1) errors.invalid("spec.versions", spec.at("versions"), "must have exactly one version marked as storage version");
  if (!errors.is_empty()) return invalid({"apiextensions.k8s.io", "CustomResourceDefinition", name}, errors);
  spec["conversion"].set_default("strategy", "None");
  Json& names = spec["names"];
  std::string singular = names.at("kind").text();
  for (char& c : singular) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  names.set_default("singular", singular);
  names.set_default("listKind", names.at("kind").text() + "List");
  Json& status = definition["status"];
  status.set("acceptedNames", names);
  Json stored = Json::array();
  for (const Json& version : spec.at("versions").items()) {
    if (version.at("storage").as_bool()) stored.push_back(version.at("name"));
  }
  status.set("storedVersions", stored);
  const auto condition = [&](std::string_view type, std::string_view reason, std::string_view message) {
    for (const Json& c : status.at("conditions").items()) {
      if (c.at("type").text() == type) return;
    }
    status["conditions"].push_back(Json::object({{"type", type}, {"status", "True"}, {"lastTransitionTime", store_.timestamp()}, {"reason", reason}, {"message", message}}));
  };
  condition("NamesAccepted", "NoConflicts", "no conflicts found");
  condition("Established", "InitialNamesAccepted", "the initial names have been accepted");
  return std::nullopt;
}

void Api::definition_changed(const Json& definition, bool gone) {
  const std::string& name = definition.at({"metadata", "name"}).text();
  for (auto at = custom_.begin(); at != custom_.end();) {
    if (at->second->definition != name) {
      ++at;
      continue;
    }
    retired_.push_back(std::move(at->second));
    at = custom_.erase(at);
  }
  openapi_cache_.clear();
  const Json& spec = definition.at("spec");
  const std::string& group = spec.at("group").text();
  const std::string& plural = spec.at({"names", "plural"}).text();
  if (gone) {
    // Its objects go with it.
    if (Collection* objects = store_.find_collection(group, plural)) {
      std::vector<Document> all;
      for (const auto& [key, document] : objects->objects()) all.push_back(document);
      for (const Document& document : all) {
        Document result;
        bool removed_now = false;
        store_.remove(objects->resource(), document, {}, false, result, removed_now);
      }
    }
    return;
  }
  for (const Json& version : spec.at("versions").items()) {
    if (!version.at("served").as_bool()) continue;
    auto custom = std::make_unique<CustomResource>();
    custom->definition = name;
    ResourceInfo& info = custom->info;
    info.group = group;
    info.version = version.at("name").text();
    info.plural = plural;
    info.singular = spec.at({"names", "singular"}).text();
    info.kind = spec.at({"names", "kind"}).text();
    info.list_kind = spec.at({"names", "listKind"}).text();
    info.namespaced = spec.at("scope").text() == "Namespaced";
    info.verbs = {"delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"};
    for (const Json& s : spec.at({"names", "shortNames"}).items()) info.short_names.push_back(s.text());
    for (const Json& c : spec.at({"names", "categories"}).items()) info.categories.push_back(c.text());
    custom->schema = version.at({"schema", "openAPIV3Schema"});
    custom->columns = version.at("additionalPrinterColumns");
    const Json& subresources = version.at("subresources");
    custom->has_status = subresources.find("status") != nullptr;
    if (custom->has_status) info.subresources.push_back({"status", info.group, info.version, info.kind, {"get", "patch", "update"}});
    if (const Json* scale = subresources.find("scale")) {
      custom->scale = *scale;
      info.subresources.push_back({"scale", "autoscaling", "v1", "Scale", {"get", "patch", "update"}});
    }
    for (const Json& field : version.at("selectableFields").items()) {
      std::string path = field.at("jsonPath").text();
      if (path.starts_with('.')) path.erase(0, 1);
      custom->selectable_fields.push_back(path);
    }
    store_.collection(info);
    custom_[fmt::format("{}/{}/{}", info.group, info.version, info.plural)] = std::move(custom);
  }
}

namespace {

bool preserves_unknown(const Json& schema) { return schema.at("x-kubernetes-preserve-unknown-fields").as_bool(); }

const Json* property_schema(const Json& schema, std::string_view name) {
  if (const Json* own = schema.at("properties").find(name)) return own;
  const Json* rest = schema.find("additionalProperties");
  if (rest == nullptr) return nullptr;
  return rest->is_object() ? rest : nullptr;
}

bool allows_any(const Json& schema) {
  const Json* rest = schema.find("additionalProperties");
  return preserves_unknown(schema) || (rest != nullptr && rest->is_bool() && rest->as_bool());
}

bool is_type_meta(std::string_view name, bool is_root) { return is_root && (name == "apiVersion" || name == "kind" || name == "metadata"); }

}  // namespace

void apply_schema_defaults(Json& value, const Json& schema) {
  if (value.is_object()) {
    for (const Member& property : schema.at("properties").members()) {
      if (property.key == "metadata" && value.find("apiVersion") != nullptr) continue;
      const Json* fallback = property.value.find("default");
      Json* there = value.find(property.key);
      if (there == nullptr && fallback != nullptr) {
        value.set(property.key, *fallback);
      } else if (there != nullptr && there->is_null() && fallback != nullptr && !property.value.at("nullable").as_bool()) {
        *there = *fallback;
      }
      if (Json* child = value.find(property.key)) apply_schema_defaults(*child, property.value);
    }
    if (const Json* rest = schema.find("additionalProperties"); rest != nullptr && rest->is_object()) {
      for (Member& member : value.members()) {
        if (schema.at("properties").find(member.key) == nullptr) apply_schema_defaults(member.value, *rest);
      }
    }
  } else if (value.is_array()) {
    if (const Json* items = schema.find("items")) {
      for (Json& item : value.items()) apply_schema_defaults(item, *items);
    }
  }
}

void prune(Json& value, const Json& schema, bool is_root) {
  if (value.is_object()) {
    // Embedded resources keep what every object has.
    const bool root = is_root || schema.at("x-kubernetes-embedded-resource").as_bool();
    if (!allows_any(schema)) {
      std::erase_if(value.members(), [&](const Member& m) { return !is_type_meta(m.key, root) && property_schema(schema, m.key) == nullptr; });
    }
    for (Member& member : value.members()) {
      if (is_type_meta(member.key, root)) continue;
      if (const Json* below = property_schema(schema, member.key)) prune(member.value, *below, false);
    }
  } else if (value.is_array()) {
    if (const Json* items = schema.find("items")) {
      for (Json& item : value.items()) prune(item, *items, false);
    }
  }
}

void unknown_fields(const Json& value, const Json& schema, const std::string& path, bool is_root, std::vector<std::string>& to) {
  if (value.is_object()) {
    const bool root = is_root || schema.at("x-kubernetes-embedded-resource").as_bool();
    for (const Member& member : value.members()) {
      if (is_type_meta(member.key, root)) continue;
      const std::string below_path = path.empty() ? member.key : path + "." + member.key;
      const Json* below = property_schema(schema, member.key);
      if (below != nullptr) {
        unknown_fields(member.value, *below, below_path, false, to);
      } else if (!allows_any(schema)) {
        to.push_back(below_path);
      }
    }
  } else if (value.is_array()) {
    if (const Json* items = schema.find("items")) {
      for (std::size_t i = 0; i < value.size(); ++i) unknown_fields(value.items()[i], *items, fmt::format("{}[{}]", path, i), false, to);
    }
  }
}

void validate_schema(const Json& value, const Json& schema, const std::string& path, FieldErrors& errors) {
  const std::string& type = schema.at("type").text();
  const bool int_or_string = schema.at("x-kubernetes-int-or-string").as_bool();
  if (value.is_null()) {
    if (!schema.at("nullable").as_bool() && !type.empty()) errors.invalid(path, Json("null"), fmt::format("{} in body must be of type {}: \"null\"", path, type));
    return;
  }
  const auto word = [&] { return value.is_string() ? "string" : value.is_bool() ? "boolean" : value.is_integer() ? "integer" : value.is_number() ? "number" : value.is_array() ? "array" : "object"; };
  bool fits = true;
  if (int_or_string) {
    fits = value.is_integer() || value.is_string();
  } else if (!type.empty()) {
    fits = type == word() || (type == "number" && value.is_number());
  }
  if (!fits) {
    errors.invalid(path, Json(word()), fmt::format("{} in body must be of type {}: \"{}\"", path, int_or_string ? "integer or string" : type, word()));
    return;
  }
  if (const Json* allowed = schema.find("enum")) {
    if (std::none_of(allowed->items().begin(), allowed->items().end(), [&](const Json& a) { return a == value; })) {
      std::vector<std::string> words;
      for (const Json& a : allowed->items()) words.push_back(a.is_string() ? a.text() : a.dump());
      errors.not_supported(path, value, words);
    }
  }
  if (value.is_number()) {
    const Json& low = schema.at("minimum");
    const Json& high = schema.at("maximum");
    if (low.is_number() && (value.as_double() < low.as_double() || (schema.at("exclusiveMinimum").as_bool() && value.as_double() == low.as_double()))) {
      errors.invalid(path, value, fmt::format("{} in body should be greater than{} {}", path, schema.at("exclusiveMinimum").as_bool() ? "" : " or equal to", low.dump()));
    }
    if (high.is_number() && (value.as_double() > high.as_double() || (schema.at("exclusiveMaximum").as_bool() && value.as_double() == high.as_double()))) {
      errors.invalid(path, value, fmt::format("{} in body should be less than{} {}", path, schema.at("exclusiveMaximum").as_bool() ? "" : " or equal to", high.dump()));
    }
  }
  if (value.is_string()) {
    const auto size = static_cast<std::int64_t>(value.text().size());
    if (schema.at("minLength").is_integer() && size < schema.at("minLength").as_integer()) {
      errors.invalid(path, value, fmt::format("{} in body should be at least {} chars long", path, schema.at("minLength").as_integer()));
    }
    if (schema.at("maxLength").is_integer() && size > schema.at("maxLength").as_integer()) {
      errors.invalid(path, value, fmt::format("{} in body should be at most {} chars long", path, schema.at("maxLength").as_integer()));
    }
  }
  if (value.is_array()) {
    const auto size = static_cast<std::int64_t>(value.size());
    if (schema.at("minItems").is_integer() && size < schema.at("minItems").as_integer()) {
      errors.invalid(path, size, fmt::format("{} in body should have at least {} items", path, schema.at("minItems").as_integer()));
    }
    if (schema.at("maxItems").is_integer() && size > schema.at("maxItems").as_integer()) {
      errors.invalid(path, size, fmt::format("{} in body should have at most {} items", path, schema.at("maxItems").as_integer()));
    }
    if (const Json* items = schema.find("items")) {
      for (std::size_t i = 0; i < value.size(); ++i) validate_schema(value.items()[i], *items, fmt::format("{}[{}]", path, i), errors);
    }
  }
  if (value.is_object()) {
    for (const Json& needed : schema.at("required").items()) {
      if (value.find(needed.text()) == nullptr) errors.required(path.empty() ? needed.text() : path + "." + needed.text(), "");
    }
    for (const Member& member : value.members()) {
      if (path.empty() && is_type_meta(member.key, true)) continue;
      if (const Json* below = property_schema(schema, member.key)) validate_schema(member.value, *below, path.empty() ? member.key : path + "." + member.key, errors);
    }
  }
}

}  // namespace sim::loop
