#include "sim/loop/json/yaml.hpp"

namespace sim::loop {

Json to_json(const scenario::Node& node) {
  if (node.is_map()) {
    Json result = Json::object();
    for (std::size_t i = 0; i < node.size(); ++i) result.members().push_back(Member{std::string(node.key(i).text()), to_json(node.value(i))});
    return result;
  }
  if (node.is_sequence()) {
    Json result = Json::array();
    for (std::size_t i = 0; i < node.size(); ++i) result.push_back(to_json(node.item(i)));
    return result;
  }
  if (node.is_null()) return Json();
  if (node.is_plain()) {
    if (const std::optional<bool> value = node.as_bool()) return Json(*value);
    if (const std::optional<std::int64_t> value = node.as_integer()) return Json(*value);
    if (const std::optional<double> value = node.as_number()) return Json(*value);
  }
  return Json(node.text());
}

std::optional<Json> parse_yaml(std::string text, std::string& error) {
  scenario::Diagnostics diagnostics;
  const std::shared_ptr<const scenario::Document> document = scenario::load_text("request.yaml", std::move(text), diagnostics);
  if (diagnostics.has_errors() || document == nullptr) {
    for (const scenario::Diagnostic& diagnostic : diagnostics.sorted()) {
      if (diagnostic.severity == scenario::Severity::kError && error.empty()) error = "yaml: line " + std::to_string(diagnostic.line) + ": " + diagnostic.message;
    }
    if (error.empty()) error = "yaml: cannot be read";
    return std::nullopt;
  }
  return to_json(document->root());
}

}  // namespace sim::loop
