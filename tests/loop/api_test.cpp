/// The API on documents alone: no world, no network.
#include "sim/loop/rest/api.hpp"

#include <gtest/gtest.h>

#include "sim/loop/store/store.hpp"

namespace sim::loop {

namespace {

struct ApiTest : testing::Test {
  std::uint64_t version = 0;
  std::uint64_t uid = 0;
  std::int64_t now = 1'700'000'000'000'000'000;
  Store store{{[this] { return ++version; }, [this] { return version; }, [this] { return ++uid; }, [this] { return now; }}};
  Api api{store, ApiOptions{}};

  ApiTest() { api.add_built_in_objects(); }

  Response send(std::string method, std::string_view target, std::string body = {}, std::string content_type = "application/json", std::string accept = {}) {
    Request request;
    request.method = std::move(method);
    EXPECT_TRUE(read_target(target, request));
    request.body = std::move(body);
    request.content_type = std::move(content_type);
    request.accept = std::move(accept);
    request.user_agent = "tester/1";
    return api.handle(request);
  }
  static Json json(const Response& response) {
    std::string error;
    const std::optional<Json> value = parse_json(response.body, error);
    EXPECT_TRUE(value.has_value()) << error << "\n" << response.body;
    return value.value_or(Json());
  }
  std::string message(const Response& response) { return json(response).at("message").text(); }
  std::string frames(Response& response) {
    std::string all;
    response.watch->connect([&all](std::string frame) { all += frame; });
    return all;
  }
};

constexpr std::string_view kMaps = "/api/v1/namespaces/default/configmaps";
const std::string kMap = R"({"metadata":{"name":"a","labels":{"x":"1"}},"data":{"k":"v"}})";
const std::string kDeployment = R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"selector":{"matchLabels":{"a":"b"}},
  "template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"x"}]}}}})";

}  // namespace

TEST_F(ApiTest, CreateSetsWhatTheServerSets) {
  const Response response = send("POST", kMaps, kMap);
  ASSERT_EQ(response.code, 201) << response.body;
  const Json map = json(response);
  EXPECT_EQ(map.at("kind").text(), "ConfigMap");
  EXPECT_EQ(map.at({"metadata", "namespace"}).text(), "default");
  EXPECT_EQ(map.at({"metadata", "uid"}).text().size(), 36u);
  EXPECT_EQ(map.at({"metadata", "creationTimestamp"}).text(), "2023-11-14T22:13:20Z");
  EXPECT_EQ(map.at({"metadata", "managedFields"}).items()[0].at("manager").text(), "tester");
  const Response again = send("POST", kMaps, kMap);
  EXPECT_EQ(again.code, 409);
  EXPECT_EQ(message(again), "configmaps \"a\" already exists");
}

struct RefusalCase {
  std::string_view name;
  std::string_view method;
  std::string_view target;
  std::string body;
  std::string_view content_type;
  int code;
  std::string_view message;
};

TEST_F(ApiTest, RefusesInTheServersWords) {
  send("POST", kMaps, kMap);
  send("POST", "/apis/apps/v1/namespaces/default/deployments", kDeployment);
  const RefusalCase cases[] = {
      {"not found", "GET", "/api/v1/namespaces/default/configmaps/b", "", "", 404, "configmaps \"b\" not found"},
      {"no such resource", "GET", "/api/v1/frobs", "", "", 404, "the server could not find the requested resource"},
      {"no such namespace", "POST", "/api/v1/namespaces/none/configmaps", kMap, "", 404, "namespaces \"none\" not found"},
      {"garbage", "POST", kMaps, "\x01\x02", "", 400, "json parse error"},
      {"deep nesting", "POST", kMaps, R"({"data":)" + std::string(1000, '['), "", 400, "nested deeper"},
      {"wrong kind", "POST", kMaps, R"({"kind":"Pod","apiVersion":"v1"})", "", 400, "must be of type ConfigMap"},
      {"wrong type of a field", "POST", "/apis/apps/v1/namespaces/default/deployments", R"({"metadata":{"name":"x"},"spec":{"replicas":"three"}})", "", 400,
       "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"},
      {"no name", "POST", kMaps, R"({"metadata":{}})", "", 422, "name or generateName is required"},
      {"invalid name", "POST", kMaps, R"({"metadata":{"name":"A_B"}})", "", 422, "RFC 1123 subdomain"},
      {"other namespace", "POST", kMaps, R"({"metadata":{"name":"c","namespace":"kube-system"}})", "", 400, "does not match the namespace sent on the request"},
      {"name on the URL", "PUT", "/api/v1/namespaces/default/configmaps/a", R"({"metadata":{"name":"b"}})", "", 400, "the name of the object (b) does not match the name on the URL (a)"},
      {"old version", "PUT", "/api/v1/namespaces/default/configmaps/a", R"({"metadata":{"name":"a","resourceVersion":"1"}})", "", 409, "the object has been modified"},
      {"selector does not match", "POST", "/apis/apps/v1/namespaces/default/deployments",
       R"({"metadata":{"name":"x"},"spec":{"selector":{"matchLabels":{"a":"c"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"x"}]}}}})", "", 422,
       "`selector` does not match template `labels`"},
      {"strict", "POST", "/api/v1/namespaces/default/configmaps?fieldValidation=Strict", R"({"metadata":{"name":"s"},"dat":{}})", "", 400, "strict decoding error: unknown field \"dat\""},
      {"bad selector", "GET", "/api/v1/pods?labelSelector=a%20in%20b", "", "", 400, "unable to parse requirement"},
      {"unknown field label", "GET", "/api/v1/pods?fieldSelector=spec.frob=1", "", "", 400, "field label not supported: spec.frob"},
      {"broken protobuf", "POST", kMaps, "k8s", "application/vnd.kubernetes.protobuf", 400, "expected prefix"},
      {"patch of no known type", "PATCH", "/api/v1/namespaces/default/configmaps/a", "{}", "text/plain", 415, "application/strategic-merge-patch+json"},
      {"immutable selector", "PATCH", "/apis/apps/v1/namespaces/default/deployments/web", R"({"spec":{"selector":{"matchLabels":{"a":null,"z":"1"}}}})", "application/merge-patch+json", 422,
       "field is immutable"},
      {"apply without a manager", "PATCH", "/api/v1/namespaces/default/configmaps/a", kMap, "application/apply-patch+yaml", 422, "is required for apply patch"},
      {"precondition", "DELETE", "/api/v1/namespaces/default/configmaps/a", R"({"preconditions":{"uid":"x"}})", "", 409, "Precondition failed: UID in precondition: x"},
      {"method", "PUT", kMaps, "{}", "", 405, "update is not supported"},
      {"watch list without match", "GET", "/api/v1/pods?watch=1&sendInitialEvents=true", "", "", 422, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"},
      {"version ahead", "GET", "/api/v1/pods?resourceVersion=99999", "", "", 504, "Too large resource version: 99999"},
  };
  for (const RefusalCase& c : cases) {
    SCOPED_TRACE(c.name);
    const Response response = send(std::string(c.method), c.target, c.body, c.content_type.empty() ? "application/json" : std::string(c.content_type));
    EXPECT_EQ(response.code, c.code) << response.body;
    EXPECT_NE(message(response).find(c.message), std::string::npos) << response.body;
    EXPECT_EQ(json(response).at("kind").text(), "Status");
  }
}

TEST_F(ApiTest, DefaultsAndGeneration) {
  Json made = json(send("POST", "/apis/apps/v1/namespaces/default/deployments", kDeployment));
  EXPECT_EQ(made.at({"spec", "replicas"}).as_integer(), 1);
  EXPECT_EQ(made.at({"spec", "strategy", "rollingUpdate", "maxSurge"}).text(), "25%");
  EXPECT_EQ(made.at({"spec", "template", "spec", "containers"}).items()[0].at("imagePullPolicy").text(), "Always");
  EXPECT_EQ(made.at({"metadata", "generation"}).as_integer(), 1);
  const std::string one = "/apis/apps/v1/namespaces/default/deployments/web";
  EXPECT_EQ(json(send("PATCH", one, R"({"metadata":{"labels":{"l":"1"}}})", "application/merge-patch+json")).at({"metadata", "generation"}).as_integer(), 1);
  EXPECT_EQ(json(send("PATCH", one, R"({"spec":{"replicas":3}})", "application/merge-patch+json")).at({"metadata", "generation"}).as_integer(), 2);
  EXPECT_EQ(json(send("PATCH", one + "/status", R"({"status":{"replicas":3},"spec":{"replicas":9}})", "application/merge-patch+json")).at({"spec", "replicas"}).as_integer(), 3);
  EXPECT_EQ(json(send("PATCH", one + "/scale", R"({"spec":{"replicas":5}})", "application/merge-patch+json")).at({"spec", "replicas"}).as_integer(), 5);
}

TEST_F(ApiTest, NothingChangedIsNoWrite) {
  send("POST", kMaps, kMap);
  const std::uint64_t before = version;
  const Response response = send("PATCH", "/api/v1/namespaces/default/configmaps/a", R"({"data":{"k":"v"}})", "application/merge-patch+json");
  EXPECT_EQ(response.code, 200);
  EXPECT_EQ(version, before);
}

TEST_F(ApiTest, DryRunStoresNothing) {
  EXPECT_EQ(send("POST", "/api/v1/namespaces/default/configmaps?dryRun=All", kMap).code, 201);
  EXPECT_EQ(send("GET", "/api/v1/namespaces/default/configmaps/a").code, 404);
}

TEST_F(ApiTest, PagesAreOneSnapshot) {
  for (const std::string_view name : {"p1", "p2", "p3", "p4"}) send("POST", kMaps, R"({"metadata":{"name":")" + std::string(name) + R"("}})");
  Json page = json(send("GET", "/api/v1/namespaces/default/configmaps?limit=2"));
  ASSERT_EQ(page.at("items").size(), 2u);
  const std::string token = page.at({"metadata", "continue"}).text();
  ASSERT_FALSE(token.empty());
  send("DELETE", "/api/v1/namespaces/default/configmaps/p3");
  send("POST", kMaps, R"({"metadata":{"name":"p9"}})");
  std::vector<std::string> names;
  std::string next = token;
  while (!next.empty()) {
    page = json(send("GET", "/api/v1/namespaces/default/configmaps?limit=2&continue=" + next));
    for (const Json& item : page.at("items").items()) names.push_back(item.at({"metadata", "name"}).text());
    next = page.at({"metadata", "continue"}).text();
  }
  EXPECT_NE(std::find(names.begin(), names.end(), "p3"), names.end());
  EXPECT_EQ(std::find(names.begin(), names.end(), "p9"), names.end());
  store.compact();
  EXPECT_EQ(send("GET", "/api/v1/namespaces/default/configmaps?limit=2&continue=" + token).code, 410);
}

TEST_F(ApiTest, WatchListEndsWithItsBookmark) {
  send("POST", kMaps, kMap);
  Response response = send("GET", "/api/v1/namespaces/default/configmaps?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&labelSelector=x");
  ASSERT_EQ(response.code, 200) << response.body;
  std::string all;
  response.watch->connect([&all](std::string frame) { all += frame; });
  EXPECT_NE(all.find(R"("type":"ADDED")"), std::string::npos);
  EXPECT_NE(all.find(R"("k8s.io/initial-events-end":"true")"), std::string::npos);
  all.clear();
  const std::string one = "/api/v1/namespaces/default/configmaps/a";
  send("PATCH", one, R"({"data":{"k":"w"}})", "application/merge-patch+json");
  EXPECT_TRUE(all.starts_with(R"({"type":"MODIFIED")")) << all;
  all.clear();
  // It leaves the selection, and comes back.
  send("PATCH", one, R"({"metadata":{"labels":{"x":null}}})", "application/merge-patch+json");
  EXPECT_TRUE(all.starts_with(R"({"type":"DELETED")")) << all;
  all.clear();
  send("PATCH", one, R"({"metadata":{"labels":{"x":"2"}}})", "application/merge-patch+json");
  EXPECT_TRUE(all.starts_with(R"({"type":"ADDED")")) << all;
}

TEST_F(ApiTest, WatchFromAVersion) {
  const std::string before = std::to_string(version);
  send("POST", kMaps, kMap);
  Response response = send("GET", "/api/v1/configmaps?watch=true&resourceVersion=" + before);
  EXPECT_TRUE(frames(response).starts_with(R"({"type":"ADDED")"));
  store.compact();
  Response late = send("GET", "/api/v1/configmaps?watch=true&resourceVersion=" + before);
  const std::string text = frames(late);
  EXPECT_TRUE(text.starts_with(R"({"type":"ERROR")")) << text;
  EXPECT_NE(text.find("\"code\":410"), std::string::npos);
}

TEST_F(ApiTest, FinalizersHoldAnObject) {
  send("POST", kMaps, R"({"metadata":{"name":"f","finalizers":["example.com/x"]}})");
  const Response deleted = send("DELETE", "/api/v1/namespaces/default/configmaps/f");
  EXPECT_FALSE(json(deleted).at({"metadata", "deletionTimestamp"}).is_null());
  const std::string one = "/api/v1/namespaces/default/configmaps/f";
  EXPECT_EQ(send("GET", one).code, 200);
  EXPECT_EQ(send("PATCH", one, R"({"metadata":{"finalizers":["other"]}})", "application/merge-patch+json").code, 422);
  EXPECT_EQ(send("PATCH", one, R"({"metadata":{"finalizers":null}})", "application/merge-patch+json").code, 200);
  EXPECT_EQ(send("GET", one).code, 404);
}

TEST_F(ApiTest, TablesAndPartialObjects) {
  send("POST", kMaps, kMap);
  const Json table = json(send("GET", kMaps, {}, {}, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"));
  EXPECT_EQ(table.at("kind").text(), "Table");
  EXPECT_EQ(table.at("columnDefinitions").items()[1].at("name").text(), "Data");
  const Json partials = json(send("GET", kMaps, {}, {}, "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"));
  EXPECT_EQ(partials.at("kind").text(), "PartialObjectMetadataList");
  EXPECT_TRUE(partials.at("items").items()[0].at("data").is_null());
  EXPECT_EQ(send("GET", kMaps, {}, {}, "text/html").code, 406);
}

TEST_F(ApiTest, CustomResources) {
  const std::string definition = R"({"metadata":{"name":"lamps.example.com"},"spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"lamps","kind":"Lamp"},
    "versions":[{"name":"v1","served":true,"storage":true,"subresources":{"status":{}},"schema":{"openAPIV3Schema":{"type":"object","properties":{
      "spec":{"type":"object","required":["watts"],"properties":{"watts":{"type":"integer","minimum":1},"colour":{"type":"string","default":"white"}}},
      "status":{"type":"object","properties":{"on":{"type":"boolean"}}}}}}}]}})";
  EXPECT_EQ(send("GET", "/apis/example.com/v1/namespaces/default/lamps").code, 404);
  const Response made = send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
  ASSERT_EQ(made.code, 201) << made.body;
  EXPECT_EQ(json(made).at({"status", "conditions"}).items()[1].at("type").text(), "Established");
  const std::string lamps = "/apis/example.com/v1/namespaces/default/lamps";
  const Json lamp = json(send("POST", lamps, R"({"apiVersion":"example.com/v1","kind":"Lamp","metadata":{"name":"a"},"spec":{"watts":5,"frob":1},"status":{"on":true}})"));
  EXPECT_EQ(lamp.at({"spec", "colour"}).text(), "white");
  EXPECT_TRUE(lamp.at({"spec", "frob"}).is_null());
  EXPECT_TRUE(lamp.at("status").is_null());
  EXPECT_EQ(send("POST", lamps, R"({"metadata":{"name":"b"},"spec":{"watts":0}})").code, 422);
  EXPECT_EQ(send("POST", lamps, R"({"metadata":{"name":"b"},"spec":{}})").code, 422);
  EXPECT_EQ(send("PATCH", lamps + "/a", "{}", "application/strategic-merge-patch+json").code, 415);
  EXPECT_TRUE(json(send("PATCH", lamps + "/a/status", R"({"status":{"on":true},"spec":{"watts":9}})", "application/merge-patch+json")).at({"status", "on"}).as_bool());
  EXPECT_EQ(json(send("GET", lamps + "/a")).at({"spec", "watts"}).as_integer(), 5);
  EXPECT_EQ(send("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/lamps.example.com").code, 200);
  EXPECT_EQ(send("GET", lamps).code, 404);
}

