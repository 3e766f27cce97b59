#include "sim/scenario/schema.hpp"

#include <fmt/format.h>

#include <utility>

#include "sim/scenario/scenario_fields.hpp"

namespace sim::scenario {

namespace {

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      result += c;
    }
  }
  return result + "\"";
}

/// A JSON object whose keys keep their order; values are JSON text already.
class Object {
 public:
  Object& add(std::string_view key, std::string value) {
    entries_.emplace_back(std::string(key), std::move(value));
    return *this;
  }
  /// null is taken too: it is the same as leaving the key out, and in a scenario that extends another one it takes the key away.
  Object& or_null() {
    for (auto& [key, value] : entries_) {
      if (key == "type" && value.front() == '"') value = "[" + value + ", \"null\"]";
      if (key == "enum") value.insert(value.size() - 1, ", null");
      if (key == "anyOf") value.insert(value.size() - 1, ", {\"type\": \"null\"}");
    }
    return *this;
  }
  std::string text() const {
    if (entries_.empty()) return "{}";
    std::string result = "{";
    for (const auto& [key, value] : entries_) {
      result += result.size() == 1 ? "\n" : ",\n";
      result += indented(quoted(key) + ": " + value);
    }
    return result + "\n}";
  }
  static std::string indented(const std::string& text) {
    std::string result = "  ";
    for (const char c : text) {
      result += c;
      if (c == '\n') result += "  ";
    }
    return result;
  }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

std::string list(const std::vector<std::string>& values) {
  std::string result = "[";
  for (const std::string& value : values) result += (result.size() == 1 ? "" : ", ") + value;
  return result + "]";
}



std::string with_unit(std::string_view pattern, std::string_view bare) {
  Object text;
  text.add("type", quoted("string")).add("pattern", quoted(pattern));
  return list({text.text(), std::string(bare)});
}

Object schema_of(const TypeInfo& type);

Object properties_of(const std::vector<FieldInfo>& fields) {
  Object properties;
  for (const FieldInfo& field : fields) {
    Object schema = schema_of(field.type);
    schema.or_null().add("description", quoted(field.default_text.empty() ? field.doc : fmt::format("{} Default: {}.", field.doc, field.default_text)));
    properties.add(field.name, schema.text());
  }
  return properties;
}

Object object_of(Object properties) {
  Object result;
  result.add("type", list({quoted("object"), quoted("null")})).add("properties", properties.text()).add("additionalProperties", "false");
  return result;
}

/// One entry of a section whose `kind` decides which other keys there are.
Object variants_of(const std::vector<VariantInfo>& variants) {
  std::vector<std::string> kinds;
  std::string cases;
  for (const VariantInfo& variant : variants) {
    kinds.push_back(quoted(variant.kind));
    Object properties = properties_of(variant.fields);
    properties.add("kind", Object().add("const", quoted(variant.kind)).add("description", quoted(variant.doc)).text());
    properties.add("name", Object().add("type", quoted("string")).text());
    Object condition;
    condition.add("properties", Object().add("kind", Object().add("const", quoted(variant.kind)).text()).text()).add("required", list({quoted("kind")}));
    Object entry;
    entry.add("if", condition.text()).add("then", Object().add("properties", properties.text()).add("additionalProperties", "false").text());
    cases += (cases.empty() ? "\n" : ",\n") + Object::indented(entry.text());
  }
  Object result;
  result.add("type", list({quoted("object"), quoted("null")}))
      .add("properties", Object().add("kind", Object().add("enum", list(kinds)).text()).text())
      .add("allOf", "[" + cases + "\n]");
  return result;
}

/// Entries by name, as a map or as a list.
Object named(const Object& entry) {
  Object map;
  map.add("type", quoted("object")).add("additionalProperties", entry.text());
  Object items;
  items.add("type", quoted("array")).add("items", entry.text());
  return Object().add("anyOf", list({map.text(), items.text()}));
}

Object schema_of(const TypeInfo& type) {
  using Kind = TypeInfo::Kind;
  constexpr std::string_view kNumber = "([0-9]+([.][0-9]*)?|[.][0-9]+)";
  Object schema;
  const auto limits = [&] {
    if (type.minimum) schema.add("minimum", fmt::format("{}", *type.minimum));
    if (type.maximum) schema.add("maximum", fmt::format("{}", *type.maximum));
  };
  switch (type.kind) {
    case Kind::kBool: schema.add("type", quoted("boolean")); break;
    case Kind::kInteger:
      schema.add("type", quoted("integer"));
      limits();
      break;
    case Kind::kNumber:
      schema.add("type", quoted("number"));
      limits();
      break;
    case Kind::kString: schema.add("type", quoted("string")); break;
    case Kind::kChoice: {
      std::vector<std::string> words;
      for (const std::string& word : type.words) words.push_back(quoted(word));
      schema.add("enum", list(words));
      break;
    }
    case Kind::kDuration:
      schema.add("anyOf", with_unit(fmt::format("^[+]?({}(ns|us|\u00b5s|ms|s|m|h|d|w))+$", kNumber), Object().add("const", "0").text()));
      break;
    case Kind::kBytes:
      schema.add("anyOf", with_unit(fmt::format("^[+]?{}(k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)$", kNumber), Object().add("const", "0").text()));
      break;
    case Kind::kCpu:
      schema.add("anyOf", with_unit(fmt::format("^[+]?{}(n|u|m|k|)$", kNumber), Object().add("type", quoted("number")).add("minimum", "0").text()));
      break;
    case Kind::kBitRate:
      schema.add("anyOf", with_unit(fmt::format("^{}[kMGT]?bit/s$", kNumber), Object().add("const", "0").text()));
      break;
    case Kind::kByteRate:
      schema.add("anyOf", with_unit(fmt::format("^{}([kMG]?B|[KMG]iB?)/s$", kNumber), Object().add("const", "0").text()));
      break;
    case Kind::kFraction:
      schema.add("anyOf", with_unit(fmt::format("^{}%$", kNumber), Object().add("type", quoted("number")).add("minimum", "0").add("maximum", "1").text()));
      break;
    case Kind::kObject: return object_of(properties_of(type.fields()));
    case Kind::kList: schema.add("type", quoted("array")).add("items", schema_of(*type.element).text()); break;
    case Kind::kStringMap:
      schema.add("type", quoted("object")).add("additionalProperties", Object().add("type", list({quoted("string"), quoted("null")})).text());
      break;
    case Kind::kNamed: {
      if (type.fields == nullptr) return type.variants_of ? named(variants_of(type.variants_of())) : Object();
      Object properties = properties_of(type.fields());
      properties.add("name", Object().add("type", quoted("string")).text());
      return named(object_of(std::move(properties)));
    }
    case Kind::kRaw: break;
  }
  return schema;
}

// ---- Markdown -------------------------------------------------------------------------------------------------------

std::string cell(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '|') result += '\\';
    result += c;
  }
  return result;
}

