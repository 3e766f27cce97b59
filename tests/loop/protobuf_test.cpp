#include "sim/loop/protobuf/protobuf.hpp"

#include <gtest/gtest.h>

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

}  // namespace sim::loop