TEST_F(ApiTest, BothGroupsOfEventsAreOne) {
  const Response made = send("POST", "/apis/events.k8s.io/v1/namespaces/default/events",
                             R"({"metadata":{"name":"e"},"eventTime":"2023-11-14T22:13:20.000000Z","reportingController":"s","reportingInstance":"i","action":"A","reason":"R","type":"Normal","note":"hello",
                                "regarding":{"kind":"Pod","name":"p","namespace":"default"}})");
  ASSERT_EQ(made.code, 201) << made.body;
  const Json core = json(send("GET", "/api/v1/namespaces/default/events/e"));
  EXPECT_EQ(core.at("apiVersion").text(), "v1");
  EXPECT_EQ(core.at("message").text(), "hello");
  EXPECT_EQ(core.at({"involvedObject", "name"}).text(), "p");
  EXPECT_EQ(json(send("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e")).at("note").text(), "hello");
  EXPECT_EQ(json(send("GET", "/api/v1/events?fieldSelector=involvedObject.name=p")).at("items").size(), 1u);
}

TEST_F(ApiTest, OwnersTakeTheirDependents) {
  send("POST", kMaps, kMap);
  const std::string owner = json(send("GET", "/api/v1/namespaces/default/configmaps/a")).at({"metadata", "uid"}).text();
  send("POST", kMaps, R"({"metadata":{"name":"b","ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"a","uid":")" + owner + R"("}]}})");
  send("DELETE", "/api/v1/namespaces/default/configmaps/a");
  EXPECT_EQ(send("GET", "/api/v1/namespaces/default/configmaps/b").code, 404);
}