std::string type_name(const TypeInfo& type) {
  using Kind = TypeInfo::Kind;
  switch (type.kind) {
    case Kind::kBool: return "boolean";
    case Kind::kInteger:
      if (type.minimum && type.maximum) return fmt::format("integer, {:.0f} to {:.0f}", *type.minimum, *type.maximum);
      return "integer";
    case Kind::kNumber:
      if (type.minimum && type.maximum) return fmt::format("number, {} to {}", *type.minimum, *type.maximum);
      return "number";
    case Kind::kString: return "string";
    case Kind::kChoice: return fmt::format("{}", fmt::join(type.words, ", "));
    case Kind::kDuration: return "duration";
    case Kind::kBytes: return "size";
    case Kind::kCpu: return "CPU";
    case Kind::kBitRate:
    case Kind::kByteRate: return "rate";
    case Kind::kFraction: return "share";
    case Kind::kObject: return "map, see below";
    case Kind::kList: return fmt::format("list: {}", type_name(*type.element));
    case Kind::kStringMap: return "map of strings";
    case Kind::kNamed: return "by name, see below";
    case Kind::kRaw: return "see the description";
  }
  return "";
}

void section(std::string& text, const std::string& path, const std::vector<FieldInfo>& fields, const std::string& title) {
  text += fmt::format("\n## {}\n\n", path);
  if (!title.empty()) text += title + "\n\n";
  text += "| key | value | default | |\n| --- | --- | --- | --- |\n";
  for (const FieldInfo& field : fields) {
    text += fmt::format("| `{}` | {} | {} | {} |\n", field.name, cell(type_name(field.type)),
                        field.required ? "needed" : field.default_text.empty() ? "" : "`" + cell(field.default_text) + "`", cell(field.doc));
  }
  for (const FieldInfo& field : fields) {
    const std::string below = path == "Top level" ? field.name : path + "." + field.name;
    const TypeInfo& type = field.type.kind == TypeInfo::Kind::kList ? *field.type.element : field.type;
    if (type.fields == nullptr) continue;
    const bool by_name = type.kind == TypeInfo::Kind::kNamed;
    section(text, field.type.kind == TypeInfo::Kind::kList ? below + "[]" : by_name ? below + ".<name>" : below, type.fields(),
            type.title == nullptr ? std::string{} : type.title());
  }
}

}  // namespace

