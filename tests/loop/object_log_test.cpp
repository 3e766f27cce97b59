/// The log of what became of objects.
#include "sim/loop/session/object_log.hpp"

#include <gtest/gtest.h>

#include "sim/loop/rest/api.hpp"

namespace sim::loop {

namespace {

struct ObjectLogTest : testing::Test {
  std::uint64_t version = 0;
  std::uint64_t uid = 0;
  SimTime now{};
  Store store{{[this] { return ++version; }, [this] { return version; }, [this] { return ++uid; }, [] { return std::int64_t{1'700'000'000'000'000'000}; }}};
  Api api{store, ApiOptions{}};
  std::vector<Json> lines;

  std::function<void(std::string)> sink() {
    return [this](const std::string& line) {
      std::string error;
      const std::optional<Json> value = parse_json(line, error);
      EXPECT_TRUE(value.has_value()) << error << "\n" << line;
      lines.push_back(value.value_or(Json()));
    };
  }
  int send(std::string method, std::string_view target, std::string body = {}) {
    Request request;
    request.method = std::move(method);
    EXPECT_TRUE(read_target(target, request));
    request.body = std::move(body);
    request.content_type = "application/json";
    return api.handle(request).code;
  }
  std::vector<std::string> told(std::string_view kind) const {
    std::vector<std::string> result;
    for (const Json& line : lines) {
      // Not what an API server has from the beginning.
      if (line.at({"object", "kind"}).text() != kind || line.at({"object", "metadata", "name"}).text().size() > 1) continue;
      result.push_back(line.at("at").dump() + " " + line.at("type").text() + " " + line.at({"object", "metadata", "name"}).text());
    }
    return result;
  }
};

constexpr std::string_view kMaps = "/api/v1/namespaces/default/configmaps";
const std::string kMap = R"({"metadata":{"name":"a"},"data":{"k":"v"}})";

}  // namespace

TEST_F(ObjectLogTest, TellsWhatIsThereAndEachChangeWithItsMoment) {
  api.add_built_in_objects();
  ASSERT_EQ(send("POST", kMaps, kMap), 201);
  ObjectLog log(store, [this] { return now; }, sink());
  EXPECT_EQ(told("ConfigMap"), (std::vector<std::string>{"0 ADDED a"}));
  now = SimTime(std::chrono::milliseconds(1500));
  ASSERT_EQ(send("PUT", std::string(kMaps) + "/a", R"({"metadata":{"name":"a"},"data":{"k":"w"}})"), 200);
  now = SimTime(std::chrono::seconds(2));
  ASSERT_EQ(send("DELETE", std::string(kMaps) + "/a"), 200);
  EXPECT_EQ(told("ConfigMap"), (std::vector<std::string>{"0 ADDED a", "1.5 MODIFIED a", "2 DELETED a"}));
  EXPECT_EQ(lines.back().at({"object", "data", "k"}).text(), "w");
}

TEST_F(ObjectLogTest, EventsAndLeasesAreNoState) {
  api.add_built_in_objects();
  ObjectLog log(store, [this] { return now; }, sink());
  ASSERT_EQ(send("POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", R"({"metadata":{"name":"l"},"spec":{"holderIdentity":"x"}})"), 201);
  ASSERT_EQ(send("POST", "/api/v1/namespaces/default/events", R"({"metadata":{"name":"e"},"involvedObject":{"namespace":"default"},"reason":"R"})"), 201);
  EXPECT_TRUE(told("Lease").empty());
  EXPECT_TRUE(told("Event").empty());
}

TEST_F(ObjectLogTest, NothingIsToldOfAfterItsEnd) {
  api.add_built_in_objects();
  { const ObjectLog log(store, [this] { return now; }, sink()); }
  const std::size_t before = lines.size();
  ASSERT_EQ(send("POST", kMaps, kMap), 201);
  EXPECT_EQ(lines.size(), before);
}

}  // namespace sim::loop
