/// Holds a document against the fields of its kind: what cannot be decoded, what nobody knows.
///
/// Source:     sigs.k8s.io/json (messages), apimachinery runtime/serializer/json (strict decoding).
/// Leaves out: duplicate fields; the difference between int32 and int64 ranges.
/// Checked by: tests/loop/api_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "sim/loop/json/json.hpp"
#include "sim/loop/schema/schema.hpp"

namespace sim::loop {

struct Decoded {
  std::string error;                 // of the first value of a wrong type; empty: none
  std::vector<std::string> unknown;  // paths: "spec.replcias"
};
Decoded check_document(const Json& document, const TypeInfo& type);

}  // namespace sim::loop
