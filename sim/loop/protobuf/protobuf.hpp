/// Kubernetes' protobuf encoding of request bodies, by the field numbers of the table of types.
///
/// Source:     apimachinery pkg/runtime/serializer/protobuf (magic, Unknown); the wire format of proto2; the numbers of kubernetes.schema.
/// Leaves out: answers (they are JSON, which every client decodes by the Content-Type), CustomResourceDefinitions (their schemas have JSON forms of their own).
/// Checked by: tests/loop/protobuf_test.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sim/loop/json/json.hpp"
#include "sim/loop/schema/schema.hpp"

namespace sim::loop {

/// A body with the magic "k8s\0"; what is wrong goes to `error`.
std::optional<Json> parse_protobuf(std::string_view body, std::string& error);
/// A message alone.
std::optional<Json> parse_message(std::string_view message, const TypeInfo& type, std::string& error);

}  // namespace sim::loop
