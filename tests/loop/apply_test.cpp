#include "sim/loop/patch/apply.hpp"

#include <gtest/gtest.h>

namespace sim::loop {

namespace {

Json json(std::string_view text) {
  std::string error;
  const std::optional<Json> value = parse_json(text, error);
  EXPECT_TRUE(value.has_value()) << error << ": " << text;
  return value.value_or(Json());
}

const Shape& deployment() {
  static const Shape shape(Schema::kubernetes().type("apps.v1.Deployment"));
  return shape;
}

Manager applier(std::string name) { return {std::move(name), "Apply", "apps/v1", ""}; }

}  // namespace

TEST(ServerSideApply, OwnsWhatItSets) {
  const Json wanted = json(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","labels":{"a":"1"}},
    "spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"c","image":"x","ports":[{"containerPort":80}]}]}}}})");
  const Applied made = apply_configuration(nullptr, wanted, deployment(), applier("one"), false, "T1");
  const Json& managed = made.document.at({"metadata", "managedFields"});
  ASSERT_EQ(managed.size(), 1u);
  EXPECT_EQ(managed.items()[0].at("manager").text(), "one");
  EXPECT_EQ(managed.items()[0].at("fieldsV1").dump(),
            R"({"f:metadata":{"f:labels":{"f:a":{}}},"f:spec":{"f:replicas":{},"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{},)"
            R"("f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}}})");
}

TEST(ServerSideApply, ConflictsUnlessForced) {
  const Json first = json(R"({"spec":{"replicas":3}})");
  const Applied made = apply_configuration(nullptr, first, deployment(), applier("one"), false, "T1");
  const Json second = json(R"({"spec":{"replicas":5}})");
  const Applied refused = apply_configuration(&made.document, second, deployment(), applier("two"), false, "T2");
  ASSERT_EQ(refused.conflicts.size(), 1u);
  EXPECT_EQ(refused.conflicts[0].manager, "\"one\"");
  EXPECT_EQ(refused.conflicts[0].paths, std::vector<std::string>{".spec.replicas"});
  const Applied forced = apply_configuration(&made.document, second, deployment(), applier("two"), true, "T2");
  EXPECT_TRUE(forced.conflicts.empty());
  EXPECT_EQ(forced.document.at({"spec", "replicas"}).as_integer(), 5);
  ASSERT_EQ(forced.document.at({"metadata", "managedFields"}).size(), 1u);
  EXPECT_EQ(forced.document.at({"metadata", "managedFields"}).items()[0].at("manager").text(), "two");
}

TEST(ServerSideApply, EqualValuesAreShared) {
  const Json wanted = json(R"({"spec":{"replicas":3}})");
  const Applied made = apply_configuration(nullptr, wanted, deployment(), applier("one"), false, "T1");
  const Applied shared = apply_configuration(&made.document, wanted, deployment(), applier("two"), false, "T2");
  EXPECT_TRUE(shared.conflicts.empty());
  EXPECT_EQ(shared.document.at({"metadata", "managedFields"}).size(), 2u);
  // The first one gives it up: it stays, because the second one wants it.
  const Applied given_up = apply_configuration(&shared.document, json(R"({"metadata":{"labels":{"a":"1"}}})"), deployment(), applier("one"), false, "T3");
  EXPECT_EQ(given_up.document.at({"spec", "replicas"}).as_integer(), 3);
}

TEST(ServerSideApply, RemovesWhatItNoLongerSets) {
  const Json both = json(R"({"spec":{"template":{"spec":{"containers":[{"name":"a","image":"x"},{"name":"b","image":"y"}]}}}})");
  const Applied made = apply_configuration(nullptr, both, deployment(), applier("one"), false, "T1");
  const Json one = json(R"({"spec":{"template":{"spec":{"containers":[{"name":"b","image":"y"}]}}}})");
  const Applied left = apply_configuration(&made.document, one, deployment(), applier("one"), false, "T2");
  EXPECT_EQ(left.document.at({"spec", "template", "spec", "containers"}).dump(), R"([{"name":"b","image":"y"}])");
}

TEST(ServerSideApply, UpdatesTakeOver) {
  const Applied made = apply_configuration(nullptr, json(R"({"spec":{"replicas":3,"paused":true}})"), deployment(), applier("one"), false, "T1");
  Json changed = made.document;
  changed["spec"].set("replicas", 7);
  track_update(&made.document, changed, deployment(), {"scaler", "Update", "apps/v1", "scale"}, "T2");
  const Applied again = apply_configuration(&changed, json(R"({"spec":{"replicas":3,"paused":true}})"), deployment(), applier("one"), false, "T3");
  ASSERT_EQ(again.conflicts.size(), 1u);
  EXPECT_EQ(again.conflicts[0].manager, "\"scaler\" with subresource \"scale\" using apps/v1");
}

TEST(ServerSideApply, NothingNewKeepsTheTime) {
  const Json wanted = json(R"({"spec":{"replicas":3}})");
  const Applied made = apply_configuration(nullptr, wanted, deployment(), applier("one"), false, "T1");
  const Applied again = apply_configuration(&made.document, wanted, deployment(), applier("one"), false, "T2");
  EXPECT_EQ(again.document, made.document);
}

}  // namespace sim::loop
