#include "sim/loop/patch/apply.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sim::loop {

namespace {

constexpr std::size_t kUpdateManagersMax = 10;

/// A value in the canonical form of a path element.
std::string canonical(const Json& value) { return value.dump(); }

std::string key_element(const Json& item, const std::vector<std::string>& keys) {
  Json object = Json::object();
  std::vector<std::string> sorted = keys;
  std::sort(sorted.begin(), sorted.end());
  for (const std::string& key : sorted) {
    const Json* value = item.find(key);
    // The defaults that keys have: the protocol of a port.
    if (value == nullptr && key == "protocol") {
      object.set(key, "TCP");
    } else if (value != nullptr) {
      object.set(key, *value);
    }
  }
  return "k:" + canonical(object);
}

/// The item of a list that a path element names.
Json* find_item(Json& list, const std::string& element, const Shape& shape) {
  const std::vector<std::string> keys = shape.map_keys();
  for (Json& item : list.items()) {
    if (element.starts_with("k:") ? key_element(item, keys) == element : element == "v:" + canonical(item)) return &item;
  }
  return nullptr;
}

bool is_granular_list(const Json& value, const Shape& shape) { return value.is_array() && shape.list_kind() != Shape::ListKind::kAtomic; }
bool is_granular_map(const Json& value, const Shape& shape) { return value.is_object() && !shape.is_atomic(); }

void collect(const Json& value, const Shape& shape, FieldSet& to) {
  if (is_granular_map(value, shape)) {
    if (value.is_empty()) to.member = true;
    for (const Member& member : value.members()) collect(member.value, shape.field(member.key), to.below["f:" + member.key]);
  } else if (is_granular_list(value, shape)) {
    if (value.is_empty()) to.member = true;
    const bool map = shape.list_kind() == Shape::ListKind::kMap;
    const std::vector<std::string> keys = shape.map_keys();
    for (const Json& item : value.items()) {
      FieldSet& place = to.below[map ? key_element(item, keys) : "v:" + canonical(item)];
      place.member = true;
      if (map) collect(item, shape.element(), place);
    }
  } else {
    to.member = true;
  }
}

void compare(const Json* before, const Json* after, const Shape& shape, FieldSet& changed, FieldSet& removed) {
  if (before != nullptr && after != nullptr) {
    if (is_granular_map(*before, shape) && is_granular_map(*after, shape)) {
      for (const Member& member : after->members()) {
        compare(before->find(member.key), &member.value, shape.field(member.key), changed.below["f:" + member.key], removed.below["f:" + member.key]);
      }
      for (const Member& member : before->members()) {
        if (after->find(member.key) == nullptr) compare(&member.value, nullptr, shape.field(member.key), changed.below["f:" + member.key], removed.below["f:" + member.key]);
      }
      return;
    }
    if (is_granular_list(*before, shape) && is_granular_list(*after, shape)) {
      const bool map = shape.list_kind() == Shape::ListKind::kMap;
      const std::vector<std::string> keys = shape.map_keys();
      const auto element = [&](const Json& item) { return map ? key_element(item, keys) : "v:" + canonical(item); };
      std::map<std::string, const Json*> olds;
      for (const Json& item : before->items()) olds[element(item)] = &item;
      std::map<std::string, const Json*> news;
      for (const Json& item : after->items()) news[element(item)] = &item;
      for (const auto& [name, item] : news) {
        const auto old = olds.find(name);
        if (old == olds.end()) {
          changed.below[name].member = true;
          if (map) collect(*item, shape.element(), changed.below[name]);
        } else if (map) {
          compare(old->second, item, shape.element(), changed.below[name], removed.below[name]);
        }
      }
      for (const auto& [name, item] : olds) {
        if (news.contains(name)) continue;
        removed.below[name].member = true;
        if (map) collect(*item, shape.element(), removed.below[name]);
      }
      return;
    }
    if (!(*before == *after)) collect(*after, shape, changed);
    return;
  }
  if (after != nullptr) collect(*after, shape, changed);
  if (before != nullptr) collect(*before, shape, removed);
}

bool prune_empty(FieldSet& set) {
  for (auto entry = set.below.begin(); entry != set.below.end();) entry = prune_empty(entry->second) ? set.below.erase(entry) : std::next(entry);
  return set.is_empty();
}

/// What nobody owns.
void strip(FieldSet& set) {
  set.below.erase("f:apiVersion");
  set.below.erase("f:kind");
  const auto metadata = set.below.find("f:metadata");
  if (metadata != set.below.end()) {
    for (const std::string_view field : {"name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields", "resourceVersion",
                                         "generateName", "deletionTimestamp", "deletionGracePeriodSeconds"}) {
      metadata->second.below.erase(fmt::format("f:{}", field));
    }
    metadata->second.member = false;
  }
  prune_empty(set);
}

void merge(Json& live, const Json& wanted, const Shape& shape) {
  if (is_granular_map(live, shape) && is_granular_map(wanted, shape)) {
    for (const Member& member : wanted.members()) {
      if (member.value.is_null()) continue;
      Json& place = live[member.key];
      if (place.is_null()) {
        place = member.value;
      } else {
        merge(place, member.value, shape.field(member.key));
      }
    }
    return;
  }
  if (is_granular_list(live, shape) && is_granular_list(wanted, shape)) {
    const bool map = shape.list_kind() == Shape::ListKind::kMap;
    const std::vector<std::string> keys = shape.map_keys();
    for (const Json& item : wanted.items()) {
      Json* place = find_item(live, map ? key_element(item, keys) : "v:" + canonical(item), shape);
      if (place == nullptr) {
        live.items().push_back(item);
      } else if (map) {
        merge(*place, item, shape.element());
      }
    }
    return;
  }
  live = wanted;
}

/// Takes the fields of a set out of a value; what becomes empty by that goes too when it is itself in the set or was only made for them.
void take_out(Json& value, const FieldSet& gone, const Shape& shape) {
  for (const auto& [element, below] : gone.below) {
    if (element.starts_with("f:")) {
      const std::string name = element.substr(2);
      Json* child = value.is_object() ? value.find(name) : nullptr;
      if (child == nullptr) continue;
      if (below.member && below.below.empty()) {
        value.erase(name);
        continue;
      }
      take_out(*child, below, shape.field(name));
      if ((child->is_object() || child->is_array()) && child->is_empty()) value.erase(name);
    } else if (value.is_array()) {
      Json* item = find_item(value, element, shape);
      if (item == nullptr) continue;
      if (below.member) {
        const Json copy = *item;
        std::erase_if(value.items(), [&](const Json& other) { return other == copy; });
      } else {
        take_out(*item, below, shape.element());
      }
    }
  }
}

struct Entry {
  Manager manager;
  FieldSet fields;
  std::string time;
};

bool same_manager(const Manager& a, const Manager& b) {
  return a.name == b.name && a.operation == b.operation && a.api_version == b.api_version && a.subresource == b.subresource;
}

std::vector<Entry> read_entries(const Json& document) {
  std::vector<Entry> entries;
  for (const Json& json : document.at({"metadata", "managedFields"}).items()) {
    Entry entry;
    entry.manager = {json.at("manager").text(), json.at("operation").text(), json.at("apiVersion").text(), json.at("subresource").text()};
    entry.fields = FieldSet::from_json(json.at("fieldsV1"));
    entry.time = json.at("time").text();
    entries.push_back(std::move(entry));
  }
  return entries;
}

void write_entries(Json& document, std::vector<Entry> entries) {
  std::erase_if(entries, [](const Entry& e) { return e.fields.is_empty(); });
  // Apply before Update, then by time, then by name: as upstream sorts them.
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    if (a.manager.operation != b.manager.operation) return a.manager.operation < b.manager.operation;
    if (a.time != b.time) return a.time < b.time;
    return a.manager.name < b.manager.name;
  });
  Json& metadata = document["metadata"];
  if (entries.empty()) {
    metadata.erase("managedFields");
    return;
  }
  Json list = Json::array();
  for (const Entry& entry : entries) {
    Json json = Json::object({{"manager", entry.manager.name},
                              {"operation", entry.manager.operation},
                              {"apiVersion", entry.manager.api_version},
                              {"time", entry.time},
                              {"fieldsType", "FieldsV1"},
                              {"fieldsV1", entry.fields.to_json()}});
    if (!entry.manager.subresource.empty()) json.set("subresource", entry.manager.subresource);
    list.push_back(std::move(json));
  }
  metadata.set("managedFields", std::move(list));
}