TEST_F(ApiTest, NamespacesGoWithWhatIsInThem) {
  ASSERT_EQ(send("POST", "/api/v1/namespaces", R"({"metadata":{"name":"shop"}})").code, 201);
  send("POST", "/api/v1/namespaces/shop/configmaps", kMap);
  EXPECT_EQ(send("DELETE", "/api/v1/namespaces/shop").code, 200);
  EXPECT_EQ(send("GET", "/api/v1/namespaces/shop").code, 404);
  EXPECT_EQ(send("GET", "/api/v1/namespaces/shop/configmaps/a").code, 404);
  EXPECT_EQ(send("DELETE", "/api/v1/namespaces/default").code, 403);
}

TEST_F(ApiTest, DiscoveryInThreeForms) {
  const Response v2 = send("GET", "/apis", {}, {}, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json");
  EXPECT_EQ(v2.content_type, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  EXPECT_EQ(json(v2).at("kind").text(), "APIGroupDiscoveryList");
  EXPECT_EQ(json(send("GET", "/apis")).at("kind").text(), "APIGroupList");
  EXPECT_EQ(json(send("GET", "/apis/apps/v1")).at("groupVersion").text(), "apps/v1");
  EXPECT_EQ(json(send("GET", "/api/v1")).at("kind").text(), "APIResourceList");
  EXPECT_EQ(send("GET", "/apis/none.example.com").code, 404);
  EXPECT_EQ(json(send("GET", "/openapi/v3/apis/apps/v1")).at("openapi").text(), "3.0.0");
  EXPECT_EQ(json(send("GET", "/openapi/v2")).at("swagger").text(), "2.0");
  const Response old = send("GET", "/openapi/v2", {}, {}, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf");
  EXPECT_EQ(old.content_type, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");  // with an '@' Go's mime package would not take it
  EXPECT_EQ(old.body.substr(0, 5), "\x0a\x03" "2.0");
  EXPECT_EQ(send("GET", "/openapi/v2", {}, {}, "application/json, application/com.github.proto-openapi.spec.v2@v1.0+protobuf").content_type, "application/json");
  EXPECT_EQ(send("GET", "/openapi/v2", {}, {}, "text/html").code, 406);
}

}  // namespace sim::loop
