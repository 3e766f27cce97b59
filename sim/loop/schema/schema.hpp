/// What the kinds of Kubernetes v1.36 are made of: fields with their types and protobuf numbers, how lists merge, which resources there are.
///
/// Source:     sim/loop/schema/kubernetes.schema, made by tools/kubernetes_schema/generate.py from the Go modules; its head explains the lines.
/// Leaves out: group-versions that are not GA (but events/v1 of core), descriptions.
/// Checked by: tests/loop/api_test.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sim::loop {

struct TypeInfo;

/// The type of a field.
struct TypeRef {
  /// As in kubernetes.schema: s i l b d y t u D q x j, '*' an object of `type`, '[' a list and '{' a map of `element`.
  char kind = 'j';
  const TypeInfo* type = nullptr;
  const TypeRef* element = nullptr;
};

struct FieldInfo {
  std::string name;  // "." is inlined in JSON, a message of its own in protobuf
  TypeRef type;
  std::uint32_t number = 0;
  bool always = false;   // written even when empty
  bool fixed64 = false;
  bool patch_merge = false;
  bool patch_retain_keys = false;
  std::string merge_key;
  std::vector<std::string> map_keys;  // of a list that is a map
  bool set = false;
  bool atomic = false;
};

struct TypeInfo {
  std::string name;  // "core.v1.PodSpec"
  std::string group;
  std::string version;
  std::string kind;  // empty: no kind of its own
  std::vector<FieldInfo> fields;

  /// The field of that JSON name, also of what is inlined; null when there is none.
  const FieldInfo* find(std::string_view field) const;
};

struct SubresourceInfo {
  std::string name;
  std::string group;
  std::string version;
  std::string kind;
  std::vector<std::string> verbs;
};

struct ResourceInfo {
  std::string group;  // empty: core
  std::string version;
  std::string plural;
  std::string singular;
  std::string kind;
  std::string list_kind;
  bool namespaced = false;
  std::vector<std::string> verbs;
  std::vector<std::string> short_names;
  std::vector<std::string> categories;
  std::vector<SubresourceInfo> subresources;
  const TypeInfo* type = nullptr;  // null: of a CustomResourceDefinition

  bool allows(std::string_view verb) const;
  const SubresourceInfo* subresource(std::string_view name) const;
  std::string api_version() const { return group.empty() ? version : group + "/" + version; }
  /// "deployments.apps", as errors name a resource.
  std::string qualified() const { return group.empty() ? plural : plural + "." + group; }
};

class Schema {
 public:
  /// The one of Kubernetes v1.36; immutable, shared by all threads.
  static const Schema& kubernetes();

  const std::deque<ResourceInfo>& resources() const { return resources_; }
  const TypeInfo* type(std::string_view name) const;
  const TypeInfo* type_of(std::string_view group, std::string_view version, std::string_view kind) const;
  const std::map<std::string, TypeInfo, std::less<>>& types() const { return types_; }

 private:
  explicit Schema(std::string_view text);
  TypeRef parse_type(std::string_view& text);
  std::deque<ResourceInfo> resources_;
  std::map<std::string, TypeInfo, std::less<>> types_;
  std::deque<TypeRef> elements_;
};

/// The text of kubernetes.schema (the build embeds it).
std::string_view kubernetes_schema();

}  // namespace sim::loop
