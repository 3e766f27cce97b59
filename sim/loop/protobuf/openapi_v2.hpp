/// An OpenAPI v2 document as the protobuf message that clients ask for (kubectl up to 1.26 takes nothing else).
///
/// Source:     gnostic-models openapiv2/OpenAPIv2.proto (openapi.v2.Document): the numbers of its fields; kube-openapi handler (the media type).
/// Leaves out: what Squall's documents do not have (tags, security, examples, body parameters); of schemas what v2 does not know (oneOf, anyOf, not, nullable).
/// Checked by: tests/loop/protobuf_test.cpp, tests/loop/kubectl.py with Debian's kubectl 1.20.
#pragma once

#include <string>
#include <string_view>

#include "sim/loop/json/json.hpp"

namespace sim::loop {

inline constexpr std::string_view kOpenApiV2Protobuf = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/// As older clients ask for it. An answer cannot be called so: MIME knows no '@' there.
inline constexpr std::string_view kOpenApiV2ProtobufOld = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// `document`: with swagger, info, paths and definitions.
std::string encode_openapi_v2(const Json& document);

}  // namespace sim::loop