void list_paths(const FieldSet& set, const std::string& prefix, std::vector<std::string>& to) {
  if (set.member && set.below.empty() && !prefix.empty()) to.push_back(prefix);
  for (const auto& [element, below] : set.below) {
    std::string path = prefix;
    if (element.starts_with("f:")) {
      path += "." + element.substr(2);
    } else if (element.starts_with("k:")) {
      std::string error;
      const std::optional<Json> key = parse_json(std::string_view(element).substr(2), error);
      std::string inside;
      if (key) {
        for (const Member& member : key->members()) inside += fmt::format("{}{}={}", inside.empty() ? "" : ",", member.key, member.value.dump());
      }
      path += "[" + inside + "]";
    } else {
      path += "[=" + element.substr(2) + "]";
    }
    list_paths(below, path, to);
  }
}

}  // namespace

Shape Shape::field(std::string_view name) const {
  if (schema_ != nullptr) {
    if (const Json* property = schema_->at("properties").find(name)) return of_schema(property);
    const Json* rest = schema_->find("additionalProperties");
    return rest != nullptr && rest->is_object() ? of_schema(rest) : Shape();
  }
  Shape result;
  if (type_ != nullptr) {
    result.field_ = type_->find(name);
    if (result.field_ == nullptr) return Shape();
    result.ref_ = &result.field_->type;
  } else if (ref_ != nullptr && ref_->kind == '{') {
    result.ref_ = ref_->element;
  }
  if (result.ref_ != nullptr && result.ref_->kind == '*') result.type_ = result.ref_->type;
  return result;
}

