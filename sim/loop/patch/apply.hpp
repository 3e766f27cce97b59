/// Server-side apply: who owns which field of an object, and what a configuration that is applied makes of it.
///
/// Owners stand in metadata.managedFields as upstream writes them: one entry for each (manager, operation, apiVersion, subresource), its set of fields as
/// FieldsV1 ("f:spec", "k:{...}", "v:...").
///
/// Source:     structured-merge-diff/v6 merge/update.go, fieldpath/serialize.go; apimachinery pkg/util/managedfields; reference kubernetes 4.7.
/// Leaves out: conversion between versions of a kind (each served resource has one); unions.
/// Checked by: tests/loop/apply_test.cpp.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loop/json/json.hpp"
#include "sim/loop/schema/schema.hpp"

namespace sim::loop {

/// How a value is made: of a built-in type, of the OpenAPI schema of a CustomResourceDefinition, or nobody knows.
class Shape {
 public:
  enum class ListKind { kAtomic, kMap, kSet };
  Shape() = default;
  explicit Shape(const TypeInfo* type) : type_(type) {}
  static Shape of_schema(const Json* schema) {
    Shape shape;
    shape.schema_ = schema;
    return shape;
  }
  Shape field(std::string_view name) const;
  Shape element() const;
  bool is_atomic() const;
  ListKind list_kind() const;
  std::vector<std::string> map_keys() const;
  const Json* schema() const { return schema_; }

 private:
  const TypeInfo* type_ = nullptr;      // of an object
  const FieldInfo* field_ = nullptr;    // that it is the value of
  const TypeRef* ref_ = nullptr;
  const Json* schema_ = nullptr;
};

/// A set of fields: a tree of path elements, each of which may itself be a member.
struct FieldSet {
  bool member = false;
  std::map<std::string, FieldSet> below;

  bool is_empty() const { return !member && below.empty(); }
  void unite(const FieldSet& other);
  void subtract(const FieldSet& other);
  FieldSet intersection(const FieldSet& other) const;
  Json to_json() const;
  static FieldSet from_json(const Json& json);
  /// ".spec.replicas", ".spec.containers[name=\"web\"].image"
  std::vector<std::string> paths() const;
};

/// All fields that a value sets.
FieldSet fields_of(const Json& value, const Shape& shape);
/// Fields that were added or changed, and those that are gone.
struct FieldChanges {
  FieldSet changed;
  FieldSet removed;
};
FieldChanges compare_fields(const Json& before, const Json& after, const Shape& shape);

struct Manager {
  std::string name;
  std::string operation;  // "Apply", "Update"
  std::string api_version;
  std::string subresource;
};

struct ApplyConflict {
  std::string manager;  // as the message words it
  std::vector<std::string> paths;
};

/// What a PATCH of the type apply makes of `live` (null: there is none). Conflicts are empty with `force`.
struct Applied {
  Json document;
  std::vector<ApplyConflict> conflicts;
};
Applied apply_configuration(const Json* live, const Json& configuration, const Shape& shape, const Manager& manager, bool force, const std::string& now);
/// After a write of another kind: the manager owns what it changed. Sets `after`'s managedFields.
void track_update(const Json* before, Json& after, const Shape& shape, const Manager& manager, const std::string& now);

}  // namespace sim::loop
