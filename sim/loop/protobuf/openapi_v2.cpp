#include "sim/loop/protobuf/openapi_v2.hpp"

#include <bit>
#include <cstdint>

namespace sim::loop {

namespace {

/// One message of the wire format.
class Message {
 public:
  void text(std::uint32_t number, std::string_view value) {
    key(number, 2);
    varint(value.size());
    bytes_ += value;
  }
  void message(std::uint32_t number, const Message& value) { text(number, value.bytes_); }
  void integer(std::uint32_t number, std::int64_t value) {
    key(number, 0);
    varint(static_cast<std::uint64_t>(value));
  }
  void real(std::uint32_t number, double value) {
    key(number, 1);
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (int shift = 0; shift < 64; shift += 8) bytes_ += static_cast<char>(bits >> shift & 0xff);
  }
  std::string take() { return std::move(bytes_); }

 private:
  void key(std::uint32_t number, std::uint32_t wire) { varint(std::uint64_t{number} << 3 | wire); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>((value & 0x7f) | 0x80);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

/// openapi.v2.Any: JSON is YAML.
Message any(const Json& value) {
  Message result;
  result.text(2, value.dump());
  return result;
}

Message named(std::string_view name, const Message& value) {
  Message result;
  result.text(1, name);
  result.message(2, value);
  return result;
}

void put_extensions(Message& to, std::uint32_t number, const Json& from) {
  for (const Member& member : from.members()) {
    if (member.key.starts_with("x-")) to.message(number, named(member.key, any(member.value)));
  }
}
void put_text(Message& to, std::uint32_t number, const Json& from, std::string_view name) {
  if (const Json* value = from.find(name); value != nullptr && value->is_string()) to.text(number, value->text());
}
void put_integer(Message& to, std::uint32_t number, const Json& from, std::string_view name) {
  if (const Json* value = from.find(name); value != nullptr && value->is_number()) to.integer(number, value->as_integer());
}
void put_real(Message& to, std::uint32_t number, const Json& from, std::string_view name) {
  if (const Json* value = from.find(name); value != nullptr && value->is_number()) to.real(number, value->as_double());
}
void put_flag(Message& to, std::uint32_t number, const Json& from, std::string_view name) {
  if (from.at(name).as_bool()) to.integer(number, 1);
}

Message schema_of(const Json& from) {
  Message to;
  put_text(to, 1, from, "$ref");
  put_text(to, 2, from, "format");
  put_text(to, 3, from, "title");
  put_text(to, 4, from, "description");
  if (const Json* value = from.find("default"); value != nullptr) to.message(5, any(*value));
  put_real(to, 6, from, "multipleOf");
  put_real(to, 7, from, "maximum");
  put_flag(to, 8, from, "exclusiveMaximum");
  put_real(to, 9, from, "minimum");
  put_flag(to, 10, from, "exclusiveMinimum");
  put_integer(to, 11, from, "maxLength");
  put_integer(to, 12, from, "minLength");
  put_text(to, 13, from, "pattern");
  put_integer(to, 14, from, "maxItems");
  put_integer(to, 15, from, "minItems");
  put_flag(to, 16, from, "uniqueItems");
  put_integer(to, 17, from, "maxProperties");
  put_integer(to, 18, from, "minProperties");
  for (const Json& name : from.at("required").items()) to.text(19, name.text());
  for (const Json& value : from.at("enum").items()) to.message(20, any(value));
  if (const Json* more = from.find("additionalProperties"); more != nullptr) {
    Message item;
    if (more->is_bool()) {
      item.integer(2, more->as_bool() ? 1 : 0);
    } else {
      item.message(1, schema_of(*more));
    }
    to.message(21, item);
  }
  if (from.at("type").is_string()) {
    Message type;
    type.text(1, from.at("type").text());
    to.message(22, type);
  }
  if (const Json* items = from.find("items"); items != nullptr) {
    Message list;
    list.message(1, schema_of(*items));
    to.message(23, list);
  }
  for (const Json& one : from.at("allOf").items()) to.message(24, schema_of(one));
  if (const Json* properties = from.find("properties"); properties != nullptr) {
    Message list;
    for (const Member& property : properties->members()) list.message(1, named(property.key, schema_of(property.value)));
    to.message(25, list);
  }
  put_extensions(to, 31, from);
  return to;
}

Message parameter_of(const Json& from) {
  Message query;
  put_text(query, 2, from, "in");
  put_text(query, 4, from, "name");
  put_text(query, 6, from, "type");
  Message non_body;
  non_body.message(3, query);
  Message parameter;
  parameter.message(2, non_body);
  Message item;
  item.message(1, parameter);
  return item;
}

Message response_of(const Json& from) {
  Message response;
  put_text(response, 1, from, "description");
  if (const Json* schema = from.find("schema"); schema != nullptr) {
    Message item;
    item.message(1, schema_of(*schema));
    response.message(2, item);
  }
  Message value;
  value.message(1, response);
  return value;
}

Message operation_of(const Json& from) {
  Message to;
  put_text(to, 5, from, "operationId");
  for (const Json& parameter : from.at("parameters").items()) to.message(8, parameter_of(parameter));
  Message responses;
  for (const Member& response : from.at("responses").members()) responses.message(1, named(response.key, response_of(response.value)));
  to.message(9, responses);
  put_extensions(to, 13, from);
  return to;
}

Message path_of(const Json& from) {
  struct Method {
    std::string_view name;
    std::uint32_t number;
  };
  constexpr Method kMethods[] = {{"get", 2}, {"put", 3}, {"post", 4}, {"delete", 5}, {"options", 6}, {"head", 7}, {"patch", 8}};
  Message to;
  for (const Method& method : kMethods) {
    if (const Json* operation = from.find(method.name); operation != nullptr) to.message(method.number, operation_of(*operation));
  }
  put_extensions(to, 10, from);
  return to;
}

}  // namespace

std::string encode_openapi_v2(const Json& document) {
  Message to;
  put_text(to, 1, document, "swagger");
  Message info;
  put_text(info, 1, document.at("info"), "title");
  put_text(info, 2, document.at("info"), "version");
  to.message(2, info);
  Message paths;
  for (const Member& path : document.at("paths").members()) paths.message(2, named(path.key, path_of(path.value)));
  to.message(8, paths);
  Message definitions;
  for (const Member& definition : document.at("definitions").members()) definitions.message(1, named(definition.key, schema_of(definition.value)));
  to.message(9, definitions);
  return to.take();
}

}  // namespace sim::loop