Shape Shape::element() const {
  if (schema_ != nullptr) {
    const Json* items = schema_->find("items");
    return items == nullptr ? Shape() : of_schema(items);
  }
  Shape result;
  if (ref_ != nullptr && ref_->element != nullptr) result.ref_ = ref_->element;
  if (result.ref_ != nullptr && result.ref_->kind == '*') result.type_ = result.ref_->type;
  return result;
}

bool Shape::is_atomic() const {
  if (schema_ != nullptr) return schema_->at("x-kubernetes-map-type").text() == "atomic";
  if (field_ != nullptr && field_->atomic) return true;
  if (ref_ != nullptr && (ref_->kind == 'j' || ref_->kind == 'x' || ref_->kind == 'q')) return true;
  // Structs that upstream marks as atomic by themselves.
  if (type_ != nullptr) {
    static const std::vector<std::string_view> kAtomic = {"meta.v1.LabelSelector", "core.v1.LocalObjectReference", "core.v1.ObjectReference", "core.v1.ConfigMapKeySelector",
                                                          "core.v1.SecretKeySelector", "core.v1.ObjectFieldSelector", "core.v1.ResourceFieldSelector", "core.v1.NodeSelector",
                                                          "core.v1.NodeSelectorTerm", "core.v1.SecretReference", "core.v1.TypedLocalObjectReference", "core.v1.ScopeSelector",
                                                          "core.v1.ScopedResourceSelectorRequirement", "rbac.v1.RoleRef", "rbac.v1.Subject", "storage.v1.TokenRequest"};
    return std::find(kAtomic.begin(), kAtomic.end(), type_->name) != kAtomic.end();
  }
  return false;
}

