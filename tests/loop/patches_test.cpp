#include "sim/loop/patch/patches.hpp"

#include <gtest/gtest.h>

namespace sim::loop {

namespace {

Json json(std::string_view text) {
  std::string error;
  const std::optional<Json> value = parse_json(text, error);
  EXPECT_TRUE(value.has_value()) << error << ": " << text;
  return value.value_or(Json());
}

struct PatchCase {
  std::string_view name;
  std::string_view document;
  std::string_view patch;
  std::string_view expected;  // or what the error must contain, with "error: " in front
};

void check(const PatchCase& c, const std::string& error, const Json& result) {
  SCOPED_TRACE(c.name);
  constexpr std::string_view kError = "error: ";
  if (c.expected.starts_with(kError)) {
    EXPECT_NE(error.find(c.expected.substr(kError.size())), std::string::npos) << error;
    return;
  }
  EXPECT_EQ(error, "");
  EXPECT_EQ(result.dump(), json(c.expected).dump());
}

}  // namespace

TEST(MergePatch, Rfc7386Examples) {
  // RFC 7386, appendix A.
  const PatchCase cases[] = {
      {"replace", R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {"add", R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {"remove", R"({"a":"b"})", R"({"a":null})", "{}"},
      {"array for string", R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {"nested", R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {"arrays are whole", R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {"null stays", R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
      {"nested nulls", "{}", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
  };
  for (const PatchCase& c : cases) {
    Json document = json(c.document);
    merge_patch(document, json(c.patch));
    check(c, "", document);
  }
}

TEST(JsonPatch, Operations) {
  const PatchCase cases[] = {
      {"add to an object", R"({"a":1})", R"([{"op":"add","path":"/b","value":2}])", R"({"a":1,"b":2})"},
      {"insert", R"({"a":[1,3]})", R"([{"op":"add","path":"/a/1","value":2}])", R"({"a":[1,2,3]})"},
      {"append", R"({"a":[1]})", R"([{"op":"add","path":"/a/-","value":2}])", R"({"a":[1,2]})"},
      {"escapes", R"({"a/b":{"c~d":1}})", R"([{"op":"replace","path":"/a~1b/c~0d","value":2}])", R"({"a/b":{"c~d":2}})"},
      {"remove", R"({"a":[1,2]})", R"([{"op":"remove","path":"/a/0"}])", R"({"a":[2]})"},
      {"move", R"({"a":{"b":1}})", R"([{"op":"move","from":"/a/b","path":"/c"}])", R"({"a":{},"c":1})"},
      {"copy", R"({"a":1})", R"([{"op":"copy","from":"/a","path":"/b"}])", R"({"a":1,"b":1})"},
      {"test holds", R"({"a":1})", R"([{"op":"test","path":"/a","value":1},{"op":"add","path":"/b","value":1}])", R"({"a":1,"b":1})"},
      {"test fails", R"({"a":1})", R"([{"op":"test","path":"/a","value":2}])", "error: test failed"},
      {"missing path", R"({"a":1})", R"([{"op":"replace","path":"/b/c","value":2}])", "error: missing"},
      {"remove missing", R"({"a":1})", R"([{"op":"remove","path":"/b"}])", "error: nonexistent"},
      {"index too large", R"({"a":[1]})", R"([{"op":"add","path":"/a/5","value":2}])", "error: missing"},
      {"unknown operation", R"({"a":1})", R"([{"op":"frob","path":"/a"}])", "error: frob"},
      {"no list", R"({"a":1})", R"({"op":"remove","path":"/a"})", "error: unmarshal"},
  };
  for (const PatchCase& c : cases) {
    Json document = json(c.document);
    const std::string error = json_patch(document, json(c.patch));
    check(c, error, document);
  }
}

TEST(StrategicMergePatch, ByMergeKeys) {
  // The rules of apimachinery pkg/util/strategicpatch, on the types of pods.
  const TypeInfo* pod = Schema::kubernetes().type("core.v1.Pod");
  ASSERT_NE(pod, nullptr);
  const PatchCase cases[] = {
      {"containers merge by name", R"({"spec":{"containers":[{"name":"a","image":"x"},{"name":"b","image":"y"}]}})",
       R"({"spec":{"containers":[{"name":"b","image":"z"}]}})", R"({"spec":{"containers":[{"name":"a","image":"x"},{"name":"b","image":"z"}]}})"},
      {"a new item is appended", R"({"spec":{"containers":[{"name":"a"}]}})", R"({"spec":{"containers":[{"name":"b"}]}})", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})"},
      {"$patch: delete", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})", R"({"spec":{"containers":[{"$patch":"delete","name":"a"}]}})", R"({"spec":{"containers":[{"name":"b"}]}})"},
      {"$patch: replace of a list", R"({"spec":{"containers":[{"name":"a"}]}})", R"({"spec":{"containers":[{"name":"c"},{"$patch":"replace"}]}})", R"({"spec":{"containers":[{"name":"c"}]}})"},
      {"$patch: replace of a map", R"({"metadata":{"labels":{"a":"1","b":"2"}}})", R"({"metadata":{"labels":{"$patch":"replace","c":"3"}}})", R"({"metadata":{"labels":{"c":"3"}}})"},
      {"$setElementOrder", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
       R"({"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[{"name":"b","image":"z"}]}})", R"({"spec":{"containers":[{"name":"b","image":"z"},{"name":"a"}]}})"},
      {"$deleteFromPrimitiveList", R"({"metadata":{"finalizers":["a","b"]}})", R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a"]}})", R"({"metadata":{"finalizers":["b"]}})"},
      {"finalizers merge", R"({"metadata":{"finalizers":["a"]}})", R"({"metadata":{"finalizers":["b","a"]}})", R"({"metadata":{"finalizers":["a","b"]}})"},
      {"$retainKeys", R"({"spec":{"volumes":[{"name":"v","emptyDir":{}}]}})",
       R"({"spec":{"volumes":[{"$retainKeys":["name","hostPath"],"name":"v","hostPath":{"path":"/x"}}]}})", R"({"spec":{"volumes":[{"name":"v","hostPath":{"path":"/x"}}]}})"},
      {"atomic lists are replaced", R"({"spec":{"tolerations":[{"key":"a"}]}})", R"({"spec":{"tolerations":[{"key":"b"}]}})", R"({"spec":{"tolerations":[{"key":"b"}]}})"},
      {"conditions by type", R"({"status":{"conditions":[{"type":"Ready","status":"True"}]}})", R"({"status":{"conditions":[{"type":"Ready","status":"False"}]}})",
       R"({"status":{"conditions":[{"type":"Ready","status":"False"}]}})"},
      {"the merge key is missing", R"({"spec":{"containers":[]}})", R"({"spec":{"containers":[{"image":"x"}]}})", "error: does not contain declared merge key: name"},
  };
  for (const PatchCase& c : cases) {
    Json document = json(c.document);
    const std::string error = strategic_merge_patch(document, json(c.patch), *pod);
    check(c, error, document);
  }
}

}  // namespace sim::loop
