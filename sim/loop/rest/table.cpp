/// Server-side printing: the Table that `kubectl get` asks for.
#include <fmt/format.h>

#include "sim/loop/kinds/rules.hpp"
#include "sim/loop/rest/api.hpp"

namespace sim::loop {

namespace {

/// A value by the simple JSONPath that printer columns use: ".spec.replicas", ".status.conditions[?(@.type==\"Ready\")].status", ".spec.list[0].name".
const Json* by_path(const Json& document, std::string_view path) {
  const Json* here = &document;
  std::size_t at = 0;
  while (here != nullptr && at < path.size()) {
    if (path[at] == '.') {
      ++at;
      std::string key;
      while (at < path.size() && path[at] != '.' && path[at] != '[') {
        if (path[at] == '\\' && at + 1 < path.size()) ++at;
        key += path[at++];
      }
      if (!key.empty()) here = here->find(key);
    } else if (path[at] == '[') {
      const std::size_t end = path.find(']', at);
      if (end == std::string_view::npos) return nullptr;
      const std::string_view inside = path.substr(at + 1, end - at - 1);
      at = end + 1;
      if (inside.starts_with("?(@.")) {
        const std::size_t equal = inside.find("==");
        if (equal == std::string_view::npos) return nullptr;
        const std::string_view key = inside.substr(4, equal - 4);
        std::string_view wanted = inside.substr(equal + 2);
        while (!wanted.empty() && (wanted.back() == ')' || wanted.back() == '"' || wanted.back() == '\'')) wanted.remove_suffix(1);
        while (!wanted.empty() && (wanted.front() == '"' || wanted.front() == '\'')) wanted.remove_prefix(1);
        const Json* match = nullptr;
        for (const Json& item : here->items()) {
          if (match == nullptr && item.at(key).text() == wanted) match = &item;
        }
        here = match;
      } else if (!inside.empty() && (inside.front() == '\'' || inside.front() == '"')) {
        here = here->find(inside.substr(1, inside.size() - 2));
      } else {
        std::size_t index = 0;
        for (const char c : inside) {
          if (c < '0' || c > '9') return nullptr;
          index = index * 10 + static_cast<std::size_t>(c - '0');
        }
        here = index < here->items().size() ? &here->items()[index] : nullptr;
      }
    } else {
      return nullptr;
    }
  }
  return here;
}

Json column(std::string_view name, std::string_view type, std::string_view format, std::string_view description, std::int64_t priority) {
  return Json::object({{"name", name}, {"type", type}, {"format", format}, {"description", description}, {"priority", priority}});
}

}  // namespace

Json table_columns(const ResourceInfo& resource, const CustomResource* custom) {
  Json columns = Json::array();
  if (custom != nullptr) {
    columns.push_back(column("Name", "string", "name", "", 0));
    for (const Json& c : custom->columns.items()) {
      columns.push_back(column(c.at("name").text(), c.at("type").text(), c.at("format").text(), c.at("description").text(), c.at("priority").as_integer()));
    }
    if (custom->columns.is_empty()) columns.push_back(column("Age", "date", "", "", 0));
    return columns;
  }
  const std::string group = resource.plural == "events" ? std::string() : resource.group;
  const KindRules* rules = rules_of(group, resource.kind);
  if (rules == nullptr || rules->row == nullptr) {
    columns.push_back(column("Name", "string", "name", "", 0));
    columns.push_back(column("Created At", "date", "", "", 0));
    return columns;
  }
  for (const Column& c : rules->columns) columns.push_back(column(c.name, c.type, c.format, "", c.priority));
  return columns;
}

Json table_row(const Json& document, const ResourceInfo& resource, const CustomResource* custom, std::int64_t now_nanoseconds, bool whole_object, bool include_object) {
  Json cells = Json::array();
  const Now now{now_nanoseconds};
  const std::string group = resource.plural == "events" ? std::string() : resource.group;
  const KindRules* rules = rules_of(group, resource.kind);
  if (custom != nullptr) {
    cells.push_back(document.at({"metadata", "name"}));
    for (const Json& c : custom->columns.items()) {
      const Json* value = by_path(document, c.at("jsonPath").text());
      const std::string& type = c.at("type").text();
      if (value == nullptr || value->is_null()) {
        cells.push_back(Json());
      } else if (type == "date") {
        cells.push_back(age(*value, now));
      } else if (type == "integer" || type == "number" || type == "boolean" || value->is_string()) {
        cells.push_back(*value);
      } else {
        cells.push_back(value->dump());
      }
    }
    if (custom->columns.is_empty()) cells.push_back(age(document.at({"metadata", "creationTimestamp"}), now));
  } else if (rules == nullptr || rules->row == nullptr) {
    cells.push_back(document.at({"metadata", "name"}));
    cells.push_back(document.at({"metadata", "creationTimestamp"}));
  } else if (resource.plural == "events") {
    for (Json& cell : rules->row(stored_form(document, resource), now)) cells.push_back(std::move(cell));
  } else {
    for (Json& cell : rules->row(document, now)) cells.push_back(std::move(cell));
  }
  Json row = Json::object({{"cells", cells}});
  if (whole_object) {
    row.set("object", document);
  } else if (include_object) {
    row.set("object", partial(document));
  }
  return row;
}

}  // namespace sim::loop