Shape::ListKind Shape::list_kind() const {
  if (schema_ != nullptr) {
    const std::string& kind = schema_->at("x-kubernetes-list-type").text();
    return kind == "map" ? ListKind::kMap : kind == "set" ? ListKind::kSet : ListKind::kAtomic;
  }
  if (field_ == nullptr || field_->atomic) return ListKind::kAtomic;
  if (!field_->map_keys.empty()) return ListKind::kMap;
  // Without a marker the merge key of the strategic merge patch says it, as kube-openapi does.
  if (field_->set || (field_->patch_merge && field_->merge_key.empty())) return ListKind::kSet;
  return field_->patch_merge ? ListKind::kMap : ListKind::kAtomic;
}

std::vector<std::string> Shape::map_keys() const {
  std::vector<std::string> keys;
  if (schema_ != nullptr) {
    for (const Json& key : schema_->at("x-kubernetes-list-map-keys").items()) keys.push_back(key.text());
    return keys;
  }
  if (field_ == nullptr) return keys;
  if (!field_->map_keys.empty()) return field_->map_keys;
  if (!field_->merge_key.empty()) keys.push_back(field_->merge_key);
  return keys;
}

void FieldSet::unite(const FieldSet& other) {
  member = member || other.member;
  for (const auto& [element, set] : other.below) below[element].unite(set);
}

void FieldSet::subtract(const FieldSet& other) {
  if (other.member) member = false;
  for (const auto& [element, set] : other.below) {
    const auto place = below.find(element);
    if (place == below.end()) continue;
    place->second.subtract(set);
    if (place->second.is_empty()) below.erase(place);
  }
}

FieldSet FieldSet::intersection(const FieldSet& other) const {
  FieldSet result;
  result.member = member && other.member;
  for (const auto& [element, set] : below) {
    const auto place = other.below.find(element);
    if (place == other.below.end()) continue;
    FieldSet common = set.intersection(place->second);
    if (!common.is_empty()) result.below.emplace(element, std::move(common));
  }
  return result;
}

Json FieldSet::to_json() const {
  Json result = Json::object();
  if (member && !below.empty()) result.set(".", Json::object());
  for (const auto& [element, set] : below) result.set(element, set.to_json());
  return result;
}

FieldSet FieldSet::from_json(const Json& json) {
  FieldSet result;
  for (const Member& entry : json.members()) {
    if (entry.key == ".") {
      result.member = true;
    } else {
      FieldSet below = from_json(entry.value);
      if (entry.value.is_empty()) below.member = true;
      result.below.emplace(entry.key, std::move(below));
    }
  }
  return result;
}

std::vector<std::string> FieldSet::paths() const {
  std::vector<std::string> result;
  list_paths(*this, {}, result);
  return result;
}

FieldSet fields_of(const Json& value, const Shape& shape) {
  FieldSet result;
  collect(value, shape, result);
  prune_empty(result);
  return result;
}

FieldChanges compare_fields(const Json& before, const Json& after, const Shape& shape) {
  FieldChanges changes;
  compare(&before, &after, shape, changes.changed, changes.removed);
  prune_empty(changes.changed);
  prune_empty(changes.removed);
  return changes;
}