std::string json_schema(const std::vector<SectionSchema>& sections) {
  Object properties;
  for (const FieldInfo& field : fields_of<ScenarioFile>().infos()) {
    Object schema = schema_of(field.type);
    for (const SectionSchema& other : sections) {
      if (other.key == field.name) schema = named(variants_of(other.variants));
    }
    if (field.name == "apiVersion") schema = Object().add("const", quoted("squall.dev/v1alpha1"));
    if (field.name == "kind") schema = Object().add("const", quoted("Scenario"));
    if (field.name == "objects") {
      schema = Object().add("anyOf", list({Object().add("type", quoted("string")).text(),
                                             Object().add("type", quoted("array")).add("items", Object().add("type", quoted("object")).text()).text()}));
    }
    if (!field.required) schema.or_null();
    schema.add("description", quoted(field.doc));
    properties.add(field.name, schema.text());
  }
  Object root;
  root.add("$schema", quoted("https://json-schema.org/draft/2020-12/schema"))
      .add("title", quoted("Squall scenario"))
      .add("type", quoted("object"))
      .add("required", list({quoted("apiVersion"), quoted("kind")}))
      .add("properties", properties.text())
      .add("additionalProperties", "false");
  return root.text() + "\n";
}

std::string scenario_reference() {
  std::string text =
      R"(# Scenario reference

This file is made from the lists of fields that read a scenario (`squall schema --format scenario`); do not edit it by hand.

```yaml
apiVersion: squall.dev/v1alpha1
kind: Scenario
metadata:
  name: rack-loss
  description: A rack goes dark; the web service must survive it.
run: {until: 2h, warmUp: 5m}
topology:
  rack-a: {kind: rack}
  rack-b: {kind: rack}
pools:
  control: {count: 3, controlPlane: true, cpu: 4, memory: 16Gi, racks: [rack-a, rack-b]}
  workers: {count: 4, cpu: 8, memory: 32Gi, racks: [rack-a, rack-b]}
objects: |
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec:
    replicas: 4
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web}}
      spec:
        containers:
        - {name: web, image: "nginx:1.27", resources: {requests: {cpu: 500m, memory: 256Mi}}}
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: web}
  spec: {selector: {app: web}}
faults:
  dark: {kind: element-down, elements: [rack-a], at: 10m, duration: 30m}
expect:
  serves: {kind: service, service: web, availability: 99%}
```

Values: durations are written as in Go and Kubernetes, with days and weeks (`30s`, `1h30m`, `7d`); sizes with a suffix (`512Mi`, `16Gi`); CPU in cores
(`500m`, `4`); rates with their unit (`10Gbit/s`, `100MB/s`, `50Mi/s`); shares as `99.9%` or `0.999`. A time, size or rate without a unit is an error. `null`
is the same as leaving the key out. YAML is read by the core schema of YAML 1.2: `yes` and `on` are strings.

What goes by name (`topology`, `pools`, `faults`, `expect`) is a map from name to settings, or a list of settings with `name`. The map is what `extends` and
`--set pools.workers.count=5` can change entry by entry.

Kubernetes objects (`objects`, `manifests`): v1 Node, Pod, Service, Namespace; apps/v1 Deployment, ReplicaSet, StatefulSet, DaemonSet; batch/v1 Job, CronJob;
policy/v1 PodDisruptionBudget; admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration, MutatingWebhookConfiguration; flowcontrol.apiserver.k8s.io/v1 FlowSchema, PriorityLevelConfiguration; scheduling.k8s.io/v1 PriorityClass; Lists of these. Other kinds are kept, and named once. Fields that Squall does not
simulate are kept too; those that would change what happens are named in a warning.
)";
  section(text, "Top level", fields_of<ScenarioFile>().infos(), "");
  return text;
}

}  // namespace sim::scenario
