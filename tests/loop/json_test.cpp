#include "sim/loop/json/json.hpp"

#include <gtest/gtest.h>

namespace sim::loop {

Json json(std::string_view text) {
  std::string error;
  const std::optional<Json> value = parse_json(text, error);
  EXPECT_TRUE(value.has_value()) << error << ": " << text;
  return value.value_or(Json());
}

TEST(Json, KeepsOrderAndIntegers) {
  const std::string text = R"({"b":9007199254740993,"a":[1,2.5,true,null,"x\n\u00e9"],"c":{}})";
  EXPECT_EQ(json(text).dump(), "{\"b\":9007199254740993,\"a\":[1,2.5,true,null,\"x\\n\xc3\xa9\"],\"c\":{}}");
}

TEST(Json, EqualByContent) {
  EXPECT_EQ(json(R"({"a":1,"b":2})"), json(R"({"b":2.0,"a":1})"));
  EXPECT_FALSE(json(R"({"a":1})") == json(R"({"a":1,"b":null})"));
  EXPECT_FALSE(json("[1,2]") == json("[2,1]"));
}

struct WrongCase {
  std::string_view name;
  std::string text;
};
TEST(Json, RefusesWhatIsNoJson) {
  const WrongCase cases[] = {
      {"nothing", ""},
      {"cut off", R"({"a":)"},
      {"two values", "1 2"},
      {"invalid UTF-8", "\"\xff\""},
      {"garbage", "\x01\x02"},
      {"comments", "{/* */}"},
      {"too deep", std::string(5000, '[')},
      {"too deep, whole", std::string(101, '[') + std::string(101, ']')},
  };
  for (const WrongCase& c : cases) {
    SCOPED_TRACE(c.name);
    std::string error;
    EXPECT_FALSE(parse_json(c.text, error).has_value());
    EXPECT_FALSE(error.empty());
  }
  std::string error;
  EXPECT_TRUE(parse_json(std::string(100, '[') + std::string(100, ']'), error).has_value());
}

TEST(Json, LastOfEqualKeysCounts) { EXPECT_EQ(json(R"({"a":1,"a":2})").dump(), R"({"a":2})"); }

}  // namespace sim::loop