Applied apply_configuration(const Json* live, const Json& configuration, const Shape& shape, const Manager& manager, bool force, const std::string& now) {
  Applied result;
  Json wanted = configuration;
  wanted["metadata"].erase("managedFields");
  wanted["metadata"].erase("resourceVersion");
  FieldSet own = fields_of(wanted, shape);
  strip(own);
  if (live == nullptr) {
    result.document = wanted;
    write_entries(result.document, {Entry{manager, own, now}});
    return result;
  }
  std::vector<Entry> entries = read_entries(*live);
  Json merged = *live;
  merge(merged, wanted, shape);

  FieldChanges changes = compare_fields(*live, merged, shape);
  strip(changes.changed);
  for (Entry& entry : entries) {
    if (same_manager(entry.manager, manager)) continue;
    const FieldSet contested = changes.changed.intersection(entry.fields);
    if (contested.is_empty()) continue;
    std::vector<std::string> paths = contested.paths();
    if (paths.empty()) continue;
    if (force) {
      entry.fields.subtract(changes.changed);
      prune_empty(entry.fields);
      continue;
    }
    std::string name = fmt::format("\"{}\"", entry.manager.name);
    if (!entry.manager.subresource.empty()) name += fmt::format(" with subresource \"{}\"", entry.manager.subresource);
    if (entry.manager.operation == "Update") name += fmt::format(" using {}", entry.manager.api_version);
    result.conflicts.push_back(ApplyConflict{std::move(name), std::move(paths)});
  }
  if (!result.conflicts.empty()) return result;

  const auto mine = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return same_manager(e.manager, manager); });
  if (mine != entries.end()) {
    FieldSet gone = mine->fields;
    gone.subtract(own);
    for (const Entry& entry : entries) {
      if (!same_manager(entry.manager, manager)) gone.subtract(entry.fields);
    }
    prune_empty(gone);
    take_out(merged, gone, shape);
    const bool same = mine->fields.to_json() == own.to_json();
    if (!same) mine->time = now;
    mine->fields = std::move(own);
  } else {
    entries.push_back(Entry{manager, std::move(own), now});
  }
  write_entries(merged, std::move(entries));
  result.document = std::move(merged);
  return result;
}

void track_update(const Json* before, Json& after, const Shape& shape, const Manager& manager, const std::string& now) {
  std::vector<Entry> entries;
  FieldSet changed;
  if (before == nullptr) {
    changed = fields_of(after, shape);
    strip(changed);
  } else {
    // A client that sends an empty list asks for a reset; one that sends none keeps what is there.
    const Json* sent = after.at("metadata").find("managedFields");
    if (sent != nullptr && sent->is_array() && sent->is_empty()) {
      after["metadata"].erase("managedFields");
      return;
    }
    entries = read_entries(*before);
    FieldChanges changes = compare_fields(*before, after, shape);
    strip(changes.changed);
    strip(changes.removed);
    changed = std::move(changes.changed);
    for (Entry& entry : entries) {
      if (!same_manager(entry.manager, manager)) entry.fields.subtract(changed);
      entry.fields.subtract(changes.removed);
      prune_empty(entry.fields);
    }
  }
  const auto mine = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return same_manager(e.manager, manager); });
  if (mine == entries.end()) {
    entries.push_back(Entry{manager, std::move(changed), now});
  } else if (!changed.is_empty()) {
    mine->fields.unite(changed);
    mine->time = now;
  }
  // Only the latest updaters are told apart.
  std::vector<std::size_t> updates;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].manager.operation == "Update" && entries[i].manager.subresource.empty() && entries[i].manager.name != "ancient-changes") updates.push_back(i);
  }
  if (updates.size() > kUpdateManagersMax) {
    std::stable_sort(updates.begin(), updates.end(), [&](std::size_t a, std::size_t b) { return entries[a].time < entries[b].time; });
    Entry ancient;
    ancient.manager = Manager{"ancient-changes", "Update", manager.api_version, ""};
    ancient.time = now;
    for (std::size_t i = 0; i + kUpdateManagersMax < updates.size(); ++i) {
      ancient.fields.unite(entries[updates[i]].fields);
      ancient.time = entries[updates[i]].time;
      entries[updates[i]].fields = {};
    }
    const auto known = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return same_manager(e.manager, ancient.manager); });
    if (known == entries.end()) {
      entries.push_back(std::move(ancient));
    } else {
      known->fields.unite(ancient.fields);
      known->time = ancient.time;
    }
  }
  write_entries(after, std::move(entries));
}

}  // namespace sim::loop
