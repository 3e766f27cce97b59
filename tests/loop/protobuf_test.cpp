#include "sim/loop/protobuf/protobuf.hpp"

#include <gtest/gtest.h>

#include "sim/loop/protobuf/openapi_v2.hpp"

namespace sim::loop {

namespace {

/// A field of bytes: tag, size, content. All sizes here are below 128.
std::string field(int number, const std::string& content) {
  std::string result;
  result += static_cast<char>(number << 3 | 2);
  result += static_cast<char>(content.size());
  return result + content;
}
std::string number(int field_number, int value) {
  std::string result;
  result += static_cast<char>(field_number << 3);
  result += static_cast<char>(value);
  return result;
}
std::string enveloped(const std::string& version, const std::string& kind, const std::string& raw) {
  return std::string("k8s\0", 4) + field(1, field(1, version) + field(2, kind)) + field(2, raw);
}

}  // namespace

TEST(Protobuf, ReadsADeploymentByItsNumbers) {
  // metadata.name = 1.1, metadata.labels = 1.11, spec.replicas = 2.1, spec.minReadySeconds = 2.5, strategy.rollingUpdate.maxSurge = 2.4.2.2
  const std::string surge = field(4, field(2, field(2, number(1, 1) + field(3, "25%"))));
  const std::string raw = field(1, field(1, "web") + field(2, "") + field(11, field(1, "app") + field(2, "x"))) + field(2, number(1, 3) + surge + number(5, 7));
  std::string error;
  const std::optional<Json> object = parse_protobuf(enveloped("apps/v1", "Deployment", raw), error);
  ASSERT_TRUE(object.has_value()) << error;
  EXPECT_EQ(object->dump(), R"({"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","labels":{"app":"x"}},)"
                            R"("spec":{"replicas":3,"strategy":{"rollingUpdate":{"maxSurge":"25%"}},"minReadySeconds":7}})");
}

TEST(Protobuf, RefusesWhatIsBroken) {
  const std::string cases[] = {"", "k8s", std::string("k8s\0", 4) + "\xff\xff\xff", enveloped("apps/v1", "Frob", ""), enveloped("v1", "Pod", "\x0a\x7f"),
                               enveloped("v1", "Pod", std::string("\x0b", 1))};
  for (const std::string& body : cases) {
    std::string error;
    EXPECT_FALSE(parse_protobuf(body, error).has_value());
    EXPECT_FALSE(error.empty());
  }
}

/// By the numbers of gnostic's OpenAPIv2.proto: what kubectl up to 1.26 reads.
TEST(Protobuf, WritesAnOpenApiDocument) {
  std::string error;
  const Json document = *parse_json(R"({"swagger":"2.0","info":{"title":"K","version":"v1"},
    "paths":{"/a":{"patch":{"operationId":"p","parameters":[{"name":"dryRun","in":"query","type":"string"}],"responses":{"200":{"description":"OK"}},"x-g":1}}},
    "definitions":{"P":{"type":"object","required":["n"],"properties":{"n":{"$ref":"#/d","x-y":"z"},"m":{"additionalProperties":{"type":"string"},"minimum":1}}}}})", error);
  const auto key = [](int number, int wire) {  // a tag of two bytes, for numbers above 15
    return std::string{static_cast<char>((number << 3 | wire) & 0x7f) , static_cast<char>(number >> 4)}.replace(0, 1, 1, static_cast<char>(((number << 3 | wire) & 0x7f) | 0x80));
  };
  const auto wide = [&](int number, const std::string& content) { return key(number, 2) + static_cast<char>(content.size()) + content; };
  const std::string parameter = field(1, field(2, field(3, field(2, "query") + field(4, "dryRun") + field(6, "string"))));
  const std::string operation = field(5, "p") + field(8, parameter) + field(9, field(1, field(1, "200") + field(2, field(1, field(1, "OK"))))) + field(13, field(1, "x-g") + field(2, field(2, "1")));
  const std::string one = std::string("\x49", 1) + std::string("\0\0\0\0\0\0\xf0\x3f", 8);  // 9: the double 1
  const std::string n = field(1, "#/d") + wide(31, field(1, "x-y") + field(2, field(2, "\"z\"")));
  const std::string m = one + wide(21, field(1, wide(22, field(1, "string"))));
  const std::string properties = field(1, field(1, "n") + field(2, n)) + field(1, field(1, "m") + field(2, m));
  const std::string schema = wide(19, "n") + wide(22, field(1, "object")) + wide(25, properties);
  EXPECT_EQ(encode_openapi_v2(document), field(1, "2.0") + field(2, field(1, "K") + field(2, "v1")) + field(8, field(2, field(1, "/a") + field(2, field(8, operation)))) +
                                             field(9, field(1, field(1, "P") + field(2, schema))));
}

}  // namespace sim::loop
